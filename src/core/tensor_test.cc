// SPDX-License-Identifier: Apache-2.0
// Sizes at the edge of 63 bits, and data that does not fit its shape.
#include "core/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace protean {
namespace {

constexpr std::int64_t kMax = INT64_MAX;

std::string text(const Status& status) { return status ? "ok" : status.error().message; }

template <typename T>
std::string text(const Result<T>& result) {
  return result ? "ok" : result.error().message;
}

Tensor tensor(DataType type, Shape shape, std::string bytes) {
  return {type, std::move(shape), Slice::of(std::move(bytes))};
}

TEST(DataTypes, HaveNamesSizesAndWayBack) {
  EXPECT_EQ(parse_data_type("FP32"), DataType::kFp32);
  EXPECT_EQ(element_size(DataType::kBf16), 2);
  EXPECT_EQ(element_size(DataType::kBytes), 0);
  for (const char* wrong : {"", "fp32", "FP8", "INT64 ", "STRING"}) EXPECT_FALSE(parse_data_type(wrong)) << wrong;
  for (int i = 0; i <= static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(parse_data_type(data_type_name(type)), type);
  }
}

TEST(FormatShape, LooksLikeJson) {
  EXPECT_EQ(format_shape({}), "[]");
  EXPECT_EQ(format_shape({-1, 3}), "[-1,3]");
}

TEST(ElementCount, IsTheProduct) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({0}), 0);
  EXPECT_EQ(element_count({5, 0, 7}), 0);
  EXPECT_EQ(element_count({kMax}), static_cast<std::size_t>(kMax));
}

TEST(ElementCount, RefusesNegativeAndOverflowingShapes) {
  EXPECT_EQ(text(element_count({2, -1})), "shape [2,-1]: dimension -1, expected 0 or more");
  EXPECT_FALSE(element_count({INT64_MIN}));
  EXPECT_FALSE(element_count({kMax, 2}));
  EXPECT_FALSE(element_count({std::int64_t{1} << 32, std::int64_t{1} << 31}));
  // A zero somewhere does not excuse dimensions whose product cannot be told.
  EXPECT_FALSE(element_count({0, kMax, kMax}));
}

TEST(ByteCount, ChecksTheLastMultiplicationToo) {
  EXPECT_EQ(byte_count(DataType::kFp64, {3}), 24);
  EXPECT_EQ(byte_count(DataType::kUint8, {kMax}), static_cast<std::size_t>(kMax));
  EXPECT_FALSE(byte_count(DataType::kUint16, {kMax}));
  EXPECT_FALSE(byte_count(DataType::kBytes, {1}));
}

TEST(CheckData, WantsExactlyTheBytesOfTheShape) {
  EXPECT_TRUE(check_data(tensor(DataType::kFp32, {2}, "01234567"), "x"));
  EXPECT_TRUE(check_data(tensor(DataType::kFp32, {0, 5}, ""), "x"));
  EXPECT_EQ(text(check_data(tensor(DataType::kFp32, {2}, "0123456"), "x")),
            "'x': 7 bytes of data, expected 8 for FP32 [2]");
  EXPECT_FALSE(check_data(tensor(DataType::kFp32, {2}, "012345678"), "x"));
  EXPECT_FALSE(check_data(tensor(DataType::kFp32, {kMax, kMax}, ""), "x"));
}

TEST(CheckData, WantsBooleansToBeZeroOrOne) {
  EXPECT_TRUE(check_data(tensor(DataType::kBool, {3}, std::string("\0\1\1", 3)), "b"));
  EXPECT_EQ(text(check_data(tensor(DataType::kBool, {3}, std::string("\0\2\1", 3)), "b")),
            "'b': BOOL element 1 is byte 2, expected 0 or 1");
  // Bits that only together look like more: 1 | 2 is 3, found at the element that has it.
  EXPECT_FALSE(check_data(tensor(DataType::kBool, {2}, "\1\xFF"), "b"));
}

TEST(CheckData, SplitsBytesIntoExactlyTheElementsOfTheShape) {
  Buffer data;
  append_bytes_element(data, "one");
  append_bytes_element(data, "");
  append_bytes_element(data, std::string_view("\0", 1));
  const std::string good(data.text());
  EXPECT_EQ(good, std::string("\3\0\0\0one\0\0\0\0\1\0\0\0\0", 16));
  EXPECT_TRUE(check_data(tensor(DataType::kBytes, {3}, good), "s"));
  EXPECT_TRUE(check_data(tensor(DataType::kBytes, {0}, ""), "s"));
  EXPECT_EQ(text(check_data(tensor(DataType::kBytes, {2}, good), "s")),
            "'s': 3 BYTES elements, expected 2 by its shape");
  EXPECT_FALSE(check_data(tensor(DataType::kBytes, {4}, good), "s"));
  EXPECT_FALSE(check_data(tensor(DataType::kBytes, {0}, good), "s"));
  EXPECT_FALSE(check_data(tensor(DataType::kBytes, {kMax, kMax}, good), "s"));
  EXPECT_EQ(text(check_data(tensor(DataType::kBytes, {1}, std::string("\5\0\0", 3)), "s")),
            "'s': 3 bytes left after element 0, expected a 4-byte length");
  EXPECT_EQ(text(check_data(tensor(DataType::kBytes, {1}, std::string("\5\0\0\0abcd", 8)), "s")),
            "'s': element 0 announces 5 bytes, 4 are left");
  EXPECT_FALSE(check_data(tensor(DataType::kBytes, {1},
                                 "\xFF\xFF\xFF\xFF"
                                 "abc"),
                          "s"));
}

TEST(CheckData, FindsTruncationAtEveryByte) {
  Buffer data;
  append_bytes_element(data, "hello");
  append_bytes_element(data, "world");
  for (std::size_t size = 0; size < data.size(); ++size) {
    EXPECT_FALSE(check_data(tensor(DataType::kBytes, {2}, std::string(data.text().substr(0, size))), "s")) << size;
  }
}

TEST(BytesReader, WalksTheElements) {
  Buffer data;
  append_bytes_element(data, "one");
  append_bytes_element(data, "");
  const Slice slice = std::move(data).share();
  BytesReader reader(slice.bytes);
  EXPECT_EQ(reader.next(), "one");
  EXPECT_EQ(reader.next(), "");
  EXPECT_TRUE(reader.done());
}

}  // namespace
}  // namespace protean
