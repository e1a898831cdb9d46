// bench-load-etcd: load on etcd 3, for bench/compare.  It is a program of its own because only it
// needs gRPC.

#include <chrono>
#include <grpcpp/grpcpp.h>
#include <memory>
#include <stdexcept>
#include <stdio.h>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/random.h"
#include "bench/etcd.grpc.pb.h"
#include "bench/report.h"

namespace gavel::bench {
namespace {

namespace etcd = etcdserverpb;
using Clock = std::chrono::steady_clock;

constexpr auto CALL_LIMIT = std::chrono::seconds(10);

std::chrono::nanoseconds nanoseconds(kj::Duration duration) {
  return std::chrono::nanoseconds(duration / kj::NANOSECONDS);
}

void expect(const grpc::Status& status) {
  if (!status.ok()) throw std::runtime_error("etcd: " + status.error_message());
}

std::shared_ptr<grpc::Channel> channelTo(const std::string& address) {
  return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

// Connects to the leader, which answers with one hop less than the other members.
std::shared_ptr<grpc::Channel> channelToLeader(const std::vector<std::string>& members) {
  for (auto& member: members) {
    auto channel = channelTo(member);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + CALL_LIMIT);
    context.set_wait_for_ready(true);
    etcd::StatusResponse response;
    expect(etcd::Maintenance::NewStub(channel)->Status(&context, {}, &response));
    if (response.leader() != 0 && response.leader() == response.header().member_id()) {
      return channel;
    }
  }
  throw std::runtime_error("etcd: none of the members leads");
}

// Bids, each as one transaction: "put this if the value is lower".  etcd compares values as bytes,
// so all have one length: an amount with leading zeros, then the bidder.
class Bidders {
public:
  Bidders(const std::vector<std::string>& members, const Load& load)
      : load(load), stub(etcd::KV::NewStub(channelToLeader(members))), slots(load.inFlight) {
    SystemRandom random;
    auto prefix = "bench-" + std::to_string(random.next()) + "-";
    // Each slot has an auction of its own, since etcd may let transactions overtake each other.
    for (std::size_t i = 0; i < slots.size(); ++i) {
      slots[i].key = prefix + std::to_string(i);
      create(slots[i].key);
    }
  }

  Measured run() {
    begin = Clock::now() + nanoseconds(load.warmUp);
    end = begin + nanoseconds(load.time);
    for (auto& slot: slots) bid(slot);
    void* tag = nullptr;
    bool ok = false;
    for (std::size_t open = slots.size(); open > 0;) {
      if (!queue.Next(&tag, &ok) || !ok) throw std::runtime_error("etcd: a call was lost");
      auto& slot = *static_cast<Slot*>(tag);
      take(slot);
      if (Clock::now() < end) {
        bid(slot);
      } else {
        --open;
      }
    }
    Measured measured;
    measured.perSecond =
        double(latencies.size()) / std::chrono::duration<double>(end - begin).count();
    measured.p50 = quantile(latencies, 0.5);
    measured.p99 = quantile(latencies, 0.99);
    measured.calls = calls;
    return measured;
  }

private:
  // A slot makes one bid at a time.
  struct Slot {
    std::string key;
    std::int64_t highest = 0;
    Clock::time_point sent;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<etcd::TxnResponse>> reader;
    etcd::TxnResponse response;
    grpc::Status status;
  };

  const Load& load;
  std::unique_ptr<etcd::KV::Stub> stub;
  grpc::CompletionQueue queue;
  std::vector<Slot> slots;
  std::vector<std::int64_t> latencies;
  std::uint64_t calls = 0;
  Clock::time_point begin, end;

  static std::string value(std::int64_t amount) {
    auto digits = std::to_string(amount);
    return std::string(20 - digits.size(), '0') + digits + " bidder-1";
  }

  static void put(etcd::TxnRequest& request, const std::string& key, std::int64_t amount) {
    auto put = request.add_success()->mutable_request_put();
    put->set_key(key);
    put->set_value(value(amount));
  }

  void create(const std::string& key) {
    etcd::TxnRequest request;
    put(request, key, 0);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + CALL_LIMIT);
    etcd::TxnResponse response;
    expect(stub->Txn(&context, request, &response));
  }

  void bid(Slot& slot) {
    etcd::TxnRequest request;
    auto compare = request.add_compare();
    compare->set_result(etcd::Compare::LESS);
    compare->set_target(etcd::Compare::VALUE);
    compare->set_key(slot.key);
    compare->set_value(value(++slot.highest));
    put(request, slot.key, slot.highest);
    slot.context = std::make_unique<grpc::ClientContext>();
    slot.context->set_deadline(std::chrono::system_clock::now() + CALL_LIMIT);
    slot.sent = Clock::now();
    slot.reader = stub->AsyncTxn(slot.context.get(), request, &queue);
    slot.reader->Finish(&slot.response, &slot.status, &slot);
    ++calls;
  }

  void take(Slot& slot) {
    auto now = Clock::now();
    expect(slot.status);
    if (!slot.response.succeeded()) throw std::runtime_error("etcd: a bid did not succeed");
    if (now < begin || now >= end) return;
    latencies.push_back(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now - slot.sent).count());
  }
};

int main(int argc, char** argv) {
  CLI::App app("Bids on etcd, and prints how fast it was");
  Load load;
  std::vector<std::string> members;
  app.add_option("--server", members, "Of all members, separated by commas")
      ->delimiter(',')
      ->required();
  declare(app, load);
  CLI11_PARSE(app, argc, argv);
  printf("%s\n", json(Bidders(members, load).run()).c_str());
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace gavel::bench

int main(int argc, char** argv) {
  try {
    return gavel::bench::main(argc, argv);
  } catch (const std::exception& exception) {
    fprintf(stderr, "bench-load-etcd: %s\n", exception.what());
    return EXIT_FAILURE;
  }
}
