// SPDX-License-Identifier: Apache-2.0
// Examples by hand, and command lines given to a real shell with a curl that only prints what it was given.
#include "core/example_request.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace protean {
namespace {

Signature with_inputs(std::vector<TensorSpec> inputs) { return {"onnx_onnxv1", std::move(inputs), {}}; }

TEST(ExampleRequest, WritesPlausibleValuesOfEveryType) {
  const Signature signature = with_inputs({{"a", DataType::kFp32, {-1, 2}, {}, false},
                                           {"b", DataType::kInt64, {2}, {}, false},
                                           {"c", DataType::kBytes, {-1}, {}, false},
                                           {"d", DataType::kBool, {}, {}, false},
                                           {"e", DataType::kFp16, {1}, {}, false},
                                           {"f", DataType::kUint8, {0, 3}, {}, false}});
  EXPECT_EQ(example_infer_json(signature),
            R"({"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","data":[0.5,0.5]},)"
            R"({"name":"b","shape":[2],"datatype":"INT64","data":[1,1]},)"
            R"({"name":"c","shape":[1],"datatype":"BYTES","data":["text"]},)"
            R"({"name":"d","shape":[],"datatype":"BOOL","data":[true]},)"
            R"({"name":"e","shape":[1],"datatype":"FP16","data":[0.5]},)"
            R"({"name":"f","shape":[0,3],"datatype":"UINT8","data":[]}]})");
  EXPECT_EQ(example_binary_bytes(signature), 0);
}

TEST(ExampleRequest, LeavesOutOptionalInputsUnlessAllAre) {
  EXPECT_EQ(
      example_infer_json(with_inputs({{"x", DataType::kInt8, {1}, {}, false}, {"y", DataType::kInt8, {1}, {}, true}})),
      R"({"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[1]}]})");
  EXPECT_EQ(example_infer_json(with_inputs({{"y", DataType::kInt8, {1}, {}, true}})),
            R"({"inputs":[{"name":"y","shape":[1],"datatype":"INT8","data":[1]}]})");
}

TEST(ExampleRequest, SendsLargeTensorsAsBinaryZeros) {
  const Signature signature = with_inputs({{"image", DataType::kFp32, {-1, 3, 224, 224}, {}, false},
                                           {"words", DataType::kBytes, {257}, {}, false},
                                           {"k", DataType::kInt32, {256}, {}, false}});
  const std::string json = example_infer_json(signature);
  EXPECT_LT(json.size(), 1000);
  EXPECT_EQ(
      json.find(
          R"({"inputs":[{"name":"image","shape":[1,3,224,224],"datatype":"FP32","parameters":{"binary_data_size":602112}},)"
          R"({"name":"words","shape":[257],"datatype":"BYTES","parameters":{"binary_data_size":1028}},{"name":"k",)"),
      0);
  EXPECT_EQ(example_binary_bytes(signature), 602112 + 1028);
}

TEST(ExampleRequest, ShapesBeyondAnyMemoryDoNotOverflow) {
  const Signature signature =
      with_inputs({{"x", DataType::kFp64, {INT64_MAX, 2}, {}, false}, {"y", DataType::kFp64, {INT64_MAX}, {}, false}});
  EXPECT_NE(example_infer_json(signature).find(R"("data":[])"), std::string::npos);
  (void)example_curl("http://h", "m", "", signature);
}

TEST(ModelPath, EncodesWhateverANameHolds) {
  EXPECT_EQ(model_path("iris", ""), "/v2/models/iris");
  EXPECT_EQ(model_path("iris", "2"), "/v2/models/iris/versions/2");
  EXPECT_EQ(model_path("a b/c'd{e}?%\xC3\xA9~", ""), "/v2/models/a%20b%2Fc%27d%7Be%7D%3F%25%C3%A9~");
}

TEST(ShellQuote, MakesOneWord) {
  EXPECT_EQ(shell_quote(""), "''");
  EXPECT_EQ(shell_quote("a b"), "'a b'");
  EXPECT_EQ(shell_quote("it's"), R"('it'\''s')");
}

/// Runs a line in a shell that has a `curl` which prints its arguments, one a line, then its standard input.
class PastedLine : public testing::Test {
 protected:
  PastedLine() {
    std::string name = testing::TempDir() + "pasted_XXXXXX";
    folder = mkdtemp(name.data());
    std::ofstream(folder / "curl") << "#!/bin/sh\nprintf '%s\\n' \"$@\"\nif [ ! -t 0 ]; then cat; fi\n";
    std::filesystem::permissions(folder / "curl", std::filesystem::perms::owner_all);
  }
  ~PastedLine() override { std::filesystem::remove_all(folder); }

  std::string run(const std::string& line) const {
    std::ofstream(folder / "line") << line << '\n';
    const std::string command = "PATH='" + folder.string() + "':\"$PATH\" sh '" + (folder / "line").string() + "' >'" +
                                (folder / "out").string() + "' 2>&1 </dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << line;
    std::stringstream out;
    out << std::ifstream(folder / "out").rdbuf();
    return out.str();
  }

  std::filesystem::path folder;
};

TEST_F(PastedLine, KeepsEveryCharacterOfEveryName) {
  const std::string evil = "a'b\"c$(touch x)`id`\\!;&|<>*\n%s";
  const Signature signature = with_inputs({{evil, DataType::kFp32, {1}, {}, false}});
  const std::string url = "http://h:1/'$(id)'";
  const std::string out = run(example_curl(url, evil, "1", signature));
  EXPECT_EQ(out, "-s\n-w\n\\n\n" + url + model_path(evil, "1") + "/infer\n-H\nContent-Type: application/json\n-d\n" +
                     example_infer_json(signature) + "\n");
}

TEST_F(PastedLine, SendsJsonThenZerosForLargeTensors) {
  const Signature signature = with_inputs({{"it's %s \\n", DataType::kInt16, {1000}, {}, false}});
  const std::string json = example_infer_json(signature);
  const std::string out = run(example_curl("http://h:1", "m", "", signature));
  EXPECT_EQ(out,
            "-s\n-w\n\\n\nhttp://h:1/v2/models/m/infer\n-H\nContent-Type: application/octet-stream\n-H\n"
            "Inference-Header-Content-Length: " +
                std::to_string(json.size()) + "\n--data-binary\n@-\n" + json + std::string(2000, '\0'));
}

TEST(ExampleRequest, ShowsTheColumnsOfATable) {
  Signature signature;
  signature.inputs = {{"x", DataType::kFp32, {-1, 3}, {}}};
  signature.columns = {{"area", DataType::kFp64},
                       {"kind", DataType::kBytes, true, {"a \"b\""}},
                       {"size", DataType::kInt64, false, {"7"}}};
  EXPECT_EQ(example_infer_json(signature), R"({"records":[{"area":0.5,"kind":"a \"b\"","size":7}]})");
  EXPECT_EQ(example_binary_bytes(signature), 0U);
  signature.example = R"({"records":[{"area":81.5}]})";
  EXPECT_EQ(example_infer_json(signature), signature.example);
  EXPECT_NE(example_curl("http://h", "m", "", signature).find(signature.example), std::string::npos);
}

TEST(ExampleRequest, SendsATableOfTooManyColumnsAsAMatrix) {
  Signature signature;
  signature.inputs = {{"x", DataType::kFp32, {-1, 300}, {}}};
  signature.columns.resize(300);
  EXPECT_EQ(example_binary_bytes(signature), 1200U);
}

}  // namespace
}  // namespace protean
