#include "master/service.h"

#include <utility>

#include <kj/debug.h>

#include "master/document.h"

namespace gavel::master {
namespace {

// Statuses are kept in memory, and those of our nodes are all smaller than this.
constexpr std::uint64_t MAX_STATUS_WORDS = 4096;

Master& alive(Weak<Master>& weak) {
  KJ_IF_MAYBE (master, weak.get()) {
    return *master;
  }
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the master is stopping"));
}

void checkSize(schema::NodeStatus::Reader status) {
  KJ_REQUIRE(status.totalSize().wordCount <= MAX_STATUS_WORDS, "a node's status is too large",
             status.totalSize().wordCount);
}

std::string toString(capnp::Text::Reader text) {
  return {text.begin(), text.size()};
}

schema::NodeStatus::Role roleIn(const Configuration& current, const Member& member) {
  using Role = schema::NodeStatus::Role;
  if (!member.serving) return Role::SYNCING;
  bool first = current.members.front().incarnation == member.incarnation;
  bool last = current.tail()->incarnation == member.incarnation;
  if (first) return last ? Role::SINGLE : Role::HEAD;
  return last ? Role::TAIL : Role::MIDDLE;
}

class RegistrationServer final: public schema::Registration::Server {
public:
  RegistrationServer(kj::Own<Weak<Master>> master, std::uint64_t incarnation, std::uint64_t session)
      : master(kj::mv(master)), incarnation(incarnation), session(session) {}

  // The node has dropped the capability, or the connection is gone.
  ~RegistrationServer() noexcept(false) {
    KJ_IF_MAYBE (target, master->get()) {
      target->dropped(incarnation, session);
    }
  }

  kj::Promise<void> heartbeat(HeartbeatContext context) override {
    auto status = context.getParams().getStatus();
    checkSize(status);
    alive(*master).heartbeat(incarnation, session, status);
    return kj::READY_NOW;
  }

  kj::Promise<void> report(ReportContext context) override {
    auto params = context.getParams();
    alive(*master).report(incarnation, params.getEpoch(), params.getSuspect(), params.getReason());
    return kj::READY_NOW;
  }

  kj::Promise<void> link(LinkContext context) override {
    auto report = context.getParams().getReport();
    LinkReport words;
    words.epoch = report.getEpoch();
    words.reporter = incarnation;
    words.peer = report.getPeer();
    words.toSuccessor = report.getDirection() == schema::LinkReport::Direction::TO_SUCCESSOR;
    words.lasting = report.getSince() * kj::NANOSECONDS;
    words.gating = report.getGating();
    switch (report.getState()) {
      case schema::LinkReport::State::WORKS:
        words.state = LinkReport::State::works;
        break;
      case schema::LinkReport::State::PATH_DEAD:
        words.state = LinkReport::State::pathDead;
        break;
      case schema::LinkReport::State::PROCESS_SLOW:
        words.state = LinkReport::State::processSlow;
        break;
    }
    alive(*master).link(words);
    return kj::READY_NOW;
  }

  kj::Promise<void> gate(GateContext context) override {
    auto params = context.getParams();
    alive(*master).gate(incarnation, params.getEpoch(), params.getJoiner());
    return kj::READY_NOW;
  }

private:
  kj::Own<Weak<Master>> master;
  std::uint64_t incarnation;
  std::uint64_t session;
};

class MasterServer final: public schema::MasterService::Server {
public:
  MasterServer(kj::Own<Weak<Master>> master, Access access)
      : master(kj::mv(master)), access(access) {}

  kj::Promise<void> register_(RegisterContext context) override {
    requirePeer(access, "registering");
    auto params = context.getParams();
    auto status = params.getStatus();
    checkSize(status);
    auto& target = alive(*master);

    Application application;
    application.protocolVersion = params.getProtocolVersion();
    application.clock = status.getWallClock();
    application.skew = skewOf(status.getWallClock(), target.wallClock());
    application.candidate = readCandidate(status);
    application.candidate.clusterId = params.getClusterId();
    application.candidate.empty = params.getEmpty();
    application.epoch = status.getEpoch();
    application.reign = status.getReign();

    // The continuation holds the context, which keeps the status valid.
    return target.registerNode(kj::mv(application), status, params.getControl())
        .then([this, context](Master::Admission&& answer) mutable {
          writeAdmission(context.getParams().getStatus().getIncarnation(), answer,
                         context.getResults().initResult());
        });
  }

  kj::Promise<void> configuration(ConfigurationContext context) override {
    alive(*master).current().write(context.getResults().initConfiguration());
    return kj::READY_NOW;
  }

  kj::Promise<void> status(StatusContext context) override {
    KJ_UNIMPLEMENTED(
        "this is a master, which has no status of its own: ask it for nodes(), or a node");
  }

