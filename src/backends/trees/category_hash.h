// SPDX-License-Identifier: Apache-2.0
// The number that CatBoost knows a category by.
#pragma once

#include <cstdint>
#include <string_view>

namespace protean {

/// The low half of the 64-bit CityHash (its first published version) of the category's text.  Source: the City family
/// of hash functions, G. Pike and J. Alakuijala, 2011.
[[nodiscard]] std::uint32_t category_hash(std::string_view text) noexcept;

}  // namespace protean
