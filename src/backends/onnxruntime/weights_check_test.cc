// SPDX-License-Identifier: Apache-2.0
// Graphs and files that do not belong together.
#include "backends/onnxruntime/weights_check.h"

#include <gmock/gmock.h>

#include "backends/onnxruntime/onnx_test_support.h"

namespace protean {
namespace {

using namespace onnx_test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

std::string complaint(const std::string& tensor, std::uint64_t bytes) {
  const auto status = check_weights(model(float_graph("", text_field(5, tensor))), "w", bytes);
  return status ? "" : status.error().message;
}

TEST(WeightsCheck, TakesWeightsThatAreInTheirFile) {
  EXPECT_EQ(complaint(external_floats("a", 16, "w", "64", "64"), 128), "");
  EXPECT_TRUE(check_weights(model(float_graph("")), "w", 0));
}

TEST(WeightsCheck, RefusesWeightsThatAreNot) {
  EXPECT_THAT(complaint(external_floats("a", 16, "w", "64", "64"), 127),
              HasSubstr("tensor 'a': 64 bytes from byte 64"));
  EXPECT_THAT(complaint(external_floats("a", 16, "v", "64", "64"), 128), HasSubstr("of 'v'"));
  EXPECT_THAT(complaint(external_floats("a", 16, "w", "18446744073709551552", "64"), 128), HasSubstr("tensor 'a'"));
  EXPECT_THAT(complaint(external_floats("a", 4, "w", "32", "16"), 128), HasSubstr("expected them aligned"));
}

TEST(WeightsCheck, LooksAtPackedWeightsToo) {
  const auto packed = [](std::string_view value) {
    return external_floats("a", 16, "w", "0", "64") +
           text_field(13, text_field(1, "prepacked_0") + text_field(2, value));
  };
  EXPECT_EQ(complaint(packed("MatMul+1|64;64;0"), 128), "");
  EXPECT_THAT(complaint(packed("MatMul+1|64;65;0"), 128), HasSubstr("packed weights"));
  EXPECT_THAT(complaint(packed("MatMul+1|64;64;0|96;8;0"), 128), HasSubstr("packed weights"));
  EXPECT_THAT(complaint(packed("MatMul+1|64"), 128), HasSubstr("packed weights"));
}

TEST(WeightsCheck, RefusesAGraphThatIsCutOff) {
  const auto whole = model(float_graph("", text_field(5, external_floats("a", 16, "w", "64", "64"))));
  EXPECT_FALSE(check_weights("", "w", 128));
  EXPECT_FALSE(check_weights(std::string_view(whole).substr(0, 30), "w", 128));
}

}  // namespace
}  // namespace protean
