// SPDX-License-Identifier: Apache-2.0
// Bytes from the examples of https://protobuf.dev/programming-guides/encoding, and broken ones.
#include "backends/onnxruntime/onnx_wire.h"

#include <gmock/gmock.h>

namespace protean {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

WireState first(const std::string& message, WireField& field) { return WireReader(message).next(field); }

TEST(OnnxWire, ReadsEachWireType) {
  WireField field;
  ASSERT_EQ(first("\x08\x96\x01", field), WireState::kGood);  // the guide's `int32 a = 1` holding 150
  EXPECT_EQ(field.number, 1U);
  EXPECT_EQ(field.value, 150U);
  ASSERT_EQ(first("\x12\x07testing", field), WireState::kGood);  // `string b = 2`
  EXPECT_EQ(field.number, 2U);
  EXPECT_EQ(field.body, 2U);
  EXPECT_EQ(field.end, 9U);
  ASSERT_EQ(first("\x1D\x01\x02\0\0"s, field), WireState::kGood);
  EXPECT_EQ(field.value, 0x201U);
  ASSERT_EQ(first("\x21\x01\0\0\0\0\0\0\x80"s, field), WireState::kGood);
  EXPECT_EQ(field.value, 0x8000000000000001U);
}

TEST(OnnxWire, TellsTruncatedFromMalformed) {
  WireField field;
  EXPECT_EQ(first("", field), WireState::kEnd);
  EXPECT_EQ(first("\x08", field), WireState::kTruncated);
  EXPECT_EQ(first("\x12\x07test", field), WireState::kTruncated);
  EXPECT_EQ(field.end, 9U);
  EXPECT_EQ(first("\x1D\x01", field), WireState::kTruncated);
  EXPECT_EQ(first("\x0B", field), WireState::kMalformed) << "a group";
  EXPECT_EQ(first("\x0F", field), WireState::kMalformed) << "wire type 7";
  EXPECT_EQ(first("\x02\x01", field), WireState::kMalformed) << "field number 0";
  EXPECT_EQ(first("\xFA\xFF\xFF\xFF\xFF\x01", field), WireState::kMalformed) << "a tag of more than 32 bits";
}

TEST(OnnxWire, LengthsNearTheLimitsDoNotOverflow) {
  WireField field;
  EXPECT_EQ(first("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", field), WireState::kMalformed);  // 2^64-1
  EXPECT_EQ(first("\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", field), WireState::kMalformed);  // bit 65
  EXPECT_EQ(first("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", field), WireState::kMalformed);      // 2^63-1
  EXPECT_EQ(first("\x12\xFF\xFF\xFF\xFF\x0F", field), WireState::kTruncated);                      // 2^32-1
}

TEST(OnnxWire, WritesWhatItReads) {
  for (const std::uint64_t value : {0ULL, 127ULL, 128ULL, 300ULL, ~0ULL}) {
    std::string out;
    append_varint(out, value);
    EXPECT_EQ(out.size(), varint_size(value));
    WireField field;
    ASSERT_EQ(first("\x08" + out, field), WireState::kGood);
    EXPECT_EQ(field.value, value);
  }
  std::string text;
  append_text_field(text, 20, "abc");
  EXPECT_EQ(text,
            "\xA2\x01\x03"
            "abc");
}

TEST(OnnxWire, ReadsPackedNumbers) {
  std::vector<std::uint64_t> numbers;
  ASSERT_TRUE(read_packed_varints("\x03\x8E\x02\x9E\xA7\x05", numbers));  // the guide's repeated field
  EXPECT_THAT(numbers, ::testing::ElementsAre(3, 270, 86942));
  EXPECT_FALSE(read_packed_varints("\x80", numbers));
  EXPECT_FALSE(read_packed_varints("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", numbers));
}

}  // namespace
}  // namespace protean
