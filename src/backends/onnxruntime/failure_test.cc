// SPDX-License-Identifier: Apache-2.0
// Messages as ONNX Runtime 1.27.0 wrote them for the models in tests/data/broken.
#include "backends/onnxruntime/failure.h"

#include <gmock/gmock.h>

namespace protean {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Failure, DropsSourcePlacesAndPrefixes) {
  EXPECT_EQ(
      clean_message("Exception during initialization: /onnxruntime_src/onnxruntime/core/optimizer/initializer.cc:51 "
                    "onnxruntime::Initializer::Initializer(const onnx::TensorProto&, const "
                    "std::filesystem::__cxx11::path&) [ONNXRuntimeError] : 1 : FAIL : tensorprotoutils.cc:1466 "
                    "ValidateEmbeddedTensorProtoDataSizeAndShape Initializer 'weights': raw_data size (8 bytes) "
                    "does not match expected size from shape and data type (12 bytes)\n"),
      "Initializer 'weights': raw_data size (8 bytes) does not match expected size from shape and data type "
      "(12 bytes)");
  EXPECT_EQ(clean_message("Invalid model. Node input 'x' is not a graph input."),
            "Invalid model. Node input 'x' is not a graph input.");
  EXPECT_EQ(clean_message("a\nb\tc"), "a b c");
  EXPECT_LE(clean_message(std::string(5000, 'x')).size(), 515U);
  EXPECT_EQ(clean_message(""), "");
}

TEST(Failure, NamesTheVersionsAndHowToMend) {
  EXPECT_THAT(explain_load_failure("/a/model.cc:192 f(const onnx::ModelProto&) Unsupported model IR version: 999, max "
                                   "supported IR version: 13\n",
                                   "1.27.0"),
              AllOf(HasSubstr("version 999"), HasSubstr("1.27.0 reads up to 13"), HasSubstr("older onnx package")));
  EXPECT_THAT(explain_load_failure("ONNX Runtime only *guarantees* support for models stamped with official released "
                                   "onnx opset versions. Opset 99 is under development and support for this is "
                                   "limited. Current official support for domain ai.onnx is till opset 26.",
                                   "1.27.0"),
              AllOf(HasSubstr("operator set 99 of domain ai.onnx"), HasSubstr("again with opset 26 or lower")));
}

TEST(Failure, NamesTheOperatorThatIsMissing) {
  EXPECT_THAT(explain_load_failure("Fatal error: com.example.custom:Anything(-1) is not a registered function/op", "1"),
              HasSubstr("operator Anything of domain com.example.custom is not in ONNX Runtime"));
  EXPECT_THAT(explain_load_failure("This is an invalid model. In Node, (\"\", Nope, \"ai.onnx.ml\", -1) : (\"x\": "
                                   "tensor(float),) , Error No Op registered for Nope with domain_version of 3",
                                   "1"),
              AllOf(HasSubstr("operator Nope of domain ai.onnx.ml is not"), HasSubstr("asks for operator set 3")));
  EXPECT_THAT(explain_load_failure("Could not find an implementation for Sin(22) node with name ''", "1"),
              HasSubstr("operator Sin(22) has no CPU implementation"));
  EXPECT_THAT(explain_load_failure("Failed to load model because protobuf parsing failed.", "1"),
              HasSubstr("truncated"));
}

TEST(Failure, PassesOtherMessagesOn) {
  EXPECT_EQ(explain_load_failure("the graph is not acyclic.", "1.27.0"),
            "ONNX Runtime 1.27.0 refuses the model: the graph is not acyclic.");
}

TEST(Failure, TellsWhoIsToBlameForAFailedRun) {
  EXPECT_EQ(explain_run_failure("Got invalid dimensions for input: x", true).code, Code::kInvalidArgument);
  EXPECT_EQ(explain_run_failure("something broke", false).code, Code::kInternal);
  EXPECT_EQ(explain_run_failure("Failed to allocate memory for requested buffer of size 9", false).code,
            Code::kResourceExhausted);
  EXPECT_THAT(explain_run_failure("Non-zero status code returned while running Gather node. Name:'' Status Message: "
                                  "indices element out of data bounds, idx=7 must be within the inclusive range [-3,2]",
                                  true)
                  .message,
              AllOf(HasSubstr("Gather"), HasSubstr("idx=7"), Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace protean
