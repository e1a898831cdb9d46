#include <deque>
#include <memory>
#include <string_view>

#include <kj/debug.h>

#include "base/buffered-stream.h"
#include "base/random.h"
#include "bench/bidders.h"

namespace gavel::bench {
namespace {

// Bids on an auction, which is a hash.  A bid that is not higher changes nothing.
constexpr std::string_view SCRIPT =
    "local highest = redis.call('HGET', KEYS[1], 'amount') "
    "if highest and tonumber(highest) >= tonumber(ARGV[1]) then return 0 end "
    "redis.call('HSET', KEYS[1], 'amount', ARGV[1], 'bidder', ARGV[2]) "
    "return 1";
constexpr std::string_view WAIT_MS = "10000";
constexpr std::size_t READ_BYTES = 64 << 10;

// Encodes a command for Redis: an array of strings.
void put(std::string& out, std::initializer_list<std::string_view> words) {
  out += '*' + std::to_string(words.size()) + "\r\n";
  for (auto word: words) {
    out += '$' + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
}

// One connection.  At most one WAIT is under way on it.
class RedisConnection final: private kj::TaskSet::ErrorHandler {
public:
  RedisConnection(kj::AsyncIoContext& io, kj::NetworkAddress& address, std::string prefix,
                  unsigned replicas)
      : replicas(std::to_string(replicas)),
        key(std::move(prefix)),
        stream(address.connect().wait(io.waitScope), io.provider->getTimer()),
        input(kj::heapArray<char>(READ_BYTES)),
        tasks(*this) {
    std::string load;
    put(load, {"SCRIPT", "LOAD", SCRIPT});
    stream.write(load.data(), load.size()).wait(io.waitScope);
    // "$40", then the SHA-1 of the script.
    KJ_REQUIRE(line().wait(io.waitScope) == "$40", "the script was not taken");
    sha = line().wait(io.waitScope);
  }

  kj::Promise<void> bid() {
    auto paf = kj::newPromiseAndFulfiller<void>();
    gathered.push_back(kj::mv(paf.fulfiller));
    // All calls in this turn of the event loop leave together.
    if (!busy) {
      busy = true;
      tasks.add(kj::evalLast([this]() { return send(); }));
    }
    return kj::mv(paf.promise);
  }

private:
  using Waiting = std::vector<kj::Own<kj::PromiseFulfiller<void>>>;

  std::string replicas;
  std::string key;
  std::int64_t highest = 0;
  gavel::BufferedStream stream;
  std::string sha;
  Waiting gathered;
  Waiting waiting;
  bool busy = false;
  std::string output;
  kj::Array<char> input;
  std::size_t begin = 0;
  std::size_t end = 0;
  kj::TaskSet tasks;

  kj::Promise<void> send() {
    std::swap(gathered, waiting);
    output.clear();
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      put(output, {"EVALSHA", sha, "1", key, std::to_string(++highest), "bidder-1"});
    }
    put(output, {"WAIT", replicas, WAIT_MS});
    return stream.write(output.data(), output.size())
        .then([this]() { return expectSuccesses(waiting.size()); })
        .then([this]() { return line(); })
        .then([this](std::string reply) {
          KJ_REQUIRE(reply == ":" + replicas, "not on all replicas", reply.c_str());
          auto done = kj::mv(waiting);
          waiting.clear();
          for (auto& fulfiller: done) fulfiller->fulfill();
          // Callers who bid again at once go along.
          tasks.add(kj::evalLast([this]() { return sendOrRest(); }));
        });
  }
  kj::Promise<void> sendOrRest() {
    if (!gathered.empty()) return send();
    busy = false;
    return kj::READY_NOW;
  }

  kj::Promise<void> expectSuccesses(std::size_t count) {
    if (count == 0) return kj::READY_NOW;
    return line().then([this, count](std::string reply) {
      KJ_REQUIRE(reply == ":1", "a bid did not succeed", reply.c_str());
      return expectSuccesses(count - 1);
    });
  }

  // Resolves to the next line, without its end.
  kj::Promise<std::string> line() {
    auto from = input.begin() + begin;
    std::string_view there(from, end - begin);
    if (auto at = there.find("\r\n"); at != std::string_view::npos) {
      begin += at + 2;
      return std::string(there.substr(0, at));
    }
    std::copy(from, input.begin() + end, input.begin());
    end -= begin;
    begin = 0;
    return stream.read(input.begin() + end, 1, input.size() - end).then([this](std::size_t size) {
      end += size;
      return line();
    });
  }

  void taskFailed(kj::Exception&& exception) override {
    for (auto waiters: {&waiting, &gathered}) {
      for (auto& fulfiller: *waiters) fulfiller->reject(kj::cp(exception));
    }
  }
};

class OverRedis final: public Caller {
public:
  OverRedis(kj::AsyncIoContext& io, kj::StringPtr address, unsigned count, unsigned replicas) {
    auto parsed = io.provider->getNetwork().parseAddress(address).wait(io.waitScope);
    SystemRandom random;
    auto prefix = "bench-" + std::to_string(random.next()) + "-";
    for (unsigned i = 0; i < count; ++i) {
      connections.push_back(
          std::make_unique<RedisConnection>(io, *parsed, prefix + std::to_string(i), replicas));
      idle.push_back(i);
    }
  }

  kj::Promise<void> call() override {
    // Prefers a connection on which nothing is under way.
    if (idle.empty()) return connections[turn++ % connections.size()]->bid();
    auto i = idle.front();
    idle.pop_front();
    return connections[i]->bid().then([this, i]() { idle.push_back(i); });
  }

private:
  std::vector<std::unique_ptr<RedisConnection>> connections;
  std::deque<unsigned> idle;
  std::size_t turn = 0;
};

}  // namespace

MakeCaller overRedis(std::string address, unsigned connections, unsigned replicas) {
  return [=](kj::AsyncIoContext& io) -> kj::Own<Caller> {
    return kj::heap<OverRedis>(io, address.c_str(), connections, replicas);
  };
}

}  // namespace gavel::bench
