// SPDX-License-Identifier: Apache-2.0
// Structured log: one JSON object a line on standard error (or plain text for people), written by a
// background thread with a bounded queue, so that a slow terminal never delays a request.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace protean::log {

enum class Level : unsigned char { kDebug, kInfo, kWarning, kError, kOff };
enum class Format : unsigned char { kJson, kText };

/// One member of a line. Strings are copied and escaped; keys are literals.
struct Field {
  std::string_view key;
  std::variant<std::int64_t, double, bool, std::string_view> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral I>
  Field(std::string_view k, I v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

/// Called once at start, before threads exist. Until then lines of kInfo and above go out as JSON.
void configure(Level level, Format format);

[[nodiscard]] bool enabled(Level level) noexcept;

/// `{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"model loaded","model":"iris"}`.
/// Thread-safe. When the queue is full the oldest line is dropped, never the request delayed.
void write(Level level, std::string_view event, std::initializer_list<Field> fields = {});
/// The same for members that are decided at run time.
void write(Level level, std::string_view event, std::span<const Field> fields);

inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kInfo, event, fields);
}
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kWarning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kError, event, fields);
}
inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kDebug, event, fields);
}

/// Writes out what is queued and ends the background thread. Call last.
void flush_and_stop();

}  // namespace protean::log
