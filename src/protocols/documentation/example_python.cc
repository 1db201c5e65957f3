// SPDX-License-Identifier: Apache-2.0
// Writes the program line by line; names become string literals, so that none can break out of theirs.
#include "protocols/documentation/example_python.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "core/example_request.h"

namespace protean {
namespace {

/// A Python string literal; JSON's escapes mean the same there.
std::string python_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string python_shape(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

/// How numpy fills an array with the example's value.
std::string numpy_fill(DataType type) {
  switch (type) {
    case DataType::kBool: return "True, dtype=np.bool_";
    case DataType::kUint8: return "1, dtype=np.uint8";
    case DataType::kUint16: return "1, dtype=np.uint16";
    case DataType::kUint32: return "1, dtype=np.uint32";
    case DataType::kUint64: return "1, dtype=np.uint64";
    case DataType::kInt8: return "1, dtype=np.int8";
    case DataType::kInt16: return "1, dtype=np.int16";
    case DataType::kInt32: return "1, dtype=np.int32";
    case DataType::kInt64: return "1, dtype=np.int64";
    case DataType::kFp16: return "0.5, dtype=np.float16";
    case DataType::kBf16: return "0.5, dtype=ml_dtypes.bfloat16";  // numpy has none of its own
    case DataType::kFp32: return "0.5, dtype=np.float32";
    case DataType::kFp64: return "0.5, dtype=np.float64";
    case DataType::kBytes: return "\"text\", dtype=np.object_";
  }
  return "0";
}

/// The value of a column as Python writes it.
std::string python_cell(const Column& column) {
  if (column.type == DataType::kBool && column.categories.empty()) return "True";
  return example_cell(column);
}

/// One array of one value a column.
std::string column_inputs(const Signature& signature) {
  std::string out;
  for (const auto& column : signature.columns) {
    const std::string fill = numpy_fill(column.type);
    out += fmt::format("inputs.append(http.InferInput({}, [1], \"{}\"))\n", python_string(column.name),
                       data_type_name(column.type));
    out += fmt::format("inputs[-1].set_data_from_numpy(np.array([{}],{}))\n", python_cell(column),
                       fill.substr(fill.find(',') + 1));
  }
  return out;
}

std::string tensor_inputs(const Signature& signature) {
  std::string out;
  for (const auto& input : signature.inputs) {
    if (left_out_of_example(signature, input)) continue;
    const std::string shape = python_shape(example_shape(input.shape));
    out += fmt::format("inputs.append(http.InferInput({}, {}, \"{}\"))\n", python_string(input.name), shape,
                       data_type_name(input.type));
    out += fmt::format("inputs[-1].set_data_from_numpy(np.full({}, {}))\n", shape, numpy_fill(input.type));
  }
  return out;
}

}  // namespace

std::string_view authority_of(std::string_view url) noexcept {
  const auto slashes = url.find("//");
  return slashes == std::string_view::npos ? url : url.substr(slashes + 2);
}

std::string example_python(std::string_view url, std::string_view model, std::string_view version,
                           const Signature& signature) {
  const bool tls = url.starts_with("https://");
  const bool bf16 = std::any_of(signature.inputs.begin(), signature.inputs.end(),
                                [](const TensorSpec& input) { return input.type == DataType::kBf16; });
  std::string out = fmt::format("# pip install \"tritonclient[http]\"{}\n{}", bf16 ? " ml_dtypes" : "",
                                bf16 ? "import ml_dtypes\n" : "");
  out += "import numpy as np\nimport tritonclient.http as http\n\n";
  out += fmt::format("client = http.InferenceServerClient({}{})\ninputs = []\n", python_string(authority_of(url)),
                     tls ? ", ssl=True" : "");
  out += example_has_columns(signature) ? column_inputs(signature) : tensor_inputs(signature);
  out += fmt::format("result = client.infer({}, inputs{})\n", python_string(model),
                     version.empty() ? "" : ", model_version=" + python_string(version));
  for (const auto& output : signature.outputs) {
    out += fmt::format("print(result.as_numpy({}))\n", python_string(output.name));
  }
  return out;
}

}  // namespace protean
