#include <string>

#include "docs/model/transition.h"

namespace gavel::model {
namespace {

// "A", and "A'" for the second process of that slot.
std::string nameOf(int slot, int incarnation) {
  return std::string(1, static_cast<char>('A' + slot)) +
         std::string(static_cast<std::size_t>(incarnation), '\'');
}

std::string nameOf(const State& state, int slot) {
  return nameOf(slot, state.nodes[slot].incarnation);
}

std::string nameOf(Member member) {
  return nameOf(member.slot, member.incarnation);
}

std::string text(const Log& log) {
  std::string text = "[";
  for (int index = 0; index < log.size(); ++index) {
    text += static_cast<char>('x' + log[index]);
  }
  return text + "]";
}

std::string text(const Configuration& config) {
  std::string text = "epoch " + std::to_string(config.epoch) + ":";
  for (int place = 0; place < config.size; ++place) {
    text += " " + nameOf(config.members[place]);
    if (!config.members[place].serving) text += " (syncing)";
  }
  return text;
}

std::string epochOf(const State& state, int config) {
  return "epoch " + std::to_string(state.configs[config].epoch);
}

// Whether the step answered a read, instead of giving it up.
bool answers(const Step& step, const State& before, const State& after) {
  if (after.query.active) return false;
  if (step.kind == Step::Kind::query) return true;
  if (!before.query.active) return false;
  auto& was = before.nodes[before.query.slot];
  auto& now = after.nodes[before.query.slot];
  return was.config == now.config && was.incarnation == now.incarnation;
}

}  // namespace

const char* nameOf(Step::Kind kind) {
  switch (kind) {
    case Step::Kind::bid:
      return "bid";
    case Step::Kind::persist:
      return "persist";
    case Step::Kind::append:
      return "append";
    case Step::Kind::ack:
      return "ack";
    case Step::Kind::toHead:
      return "to-head";
    case Step::Kind::adopt:
      return "adopt";
    case Step::Kind::attach:
      return "attach";
    case Step::Kind::snapshot:
      return "snapshot";
    case Step::Kind::gate:
      return "gate";
    case Step::Kind::report:
      return "report";
    case Step::Kind::crash:
      return "crash";
    case Step::Kind::powerLoss:
      return "power-loss";
    case Step::Kind::store:
      return "store";
    case Step::Kind::announce:
      return "announce";
    case Step::Kind::restart:
      return "restart";
    case Step::Kind::query:
      return "query";
    case Step::Kind::word:
      return "word";
    case Step::Kind::answer:
      return "answer";
    case Step::Kind::confirm:
      return "confirm";
    case Step::Kind::reject:
      return "reject";
    case Step::Kind::note:
      return "note";
    case Step::Kind::told:
      return "told";
    case Step::Kind::copy:
      return "copy";
    case Step::Kind::recover:
      return "recover";
    case Step::Kind::ask:
      return "ask";
    case Step::Kind::promise:
      return "promise";
    case Step::Kind::rebuild:
      return "rebuild";
    case Step::Kind::lostStore:
      return "lost-store";
    case Step::Kind::lostRestart:
      return "lost-restart";
  }
  return "";
}

std::string Model::describe(const Step& step, const State& before, const State& after) const {
  using Kind = Step::Kind;
  auto name = nameOf(before, step.slot);
  auto epoch = epochOf(before, before.nodes[step.slot].config);
  auto& node = after.nodes[step.slot];
  auto& config = before.configs[step.config];
  std::string line;
  switch (step.kind) {
    case Kind::bid:
      line = "R5   " + name + ", head in " + epoch + ", takes bid " +
             static_cast<char>('x' + before.bids) + ": log " + text(node.log);
      break;
    case Kind::persist:
      line = "R5   " + name + " has " + text(node.log.prefix(step.number)) + " on its disk";
      break;
    case Kind::append: {
      auto& append = config.appends[step.number - 1];
      auto member = config.members[step.number];
      line = "R5   " + nameOf(member) + " takes from " + nameOf(config.members[step.number - 1]) +
             ", sent in epoch " + std::to_string(config.epoch) + ": " + text(append.log) +
             (member.serving ? ", durable upstream " + std::to_string(append.durable)
                             : ", committed " + std::to_string(append.commit));
      break;
    }
    case Kind::ack: {
      auto member = config.members[step.number];
      line = (member.serving ? "R5   " : "R9   ") + nameOf(config.members[step.number - 1]) +
             " hears from " + nameOf(member) + ", sent in epoch " + std::to_string(config.epoch) +
             ": " + (member.serving ? "committed " : "durable ") +
             std::to_string(config.acks[step.number - 1] - 1);
      break;
    }
    case Kind::toHead:
      line = "R5   " + nameOf(config.members[0]) + " hears from the tail " +
             nameOf(config.members[config.tail()]) + ", sent in epoch " +
             std::to_string(config.epoch) + ": committed " + std::to_string(config.toHead - 1);
      break;
    case Kind::adopt:
      line = "R6   " + name + " adopts " + text(config);
      break;
    case Kind::attach:
      line = "R9.1 " + name + " and its joiner seek the last shared position";
      break;
    case Kind::snapshot:
      line = "R9.1 " + name + " gives its joiner a snapshot";
      break;
    case Kind::gate:
      line = "R9.2 " + name + (node.gated ? " gates its joiner" : " gives up its gate");
      break;
    case Kind::report:
      line = "R9.2 " + name + " reports the gate of " + epoch;
      break;
    case Kind::crash:
    case Kind::powerLoss:
      line = std::string(step.kind == Kind::crash ? "R2   the process of " : "R2   the power of ") +
             name + " fails; " + nameOf(after, step.slot) + " finds " + text(node.log);
      break;
    case Kind::store:
      line = "R3   a master stores " + text(after.configs[after.count]);
      break;
    case Kind::announce:
      line = "R3   a master announces, and does not store, " + text(after.configs[after.count]);
      break;
    case Kind::restart:
      line = "R11  a master stores, after an outage, " + text(after.configs[after.count]);
      break;
    case Kind::query:
      line = "R10  " + name + " is asked in " + epoch;
      break;
    case Kind::word:
      line = "R10  the member at place " + std::to_string(step.number) +
             " says that it is still in it";
      break;
    case Kind::answer:
      line = "R10  the query is answered";
      break;
    case Kind::confirm:
      line = "R10  " + name + " starts a confirm in " + epoch;
      break;
    case Kind::reject:
      line = "R8   " + name + " rejects a bid, judged on " + text(node.log);
      break;
    case Kind::note:
      line = "R11  " + name + " notes that " + std::to_string(node.bound) + " are committed";
      break;
    case Kind::told:
      line = "R11  the masters' store has it from " + name + " that " +
             std::to_string(after.bound) + " are committed";
      break;
    case Kind::copy:
      line = "R11  the process of " + name + " ends; " + nameOf(after, step.slot) +
             " finds an older copy: " + text(node.log);
      break;
    case Kind::recover:
      line = "R11  a master stores, on an operator's order, " + text(after.configs[after.count]);
      break;
    case Kind::ask:
      line = "R3   a master that is being rebuilt asks for promises at " + text(config);
      break;
    case Kind::promise:
      line = "R3   " + nameOf(after, step.slot) + " says that " + text(config) +
             " is its newest, and promises";
      break;
    case Kind::rebuild:
      line = "R3   a master is rebuilt, and stores " + text(after.configs[after.count]);
      break;
    case Kind::lostStore:
      line = "R3   the lost master stores " + text(after.configs[after.count]);
      break;
    case Kind::lostRestart:
      line = "R11  the lost master stores, after an outage, " + text(after.configs[after.count]);
      break;
  }
  if (answers(step, before, after)) {
    int slot = step.kind == Kind::query ? step.slot : before.query.slot;
    auto& reader = after.nodes[slot];
    line += "; " + nameOf(after, slot) + " answers from " + text(reader.log.prefix(reader.commit));
  }
  if (after.committed > before.committed) {
    line += "; committed: " + text(after.told.prefix(after.committed));
  }
  if (after.acknowledged > before.acknowledged) {
    line += "; clients know of " + text(after.told.prefix(after.acknowledged));
  }
  return line;
}

std::string Model::describe(const State& state) {
  std::string line = "     then:";
  for (int slot = 0; slot < MAX_SLOTS; ++slot) {
    auto& node = state.nodes[slot];
    if (node.config == 0 && node.incarnation == 0 && node.log.size() == 0) continue;
    line += " " + nameOf(state, slot) + " " + text(node.log) + " commit " +
            std::to_string(node.commit) + " synced " + std::to_string(node.synced) + ";";
  }
  return line + " clients know of " + text(state.told.prefix(state.acknowledged));
}

}  // namespace gavel::model
