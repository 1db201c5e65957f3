// SPDX-License-Identifier: Apache-2.0
// Writer of both text formats. They differ in the names of counter families, in units, in how bucket limits
// are spelled and in the closing line.
#include "monitoring/prometheus_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/text.h"

namespace protean {
namespace {

using metrics::Family;
using metrics::Kind;
using metrics::Labels;
using metrics::Member;

/// One media range of an Accept field; q in thousandths (RFC 9110 12.4.2).
struct MediaRange {
  std::string_view type;
  std::string_view version;
  int q = 1000;
};

int parse_q(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
  int q = (text[0] - '0') * 1000;
  int place = 100;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (i == 1 && text[i] == '.') continue;
    if (i == 1 || text[i] < '0' || text[i] > '9') return 0;
    q += (text[i] - '0') * place;
    place /= 10;
  }
  return std::min(q, 1000);
}

MediaRange parse_media_range(std::string_view text) {
  MediaRange range;
  const auto parts = split(text, ';');
  if (!parts.empty()) range.type = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto equals = parts[i].find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = trim(parts[i].substr(0, equals));
    const auto value = trim(parts[i].substr(equals + 1));
    if (equals_ignore_case(name, "q")) range.q = parse_q(value);
    if (equals_ignore_case(name, "version")) range.version = value;
  }
  return range;
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '"': out += quotes ? "\\\"" : "\""; break;
      default: out += c;
    }
  }
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

/// A bucket's limit. Fifteen digits hide what multiplying by a scale adds (1.0000000000000001e-05).
std::string limit(double value, MetricsFormat format) {
  std::string text = fmt::format("{:.15g}", value);
  const bool integral = text.find_first_of(".e") == std::string::npos;
  if (integral && format == MetricsFormat::kOpenMetrics) text += ".0";
  return text;
}

/// The unit that a name ends with, which OpenMetrics wants said once more; empty when there is none.
std::string_view unit_of(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 2> kUnits = {"seconds", "bytes"};
  for (const auto unit : kUnits) {
    if (name.size() > unit.size() && name.ends_with(unit) && name[name.size() - unit.size() - 1] == '_') return unit;
  }
  return {};
}

/// Writes the families one after another into one string.
class Writer {
 public:
  explicit Writer(MetricsFormat format) : format_(format) {}

  void family(const Family& family) {
    head(family);
    for (const auto& member : family.members) {
      if (member.histogram) {
        histogram(family.name, member);
      } else {
        const std::string value =
            member.counter ? fmt::format("{}", member.counter->value()) : number(member.gauge->value());
        sample(family.name, family.kind == Kind::kCounter ? "_total" : "", member.labels, {}, value);
      }
    }
  }

  std::string finish() && {
    if (format_ == MetricsFormat::kOpenMetrics) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  void head(const Family& family) {
    constexpr std::array<std::string_view, 3> kKinds = {"counter", "gauge", "histogram"};
    const bool open = format_ == MetricsFormat::kOpenMetrics;
    std::string name = family.name;
    if (family.kind == Kind::kCounter && !open) name += "_total";
    out_ += fmt::format("# HELP {} ", name);
    // OpenMetrics escapes quotes in helps as well; the older format leaves them.
    append_escaped(out_, family.help, open);
    out_ += fmt::format("\n# TYPE {} {}\n", name, kKinds[static_cast<std::size_t>(family.kind)]);
    if (const auto unit = unit_of(family.name); open && !unit.empty()) {
      out_ += fmt::format("# UNIT {} {}\n", name, unit);
    }
  }

  void sample(std::string_view name, std::string_view suffix, const Labels& labels, std::string_view le,
              std::string_view value) {
    out_.append(name).append(suffix);
    char separator = '{';
    const auto label = [&](std::string_view key, std::string_view text) {
      out_ += separator;
      separator = ',';
      out_.append(key).append("=\"");
      append_escaped(out_, text, true);
      out_ += '"';
    };
    for (const auto& [key, text] : labels) label(key, text);
    if (!le.empty()) label("le", le);
    if (separator == ',') out_ += '}';
    out_ += ' ';
    out_.append(value).append("\n");
  }

  void histogram(std::string_view name, const Member& member) {
    const auto& histogram = *member.histogram;
    const auto bounds = histogram.bounds();
    // Read before the buckets: requests that finish meanwhile may be missing from the sum, never counted twice.
    const double sum = static_cast<double>(histogram.sum()) * histogram.scale();
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
      count += histogram.bucket(i);
      const std::string le =
          i == bounds.size() ? "+Inf" : limit(static_cast<double>(bounds[i]) * histogram.scale(), format_);
      sample(name, "_bucket", member.labels, le, fmt::format("{}", count));
    }
    sample(name, "_sum", member.labels, {}, number(sum));
    sample(name, "_count", member.labels, {}, fmt::format("{}", count));
  }

  MetricsFormat format_;
  std::string out_;
};

}  // namespace

MetricsFormat choose_metrics_format(std::string_view accept) {
  int open = 0;
  int text = 0;
  for (const auto piece : split(accept, ',')) {
    const auto range = parse_media_range(piece);
    const bool known_version = range.version.empty() || range.version == "1.0.0" || range.version == "0.0.1";
    if (equals_ignore_case(range.type, "application/openmetrics-text") && known_version) {
      open = std::max(open, range.q);
    }
    // Version 1.0.0 of text/plain only adds quoting for names beyond ASCII; ours need none, so 0.0.4 serves it.
    if (equals_ignore_case(range.type, "text/plain")) text = std::max(text, range.q);
  }
  return open > 0 && open >= text ? MetricsFormat::kOpenMetrics : MetricsFormat::kPrometheus;
}

std::string_view metrics_content_type(MetricsFormat format) noexcept {
  return format == MetricsFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                               : "text/plain; version=0.0.4; charset=utf-8";
}

std::string format_metrics(std::span<const Family> families, MetricsFormat format) {
  std::vector<const Family*> sorted;
  for (const auto& family : families) {
    if (!family.members.empty()) sorted.push_back(&family);
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  Writer writer(format);
  for (const auto* family : sorted) writer.family(*family);
  return std::move(writer).finish();
}

}  // namespace protean
