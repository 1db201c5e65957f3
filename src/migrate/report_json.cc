// SPDX-License-Identifier: Apache-2.0
// The figures for scripts. Members are written by hand; the names stand in docs/migrate.md.
#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "migrate/report.h"

namespace protean::migrate {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

double milliseconds(const LatencyHistogram& latency, double quantile) {
  return std::chrono::duration<double, std::milli>(latency.quantile(quantile)).count();
}

std::string format_side(const SideCounts& side) {
  std::string latency = "null";
  if (side.latency.count() != 0) {
    latency = fmt::format(R"({{"p50":{},"p90":{},"p99":{}}})", number(milliseconds(side.latency, 0.5)),
                          number(milliseconds(side.latency, 0.9)), number(milliseconds(side.latency, 0.99)));
  }
  return fmt::format(R"({{"answered":{},"failed":{},"timed":{},"latency_ms":{}}})", side.answered, side.failed,
                     side.latency.count(), latency);
}

std::string key_of(std::string_view name) {
  std::string key(name);
  for (char& c : key) c = c == ' ' ? '_' : c;
  return key;
}

std::string format_parity(const ParityRow& row) {
  std::string out = fmt::format(R"("compared":{})", row.compared());
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    out += fmt::format(R"(,"{}":{})", key_of(verdict_name(static_cast<Verdict>(i))), row.verdicts[i]);
  }
  out += fmt::format(R"(,"dropped":{},"largest_deviation":{},"kinds":{{)", row.dropped, number(row.largest_deviation));
  bool first = true;
  for (std::size_t i = 0; i < kDifferenceKinds; ++i) {
    if (row.kinds[i] == 0) continue;
    out += fmt::format(R"({}"{}":{})", first ? "" : ",", difference_kind_name(static_cast<DifferenceKind>(i)),
                       row.kinds[i]);
    first = false;
  }
  out += "}";
  for (const Side side : {Side::kFrom, Side::kTo}) {
    out += fmt::format(R"(,"{}":{})", side_name(side), format_side(row.sides[index_of(side)]));
  }
  return out;
}

std::string format_example(const Example& example) {
  std::string out = fmt::format(
      R"({{"ordinal":{},"at":{},"model":{},"method":{},"verdict":{},"request_line":{},"request":{},"differences":[)",
      example.ordinal, quoted(time_text(example.at)), quoted(example.call.model), quoted(example.call.method),
      quoted(verdict_name(example.verdict)), quoted(example.line), quoted(example.request));
  for (std::size_t i = 0; i < example.differences.size(); ++i) {
    const Difference& each = example.differences[i];
    out += fmt::format(R"({}{{"kind":{},"path":{},"from":{},"to":{}}})", i == 0 ? "" : ",",
                       quoted(difference_kind_name(each.kind)), quoted(each.path), quoted(each.from), quoted(each.to));
  }
  return out + "]}";
}

template <typename Items, typename Format>
std::string format_list(const Items& items, Format format) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ",";
    out += format(item);
  }
  return out + "]";
}

}  // namespace

std::string format_report_json(const Report& report) {
  const Snapshot& figures = report.figures;
  const Judgement judgement = judge(report);
  const auto side = [&](Side which, const std::string& url) {
    return fmt::format(R"({{"url":{},"up":{}}})", quoted(url), report.up[index_of(which)]);
  };
  std::string out = fmt::format(R"({{"verdict":{},"summary":{},"started":{},"at":{},"dialect":{})",
                                quoted(judgement.good  ? "parity"
                                       : judgement.bad ? "differences"
                                                       : "unknown"),
                                quoted(judgement.text), quoted(time_text(figures.started)),
                                quoted(time_text(report.at)), quoted(report.dialect));
  out += fmt::format(R"(,"sides":{{"from":{},"to":{}}},"weight":{{"to":{}}},"mirror":{},"tolerance":{})",
                     side(Side::kFrom, report.from), side(Side::kTo, report.to), report.weight_to, report.mirror_share,
                     report.tolerance);
  out +=
      fmt::format(R"(,"requests":{},"failed":{},"failed_over":{{"from":{},"to":{}}},"total":{{{}}})", figures.requests,
                  figures.failed, figures.failed_over[0], figures.failed_over[1], format_parity(report.total));
  out += ",\"rows\":" + format_list(figures.rows, [](const auto& row) {
           return fmt::format(R"({{"model":{},"method":{},{}}})", quoted(row.first.model), quoted(row.first.method),
                              format_parity(row.second));
         });
  out += ",\"examples\":" + format_list(figures.examples, format_example);
  out += ",\"events\":" + format_list(figures.events, [](const Event& event) {
           return fmt::format(R"({{"at":{},"text":{}}})", quoted(time_text(event.at)), quoted(event.text));
         });
  return out + "}\n";
}

}  // namespace protean::migrate
