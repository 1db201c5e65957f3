// SPDX-License-Identifier: Apache-2.0
#include "backends/python/worker_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace protean::python {
namespace {

using testing::ElementsAre;

class WorkerLogTest : public testing::Test {
 protected:
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const auto& line : lines_) all.push_back(line.text);
    return all;
  }

  std::vector<WorkerLine> lines_;
  WorkerLog log_{[this](const WorkerLine& line) { lines_.push_back(line); }};
  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
};

TEST_F(WorkerLogTest, SplitsBytesIntoLinesHoweverTheyArrive) {
  for (const char* part : {"on", "e\ntw", "o\n", "\n", "three"}) log_.add(part, now_);
  EXPECT_THAT(texts(), ElementsAre("one", "two"));
  log_.flush(now_);
  EXPECT_THAT(texts(), ElementsAre("one", "two", "three"));
  EXPECT_EQ(log_.last_line(), "three");
}

TEST_F(WorkerLogTest, ReadsWhoseLineItIs) {
  log_.add(
      "\x1eI12\x1f"
      "id-7\x1e"
      "mine\n\x1eI3\x1f\x1e"
      "his\n\x1eIx\x1f"
      "id\x1e"
      "nobody's\n",
      now_);
  ASSERT_EQ(lines_.size(), 3U);
  EXPECT_EQ(std::pair(lines_[0].channel, lines_[0].request), std::pair(12U, std::string("id-7")));
  EXPECT_EQ(std::pair(lines_[1].channel, lines_[1].request), std::pair(3U, std::string()));
  EXPECT_EQ(lines_[2].channel, 0U);
}

TEST_F(WorkerLogTest, ReadsLevelAndRequestOfMarkedLines) {
  log_.add(
      "\x1e"
      "Eid-7\x1e"
      "boom\n\x1eW\x1ehm\nplain\n\x1e\n\x1eX\n",
      now_);
  ASSERT_EQ(lines_.size(), 5U);
  EXPECT_EQ(lines_[0].level, log::Level::kError);
  EXPECT_EQ(lines_[0].request, "id-7");
  EXPECT_EQ(lines_[0].text, "boom");
  EXPECT_EQ(lines_[1].level, log::Level::kWarning);
  EXPECT_EQ(lines_[1].request, "");
  EXPECT_EQ(lines_[2].text, "plain");
  EXPECT_EQ(lines_[3].text, "?");  // not marked as agreed: printed as it is
}

TEST_F(WorkerLogTest, MakesWhatItPassesOnPrintable) {
  log_.add("a\x1b[31m\xff\tb\n", now_);
  EXPECT_THAT(texts(), ElementsAre("a?[31m??b"));
}

TEST_F(WorkerLogTest, CutsLongLines) {
  log_.add(std::string(100'000, 'x') + "\n", now_);
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_LE(lines_[0].text.size(), WorkerLog::kLineBytesMax + 3);
}

TEST_F(WorkerLogTest, LetsABurstThroughAndThenALimitedRate) {
  for (int i = 0; i < 2000; ++i) log_.add("line\n", now_);
  EXPECT_EQ(lines_.size(), static_cast<std::size_t>(WorkerLog::kLinesBurst));
  EXPECT_TRUE(log_.exhausted(now_));
  now_ += std::chrono::seconds(2);
  EXPECT_FALSE(log_.exhausted(now_));
  log_.flush(now_);
  EXPECT_EQ(lines_.back().text, "6000 bytes of output were left out");
  lines_.clear();
  for (int i = 0; i < 2000; ++i) log_.add("line\n", now_);
  EXPECT_EQ(lines_.size(), static_cast<std::size_t>(2 * WorkerLog::kLinesPerSecond));
}

}  // namespace
}  // namespace protean::python
