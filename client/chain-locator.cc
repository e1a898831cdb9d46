#include "client/chain-locator.h"

#include <iterator>
#include <set>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::client {
namespace {

using State = schema::Member::State;

constexpr kj::StringPtr SILENT = "no answer in time"_kj;

kj::StringPtr text(const std::string& string) {
  return kj::StringPtr(string.c_str(), string.size());
}

}  // namespace

class ChainLocator::Round final: public kj::Refcounted {
public:
  Round(kj::Own<kj::PromiseFulfiller<void>> fulfiller, std::uint64_t epochBefore)
      : epochBefore(epochBefore), fulfiller(kj::mv(fulfiller)) {}

  const std::uint64_t epochBefore;
  std::size_t awaited = 0;
  bool answered = false;

  bool over() { return !fulfiller->isWaiting(); }
  void end() { fulfiller->fulfill(); }

private:
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
};

ChainLocator::ChainLocator(kj::Network& network, kj::Timer& timer,
                           kj::ArrayPtr<const kj::String> seeds)
    : ChainLocator(network, timer, seeds, Limits()) {}

ChainLocator::ChainLocator(kj::Network& network, kj::Timer& timer,
                           kj::ArrayPtr<const kj::String> seeds, Limits limits)
    : timer(timer),
      limits(limits),
      seeds(KJ_MAP(seed, seeds) { return kj::str(seed); }),
      pool(network, timer, limits.connect),
      tasks(*this) {
  KJ_REQUIRE(this->seeds.size() > 0, "an address of a node or master is needed");
}

ChainLocator::~ChainLocator() noexcept(false) {}

kj::Maybe<schema::Configuration::Reader> ChainLocator::configuration() const {
  KJ_IF_MAYBE (known, newest) {
    return known->get();
  }
  return nullptr;
}

std::uint64_t ChainLocator::epoch() const {
  KJ_IF_MAYBE (known, newest) {
    return known->get().getEpoch();
  }
  return 0;
}

kj::Promise<void> ChainLocator::refresh() {
  KJ_IF_MAYBE (current, round) {
    if (!(*current)->over()) return roundOver.addBranch();
  }
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto fresh = kj::refcounted<Round>(kj::mv(paf.fulfiller), epoch());
  roundOver = paf.promise.fork();
  round = kj::addRef(*fresh);
  for (auto& address: addresses()) {
    // Each address gets one question at a time: they must not pile up at a paused process.
    auto& standing = standings[address.cStr()];
    if (standing.beingAsked) continue;
    standing.beingAsked = true;
    ++fresh->awaited;
    tasks.add(ask(address).then(
        [this, &standing, round = kj::addRef(*fresh)]() mutable {
          standing.beingAsked = false;
          --round->awaited;
          if (round->awaited == 0 || epoch() > round->epochBefore) return round->end();
          if (round->answered) return;
          round->answered = true;
          tasks.add(timer.afterDelay(limits.grace).then([round = kj::mv(round)]() mutable {
            round->end();
          }));
        },
        [this, &standing, address = kj::str(address),
         round = kj::addRef(*fresh)](kj::Exception&& exception) mutable {
          standing.beingAsked = false;
          standing.problem = reasonOf(exception);
          logDebug("no word of the chain", {{"from", address}, {"reason", standing.problem}});
          if (--round->awaited == 0) round->end();
        }));
  }
  if (fresh->awaited == 0) {
    // All addresses are being asked already, by a round that ended before they answered.
    tasks.add(
        timer.afterDelay(limits.grace).then([round = kj::mv(fresh)]() mutable { round->end(); }));
  }
  return roundOver.addBranch();
}

kj::Promise<void> ChainLocator::ask(kj::StringPtr address) {
  return pool.get(address).then([this](kj::Own<Peer> peer) {
    auto& asked = *peer;
    return timer.timeoutAfter(limits.ask, asked.topology().configurationRequest().send())
        .then(
            [this, &asked](capnp::Response<schema::Topology::ConfigurationResults>&& response) {
              adopt(asked, response.getConfiguration());
            },
            [this, &asked](kj::Exception&& exception) {
              complain(asked, exception);
              kj::throwFatalException(kj::mv(exception));
            })
        .attach(kj::mv(peer));
  });
}

void ChainLocator::adopt(Peer& peer, schema::Configuration::Reader told) {
  auto address = peer.address();
  auto& standing = standings[address.cStr()];
  standing.problem = nullptr;
  if (told.getEpoch() == 0) {
    standing.problem = kj::str("knows of no chain yet");
    return;
  }
  auto id = told.getClusterId();
  peer.belongsTo(id);
  if (cluster_ == 0) cluster_ = id;
  if (id != cluster_) {
    otherCluster_ = id;
    standing.problem = strangerText(id);
    return;
  }
  if (epoch() >= told.getEpoch()) return;
  newest = Message<schema::Configuration>(told);
  logDebug("learned the chain", {{"epoch", told.getEpoch()},
                                 {"from", address},
                                 {"head", choose({Route::To::head}, 0)},
                                 {"tail", choose({Route::To::tail}, 0)}});
}

