// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: the models in tests/data, ONNX bytes built field by field, folders
// that vanish with the test, and tensors from plain numbers.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"

namespace protean::onnx_test {

/// tests/data of the repository.
std::filesystem::path data_folder();
/// The process's backend, with the library that the build has. Fails the test when it is missing.
Backend& backend();

Result<std::unique_ptr<Model>> load(const std::filesystem::path& path);
/// From tests/data/models; ends the test program's run when it does not load.
std::unique_ptr<Model> load_good(const std::string& name);
/// The error message of loading `path`; empty when it loads.
std::string refusal(const std::filesystem::path& path);

/// All outputs, or those asked for. An input of type and shape as given; nullptr leaves an optional one out.
Result<std::vector<Tensor>> run(Model& model, std::vector<const Tensor*> inputs, std::vector<std::size_t> outputs = {});

template <typename T>
Tensor tensor(DataType type, Shape shape, const std::vector<T>& values) {
  Buffer bytes;
  bytes.append(values.data(), values.size() * sizeof(T));
  return {type, std::move(shape), std::move(bytes).share()};
}
inline Tensor floats(Shape shape, const std::vector<float>& values) {
  return tensor(DataType::kFp32, std::move(shape), values);
}
Tensor texts(Shape shape, const std::vector<std::string>& values);

template <typename T>
std::vector<T> values(const Tensor& tensor) {
  std::vector<T> result(tensor.data.size() / sizeof(T));
  if (!result.empty()) std::memcpy(result.data(), tensor.data.data(), result.size() * sizeof(T));
  return result;
}
std::vector<std::string> text_values(const Tensor& tensor);

/// A folder of its own under the system's temporary one.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Returns the file's path.
  std::filesystem::path write(const std::string& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);

// ONNX messages, in the order in which they are put together.
std::string text_field(std::uint32_t number, std::string_view content);
std::string number_field(std::uint32_t number, std::uint64_t value);
/// `dims`: negative for a free one.
std::string value_info(std::string_view name, int element_type, const std::vector<std::int64_t>& dims);
std::string node(std::string_view op_type, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, std::string_view more_fields = "");
/// A TensorProto of floats whose data is at `location`.
std::string external_floats(std::string_view name, std::uint64_t count, std::string_view location,
                            std::string_view offset = "", std::string_view length = "");
/// A ModelProto of IR version 8 and operator sets 17 and ai.onnx.ml 3; `graph`: the fields of its graph.
std::string model(std::string_view graph, std::string_view more_fields = "");
/// x [n] -> y [n] of floats with these nodes and further graph fields.
std::string float_graph(std::string_view nodes, std::string_view more_fields = "");

/// x [n, width] -> y: `layers` times MatMul with weights of its own (4 * width^2 bytes each), Add and Relu.
std::string dense_model(std::uint64_t width, int layers, unsigned seed = 1);

}  // namespace protean::onnx_test
