// SPDX-License-Identifier: Apache-2.0
// Opening files, result codes and the few calls the store needs.
#include "storage/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kNameMax = 512;

bool out_of_space(int number) noexcept { return number == ENOSPC || number == EDQUOT || number == EFBIG; }

/// Makes the file for its owner alone; SQLite gives the files beside it the same mode. An existing file is not
/// touched, nor even opened: closing it would drop the locks of another connection of this process (POSIX).
Status make_file(const std::filesystem::path& file, const std::string& name) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    if (errno == EEXIST) return {};
    const Code code = out_of_space(errno) ? Code::kResourceExhausted : Code::kUnavailable;
    return fail(code, fmt::format("store {}: cannot be made: {}", name, std::strerror(errno)));
  }
  ::close(descriptor);
  // The name must outlive the machine as well; SQLite does this only for files that it made itself.
  auto folder = file.parent_path();
  if (folder.empty()) folder = ".";
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool kept = handle >= 0 && ::fsync(handle) == 0;
  const int error = errno;
  if (handle >= 0) ::close(handle);
  if (kept || error == EINVAL) return {};
  return fail(Code::kUnavailable, fmt::format("store {}: its folder cannot be synced: {}", name, std::strerror(error)));
}

/// errno of what failed last: sqlite3_system_errno() forgets it on the way out of a commit, the files do not.
int system_error(sqlite3* connection) noexcept {
  if (const int number = sqlite3_system_errno(connection); number != 0) return number;
  for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    int number = 0;
    if (sqlite3_file_control(connection, "main", which, &file) != SQLITE_OK || file == nullptr) continue;
    if (file->pMethods == nullptr || file->pMethods->xFileControl == nullptr) continue;
    if (file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number) == SQLITE_OK && number != 0) return number;
  }
  return 0;
}

}  // namespace

tl::unexpected<Error> sqlite_failure(sqlite3* connection, int result, std::string_view doing) {
  const int number = system_error(connection);
  const std::string_view words = connection == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(connection);
  switch (result & 0xFF) {
    case SQLITE_FULL: return fail(Code::kResourceExhausted, fmt::format("{}: disk full", doing));
    case SQLITE_IOERR: {
      const std::string_view cause = number == 0 ? words : std::strerror(number);
      if (out_of_space(number)) {
        return fail(Code::kResourceExhausted, fmt::format("{}: disk full ({})", doing, cause));
      }
      return fail(Code::kUnavailable, fmt::format("{}: I/O error {}: {}", doing, result, cause));
    }
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(Code::kUnavailable, fmt::format("{}: another process holds the file open: stop it, or give each "
                                                  "server a store of its own",
                                                  doing));
    case SQLITE_READONLY:
      return fail(Code::kUnavailable, fmt::format("{}: the file or its folder is read-only ({})", doing, words));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return fail(Code::kUnavailable,
                  fmt::format("{}: cannot be opened: {}", doing, number == 0 ? words : std::strerror(number)));
    case SQLITE_CORRUPT:
      return fail(Code::kDataLoss,
                  fmt::format("{}: the file is damaged ({}): move it away, or restore a copy", doing, words));
    case SQLITE_NOTADB: return fail(Code::kDataLoss, fmt::format("{}: the file is not a SQLite database", doing));
    case SQLITE_NOMEM: return fail(Code::kResourceExhausted, fmt::format("{}: out of memory", doing));
    default: return fail(Code::kInternal, fmt::format("{}: {} (SQLite {})", doing, words, result));
  }
}

std::string Statement::text(int column) const {
  const auto* text = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), std::size_t(size));
}

Result<Database> Database::open(const std::filesystem::path& file, std::chrono::milliseconds busy_wait) {
  std::string name = printable(file.string(), kNameMax);
  TRY_STATUS(make_file(file, name));
  sqlite3* connection = nullptr;
  // Absolute, because SQLite takes `:memory:` for something else than a name.
  const std::string path = std::filesystem::absolute(file).string();
  // No shared handle, no lock of SQLite's own: the store has one connection and one mutex.
  const int result =
      sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, /*vfs=*/nullptr);
  Database database(connection, std::move(name));
  if (result != SQLITE_OK) return database.failure(result, "opening it");
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, static_cast<int>(busy_wait.count()));
  // The file comes from outside: its schema may call nothing, and nobody edits its pages through SQL.
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

tl::unexpected<Error> Database::failure(int result, std::string_view doing) const {
  return sqlite_failure(connection_.get(), result, fmt::format("store {}: {}", name_, doing));
}

tl::unexpected<Error> Database::refusal(std::string_view why) const {
  return fail(Code::kFailedPrecondition, fmt::format("store {}: {}", name_, why));
}

Status Database::run(const char* sql, std::string_view doing) {
  const int result = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return failure(result, doing);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int result = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement(raw);
  if (result != SQLITE_OK) return failure(result, "reading its tables");
  return statement;
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  TRY(Statement statement, prepare(sql));
  const int result = statement.step();
  if (result != SQLITE_ROW && result != SQLITE_DONE) return failure(result, "reading it");
  return result == SQLITE_ROW ? statement.integer(0) : 0;
}

Result<std::string> Database::text(std::string_view sql) {
  TRY(Statement statement, prepare(sql));
  const int result = statement.step();
  if (result != SQLITE_ROW && result != SQLITE_DONE) return failure(result, "reading it");
  return result == SQLITE_ROW ? statement.text(0) : std::string();
}

Status Database::finish(Statement& statement, std::string_view doing) {
  int result = SQLITE_ROW;
  while (result == SQLITE_ROW) result = statement.step();
  // The error is read before the reset, which would overwrite it.
  auto failed = result == SQLITE_DONE ? Status() : Status(failure(result, doing));
  statement.reset();
  return failed;
}

void Database::roll_back() noexcept {
  if (sqlite3_get_autocommit(connection_.get()) == 0) {
    sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

}  // namespace protean
