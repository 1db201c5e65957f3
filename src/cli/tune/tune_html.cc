// SPDX-License-Identifier: Apache-2.0
// SVG by hand: a logarithmic axis upwards, a linear one to the right, one line a configuration.
#include "cli/tune/tune_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/command_flags.h"

namespace protean {
namespace {

constexpr double kWidth = 900;
constexpr double kHeight = 440;
constexpr double kLeft = 70;
constexpr double kBottom = 50;
constexpr double kTop = 20;
constexpr double kRight = 30;
constexpr double kShownMax = 8;  // times the objective; what is slower stands at the upper edge

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 "
    "1em;color:#1b1f24;background:#fff}"
    "svg{width:100%;height:auto}table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.3em .8em;"
    "border-bottom:1px solid "
    "#d8dee4}td:last-child,th:last-child{text-align:left}.best{font-weight:600;background:#e6f4ea}"
    ".other{stroke:#9aa4af;fill:#9aa4af}.chosen{stroke:#1a7f37;fill:#1a7f37}.limit{stroke:#cf222e}text{font-size:13px;"
    "fill:#57606a}path{fill:none;stroke-width:1.5}path.chosen{stroke-width:2.5}@media(prefers-color-scheme:dark){"
    "body{color:#e6edf3;background:#0d1117}th,td{border-color:#30363d}.best{background:#12261a}text{fill:#8b949e}}";

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : printable(text, 500)) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

/// A step of 1, 2 or 5 times a power of ten that divides `most` into at most eight.
double tick_step(double most) {
  const double power = std::pow(10, std::floor(std::log10(most / 8)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (most / (factor * power) <= 8) return factor * power;
  }
  return 10 * power;
}

class Plane {
 public:
  explicit Plane(const TuneReport& report) {
    const auto limit = static_cast<double>(report.slo.limit.count());
    low_ = limit / 2;
    high_ = limit * 2;
    for (const auto& trial : report.trials) {
      for (const auto& point : trial.points) {
        const auto latency = static_cast<double>(std::max<std::int64_t>(1, point.latency.count()));
        most_ = std::max(most_, point.requests_per_second * 1.05);
        low_ = std::min(low_, latency * 0.8);
        high_ = std::max(high_, std::min(latency * 1.1, limit * kShownMax));
      }
    }
  }
  [[nodiscard]] double x(double rate) const { return kLeft + rate / most_ * (kWidth - kLeft - kRight); }
  [[nodiscard]] double y(Duration latency) const {
    const double value = std::clamp(static_cast<double>(latency.count()), low_, high_);
    return kHeight - kBottom - std::log(value / low_) / std::log(high_ / low_) * (kHeight - kBottom - kTop);
  }
  [[nodiscard]] std::string axes() const {
    std::string out;
    const double step = tick_step(most_);
    for (double rate = 0; rate <= most_; rate += step) {
      out += fmt::format(R"(<line x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}" stroke="#8884"/>)", x(rate), kTop,
                         kHeight - kBottom);
      out += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{:.0f}</text>)", x(rate),
                         kHeight - kBottom + 18, rate);
    }
    for (double power = std::pow(10, std::floor(std::log10(low_))); power <= high_; power *= 10) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (power * factor >= low_ && power * factor <= high_) out += level(Duration(std::llround(power * factor)));
      }
    }
    return out;
  }

 private:
  [[nodiscard]] std::string level(Duration latency) const {
    return fmt::format(R"(<line x1="{0}" y1="{1:.1f}" x2="{2}" y2="{1:.1f}" stroke="#8884"/>)"
                       R"(<text x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>)",
                       kLeft, y(latency), kWidth - kRight, kLeft - 8, y(latency) + 4, format_span(latency));
  }

  double most_ = 1;
  double low_ = 1;
  double high_ = 2;
};

std::string hint(const TuneTrial& trial, const TunePoint& point, const Slo& slo) {
  const std::string load = point.rate > 0 ? fmt::format("open loop at {:.0f}/s", point.rate)
                                          : fmt::format("closed loop, {} in flight", point.concurrency);
  return escape(fmt::format("{}: {:.0f} requests/s, {} {} ({})", format_tune_config(trial.config),
                            point.requests_per_second, slo.name, format_span(point.latency), load));
}

