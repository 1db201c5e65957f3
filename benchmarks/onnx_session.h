// SPDX-License-Identifier: Apache-2.0
//
// One ONNX Runtime session, as thin as it can be: what the bare loop and the Triton peer of the benchmarks run. It
// shares no code with the server, so that a slip in the server's backend cannot hide in its own yardstick. The library
// is opened at run time, and is the same file that the server loads.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#undef ORT_API_MANUAL_INIT

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace protean::bench {

/// Name, element type and shape (-1 = any) of one input or output, as the model declares it.
struct TensorSignature {
  std::string name;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<int64_t> shape;
};

/// The Open Inference Protocol's name of an ONNX element type ("FP32"); empty when the protocol has none.
const char* open_inference_datatype(ONNXTensorElementDataType type);

/// Bytes of one element; 0 for strings and unknown types.
size_t element_bytes(ONNXTensorElementDataType type);

/// A loaded model. Intra-op and inter-op threads: 1, no spinning, telemetry off. run() is thread-safe.
class OnnxSession {
 public:
  /// Opens `library` (path of libonnxruntime.so) once a process and loads `model` (path of an .onnx file).
  /// Throws std::runtime_error or Ort::Exception: this is a benchmark, its caller prints and ends.
  OnnxSession(const std::string& library, const std::string& model);

  const std::vector<TensorSignature>& inputs() const { return inputs_; }
  const std::vector<TensorSignature>& outputs() const { return outputs_; }

  /// Runs once; `values` in the order of inputs(), the result in the order of outputs(), allocated by the runtime.
  std::vector<Ort::Value> run(const std::vector<Ort::Value>& values);

  /// A tensor over `bytes` bytes at `data`, which the caller keeps alive; `shape` without -1.
  static Ort::Value view(void* data, size_t bytes, ONNXTensorElementDataType type, const std::vector<int64_t>& shape);

 private:
  Ort::Session session_{nullptr};
  std::vector<TensorSignature> inputs_;
  std::vector<TensorSignature> outputs_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

}  // namespace protean::bench
