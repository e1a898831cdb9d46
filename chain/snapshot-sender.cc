#include "chain/snapshot-sender.h"

#include "store/snapshot-parts.h"

namespace gavel::chain {
namespace {

class Sender {
public:
  Sender(SnapshotReader& reader, schema::SnapshotSink::Client sink, kj::Timer& timer)
      : reader(reader), sink(kj::mv(sink)), timer(timer) {}

  kj::Promise<SnapshotSent> run() {
    return reader.next().then([this](kj::Array<kj::byte> data) -> kj::Promise<SnapshotSent> {
      if (data.size() == 0) return finish();
      checksum = partChecksum(data, checksum);
      sent.parts += 1;
      sent.bytes += data.size();
      auto request =
          sink.writeRequest(capnp::MessageSize{data.size() / sizeof(capnp::word) + 16, 0});
      auto records = request.initRecords();
      records.setData(data);
      records.setChecksum(checksum);
      return timer.timeoutAfter(PART_DEADLINE, request.send()).then([this]() { return run(); });
    });
  }

private:
  SnapshotReader& reader;
  schema::SnapshotSink::Client sink;
  kj::Timer& timer;
  std::uint64_t checksum = 0;
  SnapshotSent sent;

  kj::Promise<SnapshotSent> finish() {
    auto request = sink.finishRequest();
    request.setParts(sent.parts);
    return request.send().ignoreResult().then([this]() { return sent; });
  }
};

}  // namespace

kj::Promise<SnapshotSent> sendSnapshot(SnapshotReader& reader, schema::SnapshotSink::Client sink,
                                       kj::Timer& timer) {
  auto sender = kj::heap<Sender>(reader, kj::mv(sink), timer);
  auto promise = sender->run();
  return promise.attach(kj::mv(sender));
}

}  // namespace gavel::chain
