// SPDX-License-Identifier: Apache-2.0
// What a migration has come to so far: parity for each model and method, latencies of both sides, the first examples of
// each kind of difference, and the events that a person wants to know of. Reports are made from a snapshot.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/latency_histogram.h"
#include "base/locked.h"
#include "migrate/answer.h"
#include "migrate/dialect.h"
#include "migrate/difference.h"

namespace protean::migrate {

/// Of one side: the time of each whole answer, to clients and to the mirror.
struct SideCounts {
  LatencyHistogram latency;
  std::uint64_t answered = 0;  // to clients
  std::uint64_t failed = 0;    // asked, and no whole answer came
};

/// One model and method. `verdicts`: how many comparisons ended so.  `dropped`: samples that were not compared.
struct ParityRow {
  std::array<SideCounts, kSides> sides;
  std::array<std::uint64_t, kVerdicts> verdicts{};
  std::array<std::uint64_t, kDifferenceKinds> kinds{};  // comparisons that found such a difference
  std::uint64_t dropped = 0;
  double largest_deviation = 0;

  [[nodiscard]] std::uint64_t count(Verdict verdict) const noexcept {
    return verdicts[static_cast<std::size_t>(verdict)];
  }
  /// Both sides answered.
  [[nodiscard]] std::uint64_t compared() const noexcept;
  [[nodiscard]] std::uint64_t one_side_failed() const noexcept;
  void add(const ParityRow& other);
};

/// A comparison that found something. `request`: as the dialect describes it, cut.  `ordinal`: which comparison of all.
struct Example {
  std::uint64_t ordinal = 0;
  CallName call;
  Verdict verdict = Verdict::kDifferent;
  std::string line;  // `POST /v1/models/x:predict`
  std::string request;
  std::vector<Difference> differences;
  std::chrono::system_clock::time_point at;
};

struct Event {
  std::chrono::system_clock::time_point at;
  std::string text;
};

struct Snapshot {
  std::map<CallName, ParityRow> rows;
  std::vector<Example> examples;
  std::vector<Event> events;
  std::uint64_t requests = 0;
  std::uint64_t failed = 0;                         // clients got an error that is ours: no side answered
  std::array<std::uint64_t, kSides> failed_over{};  // requests that this side was to answer and the other one did
  std::uint64_t comparisons = 0;
  std::chrono::system_clock::time_point started;

  [[nodiscard]] ParityRow total() const;
};

/// Thread-safe.
class Statistics {
 public:
  /// Names come from clients: this many rows, then one for all others.
  static constexpr std::size_t kRowsMax = 500;
  static constexpr std::size_t kEventsMax = 200;
  /// Of one row and one first kind of difference, so that one fault does not hide the others.
  static constexpr std::size_t kAlikeMax = 3;

  explicit Statistics(std::size_t examples_max);

  void received();
  void answered(const CallName& call, Side side, Duration took);
  /// That side was asked for a client's sake and gave no whole answer.
  void broke(const CallName& call, Side side);
  void failed_over(Side away_from);
  /// A client got our own error.
  void failed();
  void dropped(const CallName& call);
  /// `took`: of the mirrored answer of `side`; zero when it failed.
  void mirrored(const CallName& call, Side side, Duration took);
  /// True when an example of it is wanted: then add_example().
  [[nodiscard]] bool compared(const CallName& call, const Comparison& comparison);
  void add_example(Example example);
  void note(std::string event);

  [[nodiscard]] Snapshot snapshot() const;

 private:
  struct State : Snapshot {
    std::map<std::pair<CallName, DifferenceKind>, std::size_t> alike;
    ParityRow& row(const CallName& call);
  };
  const std::size_t examples_max_;
  Locked<State> state_;
};

}  // namespace protean::migrate
