// SPDX-License-Identifier: Apache-2.0
// InferTensorContents, the typed form of a tensor in protobuf, from and to the tensor's own bytes.
#pragma once

#include <protozero/data_view.hpp>

#include <span>
#include <string>
#include <string_view>

#include "core/tensor.h"
#include "protocols/open_inference/limits.h"

namespace protean {

/// Reads the typed contents of a tensor whose type and shape are set into memory of its own.
/// `pieces`: the `contents` field as it came, usually once; several are merged as protobuf asks.
/// Packed and unpacked elements are understood.
/// Errors: kInvalidArgument for another type's field, a wrong count or an element beyond the type.
/// Throws protozero::exception where the wire format is broken.  Thread-safe.
[[nodiscard]] Result<Slice> read_contents(std::span<const protozero::data_view> pieces, const Tensor& tensor,
                                          const Place& place);

/// Appends the fields of InferTensorContents.  `tensor` has passed check_data() and is neither FP16 nor BF16.
void write_contents(std::string& message, const Tensor& tensor);

}  // namespace protean
