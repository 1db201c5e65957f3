// SPDX-License-Identifier: Apache-2.0
//
// Opens the ONNX Runtime library by OrtGetApiBase and wraps one session. Everything that costs time is done when the
// session is made; run() is one call into the library.
#include "onnx_session.h"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>

namespace protean::bench {
namespace {

Ort::Env& open_library(const std::string& library) {
  static Ort::Env env = [&library] {
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    auto get_api_base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
    if (get_api_base == nullptr) throw std::runtime_error(library + ": no OrtGetApiBase");
    const OrtApi* api = get_api_base()->GetApi(ORT_API_VERSION);
    if (api == nullptr) throw std::runtime_error(library + ": older than the headers");
    Ort::InitApi(api);
    return Ort::Env(ORT_LOGGING_LEVEL_WARNING, "bench");
  }();
  return env;
}

Ort::SessionOptions session_options() {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  return options;
}

TensorSignature signature(std::string name, const Ort::TypeInfo& info) {
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) throw std::runtime_error(name + ": not a tensor");
  auto tensor = info.GetTensorTypeAndShapeInfo();
  return {std::move(name), tensor.GetElementType(), tensor.GetShape()};
}

}  // namespace

const char* open_inference_datatype(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return "FP32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE: return "FP64";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return "INT64";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return "INT32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8: return "UINT8";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return "BOOL";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING: return "BYTES";
    default: return "";
  }
}

size_t element_bytes(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return 8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return 4;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return 1;
    default: return 0;
  }
}

OnnxSession::OnnxSession(const std::string& library, const std::string& model) {
  Ort::Env& env = open_library(library);  // before any other call into the API
  session_ = Ort::Session(env, model.c_str(), session_options());
  Ort::AllocatorWithDefaultOptions allocator;
  for (size_t i = 0; i < session_.GetInputCount(); ++i) {
    inputs_.push_back(signature(session_.GetInputNameAllocated(i, allocator).get(), session_.GetInputTypeInfo(i)));
  }
  for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
    outputs_.push_back(signature(session_.GetOutputNameAllocated(i, allocator).get(), session_.GetOutputTypeInfo(i)));
  }
  for (const auto& input : inputs_) input_names_.push_back(input.name.c_str());
  for (const auto& output : outputs_) output_names_.push_back(output.name.c_str());
}

std::vector<Ort::Value> OnnxSession::run(const std::vector<Ort::Value>& values) {
  return session_.Run(Ort::RunOptions{nullptr}, input_names_.data(), values.data(), values.size(), output_names_.data(),
                      output_names_.size());
}

Ort::Value OnnxSession::view(void* data, size_t bytes, ONNXTensorElementDataType type,
                             const std::vector<int64_t>& shape) {
  static const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor(memory, data, bytes, shape.data(), shape.size(), type);
}

}  // namespace protean::bench
