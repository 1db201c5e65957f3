// SPDX-License-Identifier: Apache-2.0
#include "serving/versions/warm_up.h"

#include <gtest/gtest.h>

#include "serving/fake_backend.h"
#include "serving/temporary_folder.h"

namespace protean {
namespace {

using testing::FakeModel;
using testing::TemporaryFolder;

/// Each look at it is ten microseconds later.
class SteppingClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return now_ += std::chrono::microseconds(10); }

 private:
  mutable TimePoint now_{std::chrono::seconds(1)};
};

InferRequest request_of(std::string_view bytes, std::string input = "x") {
  Buffer data;
  data.append(bytes);
  InferRequest request;
  request.inputs.push_back(
      {std::move(input), {DataType::kUint8, {static_cast<std::int64_t>(bytes.size())}, std::move(data).share()}, {}});
  return request;
}

/// A recorded request in these tests: the bytes of its input, `?` for what is no request.
Result<InferRequest> decode(Slice text) {
  if (text.text() == "?") return fail(Code::kInvalidArgument, "no JSON");
  return request_of(text.text(), text.text() == "misfit" ? "z" : "x");
}

class WarmUpTest : public ::testing::Test {
 protected:
  Result<std::vector<std::string>> warm(const std::string& content) {
    version_.model_name = "m";
    version_.version_text = "1";
    version_.model = std::make_unique<FakeModel>(content, alive_);
    version_.signature = std::make_shared<const Signature>(version_.model->signature());
    version_.config = std::make_shared<const ModelConfig>(config_);
    sources_.folders = {folder_.path()};
    return warm_up(version_, sources_, clock_);
  }
  std::string first_note(const std::string& content) {
    const auto notes = warm(content);
    return notes ? notes->at(0) : notes.error().message;
  }

  TemporaryFolder folder_;
  std::atomic<int> alive_{0};
  LoadedVersion version_;
  ModelConfig config_;
  WarmUpSources sources_{{}, decode, {}};
  SteppingClock clock_;
};

TEST_F(WarmUpTest, RunsRecordedRequestsBesideGeneratedOnes) {
  folder_.write("warmup/a.json", "\x05\x06");
  folder_.write("warmup/b.json", "\x07");
  folder_.write("warmup/notes.txt", "?");
  EXPECT_TRUE(first_note("MODEL").starts_with("warmed by 2 generated, 2 recorded runs")) << first_note("MODEL");
}

TEST_F(WarmUpTest, RunsAStatefulModelWithWhatWasRecordedForItAlone) {
  folder_.write("warmup/a.json", "\x05");
  config_.warm_up.replayed_max = 2;
  sources_.replayed = {std::make_shared<const InferRequest>(request_of("a"))};
  EXPECT_TRUE(first_note("MODEL stateful").starts_with("warmed by 1 recorded runs")) << first_note("MODEL stateful");
  EXPECT_EQ(dynamic_cast<const FakeModel&>(*version_.model).runs, 1);
}

TEST_F(WarmUpTest, FailsByNameOnARecordedRequestThatIsBroken) {
  folder_.write("warmup/a.json", "\x05");
  folder_.write("warmup/b.json", "?");
  EXPECT_EQ(first_note("MODEL"), "warm-up with 'warmup/b.json' failed: no JSON");
}

TEST_F(WarmUpTest, FailsByNameOnARecordedRequestThatDoesNotFit) {
  folder_.write("warmup/a.json", "misfit");
  EXPECT_TRUE(first_note("MODEL").starts_with("warm-up with 'warmup/a.json' failed: ")) << first_note("MODEL");
  EXPECT_NE(first_note("MODEL").find("model m, version 1"), std::string::npos) << first_note("MODEL");
}

TEST_F(WarmUpTest, FailsWhenTheModelCannotAnswerARecordedRequest) {
  folder_.write("warmup/a.json", "\x05");
  EXPECT_EQ(first_note("MODEL fails"), "warm-up with 'warmup/a.json' failed: the model failed");
}

TEST_F(WarmUpTest, LeavesRecordedRequestsAloneWhenToldTo) {
  folder_.write("warmup/a.json", "?");
  config_.warm_up.recorded = false;
  EXPECT_TRUE(first_note("MODEL").starts_with("warmed by 2 generated runs"));
}

TEST_F(WarmUpTest, ReplaysTheNewestRequestsAndOnlyNotesThoseThatDoNotFit) {
  config_.warm_up.generated_runs = 0;
  config_.warm_up.replayed_max = 2;
  sources_.replayed = {std::make_shared<const InferRequest>(request_of("misfit", "z")),
                       std::make_shared<const InferRequest>(request_of("a")),
                       std::make_shared<const InferRequest>(request_of("b")),
                       std::make_shared<const InferRequest>(request_of("c"))};
  const auto notes = warm("MODEL");
  ASSERT_TRUE(notes);
  EXPECT_TRUE(notes->at(0).starts_with("warmed by 2 replayed runs")) << notes->at(0);
  EXPECT_EQ(notes->at(1), "1 recent requests do not fit the signature any more");
}

TEST_F(WarmUpTest, FailsWhenTheModelCannotAnswerWhatItsClientsSend) {
  sources_.replayed = {std::make_shared<const InferRequest>(request_of("a"))};
  EXPECT_EQ(first_note("MODEL fails"), "warm-up with a recent request of the version before failed: the model failed");
}

TEST_F(WarmUpTest, EndsWithoutFailingWhenItsTimeIsOver) {
  config_.warm_up.generated_runs = 1000;
  config_.warm_up.time_max = std::chrono::microseconds(100);
  EXPECT_NE(first_note("MODEL").find("cut short by time_max"), std::string::npos);
}

TEST_F(WarmUpTest, LearnsWhatRunsOfDifferentSizesCost) {
  version_.batch = {true, "rows are independent"};
  ASSERT_TRUE(warm("MODEL"));
  EXPECT_TRUE(version_.cost.known());
  EXPECT_TRUE(version_.cost.curve_known());
  EXPECT_NEAR(static_cast<double>(version_.cost.predict(1).count()), 10'000, 10);
}

}  // namespace
}  // namespace protean
