// SPDX-License-Identifier: Apache-2.0
// The `data` of one JSON tensor, straight from the parser into typed, aligned memory.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "protocols/open_inference/json_text.h"
#include "protocols/open_inference/limits.h"

namespace protean {

/// What `data` has to become.  `shape`: checked, at most kRankMax dimensions, `count` elements.
/// `nulls`: gets the positions of null elements, ascending; null where nobody asks.
struct JsonTensor {
  DataType type;
  const Shape& shape;
  std::size_t count;
  const Place& place;
  std::vector<std::size_t>* nulls = nullptr;
};

/// Reads flat or nested data in row-major order: nested exactly as the shape says, or not at all.
/// `raw`: the text of the array, or of a bare value when the shape is []; it lies within `text` or has
/// simdjson's padding behind it.  Numbers become the type's nearest value; integers are exact. A null is NaN in a
/// tensor of floats and, where `tensor.nulls` is there to tell, an empty element in one of BYTES. Errors:
/// kInvalidArgument naming the element, what was found and what was expected.  Thread-safe.
[[nodiscard]] Result<Slice> read_json_tensor(const JsonText& text, simdjson::ondemand::value value,
                                             const JsonTensor& tensor);

/// The same for data that came before its shape and type: `raw` is the value's text inside `text`.
[[nodiscard]] Result<Slice> read_json_tensor(const JsonText& text, std::string_view raw, const JsonTensor& tensor);

}  // namespace protean
