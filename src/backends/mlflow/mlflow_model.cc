// SPDX-License-Identifier: Apache-2.0
// Casts are one pass over the elements; a model whose types MLflow kept runs on what it is given.
#include "backends/mlflow/mlflow_model.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "backends/mlflow/params.h"

namespace protean {
namespace {

template <typename From, typename To>
bool cast_elements(const Slice& from, Buffer& to) {
  const std::size_t count = from.size() / sizeof(From);
  to.resize(count * sizeof(To));
  for (std::size_t i = 0; i < count; ++i) {
    From value{};
    std::memcpy(&value, from.data() + i * sizeof value, sizeof value);
    if constexpr (std::is_integral_v<To>) {
      const auto wide = static_cast<long double>(value);
      const bool fits = wide == std::trunc(wide) && wide >= static_cast<long double>(std::numeric_limits<To>::min()) &&
                        wide <= static_cast<long double>(std::numeric_limits<To>::max());
      if (!fits) return false;
    }
    const To narrowed = static_cast<To>(value);
    std::memcpy(to.data() + i * sizeof narrowed, &narrowed, sizeof narrowed);
  }
  return true;
}

template <typename From>
bool cast_to(DataType type, const Slice& from, Buffer& to) {
  switch (type) {
    case DataType::kUint8: return cast_elements<From, std::uint8_t>(from, to);
    case DataType::kUint16: return cast_elements<From, std::uint16_t>(from, to);
    case DataType::kUint32: return cast_elements<From, std::uint32_t>(from, to);
    case DataType::kUint64: return cast_elements<From, std::uint64_t>(from, to);
    case DataType::kInt8: return cast_elements<From, std::int8_t>(from, to);
    case DataType::kInt16: return cast_elements<From, std::int16_t>(from, to);
    case DataType::kInt32: return cast_elements<From, std::int32_t>(from, to);
    case DataType::kInt64: return cast_elements<From, std::int64_t>(from, to);
    case DataType::kFp32: return cast_elements<From, float>(from, to);
    case DataType::kFp64: return cast_elements<From, double>(from, to);
    default: return false;
  }
}

bool cast_tensor(const Tensor& from, DataType type, Buffer& to) {
  switch (from.type) {
    case DataType::kBool:
    case DataType::kUint8: return cast_to<std::uint8_t>(type, from.data, to);
    case DataType::kUint16: return cast_to<std::uint16_t>(type, from.data, to);
    case DataType::kUint32: return cast_to<std::uint32_t>(type, from.data, to);
    case DataType::kUint64: return cast_to<std::uint64_t>(type, from.data, to);
    case DataType::kInt8: return cast_to<std::int8_t>(type, from.data, to);
    case DataType::kInt16: return cast_to<std::int16_t>(type, from.data, to);
    case DataType::kInt32: return cast_to<std::int32_t>(type, from.data, to);
    case DataType::kInt64: return cast_to<std::int64_t>(type, from.data, to);
    case DataType::kFp32: return cast_to<float>(type, from.data, to);
    case DataType::kFp64: return cast_to<double>(type, from.data, to);
    default: return false;
  }
}

/// The inputs as the inner model takes them; owns those that were cast.
class CastInputs {
 public:
  static Result<CastInputs> make(std::span<const Tensor* const> inputs, const Signature& inner) {
    CastInputs cast;
    cast.owned_.reserve(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Tensor* tensor = inputs[i];
      if (tensor != nullptr && tensor->type != inner.inputs[i].type) {
        Buffer data;
        if (!cast_tensor(*tensor, inner.inputs[i].type, data)) {
          return fail(Code::kInvalidArgument, fmt::format("input '{}' has values that {} does not hold",
                                                          inner.inputs[i].name, data_type_name(inner.inputs[i].type)));
        }
        tensor = &cast.owned_.emplace_back(Tensor{inner.inputs[i].type, tensor->shape, std::move(data).share()});
      }
      cast.pointers_.push_back(tensor);
    }
    return cast;
  }
  [[nodiscard]] std::span<const Tensor* const> pointers() const noexcept { return pointers_; }
  /// Behind the others; must outlive this.
  void append(const Tensor* tensor) { pointers_.push_back(tensor); }

 private:
  std::vector<Tensor> owned_;  // never grows beyond what was reserved: pointers_ point into it
  std::vector<const Tensor*> pointers_;
};

}  // namespace

MlflowModel::MlflowModel(std::unique_ptr<Model> inner, Signature signature, std::vector<SchemaParam> params,
                         std::vector<std::string> notes)
    : inner_(std::move(inner)),
      signature_(std::move(signature)),
      params_(std::move(params)),
      notes_(std::move(notes)),
      passes_params_(inner_->signature().inputs.size() > signature_.inputs.size()) {
  for (std::size_t i = 0; i < signature_.inputs.size(); ++i) {
    casts_ = casts_ || signature_.inputs[i].type != inner_->signature().inputs[i].type;
  }
}

Result<std::optional<Tensor>> MlflowModel::params_tensor(const RunRequest& request) const {
  if (params_.empty()) return std::nullopt;
  TRY(const std::string json,
      resolve_params(params_, request.parameters == nullptr ? Parameters{} : *request.parameters));
  if (!passes_params_) return std::nullopt;
  Buffer data;
  const auto size = static_cast<std::uint32_t>(json.size());
  data.append(&size, sizeof size);
  data.append(json);
  return Tensor{DataType::kBytes, {1}, std::move(data).share()};
}

Result<std::vector<Tensor>> MlflowModel::run(const RunRequest& request) {
  TRY(const auto params, params_tensor(request));
  if (!casts_ && !passes_params_) return inner_->run(request);
  TRY(auto inputs, CastInputs::make(request.inputs, inner_->signature()));
  if (passes_params_) inputs.append(params ? &*params : nullptr);
  RunRequest cast = request;
  cast.inputs = inputs.pointers();
  return inner_->run(cast);
}

Result<Contributions> MlflowModel::explain(const RunRequest& request) {
  TRY(const auto params, params_tensor(request));
  if (!casts_ && !passes_params_) return inner_->explain(request);
  TRY(auto inputs, CastInputs::make(request.inputs, inner_->signature()));
  if (passes_params_) inputs.append(params ? &*params : nullptr);
  TRY(const auto background, CastInputs::make(request.background, inner_->signature()));
  RunRequest cast = request;
  cast.inputs = inputs.pointers();
  cast.background = background.pointers();
  return inner_->explain(cast);
}

std::vector<std::string> MlflowModel::load_notes() const {
  auto notes = notes_;
  for (auto& note : inner_->load_notes()) notes.push_back(std::move(note));
  return notes;
}

}  // namespace protean
