// SPDX-License-Identifier: Apache-2.0
// Aliases, models held down and history as rows. A write is one transaction: it is rolled back unless it was
// committed, whatever failed.
#include "storage/sqlite/sqlite_store.h"

#include <algorithm>
#include <bit>
#include <mutex>

#include "base/text.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/schema.h"

namespace protean {
namespace {

/// Bytes of one free text of the history; what is longer is cut.
constexpr std::size_t kTextMax = 4096;

std::int64_t to_micros(std::chrono::system_clock::time_point at) {
  return std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
}

std::chrono::system_clock::time_point from_micros(std::int64_t micros) {
  return std::chrono::system_clock::time_point(std::chrono::microseconds(micros));
}

/// Every statement the store runs, prepared once.
struct Statements {
  Statement aliases, set_alias, remove_alias, held_down, hold_down, let_up;
  Statement add_history, trim_history, history, history_of_model;
};

Result<Statements> prepare_statements(Database& database) {
  Statements all;
  const std::initializer_list<std::pair<Statement*, std::string_view>> wanted = {
      {&all.aliases, "SELECT model, alias, version FROM aliases ORDER BY model, alias"},
      {&all.set_alias, "INSERT OR REPLACE INTO aliases (model, alias, version) VALUES (?1, ?2, ?3)"},
      {&all.remove_alias, "DELETE FROM aliases WHERE model = ?1 AND alias = ?2"},
      {&all.held_down, "SELECT model FROM held_down ORDER BY model"},
      {&all.hold_down, "INSERT OR IGNORE INTO held_down (model) VALUES (?1)"},
      {&all.let_up, "DELETE FROM held_down WHERE model = ?1"},
      {&all.add_history,
       "INSERT INTO history (at_us, actor, action, model, detail, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
      {&all.trim_history, "DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?1"},
      {&all.history,
       "SELECT id, at_us, actor, action, model, detail, outcome FROM history WHERE id < ?1 ORDER BY id DESC LIMIT ?2"},
      {&all.history_of_model,
       "SELECT id, at_us, actor, action, model, detail, outcome FROM history WHERE model = ?3 AND id < ?1"
       " ORDER BY id DESC LIMIT ?2"},
  };
  for (const auto& [statement, sql] : wanted) {
    TRY(*statement, database.prepare(sql));
  }
  return all;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(SqliteStoreOptions options, Database database, Statements statements)
      : options_(options), database_(std::move(database)), statements_(std::move(statements)) {}

  Result<std::vector<Alias>> aliases() override {
    const std::lock_guard lock(mutex_);
    std::vector<Alias> found;
    TRY_STATUS(each_row(statements_.aliases, "reading aliases", [&](const Statement& row) {
      found.push_back({row.text(0), row.text(1), std::bit_cast<std::uint64_t>(row.integer(2))});
    }));
    return found;
  }

  Status change_aliases(std::span<const AliasChange> changes, std::span<const HistoryRecord> history) override {
    const std::lock_guard lock(mutex_);
    return transact("changing aliases", [&]() -> Status {
      for (const auto& change : changes) {
        Statement& statement = change.version ? statements_.set_alias : statements_.remove_alias;
        statement.bind(1, change.model);
        statement.bind(2, change.alias);
        if (change.version) statement.bind(3, std::bit_cast<std::int64_t>(*change.version));
        TRY_STATUS(database_.finish(statement, "changing aliases"));
      }
      return add_history(history);
    });
  }

  Result<std::vector<std::string>> held_down() override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> models;
    TRY_STATUS(each_row(statements_.held_down, "reading models held down",
                        [&](const Statement& row) { models.push_back(row.text(0)); }));
    return models;
  }

  Status set_held_down(const std::string& model, bool held, const HistoryRecord& record) override {
    const std::lock_guard lock(mutex_);
    return transact("holding a model down", [&]() -> Status {
      Statement& statement = held ? statements_.hold_down : statements_.let_up;
      statement.bind(1, model);
      TRY_STATUS(database_.finish(statement, "holding a model down"));
      return add_history({&record, 1});
    });
  }

  Status append_history(const HistoryRecord& record) override {
    const std::lock_guard lock(mutex_);
    return transact("writing history", [&] { return add_history({&record, 1}); });
  }

  Result<std::vector<HistoryRecord>> history(const HistoryQuery& query) override {
    const std::lock_guard lock(mutex_);
    constexpr auto kIdMax = std::numeric_limits<std::int64_t>::max();
    Statement& statement = query.model.empty() ? statements_.history : statements_.history_of_model;
    const bool newest = query.before == 0 || query.before > static_cast<std::uint64_t>(kIdMax);
    statement.bind(1, newest ? kIdMax : static_cast<std::int64_t>(query.before));
    statement.bind(2, static_cast<std::int64_t>(std::min<std::uint64_t>(query.count_max, options_.history_max)));
    if (!query.model.empty()) statement.bind(3, query.model);
    std::vector<HistoryRecord> records;
    TRY_STATUS(each_row(statement, "reading history", [&](const Statement& row) {
      records.push_back({static_cast<std::uint64_t>(row.integer(0)), from_micros(row.integer(1)), row.text(2),
                         row.text(3), row.text(4), row.text(5), row.text(6)});
    }));
    return records;
  }

 private:
  template <typename F>
  Status each_row(Statement& statement, std::string_view doing, F&& use) {
    int result = SQLITE_ROW;
    while ((result = statement.step()) == SQLITE_ROW) use(statement);
    auto failed = result == SQLITE_DONE ? Status() : Status(database_.failure(result, doing));
    statement.reset();
    return failed;
  }

  template <typename F>
  Status transact(std::string_view doing, F&& write) {
    TRY_STATUS(database_.run("BEGIN IMMEDIATE", doing));
    Status done = write();
    const bool written = done.has_value();
    if (done) done = database_.run("COMMIT", doing);
    if (done) return done;
    database_.roll_back();
    return written ? forget_failed_commit(std::move(done).error()) : done;
  }

  /// A commit whose sync failed stands whole in the log, where the next start would take it for a good one. Emptying
  /// the log, or the next commit, ends that; when the disk refuses even this, the error says so.
  Status forget_failed_commit(Error error) {
    const auto busy = database_.integer("PRAGMA wal_checkpoint(TRUNCATE)");
    const bool emptied = busy.has_value() && *busy == 0;
    if (!emptied && error.code == Code::kUnavailable) {
      error.message += "; until the next change that succeeds, a restart may bring this one back";
    }
    return tl::unexpected<Error>(std::move(error));
  }

  /// Inside a transaction.
  Status add_history(std::span<const HistoryRecord> records) {
    for (const auto& record : records) {
      Statement& statement = statements_.add_history;
      statement.bind(1, to_micros(record.at));
      statement.bind(2, printable(record.actor, kTextMax));
      statement.bind(3, printable(record.action, kTextMax));
      statement.bind(4, record.model);
      statement.bind(5, printable(record.detail, kTextMax));
      statement.bind(6, printable(record.outcome, kTextMax));
      TRY_STATUS(database_.finish(statement, "writing history"));
    }
    if (records.empty()) return {};
    statements_.trim_history.bind(1, static_cast<std::int64_t>(options_.history_max));
    return database_.finish(statements_.trim_history, "trimming history");
  }

  const SqliteStoreOptions options_;
  std::mutex mutex_;
  // Guarded by mutex_. Statements go before the connection they belong to.
  Database database_;
  Statements statements_;
};

}  // namespace

Result<std::unique_ptr<Store>> make_sqlite_store(const std::filesystem::path& file, SqliteStoreOptions options) {
  options.history_max = std::clamp<std::uint64_t>(options.history_max, 1, std::uint64_t{1} << 40);
  TRY(Database database, Database::open(file, options.busy_wait));
  TRY_STATUS(prepare_schema(database));
  TRY(Statements statements, prepare_statements(database));
  return std::make_unique<SqliteStore>(options, std::move(database), std::move(statements));
}

}  // namespace protean
