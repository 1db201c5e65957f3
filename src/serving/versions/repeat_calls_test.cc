// SPDX-License-Identifier: Apache-2.0
#include "serving/versions/repeat_calls.h"

#include <gtest/gtest.h>

#include <deque>

#include "serving/fake_backend.h"

namespace protean {
namespace {

using testing::FakeModel;

/// Hands out what it was given.
class Calls final : public RecordedCalls {
 public:
  void add(std::string name, std::string function, std::size_t bytes = 1) {
    InferRequest request;
    request.function = std::move(function);
    RecordedCall call{std::move(name), {}, {}};
    call.requests.push_back(std::move(request));
    call.bind = [bytes](InferRequest& bound, const Signature& signature) -> Status {
      Tensor tensor{DataType::kUint8, {static_cast<std::int64_t>(bytes)}, Buffer(bytes).share()};
      bound.inputs.push_back({signature.inputs.front().name, std::move(tensor), {}});
      return {};
    };
    calls_.push_back(std::move(call));
  }
  [[nodiscard]] Result<std::optional<RecordedCall>> next() override {
    if (calls_.empty()) return std::nullopt;
    RecordedCall call = std::move(calls_.front());
    calls_.pop_front();
    return call;
  }
  void ended(const Status& status, Duration) override {
    ends.push_back(status ? "OK" : code_name(status.error().code));
  }

  std::vector<std::string_view> ends;

 private:
  std::deque<RecordedCall> calls_;
};

class RepeatCallsTest : public ::testing::Test {
 protected:
  RepeatCallsTest() {
    version_.config = config_;
    version_.model = std::make_unique<FakeModel>("MODEL", alive_);
    version_.signature = std::make_shared<const Signature>(version_.model->signature());
  }

  std::atomic<int> alive_{0};
  std::shared_ptr<ModelConfig> config_ = std::make_shared<ModelConfig>();
  LoadedVersion version_;
  Calls calls_;
};

TEST_F(RepeatCallsTest, RunsEachCallAsOftenAsConfigured) {
  config_->warm_up.recorded_runs = 3;
  calls_.add("record 1", "");
  calls_.add("record 2", "serving_default");
  const auto note = repeat_calls(version_, calls_, Clock::system());
  ASSERT_TRUE(note) << note.error().message;
  EXPECT_TRUE(note->starts_with("repeated 2 recorded calls, 6 runs in ")) << *note;
  EXPECT_EQ(calls_.ends, std::vector<std::string_view>{"OK"});
}

TEST_F(RepeatCallsTest, FailsWithTheNameOfTheCall) {
  calls_.add("record 1", "");
  calls_.add("record 2", "absent");
  const auto note = repeat_calls(version_, calls_, Clock::system());
  ASSERT_FALSE(note);
  EXPECT_TRUE(note.error().message.starts_with("warm-up with record 2 failed: function 'absent'"))
      << note.error().message;
  EXPECT_EQ(calls_.ends, std::vector<std::string_view>{"INVALID_ARGUMENT"});
}

TEST_F(RepeatCallsTest, StopsWhenItsTimeIsOver) {
  config_->warm_up.time_max = {};
  calls_.add("record 1", "");
  calls_.add("record 2", "");
  const auto note = repeat_calls(version_, calls_, Clock::system());
  ASSERT_TRUE(note);
  EXPECT_TRUE(note->starts_with("repeated 1 recorded calls, 1 runs in ") && note->ends_with("cut short by time_max"))
      << *note;
}

}  // namespace
}  // namespace protean
