// SPDX-License-Identifier: Apache-2.0
// Overflow-safe arithmetic for every size that comes from outside. nullopt means "does not fit".
#pragma once

#include <concepts>
#include <optional>

namespace protean {

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) noexcept {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) noexcept {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

}  // namespace protean
