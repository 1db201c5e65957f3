// SPDX-License-Identifier: Apache-2.0
// One run. Inputs are wrapped where the request has them; outputs are wrapped where ONNX Runtime made them,
// and given back to it when the last reader of the answer is gone.
#include "backends/onnxruntime/onnx_model.h"

#include <array>
#include <cstring>
#include <new>
#include <stop_token>
#include <utility>

#include "backends/onnxruntime/element_type.h"
#include "backends/onnxruntime/failure.h"
#include "base/checked_math.h"

namespace protean {
namespace {

/// OrtValues of one call; releases them all.
class Values {
 public:
  Values(std::shared_ptr<const OnnxSession> session, std::size_t count)
      : session_(std::move(session)), values_(count) {}
  ~Values() {
    for (auto* value : values_) {
      if (value != nullptr) session_->runtime().api().ReleaseValue(value);
    }
  }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  [[nodiscard]] OrtValue*& operator[](std::size_t i) { return values_[i]; }
  [[nodiscard]] OrtValue** data() noexcept { return values_.data(); }

 private:
  const std::shared_ptr<const OnnxSession> session_;  // also owns initializers that the model gives out
  std::vector<OrtValue*> values_;
};

bool is_aligned(const Slice& data, std::size_t size) noexcept {
  return reinterpret_cast<std::uintptr_t>(data.data()) % size == 0;
}

Slice aligned_copy(const Slice& data) {
  Buffer copy;
  copy.append(data.bytes);
  return std::move(copy).share();
}

}  // namespace

/// The state of one run(): gone when it returns, but for the outputs' owner.
class OnnxModel::Call {
 public:
  Call(const OnnxModel& model, const RunRequest& request)
      : model_(model),
        request_(request),
        inputs_(model.session_, request.inputs.size()),
        outputs_(std::make_shared<Values>(model.session_, request.outputs.size())) {}

  Status add_inputs();
  Status execute();
  Result<std::vector<Tensor>> take_outputs();

 private:
  Status add_tensor(const Tensor& tensor);
  Status add_text(const Tensor& tensor);
  Result<Tensor> take(std::size_t i);
  Status take_text(OrtValue* value, std::size_t count, Tensor& tensor) const;
  Status check_labels(std::size_t output, const Tensor& tensor) const;
  [[nodiscard]] const OnnxRuntime& runtime() const noexcept { return model_.session_->runtime(); }

