// SPDX-License-Identifier: Apache-2.0
// Numbers, strings and blocks as they are printed.
#include "protocols/open_inference/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "protocols/open_inference/half.h"

namespace protean {
namespace {

template <typename T>
std::string print(DataType type, std::vector<T> values, std::size_t misalignment = 0) {
  Buffer bytes(misalignment);
  bytes.append(values.data(), values.size() * sizeof(T));
  const Slice all = std::move(bytes).share();
  const Tensor tensor{
      type, {static_cast<std::int64_t>(values.size())}, all.part(misalignment, all.size() - misalignment)};
  JsonWriter out;
  EXPECT_TRUE(out.elements(tensor, "y"));
  return std::string(std::move(out).finish().text());
}

TEST(JsonWriter, PrintsFloatsInTheirShortestForm) {
  EXPECT_EQ(print<float>(DataType::kFp32, {0.1F, 1, -2.5F, 16777216, 1e-7F}), "[0.1,1.0,-2.5,16777216.0,1e-07]");
  EXPECT_EQ(print<double>(DataType::kFp64, {0.1, 1e300, 5e-324, -0.0}), "[0.1,1e+300,5e-324,-0.0]");
  EXPECT_EQ(print<double>(DataType::kFp64, {std::numeric_limits<double>::max()}), "[1.7976931348623157e+308]");
}

TEST(JsonWriter, PrintsNanAndInfinitiesAsNull) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(print<float>(DataType::kFp32, {std::nanf(""), infinity, -infinity}), "[null,null,null]");
}

TEST(JsonWriter, PrintsIntegersExactly) {
  using I64 = std::numeric_limits<std::int64_t>;
  EXPECT_EQ(print<std::int64_t>(DataType::kInt64, {I64::min(), I64::max()}),
            "[-9223372036854775808,9223372036854775807]");
  EXPECT_EQ(print<std::uint64_t>(DataType::kUint64, {std::numeric_limits<std::uint64_t>::max()}),
            "[18446744073709551615]");
  EXPECT_EQ(print<std::int8_t>(DataType::kInt8, {-128, 127}), "[-128,127]");
  EXPECT_EQ(print<std::uint8_t>(DataType::kBool, {0, 1}), "[false,true]");
}

TEST(JsonWriter, PrintsHalvesAsTheNumbersTheyAre) {
  EXPECT_EQ(print<Half>(DataType::kFp16, {Half{0x3C00}, Half{0x7BFF}, Half{0x7C00}}), "[1.0,65504.0,null]");
  EXPECT_EQ(print<Bfloat16>(DataType::kBf16, {Bfloat16{0x3F80}, Bfloat16{0x4049}}), "[1.0,3.140625]");
}

TEST(JsonWriter, ReadsElementsWhereverTheyLie) {
  EXPECT_EQ(print<double>(DataType::kFp64, {1.5, 2.5}, 3), "[1.5,2.5]");
}

TEST(JsonWriter, PrintsManyElementsInBlocks) {
  const std::string text = print<std::int32_t>(DataType::kInt32, std::vector<std::int32_t>(1000, 7));
  EXPECT_EQ(text.size(), 2001U);
  EXPECT_EQ(text.substr(0, 6), "[7,7,7");
  EXPECT_EQ(text.substr(text.size() - 4), "7,7]");
  EXPECT_EQ(print<float>(DataType::kFp32, {}), "[]");
}

TEST(JsonWriter, EscapesStrings) {
  Buffer bytes;
  append_bytes_element(bytes, "a\"\\\n\x01\xC3\xA9");
  append_bytes_element(bytes, "");
  JsonWriter out;
  EXPECT_TRUE(out.elements({DataType::kBytes, {2}, std::move(bytes).share()}, "y"));
  EXPECT_EQ(std::move(out).finish().text(), "[\"a\\\"\\\\\\n\\u0001\xC3\xA9\",\"\"]");
}

TEST(JsonWriter, RefusesBytesThatAreNotUtf8) {
  Buffer bytes;
  append_bytes_element(bytes, "\xFF");
  JsonWriter out;
  const auto status = out.elements({DataType::kBytes, {1}, std::move(bytes).share()}, "y");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "output 'y': element 0 is not UTF-8 and cannot be a JSON string; ask for this output in binary (parameter "
            "binary_data)");
}

TEST(JsonWriter, PrintsParametersOfEveryKind) {
  JsonWriter out;
  out.parameters(
      {{"a", true}, {"b", std::int64_t{-1}}, {"c", std::uint64_t{1} << 63}, {"d", 0.5}, {"e", std::string("x")}});
  EXPECT_EQ(std::move(out).finish().text(), "\"a\":true,\"b\":-1,\"c\":9223372036854775808,\"d\":0.5,\"e\":\"x\"");
}

}  // namespace
}  // namespace protean
