// SPDX-License-Identifier: Apache-2.0
// What convolutions and pools share: windows that move over the space between the batch and the channels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensorflow/lowering/operation.h"

namespace protean {

/// Of `rank` - 2 dimensions of space, each list with one entry a dimension.
struct Window {
  bool channels_last = true;
  bool same = false;
  std::vector<std::int64_t> size;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  /// Before every dimension, then behind; of padding EXPLICIT.
  std::vector<std::int64_t> pads;
};

/// Reads strides, dilations, padding and data_format of a node whose input has `rank` dimensions. `size` stays empty.
/// Errors: kInvalidArgument for lists of other lengths.
[[nodiscard]] Result<Window> read_window(const Operation& op, std::size_t rank);

/// With the channels second, as ONNX has them, and back.
[[nodiscard]] Value to_channels_first(Build& build, const Value& x, const Window& window, std::size_t rank);
[[nodiscard]] Value from_channels_first(Build& build, const Value& x, const Window& window, std::size_t rank);

/// Attributes of Conv and of pools for x with channels first: strides, dilations and padding.
/// Errors: kUnimplemented for padding that needs a size that is free.
[[nodiscard]] Result<OnnxAttributes> window_attributes(const Window& window, const Value& x);
/// The result's dimensions, channels first; `channels` -1 when free.
[[nodiscard]] Dims window_dims(const Window& window, const Value& x, std::int64_t channels);

/// What is added or cut before and behind, one for each dimension, as int64.
struct Margins {
  Value before;
  Value after;
};

/// Input `index`, a [dimensions, 2] tensor of paddings or crops, as its columns.
[[nodiscard]] Margins margins_of(Operation& op, std::size_t index);

}  // namespace protean
