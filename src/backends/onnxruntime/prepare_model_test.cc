// SPDX-License-Identifier: Apache-2.0
// External data moved inside wherever it hides, and the bytes around it kept as they were.
#include "backends/onnxruntime/prepare_model.h"

#include <gmock/gmock.h>

#include "backends/onnxruntime/onnx_test_support.h"

namespace protean {
namespace {

using namespace onnx_test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

/// Four floats: 99, 1, 2, 3.
const std::string kWeights("\0\0\xC6\x42\0\0\x80\x3F\0\0\0\x40\0\0\x40\x40", 16);

class PrepareModel : public ::testing::Test {
 protected:
  PrepareModel() { folder_.write("weights.bin", kWeights); }

  Result<PreparedModel> prepare(const std::string& file) const {
    auto folder = ModelFolder::open(folder_.path());
    EXPECT_TRUE(folder);
    Buffer bytes;
    bytes.append(file);
    return prepare_model(std::move(bytes), *folder);
  }
  std::string refusal(const std::string& file) const {
    const auto prepared = prepare(file);
    if (prepared) return "";
    EXPECT_EQ(prepared.error().code, Code::kInvalidArgument);
    return prepared.error().message;
  }

  TemporaryFolder folder_;
};

/// `tensor`, an ONNX TensorProto, in every place where one can be.
std::vector<std::pair<std::string, std::string>> hiding_places(const std::string& tensor) {
  const auto attribute = [&](std::uint32_t number, const std::string& content) {
    return text_field(5, text_field(1, "value") + text_field(number, content));
  };
  const auto constant = [&](const std::string& more) { return text_field(1, node("Constant", {}, {"w"}, more)); };
  const auto sparse_values = text_field(1, tensor);
  const auto sparse_indices = text_field(2, tensor);
  const auto subgraph = text_field(5, tensor);
  const auto deeper = constant(attribute(6, constant(attribute(11, subgraph))));
  return {
      {"initializer", model(float_graph("", text_field(5, tensor)))},
      {"sparse initializer", model(float_graph("", text_field(15, sparse_values)))},
      {"indices", model(float_graph("", text_field(15, sparse_indices)))},
      {"attribute", model(float_graph(constant(attribute(5, tensor))))},
      {"list in an attribute", model(float_graph(constant(attribute(10, tensor))))},
      {"sparse attribute", model(float_graph(constant(attribute(22, sparse_values))))},
      {"list of sparse", model(float_graph(constant(attribute(23, sparse_values))))},
      {"subgraph", model(float_graph(constant(attribute(6, subgraph))))},
      {"list of subgraphs", model(float_graph(constant(attribute(11, subgraph))))},
      {"subgraph of a subgraph", model(float_graph(deeper))},
      {"training", model(float_graph(""), text_field(20, text_field(1, subgraph)))},
      {"training algorithm", model(float_graph(""), text_field(20, text_field(2, subgraph)))},
      {"function", model(float_graph(""), text_field(25, text_field(7, node("C", {}, {"w"}, attribute(5, tensor)))))},
      {"default of a function's attribute",
       model(float_graph(""), text_field(25, text_field(11, text_field(1, "a") + text_field(5, tensor))))},
  };
}

TEST_F(PrepareModel, LeavesAModelWithoutExternalDataAsItIs) {
  const auto file = read_file(data_folder() / "models" / "sum_two.onnx");
  const auto prepared = prepare(file);
  ASSERT_TRUE(prepared);
  EXPECT_EQ(prepared->bytes.text(), file);
  EXPECT_EQ(prepared->external_bytes, 0U);
}

TEST_F(PrepareModel, MovesExternalDataInsideWhereverItHides) {
  const auto outside = hiding_places(external_floats("w", 3, "weights.bin", "4", "12"));
  // What the same tensor looks like with its bytes inside: dimensions, type, name, raw data.
  const auto tensor = number_field(1, 3) + number_field(2, 1) + text_field(8, "w") + text_field(9, kWeights.substr(4));
  const auto inside = hiding_places(tensor);
  for (std::size_t i = 0; i < outside.size(); ++i) {
    SCOPED_TRACE(outside[i].first);
    const auto prepared = prepare(outside[i].second);
    ASSERT_TRUE(prepared) << prepared.error().message;
    EXPECT_EQ(prepared->bytes.text(), inside[i].second);
    EXPECT_EQ(prepared->external_bytes, 12U);
  }
}

TEST_F(PrepareModel, RefusesAWayOutWhereverItHides) {
  for (const auto& [place, file] : hiding_places(external_floats("w", 3, "../weights.bin", "4", "12"))) {
    EXPECT_THAT(refusal(file), HasSubstr("'../weights.bin': its location leads upwards")) << place;
  }
}

TEST_F(PrepareModel, TakesTheWholeTensorWithoutOffsetAndLength) {
  const auto prepared = prepare(model(float_graph("", text_field(5, external_floats("w", 4, "weights.bin")))));
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_THAT(std::string(prepared->bytes.text()), HasSubstr(kWeights));
}

TEST_F(PrepareModel, KeepsLengthsRightWhenTheyNeedMoreBytes) {
  // 100,000 floats: every length around the tensor grows from one byte to three.
  const std::string large(400'000, 'w');
  folder_.write("large.bin", large);
  const auto file = model(float_graph("", text_field(5, external_floats("w", 100'000, "large.bin"))));
  const auto prepared = prepare(file);
  ASSERT_TRUE(prepared) << prepared.error().message;
  const auto tensor = number_field(1, 100'000) + number_field(2, 1) + text_field(8, "w") + text_field(9, large);
  EXPECT_TRUE(prepared->bytes.text() == model(float_graph("", text_field(5, tensor))));
}

TEST_F(PrepareModel, RefusesRangesBeyondTheFile) {
  const auto with = [&](std::string_view offset, std::string_view length) {
    return refusal(model(float_graph("", text_field(5, external_floats("w", 3, "weights.bin", offset, length)))));
  };
  EXPECT_EQ(with("4", "12"), "");
  EXPECT_EQ(with("0", ""), "");
  EXPECT_THAT(with("5", "12"), HasSubstr("has 16 bytes, expected at least 12 from byte 5 on"));
  EXPECT_THAT(with("18446744073709551608", ""), HasSubstr("from byte 18446744073709551608 on"));
  EXPECT_THAT(with("18446744073709551616", ""), HasSubstr("offset '18446744073709551616', expected a number"));
  EXPECT_THAT(with("-4", "12"), HasSubstr("offset '-4', expected a number"));
  EXPECT_THAT(with("0x4", "12"), HasSubstr("expected a number"));
  EXPECT_THAT(with("4", "8"), HasSubstr("length 8, expected 12 for its type and shape"));
}

TEST_F(PrepareModel, RefusesTensorsThatSayTwoThings) {
  const auto with = [&](const std::string& tensor) { return refusal(model(float_graph("", text_field(5, tensor)))); };
  const auto external = external_floats("w", 3, "weights.bin");
  EXPECT_THAT(with(external + text_field(9, "data")), HasSubstr("names external data and holds data"));
  EXPECT_THAT(with(external + text_field(4, "data")), HasSubstr("names external data and holds data"));
  EXPECT_THAT(with(external + number_field(14, 2)), HasSubstr("unknown data location"));
  EXPECT_THAT(with(number_field(1, 1) + number_field(2, 8) + number_field(14, 1)), HasSubstr("element type 8"));
  EXPECT_THAT(with(number_field(1, ~0ULL) + external), HasSubstr("product does not fit"));
  EXPECT_THAT(with(number_field(1, 1ULL << 62) + external), HasSubstr("product does not fit"));
  // protobuf keeps 32 bits of an enumeration, so this one is EXTERNAL as well.
  EXPECT_THAT(with(number_field(1, 3) + number_field(2, 1) + number_field(14, (1ULL << 32) + 1)),
              HasSubstr("no location is given"));
}

TEST_F(PrepareModel, RefusesMessagesThatProtobufWouldMerge) {
  const auto external = external_floats("w", 3, "weights.bin");
  const auto twice = text_field(5, text_field(1, "value") + text_field(5, external) + text_field(5, ""));
  EXPECT_THAT(refusal(model(float_graph(text_field(1, node("Constant", {}, {"w"}, twice))))),
              HasSubstr("a second or mistyped field 5"));
  EXPECT_THAT(refusal(model(float_graph("")) + text_field(7, float_graph(""))),
              HasSubstr("a second or mistyped field 7"));
}

TEST_F(PrepareModel, RefusesGraphsNestedWithoutEnd) {
  std::string graph = float_graph("");
  for (int i = 0; i < 40; ++i) {
    graph = text_field(1, node("If", {}, {}, text_field(5, text_field(6, graph))));
  }
  EXPECT_THAT(refusal(model(graph)), HasSubstr("nests its graphs"));
}

TEST_F(PrepareModel, RefusesMoreDataThanAModelCanHold) {
  folder_.write("sparse.bin", "");
  std::filesystem::resize_file(folder_.path() / "sparse.bin", std::uint64_t{5} << 29);  // 2.5 GiB, none of it written
  const auto tensor = text_field(5, external_floats("w", std::uint64_t{5} << 27, "sparse.bin"));
  EXPECT_THAT(refusal(model(float_graph("", tensor))), HasSubstr("more than 2^31-1 bytes"));
}

TEST_F(PrepareModel, NoticesExternalDataThatChanges) {
  auto folder = ModelFolder::open(folder_.path());
  ASSERT_TRUE(folder);
  const auto file = folder->open_file("weights.bin");
  ASSERT_TRUE(file);
  std::filesystem::resize_file(folder_.path() / "weights.bin", 8);
  Buffer out(12);
  const auto status = file->read(4, out.span());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kAborted);
}

TEST_F(PrepareModel, SurvivesEveryTruncationAndEveryFlippedByte) {
  for (const char* name : {"zip_map", "slow", "optional_input"}) {
    const auto whole = read_file(data_folder() / "models" / (std::string(name) + ".onnx"));
    for (std::size_t i = 0; i < whole.size(); ++i) {
      // Between two operator sets the rest is whole as far as anybody can tell.
      EXPECT_TRUE(!prepare(whole.substr(0, i)) || whole[i] == '\x42') << name << " of " << i << " bytes";
      auto flipped = whole;
      for (const char value : {'\0', '\x7F', '\xFF'}) {
        flipped[i] = value;
        static_cast<void>(prepare(flipped));
      }
    }
  }
}

}  // namespace
}  // namespace protean
