// SPDX-License-Identifier: Apache-2.0
// Names, paths and the order of verdicts: the worst thing found is the verdict.
#include "migrate/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace protean::migrate {
namespace {

constexpr std::array<std::string_view, kDifferenceKinds> kKindNames = {"status", "header",  "text",       "type",
                                                                       "dtype",  "shape",   "value",      "missing",
                                                                       "extra",  "version", "unreadable", "formatting"};
constexpr std::array<std::string_view, kVerdicts> kVerdictNames = {"equal",     "formatting only", "within tolerance",
                                                                   "different", "old side failed", "new side failed"};

}  // namespace

std::string_view difference_kind_name(DifferenceKind kind) noexcept {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::string_view verdict_name(Verdict verdict) noexcept { return kVerdictNames[static_cast<std::size_t>(verdict)]; }

std::string Path::str() const {
  std::vector<const Path*> steps;
  for (const Path* step = this; step != nullptr; step = step->up) steps.push_back(step);
  std::string out;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string_view label = (*step)->name;
    if (label.empty()) {
      out += fmt::format("[{}]", (*step)->index);
      continue;
    }
    if (!out.empty() && label.front() != '[') out += '.';
    out += printable(label, 100);
  }
  return out;
}

void Comparison::differ(DifferenceKind kind, const Path& path, std::string_view from, std::string_view to) {
  ++counts_[static_cast<std::size_t>(kind)];
  if (kept_.size() >= kKept) {
    // What is really different takes the place of what is only written differently.
    if (kind == DifferenceKind::kFormat || kept_.back().kind != DifferenceKind::kFormat) return;
    kept_.pop_back();
  }
  Difference difference{kind, path.str(), shown(from), shown(to)};
  if (kind == DifferenceKind::kFormat) return kept_.push_back(std::move(difference));
  const auto first_format =
      std::find_if(kept_.begin(), kept_.end(), [](const auto& d) { return d.kind == DifferenceKind::kFormat; });
  kept_.insert(first_format, std::move(difference));
}

void Comparison::within(double delta) noexcept {
  ++within_;
  largest_ = std::max(largest_, delta);
}

void Comparison::deviate(const Path& path, double from, double to) {
  const double delta = std::fabs(from - to);
  if (std::isfinite(delta)) largest_ = std::max(largest_, delta);
  differ(DifferenceKind::kValue, path, shown_number(from), shown_number(to));
}

Verdict Comparison::verdict() const noexcept {
  if (failed_ != Verdict::kEqual) return failed_;
  const std::uint64_t formats = count(DifferenceKind::kFormat);
  std::uint64_t all = 0;
  for (const std::uint64_t each : counts_) all += each;
  if (all > formats) return Verdict::kDifferent;
  if (within_ != 0) return Verdict::kWithinTolerance;
  return formats == 0 ? Verdict::kEqual : Verdict::kFormatting;
}

std::string shown(std::string_view value) { return printable(value, Comparison::kShownMax); }

std::string shown_number(double value) { return fmt::format("{}", value); }

bool are_close(double a, double b, double tolerance) noexcept {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  if (!std::isfinite(a) || !std::isfinite(b)) return false;
  return std::fabs(a - b) <= tolerance + tolerance * std::max(std::fabs(a), std::fabs(b));
}

void compare_numbers(Comparison& out, const Path& path, double from, double to, double tolerance) {
  if (from == to || (std::isnan(from) && std::isnan(to))) return;
  if (are_close(from, to, tolerance)) return out.within(std::fabs(from - to));
  out.deviate(path, from, to);
}

}  // namespace protean::migrate
