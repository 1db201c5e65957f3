// SPDX-License-Identifier: Apache-2.0
// The policy as a table: situation in, steps out.
#include "serving/versions/version_policy.h"

#include <gtest/gtest.h>

#include <functional>

namespace protean {

void PrintTo(const Step& step, std::ostream* out) {
  constexpr const char* kNames[] = {"queue", "withdraw", "retire", "revive", "unload", "sleep", "forget"};
  *out << kNames[static_cast<int>(step.kind)] << " " << step.version;
}

namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Step::Kind;
using Steps = std::vector<Step>;

constexpr TimePoint kNow{seconds(1000)};

VersionView known(std::uint64_t number) {
  VersionView view;
  view.number = number;
  view.fingerprint = number;
  view.fresh = true;
  return view;
}
VersionView serving(std::uint64_t number) {
  VersionView view = known(number);
  view.serving = true;
  view.fresh = false;
  view.serving_fingerprint = number;
  view.last_used = kNow;
  return view;
}
VersionView coming(std::uint64_t number, Life life) {
  VersionView view = known(number);
  view.coming = life;
  view.coming_fingerprint = number;
  return view;
}
VersionView with(VersionView view, const std::function<void(VersionView&)>& change) {
  change(view);
  return view;
}
VersionView gone(VersionView view) {
  return with(view, [](auto& v) { v.present = false; });
}

ModelConfig latest(std::uint32_t count, bool availability = true) {
  ModelConfig config;
  config.versions.choice = VersionPolicy::Choice::kLatest;
  config.versions.latest = count;
  config.versions.availability_preserving = availability;
  return config;
}
ModelConfig listed(std::vector<std::uint64_t> numbers) {
  ModelConfig config;
  config.versions.choice = VersionPolicy::Choice::kListed;
  config.versions.listed = std::move(numbers);
  return config;
}
ModelConfig on_demand(Duration idle = {}) {
  ModelConfig config;
  config.residency.on_demand = true;
  config.residency.idle_unload = idle;
  return config;
}

struct Row {
  const char* name;
  ModelConfig config;
  std::vector<VersionView> versions;
  Steps steps;
  TimePoint look_again = kNever;
  bool held_down = false;
  bool departing = false;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class VersionPolicyTable : public ::testing::TestWithParam<Row> {};

TEST_P(VersionPolicyTable, DecidesAsWritten) {
  const Row& row = GetParam();
  const Decision decision = decide({row.config, row.versions, row.held_down, row.departing}, kNow);
  EXPECT_EQ(decision.steps, row.steps) << row.name;
  EXPECT_EQ(decision.look_again, row.look_again) << row.name;
}

const std::vector<Row> kLoading = {
    {"nothing there, nothing done", {}, {}, {}},
    {"the newest is queued first", {}, {known(1), known(2)}, {{Kind::kQueue, 2}, {Kind::kQueue, 1}}},
    {"the default is queued before the newest",
     {},
     {with(known(1), [](auto& v) { v.is_default = v.aliased = true; }), known(2)},
     {{Kind::kQueue, 1}, {Kind::kQueue, 2}}},
    {"files that still change are left alone",
     {},
     {with(known(1), [](auto& v) { v.settled_at = kNow + seconds(1); })},
     {},
     kNow + seconds(1)},
    {"a configuration that cannot be read loads nothing",
     {},
     {with(known(1), [](auto& v) { v.loadable = false; })},
     {}},
    {"only the latest", latest(1), {known(1), known(2)}, {{Kind::kQueue, 2}}},
    {"only those listed, if they exist", listed({1, 7}), {known(1), known(2)}, {{Kind::kQueue, 1}}},
    {"an alias holds an older version",
     latest(1),
     {with(known(1), [](auto& v) { v.aliased = true; }), serving(2)},
     {{Kind::kQueue, 1}}},
    {"what is loading goes on", {}, {coming(1, Life::kLoading)}, {}},
    {"a failure is final", {}, {coming(1, Life::kFailed)}, {}},
    {"until the files change",
     {},
     {with(coming(1, Life::kFailed), [](auto& v) { v.fingerprint = 9; })},
     {{Kind::kQueue, 1}}},
    {"or somebody asks",
     {},
     {with(coming(1, Life::kFailed), [](auto& v) { v.forced = v.asked = true; })},
     {{Kind::kQueue, 1}}},
    {"the next attempt has its time",
     {},
     {with(coming(1, Life::kRetryWait), [](auto& v) { v.next_attempt = kNow + seconds(3); })},
     {},
     kNow + seconds(3)},
    {"and then it is made",
     {},
     {with(coming(1, Life::kRetryWait), [](auto& v) { v.next_attempt = kNow; })},
     {{Kind::kQueue, 1}}},
    {"replaced files are loaded beside",
     {},
     {with(serving(1), [](auto& v) { v.fingerprint = 9; })},
     {{Kind::kQueue, 1}}},
    {"replaced files of a huge model: after",
     latest(1, false),
     {with(serving(1), [](auto& v) { v.fingerprint = 9; })},
     {{Kind::kUnload, 1}}},
};

const std::vector<Row> kLeaving = {
    {"the old serves until the new one does", latest(1), {serving(1), coming(2, Life::kLoading)}, {}},
    {"also when the new one failed", latest(1), {serving(1), coming(2, Life::kFailed)}, {}},
    {"then it leaves", latest(1), {serving(1), serving(2)}, {{Kind::kUnload, 1}}},
    {"or is kept for a rollback",
     latest(1),
     {with(serving(1), [](auto& v) { v.default_left_at = kNow - minutes(1); }), serving(2)},
     {{Kind::kRetire, 1}},
     kNow + minutes(4)},
    {"for a while",
     latest(1),
     {with(serving(1),
           [](auto& v) {
             v.default_left_at = kNow - minutes(5);
             v.retiring = true;
           }),
      serving(2)},
     {{Kind::kUnload, 1}}},
    {"an alias brings it back",
     latest(1),
     {with(serving(1), [](auto& v) { v.retiring = v.aliased = true; }), serving(2)},
     {{Kind::kRevive, 1}}},
    {"huge: the old leaves first", latest(1, false), {serving(1), known(2)}, {{Kind::kUnload, 1}}},
    {"huge: its memory is waited for", latest(1, false), {known(1), known(2)}, {}, kNever, false, true},
    {"huge: then the new one comes", latest(1, false), {known(1), known(2)}, {{Kind::kQueue, 2}}},
    {"removed files leave at once", {}, {serving(1), gone(serving(2))}, {{Kind::kUnload, 2}}},
    {"but not before another is there", latest(1), {known(1), gone(serving(2))}, {{Kind::kQueue, 1}}},
    {"which may never be", latest(1), {coming(1, Life::kFailed), gone(serving(2))}, {{Kind::kUnload, 2}}},
    {"files that are gone for a moment only change nothing yet",
     {},
     {with(gone(serving(1)), [](auto& v) { v.settled_at = kNow + seconds(1); })},
     {},
     kNow + seconds(1)},
    {"all removed", {}, {gone(serving(1)), gone(known(2))}, {{Kind::kUnload, 1}, {Kind::kForget, 2}}},
    {"removed while it waits for a loader", {}, {gone(coming(1, Life::kQueued))}, {{Kind::kWithdraw, 1}}},
    {"removed while it loads", {}, {gone(coming(1, Life::kLoading))}, {}},
    {"removed, its memory still held", {}, {gone(with(known(1), [](auto& v) { v.departing = true; }))}, {}},
    {"held down",
     {},
     {serving(1), coming(2, Life::kRetryWait)},
     {{Kind::kWithdraw, 2}, {Kind::kUnload, 1}},
     kNever,
     true},
};

const std::vector<Row> kOnDemand = {
    {"sleeps", on_demand(), {known(1)}, {}},
    {"wakes when asked", on_demand(), {with(known(1), [](auto& v) { v.asked = true; })}, {{Kind::kQueue, 1}}},
    {"nobody waits any more", on_demand(), {coming(1, Life::kQueued)}, {{Kind::kWithdraw, 1}}},
    {"evicted ones sleep as well", {}, {with(known(1), [](auto& v) { v.dormant = true; })}, {}},
    {"a failed load is repeated when asked", on_demand(), {coming(1, Life::kRetryWait)}, {}},
    {"not before its time",
     on_demand(),
     {with(coming(1, Life::kRetryWait),
           [](auto& v) {
             v.asked = true;
             v.next_attempt = kNow + seconds(1);
           })},
     {},
     kNow + seconds(1)},
    {"idle ones go to sleep",
     on_demand(seconds(10)),
     {with(serving(1), [](auto& v) { v.last_used = kNow - seconds(10); })},
     {{Kind::kSleep, 1}}},
    {"in time",
     on_demand(seconds(10)),
     {with(serving(1), [](auto& v) { v.last_used = kNow - seconds(4); })},
     {},
     kNow + seconds(6)},
    {"not with a request in flight",
     on_demand(seconds(10)),
     {with(serving(1),
           [](auto& v) {
             v.last_used = kNow - seconds(10);
             v.in_flight = true;
           })},
     {},
     kNow + seconds(10)},
    {"a model in use gets its newest version unasked", on_demand(), {serving(1), known(2)}, {{Kind::kQueue, 2}}},
};

INSTANTIATE_TEST_SUITE_P(Loading, VersionPolicyTable, ::testing::ValuesIn(kLoading));
INSTANTIATE_TEST_SUITE_P(Leaving, VersionPolicyTable, ::testing::ValuesIn(kLeaving));
INSTANTIATE_TEST_SUITE_P(OnDemand, VersionPolicyTable, ::testing::ValuesIn(kOnDemand));

std::optional<std::uint64_t> chosen(const ModelConfig& config, const std::vector<VersionView>& versions) {
  return automatic_default({config, versions, false, false});
}

TEST(AutomaticDefault, IsTheNewestThatServes) {
  EXPECT_EQ(chosen({}, {serving(1), serving(2), coming(3, Life::kLoading)}), 2U);
  EXPECT_EQ(chosen({}, {coming(3, Life::kFailed)}), std::nullopt);
}

TEST(AutomaticDefault, PrefersWhatThePolicyChooses) {
  EXPECT_EQ(chosen(listed({1}), {serving(1), serving(2)}), 1U);
  EXPECT_EQ(chosen(listed({1}), {coming(1, Life::kLoading), serving(2)}), 2U);
}

TEST(AutomaticDefault, IsASleepingVersionAsWell) {
  EXPECT_EQ(chosen(on_demand(), {known(1), known(2)}), 2U);
  EXPECT_EQ(chosen(on_demand(), {known(1), coming(2, Life::kFailed)}), 1U);
}

TEST(AutomaticDefault, StaysWhereItServesUntilANewVersionDoes) {
  EXPECT_EQ(chosen(on_demand(), {serving(1), known(2)}), 1U);
  const auto was_default = with(known(2), [](auto& v) { v.is_default = true; });
  EXPECT_EQ(chosen(on_demand(), {serving(1), was_default}), 2U);
}

Resident resident(const char* model, std::uint64_t bytes, int used_at) {
  return {{model, 1}, bytes, false, false, false, TimePoint(seconds(used_at))};
}

TEST(RoomFor, AlwaysIsWithoutABudget) {
  EXPECT_EQ(room_for({0, 1'000'000, 0, 0, 1'000'000, {}}).kind, RoomAnswer::Kind::kFits);
}

TEST(RoomFor, CountsOtherLoadsAndWaitsForWhatIsLeaving) {
  EXPECT_EQ(room_for({100, 40, 0, 20, 40, {}}).kind, RoomAnswer::Kind::kFits);
  EXPECT_EQ(room_for({100, 40, 0, 21, 40, {}}).kind, RoomAnswer::Kind::kDoesNotFit);
  EXPECT_EQ(room_for({100, 90, 30, 0, 40, {}}).kind, RoomAnswer::Kind::kWaitForDeparting);
}

TEST(RoomFor, EvictsWhatWasUnusedForLongestAndNoMoreThanIsNeeded) {
  const std::vector<Resident> loaded = {resident("b", 40, 2), resident("a", 40, 1), resident("c", 20, 3)};
  const auto answer = room_for({100, 100, 0, 0, 50, loaded});
  EXPECT_EQ(answer.kind, RoomAnswer::Kind::kEvict);
  EXPECT_EQ(answer.victims, (std::vector<VersionKey>{{"a", 1}, {"b", 1}}));
}

TEST(RoomFor, EvictsRollbacksFirstAndBusyOnesLast) {
  std::vector<Resident> loaded = {resident("busy", 25, 1), resident("aliased", 25, 2), resident("plain", 25, 3),
                                  resident("retiring", 25, 4)};
  loaded[0].in_flight = true;
  loaded[1].aliased = true;
  loaded[3].retiring = true;
  const auto answer = room_for({100, 100, 0, 0, 100, loaded});
  EXPECT_EQ(answer.victims, (std::vector<VersionKey>{{"retiring", 1}, {"plain", 1}, {"aliased", 1}, {"busy", 1}}));
}

TEST(RoomFor, NamesTheNumbersWhenNothingHelps) {
  const std::vector<Resident> loaded = {resident("a", 10'000'000, 1)};
  const auto answer = room_for({100'000'000, 70'000'000, 0, 0, 50'000'000, loaded});
  EXPECT_EQ(answer.kind, RoomAnswer::Kind::kDoesNotFit);
  EXPECT_EQ(answer.reason, "needs 50.0 MB of memory, but the budget is 100.0 MB and 60.0 MB of it cannot be given up");
}

TEST(RetryWait, DoublesUpToItsLimit) {
  const LoadRetries retries{9, seconds(1), seconds(5)};
  EXPECT_EQ(retry_wait(retries, 1), seconds(1));
  EXPECT_EQ(retry_wait(retries, 2), seconds(2));
  EXPECT_EQ(retry_wait(retries, 3), seconds(4));
  EXPECT_EQ(retry_wait(retries, 4), seconds(5));
  EXPECT_EQ(retry_wait(retries, 4'000'000'000U), seconds(5));
}

TEST(Life, HasNoWayBackFromGone) {
  for (int next = 0; next <= static_cast<int>(Life::kGone); ++next) {
    EXPECT_FALSE(may_follow(Life::kGone, static_cast<Life>(next)));
  }
  EXPECT_TRUE(may_follow(Life::kRetiring, Life::kReady));
  EXPECT_FALSE(may_follow(Life::kFailed, Life::kReady));
}

}  // namespace
}  // namespace protean