  const OnnxModel& model_;
  const RunRequest& request_;
  Values inputs_;
  std::vector<const char*> names_;  // of the inputs given
  std::vector<Slice> data_;         // of the inputs given
  std::shared_ptr<Values> outputs_;
};

Status OnnxModel::Call::add_inputs() {
  names_.reserve(request_.inputs.size());
  data_.reserve(request_.inputs.size());
  for (std::size_t i = 0; i < request_.inputs.size(); ++i) {
    const Tensor* tensor = request_.inputs[i];
    if (tensor == nullptr) continue;
    TRY_STATUS(tensor->type == DataType::kBytes ? add_text(*tensor) : add_tensor(*tensor));
    names_.push_back(model_.signature_.inputs[i].name.c_str());
  }
  return {};
}

Status OnnxModel::Call::add_tensor(const Tensor& tensor) {
  // Kernels read elements where they stand, and a tensor in the middle of a body can stand anywhere.
  const bool in_place = is_aligned(tensor.data, element_size(tensor.type));
  data_.push_back(in_place ? tensor.data : aligned_copy(tensor.data));
  const auto& data = data_.back();
  static std::byte none;  // an empty tensor has no bytes, but must have an address
  // The library's interface has no const here; it does not write to inputs.
  auto* address = data.empty() ? &none : const_cast<std::byte*>(data.data());
  return runtime().check(runtime().api().CreateTensorWithDataAsOrtValue(runtime().cpu_memory(), address, data.size(),
                                                                        tensor.shape.data(), tensor.shape.size(),
                                                                        to_onnx(tensor.type), &inputs_[names_.size()]));
}

Status OnnxModel::Call::add_text(const Tensor& tensor) {
  const auto& api = runtime().api();
  auto*& value = inputs_[names_.size()];
  TRY_STATUS(runtime().check(api.CreateTensorAsOrtValue(runtime().allocator(), tensor.shape.data(), tensor.shape.size(),
                                                        ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, &value)));
  BytesReader reader(tensor.data.bytes);
  // Not FillStringTensor: that one ends an element at its first NUL.
  for (std::size_t i = 0; !reader.done(); ++i) {
    const auto text = reader.next();
    char* place = nullptr;
    TRY_STATUS(runtime().check(api.GetResizedStringTensorElementBuffer(value, i, text.size(), &place)));
    if (!text.empty()) std::memcpy(place, text.data(), text.size());
  }
  data_.emplace_back();
  return {};
}

Status OnnxModel::Call::execute() {
  thread_local std::vector<const char*> outputs;  // names only: no run() begins inside another
  outputs.clear();
  for (const auto output : request_.outputs) outputs.push_back(model_.signature_.outputs[output].name.c_str());
  const auto& api = runtime().api();
  OrtRunOptions* raw = nullptr;
  if (request_.cancel.stop_possible()) TRY_STATUS(runtime().check(api.CreateRunOptions(&raw)));
  const std::unique_ptr<OrtRunOptions, void (*)(OrtRunOptions*)> options(raw, api.ReleaseRunOptions);
  // Without a stop state the callback registers nothing. The library looks between two nodes.
  const std::stop_callback stop(request_.cancel,
                                [&] { static_cast<void>(runtime().check(api.RunOptionsSetTerminate(raw))); });
  OrtStatus* status = api.Run(model_.session_->get(), raw, names_.data(), inputs_.data(), names_.size(), outputs.data(),
                              outputs.size(), outputs_->data());
  if (status == nullptr) return {};
  if (request_.cancel.stop_requested()) {
    api.ReleaseStatus(status);
    return fail(Code::kCancelled, "the run was stopped: the client left or asked for it");
  }
  const bool invalid = api.GetErrorCode(status) == ORT_INVALID_ARGUMENT;
  auto error = explain_run_failure(api.GetErrorMessage(status), invalid);
  api.ReleaseStatus(status);
  return tl::unexpected<Error>(std::move(error));
}

Result<std::vector<Tensor>> OnnxModel::Call::take_outputs() {
  std::vector<Tensor> tensors;
  tensors.reserve(request_.outputs.size());
  for (std::size_t i = 0; i < request_.outputs.size(); ++i) {
    TRY(tensors.emplace_back(), take(i));
  }
  return tensors;
}

Result<Tensor> OnnxModel::Call::take(std::size_t i) {
  const auto& api = runtime().api();
  const auto output = request_.outputs[i];
  OrtValue* value = (*outputs_)[i];
  OrtTensorTypeAndShapeInfo* info = nullptr;
  TRY_STATUS(runtime().check(api.GetTensorTypeAndShape(value, &info)));
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, void (*)(OrtTensorTypeAndShapeInfo*)> owner(
      info, api.ReleaseTensorTypeAndShapeInfo);
  std::size_t rank = 0;
  TRY_STATUS(runtime().check(api.GetDimensionsCount(info, &rank)));
  Tensor tensor;
  tensor.type = model_.signature_.outputs[output].type;
  auto type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  TRY_STATUS(runtime().check(api.GetTensorElementType(info, &type)));
  if (type != to_onnx(tensor.type)) {
    return fail(Code::kInternal, "output '" + model_.signature_.outputs[output].name + "': elements of type " +
                                     onnx_type_name(type) + ", expected " + std::string(data_type_name(tensor.type)));
  }
  tensor.shape.resize(rank);
  TRY_STATUS(runtime().check(api.GetDimensions(info, tensor.shape.data(), rank)));
  if (model_.label_counts_[output] != 0) TRY_STATUS(check_labels(output, tensor));
  TRY(const auto count, element_count(tensor.shape));
  if (tensor.type == DataType::kBytes) {
    TRY_STATUS(take_text(value, count, tensor));
    return tensor;
  }
  void* address = nullptr;
  TRY_STATUS(runtime().check(api.GetTensorMutableData(value, &address)));
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(address), count * element_size(tensor.type));
  if (bytes.empty()) return tensor;
  // A graph whose output is its input hands back the request's own memory: then that has to live on.
  for (const auto& input : data_) {
    if (bytes.data() < input.data() || bytes.data() >= input.data() + input.size()) continue;
    tensor.data = input;
    return tensor;
  }
  tensor.data = {outputs_, bytes, 0};
  return tensor;
}

Status OnnxModel::Call::take_text(OrtValue* value, std::size_t count, Tensor& tensor) const {
  const auto& api = runtime().api();
  if (count == 0) return {};
  std::size_t size = 0;
  TRY_STATUS(runtime().check(api.GetStringTensorDataLength(value, &size)));
  std::vector<char> text(size + 1);
  std::vector<std::size_t> starts(count);
  TRY_STATUS(runtime().check(api.GetStringTensorContent(value, text.data(), size, starts.data(), count)));
  Buffer encoded;
  encoded.reserve(size + count * sizeof(std::uint32_t));
  for (std::size_t i = 0; i < count; ++i) {
    const auto end = i + 1 < count ? starts[i + 1] : size;
    if (end - starts[i] > UINT32_MAX) return fail(Code::kInternal, "an output string has more than 2^32-1 bytes");
    append_bytes_element(encoded, {text.data() + starts[i], end - starts[i]});
  }
  tensor.data = std::move(encoded).share();
  return {};
}

Status OnnxModel::Call::check_labels(std::size_t output, const Tensor& tensor) const {
  const auto expected = model_.label_counts_[output];
  if (!tensor.shape.empty() && tensor.shape.back() == expected) return {};
  return fail(Code::kInternal, "output '" + model_.signature_.outputs[output].name + "': shape " +
                                   format_shape(tensor.shape) + ", expected " + std::to_string(expected) +
                                   " scores a row, one for each class label");
}

OnnxModel::OnnxModel(std::shared_ptr<const OnnxSession> session, SessionSignature signature, LoadReport report)
    : session_(std::move(session)),
      signature_(std::move(signature.signature)),
      label_counts_(std::move(signature.label_counts)),
      report_(std::move(report)) {}

Result<std::vector<Tensor>> OnnxModel::run(const RunRequest& request) {
  try {
    Call call(*this, request);
    TRY_STATUS(call.add_inputs());
    TRY_STATUS(call.execute());
    return call.take_outputs();
  } catch (const std::bad_alloc&) {
    return fail(Code::kResourceExhausted, "no memory left for the model's inputs and outputs");
  }
}

}  // namespace protean
