// SPDX-License-Identifier: Apache-2.0
// Two views of one BenchReport.
#include "cli/bench/bench_report.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "cli/command_flags.h"
#include "cli/json_text.h"
#include "cli/start_up_card.h"
#include "cli/text_table.h"

namespace protean {
namespace {

struct Percentile {
  std::string_view name;
  double q;
};
constexpr std::array<Percentile, 5> kPercentiles = {
    {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1.0}}};

double milliseconds_of(Duration span) { return std::chrono::duration<double, std::milli>(span).count(); }
double seconds_of(Duration span) { return std::chrono::duration<double>(span).count(); }

/// `12345.6` as `12,346`; below 100 with a fraction.
std::string format_count(double value) {
  if (value < 100) return fmt::format("{:.1f}", value);
  std::string digits = fmt::format("{:.0f}", value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string_view form_name(BodyForm form) { return form == BodyForm::kBinary ? "binary" : "json"; }

std::string headline(const BenchReport& report) {
  const auto& options = report.options;
  std::string out = fmt::format("{} at {}, {}", printable(report.model), printable(report.where),
                                options.grpc ? "gRPC" : fmt::format("HTTP/1.1 ({} bodies)", form_name(report.form)));
  out += fmt::format(", {} of {} {}", format_size(report.body_bytes), report.rows, report.rows == 1 ? "row" : "rows");
  return out;
}

std::string load_line(const BenchReport& report) {
  const auto& options = report.options;
  std::string out = options.rate == 0 ? std::string("closed loop")
                                      : fmt::format("open loop, {} requests/s, {}", options.rate,
                                                    options.arrivals == ArrivalKind::kPoisson ? "Poisson" : "constant");
  out += fmt::format(", {} {}", options.connections, options.connections == 1 ? "connection" : "connections");
  if (options.grpc) out += fmt::format(" with {} {}", options.streams, options.streams == 1 ? "stream" : "streams");
  return out +
         fmt::format(", {} after {} of warm-up", format_span(report.result.measured), format_span(options.warm_up));
}

std::string figures(const BenchReport& report, const PictureStyle& style) {
  const LoadResult& result = report.result;
  std::vector<TableColumn> columns = {
      {"REQUESTS/S", Align::kRight}, {"ROWS/S", Align::kRight}, {"MEAN", Align::kRight}};
  TableRow row;
  row.cells = {{format_count(result.requests_per_second()), "1"},
               {format_count(result.rows_per_second()), ""},
               {result.ok == 0 ? "-" : format_span(result.latency.mean()), ""}};
  for (const auto& [name, q] : kPercentiles) {
    columns.push_back({std::string(name), Align::kRight});
    row.cells.push_back({result.ok == 0 ? "-" : format_span(result.latency.quantile(q)), q == 0.99 ? "1" : ""});
  }
  return format_table(columns, {row}, style.columns, style.colour);
}

std::string failures(const BenchReport& report, const PictureStyle& style) {
  const LoadResult& result = report.result;
  if (result.failed + result.dropped == 0) return fmt::format("  {} answers, no failures\n", result.ok);
  std::string out = fmt::format("  {} answers, {} failures:", result.ok, result.failed + result.dropped);
  std::string_view comma = " ";
  for (const auto& [label, count] : result.failures) {
    out += fmt::format("{}{} x {}", std::exchange(comma, ", "), count, label);
  }
  if (result.dropped != 0) out += fmt::format("{}{} x never sent (backlog full)", comma, result.dropped);
  out = painted(out, "31", style.colour) + "\n";
  if (!result.first_failure.empty()) {
    for (const auto& line :
         fold("the first one: " + result.first_failure, std::max<std::size_t>(style.columns, 60) - 4)) {
      out += "    " + line + "\n";
    }
  }
  return out;
}

/// What keeps the figures from being what they seem to be.
std::string cautions(const BenchReport& report) {
  const LoadResult& result = report.result;
  const double total = seconds_of(result.measured + report.options.warm_up);
  const double busy =
      total <= 0 ? 0 : seconds_of(result.generator_cpu) / total / static_cast<double>(report.options.threads);
  std::string out;
  if (busy > 0.9) {
    out +=
        fmt::format("  The load generator was busy {:.0f} % of the time: the server may be faster; try --threads {}.\n",
                    busy * 100, report.options.threads * 2);
  }
  if (report.options.rate > 0 && result.requests_per_second() < 0.98 * report.options.rate && !report.interrupted) {
    out += fmt::format("  {:.0f} % of the rate asked for was answered: the server, or --connections, is the limit.\n",
                       100 * result.requests_per_second() / report.options.rate);
  }
  if (result.ok > 0 && result.ok < 1000) out += "  Fewer than 1000 answers: p99.9 is close to the slowest one.\n";
  return out;
}

std::string latency_json(const LatencyHistogram& latency) {
  JsonObject object;
  object.number("mean", milliseconds_of(latency.mean())).number("min", milliseconds_of(latency.min()));
  for (const auto& [name, q] : kPercentiles) object.number(name, milliseconds_of(latency.quantile(q)));
  return object.str();
}

std::string config_json(const BenchReport& report) {
  const auto& options = report.options;
  JsonObject object;
  object.text("model", report.model).text("version", options.version).text("server", report.where);
  object.truth("server_in_process", report.local).text("protocol", options.grpc ? "grpc" : "http");
  object.text("bodies", form_name(report.form)).integer("body_bytes", report.body_bytes).integer("rows", report.rows);
  object.text("loop", options.rate == 0 ? "closed" : "open").number("rate", options.rate);
  object.text("arrivals", options.arrivals == ArrivalKind::kPoisson ? "poisson" : "constant");
  object.integer("connections", options.connections).integer("streams", options.streams);
  object.integer("threads", options.threads).number("duration_s", seconds_of(options.duration));
  object.number("warm_up_s", seconds_of(options.warm_up)).number("timeout_s", seconds_of(options.timeout));
  object.integer("seed", options.seed);
  std::vector<std::string> files;
  for (const auto& file : options.inputs) append_json_string(files.emplace_back(), file.string());
  return object.raw("inputs", json_array(files)).str();
}

}  // namespace

std::string format_bench_report(const BenchReport& report, const PictureStyle& style) {
  std::string out = "\n";
  for (const auto& line : {headline(report), load_line(report)}) {
    for (const auto& piece : fold(line, std::max<std::size_t>(style.columns, 60) - 2)) out += "  " + piece + "\n";
  }
  if (report.interrupted) out += "  interrupted: what was measured until then\n";
  out += "\n" + figures(report, style) + "\n";
  const std::string picture = format_latency_picture(report.result.latency, style);
  if (!picture.empty()) out += picture + "\n";
  return out + failures(report, style) + cautions(report);
}

std::string format_bench_json(const BenchReport& report) {
  const LoadResult& result = report.result;
  JsonObject failures;
  for (const auto& [label, count] : result.failures) failures.integer(label, count);
  JsonObject object;
  object.text("protean", PROTEAN_VERSION).raw("config", config_json(report));
  object.truth("interrupted", report.interrupted).number("measured_s", seconds_of(result.measured));
  object.number("requests_per_second", result.requests_per_second())
      .number("rows_per_second", result.rows_per_second());
  object.raw("latency_ms", latency_json(result.latency));
  object.raw("failure_latency_ms", latency_json(result.failure_latency)).integer("in_time", result.in_time);
  object.integer("answers", result.ok).integer("failed", result.failed).integer("dropped", result.dropped);
  object.raw("failures", failures.str()).text("first_failure", result.first_failure);
  object.integer("bytes_sent", result.bytes_sent).integer("bytes_received", result.bytes_received);
  object.integer("reconnects", result.reconnects).number("generator_cpu_s", seconds_of(result.generator_cpu));
  return object.str() + "\n";
}

}  // namespace protean
