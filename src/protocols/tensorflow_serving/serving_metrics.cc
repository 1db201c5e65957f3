// SPDX-License-Identifier: Apache-2.0
// A registry of its own, so that names with colons stay off the server's page.
#include "protocols/tensorflow_serving/serving_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace protean::tfserving {
namespace {

/// (model, api, entrypoint, status) that have counters of their own.
constexpr std::size_t kMembersMax = 10'000;
constexpr std::string_view kOther = "(other)";
constexpr std::size_t kPathsMax = 1000;
constexpr std::size_t kSizesMax = 256;
/// What the original calls its pool where no file of batching parameters says otherwise.
constexpr std::string_view kPool = "model_server_batch_threads";

/// `first` * `factor`^n, `count` of them.
std::vector<std::uint64_t> bounds(double first, double factor, int count) {
  std::vector<std::uint64_t> all;
  for (int n = 0; n < count; ++n) all.push_back(static_cast<std::uint64_t>(std::llround(first * std::pow(factor, n))));
  return all;
}

/// In nanoseconds, shown in microseconds.
const std::vector<std::uint64_t>& latency_bounds() {
  static const auto kBounds = bounds(10'000, 1.8, 33);
  return kBounds;
}

const std::vector<std::uint64_t>& count_bounds() {
  static const auto kBounds = bounds(1, 2, 15);
  return kBounds;
}

std::uint64_t nanoseconds(Duration duration) noexcept {
  return static_cast<std::uint64_t>(std::max<Duration::rep>(duration.count(), 0));
}

/// As gRPC spells it: runs are told under one name, whichever way they were asked for.
std::string run_api(std::string_view api) {
  std::string name(api);
  if (!name.empty() && name.front() >= 'a' && name.front() <= 'z') name.front() = static_cast<char>(name.front() - 32);
  return name;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    c == '\n' ? out += "\\n" : out += c;
  }
  return out + '"';
}

std::string labels_text(const metrics::Labels& labels, const std::string& more = {}) {
  std::string out;
  for (const auto& [name, value] : labels) out += (out.empty() ? "" : ",") + name + "=" + quoted(value);
  if (!more.empty()) out += (out.empty() ? "" : ",") + more;
  return out.empty() ? out : "{" + out + "}";
}

void write_histogram(std::string& out, const std::string& name, const metrics::Member& member) {
  const auto& histogram = *member.histogram;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
    total += histogram.bucket(i);
    const bool last = i == histogram.bounds().size();
    const std::string limit =
        last ? "+Inf" : fmt::format("{:g}", static_cast<double>(histogram.bounds()[i]) * histogram.scale());
    out += fmt::format("{}_bucket{} {}\n", name, labels_text(member.labels, "le=" + quoted(limit)), total);
  }
  const double sum = static_cast<double>(histogram.sum()) * histogram.scale();
  out += fmt::format("{}_sum{} {:g}\n{}_count{} {}\n", name, labels_text(member.labels), sum, name,
                     labels_text(member.labels), total);
}

}  // namespace

struct ServingMetrics::Members {
  std::shared_ptr<metrics::Counter> count;
  std::shared_ptr<metrics::Histogram> latency;
  std::shared_ptr<metrics::Histogram> examples;
  std::shared_ptr<metrics::Counter> example_total;
  std::shared_ptr<metrics::Histogram> runtime;
};

/// Of all models together, as the original has one pool of threads for them.
struct ServingMetrics::Batches {
  std::shared_ptr<metrics::Histogram> queuing;
  std::shared_ptr<metrics::Histogram> input_size;
  std::shared_ptr<metrics::Histogram> processed_size;
  std::shared_ptr<metrics::Counter> runs;
};

