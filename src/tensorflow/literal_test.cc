// SPDX-License-Identifier: Apache-2.0
// TensorProtos in each of their forms.
#include "tensorflow/literal.h"

#include <gmock/gmock.h>

namespace protean {
namespace {

namespace tf = tensorflow;

tf::TensorProto tensor(tf::DataType dtype, std::initializer_list<std::int64_t> shape) {
  tf::TensorProto proto;
  proto.set_dtype(dtype);
  for (const auto size : shape) proto.mutable_tensor_shape()->add_dim()->set_size(size);
  return proto;
}

std::vector<double> numbers_of(const Literal& literal) {
  std::vector<double> numbers;
  for (std::size_t i = 0; i < literal.elements(); ++i) numbers.push_back(number_at(literal, i).value_or(-1));
  return numbers;
}

TEST(Literal, RepeatsTheLastValueOfAShortList) {
  auto proto = tensor(tf::DT_FLOAT, {2, 2});
  proto.add_float_val(1.5F);
  proto.add_float_val(-2);
  const auto literal = read_literal(proto, "c");
  ASSERT_TRUE(literal);
  EXPECT_THAT(numbers_of(*literal), testing::ElementsAre(1.5, -2, -2, -2));
}

TEST(Literal, IsZerosWithoutAList) {
  const auto literal = read_literal(tensor(tf::DT_INT16, {3}), "c");
  ASSERT_TRUE(literal);
  EXPECT_THAT(numbers_of(*literal), testing::ElementsAre(0, 0, 0));
}

TEST(Literal, TakesRawBytesOfTheRightLength) {
  auto proto = tensor(tf::DT_INT32, {2});
  proto.set_tensor_content(std::string("\1\0\0\0\xff\xff\xff\xff", 8));
  ASSERT_TRUE(read_literal(proto, "c"));
  EXPECT_THAT(numbers_of(*read_literal(proto, "c")), testing::ElementsAre(1, -1));
  proto.set_tensor_content("123");
  EXPECT_THAT(read_literal(proto, "c").error().message,
              testing::HasSubstr("constant 'c': 3 bytes, expected 8 for shape [2]"));
}

TEST(Literal, ReadsHalvesByTheirBits) {
  for (const auto& [dtype, bits, value] :
       {std::tuple{tf::DT_HALF, 0x3e00, 1.5}, std::tuple{tf::DT_HALF, 0x8001, -5.960464477539063e-08},
        std::tuple{tf::DT_BFLOAT16, 0x3fc0, 1.5}}) {
    auto proto = tensor(dtype, {});
    proto.add_half_val(bits);
    EXPECT_EQ(number_at(*read_literal(proto, "c"), 0), value);
  }
}

TEST(Literal, RefusesShapesThatAskForTooMuch) {
  auto proto = tensor(tf::DT_DOUBLE, {std::int64_t{1} << 40, std::int64_t{1} << 40});
  EXPECT_THAT(read_literal(proto, "c").error().message, testing::HasSubstr("asks for more than 2 GiB"));
  EXPECT_FALSE(read_literal(tensor(tf::DT_FLOAT, {-1}), "c"));
  auto strings = tensor(tf::DT_STRING, {1 << 30});
  strings.add_string_val("x");
  EXPECT_FALSE(read_literal(strings, "c"));
  EXPECT_EQ(read_literal(tensor(tf::DT_COMPLEX64, {}), "c").error().code, Code::kUnimplemented);
}

TEST(Literal, MakesScalarsOfEveryType) {
  for (const auto dtype :
       {tf::DT_FLOAT, tf::DT_DOUBLE, tf::DT_HALF, tf::DT_BFLOAT16, tf::DT_INT8, tf::DT_UINT64, tf::DT_INT32}) {
    const auto literal = scalar_literal(dtype, 6);
    EXPECT_EQ(literal.bytes.size(), element_bytes(dtype));
    EXPECT_EQ(number_at(literal, 0), 6) << dtype_name(dtype);
  }
  EXPECT_EQ(number_at(scalar_literal(tf::DT_INT16, -3), 0), -3);
}

}  // namespace
}  // namespace protean
