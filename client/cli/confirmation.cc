#include "client/cli/confirmation.h"

#include <kj/debug.h>

namespace gavel::client::cli {
namespace {

// Resolves to the reason why `member` did not answer; empty if it did.
kj::Promise<std::string> ask(Context& context, schema::Member::Reader member,
                             kj::Duration patience) {
  auto asked = context.client().locator().peer(member.getAddress()).then([](kj::Own<Peer> peer) {
    // The smallest query: one auction, if there is any.
    auto request = peer->auctioneer().listRequest();
    request.setLimit(1);
    auto& asked = *peer;
    return request.send()
        .then([&asked](auto&& response) -> kj::Promise<std::string> {
          if (response.hasFailure()) {
            return std::string(response.getFailure().getDetail().cStr());
          }
          // A path that drops large packets passes that query, but no bids.
          return asked.topology().tryLinksRequest().send().then(
              [](auto&&) { return std::string(); });
        })
        .attach(kj::mv(peer));
  });
  return context.timer()
      .timeoutAfter(patience, kj::mv(asked))
      .catch_([](kj::Exception&& exception) -> std::string {
        std::string reason = reasonOf(exception).cStr();
        return reason.empty() ? "no answer" : reason;
      });
}

}  // namespace

kj::Promise<Confirmation> confirm(Context& context, const Survey& survey, kj::Duration patience) {
  kj::Vector<kj::Promise<std::string>> answers;
  std::vector<std::string> names;
  KJ_IF_MAYBE (configuration, survey.configuration) {
    for (auto member: configuration->getMembers()) {
      if (member.getState() != schema::Member::State::SERVING) continue;
      names.push_back(printable(member.getName()));
      answers.add(ask(context, member, patience));
    }
  }
  return kj::joinPromises(answers.releaseAsArray())
      .then([names = std::move(names)](kj::Array<std::string> reasons) {
        Confirmation confirmation;
        confirmation.asked = !names.empty();
        for (std::size_t i = 0; i < names.size(); ++i) {
          if (reasons[i].empty()) continue;
          confirmation.failures.push_back(names[i] + " (" + printable(reasons[i].c_str()) + ")");
        }
        return confirmation;
      });
}

}  // namespace gavel::client::cli
