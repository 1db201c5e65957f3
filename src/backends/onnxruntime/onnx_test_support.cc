// SPDX-License-Identifier: Apache-2.0
// Helpers of the tests in this folder.
#include "backends/onnxruntime/onnx_test_support.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>

#include "backends/onnxruntime/backend.h"
#include "backends/onnxruntime/onnx_format.h"
#include "backends/onnxruntime/onnx_wire.h"

namespace protean::onnx_test {

namespace fs = std::filesystem;

fs::path data_folder() { return fs::path(PROTEAN_SOURCE_DIR) / "tests" / "data"; }

Backend& backend() {
  static const auto instance = [] {
    auto made = make_onnxruntime_backend({});
    if (!made) std::abort();
    return *std::move(made);
  }();
  return *instance;
}

Result<std::unique_ptr<Model>> load(const fs::path& path) {
  return backend().load({path.stem(), "1", path, path.parent_path()}, {});
}

std::unique_ptr<Model> load_good(const std::string& name) {
  auto model = load(data_folder() / "models" / (name + ".onnx"));
  if (!model) {
    ADD_FAILURE() << name << ": " << model.error().message;
    std::abort();
  }
  return *std::move(model);
}

std::string refusal(const fs::path& path) {
  const auto model = load(path);
  return model ? "" : model.error().message;
}

Result<std::vector<Tensor>> run(Model& model, std::vector<const Tensor*> inputs, std::vector<std::size_t> outputs) {
  if (outputs.empty()) {
    outputs.resize(model.signature().outputs.size());
    std::iota(outputs.begin(), outputs.end(), std::size_t{0});
  }
  return model.run({inputs, outputs, {}});
}

Tensor texts(Shape shape, const std::vector<std::string>& values) {
  Buffer bytes;
  for (const auto& value : values) append_bytes_element(bytes, value);
  return {DataType::kBytes, std::move(shape), std::move(bytes).share()};
}

std::vector<std::string> text_values(const Tensor& tensor) {
  std::vector<std::string> result;
  for (BytesReader reader(tensor.data.bytes); !reader.done();) result.emplace_back(reader.next());
  return result;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "protean-test-XXXXXX").native();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path TemporaryFolder::write(const std::string& name, std::string_view content) const {
  const auto file = path_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
  return file;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string text_field(std::uint32_t number, std::string_view content) {
  std::string out;
  append_text_field(out, number, content);
  return out;
}

std::string number_field(std::uint32_t number, std::uint64_t value) {
  std::string out;
  append_varint(out, std::uint64_t{number} << 3);
  append_varint(out, value);
  return out;
}

std::string value_info(std::string_view name, int element_type, const std::vector<std::int64_t>& dims) {
  std::string shape;
  for (const auto dim : dims) {
    shape +=
        text_field(onnx::shape::kDim, dim < 0 ? text_field(2, "n") : number_field(1, static_cast<std::uint64_t>(dim)));
  }
  const auto tensor_type = number_field(onnx::tensor_type::kElementType, static_cast<std::uint64_t>(element_type)) +
                           text_field(onnx::tensor_type::kShape, shape);
  return text_field(onnx::value_info::kName, name) +
         text_field(onnx::value_info::kType, text_field(onnx::type::kTensor, tensor_type));
}

std::string node(std::string_view op_type, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, std::string_view more_fields) {
  std::string out;
  for (const auto& input : inputs) out += text_field(onnx::node::kInput, input);
  for (const auto& output : outputs) out += text_field(onnx::node::kOutput, output);
  return out + text_field(onnx::node::kOpType, op_type) + std::string(more_fields);
}

std::string external_floats(std::string_view name, std::uint64_t count, std::string_view location,
                            std::string_view offset, std::string_view length) {
  namespace t = onnx::tensor;
  auto out = number_field(t::kDims, count) + number_field(t::kDataType, onnx::kFloat) + text_field(t::kName, name);
  const auto entry = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) out += text_field(t::kExternalData, text_field(1, key) + text_field(2, value));
  };
  entry("location", location);
  entry("offset", offset);
  entry("length", length);
  return out + number_field(t::kDataLocation, onnx::kExternal);
}

std::string model(std::string_view graph, std::string_view more_fields) {
  return number_field(onnx::model::kIrVersion, 8) + text_field(onnx::model::kProducerName, "protean-tests") +
         text_field(onnx::model::kGraph, graph) +
         text_field(onnx::model::kOpsetImport, number_field(onnx::opset::kVersion, 17)) +
         text_field(onnx::model::kOpsetImport,
                    text_field(onnx::opset::kDomain, "ai.onnx.ml") + number_field(onnx::opset::kVersion, 3)) +
         std::string(more_fields);
}

std::string float_graph(std::string_view nodes, std::string_view more_fields) {
  return std::string(nodes) + text_field(onnx::graph::kName, "g") + std::string(more_fields) +
         text_field(onnx::graph::kInput, value_info("x", 1, {-1})) +
         text_field(onnx::graph::kOutput, value_info("y", 1, {-1}));
}

namespace {

std::string random_floats(std::string_view name, const std::vector<std::uint64_t>& dims, std::mt19937& random) {
  std::string out;
  std::uint64_t count = 1;
  for (const auto dim : dims) {
    out += number_field(onnx::tensor::kDims, dim);
    count *= dim;
  }
  std::uniform_real_distribution<float> uniform(-0.1F, 0.1F);
  std::vector<float> values(count);
  for (auto& value : values) value = uniform(random);
  const std::string_view raw(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return out + number_field(onnx::tensor::kDataType, onnx::kFloat) + text_field(onnx::tensor::kName, name) +
         text_field(onnx::tensor::kRawData, raw);
}

}  // namespace

std::string dense_model(std::uint64_t width, int layers, unsigned seed) {
  std::mt19937 random(seed);
  std::string nodes;
  std::string weights;
  std::string last = "x";
  for (int i = 0; i < layers; ++i) {
    const auto n = std::to_string(i);
    const auto out = i + 1 == layers ? std::string("y") : "r" + n;
    nodes += text_field(onnx::graph::kNode, node("MatMul", {last, "w" + n}, {"m" + n}));
    nodes += text_field(onnx::graph::kNode, node("Add", {"m" + n, "b" + n}, {"a" + n}));
    nodes += text_field(onnx::graph::kNode, node("Relu", {"a" + n}, {out}));
    weights += text_field(onnx::graph::kInitializer, random_floats("w" + n, {width, width}, random));
    weights += text_field(onnx::graph::kInitializer, random_floats("b" + n, {width}, random));
    last = out;
  }
  const auto columns = static_cast<std::int64_t>(width);
  return model(nodes + text_field(onnx::graph::kName, "g") + weights +
               text_field(onnx::graph::kInput, value_info("x", 1, {-1, columns})) +
               text_field(onnx::graph::kOutput, value_info("y", 1, {-1, columns})));
}

}  // namespace protean::onnx_test
