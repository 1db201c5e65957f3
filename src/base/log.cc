// SPDX-License-Identifier: Apache-2.0
// The log over spdlog's asynchronous logger: lines are formatted here, spdlog carries them to standard error.
#include "base/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>

#include "base/text.h"

namespace protean::log {
namespace {

constexpr std::size_t kQueueLines = 8192;

struct Settings {
  std::atomic<Level> level{Level::kInfo};
  std::atomic<Format> format{Format::kJson};
};

Settings& settings() noexcept {
  static Settings instance;
  return instance;
}

std::mutex sink_mutex;
std::shared_ptr<spdlog::logger> sink_logger;  // guarded by sink_mutex for changes; read through sink()

std::shared_ptr<spdlog::logger> sink() {
  const std::lock_guard lock(sink_mutex);
  if (!sink_logger) {
    spdlog::init_thread_pool(kQueueLines, 1);
    sink_logger =
        std::make_shared<spdlog::async_logger>("protean", std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                               spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
    sink_logger->set_pattern("%v");
    sink_logger->set_level(spdlog::level::trace);
    sink_logger->flush_on(spdlog::level::info);
  }
  return sink_logger;
}

std::string_view level_name(Level level) noexcept {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
    case Level::kOff: break;
  }
  return "off";
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

void append_value(std::string& out, const Field& field, bool quoted) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    if (quoted) {
      append_json_string(out, *text);
    } else {
      out += printable(*text, 4096);
    }
  } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    out += fmt::format("{}", *integer);
  } else if (const auto* truth = std::get_if<bool>(&field.value)) {
    out += *truth ? "true" : "false";
  } else {
    const double number = std::get<double>(field.value);
    out += std::isfinite(number) ? fmt::format("{}", number) : "null";
  }
}

std::string json_line(Level level, std::string_view event, std::span<const Field> fields) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","event":)", timestamp(), level_name(level));
  append_json_string(line, event);
  for (const auto& field : fields) {
    line += ',';
    append_json_string(line, field.key);
    line += ':';
    append_value(line, field, true);
  }
  line += '}';
  return line;
}

std::string text_line(Level level, std::string_view event, std::span<const Field> fields) {
  std::string line = fmt::format("{} {:7} {}", timestamp(), level_name(level), event);
  for (const auto& field : fields) {
    line += fmt::format("  {}=", field.key);
    append_value(line, field, false);
  }
  return line;
}

}  // namespace

void configure(Level level, Format format) {
  settings().level = level;
  settings().format = format;
}

bool enabled(Level level) noexcept {
  const Level least = settings().level.load(std::memory_order_relaxed);
  return least != Level::kOff && level >= least;
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  write(level, event, std::span<const Field>(fields.begin(), fields.size()));
}

void write(Level level, std::string_view event, std::span<const Field> fields) {
  if (!enabled(level)) return;
  const bool json = settings().format.load(std::memory_order_relaxed) == Format::kJson;
  const std::string line = json ? json_line(level, event, fields) : text_line(level, event, fields);
  if (const auto logger = sink()) logger->log(spdlog::level::info, spdlog::string_view_t(line));
}

void flush_and_stop() {
  const std::lock_guard lock(sink_mutex);
  if (!sink_logger) return;
  sink_logger->flush();
  spdlog::shutdown();  // joins the writing thread, so the logger is freed below and not by it
  sink_logger.reset();
}

}  // namespace protean::log
