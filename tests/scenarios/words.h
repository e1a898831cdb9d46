#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "schema/topology.capnp.h"
#include "tests/scenarios/wiretap.h"

namespace gavel::scenarios {

// What the messages of the protocol, and some events that processes log, say in a few words.
//
// Messages that a scenario does not need have no words: heartbeats, checks of links, questions for
// the configuration.
class Words final {
public:
  // The name of a process by its incarnation.
  using NameOf = std::function<std::string(std::uint64_t)>;

  struct Said {
    std::string words;   // Empty: not to be told.
    bool often = false;  // Is said over and over: told once in a step.
    // Nothing new to a node that had committed that far when it heard of its epoch.
    std::uint64_t index = 0;
    // The newest epoch that it tells of.
    std::uint64_t epoch = 0;
    // Says nothing else, so that it is nothing new to a node that has heard of that epoch.
    bool onlyEpoch = false;

    Said(std::string words, bool often = false): words(std::move(words)), often(often) {}
    Said(const char* words, bool often = false): words(words), often(often) {}
  };

  explicit Words(NameOf nameOf);
  KJ_DISALLOW_COPY(Words);

  Said call(Wiretap::Method method, capnp::AnyPointer::Reader params) const;
  Said answer(Wiretap::Method method, capnp::rpc::Return::Reader answer) const;

private:
  struct Told {
    std::function<Said(capnp::AnyPointer::Reader)> call;
    std::function<Said(capnp::AnyPointer::Reader)> answer;
  };

  NameOf nameOf;
  std::map<Wiretap::Method, Told> methods;

  template <typename Interface, typename Params>
  void onCall(std::uint16_t number, std::function<Said(typename Params::Reader)> words);
  template <typename Interface, typename Results>
  void onAnswer(std::uint16_t number, std::function<Said(typename Results::Reader)> words);

  void addAuctioneer();
  void addPeer();
  void addLink();
  void addSnapshot();
  void addMaster();
};

// "n1 > n2 > n3", and who joins: "n1 > n2, n3 joins".
std::string chain(schema::Configuration::Reader configuration);

// What is told of an event that a process logs: `text` is as logText() has made it.  None: nothing.
std::optional<std::string> wordsOfLog(std::string_view event, std::string_view text);

}  // namespace gavel::scenarios
