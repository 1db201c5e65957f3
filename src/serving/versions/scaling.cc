// SPDX-License-Identifier: Apache-2.0
// Threads that run the model as fast as they can, and the order in which points are measured.
#include "serving/versions/scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/generated_input.h"
#include "serving/check_request.h"

namespace protean {
namespace {

using std::chrono::milliseconds;

/// Shorter runs are not worth a second thread's waking up, let alone several.
constexpr Duration kRunMin = milliseconds(1);
constexpr Duration kRunMax = std::chrono::seconds(1);
constexpr Duration kPointMin = milliseconds(20);
constexpr Duration kPointMax = milliseconds(40);
constexpr Duration kTimeMax = milliseconds(200);
constexpr int kRunsMax = 6;  // of slow models
constexpr Duration kLoadMax = std::chrono::seconds(5);
constexpr std::uint64_t kSecondCopyMax = std::uint64_t{512} << 20;
constexpr double kDisturbedAbove = 0.15;  // of the time ready to run and not running
constexpr double kScalesWell = 0.9;
/// Sizes for free dimensions other than the first: long enough to be work, short enough for any graph.
constexpr std::int64_t kFreeSizes[] = {32, 8, 1};

/// How long this thread has been ready to run while others ran; zero where the system does not tell.
/// Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
Duration time_not_given() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t ran = 0;
  std::int64_t waited = 0;
  return file >> ran >> waited ? Duration(waited) : Duration::zero();
}

Status run_once(Model& model, RunInputs inputs) {
  const auto outputs = usual_outputs(model.signature());
  try {
    return model.run({inputs, outputs, {}}).map([](const auto&) {});
  } catch (const std::exception& error) {
    return fail(Code::kInternal, fmt::format("it threw: {}", error.what()));
  }
}

/// What one thread has done.
struct Tally {
  std::uint64_t runs = 0;
  Duration elapsed{};
  Duration not_given{};
  Status status;
};

/// Threads that begin together and stop together.
class PointRun {
 public:
  PointRun(Model& model, RunInputs inputs, const PointPlan& plan) : model_(model), inputs_(inputs), plan_(plan) {}

  Result<ScalingPoint> measure() {
    std::vector<Tally> tallies(plan_.at_once);
    std::vector<std::thread> threads;
    Status started;
    try {
      for (std::size_t i = 1; i < tallies.size(); ++i) {
        threads.emplace_back([this, &tally = tallies[i]] {
          go_.wait(false);
          work(tally, false);
        });
      }
    } catch (const std::system_error& error) {
      stop_.store(true);
      started = fail(Code::kResourceExhausted, fmt::format("no thread could be started: {}", error.what()));
    }
    go_.store(true);
    go_.notify_all();
    if (started) work(tallies[0], true);
    for (auto& thread : threads) thread.join();
    TRY_STATUS(started);
    return sum(tallies);
  }

 private:
  /// `asks`: whether this thread looks for requests that are under way.
  void work(Tally& tally, bool asks) {
    const TimePoint begun = plan_.clock.now();
    const Duration before = time_not_given();
    TimePoint now = begun;
    while (!stop_.load() && (tally.runs == 0 || now - begun < plan_.time)) {
      if (asks && plan_.busy && plan_.busy()) {
        tally.status = fail(Code::kAborted, "requests came");
      } else {
        tally.status = run_once(model_, inputs_);
      }
      if (!tally.status) {
        stop_.store(true);
        return;
      }
      ++tally.runs;
      now = plan_.clock.now();
    }
    tally.elapsed = now - begun;
    tally.not_given = time_not_given() - before;
  }

