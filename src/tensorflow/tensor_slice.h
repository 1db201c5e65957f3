// SPDX-License-Identifier: Apache-2.0
// Parts of tensors: how RestoreV2 asks for them, under which keys a checkpoint keeps them, and how they are put
// together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensorflow/literal.h"

namespace protean {

/// Rows [start, start + length) of one dimension; a length of -1 is all of it (start 0).
struct SliceExtent {
  std::int64_t start = 0;
  std::int64_t length = -1;
};

/// Reads "10 5 0,5:-": the shape of the whole tensor, then an extent for each dimension.
/// Errors: kInvalidArgument.  Source: TensorFlow's Variable.SaveSliceInfo.spec.
[[nodiscard]] Result<std::vector<SliceExtent>> parse_slice(std::string_view text);

/// The key of a part in the index. Source: LevelDB-style ordered code, tensorflow/core/util/saved_tensor_slice_util.
[[nodiscard]] std::string slice_key(const std::string& name, const std::vector<SliceExtent>& extents);

/// Shape of the part; nullopt when it does not lie within `whole`.
[[nodiscard]] std::optional<Shape> slice_shape(const Shape& whole, const std::vector<SliceExtent>& extents);

/// The part of `whole`. Requires slice_shape() to have a value.
[[nodiscard]] Literal take_slice(const Literal& whole, const std::vector<SliceExtent>& extents);
/// Copies `part` to its place. Requires slice_shape() to have the shape of `part`, and equal types.
void put_slice(Literal& whole, const std::vector<SliceExtent>& extents, const Literal& part);

}  // namespace protean
