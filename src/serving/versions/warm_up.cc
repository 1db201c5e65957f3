// SPDX-License-Identifier: Apache-2.0
// Generated runs first (the cheapest way to find a model that cannot run), then recorded, then replayed ones.
#include "serving/versions/warm_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "core/generated_input.h"
#include "serving/check_request.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

/// A batch that would take longer is warmed with fewer rows: a load must not take minutes for the largest batch.
constexpr Duration kGeneratedRunMax = std::chrono::milliseconds(100);
constexpr std::size_t kFilesMax = 256;

/// One warm-up: what ran, what is to be told, when to stop.
class WarmUp {
 public:
  WarmUp(LoadedVersion& version, const WarmUpSources& sources, const Clock& clock)
      : version_(version),
        sources_(sources),
        clock_(clock),
        label_(fmt::format("model {}, version {}", version.model_name, version.version_text)),
        begun_(clock.now()) {}

  Result<std::vector<std::string>> run() {
    const bool stateful = version_.signature->stateful;
    if (!stateful) TRY_STATUS(run_generated());
    if (config().recorded && !stateful) run_example();
    if (config().recorded) TRY_STATUS(run_recorded());
    if (!stateful) TRY_STATUS(run_replayed());
    return summary();
  }

 private:
  [[nodiscard]] const WarmUpConfig& config() const { return version_.config->warm_up; }

  [[nodiscard]] bool out_of_time() {
    if (clock_.now() - begun_ < config().time_max) return false;
    cut_short_ = true;
    return true;
  }

  [[nodiscard]] std::set<std::uint64_t> batch_sizes() const {
    std::set<std::uint64_t> sizes = {1};
    const BatchConfig& batch = version_.config->batch;
    if (!version_.batch.batchable || batch.mode == BatchConfig::Mode::kOff) return sizes;
    sizes.insert(std::max<std::uint64_t>(1, batch.rows_max));
    sizes.insert(batch.rows_preferred.begin(), batch.rows_preferred.end());
    return sizes;
  }

  /// Ascending, as batch_sizes() is: what one row took says how many a run of reasonable length may have.
  [[nodiscard]] std::uint64_t affordable(std::uint64_t rows) const {
    if (rows == 1 || !version_.cost.known()) return rows;
    const auto one = std::max<Duration::rep>(1, version_.cost.predict(1).count());
    return std::min(rows, std::max<std::uint64_t>(2, static_cast<std::uint64_t>(kGeneratedRunMax.count() / one)));
  }

  Status run_generated() {
    std::uint64_t last = 0;
    for (const std::uint64_t wanted : batch_sizes()) {
      const std::uint64_t rows = affordable(wanted);
      if (rows == std::exchange(last, rows)) continue;
      for (std::uint32_t i = 0; i < config().generated_runs; ++i) {
        if (out_of_time()) return {};
        const auto tensors =
            generate_inputs(*version_.signature, {static_cast<std::int64_t>(rows), 1, std::uint64_t{i} + 1});
        if (!tensors) {
          notes_.push_back(fmt::format("no generated warm-up of {} rows: {}", rows, tensors.error().message));
          break;
        }
        const TimePoint start = clock_.now();
        const auto status = run_tensors(*tensors);
        // The first run of a shape pays for what the later ones find ready.
        if (status && i > 0) version_.cost.observe(clock_.now() - start, bytes_of(*tensors), rows);
        if (status) {
          ++generated_;
        } else if (status.error().code == Code::kInvalidArgument) {
          notes_.push_back(fmt::format("generated input of {} rows was refused: {}", rows, status.error().message));
          break;
        } else {
          return failed(fmt::format("a generated input of {} rows", rows), status.error());
        }
      }
    }
    return {};
  }

  static std::uint64_t bytes_of(const std::vector<Tensor>& tensors) {
    std::uint64_t bytes = 0;
    for (const auto& tensor : tensors) bytes += tensor.data.size();
    return bytes;
  }

  Status run_tensors(const std::vector<Tensor>& tensors) {
    std::vector<const Tensor*> inputs;
    for (const auto& tensor : tensors) inputs.push_back(&tensor);
    const auto outputs = usual_outputs(*version_.signature);
    return version_.model->run({inputs, outputs, {}}).map([](const auto&) {});
  }

