// SPDX-License-Identifier: Apache-2.0
// The priority of the library's threads, read where the kernel shows it.
#include "backends/onnxruntime/thread_maker.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "backends/onnxruntime/onnx_test_support.h"
#include "base/thread_priority.h"

namespace protean {
namespace {

using namespace onnx_test;  // NOLINT(google-build-using-namespace)

struct ThreadFacts {
  int nice = 0;
  int policy = 0;
};

/// Of this process's threads that bear the name of the library's.
std::vector<ThreadFacts> library_threads() {
  std::vector<ThreadFacts> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    if (name != "protean-intra") continue;
    const auto id = static_cast<::id_t>(std::stoul(task.path().filename()));
    found.push_back({::getpriority(PRIO_PROCESS, id), ::sched_getscheduler(static_cast<pid_t>(id))});
  }
  return found;
}

/// Runs `what` on a thread that stands behind all others, as loader threads do.
template <typename What>
void on_a_low_thread(const What& what) {
  std::thread([&] {
    const sched_param parameter{};
    ::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &parameter);
    ::setpriority(PRIO_PROCESS, static_cast<::id_t>(::gettid()), 10);
    what();
  }).join();
}

TEST(ThreadMaker, GivesThreadsTheRunThreadsPriorityWhoeverAsks) {
  ThreadMaker maker;
  ThreadFacts made;
  on_a_low_thread([&] {
    const auto handle = ThreadMaker::create(
        &maker,
        [](void* facts) {
          *static_cast<ThreadFacts*>(facts) = {::getpriority(PRIO_PROCESS, static_cast<::id_t>(::gettid())),
                                               ::sched_getscheduler(0)};
        },
        &made);
    ASSERT_NE(handle, nullptr);
    ThreadMaker::join(handle);
  });
  EXPECT_EQ(made.nice, ::getpriority(PRIO_PROCESS, static_cast<::id_t>(::getpid())) + kRunThreadNice);
  EXPECT_EQ(made.policy, SCHED_OTHER);
}

TEST(ThreadMaker, MakesThreadsForManyAtOnce) {
  ThreadMaker maker;
  std::atomic<int> done{0};
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      for (int n = 0; n < 8; ++n) {
        ThreadMaker::join(ThreadMaker::create(
            &maker, [](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &done));
      }
    });
  }
  for (auto& asker : askers) asker.join();
  EXPECT_EQ(done, 32);
}

TEST(ThreadMaker, MakesTheThreadsOfSessionsThatLoaderThreadsLoad) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the library's own threads wait in a way that ThreadSanitizer cannot see from outside";
#endif
  const auto path = data_folder() / "models" / "slow.onnx";
  Result<std::unique_ptr<Model>> model = fail(Code::kUnknown, "not loaded");
  (void)backend();
  on_a_low_thread([&] { model = backend().load({"slow", "1", path, path.parent_path()}, {3}); });
  ASSERT_TRUE(model) << model.error().message;
  const auto threads = library_threads();
  EXPECT_EQ(threads.size(), 2) << "the third is the caller's";
  for (const auto& thread : threads) {
    EXPECT_EQ(thread.nice, ::getpriority(PRIO_PROCESS, static_cast<::id_t>(::getpid())) + kRunThreadNice);
    EXPECT_EQ(thread.policy, SCHED_OTHER);
  }
  const auto x = floats({1, 4}, {1, 2, 3, 6});
  const auto result = run(**model, {&x});
  ASSERT_TRUE(result);
  EXPECT_EQ(values<float>((*result)[0]), (std::vector<float>{4, 5, 6, 9}));
}

}  // namespace
}  // namespace protean
