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

TEST(ServingMetrics, CountsARunOnceHoweverManyRequestsShareIt) {
  ServingMetrics metrics;
  using std::chrono::microseconds;
  const RunTimes first{microseconds(300), microseconds(50), 4, 1, true};
  const RunTimes second{microseconds(100), microseconds(50), 4, 1, false};
  metrics.record({"m", "predict", "OK", true, 2, microseconds(400), std::span(&first, 1)});
  metrics.record({"m", "Predict", "OK", false, 1, microseconds(200), std::span(&second, 1)});
  const std::string page = metrics.page();
  const std::string name = ":tensorflow:serving:";
  EXPECT_THAT(page, HasSubstr(name + R"(runtime_latency_count{model_name="m",API="Predict",runtime="TF1"} 2)"));
  EXPECT_THAT(page, HasSubstr(name + R"(runtime_latency_sum{model_name="m",API="Predict",runtime="TF1"} 100)"));
  const std::string batching = name + "batching_session:";
  const std::string pool = R"({thread_pool_name="model_server_batch_threads")";
  EXPECT_THAT(page, HasSubstr(batching + "queuing_latency_bucket" + pool + ",le=\"100\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(batching + "queuing_latency_bucket" + pool + ",le=\"298.598\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(batching + "queuing_latency_sum" + pool + "} 400\n"));
  EXPECT_THAT(page, HasSubstr(batching + "wrapped_run_count 1\n"));
  EXPECT_THAT(page, HasSubstr(batching + "input_batch_size_sum 3\n"));
  EXPECT_THAT(page, HasSubstr(batching + "processed_batch_size_sum 4\n"));
  EXPECT_THAT(page, HasSubstr(batching + "processed_batch_size_count 1\n"));
  EXPECT_THAT(page, HasSubstr(batching + "padding_size_sum{execution_batch_size=\"4\"} 1\n"));
}

TEST(ServingMetrics, AnAnswerWithoutARunCountsForNone) {
  ServingMetrics metrics;
  const RunTimes none;
  metrics.record({"m", "Predict", "OK", false, 2, std::chrono::microseconds(1), std::span(&none, 1)});
  EXPECT_THAT(metrics.page(), Not(HasSubstr("batching_session")));
}

TEST(ServingMetrics, CountsWarmUpRequestsByFolder) {
  ServingMetrics metrics;
  metrics.record_warm_up({"/m/1", "OK", 3, std::chrono::microseconds(20)});
  EXPECT_THAT(metrics.page(), HasSubstr(R"(model_warmup_records_read{model_path="/m/1",status="OK"} 3)"));
  EXPECT_THAT(metrics.page(), HasSubstr(R"(model_warmup_latency_sum{model_path="/m/1",status="OK"} 20)"));
}

}  // namespace
}  // namespace protean::tfserving
