#include "client/cli/context.h"

#include <algorithm>

#include "base/handshake.h"
#include "base/process.h"
#include "base/protection.h"
#include "client/cli/arguments.h"
#include "client/cli/credential.h"
#include "client/cli/known-clusters.h"

namespace gavel::client::cli {
namespace {

void warn(const std::string& text) {
  std::fprintf(stderr, "gavel: warning: %s\n", text.c_str());
}

std::string failText(schema::Outcome::Fail::Reader fail, const std::string& what) {
  std::string next = fail.getNextValid() == 0
                         ? "no higher amount is valid"
                         : "the next valid amount " + std::to_string(fail.getNextValid());
  switch (fail.getReason()) {
    case schema::Outcome::Fail::Reason::TOO_LOW:
      return what + " is too low; the highest bid is " + std::to_string(fail.getHighest()) + ", " +
             next;
    case schema::Outcome::Fail::Reason::BELOW_START:
      return what + " is below the starting price; " + next;
  }
  return what + " is not accepted";
}

std::string reasonText(schema::Outcome::Exception::Reader exception) {
  using Reason = schema::Outcome::Exception::Reason;
  std::string detail = printable(exception.getDetail());
  auto with = [&](const char* reason) {
    return detail.empty() ? std::string(reason) : std::string(reason) + ": " + detail;
  };
  switch (exception.getReason()) {
    case Reason::CLOSED:
      return with("the auction is over");
    case Reason::NO_SUCH_AUCTION:
      return with("no such auction");
    case Reason::INVALID_AMOUNT:
      return with("invalid amount");
    case Reason::NOT_YOURS:
      return with("not permitted");
    case Reason::SESSION_EXPIRED:
      return with("the session has ended; nothing was done");
    case Reason::UNAVAILABLE:
      return with("unavailable");
    case Reason::OUTCOME_UNKNOWN:
      return with("outcome unknown");
    case Reason::INVALID_ARGUMENT:
      return with("invalid argument");
    case Reason::ALREADY_EXISTS:
      return with("there is such an auction already");
    case Reason::REQUEST_MISMATCH:
      return with("the request id was used for something else");
    case Reason::REQUEST_FORGOTTEN:
      return with("the request's outcome was told and then freed");
    case Reason::TOO_MANY_INCOMPLETE:
      return with("too many requests without an outcome");
  }
  return with("not understood: a newer node's answer");
}

}  // namespace

Context::Context(kj::AsyncIoContext& io, Random& random, const Settings& settings,
                 std::vector<std::string> commandLine)
    : io(io),
      random(random),
      settings(settings),
      print(settings),
      self_(settings.as),
      tlsCa(settings.tlsCa),
      commandLine(std::move(commandLine)),
      stop(onStopSignal(io.unixEventPort).ignoreResult().fork()) {}

kj::Network& Context::network() {
  auto* top = &io.provider->getNetwork();
  if (!tlsCa.empty()) {
    if (tls.get() == nullptr) {
      tls = trusting(tlsCa);
      tlsNetwork = tls->wrapNetwork(*top);
    }
    top = tlsNetwork.get();
  }
  if (!settings.adminTokenFile.empty()) {
    if (proving.get() == nullptr) {
      proving = kj::heap<ProvingNetwork>(*top, ConnectionRole::admin,
                                         readSecret(settings.adminTokenFile));
    }
    top = proving.get();
  }
  return *top;
}

Client& Context::client() {
  KJ_IF_MAYBE (client, ownClient) {
    return **client;
  }
  auto& made = *ownClient.emplace(clientFor(settings.servers));
  if (!settings.newCluster) made.locator().expectCluster(KnownClusters::at(settings.servers));
  return made;
}

kj::Own<Client> Context::clientFor(const std::vector<std::string>& addresses) {
  kj::Vector<kj::String> seeds;
  for (auto& address: addresses) seeds.add(kj::str(address.c_str()));
  Client::Limits limits;
  limits.timeout = settings.timeout;
  return kj::heap<Client>(network(), timer(), random, seeds, limits);
}

Identity Context::identity(const std::string& name) {
  if (credential == nullptr) {
    auto path = settings.credentialFile.empty() ? configDirectory() + "/credential"
                                                : settings.credentialFile;
    credential = loadCredential(path, random, &warn);
  }
  return Identity{kj::StringPtr(name.c_str(), name.size()), KJ_ASSERT_NONNULL(credential)};
}

void Context::noteCluster() {
  KJ_IF_MAYBE (client, ownClient) {
    auto& locator = (*client)->locator();
    if (locator.epoch() != 0) {
      KnownClusters::remember(settings.servers, locator.cluster());
    } else if (locator.otherCluster() != 0) {
      auto before = std::to_string(locator.cluster());
      print.error("cluster " + before + " was found at these addresses before, and now it is " +
                  "cluster " + std::to_string(locator.otherCluster()) +
                  ".  Was a new chain started there on purpose?  Then repeat this with " +
                  "--new-cluster.  If not, nothing of the other one is lost: look for the " +
                  "processes, and the master, that ran on the directories of cluster " + before);
    }
  }
}

void Context::noteIfLost() {
  KJ_IF_MAYBE (client, ownClient) {
    auto& locator = (*client)->locator();
    auto problems = locator.problems();
    if (locator.epoch() != 0 || problems.size() == 0) return;
    print.note(std::string("gavel: no chain found yet, still trying (") + problems.cStr() + ")");
  }
}

std::string Context::retryCommand(const RequestId& id) const {
  auto words = commandLine;
  auto option = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return word == "--request" || word.rfind("--request=", 0) == 0;
  });
  if (option == words.end()) {
    auto end = std::find(words.begin(), words.end(), "--");
    auto place = words.insert(end, "--request");
    words.insert(place + 1, kj::str(id).cStr());
  }
  std::string result;
  for (auto& word: words) result += (result.empty() ? "" : " ") + shellQuoted(word);
  return result;
}

int report(Context& context, const WriteResult& result, const std::string& what,
           const std::function<std::string(schema::Outcome::Success::Reader)>& success) {
  auto outcome = result.outcome();
  auto& print = context.print;
  if (print.json) {
    JsonLine line;
    KJ_IF_MAYBE (id, result.request) {
      line.text("request", kj::str(*id));
    }
    line.object("outcome", outcome);
    print.result(line);
  } else if (outcome.isSuccess()) {
    print.result(
        (print.painted(Paint::good, "success") + ": " + success(outcome.getSuccess())).c_str());
  } else if (outcome.isFail()) {
    print.result(
        (print.painted(Paint::bad, "fail") + ": " + failText(outcome.getFail(), what)).c_str());
  } else {
    print.result(
        (print.painted(Paint::alarm, "exception") + ": " + reasonText(outcome.getException()))
            .c_str());
  }
  auto code = exitCodeOf(outcome);
  if (code == OUTCOME_UNKNOWN) {
    KJ_IF_MAYBE (id, result.request) {
      print.error(std::string("whether request ") + kj::str(*id).cStr() +
                  " took effect is not known; to settle it, run:\n  " + context.retryCommand(*id));
    }
  }
  return code;
}

int report(Context& context, schema::QueryFailure::Reader failure) {
  if (context.print.json) {
    JsonLine line;
    context.print.result(line.object("failure", failure));
  }
  std::string reason = failure.getReason() == schema::QueryFailure::Reason::NO_SUCH_AUCTION
                           ? "no such auction"
                           : "unavailable";
  auto detail = printable(failure.getDetail());
  context.print.error(detail.empty() ? reason : reason + ": " + detail);
  return exitCodeOf(failure);
}

}  // namespace gavel::client::cli
