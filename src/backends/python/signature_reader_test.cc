// SPDX-License-Identifier: Apache-2.0
#include "backends/python/signature_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

namespace protean::python {
namespace {

using testing::HasSubstr;

/// Writes what signature.py writes.
class Packed {
 public:
  template <typename T>
  Packed& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Packed& count(std::uint32_t value) { return number(value); }
  Packed& text(const std::string& value) {
    count(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
    return *this;
  }
  Packed& byte(int value) { return number(static_cast<std::uint8_t>(value)); }
  /// A tensor of type FP32 and shape [-1, `columns`].
  Packed& matrix(const std::string& name, std::int64_t columns) {
    return text(name).byte(11).byte(0).byte(2).number(std::int64_t{-1}).number(columns).count(0);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return std::as_bytes(std::span(bytes_)); }

 private:
  std::string bytes_;
};

Packed whole(std::int64_t width, std::uint32_t columns) {
  Packed packed;
  packed.text("python").count(1).matrix("x", width).count(1).text("y").byte(13).byte(3).byte(0).count(2);
  packed.text("class_labels").text("[]").count(columns);
  for (std::uint32_t i = 0; i < columns; ++i) packed.text("c" + std::to_string(i)).byte(13).byte(1).count(1).text("u");
  packed.byte(1).count(1).text("note");
  return packed;
}

TEST(SignatureReader, ReadsWhatTheWorkerSays) {
  const auto facts = read_loaded(whole(2, 2).bytes());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->signature.platform, "python");
  EXPECT_EQ(facts->signature.inputs[0].shape, (Shape{-1, 2}));
  EXPECT_EQ(facts->signature.inputs[0].type, DataType::kFp32);
  EXPECT_TRUE(facts->signature.outputs[0].any_rank);
  EXPECT_EQ(facts->signature.outputs[0].parameters.front().first, "class_labels");
  EXPECT_EQ(facts->signature.columns[1].name, "c1");
  EXPECT_TRUE(facts->signature.columns[1].nullable);
  EXPECT_TRUE(facts->explains);
  EXPECT_FALSE(facts->signature.streams);
  EXPECT_THAT(facts->notes, testing::ElementsAre("note"));
}

TEST(SignatureReader, RefusesColumnsThatDoNotFitTheInputs) {
  EXPECT_THAT(read_loaded(whole(3, 2).bytes()).error().message, HasSubstr("2 columns of an input of shape [-1,3]"));
}

TEST(SignatureReader, RefusesEveryPrefix) {
  const Packed packed = whole(2, 2);
  for (std::size_t size = 0; size < packed.bytes().size(); ++size) {
    const auto facts = read_loaded(packed.bytes().first(size));
    ASSERT_FALSE(facts) << size;
    EXPECT_EQ(facts.error().code, Code::kInvalidArgument);
  }
}

TEST(SignatureReader, RefusesCountsAndValuesOutOfRange) {
  EXPECT_THAT(read_loaded(Packed().text("p").count(UINT32_MAX).bytes()).error().message, HasSubstr("a count of"));
  EXPECT_THAT(read_loaded(Packed().text("p").count(1).text("x").byte(14).byte(0).bytes()).error().message,
              HasSubstr("type 14"));
  EXPECT_THAT(read_loaded(Packed().text("p").count(1).text("x").byte(11).byte(0).byte(17).bytes()).error().message,
              HasSubstr("17 dimensions"));
  EXPECT_THAT(read_loaded(Packed().text("\xff").bytes()).error().message, HasSubstr("not UTF-8"));
}

TEST(SignatureReader, SurvivesAnyBytes) {
  const Packed packed = whole(2, 2);
  std::minstd_rand random(1);
  std::vector<std::byte> bytes;
  for (int round = 0; round < 3000; ++round) {
    bytes.assign(packed.bytes().begin(), packed.bytes().end());
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    static_cast<void>(read_loaded(bytes));
    static_cast<void>(read_explanation_names(bytes));
  }
}

}  // namespace
}  // namespace protean::python
