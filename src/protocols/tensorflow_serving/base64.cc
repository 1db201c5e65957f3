// SPDX-License-Identifier: Apache-2.0
// Three bytes are four characters.
#include "protocols/tensorflow_serving/base64.h"

#include <array>
#include <cstdint>

namespace protean::tfserving {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned char kSpace = 64;
constexpr unsigned char kNone = 65;

constexpr std::array<unsigned char, 256> kValues = [] {
  std::array<unsigned char, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<unsigned char>(i);
  }
  for (const char c : {' ', '\t', '\n', '\v', '\f', '\r'}) values[static_cast<unsigned char>(c)] = kSpace;
  return values;
}();

unsigned char value_of(char c) noexcept { return kValues[static_cast<unsigned char>(c)]; }

/// What stands behind the last character: nothing, or as much padding as is missing.
bool is_padding(std::string_view rest, std::size_t missing) noexcept {
  std::size_t found = 0;
  for (const char c : rest) {
    if (value_of(c) == kSpace) continue;
    if (c != '=') return false;
    ++found;
  }
  return found == 0 || found == missing;
}

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const auto at = [&](std::size_t k) {
      return k < left ? std::uint32_t{static_cast<unsigned char>(bytes[i + k])} : 0;
    };
    const std::uint32_t group = (at(0) << 16) | (at(1) << 8) | at(2);
    out += kAlphabet[group >> 18];
    out += kAlphabet[(group >> 12) & 63];
    out += left > 1 ? kAlphabet[(group >> 6) & 63] : '=';
    out += left > 2 ? kAlphabet[group & 63] : '=';
  }
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t group = 0;
  unsigned count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char value = value_of(text[i]);
    if (value == kSpace) continue;
    if (value == kNone) {
      if (!is_padding(text.substr(i), (4 - count) % 4)) return std::nullopt;
      break;
    }
    group = (group << 6) | value;
    if (++count < 4) continue;
    for (const unsigned shift : {16U, 8U, 0U}) out += static_cast<char>(group >> shift);
    group = 0;
    count = 0;
  }
  if (count == 1) return std::nullopt;
  if (count > 1) out += static_cast<char>(group >> (count == 2 ? 4 : 10));
  if (count == 3) out += static_cast<char>(group >> 2);
  return out;
}

}  // namespace protean::tfserving
