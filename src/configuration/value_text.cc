// SPDX-License-Identifier: Apache-2.0
// One table of units for reading and for writing.
#include "configuration/value_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

/// Binary units first and the largest first, so that formatting finds the shortest exact one.
constexpr std::array<Unit, 9> kByteUnits = {{{"TiB", std::uint64_t{1} << 40},
                                             {"GiB", std::uint64_t{1} << 30},
                                             {"MiB", std::uint64_t{1} << 20},
                                             {"KiB", std::uint64_t{1} << 10},
                                             {"GB", 1'000'000'000},
                                             {"MB", 1'000'000},
                                             {"kB", 1000},
                                             {"B", 1},
                                             {"", 1}}};
constexpr std::array<Unit, 4> kTimeUnits = {{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::string_view kMicros = "us";

std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) noexcept {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_uint64(text.substr(0, digits));
  const auto unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text.substr(digits); });
  if (!number || unit == units.end()) return std::nullopt;
  return checked_mul(*number, unit->factor);
}

}  // namespace

std::optional<bool> parse_bool(std::string_view text) noexcept {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept { return parse_with_unit(text, kByteUnits); }

std::optional<milliseconds> parse_duration(std::string_view text) noexcept {
  if (text == "0") return milliseconds(0);
  const auto ms = parse_with_unit(text, kTimeUnits);
  if (!ms || *ms > static_cast<std::uint64_t>(milliseconds::max().count())) return std::nullopt;
  return milliseconds(*ms);
}

std::optional<Duration> parse_fine_duration(std::string_view text) noexcept {
  constexpr std::uint64_t kMicrosMax = std::uint64_t(Duration::max().count()) / 1000;
  if (text.ends_with(kMicros)) {
    const auto us = parse_uint64(text.substr(0, text.size() - kMicros.size()));
    if (!us || *us > kMicrosMax) return std::nullopt;
    return microseconds(*us);
  }
  const auto ms = parse_duration(text);
  if (!ms || static_cast<std::uint64_t>(ms->count()) > kMicrosMax / 1000) return std::nullopt;
  return *ms;
}

std::string format_bytes_exactly(std::uint64_t bytes) {
  for (const auto& unit : kByteUnits) {
    const bool binary_or_plain = unit.name.ends_with("iB") || unit.factor == 1;
    if (binary_or_plain && bytes >= unit.factor && bytes % unit.factor == 0) {
      return fmt::format("{}{}", bytes / unit.factor, unit.name);
    }
  }
  return "0";
}

std::string format_duration_exactly(milliseconds duration) {
  const auto ms = static_cast<std::uint64_t>(duration.count());
  for (const auto& unit : kTimeUnits) {
    // Minutes and hours only for what nobody would write in seconds.
    const bool readable = unit.factor <= 1000 || ms / unit.factor >= 2 || unit.factor == 3'600'000;
    if (ms != 0 && ms % unit.factor == 0 && readable) return fmt::format("{}{}", ms / unit.factor, unit.name);
  }
  return "0s";
}

std::string format_fine_duration(Duration duration) {
  const auto us = std::chrono::duration_cast<microseconds>(duration).count();
  if (us % 1000 != 0) return fmt::format("{}{}", us, kMicros);
  return format_duration_exactly(milliseconds(us / 1000));
}

std::string toml_text(std::string_view text) {
  // TOML knows JSON's escapes, and wants DEL escaped as well.
  std::string json;
  append_json_string(json, text);
  std::string out;
  for (const char c : json) {
    if (c == 0x7F) {
      out += "\\u007F";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace protean