kj::Vector<schema::Member::Reader> ChainLocator::serving() const {
  kj::Vector<schema::Member::Reader> result;
  KJ_IF_MAYBE (known, newest) {
    for (auto member: known->get().getMembers()) {
      if (member.getState() == State::SERVING) result.add(member);
    }
  }
  return result;
}

kj::Promise<kj::Own<Peer>> ChainLocator::node(const Route& route, unsigned attempt) {
  if (newest != nullptr) return pick(route, attempt);
  return refresh().then([this, route, attempt]() { return pick(route, attempt); });
}

kj::Maybe<kj::String> ChainLocator::refusal(const Route& route) const {
  if (newest == nullptr && otherCluster_ != 0 && !isAsking()) {
    return kj::str("cluster ", cluster_, " was at these addresses, and now it is cluster ",
                   otherCluster_, ", which has nothing of the other one's auctions");
  }
  auto members = serving();
  if (route.to != Route::To::only || members.empty()) return nullptr;
  if (choose(route, 0).size() > 0) return nullptr;
  // A user who named an address gets addresses.
  bool byAddress = route.node.find(':') != std::string::npos;
  auto names = KJ_MAP(member, members) {
    return byAddress ? kj::str(member.getName(), " (", member.getAddress(), ")")
                     : kj::str(member.getName());
  };
  return kj::str(text(route.node),
                 " is not a serving member of the chain: ", kj::strArray(names, ", "));
}

kj::Promise<kj::Own<Peer>> ChainLocator::pick(const Route& route, unsigned attempt) {
  auto address = choose(route, attempt);
  if (address.size() == 0) {
    KJ_IF_MAYBE (why, refusal(route)) {
      return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(*why));
    }
    return KJ_EXCEPTION(DISCONNECTED, "no serving chain is known", problems());
  }
  KJ_IF_MAYBE (peer, pool.find(address)) {
    if ((*peer)->cluster() == cluster_) return kj::mv(*peer);
  }
  return identified(address, Belonging::here)
      .catch_([this, address = kj::mv(address)](kj::Exception&& exception) -> kj::Own<Peer> {
        auto& problem = standings[address.cStr()].problem = reasonOf(exception);
        // The reader of the message wants to know which node it was.
        if (problem == SILENT) {
          kj::throwFatalException(kj::Exception(exception.getType(), __FILE__, __LINE__,
                                                kj::str(address, " gave ", SILENT)));
        }
        kj::throwFatalException(kj::mv(exception));
      });
}

kj::String ChainLocator::choose(const Route& route, unsigned attempt) const {
  auto members = serving();
  if (members.empty()) return nullptr;
  switch (route.to) {
    case Route::To::head:
    case Route::To::tail: {
      auto preferred =
          (route.to == Route::To::head ? members.front() : members.back()).getAddress();
      return attempt % 2 == 0 ? kj::str(preferred) : detour(preferred, attempt / 2);
    }
    case Route::To::serving: {
      kj::Vector<schema::Member::Reader> well;
      for (auto member: members) {
        if (!hasProblem(member.getAddress())) well.add(member);
      }
      auto& candidates = well.empty() ? members : well;
      return kj::str(candidates[(route.turn + attempt) % candidates.size()].getAddress());
    }
    case Route::To::only:
      for (auto member: members) {
        if (route.node == member.getName().cStr()) return kj::str(member.getAddress());
      }
      for (auto member: members) {
        if (route.node == member.getAddress().cStr()) return kj::str(member.getAddress());
      }
      return nullptr;
  }
  KJ_UNREACHABLE;
}

kj::String ChainLocator::detour(kj::StringPtr preferred, unsigned number) const {
  kj::Vector<kj::String> others;
  for (auto& other: addresses()) {
    auto found = standings.find(other.cStr());
    bool master = found != standings.end() && found->second.master;
    if (other != preferred && !master) others.add(kj::mv(other));
  }
  return others.empty() ? kj::str(preferred) : kj::mv(others[number % others.size()]);
}

bool ChainLocator::hasProblem(kj::StringPtr address) const {
  auto found = standings.find(address.cStr());
  return found != standings.end() && found->second.problem.size() > 0;
}

kj::Promise<kj::Own<Peer>> ChainLocator::peer(kj::StringPtr address) {
  return identified(address, Belonging::notElsewhere);
}

kj::Promise<kj::Own<Peer>> ChainLocator::identified(kj::StringPtr address, Belonging needed) {
  return pool.get(address).then([this, needed](kj::Own<Peer> peer) -> kj::Promise<kj::Own<Peer>> {
    if (peer->cluster() != 0) return admit(kj::mv(peer), needed);
    auto& asked = *peer;
    return identify(asked).then(
        [this, needed, peer = kj::mv(peer)]() mutable { return admit(kj::mv(peer), needed); });
  });
}

