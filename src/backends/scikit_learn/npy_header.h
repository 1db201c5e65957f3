// SPDX-License-Identifier: Apache-2.0
// The header of a .npy file: a Python dict literal of three known keys, and the bytes of the array behind it.
#pragma once

#include <string_view>
#include <vector>

#include "backends/scikit_learn/numpy_array.h"
#include "base/result.h"

namespace protean::sklearn {

struct NpyFile {
  ElementType type;
  std::vector<std::size_t> shape;
  bool fortran = false;
  std::string_view data;
};

/// `data` of the result is all that follows the header.
/// Errors: kInvalidArgument for what is no .npy file, or one of Python objects.
/// Source: NumPy Enhancement Proposal 1, versions 1.0 to 3.0 of the format.
[[nodiscard]] Result<NpyFile> read_npy_header(std::string_view bytes);

}  // namespace protean::sklearn
