// SPDX-License-Identifier: Apache-2.0
// Tensors on their way into TensorFlow and out of it. Numbers are not copied where their place in memory allows it.
#pragma once

#include <memory>
#include <string_view>

#include "backends/tensorflow/library.h"
#include "core/tensor.h"

namespace protean {

struct TfTensorDeleter {
  const TensorflowApi* api = nullptr;
  void operator()(TfTensor* tensor) const noexcept { api->delete_tensor(tensor); }
};
using TfTensorOwner = std::unique_ptr<TfTensor, TfTensorDeleter>;

/// A tensor over the bytes of `tensor`, which live until TensorFlow lets go of them; it copies them itself where they
/// are not aligned to 64 bytes. Texts are copied, because TensorFlow copies elements by their address. `name`: for
/// messages.  Errors: kInvalidArgument for a shape that TensorFlow cannot have: more than 254 dimensions, or dimensions
/// whose product overflows although another one is 0 (it would end the process).
[[nodiscard]] Result<TfTensorOwner> to_tensorflow_tensor(const TensorflowApi& api, const Tensor& tensor,
                                                         std::string_view name);

/// The same bytes, kept alive by `runtime` and the tensor itself. Texts are copied into the form of kBytes.
/// Errors: kInternal when its type is not `expected`, or a text is too long.
[[nodiscard]] Result<Tensor> from_tensorflow_tensor(const std::shared_ptr<const TensorflowRuntime>& runtime,
                                                    TfTensorOwner tensor, DataType expected, std::string_view name);

}  // namespace protean
