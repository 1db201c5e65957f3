// SPDX-License-Identifier: Apache-2.0
// ONNX files whole and in parts, and files that only begin like one.
#include "backends/onnxruntime/recognise.h"

#include <gtest/gtest.h>

#include <cstring>

#include "backends/onnxruntime/onnx_test_support.h"

namespace protean {
namespace {

using namespace onnx_test;             // NOLINT(google-build-using-namespace)
using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

bool recognised(std::string_view file) {
  const auto result = looks_like_onnx(file.size(), [&](std::uint64_t offset, std::span<std::byte> out) -> Status {
    EXPECT_LE(offset + out.size(), file.size());
    std::memcpy(out.data(), file.data() + offset, out.size());
    return {};
  });
  EXPECT_TRUE(result);
  return result && *result;
}

TEST(Recognise, KnowsEveryModelOfTheTestDataAndTheExamples) {
  int count = 0;
  for (const auto& root : {data_folder() / "models", std::filesystem::path(PROTEAN_SOURCE_DIR) / "examples/models"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".onnx") continue;
      EXPECT_TRUE(recognised(read_file(entry.path()))) << entry.path();
      ++count;
    }
  }
  EXPECT_GT(count, 20);
}

TEST(Recognise, KnowsABrokenModelByItsBeginning) {
  for (const char* name : {"truncated", "no_graph", "ir_999", "opset_99", "cycle", "external_parent"}) {
    EXPECT_TRUE(recognised(read_file(data_folder() / "broken" / (std::string(name) + ".onnx")))) << name;
  }
}

TEST(Recognise, KnowsATruncatedModelFromItsFirstNodeOn) {
  const auto whole = read_file(data_folder() / "models" / "sum_two.onnx");
  const auto graph = whole.find("protean-tests") + std::strlen("protean-tests");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const bool known = recognised(std::string_view(whole).substr(0, size));
    if (size > graph + 6) {
      EXPECT_TRUE(known) << size;
    }
    if (size < 8) {
      EXPECT_FALSE(known) << size;
    }
  }
}

TEST(Recognise, RefusesTextsAndOtherFormats) {
  for (const char* name : {"empty", "text", "html", "lfs_pointer", "pickle"}) {
    EXPECT_FALSE(recognised(read_file(data_folder() / "broken" / (std::string(name) + ".onnx")))) << name;
  }
  EXPECT_FALSE(recognised(R"({"learner": {"gradient_booster": {}}})"));
  EXPECT_FALSE(recognised("tree\nversion=v4\nnum_class=3\n"));
  EXPECT_FALSE(recognised("PK\x03\x04"s + std::string(60, '\0')));
  EXPECT_FALSE(recognised("\x1C\0\0\0TFL3"s + std::string(60, '\0')));
  EXPECT_FALSE(recognised("\x89HDF\r\n\x1A\n"s + std::string(60, '\0')));
  EXPECT_FALSE(
      recognised("\x7F"
                 "ELF"s +
                 std::string(60, '\0')));
  EXPECT_FALSE(recognised(std::string(64, '\0')));
  EXPECT_FALSE(recognised(std::string(64, '\x08')));
}

TEST(Recognise, RefusesOtherProtobufFormats) {
  // TensorFlow SavedModel: schema version 1, then a MetaGraphDef whose first field is a MetaInfoDef.
  const auto meta_graph = text_field(1, text_field(4, "serve")) + text_field(2, text_field(1, text_field(1, "x")));
  EXPECT_FALSE(recognised(number_field(1, 1) + text_field(2, meta_graph)));
  // TensorFlow GraphDef: nodes first.
  EXPECT_FALSE(recognised(text_field(1, text_field(1, "x") + text_field(2, "Placeholder"))));
  // Core ML: a version, a ModelDescription, then a network in field 500.
  EXPECT_FALSE(recognised(number_field(1, 4) + text_field(2, text_field(1, text_field(1, "image"))) +
                          text_field(500, text_field(1, text_field(1, "conv")))));
  // A version and a seventh field that is no graph.
  EXPECT_FALSE(recognised(number_field(1, 4) + text_field(7, "hello, this is text")));
}

TEST(Recognise, SkipsLargeFieldsWithoutReadingThem) {
  std::string file = number_field(1, 8) + text_field(6, std::string(1 << 20, 'd')) +
                     text_field(7, text_field(1, node("Identity", {"x"}, {"y"})));
  std::size_t read = 0;
  const auto result = looks_like_onnx(file.size(), [&](std::uint64_t offset, std::span<std::byte> out) -> Status {
    std::memcpy(out.data(), file.data() + offset, out.size());
    read += out.size();
    return {};
  });
  ASSERT_TRUE(result);
  EXPECT_TRUE(*result);
  EXPECT_LT(read, 4096U);
}

TEST(Recognise, PassesReadErrorsOn) {
  const auto result = looks_like_onnx(
      10, [](std::uint64_t, std::span<std::byte>) -> Status { return fail(Code::kUnavailable, "disk"); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace protean
