// SPDX-License-Identifier: Apache-2.0
//
// The NVIDIA Triton wheel ships the server without its ONNX Runtime backend. This is a native backend of the least
// code: for each request, or for all that Triton's dynamic batcher put together, it runs the same ONNX Runtime library
// (on Triton's own input buffer when it is one request) and copies the outputs into Triton's responses. Triton's real
// backend does more (statistics, device placement), so what is measured is a lower bound of Triton's cost. The
// declarations follow triton-inference-server/core, include/triton/core, API 1.x.
//
// PROTEAN_BENCH_ONNXRUNTIME in the environment is the path of libonnxruntime.so; a model is VERSION/model.onnx.
#include <cstdlib>
#include <cstring>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "onnx_session.h"

extern "C" {

struct TRITONSERVER_Error;
struct TRITONBACKEND_Input;
struct TRITONBACKEND_Output;
struct TRITONBACKEND_Model;
struct TRITONBACKEND_ModelInstance;
struct TRITONBACKEND_Request;
struct TRITONBACKEND_Response;

TRITONSERVER_Error* TRITONSERVER_ErrorNew(int code, const char* message);
TRITONSERVER_Error* TRITONBACKEND_ModelRepository(TRITONBACKEND_Model*, int* artifact_type, const char** location);
TRITONSERVER_Error* TRITONBACKEND_ModelVersion(TRITONBACKEND_Model*, uint64_t* version);
TRITONSERVER_Error* TRITONBACKEND_ModelSetState(TRITONBACKEND_Model*, void* state);
TRITONSERVER_Error* TRITONBACKEND_ModelState(TRITONBACKEND_Model*, void** state);
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceModel(TRITONBACKEND_ModelInstance*, TRITONBACKEND_Model** model);
TRITONSERVER_Error* TRITONBACKEND_RequestInput(TRITONBACKEND_Request*, const char* name, TRITONBACKEND_Input** input);
TRITONSERVER_Error* TRITONBACKEND_RequestRelease(TRITONBACKEND_Request*, uint32_t release_flags);
TRITONSERVER_Error* TRITONBACKEND_InputProperties(TRITONBACKEND_Input*, const char** name, int* datatype,
                                                  const int64_t** shape, uint32_t* dims_count, uint64_t* byte_size,
                                                  uint32_t* buffer_count);
TRITONSERVER_Error* TRITONBACKEND_InputBuffer(TRITONBACKEND_Input*, uint32_t index, const void** buffer,
                                              uint64_t* byte_size, int* memory_type, int64_t* memory_type_id);
TRITONSERVER_Error* TRITONBACKEND_ResponseNew(TRITONBACKEND_Response** response, TRITONBACKEND_Request*);
TRITONSERVER_Error* TRITONBACKEND_ResponseOutput(TRITONBACKEND_Response*, TRITONBACKEND_Output** output,
                                                 const char* name, int datatype, const int64_t* shape,
                                                 uint32_t dims_count);
TRITONSERVER_Error* TRITONBACKEND_OutputBuffer(TRITONBACKEND_Output*, void** buffer, uint64_t byte_size,
                                               int* memory_type, int64_t* memory_type_id);
TRITONSERVER_Error* TRITONBACKEND_ResponseSend(TRITONBACKEND_Response*, uint32_t send_flags, TRITONSERVER_Error* error);
}