std::shared_ptr<ServingMetrics::Members> ServingMetrics::members(const ServedRequest& request) {
  const std::string_view entrypoint = request.rest ? "REST" : "GRPC";
  const std::lock_guard lock(mutex_);
  std::string key = fmt::format("{}\n{}\n{}\n{}", request.model, request.api, entrypoint, request.status);
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  const bool full = known_.size() >= kMembersMax;
  if (full) key = fmt::format("\n{}\n{}\n{}", request.api, entrypoint, request.status);
  auto& members = known_[key];
  if (members) return members;
  members = std::make_shared<Members>();
  const std::string model(full ? kOther : request.model);
  members->count = registry_.counter(":tensorflow:serving:request_count", "",
                                     {{"model_name", model}, {"status", std::string(request.status)}});
  if (request.status != "OK") return members;
  members->latency = registry_.histogram(
      ":tensorflow:serving:request_latency", "",
      {{"model_name", model}, {"API", std::string(request.api)}, {"entrypoint", std::string(entrypoint)}},
      latency_bounds(), 1e-3);
  members->examples =
      registry_.histogram(":tensorflow:serving:request_example_counts", "", {{"model", model}}, count_bounds(), 1);
  members->runtime = registry_.histogram(":tensorflow:serving:runtime_latency", "",
                                         {{"model_name", model}, {"API", run_api(request.api)}, {"runtime", "TF1"}},
                                         latency_bounds(), 1e-3);
  members->example_total = registry_.counter(":tensorflow:serving:request_example_count_total", "", {{"model", model}});
  return members;
}

std::shared_ptr<ServingMetrics::Batches> ServingMetrics::batches() {
  const std::lock_guard lock(mutex_);
  if (batches_) return batches_;
  const std::string name = ":tensorflow:serving:batching_session:";
  const auto sizes = bounds(1, 2, 14);
  batches_ = std::make_shared<Batches>();
  batches_->queuing = registry_.histogram(name + "queuing_latency", "", {{"thread_pool_name", std::string(kPool)}},
                                          bounds(100'000, 1.2, 52), 1e-3);
  batches_->input_size = registry_.histogram(name + "input_batch_size", "", {}, sizes, 1);
  batches_->processed_size = registry_.histogram(name + "processed_batch_size", "", {}, sizes, 1);
  batches_->runs = registry_.counter(name + "wrapped_run_count", "", {});
  return batches_;
}

void ServingMetrics::record(const ServedRequest& request) {
  const auto cells = members(request);
  cells->count->add();
  if (!cells->latency) return;
  cells->latency->observe(nanoseconds(request.latency));
  for (const auto& run : request.times) {
    if (run.rows > 0) record_run(*cells, request, run);
  }
  if (request.examples == 0) return;
  cells->examples->observe(request.examples);
  cells->example_total->add(request.examples);
}

void ServingMetrics::record_run(const Members& members, const ServedRequest& request, const RunTimes& run) {
  members.runtime->observe(nanoseconds(run.run));
  const auto shared = batches();
  shared->queuing->observe(nanoseconds(run.queue));
  if (request.examples > 0) shared->input_size->observe(request.examples);
  if (!run.first) return;
  shared->runs->add();
  shared->processed_size->observe(run.rows);
  record_filling(run);
}

/// A histogram for each size that runs are made, of which there may be many where nothing is ever filled up.
void ServingMetrics::record_filling(const RunTimes& run) {
  std::shared_ptr<metrics::Histogram> histogram;
  {
    const std::lock_guard lock(mutex_);
    if (!sizes_.contains(run.rows) && (run.filling == 0 || sizes_.size() == kSizesMax)) return;
    sizes_.insert(run.rows);
    histogram = registry_.histogram(":tensorflow:serving:batching_session:padding_size", "",
                                    {{"execution_batch_size", std::to_string(run.rows)}}, bounds(1, 2, 14), 1);
  }
  histogram->observe(run.filling);
}

void ServingMetrics::record_warm_up(const WarmedUp& warmed) {
  const std::lock_guard lock(mutex_);
  const bool known = paths_.contains(warmed.path) || paths_.size() < kPathsMax;
  const std::string path(known ? warmed.path : kOther);
  if (known) paths_.insert(path);
  const metrics::Labels labels = {{"model_path", path}, {"status", std::string(warmed.status)}};
  registry_.histogram(":tensorflow:serving:model_warmup_latency", "", labels, latency_bounds(), 1e-3)
      ->observe(nanoseconds(warmed.took));
  registry_.counter(":tensorflow:serving:model_warmup_records_read", "", labels)->add(warmed.records);
}

std::string ServingMetrics::page() const {
  std::string out;
  for (const auto& family : registry_.snapshot()) {
    const bool histogram = family.kind == metrics::Kind::kHistogram;
    out += fmt::format("# TYPE {} {}\n", family.name, histogram ? "histogram" : "counter");
    for (const auto& member : family.members) {
      if (histogram) {
        write_histogram(out, family.name, member);
      } else {
        out += fmt::format("{}{} {}\n", family.name, labels_text(member.labels), member.counter->value());
      }
    }
  }
  return out;
}

}  // namespace protean::tfserving
