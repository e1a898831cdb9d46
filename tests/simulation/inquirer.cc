#include "tests/simulation/inquirer.h"

#include "tests/history/recording-client.h"

namespace gavel::simulation {
namespace {

// Auctions that were named lately are those that change.
constexpr std::size_t LATELY = 30;
constexpr auto PATIENCE = 3 * kj::SECONDS;
// At one node.
constexpr unsigned MOST_UNDER_WAY = 4;

}  // namespace

Inquirer::Inquirer(client::Client& client, kj::Timer& timer, history::History& history, Dice dice,
                   Settings inquirerSettings)
    : client(client),
      timer(timer),
      history(history),
      dice(dice),
      settings(std::move(inquirerSettings)),
      underWay(settings.nodes.size()),
      tasks(*this) {}

kj::Promise<void> Inquirer::run() {
  return timer.afterDelay(dice.between(0 * kj::SECONDS, settings.thinkAtMost))
      .then([this]() -> kj::Promise<void> {
        if (!running) return tasks.onEmpty();
        // It does not wait for answers: nodes that are cut off give none.
        auto node = dice.below(settings.nodes.size());
        if (underWay[node] < MOST_UNDER_WAY) {
          ++underWay[node];
          tasks.add(ask(settings.nodes[node]).then([this, node]() { --underWay[node]; }));
        }
        return run();
      });
}

void Inquirer::taskFailed(kj::Exception&& exception) {
  kj::throwFatalException(kj::mv(exception));
}

kj::Promise<void> Inquirer::ask(const std::string& node) {
  auto& operations = history.operations();
  if (operations.empty()) return kj::READY_NOW;
  auto back = dice.below(std::min(LATELY, operations.size()));
  history::Operation operation;
  operation.client = settings.number;
  operation.kind = history::Kind::result;
  operation.auction = operations[operations.size() - 1 - back].auction;
  operation.invoked = now();
  auto asked =
      client.locator()
          .peer(node.c_str())
          .then([this, auction = kj::str(operation.auction.c_str())](kj::Own<client::Peer> peer) {
            auto request = peer->auctioneer().resultRequest();
            request.setAuction(auction);
            auto& reference = *peer;
            return request.send()
                .then([](auto&& response) { return history::outcomeOf(response.getAnswer()); },
                      [this, &reference](kj::Exception&& exception) {
                        client.locator().complain(reference, exception);
                        return history::Outcome();
                      })
                .attach(kj::mv(peer));
          });
  auto id = history.begin(std::move(operation));
  return timer.timeoutAfter(PATIENCE, kj::mv(asked))
      .catch_([](kj::Exception&&) { return history::Outcome(); })
      .then([this, id](history::Outcome outcome) { history.end(id, now(), std::move(outcome)); });
}

}  // namespace gavel::simulation
