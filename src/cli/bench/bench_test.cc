// SPDX-License-Identifier: Apache-2.0
// Flags, picture and report; the command as a whole is tested end to end.
#include "cli/bench/bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/bench/bench_report.h"
#include "cli/command_flags.h"
#include "cli/text_table.h"

namespace protean {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

Result<BenchOptions> parse(const std::vector<std::string>& args) { return parse_bench_options(args); }
std::string error_of(const std::vector<std::string>& args) {
  const auto options = parse(args);
  return options ? "no error" : options.error().message;
}

TEST(BenchOptions, AreReadFromFlags) {
  const auto options = parse({"iris", "--protocol=grpc", "--streams", "8", "--rate", "12.5", "--arrivals", "poisson",
                              "--duration", "1.5s", "--input", "a", "--input", "b", "--json", "-"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->model, "iris");
  EXPECT_TRUE(options->grpc);
  EXPECT_EQ(options->streams, 8U);
  EXPECT_DOUBLE_EQ(options->rate, 12.5);
  EXPECT_EQ(options->arrivals, ArrivalKind::kPoisson);
  EXPECT_EQ(options->duration, 1500ms);
  EXPECT_EQ(options->inputs.size(), 2U);
  EXPECT_EQ(options->json, "-");
  EXPECT_FALSE(options->url_said);
}

TEST(BenchOptions, SayWhatIsWrongAndWhatWasMeant) {
  EXPECT_EQ(error_of({"m", "--conections", "4"}), "unknown flag '--conections': did you mean '--connections'?");
  EXPECT_EQ(error_of({"m", "--connections", "0"}),
            "flag --connections: found '0', expected a whole number from 1 to 10000");
  EXPECT_EQ(error_of({"m", "--rate", "-1"}), "flag --rate: found '-1', expected a number above 0, at most 10000000");
  EXPECT_EQ(error_of({"m", "--rate", "nan"}), "flag --rate: found 'nan', expected a number above 0, at most 10000000");
  EXPECT_THAT(error_of({"m", "--duration", "10"}), HasSubstr("flag --duration: found '10', expected a time such as"));
  EXPECT_EQ(error_of({"m", "--protocol", "smtp"}), "flag --protocol: found 'smtp', expected one of http, grpc");
  EXPECT_EQ(error_of({"m", "--rows"}), "flag --rows: no value, expected N");
  EXPECT_EQ(error_of({"m", "--rows", "1", "--rows", "2"}), "flag --rows: said twice, expected once");
  EXPECT_EQ(error_of({"m", "--binary=1"}), "flag --binary: found '1', expected no value");
  EXPECT_THAT(error_of({}), HasSubstr("no MODEL"));
  EXPECT_EQ(error_of({"a", "b"}), "found argument 'b', expected one MODEL");
}

TEST(BenchOptions, RefuseWhatContradictsItself) {
  EXPECT_THAT(error_of({"m", "--json-bodies", "--binary"}), HasSubstr("exclude each other"));
  EXPECT_THAT(error_of({"m", "--streams", "2"}), HasSubstr("--protocol grpc"));
  EXPECT_THAT(error_of({"m", "--arrivals", "poisson"}), HasSubstr("add --rate"));
  EXPECT_THAT(error_of({"m", "--rows", "2", "--input", "f"}), HasSubstr("exclude each other"));
  EXPECT_THAT(error_of({"m", "--protocol", "grpc", "--json-bodies"}), HasSubstr("no JSON"));
}

TEST(BenchUrl, NamesHostAndPort) {
  EXPECT_EQ(parse_bench_url("http://h:81/")->authority(), "h:81");
  EXPECT_EQ(parse_bench_url("http://h")->port, 80);
  EXPECT_EQ(parse_bench_url("http://[::1]:8080")->host, "::1");
  EXPECT_EQ(parse_bench_url("http://[::1]")->authority(), "[::1]:80");
  for (const auto* wrong : {"", "h:1", "https://h:1", "http://", "http://h:0", "http://h:65536", "http://h:x",
                            "http://h:1/v2", "http://u@h:1", "http://h:1 "}) {
    EXPECT_FALSE(parse_bench_url(wrong)) << wrong;
  }
}

TEST(Spans, AreReadAndWrittenWithUnits) {
  EXPECT_EQ(parse_span("2.5ms"), Duration(2'500'000));
  EXPECT_EQ(parse_span("0"), Duration::zero());
  for (const auto* wrong : {"", "1", "ms", "-1s", "1e3s", "1..5s", "99999999999h", "1S"})
    EXPECT_FALSE(parse_span(wrong)) << wrong;
  EXPECT_EQ(format_span(312us), "312 us");
  EXPECT_EQ(format_span(1238us), "1.24 ms");
  EXPECT_EQ(format_span(20100us), "20.1 ms");
  EXPECT_EQ(format_span(999'600us), "1.00 s");
  EXPECT_EQ(format_span(2s), "2 s");
}

LatencyHistogram three_values() {
  LatencyHistogram histogram;
  for (int i = 0; i < 98; ++i) histogram.record(1ms);
  histogram.record(2ms);
  histogram.record(100ms);
  return histogram;
}

TEST(LatencyPicture, ShowsEveryValueOnceWithinTheWidth) {
  for (const std::size_t columns : {10U, 60U, 100U, 200U}) {
    for (const bool blocks : {false, true}) {
      const std::string picture = format_latency_picture(three_values(), {columns, false, blocks});
      std::size_t lines = 0;
      for (std::size_t at = 0; at < picture.size(); ++lines) {
        const auto end = picture.find('\n', at);
        EXPECT_LE(display_width(picture.substr(at, end - at)), std::max<std::size_t>(columns, 60));
        at = end + 1;
      }
      EXPECT_LE(lines, 14U);
      EXPECT_THAT(picture, HasSubstr("98  98.0 %"));
      EXPECT_THAT(picture, HasSubstr("p50 p90"));
      EXPECT_THAT(picture, HasSubstr("100 ms"));
      EXPECT_EQ(picture.find('#') == std::string::npos, blocks);
      EXPECT_THAT(picture, Not(HasSubstr("\x1b")));
    }
  }
}

TEST(LatencyPicture, DrawsOneValueAndNone) {
  LatencyHistogram histogram;
  EXPECT_EQ(format_latency_picture(histogram, {}), "");
  histogram.record(5ms);
  EXPECT_THAT(format_latency_picture(histogram, {}), HasSubstr("1 100.0 % p50 p90 p99 p99.9"));
  histogram.record(0ns);
  EXPECT_THAT(format_latency_picture(histogram, {}), HasSubstr("p50"));
}

BenchReport report() {
  BenchReport report;
  report.model = "iris";
  report.where = "http://127.0.0.1:8080";
  report.body_bytes = 100;
  report.rows = 2;
  report.result.latency = three_values();
  report.result.ok = 100;
  report.result.finished = 100;
  report.result.finished_rows = 200;
  report.result.measured = 10s;
  report.result.failed = 3;
  report.result.failures = {{"HTTP 503", 2}, {"timeout", 1}};
  report.result.first_failure = "HTTP 503: full";
  return report;
}

TEST(BenchReport, TableHasFiguresAndFailures) {
  const std::string text = format_bench_report(report(), {80, false, false});
  EXPECT_THAT(text, HasSubstr("10.0"));
  EXPECT_THAT(text, HasSubstr("20.0"));
  EXPECT_THAT(text, HasSubstr("p99.9"));
  EXPECT_THAT(text, HasSubstr("100 answers, 3 failures: 2 x HTTP 503, 1 x timeout"));
  EXPECT_THAT(text, HasSubstr("the first one: HTTP 503: full"));
}

TEST(BenchReport, JsonHoldsEverything) {
  const auto json = nlohmann::json::parse(format_bench_json(report()));
  EXPECT_EQ(json["requests_per_second"], 10.0);
  EXPECT_EQ(json["rows_per_second"], 20.0);
  EXPECT_NEAR(json["latency_ms"]["p50"].get<double>(), 1.0, 0.01);
  EXPECT_NEAR(json["latency_ms"]["max"].get<double>(), 100.0, 1.0);
  EXPECT_EQ(json["failures"]["HTTP 503"], 2);
  EXPECT_EQ(json["config"]["loop"], "closed");
  EXPECT_EQ(json["config"]["connections"], 4);
  EXPECT_EQ(json["config"]["duration_s"], 10.0);
}

}  // namespace
}  // namespace protean
