// SPDX-License-Identifier: Apache-2.0
// What becomes of a worker's standard output and error: lines of the server's log, bounded in length and number.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace protean::python {

/// One line, already printable. `request`: ids, empty when none is known.  `channel`: the number of the channel that it
/// belongs to, in a process with several; 0: not known.
struct WorkerLine {
  log::Level level = log::Level::kInfo;
  std::string request;
  std::string text;
  std::uint32_t channel = 0;
};

/// Splits bytes into lines and lets so many through as its budget allows: bursts of kLinesBurst lines and kBytesBurst
/// bytes, refilled by kLinesPerSecond and kBytesPerSecond.  Not thread-safe.
class WorkerLog {
 public:
  static constexpr std::size_t kLineBytesMax = 4096;
  static constexpr double kLinesBurst = 500;
  static constexpr double kLinesPerSecond = 50;
  static constexpr double kBytesBurst = 1 << 20;
  static constexpr double kBytesPerSecond = 128 << 10;

  using Sink = std::function<void(const WorkerLine&)>;
  explicit WorkerLog(Sink sink) : sink_(std::move(sink)) {}

  void add(std::string_view bytes, TimePoint now);
  /// What can be read from `handle` without waiting, as far as one turn goes.
  void read_from(int handle);
  /// Bytes that were thrown away unread.
  void note_discarded(std::uint64_t bytes) noexcept { left_out_ += bytes; }
  /// Whether bytes would only be left out: the caller may throw them away unread.
  [[nodiscard]] bool exhausted(TimePoint now);
  /// An unfinished line, and how much was left out.  Call when nothing more comes for now.
  void flush(TimePoint now);
  /// Of the lines so far, the last that is not empty; cut to 256 bytes.
  [[nodiscard]] const std::string& last_line() const noexcept { return last_; }

 private:
  void refill(TimePoint now);
  void line(std::string_view text);

  const Sink sink_;
  std::string rest_;
  std::string last_;
  double lines_ = kLinesBurst;
  double bytes_ = kBytesBurst;
  TimePoint refilled_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace protean::python
