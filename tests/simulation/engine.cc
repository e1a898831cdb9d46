#include "tests/simulation/engine.h"

#include <algorithm>
#include <limits>

#include <kj/debug.h>

namespace gavel::simulation {
namespace {

constexpr auto NEVER = std::numeric_limits<std::int64_t>::max() * kj::NANOSECONDS;

kj::TimePoint point(Time time) {
  return kj::origin<kj::TimePoint>() + time;
}

}  // namespace

Process::Process(Engine& engine, std::uint32_t id, std::string name, Dice dice,
                 std::int64_t& wallOffset)
    : engine_(engine),
      id_(id),
      name_(std::move(name)),
      timer_(point(engine.now())),
      random_(dice),
      clock_(engine, wallOffset),
      armed(NEVER) {}

std::int64_t Process::Clock::wall() const {
  return Engine::WALL_AT_START + engine.now() / kj::NANOSECONDS + wallOffset;
}

std::int64_t Process::Clock::sinceBoot() const {
  return engine.now() / kj::NANOSECONDS;
}

Engine::Engine(Trace& trace): trace_(trace) {
  setLogSink(this);
}

Engine::~Engine() noexcept(false) {
  shutDown();
  setLogSink(nullptr);
}

void Engine::shutDown() {
  onEnd = nullptr;
  onTurn = nullptr;
  onLog = nullptr;
  // As if killed, so that nothing is sent any more.
  for (auto& process: processes) {
    if (process->alive()) {
      process->onDeath = nullptr;
      process->state_ = Process::State::ending;
      bury(*process);
    }
  }
  queue.clear();
  waitScope.cancelAllDetached();
}

Process& Engine::newProcess(std::string name, Dice dice, std::int64_t& wallOffset) {
  processes.push_back(kj::heap<Process>(*this, static_cast<std::uint32_t>(processes.size() + 1),
                                        std::move(name), dice, wallOffset));
  return *processes.back();
}

void Engine::push(Time time, Process* process, kj::Function<void()> action) {
  KJ_REQUIRE(time >= now_, "an event in the past");
  queue.push_back({time, ++sequence, process, kj::mv(action)});
  std::push_heap(queue.begin(), queue.end(), later);
}

void Engine::at(Time time, kj::Function<void()> event) {
  push(time, nullptr, kj::mv(event));
}

void Engine::at(Time time, Process& process, kj::Function<void()> event) {
  push(time, &process, kj::mv(event));
}

void Engine::deliver(Process& process, kj::Function<void()> event) {
  KJ_REQUIRE(current_ == nullptr, "a process reaches into another", current_->name().c_str());
  runIn(process, event);
}

void Engine::runIn(Process& process, kj::Function<void()>& action) {
  switch (process.state_) {
    case Process::State::running:
      turn(process, action);
      return;
    case Process::State::paused:
      process.heldBack.push_back(kj::mv(action));
      return;
    case Process::State::ending:
    case Process::State::ended:
      return;
  }
}

// Carries out `action` in the process, and everything that follows from it.
void Engine::turn(Process& process, kj::FunctionParam<void()> action) {
  current_ = &process;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 process.timer_.advanceTo(point(now_));
                 action();
                 waitScope.poll();
               })) {
    // main() would end with it.
    if (process.state_ != Process::State::ending) {
      die(process, kj::str("unhandled exception: ", exception->getDescription()).cStr());
    }
  }
  if (process.state_ == Process::State::ending) {
    bury(process);
    current_ = nullptr;
    return;
  }
  arm(process);
  current_ = nullptr;
  if (onTurn) onTurn(process);
}

void Engine::arm(Process& process) {
  KJ_IF_MAYBE (next, process.timer_.nextEvent()) {
    auto due = std::max(*next - kj::origin<kj::TimePoint>(), now_);
    if (due >= process.armed) return;
    process.armed = due;
    push(due, &process, [&process, due]() {
      if (process.armed == due) process.armed = NEVER;
    });
  }
}

void Engine::pause(Process& process) {
  KJ_REQUIRE(process.state_ == Process::State::running);
  process.state_ = Process::State::paused;
}

// Everything that arrived meanwhile is there at once, as a loop finds it after SIGCONT.
void Engine::resume(Process& process) {
  KJ_REQUIRE(process.state_ == Process::State::paused);
  process.state_ = Process::State::running;
  auto held = kj::mv(process.heldBack);
  process.heldBack.clear();
  turn(process, [&]() {
    for (auto& action: held) action();
  });
}

void Engine::kill(Process& process, std::string_view why) {
  KJ_REQUIRE(current_ == nullptr && process.alive());
  current_ = &process;
  note(std::string("killed: ") + std::string(why));
  die(process, {});
  bury(process);
  current_ = nullptr;
}

void Engine::exit(std::string_view lastWords) {
  if (current_->state_ == Process::State::running) die(*current_, std::string(lastWords));
}

void Engine::die(Process& process, std::string lastWords) {
  process.state_ = Process::State::ending;
  process.lastWords_ = std::move(lastWords);
  if (!process.lastWords_.empty()) {
    trace_.line(now_, process.name(), "died: " + process.lastWords_);
  }
  if (process.onDeath) process.onDeath();
}

// Destroys its program, once network and disk are cut off.
void Engine::bury(Process& process) {
  current_ = &process;
  process.heldBack.clear();
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { process.program = nullptr; })) {
    trace_.line(now_, process.name(),
                kj::str("exception while ending: ", exception->getDescription()).cStr());
  }
  // Calls that outlive their server may have waited for it.
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { waitScope.poll(); })) {
    trace_.line(now_, process.name(),
                kj::str("exception after the end: ", exception->getDescription()).cStr());
  }
  process.state_ = Process::State::ended;
  if (onEnd) onEnd(process);
  current_ = nullptr;
}

void Engine::run(Time end, kj::FunctionParam<bool()> stop) {
  while (!queue.empty() && queue.front().time <= end) {
    std::pop_heap(queue.begin(), queue.end(), later);
    auto event = kj::mv(queue.back());
    queue.pop_back();
    now_ = event.time;
    if (event.process != nullptr) {
      runIn(*event.process, event.action);
    } else {
      event.action();
    }
    if (stop()) return;
  }
  now_ = std::max(now_, end);
}

void Engine::note(std::string_view text) {
  trace_.line(now_, current_ == nullptr ? "-" : std::string_view(current_->name()), text);
}

void Engine::event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  // What is destroyed logs nothing.
  if (current_ != nullptr && !current_->alive()) return;
  if (onLog) onLog(event);
  const char* names[] = {"debug", "info", "warning", "error"};
  note(std::string(names[static_cast<int>(level)]) + " " + logText(event, fields));
}

void Engine::died(std::string_view event, std::initializer_list<LogField> fields) {
  auto words = logText(event, fields);
  KJ_REQUIRE(current_ != nullptr, "somebody died who is no process", words.c_str());
  if (current_->alive()) die(*current_, words);
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "this process has ended"));
}

}  // namespace gavel::simulation
