// SPDX-License-Identifier: Apache-2.0
// The report as one page that loads nothing and runs nothing: it can be mailed, archived, read on a phone and in the
// dark. Everything that comes from a request or an answer is escaped.
#include <fmt/format.h>

#include <string_view>

#include "migrate/report.h"

namespace protean::migrate {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2733;--dim:#5b6875;--line:#dde3e9;--card:#f5f7f9;--good:#116b3a;
--goodbg:#e3f4ea;--bad:#a8200d;--badbg:#fcebe8;--wait:#7a5200;--waitbg:#fdf3dc;--bar:#2b6cb0;--code:#eef1f4}
@media(prefers-color-scheme:dark){:root{--bg:#12171d;--fg:#e4e9ee;--dim:#97a4b1;--line:#2b343e;--card:#1a2129;
--good:#7ddba3;--goodbg:#10301e;--bad:#ff9c8d;--badbg:#3a1610;--wait:#f2cd7a;--waitbg:#33270b;--bar:#63a4e8;--code:#1f2730}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:84rem;padding:1rem;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.3rem;margin:.2rem 0}h2{font-size:1.05rem;margin:2rem 0 .5rem}
p{margin:.3rem 0}.dim{color:var(--dim)}
.banner{border-radius:.5rem;padding:.8rem 1rem;margin:1rem 0;font-size:1.15rem;font-weight:600}
.good{background:var(--goodbg);color:var(--good)}.bad{background:var(--badbg);color:var(--bad)}
.wait{background:var(--waitbg);color:var(--wait)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.5rem .8rem}
.card b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}
.weight{height:.7rem;border-radius:.35rem;background:var(--line);overflow:hidden;margin:.6rem 0}
.weight div{height:100%;background:var(--bar)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{font-weight:600;color:var(--dim);font-size:.85rem;white-space:normal;vertical-align:bottom}
td.zero{color:var(--dim)}tr.all td{border-bottom-width:2px;font-weight:600}
th:first-child,td:first-child,.left th,.left td,.what{text-align:left}
td.what{white-space:normal}
td.hit{color:var(--bad);font-weight:600}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;background:var(--card)}
summary{padding:.5rem .8rem;cursor:pointer;overflow-wrap:anywhere}
details>div{padding:0 .8rem .8rem}
code,pre{font:13px/1.45 ui-monospace,monospace;background:var(--code);border-radius:.25rem}
code{padding:.05rem .25rem;overflow-wrap:anywhere;white-space:normal}
pre{padding:.6rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.left td{white-space:normal;vertical-align:top}
)css";

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string name_of(const CallName& call) {
  return call.model.empty() ? escaped(call.method)
                            : fmt::format("<b>{}</b> {}", escaped(call.model), escaped(call.method));
}

std::string cell(std::uint64_t count, bool bad = false) {
  const std::string_view colour = count == 0 ? "zero" : bad ? "hit" : "";
  return fmt::format("<td class=\"{}\">{}</td>", colour, count);
}

std::string card(std::string_view name, const std::string& value) {
  return fmt::format("<div class=\"card\"><span class=\"dim\">{}</span><b>{}</b></div>", name, value);
}

std::string head(const Report& report, bool live) {
  const Judgement judgement = judge(report);
  const std::string_view colour = judgement.good ? "good" : judgement.bad ? "bad" : "wait";
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{}<title>{}: migration</title>\n"
      "<style>{}</style>\n</head>\n<body>\n",
      live ? "<meta http-equiv=\"refresh\" content=\"5\">\n" : "", escaped(judgement.text), kStyle);
  out += fmt::format("<h1>Migration of {} servers</h1>\n", escaped(report.dialect));
  const auto side = [&](Side which, std::string_view title, const std::string& url) {
    const bool up = report.up[index_of(which)];
    return fmt::format("<p>{} <code>{}</code>{}</p>\n", title, escaped(url),
                       up ? "" : " <b class=\"bad\">does not answer</b>");
  };
  out += side(Side::kFrom, "Old:", report.from) + side(Side::kTo, "New:", report.to);
  out += fmt::format("<p class=\"dim\">From {} to {}{}. Mirrored: {:g} %, numeric tolerance {:g}.</p>\n",
                     time_text(report.figures.started), time_text(report.at), live ? ", live" : "",
                     report.mirror_share * 100, report.tolerance);
  return out + fmt::format("<p class=\"banner {}\">{}</p>\n", colour, escaped(judgement.text));
}

std::string cards(const Report& report) {
  const Snapshot& figures = report.figures;
  std::string out = "<div class=\"cards\">\n";
  out += card("Requests", fmt::format("{}", figures.requests));
  out += card("Answered by the old side", fmt::format("{}", report.total.sides[0].answered));
  out += card("Answered by the new side", fmt::format("{}", report.total.sides[1].answered));
  out += card("Failed", fmt::format("{}", figures.failed));
  out += card("Failed over", fmt::format("{}", figures.failed_over[0] + figures.failed_over[1]));
  out += card("Samples dropped", fmt::format("{}", report.total.dropped));
  out += "</div>\n<h2>Weight of the new side</h2>\n";
  return out + fmt::format(
                   "<div class=\"weight\"><div style=\"width:{0:g}%\"></div></div><p>{0:g} % of the requests are "
                   "answered by the new side.</p>\n",
                   report.weight_to * 100);
}

std::string kinds_found(const ParityRow& row) {
  std::string kinds;
  for (std::size_t i = 0; i < kDifferenceKinds; ++i) {
    if (row.kinds[i] == 0) continue;
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", difference_kind_name(static_cast<DifferenceKind>(i)),
                         row.kinds[i]);
  }
  return kinds;
}

