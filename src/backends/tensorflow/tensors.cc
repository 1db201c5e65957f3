// SPDX-License-Identifier: Apache-2.0
// What lives how long is decided here: the library calls release() when its last tensor over a buffer is gone, which
// may be after the run (a variable may keep its input) and on any thread.
#include "backends/tensorflow/tensors.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "backends/tensorflow/element_type.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kDimensionsMax = 254;

/// What a tensor of the library stands on.
struct Numbers {
  Slice data;
};
struct Texts {
  const TensorflowApi* api;
  Buffer elements;
  std::size_t count = 0;
  ~Texts() {
    auto* element = reinterpret_cast<TfString*>(elements.data());
    for (std::size_t i = 0; i < count; ++i) api->string_dealloc(element + i);
  }
};

template <typename Owner>
void release(void*, std::size_t, void* owner) {
  delete static_cast<Owner*>(owner);
}

/// TensorFlow multiplies the dimensions in their order and ends the process when that overflows.
Status check_dimensions(const Shape& shape, std::string_view name) {
  if (shape.size() > kDimensionsMax) {
    return fail(Code::kInvalidArgument, fmt::format("input '{}': {} dimensions, expected at most {}", printable(name),
                                                    shape.size(), kDimensionsMax));
  }
  std::int64_t product = 1;
  for (const auto dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(product, dimension, &product)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("input '{}': shape {} is too large", printable(name), format_shape(shape)));
    }
  }
  return {};
}

template <typename Owner>
Result<TfTensorOwner> make(const TensorflowApi& api, const Tensor& tensor, std::unique_ptr<Owner> owner,
                           std::span<const std::byte> bytes) {
  alignas(kBufferAlignment) static std::byte none;  // an empty tensor has no bytes, but must have an address
  // The library's interface has no const here; it never writes to memory that it does not own.
  auto* address = bytes.empty() ? &none : const_cast<std::byte*>(bytes.data());
  TfTensor* made =
      api.new_tensor(to_tensorflow(tensor.type), tensor.shape.data(), static_cast<int>(tensor.shape.size()), address,
                     bytes.size(), release<Owner>, owner.get());
  static_cast<void>(owner.release());  // also when nothing was made, the library has called release()
  if (made == nullptr)
    return fail(Code::kInternal, "TensorFlow does not take a tensor of " + format_shape(tensor.shape));
  return TfTensorOwner(made, TfTensorDeleter{&api});
}

Result<TfTensorOwner> make_texts(const TensorflowApi& api, const Tensor& tensor, std::size_t count) {
  auto texts = std::make_unique<Texts>();
  texts->api = &api;
  const auto bytes = checked_mul(count, sizeof(TfString));
  if (!bytes) return fail(Code::kInvalidArgument, "too many texts");
  texts->elements.resize(*bytes);
  auto* element = reinterpret_cast<TfString*>(texts->elements.data());
  BytesReader reader(tensor.data.bytes);
  for (; texts->count < count; ++texts->count) {
    const auto text = reader.next();
    api.string_init(element + texts->count);
    api.string_copy(element + texts->count, text.data(), text.size());
  }
  const auto span = texts->elements.span();
  return make(api, tensor, std::move(texts), span);
}

Result<Slice> read_texts(const TensorflowApi& api, const TfTensor* tensor, std::size_t count) {
  const auto* element = static_cast<const TfString*>(api.tensor_data(tensor));
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = api.string_get_size(element + i);
    if (size > UINT32_MAX) return fail(Code::kInternal, "an output text has more than 2^32-1 bytes");
    bytes += size + sizeof(std::uint32_t);
  }
  Buffer encoded;
  encoded.reserve(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    append_bytes_element(encoded, {api.string_get_data_pointer(element + i), api.string_get_size(element + i)});
  }
  return std::move(encoded).share();
}

}  // namespace

Result<TfTensorOwner> to_tensorflow_tensor(const TensorflowApi& api, const Tensor& tensor, std::string_view name) {
  TRY_STATUS(check_dimensions(tensor.shape, name));
  TRY(const auto count, element_count(tensor.shape));
  if (tensor.type == DataType::kBytes) return make_texts(api, tensor, count);
  return make(api, tensor, std::make_unique<Numbers>(Numbers{tensor.data}), tensor.data.bytes);
}

Result<Tensor> from_tensorflow_tensor(const std::shared_ptr<const TensorflowRuntime>& runtime, TfTensorOwner tensor,
                                      DataType expected, std::string_view name) {
  const auto& api = runtime->api();
  const int type = api.tensor_type(tensor.get());
  if (from_tensorflow(type) != expected) {
    return fail(Code::kInternal, fmt::format("output '{}': elements of type {}, expected {}", printable(name),
                                             tensorflow_type_name(type), data_type_name(expected)));
  }
  Tensor result;
  result.type = expected;
  const int rank = api.num_dims(tensor.get());
  for (int i = 0; i < rank; ++i) result.shape.push_back(api.dim(tensor.get(), i));
  TRY(const auto count, element_count(result.shape));
  if (count == 0) return result;
  if (expected == DataType::kBytes) {
    TRY(result.data, read_texts(api, tensor.get(), count));
    return result;
  }
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(api.tensor_data(tensor.get())),
                                         count * element_size(expected));
  if (api.tensor_byte_size(tensor.get()) < bytes.size()) {
    return fail(Code::kInternal, fmt::format("output '{}': {} bytes, expected {}", printable(name),
                                             api.tensor_byte_size(tensor.get()), bytes.size()));
  }
  result.data = {std::shared_ptr<const TfTensor>(tensor.release(), TfTensorDeleter{&api}), bytes, 0};
  return result;
}

}  // namespace protean
