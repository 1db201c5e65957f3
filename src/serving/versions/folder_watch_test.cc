// SPDX-License-Identifier: Apache-2.0
#include "serving/versions/folder_watch.h"

#include <gtest/gtest.h>

#include <future>

#include "serving/temporary_folder.h"

namespace protean {
namespace {

using std::chrono::milliseconds;
using testing::TemporaryFolder;

constexpr milliseconds kNeverPolled{1'000'000};

/// Waits for a report that `wanted` accepts.
class Reports {
 public:
  explicit Reports(std::function<bool(const std::set<std::string>&)> wanted) : wanted_(std::move(wanted)) {}
  FolderWatch::OnChange sink() {
    return [this](const std::set<std::string>& entries) {
      if (wanted_(entries) && !std::exchange(seen_, true)) promise_.set_value();
    };
  }
  void wait() { promise_.get_future().wait(); }

 private:
  std::function<bool(const std::set<std::string>&)> wanted_;
  bool seen_ = false;  // of the watch's thread
  std::promise<void> promise_;
};

TEST(FolderWatch, TellsAtOnceWhichModelChanged) {
  const TemporaryFolder folder;
  folder.write("m/1/model", "a");
  Reports reports([](const auto& entries) { return entries == std::set<std::string>{"m"}; });
  const FolderWatch watch(folder.path(), kNeverPolled, reports.sink());
  EXPECT_TRUE(watch.has_events());
  folder.write("m/1/model", "b");
  reports.wait();
}

TEST(FolderWatch, PollsWhatTheLimitOfWatchesLeavesOut) {
  const TemporaryFolder folder;
  folder.write("m/1/model", "a");
  Reports reports([](const auto& entries) { return entries.empty(); });
  const FolderWatch watch(folder.path(), milliseconds(1), reports.sink(), 1);
  EXPECT_FALSE(watch.has_events());
  folder.write("m/1/model", "b");
  reports.wait();
}

}  // namespace
}  // namespace protean