std::string parity_row(const std::string& name, const ParityRow& row) {
  return fmt::format("<td>{}</td>", name) + cell(row.compared()) + cell(row.count(Verdict::kDifferent), true) +
         fmt::format("<td class=\"what\">{}</td>", kinds_found(row)) + cell(row.count(Verdict::kEqual)) +
         cell(row.count(Verdict::kWithinTolerance)) + cell(row.count(Verdict::kFormatting)) +
         cell(row.count(Verdict::kFromFailed), true) + cell(row.count(Verdict::kToFailed), true) + cell(row.dropped) +
         fmt::format("<td>{:.3g}</td></tr>\n", row.largest_deviation);
}

/// Rows of a table, behind one for all of them when there are several.
template <typename Format>
std::string rows(const Report& report, Format format) {
  std::string out;
  if (report.figures.rows.size() != 1) out += "<tr class=\"all\">" + format("All", report.total);
  for (const auto& [call, row] : report.figures.rows) out += "<tr>" + format(name_of(call), row);
  return out + "</table></div>\n";
}

std::string parity(const Report& report) {
  return "<h2>Parity</h2>\n<div class=\"scroll\"><table>\n<tr><th>Model and method</th><th>Compared</th>"
         "<th>Different</th><th class=\"what\">What was found</th><th>Equal</th><th>Within tolerance</th>"
         "<th>Formatting only</th><th>Old side failed</th><th>New side failed</th><th>Dropped</th>"
         "<th>Largest deviation</th></tr>\n" +
         rows(report, parity_row);
}

std::string latency_row(const std::string& name, const ParityRow& row) {
  std::string out = fmt::format("<td>{}</td>", name);
  for (const SideCounts& side : row.sides) {
    out += cell(side.latency.count());
    for (const double q : {0.5, 0.9, 0.99}) out += fmt::format("<td>{}</td>", latency_text(side.latency, q));
  }
  return out + "</tr>\n";
}

std::string latencies(const Report& report) {
  return "<h2>Latency</h2>\n<p class=\"dim\">From the request on an open connection to the last byte of the answer, to "
         "clients and to the mirror.</p>\n<div class=\"scroll\"><table>\n<tr><th>Model and method</th>"
         "<th>Old: timed</th><th>p50</th><th>p90</th><th>p99</th><th>New: timed</th><th>p50</th><th>p90</th>"
         "<th>p99</th></tr>\n" +
         rows(report, latency_row);
}

std::string example(const Example& example, bool open) {
  std::string out = fmt::format(
      "<details{}><summary>{} &middot; {} &middot; comparison {}</summary><div>\n<p><code>{}</code> "
      "<span class=\"dim\">{}</span></p>\n",
      open ? " open" : "", name_of(example.call), verdict_name(example.verdict), example.ordinal, escaped(example.line),
      time_text(example.at));
  out += "<div class=\"scroll\"><table class=\"left\"><tr><th>Kind</th><th>Where</th><th>Old</th><th>New</th></tr>\n";
  for (const Difference& each : example.differences) {
    out += fmt::format("<tr><td>{}</td><td><code>{}</code></td><td><code>{}</code></td><td><code>{}</code></td></tr>\n",
                       difference_kind_name(each.kind), escaped(each.path), escaped(each.from), escaped(each.to));
  }
  out += "</table></div>\n";
  if (!example.request.empty()) out += fmt::format("<p>Request:</p><pre>{}</pre>\n", escaped(example.request));
  return out + "</div></details>\n";
}

std::string examples(const Report& report) {
  std::string out = "<h2>First examples</h2>\n";
  if (report.figures.examples.empty()) return out + "<p class=\"dim\">None.</p>\n";
  std::size_t shown = 0;
  for (const Example& each : report.figures.examples) out += example(each, shown++ < 3);
  return out;
}

std::string events(const Report& report) {
  if (report.figures.events.empty()) return {};
  std::string out = "<h2>Events</h2>\n<div class=\"scroll\"><table class=\"left\">\n";
  for (const Event& event : report.figures.events) {
    out += fmt::format("<tr><td class=\"dim\">{}</td><td>{}</td></tr>\n", time_text(event.at), escaped(event.text));
  }
  return out + "</table></div>\n";
}

}  // namespace

std::string format_report_html(const Report& report, bool live) {
  return head(report, live) + cards(report) + parity(report) + examples(report) + latencies(report) + events(report) +
         "</body>\n</html>\n";
}

}  // namespace protean::migrate
