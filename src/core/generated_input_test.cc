// SPDX-License-Identifier: Apache-2.0
#include "core/generated_input.h"

#include <gtest/gtest.h>

#include <cstring>

namespace protean {
namespace {

Signature signature_of(std::vector<TensorSpec> inputs) {
  Signature signature;
  signature.inputs = std::move(inputs);
  return signature;
}

TEST(GeneratedInput, FillsRowsAndFreeDimensions) {
  const auto signature = signature_of({{"x", DataType::kFp32, {-1, 4, -1}, {}, false, false}});
  const auto tensors = generate_inputs(signature, {3, 2, 1}).value();
  ASSERT_EQ(tensors.size(), 1U);
  EXPECT_EQ(tensors[0].shape, (Shape{3, 4, 2}));
  EXPECT_EQ(tensors[0].data.size(), 3U * 4 * 2 * 4);
  EXPECT_TRUE(check_data(tensors[0], "x"));
}

TEST(GeneratedInput, FloatsAreInTheUnitIntervalAndDiffer) {
  const auto signature = signature_of({{"x", DataType::kFp32, {-1, 8}, {}, false, false}});
  const auto tensors = generate_inputs(signature, {16, 1, 7}).value();
  std::vector<float> values(128);
  std::memcpy(values.data(), tensors[0].data.data(), 512);
  for (const float value : values) EXPECT_TRUE(value >= 0 && value < 1) << value;
  EXPECT_NE(std::memcmp(tensors[0].data.data(), tensors[0].data.data() + 32, 32), 0);
}

TEST(GeneratedInput, EveryTypePassesTheChecksOfARequest) {
  for (const DataType type : {DataType::kBool, DataType::kUint8, DataType::kUint16, DataType::kUint32,
                              DataType::kUint64, DataType::kInt8, DataType::kInt16, DataType::kInt32, DataType::kInt64,
                              DataType::kFp16, DataType::kBf16, DataType::kFp32, DataType::kFp64, DataType::kBytes}) {
    const auto tensors = generate_inputs(signature_of({{"x", type, {-1, 5}, {}, false, false}}), {4, 1, 3}).value();
    EXPECT_TRUE(check_data(tensors[0], "x")) << data_type_name(type);
  }
}

TEST(GeneratedInput, SameSeedSameBytesOtherSeedOtherBytes) {
  const auto signature = signature_of({{"x", DataType::kFp64, {-1}, {}, false, false}});
  const auto bytes = [&](std::uint64_t seed) {
    return std::string(generate_inputs(signature, {32, 1, seed}).value()[0].data.text());
  };
  EXPECT_EQ(bytes(5), bytes(5));
  EXPECT_NE(bytes(5), bytes(6));
}

TEST(GeneratedInput, RefusesSizesWithoutMeasure) {
  const auto signature = signature_of({{"x", DataType::kFp32, {-1, 1 << 20, 1 << 20}, {}, false, false}});
  EXPECT_EQ(generate_inputs(signature, {1, 1, 1}).error().code, Code::kResourceExhausted);
  const auto huge = signature_of({{"x", DataType::kFp32, {INT64_MAX, INT64_MAX}, {}, false, false}});
  EXPECT_FALSE(generate_inputs(huge, {1, 1, 1}));
}

}  // namespace
}  // namespace protean
