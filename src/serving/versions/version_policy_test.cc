// SPDX-License-Identifier: Apache-2.0
// The policy as a table: situation in, next action out.
#include "serving/versions/version_policy.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kStart{std::chrono::seconds(1000)};
constexpr Duration kSettle = milliseconds(200);

struct Situation {
  std::map<VersionKey, DesiredVersion> desired;
  std::map<VersionKey, ActualVersion> actual;
  TimePoint now = kStart;

  [[nodiscard]] PolicyInput input() const { return {desired, actual, now, kSettle}; }
};

Action load(const char* model, std::uint64_t version) { return {Action::Kind::kLoad, {model, version}}; }
Action unload(const char* model, std::uint64_t version) { return {Action::Kind::kUnload, {model, version}}; }

TEST(VersionPolicy, DoesNothingWhenNothingIsWanted) { EXPECT_EQ(next_action(Situation{}.input()), std::nullopt); }

TEST(VersionPolicy, LoadsANewVersionOnceItsFilesHaveSettled) {
  Situation s;
  s.desired[{"iris", 1}] = {7, kStart};
  EXPECT_EQ(next_action(s.input()), std::nullopt);
  EXPECT_EQ(next_settled(s.input()), kStart + kSettle);
  s.now = kStart + kSettle;
  EXPECT_EQ(next_action(s.input()), load("iris", 1));
}

TEST(VersionPolicy, LeavesALoadedVersionAlone) {
  Situation s;
  s.desired[{"iris", 1}] = {7, kStart - kSettle};
  s.actual[{"iris", 1}] = {7, true};
  EXPECT_EQ(next_action(s.input()), std::nullopt);
  EXPECT_EQ(next_settled(s.input()), kNever);
}

TEST(VersionPolicy, ReloadsWhenTheFilesChanged) {
  Situation s;
  s.desired[{"iris", 1}] = {8, kStart - kSettle};
  s.actual[{"iris", 1}] = {7, true};
  EXPECT_EQ(next_action(s.input()), load("iris", 1));
}

TEST(VersionPolicy, DoesNotRepeatAFailedLoadUntilTheFilesChange) {
  Situation s;
  s.desired[{"iris", 1}] = {7, kStart - kSettle};
  s.actual[{"iris", 1}] = {7, false};
  EXPECT_EQ(next_action(s.input()), std::nullopt);
  s.desired[{"iris", 1}].fingerprint = 8;
  EXPECT_EQ(next_action(s.input()), load("iris", 1));
}

TEST(VersionPolicy, LoadsTheNewVersionBeforeItUnloadsTheOld) {
  Situation s;
  s.desired[{"iris", 2}] = {9, kStart - kSettle};
  s.actual[{"iris", 1}] = {7, true};
  EXPECT_EQ(next_action(s.input()), load("iris", 2));
  s.actual[{"iris", 2}] = {9, true};
  EXPECT_EQ(next_action(s.input()), unload("iris", 1));
}

TEST(VersionPolicy, ForgetsAFailedVersionThatIsGone) {
  Situation s;
  s.actual[{"iris", 1}] = {7, false};
  EXPECT_EQ(next_action(s.input()), unload("iris", 1));
}

}  // namespace
}  // namespace protean