kj::Own<Peer> ChainLocator::admit(kj::Own<Peer> peer, Belonging needed) {
  auto id = peer->cluster();
  if (id == 0) {
    if (needed == Belonging::here) {
      kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "knows of no chain yet"));
    }
  } else if (id != cluster_) {
    kj::throwFatalException(
        kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, strangerText(id)));
  }
  return kj::mv(peer);
}

// Each connection is asked once at a time, however many calls wait for the answer.
kj::Promise<void> ChainLocator::identify(Peer& peer) {
  for (auto each = identifying.begin(); each != identifying.end();) {
    each = each->second.over ? identifying.erase(each) : std::next(each);
  }
  auto [found, isNew] = identifying.try_emplace(peer.serial());
  auto& question = found->second;
  if (isNew) {
    question.answered =
        timer.timeoutAfter(limits.ask, peer.topology().configurationRequest().send())
            .then(
                [this, &peer, &question](auto&& response) {
                  question.over = true;
                  adopt(peer, response.getConfiguration());
                },
                [this, &peer, &question](kj::Exception&& exception) {
                  question.over = true;
                  complain(peer, exception);
                  kj::throwFatalException(kj::mv(exception));
                })
            .attach(peer.addRef())
            .fork();
  }
  return question.answered.addBranch();
}

kj::String ChainLocator::strangerText(std::uint64_t other) const {
  return kj::str("belongs to cluster ", other, ", not to cluster ", cluster_);
}

bool ChainLocator::isAsking() const {
  for (auto& each: standings) {
    if (each.second.beingAsked) return true;
  }
  return false;
}

void ChainLocator::complain(Peer& peer, const kj::Exception& exception) {
  auto& standing = standings[peer.address().cStr()];
  standing.problem = reasonOf(exception);
  switch (exception.getType()) {
    case kj::Exception::Type::DISCONNECTED:
    case kj::Exception::Type::OVERLOADED:
      pool.giveUp(peer);
      break;
    case kj::Exception::Type::UNIMPLEMENTED:
      standing.master = true;
      break;
    case kj::Exception::Type::FAILED:
      break;
  }
}

void ChainLocator::overdue(Peer& peer) {
  standings[peer.address().cStr()].problem = kj::str(SILENT);
  pool.giveUp(peer);
}

kj::Vector<kj::String> ChainLocator::addresses() const {
  kj::Vector<kj::String> result;
  std::set<std::string> seen;
  auto add = [&](kj::StringPtr address) {
    if (seen.insert(address.cStr()).second) result.add(kj::str(address));
  };
  for (auto& seed: seeds) add(seed);
  KJ_IF_MAYBE (known, newest) {
    for (auto member: known->get().getMembers()) add(member.getAddress());
  }
  return result;
}

kj::String ChainLocator::problems() const {
  kj::Vector<kj::String> lines;
  for (auto& address: addresses()) {
    auto found = standings.find(address.cStr());
    if (found == standings.end() || found->second.problem.size() == 0) continue;
    lines.add(kj::str(address, ": ", found->second.problem));
  }
  return kj::strArray(lines, "; ");
}

void ChainLocator::taskFailed(kj::Exception&& exception) {
  logDebug("asking for the chain failed", {{"error", reasonOf(exception)}});
}

kj::String reasonOf(const kj::Exception& exception) {
  std::string description = exception.getDescription().cStr();
  auto contains = [&](const char* part) { return description.find(part) != std::string::npos; };
  if (exception.getType() == kj::Exception::Type::OVERLOADED && contains("timed out")) {
    return kj::str(SILENT);
  }
  // KJ puts the failed system call before a colon, and the values of a check after a semicolon:
  // "connect(sockfd, addr, addrlen): Connection refused; toString() = ...".
  constexpr const char RESOLVER[] = "gai_strerror(status) = ";
  if (auto at = description.find(RESOLVER); at != std::string::npos) {
    auto rest = description.substr(at + sizeof(RESOLVER) - 1);
    return kj::str(rest.substr(0, rest.find(';')).c_str());
  }
  constexpr const char REMOTE[] = "remote exception: ";
  if (description.compare(0, sizeof(REMOTE) - 1, REMOTE) == 0) {
    description.erase(0, sizeof(REMOTE) - 1);
  }
  description = description.substr(0, description.find(';'));
  auto called = description.find_first_not_of(":abcdefghijklmnopqrstuvwxyz_0123456789");
  if (called != std::string::npos && called > 0 && description[called] == '(') {
    if (auto at = description.find("): "); at != std::string::npos) description.erase(0, at + 3);
  }
  return kj::str(text(description));
}

}  // namespace gavel::client
