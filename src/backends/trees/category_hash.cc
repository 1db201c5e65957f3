// SPDX-License-Identifier: Apache-2.0
// One function a range of lengths, as the hash is defined.
#include "backends/trees/category_hash.h"

#include <bit>
#include <cstring>
#include <utility>

namespace protean {
namespace {

using Pair = std::pair<std::uint64_t, std::uint64_t>;

constexpr std::uint64_t kA = 0xc3a5c85c97cb3127ULL;
constexpr std::uint64_t kB = 0xb492b66fbe98f273ULL;
constexpr std::uint64_t kC = 0x9ae16a3b2f90404fULL;
constexpr std::uint64_t kD = 0xc949d7c7509e6557ULL;

template <typename T>
T fetch(const char* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
std::uint64_t fetch64(const char* at) noexcept { return fetch<std::uint64_t>(at); }
std::uint64_t shift_mix(std::uint64_t value) noexcept { return value ^ (value >> 47U); }

std::uint64_t mix(std::uint64_t u, std::uint64_t v) noexcept {
  constexpr std::uint64_t kMultiplier = 0x9ddfea08eb382d69ULL;
  const std::uint64_t a = shift_mix((u ^ v) * kMultiplier);
  return shift_mix((v ^ a) * kMultiplier) * kMultiplier;
}

std::uint64_t up_to_16(const char* s, std::uint64_t size) noexcept {
  if (size > 8) {
    const auto a = fetch64(s);
    const auto b = fetch64(s + size - 8);
    return mix(a, std::rotr(b + size, static_cast<int>(size))) ^ b;
  }
  if (size >= 4) {
    return mix(size + (std::uint64_t{fetch<std::uint32_t>(s)} << 3U), fetch<std::uint32_t>(s + size - 4));
  }
  if (size == 0) return kC;
  const auto at = [s](std::uint64_t i) { return std::uint32_t{static_cast<unsigned char>(s[i])}; };
  const std::uint32_t y = at(0) + (at(size >> 1U) << 8U);
  const std::uint32_t z = static_cast<std::uint32_t>(size) + (at(size - 1) << 2U);
  return shift_mix(y * kC ^ z * kD) * kC;
}

std::uint64_t up_to_32(const char* s, std::uint64_t size) noexcept {
  const auto a = fetch64(s) * kB;
  const auto b = fetch64(s + 8);
  const auto c = fetch64(s + size - 8) * kC;
  const auto d = fetch64(s + size - 16) * kA;
  return mix(std::rotr(a - b, 43) + std::rotr(c, 30) + d, a + std::rotr(b ^ kD, 20) - c + size);
}

/// Half of up_to_64(): sums over 32 bytes.
Pair sums(std::uint64_t a, std::uint64_t z, const char* middle, std::uint64_t last) noexcept {
  auto b = std::rotr(a + z, 52);
  auto c = std::rotr(a, 37);
  a += fetch64(middle);
  c += std::rotr(a, 7);
  a += last;
  return {a + z, b + std::rotr(a, 31) + c};
}

std::uint64_t up_to_64(const char* s, std::uint64_t size) noexcept {
  const auto v = sums(fetch64(s) + (size + fetch64(s + size - 16)) * kA, fetch64(s + 24), s + 8, fetch64(s + 16));
  const auto w =
      sums(fetch64(s + 16) + fetch64(s + size - 32), fetch64(s + size - 8), s + size - 24, fetch64(s + size - 16));
  const auto r = shift_mix((v.first + w.second) * kC + (w.first + v.second) * kA);
  return shift_mix(r * kA + v.second) * kC;
}

Pair weak(const char* s, std::uint64_t a, std::uint64_t b) noexcept {
  const auto w = fetch64(s);
  const auto z = fetch64(s + 24);
  a += w;
  b = std::rotr(b + a + z, 21);
  const auto c = a;
  a += fetch64(s + 8);
  a += fetch64(s + 16);
  b += std::rotr(a, 44);
  return {a + z, b + c};
}

std::uint64_t longer(const char* s, std::uint64_t size) noexcept {
  auto x = fetch64(s);
  auto y = fetch64(s + size - 16) ^ kB;
  auto z = fetch64(s + size - 56) ^ kA;
  auto v = weak(s + size - 64, size, y);
  auto w = weak(s + size - 32, size * kB, kA);
  z += shift_mix(v.second) * kB;
  x = std::rotr(z + x, 39) * kB;
  y = std::rotr(y, 33) * kB;
  for (auto left = (size - 1) & ~std::uint64_t{63}; left != 0; left -= 64, s += 64) {
    x = std::rotr(x + y + v.first + fetch64(s + 16), 37) * kB;
    y = std::rotr(y + v.second + fetch64(s + 48), 42) * kB;
    x ^= w.second;
    y ^= v.first;
    z = std::rotr(z ^ w.first, 33);
    v = weak(s, v.second * kB, x + w.first);
    w = weak(s + 32, z + w.second, y);
    std::swap(z, x);
  }
  return mix(mix(v.first, w.first) + shift_mix(y) * kB + z, mix(v.second, w.second) + x);
}

}  // namespace

std::uint32_t category_hash(std::string_view text) noexcept {
  const auto size = static_cast<std::uint64_t>(text.size());
  const char* s = text.data();
  if (size <= 16) return static_cast<std::uint32_t>(up_to_16(s, size));
  if (size <= 32) return static_cast<std::uint32_t>(up_to_32(s, size));
  if (size <= 64) return static_cast<std::uint32_t>(up_to_64(s, size));
  return static_cast<std::uint32_t>(longer(s, size));
}

}  // namespace protean
