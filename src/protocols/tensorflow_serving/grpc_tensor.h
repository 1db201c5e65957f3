// SPDX-License-Identifier: Apache-2.0
// tensorflow.TensorProto from and to tensors. What lies in the message as it lies in memory (tensor_content, packed
// floats) becomes a part of the message's own bytes.
#pragma once

#include <protozero/data_view.hpp>

#include <string>
#include <vector>

#include "core/inference.h"

namespace protean::tfserving {

/// `message`: the whole body that `view` lies in; the tensor may share its bytes.
/// Lists shorter than the shape repeat their last value, as the original does, up to 64 MiB of them.
/// Errors: kInvalidArgument `tensor parsing error: <name>`.  Throws protozero::exception.  Thread-safe.
[[nodiscard]] Result<Tensor> read_tensor(const Slice& message, protozero::data_view view, std::string_view name);

/// Appends one entry of a map<string, TensorProto> that is field `tag`, to the last of `parts` and behind it: long
/// arrays are parts of their own.
/// `as_content`: all elements in tensor_content, else in the list of their type.
void write_tensor_entry(std::vector<Slice>& parts, std::string& open, const InferOutput& output, std::uint32_t tag,
                        bool as_content);

}  // namespace protean::tfserving
