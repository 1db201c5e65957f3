// SPDX-License-Identifier: Apache-2.0
// Keys of slices as the checkpoint writer of TensorFlow 2.20 encodes them, and slices put together by hand.
#include "tensorflow/tensor_slice.h"

#include <gmock/gmock.h>

namespace protean {
namespace {

Literal counted(const Shape& shape, std::int64_t first, std::size_t count) {
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(first + static_cast<std::int64_t>(i));
  return integer_literal(tensorflow::DT_INT64, shape, values);
}

TEST(TensorSlice, ReadsWhatRestoreOperationsSay) {
  const auto extents = parse_slice("10 5 0,5:-");
  ASSERT_TRUE(extents);
  ASSERT_EQ(extents->size(), 2U);
  EXPECT_EQ((*extents)[0].start, 0);
  EXPECT_EQ((*extents)[0].length, 5);
  EXPECT_EQ((*extents)[1].length, -1);
  for (const auto* broken : {"", "-", "4 0", "4 0,x", "4 -1,2", "4 0,-2", "4 0,1,2", "4 99999999999999999999,1"}) {
    EXPECT_FALSE(parse_slice(broken)) << broken;
  }
}

TEST(TensorSlice, NamesSlicesAsTheWriterDoes) {
  using namespace std::string_literals;
  // Bytes of a file that TensorFlow 2.20 wrote.
  EXPECT_EQ(slice_key("parts/weights", {{0, 3}, {0, 4}}), "\0parts/weights\0\1\1\2\x80\x83\x80\x84"s);
  // Numbers: how many bytes, then those; strings end in 0 1; signed numbers have a header of ones.
  EXPECT_EQ(slice_key("", {}), "\0\0\1\0"s);
  const auto escaped = "\0a\0\xff"s + "b\xff\0\0\1\1\1\xc0\x40\xc3\xe8"s;
  EXPECT_EQ(slice_key("a\0b\xff"s, {{64, 1000}}), escaped);
  EXPECT_EQ(slice_key("w", {{0, -1}}), "\0w\0\1\1\1\x80\x7f"s);
}

TEST(TensorSlice, KnowsWhichSlicesLieWithin) {
  EXPECT_EQ(slice_shape({4, 5}, {{1, 2}, {0, -1}}), (Shape{2, 5}));
  EXPECT_EQ(slice_shape({}, {}), Shape{});
  EXPECT_FALSE(slice_shape({4, 5}, {{1, 2}}));
  EXPECT_FALSE(slice_shape({4}, {{3, 2}}));
  EXPECT_FALSE(slice_shape({4}, {{5, 0}}));
  EXPECT_FALSE(slice_shape({4}, {{1, -1}}));
}

TEST(TensorSlice, CutsPartsOutAndPutsThemBack) {
  const auto whole = counted({3, 4}, 0, 12);
  const std::vector<SliceExtent> corner{{1, 2}, {2, 2}};
  const auto part = take_slice(whole, corner);
  EXPECT_EQ(part.shape, (Shape{2, 2}));
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < 4; ++i) values.push_back(*integer_at(part, i));
  EXPECT_THAT(values, testing::ElementsAre(6, 7, 10, 11));
  auto back = counted({3, 4}, 100, 12);
  put_slice(back, corner, part);
  EXPECT_EQ(integer_at(back, 5), 105);
  EXPECT_EQ(integer_at(back, 6), 6);
  EXPECT_EQ(integer_at(back, 11), 11);
}

TEST(TensorSlice, CutsStringsAndScalars) {
  const Literal words{tensorflow::DT_STRING, {3}, {}, {"a", "b", "c"}};
  EXPECT_THAT(take_slice(words, {{1, 2}}).strings, testing::ElementsAre("b", "c"));
  EXPECT_EQ(integer_at(take_slice(counted({}, 7, 1), {}), 0), 7);
}

}  // namespace
}  // namespace protean
