// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/sqlite_store.h"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "storage/sqlite/killed_writer_test_support.h"

namespace protean {
namespace {

using std::filesystem::path;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteStore : public ::testing::Test {
 protected:
  SqliteStore() {
    std::string pattern = (std::filesystem::temp_directory_path() / "protean-store-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    file_ = folder_ / "protean.db";
  }
  ~SqliteStore() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::unique_ptr<Store> open(SqliteStoreOptions options = {}) const {
    auto store = make_sqlite_store(file_, options);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }

  [[nodiscard]] std::string read_file() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_file(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }

  void run_sql(const char* sql) const {
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &connection), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(connection);
    sqlite3_close(connection);
  }

  path folder_;
  path file_;
};

HistoryRecord record_of(std::string model, std::string detail) {
  HistoryRecord record;
  record.at = std::chrono::system_clock::time_point(std::chrono::microseconds(1'767'322'984'678'901));
  record.actor = "ann (127.0.0.1)";
  record.action = "set_alias";
  record.model = std::move(model);
  record.detail = std::move(detail);
  record.outcome = "ok";
  return record;
}

Status change(Store& store, std::vector<AliasChange> changes, std::vector<HistoryRecord> history = {}) {
  return store.change_aliases(changes, history);
}

std::vector<std::string> details(Store& store, const HistoryQuery& query) {
  std::vector<std::string> found;
  const auto records = store.history(query);
  EXPECT_TRUE(records);
  for (const auto& record : *records) found.push_back(record.detail);
  return found;
}

TEST_F(SqliteStore, KeepsAliasesAcrossRestarts) {
  {
    const auto store = open();
    ASSERT_TRUE(change(*store, {{"iris", "champion", 3}, {"iris", "old", 1}, {"wine", "default", 7}}));
    ASSERT_TRUE(change(*store, {{"iris", "champion", 4}, {"iris", "old", std::nullopt}}));
  }
  EXPECT_THAT(*open()->aliases(), ElementsAre(Alias{"iris", "champion", 4}, Alias{"wine", "default", 7}));
}

TEST_F(SqliteStore, StoresTheLargestVersionAndAnyName) {
  const std::string name("na\0me ' ; \xC3\xA9", 12);
  const auto store = open();
  ASSERT_TRUE(change(*store, {{name, "x", UINT64_MAX}}));
  EXPECT_THAT(*store->aliases(), ElementsAre(Alias{name, "x", UINT64_MAX}));
}

TEST_F(SqliteStore, KeepsModelsHeldDown) {
  {
    const auto store = open();
    ASSERT_TRUE(store->set_held_down("wine", true, record_of("wine", "")));
    ASSERT_TRUE(store->set_held_down("iris", true, record_of("iris", "")));
    ASSERT_TRUE(store->set_held_down("iris", true, record_of("iris", "")));
    ASSERT_TRUE(store->set_held_down("wine", false, record_of("wine", "")));
  }
  EXPECT_THAT(*open()->held_down(), ElementsAre("iris"));
}

TEST_F(SqliteStore, TellsHistoryNewestFirst) {
  const auto store = open();
  ASSERT_TRUE(change(*store, {{"iris", "a", 1}}, {record_of("iris", "1"), record_of("wine", "2")}));
  ASSERT_TRUE(store->append_history(record_of("iris", "3")));
  EXPECT_THAT(details(*store, {}), ElementsAre("3", "2", "1"));
  EXPECT_THAT(details(*store, {"iris", 0, 100}), ElementsAre("3", "1"));
  EXPECT_THAT(details(*store, {"", 3, 1}), ElementsAre("2"));
  EXPECT_THAT(details(*store, {"nobody", 0, 100}), IsEmpty());
  const auto newest = store->history({"", 0, 1});
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->at(0).id, 3U);
  EXPECT_EQ(newest->at(0).at, record_of("", "").at);
  EXPECT_EQ(newest->at(0).actor, "ann (127.0.0.1)");
  EXPECT_EQ(newest->at(0).action, "set_alias");
  EXPECT_EQ(newest->at(0).outcome, "ok");
}

TEST_F(SqliteStore, TrimsTheOldestHistory) {
  const auto store = open({.history_max = 3});
  for (int i = 1; i <= 10; ++i) ASSERT_TRUE(store->append_history(record_of("iris", std::to_string(i))));
  EXPECT_THAT(details(*store, {}), ElementsAre("10", "9", "8"));
}

TEST_F(SqliteStore, CutsLongTextsOfTheHistory) {
  const auto store = open();
  ASSERT_TRUE(store->append_history(record_of("iris", std::string(1 << 20, 'x') + "\n")));
  EXPECT_LE(details(*store, {}).at(0).size(), 4099U);
}

TEST_F(SqliteStore, MakesFilesForTheOwnerAlone) {
  const auto store = open();
  ASSERT_TRUE(store->append_history(record_of("iris", "1")));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    struct stat facts {};
    ASSERT_EQ(::stat(entry.path().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600U) << entry.path();
  }
}

TEST_F(SqliteStore, IsOneProcessAtATime) {
  const auto store = open();
  const auto second = make_sqlite_store(file_, {.busy_wait = std::chrono::milliseconds(1)});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("another process holds the file open"));
  EXPECT_TRUE(change(*store, {{"iris", "a", 1}}));
}

TEST_F(SqliteStore, IsRefusedWhileAnotherProcessHasIt) {
  testing::KilledWriter writer(file_);
  writer.kill_after(0, 0);
  testing::KilledWriter other(file_);
  // One acknowledged line proves that the other process has the lock.
  const auto refused = [&] {
    Result<std::unique_ptr<Store>> mine = fail(Code::kUnknown, "");
    do {
      mine = make_sqlite_store(file_, {.busy_wait = std::chrono::milliseconds(0)});
      if (mine) mine->reset();
    } while (mine);
    return mine.error().message;
  }();
  EXPECT_THAT(refused, HasSubstr("another process holds the file open"));
  other.kill_after(0, 0);
  EXPECT_NE(open(), nullptr);
}

TEST_F(SqliteStore, RefusesWhatIsNoDatabaseAndLeavesIt) {
  const std::string text = "these are notes, not a database" + std::string(5000, '.');
  write_file(text);
  const auto store = make_sqlite_store(file_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kDataLoss);
  EXPECT_THAT(store.error().message, HasSubstr("not a SQLite database"));
  EXPECT_EQ(read_file(), text);
}

TEST_F(SqliteStore, RefusesADatabaseOfAnotherProgram) {
  run_sql("CREATE TABLE songs (title TEXT)");
  const std::string before = read_file();
  const auto store = make_sqlite_store(file_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(store.error().message, HasSubstr("another program"));
  EXPECT_EQ(read_file(), before);
}

TEST_F(SqliteStore, RefusesTheSchemaOfANewerProtean) {
  open().reset();
  run_sql("PRAGMA user_version = 99");
  const auto store = make_sqlite_store(file_);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("found schema 99, expected at most 1"));
}

TEST_F(SqliteStore, RefusesADamagedFileAndLeavesIt) {
  {
    const auto store = open();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store->append_history(record_of("iris", std::string(200, 'x'))));
  }
  const std::string whole = read_file();
  ASSERT_GT(whole.size(), 5U * 4096);
  // Every page in turn: whatever is hit, nothing is opened that is not whole, and nothing is written.
  std::size_t refused = 0;
  for (std::size_t page = 1; page * 4096 < whole.size(); ++page) {
    std::string damaged = whole;
    damaged.replace(page * 4096, 64, std::string(64, '\xA5'));
    write_file(damaged);
    const auto store = make_sqlite_store(file_);
    if (store) continue;
    ++refused;
    EXPECT_EQ(store.error().code, Code::kDataLoss);
    EXPECT_THAT(store.error().message, HasSubstr("damaged"));
    EXPECT_EQ(read_file(), damaged);
  }
  EXPECT_EQ(refused, whole.size() / 4096 - 1);
}

TEST_F(SqliteStore, RefusesATruncatedFile) {
  {
    const auto store = open();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store->append_history(record_of("iris", std::string(200, 'x'))));
  }
  std::filesystem::resize_file(file_, 3 * 4096);
  const auto store = make_sqlite_store(file_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kDataLoss);
}

