// SPDX-License-Identifier: Apache-2.0
// The series a version has, and that failures appear once whoever is first.
#include "core/model_metrics.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace protean {
namespace {

std::set<std::string> names(const metrics::Registry& registry) {
  std::set<std::string> all;
  for (const auto& family : registry.snapshot()) {
    if (!family.members.empty()) all.insert(family.name);
  }
  return all;
}

TEST(ModelMetrics, RegistersItsSeriesWithModelAndVersion) {
  metrics::Registry registry;
  ModelMetrics iris(registry, "iris", "2");
  EXPECT_EQ(names(registry),
            (std::set<std::string>{
                "protean_requests", "protean_request_stage_duration_seconds", "protean_request_duration_seconds",
                "protean_batch_rows", "protean_request_bytes", "protean_response_bytes", "protean_model_loads",
                "protean_model_load_duration_seconds", "protean_queue_requests", "protean_refused_requests",
                "protean_expired_requests", "protean_cancelled_requests"}));
  for (const auto& family : registry.snapshot()) {
    for (const auto& member : family.members) {
      EXPECT_EQ(member.labels.at(0), (std::pair<std::string, std::string>("model", "iris"))) << family.name;
      EXPECT_EQ(member.labels.at(1), (std::pair<std::string, std::string>("version", "2"))) << family.name;
    }
  }
}

TEST(ModelMetrics, StagesAreMembersOfOneFamily) {
  metrics::Registry registry;
  ModelMetrics iris(registry, "iris", "2");
  iris.stage(Stage::kEncode).observe(1000);
  for (const auto& family : registry.snapshot()) {
    if (family.name != "protean_request_stage_duration_seconds") continue;
    ASSERT_EQ(family.members.size(), kStageCount);
    const std::vector<std::string> order = {"read", "decode", "queue", "run", "encode", "write"};
    for (std::size_t i = 0; i < kStageCount; ++i) {
      EXPECT_EQ(family.members[i].labels.at(2).second, order[i]);
      EXPECT_EQ(family.members[i].histogram->sum(), order[i] == "encode" ? 1000 : 0);
    }
  }
}

TEST(ModelMetrics, FailuresAppearAtTheFirstOfTheirCodeFromAnyThread) {
  metrics::Registry registry;
  ModelMetrics iris(registry, "iris", "2");
  EXPECT_FALSE(names(registry).contains("protean_request_failures"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) iris.failures(Code::kInvalidArgument).add();
      iris.failures(Code::kUnauthenticated).add();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(iris.failures(Code::kInvalidArgument).value(), 4000);
  for (const auto& family : registry.snapshot()) {
    if (family.name != "protean_request_failures") continue;
    EXPECT_EQ(family.members.size(), 2);
    EXPECT_EQ(family.members[0].labels.at(2).first, "code");
  }
}

TEST(ModelMetrics, AReplacedVersionCountsOnAndAGoneOneIsForgotten) {
  metrics::Registry registry;
  ModelMetrics first(registry, "iris", "2");
  first.requests->add();
  ModelMetrics second(registry, "iris", "2");
  EXPECT_EQ(second.requests, first.requests);
  ModelMetrics other(registry, "iris", "3");
  second.remove_from_registry();
  for (const auto& family : registry.snapshot()) {
    for (const auto& member : family.members) EXPECT_EQ(member.labels.at(1).second, "3");
  }
  first.requests->add();  // still alive for requests in flight
  EXPECT_EQ(first.requests->value(), 2);
}

}  // namespace
}  // namespace protean
