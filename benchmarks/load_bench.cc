// SPDX-License-Identifier: Apache-2.0
//
// What loading a model costs with the cache of optimised graphs and without: load_bench MODEL.onnx CACHE_FOLDER TURNS.
// Each load happens in a process of its own (a child), as at a cold start; files are in the page cache. One line of
// JSON a way: median and range of the milliseconds, and the private memory that the child grew by, the load notes.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "backends/onnxruntime/backend.h"
#include "base/unused_memory.h"

namespace protean {
namespace {

struct Turn {
  double ms = -1;
  double private_mb = 0;
  double told_mb = 0;
  double mapped_mb = 0;
};

Turn load(const std::filesystem::path& path, const std::string& cache, bool tell) {
  const auto backend = make_onnxruntime_backend({.cache_folder = cache});
  if (!backend) return {};
  const auto before = private_resident_bytes();
  const auto start = std::chrono::steady_clock::now();
  const auto model = (*backend)->load({path.stem(), "1", path, path.parent_path()}, {});
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return {};
  }
  if (tell) {
    for (const auto& note : (*model)->load_notes()) std::fprintf(stderr, "  %s\n", note.c_str());
  }
  constexpr double kMegabyte = 1e6;
  const auto grown = static_cast<double>(private_resident_bytes()) - static_cast<double>(before);
  const auto memory = (*model)->memory();
  return {passed.count(), grown / kMegabyte, static_cast<double>(memory.private_bytes) / kMegabyte,
          static_cast<double>(memory.mapped_bytes) / kMegabyte};
}

/// load() in a child process.
Turn load_cold(const std::filesystem::path& path, const std::string& cache, bool tell) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto turn = load(path, cache, tell);
    const bool sent = ::write(ends[1], &turn, sizeof turn) == sizeof turn;
    ::_exit(sent ? 0 : 1);
  }
  Turn turn;
  const bool received = ::read(ends[0], &turn, sizeof turn) == sizeof turn;
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  if (!received || turn.ms < 0) std::exit(1);
  return turn;
}

void report(const char* way, std::vector<Turn> turns) {
  std::sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) { return a.ms < b.ms; });
  const auto& median = turns[turns.size() / 2];
  std::printf(
      "{\"way\":\"%s\",\"ms\":%.1f,\"ms_low\":%.1f,\"ms_high\":%.1f,\"private_mb\":%.1f,\"told_private_mb\":%.1f,"
      "\"mapped_mb\":%.1f}\n",
      way, median.ms, turns.front().ms, turns.back().ms, median.private_mb, median.told_mb, median.mapped_mb);
}

}  // namespace
}  // namespace protean

int main(int argc, char** argv) {
  using protean::Turn;
  if (argc != 4) {
    std::fprintf(stderr, "usage: load_bench MODEL.onnx CACHE_FOLDER TURNS\n");
    return 2;
  }
  const std::string cache = argv[2];
  const int turns = std::max(1, std::atoi(argv[3]));
  protean::report("first, into the cache", {protean::load_cold(argv[1], cache, true)});
  protean::load_cold(argv[1], cache, true);
  std::vector<Turn> plain;
  std::vector<Turn> cached;
  for (int i = 0; i < turns; ++i) {
    plain.push_back(protean::load_cold(argv[1], "", i == 0));
    cached.push_back(protean::load_cold(argv[1], cache, i == 0));
  }
  protean::report("without cache", plain);
  protean::report("from cache", cached);
  return 0;
}
