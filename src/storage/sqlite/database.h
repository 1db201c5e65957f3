// SPDX-License-Identifier: Apache-2.0
// SQLite without its C: a connection that closes itself, statements that are always reset, and errors that name
// their cause. The one place where sqlite3.h is included.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace protean {

/// What SQLite reported, as one of ours. `doing`: `store /x/protean.db: changing aliases`.
/// kResourceExhausted: no space (SQLITE_FULL, or a write refused with ENOSPC, EDQUOT or EFBIG).
/// kUnavailable: held by another process, read-only, or an input/output error.
/// kDataLoss: damaged, or no database.  kInternal: anything else.
[[nodiscard]] tl::unexpected<Error> sqlite_failure(sqlite3* connection, int result, std::string_view doing);

/// A prepared statement, made once and used under the lock of its connection.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) noexcept : statement_(statement) {}

  /// 1-based, as in SQL. Text is copied. Out of memory shows at step().
  void bind(int index, std::int64_t value) noexcept { sqlite3_bind_int64(statement_.get(), index, value); }
  void bind(int index, std::string_view text) noexcept {
    sqlite3_bind_text64(statement_.get(), index, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  /// 0-based, as SQLite counts columns.
  [[nodiscard]] std::int64_t integer(int column) const noexcept {
    return sqlite3_column_int64(statement_.get(), column);
  }
  [[nodiscard]] std::string text(int column) const;

  /// SQLITE_ROW, SQLITE_DONE or an extended result code.
  [[nodiscard]] int step() noexcept { return sqlite3_step(statement_.get()); }
  /// Ready for the next use; bound text is let go.
  void reset() noexcept {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection.  Not thread-safe: its owner locks.
class Database {
 public:
  /// Opens or makes the file (mode 0600) and waits at most `busy_wait` for locks. Reads and writes nothing yet.
  /// Errors: kUnavailable, kResourceExhausted.
  static Result<Database> open(const std::filesystem::path& file, std::chrono::milliseconds busy_wait);

  /// Runs SQL without parameters that yields no rows of interest.
  [[nodiscard]] Status run(const char* sql, std::string_view doing);
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  /// The first column of the first row; 0 or empty when there is none.
  [[nodiscard]] Result<std::int64_t> integer(std::string_view sql);
  [[nodiscard]] Result<std::string> text(std::string_view sql);
  /// Steps to the end, for statements that yield no rows, and resets.
  [[nodiscard]] Status finish(Statement& statement, std::string_view doing);
  [[nodiscard]] tl::unexpected<Error> failure(int result, std::string_view doing) const;
  /// kFailedPrecondition: the file is whole, but not for us.
  [[nodiscard]] tl::unexpected<Error> refusal(std::string_view why) const;

  [[nodiscard]] bool read_only() const noexcept { return sqlite3_db_readonly(connection_.get(), "main") == 1; }
  /// Ends an open transaction, if there is one.
  void roll_back() noexcept;

 private:
  struct Close {
    void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
  };
  Database(sqlite3* connection, std::string name) noexcept : connection_(connection), name_(std::move(name)) {}

  std::unique_ptr<sqlite3, Close> connection_;
  std::string name_;  // for messages
};

}  // namespace protean
