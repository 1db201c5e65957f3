// SPDX-License-Identifier: Apache-2.0
// Also the test program's main(): GoogleTest's, but for the one flag that makes it the writer.
#include "storage/sqlite/killed_writer_test_support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "base/check.h"
#include "storage/sqlite/sqlite_store.h"

namespace protean::testing {

int write_aliases(const std::filesystem::path& file) {
  auto store = make_sqlite_store(file);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  const auto present = (*store)->aliases();
  PROTEAN_CHECK(present);
  std::uint64_t number = present->empty() ? 0 : present->front().version;
  while (true) {
    ++number;
    const std::array<AliasChange, 4> changes = {{{"iris", "champion", number},
                                                 {"iris", "challenger", number},
                                                 {"wine", "champion", number},
                                                 {"wine", "challenger", number}}};
    HistoryRecord record;
    record.action = "set_alias";
    record.detail = std::to_string(number);
    if (!(*store)->change_aliases(changes, {&record, 1})) return 1;
    const std::string line = std::to_string(number) + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 1;
  }
}

KilledWriter::KilledWriter(const std::filesystem::path& file) {
  std::array<int, 2> ends{};
  PROTEAN_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string program = "/proc/self/exe";
  std::string flag = "--write-aliases";
  std::string name = file.string();
  std::array<char*, 4> arguments = {program.data(), flag.data(), name.data(), nullptr};
  PROTEAN_CHECK(::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  output_ = ends[0];
}

KilledWriter::~KilledWriter() { ::close(output_); }

bool KilledWriter::read_some(int timeout_ms) {
  pollfd waiting{output_, POLLIN, 0};
  if (::poll(&waiting, 1, timeout_ms) <= 0) return false;
  std::array<char, 4096> bytes{};
  const ssize_t got = ::read(output_, bytes.data(), bytes.size());
  if (got <= 0) return false;
  for (const char c : std::string_view(bytes.data(), static_cast<std::size_t>(got))) {
    if (c != '\n') {
      line_ += c;
      continue;
    }
    last_ = std::stoull(line_);
    line_.clear();
    ++acknowledged_;
  }
  return true;
}

std::optional<std::uint64_t> KilledWriter::kill_after(std::uint64_t count, std::uint64_t micros) {
  constexpr int kStartMs = 60'000;
  while (acknowledged_ < count && read_some(kStartMs)) {
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(micros);
  while (std::chrono::steady_clock::now() < until) read_some(0);
  ::kill(process_, SIGKILL);
  int status = 0;
  ::waitpid(process_, &status, 0);
  PROTEAN_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  while (read_some(0)) {
  }
  return last_;
}

}  // namespace protean::testing

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--write-aliases") return protean::testing::write_aliases(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
