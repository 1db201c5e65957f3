// SPDX-License-Identifier: Apache-2.0
// Both text formats against documents written by hand from their specifications.
#include "monitoring/prometheus_text.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace protean {
namespace {

using metrics::Registry;

TEST(PrometheusText, WritesCountersGaugesAndHistograms) {
  Registry registry;
  registry.counter("app_requests", "Requests.", {{"model", "iris"}, {"version", "2"}})->add(3);
  registry.gauge("app_memory_bytes", "Memory.")->set(1536.5);
  constexpr std::array<std::uint64_t, 2> kBounds = {10'000, 25'000'000};
  const auto histogram = registry.histogram("app_time_seconds", "Time.", {{"stage", "run"}}, kBounds, 1e-9);
  histogram->observe(10'000);
  histogram->observe(10'001);
  histogram->observe(2'000'000'000);
  const std::string expected =
      "# HELP app_memory_bytes Memory.\n"
      "# TYPE app_memory_bytes gauge\n"
      "app_memory_bytes 1536.5\n"
      "# HELP app_requests_total Requests.\n"
      "# TYPE app_requests_total counter\n"
      "app_requests_total{model=\"iris\",version=\"2\"} 3\n"
      "# HELP app_time_seconds Time.\n"
      "# TYPE app_time_seconds histogram\n"
      "app_time_seconds_bucket{stage=\"run\",le=\"1e-05\"} 1\n"
      "app_time_seconds_bucket{stage=\"run\",le=\"0.025\"} 2\n"
      "app_time_seconds_bucket{stage=\"run\",le=\"+Inf\"} 3\n"
      "app_time_seconds_sum{stage=\"run\"} 2.000020001\n"
      "app_time_seconds_count{stage=\"run\"} 3\n";
  EXPECT_EQ(format_metrics(registry.snapshot(), MetricsFormat::kPrometheus), expected);
}

TEST(PrometheusText, OpenMetricsNamesCounterFamiliesWithoutTotalAndSaysUnitsAndEnds) {
  Registry registry;
  registry.outside_counter("app_cpu_seconds", "CPU.")->set(0.25);
  constexpr std::array<std::uint64_t, 2> kBounds = {1, 2};
  registry.histogram("app_rows", "Rows.", {}, kBounds, 1)->observe(2);
  const std::string expected =
      "# HELP app_cpu_seconds CPU.\n"
      "# TYPE app_cpu_seconds counter\n"
      "# UNIT app_cpu_seconds seconds\n"
      "app_cpu_seconds_total 0.25\n"
      "# HELP app_rows Rows.\n"
      "# TYPE app_rows histogram\n"
      "app_rows_bucket{le=\"1.0\"} 0\n"
      "app_rows_bucket{le=\"2.0\"} 1\n"
      "app_rows_bucket{le=\"+Inf\"} 1\n"
      "app_rows_sum 2\n"
      "app_rows_count 1\n"
      "# EOF\n";
  EXPECT_EQ(format_metrics(registry.snapshot(), MetricsFormat::kOpenMetrics), expected);
}

TEST(PrometheusText, EscapesLabelValuesAndHelps) {
  Registry registry;
  registry.gauge("app_up", "a\\b\n\"c\"", {{"model", "q\"\\\nz"}})->set(1);
  EXPECT_EQ(format_metrics(registry.snapshot(), MetricsFormat::kPrometheus),
            "# HELP app_up a\\\\b\\n\"c\"\n"
            "# TYPE app_up gauge\n"
            "app_up{model=\"q\\\"\\\\\\nz\"} 1\n");
  EXPECT_EQ(format_metrics(registry.snapshot(), MetricsFormat::kOpenMetrics),
            "# HELP app_up a\\\\b\\n\\\"c\\\"\n"
            "# TYPE app_up gauge\n"
            "app_up{model=\"q\\\"\\\\\\nz\"} 1\n"
            "# EOF\n");
}

TEST(PrometheusText, SpellsNumbersThatAreNoneAsTheSpecificationDoes) {
  Registry registry;
  const auto gauge = registry.gauge("x", "X.");
  const auto value = [&](double v) {
    gauge->set(v);
    const std::string text = format_metrics(registry.snapshot(), MetricsFormat::kPrometheus);
    return text.substr(text.rfind("x ") + 2);
  };
  EXPECT_EQ(value(std::numeric_limits<double>::infinity()), "+Inf\n");
  EXPECT_EQ(value(-std::numeric_limits<double>::infinity()), "-Inf\n");
  EXPECT_EQ(value(std::numeric_limits<double>::quiet_NaN()), "NaN\n");
}

TEST(PrometheusText, LeavesOutFamiliesWithoutMembers) {
  Registry registry;
  registry.counter("gone", "Gone.", {{"model", "a"}})->add();
  registry.remove({{"model", "a"}});
  EXPECT_EQ(format_metrics(registry.snapshot(), MetricsFormat::kPrometheus), "");
}

TEST(PrometheusText, LatencyLimitsShowNoRoundingNoise) {
  Registry registry;
  (void)registry.histogram("t_seconds", "T.", {}, metrics::latency_bounds_ns(), 1e-9);
  const std::string text = format_metrics(registry.snapshot(), MetricsFormat::kPrometheus);
  for (const char* le :
       {"1e-05", "2.5e-05", "5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
        "0.025", "0.05",    "0.1",   "0.25",   "0.5",     "1",      "2.5",   "5",      "10",    "+Inf"}) {
    EXPECT_NE(text.find("t_seconds_bucket{le=\"" + std::string(le) + "\"} 0\n"), std::string::npos) << le;
  }
}

TEST(MetricsFormatChoice, FollowsTheAcceptField) {
  const auto open = MetricsFormat::kOpenMetrics;
  const auto text = MetricsFormat::kPrometheus;
  EXPECT_EQ(choose_metrics_format(""), text);
  EXPECT_EQ(choose_metrics_format("*/*"), text);
  EXPECT_EQ(choose_metrics_format("application/openmetrics-text"), open);
  EXPECT_EQ(choose_metrics_format("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8"), open);
  EXPECT_EQ(choose_metrics_format("application/openmetrics-text;version=9.0.0"), text);
  EXPECT_EQ(choose_metrics_format("application/openmetrics-text;q=0"), text);
  EXPECT_EQ(choose_metrics_format("application/openmetrics-text;q=0.5, text/plain"), text);
  EXPECT_EQ(choose_metrics_format("application/openmetrics-text;q=banana, */*"), text);
  // What Prometheus 2.42 and 3.0 send.
  EXPECT_EQ(choose_metrics_format("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                                  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            open);
  EXPECT_EQ(choose_metrics_format("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                                  "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
                                  "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
            open);
}

}  // namespace
}  // namespace protean