  /// What the model's own files show. It may be older than the model, so one that fails is only noted.
  void run_example() {
    const std::string& example = version_.signature->example;
    if (example.empty() || !sources_.decode || out_of_time()) return;
    const auto ran = decode_recorded(Slice::of(example), sources_.decode, *version_.signature)
                         .and_then([&](const InferRequest& request) -> Status {
                           TRY(const auto checked, check_request(request, *version_.signature, label_));
                           TRY_STATUS(version_.model->run({checked.inputs, checked.outputs, {}}));
                           return {};
                         });
    if (ran) {
      ++recorded_;
    } else {
      notes_.push_back(fmt::format("the model's own example was refused: {}", ran.error().message));
    }
  }

  Status run_recorded() {
    const auto files = recorded_files();
    if (!files.empty() && !sources_.decode) notes_.emplace_back("recorded requests are not read: no decoder");
    if (!sources_.decode) return {};
    for (const auto& file : files) {
      if (out_of_time()) return {};
      const std::string name = fmt::format("'warmup/{}'", printable(file.filename().string()));
      const auto request = read_recorded(file, sources_.decode, *version_.signature);
      if (!request) return failed(name, request.error());
      const auto checked = check_request(*request, *version_.signature, label_);
      if (!checked) return failed(name, checked.error());
      for (std::uint32_t i = 0; i < config().recorded_runs; ++i) {
        if (i > 0 && out_of_time()) return {};
        const auto answer = version_.model->run({checked->inputs, checked->outputs, {}});
        if (!answer) return failed(name, answer.error());
        ++recorded_;
      }
    }
    return {};
  }

  [[nodiscard]] std::vector<fs::path> recorded_files() const {
    std::vector<fs::path> files;
    for (const auto& folder : sources_.folders) {
      std::error_code error;
      for (fs::directory_iterator it(folder / "warmup", error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if (it->path().extension() == ".json" && it->is_regular_file(ignored)) files.push_back(it->path());
      }
    }
    std::sort(files.begin(), files.end());
    if (files.size() > kFilesMax) files.resize(kFilesMax);
    return files;
  }

  Status run_replayed() {
    std::uint32_t unfit = 0;
    for (const auto& request : sources_.replayed) {
      if (replayed_ >= config().replayed_max || out_of_time()) break;
      const auto checked = check_request(*request, *version_.signature, label_);
      if (!checked) {
        ++unfit;
        continue;
      }
      const auto answer = version_.model->run({checked->inputs, checked->outputs, {}});
      if (!answer) return failed("a recent request of the version before", answer.error());
      ++replayed_;
    }
    if (unfit > 0) notes_.push_back(fmt::format("{} recent requests do not fit the signature any more", unfit));
    return {};
  }

  static tl::unexpected<Error> failed(const std::string& what, const Error& error) {
    return fail(error.code, fmt::format("warm-up with {} failed: {}", what, error.message));
  }

  std::vector<std::string> summary() {
    const double ms = std::chrono::duration<double, std::milli>(clock_.now() - begun_).count();
    std::string text;
    const auto part = [&](std::uint32_t count, std::string_view kind) {
      if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, kind);
    };
    part(generated_, "generated");
    part(recorded_, "recorded");
    part(replayed_, "replayed");
    if (text.empty()) {
      notes_.insert(notes_.begin(), "not warmed");
    } else {
      notes_.insert(notes_.begin(), fmt::format("warmed by {} runs in {:.0f} ms{}", text, ms,
                                                cut_short_ ? ", cut short by time_max" : ""));
    }
    return std::move(notes_);
  }

  LoadedVersion& version_;
  const WarmUpSources& sources_;
  const Clock& clock_;
  const std::string label_;
  const TimePoint begun_;
  std::uint32_t generated_ = 0;
  std::uint32_t recorded_ = 0;
  std::uint32_t replayed_ = 0;
  bool cut_short_ = false;
  std::vector<std::string> notes_;
};

}  // namespace

Result<std::vector<std::string>> warm_up(LoadedVersion& version, const WarmUpSources& sources, const Clock& clock) {
  return WarmUp(version, sources, clock).run();
}

}  // namespace protean