namespace protean::bench {
namespace {

constexpr int kInternal = 1;         // TRITONSERVER_ERROR_INTERNAL
constexpr int kMemoryCpu = 0;        // TRITONSERVER_MEMORY_CPU
constexpr uint32_t kFinal = 1;       // TRITONSERVER_RESPONSE_COMPLETE_FINAL
constexpr uint32_t kReleaseAll = 1;  // TRITONSERVER_REQUEST_RELEASE_ALL

void check(TRITONSERVER_Error* error) {
  if (error != nullptr) throw std::runtime_error("a call into Triton failed");
}

int triton_datatype(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return 1;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8: return 2;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return 8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return 9;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return 11;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE: return 12;
    default: throw std::runtime_error("a type that the benchmarks do not use");
  }
}

struct InputBytes {
  std::vector<int64_t> shape;
  const void* data = nullptr;  // of the request, or of `joined` below
  uint64_t bytes = 0;
};

InputBytes read_input(TRITONBACKEND_Request* request, const TensorSignature& signature, std::string& joined) {
  TRITONBACKEND_Input* input = nullptr;
  check(TRITONBACKEND_RequestInput(request, signature.name.c_str(), &input));
  const int64_t* shape = nullptr;
  uint32_t dims = 0;
  uint32_t buffers = 0;
  uint64_t bytes = 0;
  check(TRITONBACKEND_InputProperties(input, nullptr, nullptr, &shape, &dims, &bytes, &buffers));
  const void* data = nullptr;
  for (uint32_t i = 0; i < buffers; ++i) {
    uint64_t part_bytes = 0;
    int memory_type = kMemoryCpu;
    int64_t memory_type_id = 0;
    check(TRITONBACKEND_InputBuffer(input, i, &data, &part_bytes, &memory_type, &memory_type_id));
    if (buffers > 1) joined.append(static_cast<const char*>(data), part_bytes);
  }
  if (buffers > 1) data = joined.data();
  return {{shape, shape + dims}, data, bytes};
}

/// Rows [first, first + rows) of each result; all of it when `rows` is 0.
void fill_response(TRITONBACKEND_Response* response, const OnnxSession& session, const std::vector<Ort::Value>& results,
                   int64_t first = 0, int64_t rows = 0) {
  for (size_t i = 0; i < results.size(); ++i) {
    const auto& signature = session.outputs()[i];
    const auto info = results[i].GetTensorTypeAndShapeInfo();
    auto shape = info.GetShape();
    uint64_t bytes = info.GetElementCount() * element_bytes(signature.type);
    uint64_t offset = 0;
    if (rows > 0) {
      const uint64_t row_bytes = bytes / static_cast<uint64_t>(shape[0]);
      offset = row_bytes * static_cast<uint64_t>(first);
      bytes = row_bytes * static_cast<uint64_t>(rows);
      shape[0] = rows;
    }
    TRITONBACKEND_Output* output = nullptr;
    check(TRITONBACKEND_ResponseOutput(response, &output, signature.name.c_str(), triton_datatype(signature.type),
                                       shape.data(), static_cast<uint32_t>(shape.size())));
    void* buffer = nullptr;
    int memory_type = kMemoryCpu;
    int64_t memory_type_id = 0;
    check(TRITONBACKEND_OutputBuffer(output, &buffer, bytes, &memory_type, &memory_type_id));
    std::memcpy(buffer, static_cast<const char*>(results[i].GetTensorRawData()) + offset, bytes);
  }
}

void answer(OnnxSession& session, TRITONBACKEND_Request* request) {
  TRITONBACKEND_Response* response = nullptr;
  check(TRITONBACKEND_ResponseNew(&response, request));
  TRITONSERVER_Error* failure = nullptr;
  try {
    std::vector<std::string> joined(session.inputs().size());
    std::vector<Ort::Value> inputs;
    for (size_t i = 0; i < joined.size(); ++i) {
      const auto& signature = session.inputs()[i];
      const InputBytes input = read_input(request, signature, joined[i]);
      inputs.push_back(OnnxSession::view(const_cast<void*>(input.data), input.bytes, signature.type, input.shape));
    }
    fill_response(response, session, session.run(inputs));
  } catch (const std::exception& error) {
    failure = TRITONSERVER_ErrorNew(kInternal, error.what());
  }
  check(TRITONBACKEND_ResponseSend(response, kFinal, failure));
  check(TRITONBACKEND_RequestRelease(request, kReleaseAll));
}

/// What the dynamic batcher put together, in one run: rows of all requests behind one another.
void answer_together(OnnxSession& session, std::span<TRITONBACKEND_Request* const> requests) {
  std::vector<std::string> joined(session.inputs().size());
  std::vector<std::vector<int64_t>> shapes(joined.size());
  std::vector<int64_t> rows;
  for (TRITONBACKEND_Request* request : requests) {
    for (size_t i = 0; i < joined.size(); ++i) {
      std::string parts;
      const InputBytes input = read_input(request, session.inputs()[i], parts);
      joined[i].append(static_cast<const char*>(input.data), input.bytes);
      if (shapes[i].empty()) {
        shapes[i] = input.shape;
      } else {
        shapes[i][0] += input.shape[0];
      }
      if (i == 0) rows.push_back(input.shape[0]);
    }
  }
  std::vector<Ort::Value> inputs;
  for (size_t i = 0; i < joined.size(); ++i) {
    inputs.push_back(OnnxSession::view(joined[i].data(), joined[i].size(), session.inputs()[i].type, shapes[i]));
  }
  const auto results = session.run(inputs);
  int64_t first = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    TRITONBACKEND_Response* response = nullptr;
    check(TRITONBACKEND_ResponseNew(&response, requests[i]));
    fill_response(response, session, results, first, rows[i]);
    first += rows[i];
    check(TRITONBACKEND_ResponseSend(response, kFinal, nullptr));
    check(TRITONBACKEND_RequestRelease(requests[i], kReleaseAll));
  }
}

}  // namespace
}  // namespace protean::bench

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* model) {
  try {
    int artifact_type = 0;
    const char* location = nullptr;
    uint64_t version = 0;
    protean::bench::check(TRITONBACKEND_ModelRepository(model, &artifact_type, &location));
    protean::bench::check(TRITONBACKEND_ModelVersion(model, &version));
    const char* library = std::getenv("PROTEAN_BENCH_ONNXRUNTIME");
    auto* session =
        new protean::bench::OnnxSession(library == nullptr ? "libonnxruntime.so.1" : library,
                                        std::string(location) + "/" + std::to_string(version) + "/model.onnx");
    return TRITONBACKEND_ModelSetState(model, session);
  } catch (const std::exception& error) {
    return TRITONSERVER_ErrorNew(protean::bench::kInternal, error.what());
  }
}

TRITONSERVER_Error* TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model* model) {
  void* state = nullptr;
  if (TRITONBACKEND_ModelState(model, &state) == nullptr) delete static_cast<protean::bench::OnnxSession*>(state);
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance* instance,
                                                       TRITONBACKEND_Request** requests, const uint32_t count) {
  try {
    TRITONBACKEND_Model* model = nullptr;
    void* state = nullptr;
    protean::bench::check(TRITONBACKEND_ModelInstanceModel(instance, &model));
    protean::bench::check(TRITONBACKEND_ModelState(model, &state));
    auto& session = *static_cast<protean::bench::OnnxSession*>(state);
    if (count > 1) {
      protean::bench::answer_together(session, {requests, count});
    } else {
      protean::bench::answer(session, requests[0]);
    }
    return nullptr;
  } catch (const std::exception& error) {
    return TRITONSERVER_ErrorNew(protean::bench::kInternal, error.what());
  }
}
}