  kj::Promise<void> nodes(NodesContext context) override {
    auto known = alive(*master).nodes();
    auto list = context.getResults().initNodes(known.size());
    for (unsigned i = 0; i < known.size(); ++i) write(known[i], list[i]);
    context.getResults().setNotice(alive(*master).notice().c_str());
    auto broken = alive(*master).brokenLinks();
    auto links = context.getResults().initLinks(static_cast<unsigned>(broken.size()));
    for (unsigned i = 0; i < broken.size(); ++i) {
      links[i].setA(broken[i].a.c_str());
      links[i].setB(broken[i].b.c_str());
      links[i].setSince(broken[i].lasting / kj::NANOSECONDS);
      links[i].setCause(broken[i].cause.c_str());
      links[i].setDead(broken[i].dead);
      links[i].setRetry(broken[i].retry / kj::NANOSECONDS);
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> add(AddContext context) override {
    auto node = toString(context.getParams().getNode());
    return answer(context, [node](const View& view) { return ruleAdd(view, node); });
  }

  kj::Promise<void> drain(DrainContext context) override {
    auto node = toString(context.getParams().getNode());
    return answer(context, [node](const View& view) { return ruleDrain(view, node); });
  }

  kj::Promise<void> replace(ReplaceContext context) override {
    auto old = toString(context.getParams().getOld());
    auto successor = toString(context.getParams().getNew());
    return answer(context,
                  [old, successor](const View& view) { return ruleReplace(view, old, successor); });
  }

  kj::Promise<void> forget(ForgetContext context) override {
    auto node = toString(context.getParams().getNode());
    return answer(context, [node](const View& view) { return ruleForget(view, node); });
  }

  kj::Promise<void> recover(RecoverContext context) override {
    auto node = toString(context.getParams().getNode());
    auto epoch = context.getParams().getEpoch();
    return answer(context,
                  [node, epoch](const View& view) { return ruleRecover(view, node, epoch); });
  }

  kj::Promise<void> acceptClock(AcceptClockContext context) override {
    auto limit = context.getParams().getLimit();
    return tell(context, [limit](Master& master) { return master.acceptClock(limit); });
  }

  kj::Promise<void> epochs(EpochsContext context) override {
    auto relinks = alive(*master).relinks();
    auto list = context.getResults().initRelinks(relinks.size());
    for (unsigned i = 0; i < relinks.size(); ++i) {
      relinks[i].configuration.write(list[i].initConfiguration());
      list[i].setDuration(relinks[i].duration);
    }
    return kj::READY_NOW;
  }

private:
  kj::Own<Weak<Master>> master;
  const Access access;

  template <typename Context>
  kj::Promise<void> answer(Context context, kj::Function<Ruling(const View&)> rule) {
    return tell(context, [rule = kj::mv(rule)](Master& master) mutable {
      return master.order(kj::mv(rule));
    });
  }

  template <typename Context, typename Order>
  kj::Promise<void> tell(Context context, Order order) {
    KJ_IF_MAYBE (exception,
                 kj::runCatchingExceptions([&]() { requireAdmin(access, "changing the chain"); })) {
      context.getResults().initResult().setRefused(exception->getDescription());
      return kj::READY_NOW;
    }
    return order(alive(*master))
        .then(
            [context](Master::Answer&& answer) mutable {
              auto result = context.getResults().initResult();
              if (answer.refused) {
                result.setRefused(answer.words.c_str());
              } else {
                result.setDone(answer.words.c_str());
              }
            },
            [this](kj::Exception&& exception) {
              alive(*master);  // Throws if the master has ended: the order's fate is unknown.
              kj::throwFatalException(kj::mv(exception));
            });
  }

  void writeAdmission(std::uint64_t incarnation, Master::Admission& answer,
                      schema::Registry::RegisterResult::Builder result) {
    if (auto* refused = std::get_if<Master::Refused>(&answer)) {
      if (refused->forGood) {
        result.setRefused(refused->why);
      } else {
        result.setNotNow(refused->why);
      }
      return;
    }
    auto& target = alive(*master);
    auto registered = result.initRegistered();
    registered.setRegistration(kj::heap<RegistrationServer>(
        master->addRef(), incarnation, std::get<Master::Registered>(answer).session));
    target.current().write(registered.initConfiguration());
    registered.setHeartbeatInterval(target.heartbeatInterval() / kj::NANOSECONDS);
    registered.setLinkPatience(target.linkPatience() / kj::NANOSECONDS);
  }

  void write(const Master::KnownNode& known, schema::NodeEntry::Builder entry) {
    entry.setLastHeard(known.lastHeard);
    entry.setNote(known.note.c_str());
    entry.setStanding(known.standing);
    if (known.node != nullptr) {
      entry.setStatus(*known.node->status);
      // Its last status may be from right before it took its place, and say that it waits.
      auto status = entry.getStatus();
      if (known.acts && status.getRole() == schema::NodeStatus::Role::WAITING) {
        status.setEpoch(alive(*master).current().epoch);
        status.setRole(roleIn(alive(*master).current(), known.member));
      }
      entry.setConnected(known.node->session != 0);
      entry.setSkew(known.node->skew);
      return;
    }
    auto status = entry.initStatus();
    status.setName(known.member.name.c_str());
    status.setAddress(known.member.address.c_str());
    status.setIncarnation(known.member.incarnation);
    status.setStoreId(known.member.storeId);
  }
};

}  // namespace

schema::MasterService::Client serve(Master& master, Access access) {
  return kj::heap<MasterServer>(master.ref(), access);
}

}  // namespace gavel::master
