// SPDX-License-Identifier: Apache-2.0
// user_version counts the migrations that have been applied; each runs in a transaction with its number.
#include "storage/sqlite/schema.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"

namespace protean {
namespace {

/// Versions of models are unsigned and stored as the signed integer of the same 64 bits.
/// `at_us`: microseconds since 1970, UTC. AUTOINCREMENT: ids of trimmed lines are never given again.
constexpr std::array<const char*, 1> kMigrations = {
    "CREATE TABLE aliases (model TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL,"
    " PRIMARY KEY (model, alias)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE held_down (model TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, actor TEXT NOT NULL,"
    " action TEXT NOT NULL, model TEXT NOT NULL, detail TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;"
    "CREATE INDEX history_by_model ON history (model, id);",
};

/// One process at a time: EXCLUSIVE keeps the lock between transactions and needs no shared memory file.
/// FULL syncs the log at each commit, so that what was acknowledged survives the machine.
constexpr const char* kSettings =
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY;";
constexpr const char* kDurability =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304;";

/// Whose file it is, and how old: the number of migrations that it has seen.
Result<std::int64_t> check_owner(Database& database) {
  TRY(const std::int64_t tables, database.integer("SELECT count(*) FROM sqlite_schema"));
  TRY(const std::int64_t application, database.integer("PRAGMA application_id"));
  TRY(const std::int64_t version, database.integer("PRAGMA user_version"));
  const bool fresh = tables == 0 && application == 0 && version == 0;
  if (!fresh && application != kSqliteApplicationId) {
    return database.refusal(fmt::format(
        "found a database of another program (application id {}), expected one of Protean or none", application));
  }
  if (version < 0 || version > static_cast<std::int64_t>(kMigrations.size())) {
    return database.refusal(fmt::format("found schema {}, expected at most {}: it was made by a newer Protean", version,
                                        kMigrations.size()));
  }
  return version;
}

Status check_integrity(Database& database) {
  TRY(const std::string verdict, database.text("PRAGMA quick_check(1)"));
  if (verdict == "ok") return {};
  return database.failure(SQLITE_CORRUPT, "checking it: " + printable(verdict, 256));
}

Status migrate(Database& database, std::size_t from) {
  for (std::size_t i = from; i < kMigrations.size(); ++i) {
    const std::string sql =
        fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT", kMigrations[i],
                    kSqliteApplicationId, i + 1);
    auto done = database.run(sql.c_str(), fmt::format("bringing it to schema {}", i + 1));
    if (!done) {
      database.roll_back();
      return done;
    }
  }
  return {};
}

}  // namespace

Status prepare_schema(Database& database) {
  // SQLite falls back to reading, and would fail at the first lock with a message about descriptors.
  if (database.read_only()) return database.failure(SQLITE_READONLY, "opening it");
  TRY_STATUS(database.run(kSettings, "opening it"));
  TRY(const std::int64_t version, check_owner(database));
  TRY_STATUS(check_integrity(database));
  TRY_STATUS(database.run(kDurability, "opening it"));
  // Takes the write lock, which is then kept, and finds out now whether the file can be written.
  TRY_STATUS(database.run("BEGIN IMMEDIATE; COMMIT", "opening it"));
  return migrate(database, static_cast<std::size_t>(version));
}

}  // namespace protean
