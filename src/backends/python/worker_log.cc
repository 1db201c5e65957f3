// SPDX-License-Identifier: Apache-2.0
// Two token buckets. A line from the package's own streams begins with RS, a level's letter, the request's id and RS;
// in a process that models share, the channel's number and US stand before the id.
#include "backends/python/worker_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "backends/python/descriptor.h"
#include "base/text.h"

namespace protean::python {
namespace {

constexpr char kMark = '\x1e';
constexpr std::size_t kIdBytesShown = 256;
constexpr std::size_t kLastBytes = 256;
constexpr char kChannelMark = '\x1f';
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kReadsPerTurn = 16;

/// For throwing output away without reading it.
int nowhere() noexcept {
  static const Descriptor file(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return file.get();
}

log::Level level_of(char letter) noexcept {
  switch (letter) {
    case 'E': return log::Level::kError;
    case 'W': return log::Level::kWarning;
    case 'D': return log::Level::kDebug;
    default: return log::Level::kInfo;
  }
}

WorkerLine parse(std::string_view text) {
  WorkerLine line;
  const auto end = text.find(kMark, 2);
  if (text.size() >= 3 && text.front() == kMark && end != std::string_view::npos) {
    line.level = level_of(text[1]);
    auto id = text.substr(2, end - 2);
    if (const auto mark = id.find(kChannelMark); mark != std::string_view::npos) {
      (void)std::from_chars(id.data(), id.data() + mark, line.channel);
      id.remove_prefix(mark + 1);
    }
    line.request = printable(id, kIdBytesShown);
    text.remove_prefix(end + 1);
  }
  line.text = printable(text, WorkerLog::kLineBytesMax);
  return line;
}

}  // namespace

void WorkerLog::refill(TimePoint now) {
  const double seconds = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  lines_ = std::min(kLinesBurst, lines_ + seconds * kLinesPerSecond);
  bytes_ = std::min(kBytesBurst, bytes_ + seconds * kBytesPerSecond);
}

bool WorkerLog::exhausted(TimePoint now) {
  refill(now);
  return lines_ < 1 || bytes_ < 1;
}

void WorkerLog::add(std::string_view bytes, TimePoint now) {
  refill(now);
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    const auto room = kLineBytesMax + kIdBytesShown - std::min(rest_.size(), kLineBytesMax + kIdBytesShown);
    rest_.append(part.substr(0, room));
    left_out_ += part.size() - std::min(part.size(), room);
    if (end == std::string_view::npos) return;
    line(rest_);
    rest_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void WorkerLog::read_from(int handle) {
  thread_local std::array<char, kReadBytes> bytes;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const TimePoint now = Clock::system().now();
    if (exhausted(now)) {
      const auto moved = ::splice(handle, nullptr, nowhere(), nullptr, 1 << 20, SPLICE_F_NONBLOCK);
      if (moved <= 0) return;
      note_discarded(static_cast<std::uint64_t>(moved));
      continue;
    }
    const auto got = ::read(handle, bytes.data(), bytes.size());
    if (got <= 0) return;
    add({bytes.data(), static_cast<std::size_t>(got)}, now);
  }
}

void WorkerLog::line(std::string_view text) {
  if (text.empty()) return;
  const auto parsed = parse(text);
  if (!parsed.text.empty()) last_ = printable(parsed.text, kLastBytes);
  if (lines_ < 1 || bytes_ < 1) {
    left_out_ += text.size();
    return;
  }
  lines_ -= 1;
  bytes_ -= static_cast<double>(text.size());
  if (!parsed.text.empty()) sink_(parsed);
}

void WorkerLog::flush(TimePoint now) {
  if (!rest_.empty()) add("\n", now);
  if (left_out_ == 0 || exhausted(now)) return;
  sink_({log::Level::kWarning, {}, std::to_string(std::exchange(left_out_, 0)) + " bytes of output were left out", 0});
}

}  // namespace protean::python
