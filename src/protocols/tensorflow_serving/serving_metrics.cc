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

/// Microseconds: 10 * 1.8^n, 33 of them.
const std::vector<std::uint64_t>& latency_bounds() {
  static const auto kBounds = [] {
    std::vector<std::uint64_t> bounds;
    for (int n = 0; n < 33; ++n)
      bounds.push_back(static_cast<std::uint64_t>(std::llround(10 * std::pow(1.8, n) * 1000)));
    return bounds;
  }();
  return kBounds;
}

/// 1 * 2^n, 15 of them.
const std::vector<std::uint64_t>& count_bounds() {
  static const auto kBounds = [] {
    std::vector<std::uint64_t> bounds;
    for (int n = 0; n < 15; ++n) bounds.push_back(std::uint64_t{1} << n);
    return bounds;
  }();
  return kBounds;
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
  members->example_total = registry_.counter(":tensorflow:serving:request_example_count_total", "", {{"model", model}});
  return members;
}

void ServingMetrics::record(const ServedRequest& request) {
  const auto cells = members(request);
  cells->count->add();
  if (!cells->latency) return;
  cells->latency->observe(static_cast<std::uint64_t>(std::max<Duration::rep>(request.latency.count(), 0)));
  if (request.examples == 0) return;
  cells->examples->observe(request.examples);
  cells->example_total->add(request.examples);
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
