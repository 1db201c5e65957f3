// SPDX-License-Identifier: Apache-2.0
// The world that simulations run in: a clock that only events move, seeded randomness, calls that count their
// answers, models whose every row says to which request it belongs. Nothing here knows threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "serving/loaded_version.h"
#include "serving/scheduling/infer_call.h"

namespace protean::testing {

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  /// [0, bound).  Requires bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  /// True once in `n`.
  bool once_in(std::uint64_t n) noexcept { return below(n) == 0; }
  /// [low, high], either end included.
  Duration between(Duration low, Duration high) noexcept;

 private:
  std::uint64_t state_;
};

/// Time and what is to happen at which time; events of the same time happen in the order in which they were added.
class SimulatedWorld final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return now_; }
  void at(TimePoint when, std::function<void()> what);
  void after(Duration wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }
  /// Goes to the next event and lets it happen; false when there is none.
  bool step();

 private:
  struct Event {
    TimePoint when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const noexcept {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  TimePoint now_{std::chrono::seconds(1)};
  std::uint64_t order_ = 0;
  std::priority_queue<Event> events_;
};

/// The signature of the simulated models: input and output of INT64 [-1, 2], a row being (request, row).
[[nodiscard]] std::shared_ptr<const Signature> simulated_signature();

/// Answers each row with itself; throws or fails when the run holds a row of a request named in `bad`.
class SimulatedModel final : public Model {
 public:
  enum class Mishap : unsigned char { kNone, kFails, kThrows };

  [[nodiscard]] const Signature& signature() const noexcept override { return *signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

  Mishap next = Mishap::kNone;  // of the next run
  std::uint64_t rows_seen_max = 0;

 private:
  std::shared_ptr<const Signature> signature_ = simulated_signature();
};

/// A request of `rows` rows that carries its number in each; notes how often and how it was answered.
class SimulatedCall final : public InferCall {
 public:
  SimulatedCall(VersionHandle handle, std::int64_t number, std::int64_t rows);

  [[nodiscard]] bool cancelled() const noexcept override { return left; }
  void on_cancel(std::function<void()> leave) override { on_leave = std::move(leave); }
  void done(Result<InferResult> result, RunTimes times) override;
  /// That the answer holds exactly this request's rows, in order.
  [[nodiscard]] bool holds_own_rows(const std::vector<Tensor>& outputs) const;

  InferRequest own;
  std::function<void()> on_leave;
  bool left = false;
  int answers = 0;
  bool ok = false;
  Code code = Code::kUnknown;
  const std::int64_t number;
  const std::int64_t rows;
};

/// A version with a simulated model.  `metrics` may be shared by many.
[[nodiscard]] VersionHandle make_simulated_version(std::string name, std::shared_ptr<ModelMetrics> metrics,
                                                   std::shared_ptr<const ModelConfig> config);

/// Metrics of a registry that lives for ever.
[[nodiscard]] std::shared_ptr<ModelMetrics> shared_metrics();

/// From the environment; `otherwise` when the variable is not set or is no number.
[[nodiscard]] std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);

}  // namespace protean::testing
