// SPDX-License-Identifier: Apache-2.0
// What the parts of a running migration share: the dialect, the weight, both sides' health, the guard and the counts.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/memory_budget.h"
#include "migrate/dialect.h"
#include "migrate/guard.h"
#include "migrate/health.h"
#include "migrate/split.h"
#include "migrate/statistics.h"

namespace protean::migrate {

/// `from`, `to`: the sides' URLs, for reports.  `timeout`: of a request that brings no deadline.
/// `mirror_waiting_max`, `mirror_bytes_max`: samples under way, beyond which they are dropped; `mirror_in_flight_max`:
/// of those sent at the same time.  `example_bytes_max`: of each request that a report shows.
struct MigrationOptions {
  std::string from;
  std::string to;
  double weight_to = 0;
  double mirror_share = 1;
  double tolerance = 1e-5;
  Duration timeout = std::chrono::seconds(60);
  std::size_t mirror_waiting_max = 1024;
  std::size_t mirror_in_flight_max = 32;
  std::size_t mirror_bytes_max = std::size_t{256} << 20;
  std::size_t examples_max = 50;
  std::size_t example_bytes_max = 2048;
  GuardOptions guard;
};

/// Undoes a content coding (`gzip`), so that what is inside can be compared.  Errors: an unknown coding, broken bytes.
using BodyDecoder = std::function<Result<Slice>(std::string_view coding, const Slice& body)>;

/// Thread-safe.
class Migration {
 public:
  /// Without a decoder, coded bodies are compared as they are.
  Migration(MigrationOptions options, std::unique_ptr<DialectRules> dialect, BodyDecoder decode = {});

  [[nodiscard]] const MigrationOptions& options() const noexcept { return options_; }
  [[nodiscard]] const DialectRules& dialect() const noexcept { return *dialect_; }
  [[nodiscard]] const BodyDecoder& body_decoder() const noexcept { return decode_; }
  [[nodiscard]] Statistics& statistics() noexcept { return statistics_; }
  [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }
  [[nodiscard]] Split& split() noexcept { return split_; }
  [[nodiscard]] const Split& split() const noexcept { return split_; }
  [[nodiscard]] Health& health(Side side) noexcept { return health_[index_of(side)]; }
  [[nodiscard]] const Health& health(Side side) const noexcept { return health_[index_of(side)]; }

  /// Changes the new side's weight; logged and noted.  Requires 0 <= to <= 1.
  void set_weight(double to, std::string_view why);
  /// A side could not be reached or broke off; it answered. Changes are logged and noted.
  void side_failed(Side side, const Error& error, TimePoint now);
  void side_answered(Side side);
  /// Somebody wants the report's files written now; take_report_wish() says so once.
  void wish_report() noexcept { report_wanted_ = true; }
  [[nodiscard]] bool take_report_wish() noexcept { return report_wanted_.exchange(false); }
  /// For the guard.
  void observe_answer(bool error);
  void observe_comparison(bool different);

 private:
  void fall_back(const std::string& why);

  const MigrationOptions options_;
  const std::unique_ptr<DialectRules> dialect_;
  const BodyDecoder decode_;
  Statistics statistics_;
  Split split_;
  std::array<Health, kSides> health_;
  Guard guard_;
  std::atomic<bool> report_wanted_{false};
};

/// Whether a client would take the answer for a failure of the server: HTTP 5xx, or gRPC UNKNOWN, DEADLINE_EXCEEDED,
/// INTERNAL, UNAVAILABLE, DATA_LOSS.
[[nodiscard]] bool is_server_error(const Answer& answer) noexcept;

}  // namespace protean::migrate
