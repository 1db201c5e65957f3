// SPDX-License-Identifier: Apache-2.0
// What comparing two answers comes to: differences with their place and both values, and one verdict. It is filled by
// the dialect's rules and read by the statistics; nothing here knows what an answer looks like.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace protean::migrate {

/// What kind of thing differs. kFormat is the one that is not a difference: the same value, written differently.
enum class DifferenceKind : unsigned char {
  kStatus,
  kHeader,
  kText,
  kType,
  kDtype,
  kShape,
  kValue,
  kMissing,
  kExtra,
  kVersion,
  kUnreadable,
  kFormat
};
inline constexpr std::size_t kDifferenceKinds = 12;
[[nodiscard]] std::string_view difference_kind_name(DifferenceKind kind) noexcept;

/// kFromFailed, kToFailed: that side gave no answer, so there was nothing to compare.
enum class Verdict : unsigned char { kEqual, kFormatting, kWithinTolerance, kDifferent, kFromFailed, kToFailed };
inline constexpr std::size_t kVerdicts = 6;
[[nodiscard]] std::string_view verdict_name(Verdict verdict) noexcept;

/// `path`: inside the message, such as `body.predictions[3][1]`.  Values are cut to kShownMax bytes.
struct Difference {
  DifferenceKind kind;
  std::string path;
  std::string from;
  std::string to;
};

/// A place inside a message, written out only when something is to be said about it: comparing a million elements must
/// not build a million strings.  Lives on the stack of whoever walks the message.
struct Path {
  const Path* up = nullptr;
  std::string_view name;  // a member's name; empty for an element
  std::size_t index = 0;

  [[nodiscard]] Path member(std::string_view member_name) const noexcept { return {this, member_name, 0}; }
  [[nodiscard]] Path element(std::size_t i) const noexcept { return {this, {}, i}; }
  [[nodiscard]] std::string str() const;
};

/// Not thread-safe.
class Comparison {
 public:
  static constexpr std::size_t kKept = 16;
  static constexpr std::size_t kShownMax = 200;

  void differ(DifferenceKind kind, const Path& path, std::string_view from, std::string_view to);
  /// A number that is not the same, but within the tolerance.
  void within(double delta) noexcept;
  /// As differ() for numbers: `delta` is counted for the largest deviation.
  void deviate(const Path& path, double from, double to);
  /// One side gave no answer: nothing else counts.
  void fail(Verdict side) noexcept { failed_ = side; }

  [[nodiscard]] Verdict verdict() const noexcept;
  /// The first kKept, those of kind kFormat only while there is room.
  [[nodiscard]] const std::vector<Difference>& differences() const noexcept { return kept_; }
  [[nodiscard]] std::uint64_t count(DifferenceKind kind) const noexcept {
    return counts_[static_cast<std::size_t>(kind)];
  }
  /// The largest absolute deviation between two numbers; 0 when all are the same.
  [[nodiscard]] double largest_deviation() const noexcept { return largest_; }

 private:
  std::vector<Difference> kept_;
  std::array<std::uint64_t, kDifferenceKinds> counts_{};
  std::uint64_t within_ = 0;
  double largest_ = 0;
  Verdict failed_ = Verdict::kEqual;
};

/// `value` safe to show: control characters and what is not UTF-8 replaced, cut to Comparison::kShownMax bytes.
[[nodiscard]] std::string shown(std::string_view value);
/// The shortest text that reads back as the same number.
[[nodiscard]] std::string shown_number(double value);

/// |a - b| <= tolerance + tolerance * max(|a|, |b|); two NaN are close, infinities only to themselves.
[[nodiscard]] bool are_close(double a, double b, double tolerance) noexcept;

/// Counts what comparing two numbers comes to.
void compare_numbers(Comparison& out, const Path& path, double from, double to, double tolerance);

}  // namespace protean::migrate
