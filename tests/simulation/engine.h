#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "base/clock.h"
#include "base/logging.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/trace.h"

namespace gavel::simulation {

class Engine;

// Nanoseconds of virtual time since the run began, for all processes alike.
using Time = kj::Duration;

// One process of the simulated world, from its start to its end: its part of the machine, and its
// program.  The object outlives the process, since calls under way may refer to its timer.
class Process final {
public:
  enum class State {
    running,
    paused,  // Nothing reaches it, and its timers stand.
    ending,  // It has died, and is still on the stack; nothing leaves it any more.
    ended,
  };

  Process(Engine& engine, std::uint32_t id, std::string name, Dice dice, std::int64_t& wallOffset);
  KJ_DISALLOW_COPY(Process);

  std::uint32_t id() const { return id_; }
  const std::string& name() const { return name_; }
  Engine& engine() { return engine_; }
  State state() const { return state_; }
  bool alive() const { return state_ == State::running || state_ == State::paused; }
  // Why it has ended by itself; empty: it was killed, or lives.
  const std::string& lastWords() const { return lastWords_; }

  kj::Timer& timer() { return timer_; }
  Random& random() { return random_; }
  const SystemClock& clock() const { return clock_; }

  // The program that runs in it.  It is made and destroyed with this as the current process.
  kj::Own<void> program;
  // Called once, at the moment of its death, when all that it held is still there.
  std::function<void()> onDeath;

private:
  friend class Engine;

  class Clock final: public SystemClock {
  public:
    Clock(Engine& engine, std::int64_t& wallOffset): engine(engine), wallOffset(wallOffset) {}
    std::int64_t wall() const override;
    std::int64_t sinceBoot() const override;

  private:
    Engine& engine;
    std::int64_t& wallOffset;  // Of the machine: a fault steps it.
  };

  Engine& engine_;
  std::uint32_t id_;
  std::string name_;
  State state_ = State::running;
  std::string lastWords_;
  kj::TimerImpl timer_;
  Dice random_;
  Clock clock_;
  Time armed;                                 // When the earliest timer event is due.
  std::deque<kj::Function<void()>> heldBack;  // While it is paused.
};

// Runs all processes in this thread, on one event loop and on virtual time.
//
// Events are queued with a time.  The earliest is taken, the time jumps there, and the event and
// everything that follows from it in its process is carried out.  An effect on another process is
// an event with a later time.  So at any moment all code that runs belongs to one process, the
// current one.  Events of the same time happen in the order in which they were queued.  Nothing
// else decides what happens: no clock, no address, no order of a hash table.
class Engine final: private LogSink {
public:
  static constexpr std::int64_t WALL_AT_START = 1'700'000'000'000'000'000;
  static constexpr auto SHORTEST_DELAY = 1 * kj::MICROSECONDS;

  explicit Engine(Trace& trace);
  ~Engine() noexcept(false);
  KJ_DISALLOW_COPY(Engine);

  // Ends all processes, silently, and forgets all events: before what these use is destroyed.
  void shutDown();

  Time now() const { return now_; }
  Trace& trace() { return trace_; }
  // Null between events, and in those that belong to no process.
  Process* current() const { return current_; }

  // `wallOffset` belongs to its machine.
  Process& newProcess(std::string name, Dice dice, std::int64_t& wallOffset);

  // Queues an event of the world itself: of the network, a disk, a fault.  It may call deliver().
  void at(Time time, kj::Function<void()> event);
  void after(Time delay, kj::Function<void()> event) { at(now_ + delay, kj::mv(event)); }
  // Queues an event of a process.  It is lost if the process has ended by then, and late if it is
  // paused.
  void at(Time time, Process& process, kj::Function<void()> event);
  void after(Time delay, Process& process, kj::Function<void()> event) {
    at(now_ + delay, process, kj::mv(event));
  }
  // From an event of the world: has `event` happen in the process now, or when the process goes on.
  void deliver(Process& process, kj::Function<void()> event);

  void pause(Process& process);
  void resume(Process& process);
  // Ends it like SIGKILL.  From an event of the world only.
  void kill(Process& process, std::string_view why);
  // Ends the current process, for the reason it gives: like exit().  Returns.
  void exit(std::string_view lastWords);

  // Called when a process has ended, after its program is gone.
  std::function<void(Process&)> onEnd;
  // Called with each event that a process logs, without its fields.
  std::function<void(std::string_view)> onLog;
  // Called after each event of a process that lives on.
  std::function<void(Process&)> onTurn;

  // Takes events until `end`, or until `stop` returns true, which is called after each event.
  void run(Time end, kj::FunctionParam<bool()> stop);

  // Writes a line of the trace, for the current process or the world.
  void note(std::string_view text);

  std::uint64_t eventCount() const { return sequence; }

private:
  struct Event {
    Time time;
    std::uint64_t sequence;
    Process* process;
    kj::Function<void()> action;
  };
  static bool later(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
  }

  Trace& trace_;
  Time now_ = 0 * kj::NANOSECONDS;
  Process* current_ = nullptr;
  std::uint64_t sequence = 0;
  std::vector<Event> queue;  // A heap, the earliest first.
  // Ended ones too: promises may refer to their timers until the loop is gone.
  std::vector<kj::Own<Process>> processes;
  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};

  void push(Time time, Process* process, kj::Function<void()> action);
  void runIn(Process& process, kj::Function<void()>& action);
  void turn(Process& process, kj::FunctionParam<void()> action);
  void arm(Process& process);
  void die(Process& process, std::string lastWords);
  void bury(Process& process);

  void event(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override;
  [[noreturn]] void died(std::string_view event, std::initializer_list<LogField> fields) override;
};

}  // namespace gavel::simulation