/// What the file system allows the process is lifted again whatever the test finds.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(SqliteStore, SaysThatTheDiskIsFullAndLosesNothing) {
  auto store = open();
  ASSERT_TRUE(change(*store, {{"iris", "champion", 1}}));
  std::uint64_t acknowledged = 1;
  Status failed;
  {
    const FileSizeLimit limit(256 << 10);
    for (std::uint64_t i = 2; i < 10'000 && failed; ++i) {
      failed =
          change(*store, {{"iris", "champion", i}, {"wine", "champion", i}}, {record_of("iris", std::to_string(i))});
      if (failed) acknowledged = i;
    }
  }
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kResourceExhausted);
  EXPECT_THAT(failed.error().message, HasSubstr("disk full"));
  const std::vector<Alias> expected = {{"iris", "champion", acknowledged}, {"wine", "champion", acknowledged}};
  EXPECT_EQ(*store->aliases(), expected);
  // With room again, the same store goes on, and so does one that is opened later.
  ASSERT_TRUE(change(*store, {{"iris", "champion", 77}}));
  store.reset();
  EXPECT_EQ(open()->aliases()->at(0).version, 77U);
}

TEST_F(SqliteStore, SaysThatThereIsNoRoomForANewFile) {
  const FileSizeLimit limit(1024);
  const auto store = make_sqlite_store(file_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kResourceExhausted);
  EXPECT_THAT(store.error().message, HasSubstr("disk full"));
}

