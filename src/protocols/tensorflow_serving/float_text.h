// SPDX-License-Identifier: Apache-2.0
// Floats as TensorFlow Serving prints them: six significant digits if these say which value it is, else nine (a double:
// seventeen); `.0` behind what would look like a whole number; NaN, Infinity, -Infinity.
#pragma once

#include <cstddef>
#include <string>

namespace protean::tfserving {

/// No text is longer; digits are written in whole words, so that there must be room for this much.
inline constexpr std::size_t kFloatTextMax = 48;

/// Writes at most kFloatTextMax bytes to `out` and returns their end.  Thread-safe, as all here.
char* write_float(char* out, float value) noexcept;
char* write_double(char* out, double value) noexcept;

void append_float(std::string& out, float value);
void append_double(std::string& out, double value);

}  // namespace protean::tfserving
