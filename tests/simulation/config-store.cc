#include "tests/simulation/config-store.h"

#include <utility>

namespace gavel::simulation {

class SharedConfigStore::View final: public master::ConfigStore {
public:
  View(SharedConfigStore& shared, Process& process): shared(shared), process(process) {}
  KJ_DISALLOW_COPY(View);

  kj::Promise<master::Stored> get() override {
    auto paf = kj::newPromiseAndFulfiller<master::Stored>();
    bool own = std::exchange(won, false);
    auto fulfiller = kj::mv(paf.fulfiller);
    shared.engine.after(shared.delay(), [&shared = shared, &process = process, own,
                                         fulfiller = kj::mv(fulfiller)]() mutable {
      if (own) shared.tell(Step::readBack, process);
      shared.answer(process, kj::mv(fulfiller), own ? Step::announced : Step::none);
    });
    return kj::mv(paf.promise);
  }

  kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(
      std::uint64_t expected, kj::Array<const kj::byte> document) override {
    auto paf = kj::newPromiseAndFulfiller<kj::Maybe<std::uint64_t>>();
    auto number = ++shared.lastSwap;
    shared.underWay.emplace(number, Swap{expected, kj::mv(document)});
    shared.engine.after(shared.delay(), [&shared = shared, &process = process, number,
                                         fulfiller = kj::mv(paf.fulfiller)]() mutable {
      auto arrived = kj::mv(shared.underWay.at(number));
      shared.underWay.erase(number);
      bool alive = process.alive();
      shared.tell(Step::asked, process);
      // A message that left the master before it died may arrive.  Here it is a request, and does
      // not.
      if (alive && !process.alive()) return;
      auto result = shared.swap(arrived.expected, kj::mv(arrived.document));
      if (result != nullptr) shared.tell(Step::swapped, process);
      shared.engine.after(shared.delay(), process,
                          [result, fulfiller = kj::mv(fulfiller)]() mutable {
                            fulfiller->fulfill(kj::mv(result));
                          });
    });
    return paf.promise.then([this](kj::Maybe<std::uint64_t> result) {
      won = result != nullptr;
      return result;
    });
  }

  kj::Promise<master::Stored> watch(std::uint64_t version) override {
    auto paf = kj::newPromiseAndFulfiller<master::Stored>();
    shared.engine.after(shared.delay(), [&shared = shared, &process = process, version,
                                         fulfiller = kj::mv(paf.fulfiller)]() mutable {
      if (shared.version > version) {
        shared.answer(process, kj::mv(fulfiller), Step::none);
      } else {
        shared.watchers.push_back({process, version, kj::mv(fulfiller)});
      }
    });
    return kj::mv(paf.promise);
  }

  kj::Promise<void> putNote(kj::Array<const kj::byte> note) override {
    auto paf = kj::newPromiseAndFulfiller<void>();
    shared.engine.after(shared.delay(), [&shared = shared, &process = process, note = kj::mv(note),
                                         fulfiller = kj::mv(paf.fulfiller)]() mutable {
      shared.note = kj::mv(note);
      shared.engine.after(shared.delay(), process,
                          [fulfiller = kj::mv(fulfiller)]() mutable { fulfiller->fulfill(); });
    });
    return kj::mv(paf.promise);
  }

  kj::Promise<kj::Array<const kj::byte>> getNote() override {
    auto paf = kj::newPromiseAndFulfiller<kj::Array<const kj::byte>>();
    shared.engine.after(shared.delay(), [&shared = shared, &process = process,
                                         fulfiller = kj::mv(paf.fulfiller)]() mutable {
      shared.engine.after(
          shared.delay(), process,
          [note = kj::heapArray<kj::byte>(shared.note), fulfiller = kj::mv(fulfiller)]() mutable {
            fulfiller->fulfill(kj::mv(note));
          });
    });
    return kj::mv(paf.promise);
  }

private:
  SharedConfigStore& shared;
  Process& process;
  bool won = false;  // It has won the last swap, and has not read it back.
};

kj::Own<master::ConfigStore> SharedConfigStore::open(Process& process) {
  return kj::heap<View>(*this, process);
}

void SharedConfigStore::lose(SharedConfigStore& other) {
  other.version = std::exchange(version, 0);
  other.bytes = kj::mv(bytes);
  other.note = kj::mv(note);
  other.document_ = std::exchange(document_, {});
  other.watchers.clear();
  watchers.clear();
  bytes = nullptr;
  note = nullptr;
  heir = &other;
}

Bound SharedConfigStore::bound() const {
  if (lost()) return heir->bound();
  return Bound::highest(document_.bound, master::decodeBound(document_.clusterId, note),
                        current().restartedIn);
}

std::vector<Configuration> SharedConfigStore::upcoming() const {
  std::vector<Configuration> all{current()};
  for (auto& [number, swap]: underWay) {
    if (swap.expected != version) continue;
    auto next = master::Document::decode(swap.document).current();
    if (next != all.front()) all.push_back(std::move(next));
  }
  return all;
}

void SharedConfigStore::tell(Step step, Process& process) {
  if (onStep && process.alive()) onStep(step, process);
}

void SharedConfigStore::answer(Process& process,
                               kj::Own<kj::PromiseFulfiller<master::Stored>> fulfiller,
                               Step after) {
  engine.after(
      delay(), [this, &process, after, stored = stored(), fulfiller = kj::mv(fulfiller)]() mutable {
        engine.deliver(process, [stored = kj::mv(stored), fulfiller = kj::mv(fulfiller)]() mutable {
          fulfiller->fulfill(kj::mv(stored));
        });
        if (after != Step::none) tell(after, process);
      });
}

kj::Maybe<std::uint64_t> SharedConfigStore::swap(std::uint64_t expected,
                                                 kj::Array<const kj::byte> next) {
  if (expected != version) return nullptr;
  auto after = master::Document::decode(next);
  if (onChange) onChange(document(), after);
  document_ = std::move(after);
  bytes = kj::mv(next);
  ++version;
  auto waiting = kj::mv(watchers);
  watchers.clear();
  for (auto& each: waiting) {
    if (each.version < version) {
      answer(each.process, kj::mv(each.fulfiller), Step::none);
    } else {
      watchers.push_back({each.process, each.version, kj::mv(each.fulfiller)});
    }
  }
  return version;
}

}  // namespace gavel::simulation
