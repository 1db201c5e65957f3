// SPDX-License-Identifier: Apache-2.0
// Counting, under one lock that is held for a few additions.
#include "migrate/statistics.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace protean::migrate {
namespace {

DifferenceKind first_kind(const Comparison& comparison) {
  const auto& found = comparison.differences();
  return found.empty() ? DifferenceKind::kValue : found.front().kind;
}

}  // namespace

std::uint64_t ParityRow::one_side_failed() const noexcept {
  return count(Verdict::kFromFailed) + count(Verdict::kToFailed);
}

std::uint64_t ParityRow::compared() const noexcept {
  return std::accumulate(verdicts.begin(), verdicts.end(), std::uint64_t{0}) - one_side_failed();
}

void ParityRow::add(const ParityRow& other) {
  for (std::size_t i = 0; i < kSides; ++i) {
    sides[i].latency.merge(other.sides[i].latency);
    sides[i].answered += other.sides[i].answered;
    sides[i].failed += other.sides[i].failed;
  }
  for (std::size_t i = 0; i < kVerdicts; ++i) verdicts[i] += other.verdicts[i];
  for (std::size_t i = 0; i < kDifferenceKinds; ++i) kinds[i] += other.kinds[i];
  dropped += other.dropped;
  largest_deviation = std::max(largest_deviation, other.largest_deviation);
}

ParityRow Snapshot::total() const {
  ParityRow sum;
  for (const auto& [call, row] : rows) sum.add(row);
  return sum;
}

ParityRow& Statistics::State::row(const CallName& call) {
  const auto found = rows.find(call);
  if (found != rows.end()) return found->second;
  if (rows.size() < kRowsMax) return rows[call];
  return rows[CallName{"(others)", call.method.starts_with("gRPC") ? "gRPC" : "REST"}];
}

Statistics::Statistics(std::size_t examples_max) : examples_max_(examples_max) {
  state_.with([](State& s) { s.started = std::chrono::system_clock::now(); });
}

void Statistics::received() {
  state_.with([](State& s) { ++s.requests; });
}

void Statistics::answered(const CallName& call, Side side, Duration took) {
  state_.with([&](State& s) {
    SideCounts& counts = s.row(call).sides[index_of(side)];
    ++counts.answered;
    counts.latency.record(took);
  });
}

void Statistics::broke(const CallName& call, Side side) {
  state_.with([&](State& s) { ++s.row(call).sides[index_of(side)].failed; });
}

void Statistics::failed_over(Side away_from) {
  state_.with([&](State& s) { ++s.failed_over[index_of(away_from)]; });
}

void Statistics::failed() {
  state_.with([](State& s) { ++s.failed; });
}

void Statistics::dropped(const CallName& call) {
  state_.with([&](State& s) { ++s.row(call).dropped; });
}

void Statistics::mirrored(const CallName& call, Side side, Duration took) {
  state_.with([&](State& s) { s.row(call).sides[index_of(side)].latency.record(took); });
}

bool Statistics::compared(const CallName& call, const Comparison& comparison) {
  return state_.with([&](State& s) {
    ++s.comparisons;
    ParityRow& row = s.row(call);
    const Verdict verdict = comparison.verdict();
    ++row.verdicts[static_cast<std::size_t>(verdict)];
    row.largest_deviation = std::max(row.largest_deviation, comparison.largest_deviation());
    const bool failed = verdict == Verdict::kFromFailed || verdict == Verdict::kToFailed;
    for (std::size_t i = 0; i < kDifferenceKinds && !failed; ++i) {
      row.kinds[i] += comparison.count(static_cast<DifferenceKind>(i)) != 0 ? 1 : 0;
    }
    if (verdict == Verdict::kEqual || verdict == Verdict::kWithinTolerance || s.examples.size() >= examples_max_) {
      return false;
    }
    if (s.alike.size() > kRowsMax * kDifferenceKinds) return false;
    return ++s.alike[{call, first_kind(comparison)}] <= kAlikeMax;
  });
}

void Statistics::add_example(Example example) {
  state_.with([&](State& s) {
    example.ordinal = s.comparisons;
    if (s.examples.size() < examples_max_) s.examples.push_back(std::move(example));
  });
}

void Statistics::note(std::string event) {
  state_.with([&](State& s) {
    if (s.events.size() >= kEventsMax) s.events.erase(s.events.begin() + 1);
    s.events.push_back({std::chrono::system_clock::now(), std::move(event)});
  });
}

Snapshot Statistics::snapshot() const {
  return state_.with([](const State& s) { return static_cast<const Snapshot&>(s); });
}

}  // namespace protean::migrate