/// The ladder of closed loops as a line, open loops as squares.
std::string curve(const TuneTrial& trial, const Plane& plane, const Slo& slo, bool best) {
  std::string path;
  std::string marks;
  const std::string_view kind = best ? "chosen" : "other";
  for (const auto& point : trial.points) {
    const double x = plane.x(point.requests_per_second);
    const double y = plane.y(point.latency);
    const std::string title = fmt::format("<title>{}</title>", hint(trial, point, slo));
    if (point.rate > 0) {
      marks += fmt::format(R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="8" height="8">{}</rect>)", kind, x - 4,
                           y - 4, title);
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", x, y);
    marks += fmt::format(R"(<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}">{}</circle>)", kind, x, y, best ? 4.5 : 3,
                         title);
  }
  return path.empty() ? marks : fmt::format(R"(<path class="{}" d="{}"/>)", kind, path) + marks;
}

std::string chart(const TuneReport& report, const TuneTrial* best) {
  const Plane plane(report);
  std::string out =
      fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="throughput against latency">)", kWidth, kHeight);
  out += plane.axes();
  const double limit = plane.y(report.slo.limit);
  out += fmt::format(R"(<line class="limit" x1="{0}" y1="{1:.1f}" x2="{2}" y2="{1:.1f}" stroke-dasharray="6 4"/>)",
                     kLeft, limit, kWidth - kRight);
  for (const auto& trial : report.trials) {
    if (&trial != best) out += curve(trial, plane, report.slo, false);
  }
  if (best != nullptr) out += curve(*best, plane, report.slo, true);
  out += fmt::format(R"(<text x="{}" y="{}" text-anchor="end">requests/s</text>)", kWidth - kRight, kHeight - 10);
  return out + fmt::format(R"(<text x="{}" y="14">{}</text></svg>)", kLeft, escape(report.slo.name));
}

std::string table(const TuneReport& report, const TuneTrial* best) {
  std::string out = fmt::format(
      "<table><thead><tr><th>batch</th><th>instances</th><th>threads</th><th>requests/s</th>"
      "<th>{}</th><th></th></tr></thead><tbody>",
      escape(report.slo.name));
  for (const auto& trial : report.trials) {
    out += fmt::format("<tr{}><td>{}</td><td>{}</td><td>{}</td>", &trial == best ? " class=\"best\"" : "",
                       trial.config.rows_max, trial.config.instances, trial.config.intra_op_threads);
    out += trial.best
               ? fmt::format("<td>{:.0f}</td><td>{}</td><td>{}</td></tr>", trial.best->requests_per_second,
                             format_span(trial.best->latency), &trial == best ? "best" : "")
               : fmt::format("<td>-</td><td>-</td><td>{}</td></tr>", escape(format_tune_result(trial, report.slo)));
  }
  return out + "</tbody></table>";
}

}  // namespace

std::string format_tune_html(const TuneReport& report) {
  const TuneTrial* best = recommend(report.trials);
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>protean tune: "
      "{0}</title>\n<style>{1}</style>"
      "</head>\n<body><h1>{0}</h1>\n<p>{2} of at most {3}; {4}{5}.</p>\n",
      escape(report.model), kStyle, escape(report.slo.name), format_span(report.slo.limit), escape(report.setting),
      report.interrupted ? "; interrupted" : "");
  const std::string verdict = best == nullptr ? "No configuration keeps the objective."
                                              : fmt::format("Best: {}: {}.", format_tune_config(best->config),
                                                            format_tune_result(*best, report.slo));
  out += fmt::format("<p><strong>{}</strong></p>\n", escape(verdict));
  if (!report.trials.empty()) out += chart(report, best) + "\n" + table(report, best) + "\n";
  return out +
         "<p>Lines and circles: closed loops of 1, 2, 4 ... requests in flight. Squares: open loops with Poisson "
         "arrivals. Dashed: the objective.</p>\n</body></html>\n";
}

}  // namespace protean