/// Root may write everywhere, so the test is somebody else for a while.
class Unprivileged {
 public:
  Unprivileged() {
    if (::geteuid() == 0) changed_ = ::seteuid(65534) == 0;
  }
  ~Unprivileged() {
    if (changed_ && ::seteuid(0) != 0) std::abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  bool changed_ = false;
};

TEST_F(SqliteStore, SaysThatTheFileIsReadOnly) {
  open().reset();
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file_.c_str(), 0444), 0);
  const Unprivileged nobody;
  const auto store = make_sqlite_store(file_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kUnavailable);
  EXPECT_THAT(store.error().message, HasSubstr("read-only"));
}

TEST_F(SqliteStore, NamesTheFolderThatIsMissing) {
  const auto store = make_sqlite_store(folder_ / "nowhere" / "protean.db");
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("nowhere/protean.db: cannot be made: No such file or directory"));
}

TEST_F(SqliteStore, ServesThreadsAtOnce) {
  const auto store = open();
  const auto work = [&](const std::string& model) {
    for (std::uint64_t i = 1; i <= 50; ++i) {
      ASSERT_TRUE(change(*store, {{model, "champion", i}}, {record_of(model, std::to_string(i))}));
      ASSERT_TRUE(store->aliases());
      ASSERT_TRUE(store->history({model, 0, 5}));
    }
  };
  { const std::jthread one(work, "a"), two(work, "b"), three(work, "c"); }
  EXPECT_THAT(*store->aliases(),
              ElementsAre(Alias{"a", "champion", 50}, Alias{"b", "champion", 50}, Alias{"c", "champion", 50}));
  EXPECT_EQ(store->history({"", 0, 1000})->size(), 150U);
}

/// After each death: all four aliases tell the same number, that number is the last one acknowledged or the one that
/// was being written, and the history's newest line tells it too.
TEST_F(SqliteStore, LosesNothingAcknowledgedAndKeepsNoHalves) {
  const char* wanted = std::getenv("PROTEAN_KILL_RUNS");
  const int runs = wanted == nullptr ? 200 : std::atoi(wanted);
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uint64_t known = 0;
  for (int run = 0; run < runs; ++run) {
    testing::KilledWriter writer(file_);
    const auto last = writer.kill_after(random() % 6, random() % 3000);
    known = last.value_or(known);
    const auto store = open();
    ASSERT_NE(store, nullptr);
    const auto aliases = store->aliases();
    ASSERT_TRUE(aliases);
    if (aliases->empty()) {
      ASSERT_EQ(known, 0U);
      continue;
    }
    const std::uint64_t number = aliases->front().version;
    ASSERT_TRUE(number == known || number == known + 1) << "found " << number << ", acknowledged " << known;
    const std::vector<Alias> expected = {{"iris", "challenger", number},
                                         {"iris", "champion", number},
                                         {"wine", "challenger", number},
                                         {"wine", "champion", number}};
    ASSERT_EQ(*aliases, expected);
    ASSERT_THAT(details(*store, {"", 0, 1}), ElementsAre(std::to_string(number)));
    known = number;
  }
}

}  // namespace
}  // namespace protean
