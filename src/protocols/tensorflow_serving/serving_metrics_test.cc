// SPDX-License-Identifier: Apache-2.0
// The page as a scraper reads it.
#include "protocols/tensorflow_serving/serving_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace protean::tfserving {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ServingMetrics, CountsRequestsByModelAndStatus) {
  ServingMetrics metrics;
  metrics.record({"m", "predict", "OK", true, 4, std::chrono::microseconds(17)});
  metrics.record({"m", "Predict", "OK", false, 0, std::chrono::microseconds(5)});
  metrics.record({"m\"", "Predict", "NOT_FOUND", false, 0, std::chrono::microseconds(5)});
  const std::string page = metrics.page();
  EXPECT_THAT(page, HasSubstr("# TYPE :tensorflow:serving:request_count counter\n"));
  EXPECT_THAT(page, HasSubstr(":tensorflow:serving:request_count{model_name=\"m\",status=\"OK\"} 2\n"));
  EXPECT_THAT(page, HasSubstr(":tensorflow:serving:request_count{model_name=\"m\\\"\",status=\"NOT_FOUND\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(":tensorflow:serving:request_example_count_total{model=\"m\"} 4\n"));
}

TEST(ServingMetrics, HasTheBucketsOfTheOriginal) {
  ServingMetrics metrics;
  metrics.record({"m", "predict", "OK", true, 4, std::chrono::microseconds(17)});
  metrics.record({"m", "predict", "INTERNAL", true, 0, std::chrono::microseconds(17)});
  const std::string page = metrics.page();
  const std::string latency = ":tensorflow:serving:request_latency";
  const std::string labels = R"({model_name="m",API="predict",entrypoint="REST")";
  EXPECT_THAT(page, HasSubstr(latency + "_bucket" + labels + ",le=\"10\"} 0\n"));
  EXPECT_THAT(page, HasSubstr(latency + "_bucket" + labels + ",le=\"18\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(latency + "_bucket" + labels + ",le=\"32.4\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(latency + "_bucket" + labels + ",le=\"+Inf\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(latency + "_sum" + labels + "} 17\n"));
  EXPECT_THAT(page, HasSubstr(latency + "_count" + labels + "} 1\n"));
  EXPECT_THAT(page, HasSubstr(":tensorflow:serving:request_example_counts_bucket{model=\"m\",le=\"16384\"} 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("le=\"32768\"")));
}

}  // namespace
}  // namespace protean::tfserving