  [[nodiscard]] Result<ScalingPoint> sum(const std::vector<Tally>& tallies) const {
    ScalingPoint point{plan_.at_once, plan_.threads, 0, {}};
    Duration elapsed{};
    Duration not_given{};
    std::uint64_t runs = 0;
    for (const auto& tally : tallies) {
      TRY_STATUS(tally.status);
      const double seconds = std::chrono::duration<double>(std::max(tally.elapsed, Duration(1))).count();
      point.runs_per_second += static_cast<double>(tally.runs) / seconds;
      elapsed += tally.elapsed;
      not_given += tally.not_given;
      runs += tally.runs;
    }
    point.run_time = elapsed / static_cast<Duration::rep>(std::max<std::uint64_t>(1, runs));
    // A pool's threads take the processors from those that wait for them: that is no disturbance.
    if (plan_.threads == 1 &&
        static_cast<double>(not_given.count()) > kDisturbedAbove * static_cast<double>(elapsed.count())) {
      return fail(Code::kAborted, "others had the processors");
    }
    return point;
  }

  Model& model_;
  const RunInputs inputs_;
  const PointPlan& plan_;
  std::atomic<bool> go_{false};
  std::atomic<bool> stop_{false};
};

/// The measurements of one version.
class Scaling {
 public:
  Scaling(LoadedVersion& version, const ScalingOptions& options, const ScalingJob& job)
      : version_(version), options_(options), job_(job) {
    const ModelConfig& config = config_of(version);
    instances_said_ = config.batch.preserve_order ? 1 : config.instances;
    threads_said_ = config.intra_op_threads != 0 ? config.intra_op_threads : options.threads_default;
  }

  Threading settle() {
    if (instances_said_ != 0 && threads_said_ != 0) return {0, 0, threads_said_, false, {}};
    if (version_.signature->stateful) return unmeasured(fmt::format("not measured: {}", kStatefulReason));
    if (options_.run_threads <= 1) return unmeasured("there is one run thread");
    if (config_of(version_).warm_up.generated_runs == 0) return instead("generated runs are switched off");
    // One model at a time has the processors for this.
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (auto status = measure(); !status) return instead(status.error().message);
    if (points_.empty()) return unmeasured(std::move(why_not_));
    Threading chosen = choose_threading(points_, options_.run_threads);
    if (!without_pool_.empty()) chosen.why += "; threads not tried: " + without_pool_;
    if (chosen.threads != base_threads() && pooled_) exchange(std::move(pooled_));
    return chosen;
  }

 private:
  [[nodiscard]] std::uint32_t base_threads() const { return std::max<std::uint32_t>(1, threads_said_); }

  [[nodiscard]] Threading unmeasured(std::string why) const { return {0, 0, base_threads(), false, std::move(why)}; }

  /// What was found for the version before is a better guess than none.
  Threading instead(const std::string& why) {
    Threading known = unmeasured("not measured: " + why);
    if (!job_.before || !job_.before->measured) return known;
    if (job_.before->threads != base_threads()) {
      auto loaded = threads_said_ == 0 ? load_pooled(job_.before->threads) : fail(Code::kAborted, "said");
      if (!loaded) return known;
      exchange(*std::move(loaded));
    }
    known = *job_.before;
    if (!known.why.starts_with("as before")) known.why = "as before: " + known.why;
    return known;
  }

  void exchange(std::unique_ptr<Model> other) {
    version_.model = std::move(other);
    std::vector<std::string> notes = {fmt::format("loaded twice; at first: {}", fmt::join(version_.notes, ", "))};
    for (auto& note : version_.model->load_notes()) notes.push_back(std::move(note));
    version_.notes = std::move(notes);
  }

  Status measure() {
    TRY(const Duration run, first_runs());
    if (run < kRunMin) {
      why_not_ = fmt::format("a run takes {} us, too little to share out", run.count() / 1000);
      return {};
    }
    if (run > kRunMax) {
      return fail(Code::kAborted, fmt::format("a run takes {:.1f} s", std::chrono::duration<double>(run).count()));
    }
    ends_ = options_.clock->now() + std::max<Duration>(kTimeMax, kRunsMax * run);
    point_time_ = std::clamp<Duration>(4 * run, kPointMin, kPointMax);
    TRY_STATUS(measure_curve(*version_.model, base_threads()));
    if (threads_said_ == 0) TRY_STATUS(measure_pooled());
    return {};
  }

