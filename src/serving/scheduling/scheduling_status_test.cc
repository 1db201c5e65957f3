// SPDX-License-Identifier: Apache-2.0
#include "serving/scheduling/scheduling_status.h"

#include <gmock/gmock.h>

#include "serving/scheduling/simulated_model_test_support.h"

namespace protean {
namespace {

using ::testing::Contains;

class SchedulingStatusTest : public ::testing::Test {
 protected:
  std::vector<std::string> status() {
    const auto version = protean::testing::make_simulated_version("m", std::make_shared<const ModelConfig>(config_));
    version->threading = threading_;
    limit_ = run_limit(*version);
    return scheduling_status(*version);
  }

  ModelConfig config_;
  Threading threading_;
  std::uint32_t limit_ = 99;
};

TEST_F(SchedulingStatusTest, SaysThatNothingWasChosen) {
  EXPECT_THAT(status(), Contains("instances: as many as run threads"));
  EXPECT_EQ(limit_, 0);
  threading_ = {0, 0, 1, false, "a run takes 9 us"};
  EXPECT_THAT(status(), Contains("instances: as many as run threads x 1 thread; a run takes 9 us"));
}

TEST_F(SchedulingStatusTest, SaysWhatWasChosenAndWhy) {
  threading_ = {3, 3, 2, true, "figures"};
  EXPECT_THAT(status(), Contains("instances: 3 x 2 threads; figures"));
  EXPECT_EQ(limit_, 3);
}

TEST_F(SchedulingStatusTest, WhatIsConfiguredHolds) {
  threading_ = {1, 1, 2, true, "figures"};
  config_.instances = 4;
  EXPECT_THAT(status(), Contains("instances: 4 by configuration x 2 threads; figures"));
  EXPECT_EQ(limit_, 4);
  config_.batch.preserve_order = true;
  EXPECT_THAT(status(), Contains("instances: 1 (order is preserved) x 2 threads; figures"));
  EXPECT_EQ(limit_, 1);
}

}  // namespace
}  // namespace protean
