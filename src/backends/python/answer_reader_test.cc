// SPDX-License-Identifier: Apache-2.0
#include "backends/python/answer_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "backends/python/wire.h"

namespace protean::python {
namespace {

using testing::HasSubstr;

class AnswerReaderTest : public testing::Test {
 protected:
  AnswerReaderTest() : control_(kHalfBytes), region_(4096) { header_.sequence = 7; }

  TensorRecord& record(std::size_t i) {
    return *reinterpret_cast<TensorRecord*>(control_.data() + kAnswerRecordsAt + i * sizeof(TensorRecord));
  }
  void put(std::size_t i, DataType type, std::initializer_list<std::int64_t> shape, std::uint64_t offset,
           std::uint64_t bytes) {
    TensorRecord made{};
    made.index = static_cast<std::uint32_t>(i);
    made.type = static_cast<std::uint8_t>(type);
    made.rank = static_cast<std::uint8_t>(shape.size());
    made.offset = offset;
    made.bytes = bytes;
    std::copy(shape.begin(), shape.end(), made.shape);
    record(i) = made;
    header_.tensors = static_cast<std::uint32_t>(i + 1);
  }
  Result<WorkerAnswer> read() {
    std::memcpy(control_.data(), &header_, sizeof(header_));
    return read_answer(control_, region_, 7);
  }
  std::string refused() {
    const auto answer = read();
    EXPECT_FALSE(answer);
    if (answer) return {};
    EXPECT_EQ(answer.error().code, Code::kInternal);
    return answer.error().message;
  }

  AnswerHeader header_{};
  std::vector<std::byte> control_;
  std::vector<std::byte> region_;
};

TEST_F(AnswerReaderTest, CopiesTensorsOut) {
  const std::int32_t values[] = {3, 4};
  std::memcpy(region_.data() + 64, values, sizeof(values));
  put(0, DataType::kInt32, {2}, 64, 8);
  const auto answer = read();
  ASSERT_TRUE(answer);
  std::memset(region_.data(), 0xff, region_.size());  // what the worker does afterwards changes nothing
  EXPECT_EQ(std::memcmp(answer->tensors[0].tensor.data.data(), values, sizeof(values)), 0);
  EXPECT_EQ(answer->tensors[0].tensor.shape, Shape{2});
}

TEST_F(AnswerReaderTest, RefusesRecordsThatCannotBeRight) {
  put(0, DataType::kInt32, {2}, 64, 12);
  EXPECT_THAT(refused(), HasSubstr("12 bytes for shape [2]"));
  put(0, DataType::kInt32, {1024}, 4, 4096);
  EXPECT_THAT(refused(), HasSubstr("bytes 4 + 4096 of 4096"));
  put(0, DataType::kInt32, {1}, UINT64_MAX - 1, 4);
  EXPECT_THAT(refused(), HasSubstr("of 4096"));
  put(0, DataType::kInt32, {-1}, 0, 4);
  EXPECT_THAT(refused(), HasSubstr("cannot be right"));
  put(0, DataType::kInt32, {INT64_MAX, INT64_MAX}, 0, 4);
  EXPECT_THAT(refused(), HasSubstr("cannot be right"));
  put(0, DataType::kInt32, {1}, 0, 4);
  record(0).type = 99;
  EXPECT_THAT(refused(), HasSubstr("type 99"));
  put(0, DataType::kInt32, {1}, 0, 4);
  record(0).rank = 200;
  EXPECT_THAT(refused(), HasSubstr("200 dimensions"));
}

TEST_F(AnswerReaderTest, CopiesNoMoreThanTheRegionHas) {
  for (std::size_t i = 0; i < 2; ++i) put(i, DataType::kUint8, {4096}, 0, 4096);
  EXPECT_THAT(refused(), HasSubstr("overlap"));
  header_.tensors = UINT32_MAX;
  EXPECT_THAT(refused(), HasSubstr("4294967295 tensors"));
}

TEST_F(AnswerReaderTest, ChecksTextAndTruthValues) {
  std::memset(region_.data(), 0xff, 64);
  put(0, DataType::kBytes, {1}, 0, 8);
  EXPECT_THAT(refused(), HasSubstr("cannot be right"));
  put(0, DataType::kBool, {1}, 0, 1);
  EXPECT_THAT(refused(), HasSubstr("cannot be right"));
}

TEST_F(AnswerReaderTest, RefusesAnAnswerToAnotherRequest) {
  header_.sequence = 8;
  EXPECT_THAT(refused(), HasSubstr("to request 8, expected 7"));
  header_.sequence = 7;
  header_.status = static_cast<AnswerStatus>(9);
  EXPECT_THAT(refused(), HasSubstr("status 9"));
}

TEST_F(AnswerReaderTest, ReadsErrorsOfAnySizeAndCode) {
  header_.status = AnswerStatus::kError;
  header_.code = 3;
  header_.message_bytes = UINT32_MAX;
  std::memcpy(control_.data() + kMessageAt, "no\x01good", 7);
  auto answer = read();
  ASSERT_TRUE(answer && answer->refusal);
  EXPECT_EQ(answer->refusal->code, Code::kInvalidArgument);
  EXPECT_THAT(answer->refusal->message, testing::StartsWith("no?good"));
  header_.code = 77;
  EXPECT_EQ(read()->refusal->code, Code::kInternal);
}

TEST_F(AnswerReaderTest, SurvivesAnyBytes) {
  std::minstd_rand random(1);
  for (int round = 0; round < 300; ++round) {
    for (std::size_t i = 0; i < kAnswerRecordsAt + 8 * sizeof(TensorRecord); ++i) {
      control_[i] = static_cast<std::byte>(random());
    }
    std::memcpy(&header_, control_.data(), sizeof(header_));
    header_.sequence = 7;
    header_.status = static_cast<AnswerStatus>(round % 3);
    header_.tensors = 1 + header_.tensors % 8;
    static_cast<void>(read());
  }
}

}  // namespace
}  // namespace protean::python