  /// The time of a run alone, the shortest of two, once one has paid for what the later ones find ready.
  Result<Duration> first_runs() {
    Status status = fail(Code::kInvalidArgument, "no inputs");
    for (const std::int64_t size : kFreeSizes) {
      TRY(tensors_, generate_inputs(*version_.signature, {1, size, 1}));
      inputs_.clear();
      for (const auto& tensor : tensors_) inputs_.push_back(&tensor);
      status = run_once(*version_.model, inputs_);
      if (status) break;
    }
    TRY_STATUS(status);
    Duration least = Duration::max();
    for (int i = 0; i < 2; ++i) {
      const TimePoint start = options_.clock->now();
      TRY_STATUS(run_once(*version_.model, inputs_));
      least = std::min(least, options_.clock->now() - start);
    }
    return least;
  }

  /// One run at once, then as many as may be; what lies between only where that does not scale well.
  Status measure_curve(Model& model, std::uint32_t threads) {
    const std::uint32_t most =
        instances_said_ != 0 ? std::min(instances_said_, options_.run_threads) : options_.run_threads;
    const std::size_t first = points_.size();
    TRY_STATUS(add(model, 1, threads));
    if (most > 1) TRY_STATUS(add(model, most, threads));
    std::uint32_t between = 1;
    while (between * 2 < most) between *= 2;
    for (; between > 1 && instances_said_ == 0; between /= 2) {
      const double scaled = points_.back().runs_per_second / points_[first].runs_per_second;
      if (scaled >= kScalesWell * points_.back().at_once || options_.clock->now() >= ends_) break;
      TRY_STATUS(add(model, between, threads));
    }
    std::sort(points_.begin() + static_cast<std::ptrdiff_t>(first), points_.end(),
              [](const auto& a, const auto& b) { return a.at_once < b.at_once; });
    // Who said how many wants that many, whatever it does for the work.
    if (instances_said_ != 0 && most > 1) points_.erase(points_.begin() + static_cast<std::ptrdiff_t>(first));
    return {};
  }

  Status add(Model& model, std::uint32_t at_once, std::uint32_t threads) {
    TRY(const auto point,
        options_.measure(model, inputs_, {at_once, threads, point_time_, options_.busy, *options_.clock}));
    points_.push_back(point);
    return {};
  }

  Status measure_pooled() {
    if (options_.clock->now() >= ends_) {
      without_pool_ = "there was no time left";
      return {};
    }
    auto loaded = load_pooled(options_.run_threads);
    if (!loaded) {
      without_pool_ = loaded.error().message;
      return {};
    }
    pooled_ = *std::move(loaded);
    TRY_STATUS(run_once(*pooled_, inputs_));
    return measure_curve(*pooled_, options_.run_threads);
  }

  /// Errors: also why a second copy is not affordable.
  Result<std::unique_ptr<Model>> load_pooled(std::uint32_t threads) {
    const std::uint64_t bytes = version_.model->memory().private_bytes;
    if (bytes > kSecondCopyMax || bytes > job_.spare_bytes / 2) {
      return fail(Code::kResourceExhausted, "no memory for a second copy");
    }
    if (job_.load_time > kLoadMax) return fail(Code::kAborted, "it loads too slowly");
    if (options_.busy && options_.busy()) return fail(Code::kAborted, "requests came");
    return job_.load(threads);
  }

  LoadedVersion& version_;
  const ScalingOptions& options_;
  const ScalingJob& job_;
  std::uint32_t instances_said_ = 0;
  std::uint32_t threads_said_ = 0;
  std::vector<Tensor> tensors_;
  std::vector<const Tensor*> inputs_;
  TimePoint ends_{};
  Duration point_time_{};
  std::vector<ScalingPoint> points_;
  std::unique_ptr<Model> pooled_;
  std::string why_not_;
  std::string without_pool_;
};

}  // namespace

Result<ScalingPoint> measure_point(Model& model, RunInputs inputs, const PointPlan& plan) {
  return PointRun(model, inputs, plan).measure();
}

void settle_threading(LoadedVersion& version, const ScalingOptions& options, const ScalingJob& job) {
  version.threading = Scaling(version, options, job).settle();
}

}  // namespace protean
