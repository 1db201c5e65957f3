// SPDX-License-Identifier: Apache-2.0
// Strict parsing of traceparent, and request ids at the cost of a few multiplications.
#include "monitoring/trace_context.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace protean {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool is_lower_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool all_zero(std::string_view text) noexcept { return text.find_first_not_of('0') == std::string_view::npos; }

/// xoshiro256++ (Blackman and Vigna, https://prng.di.unimi.it/xoshiro256plusplus.c), seeded by the system.
class Generator {
 public:
  Generator() noexcept {
    if (::getrandom(state_.data(), sizeof state_, 0) == static_cast<ssize_t>(sizeof state_)) return;
    // Without randomness ids only need to differ between threads and starts.
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    state_ = {static_cast<std::uint64_t>(now), std::bit_cast<std::uintptr_t>(this), 0x9E3779B97F4A7C15, 1};
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view value) {
  // version "-" trace-id "-" parent-id "-" trace-flags: 2, 32, 16 and 2 digits.
  constexpr std::size_t kSize = 55;
  if (value.size() < kSize || value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  const auto version = value.substr(0, 2);
  const auto trace = value.substr(3, 32);
  const auto span = value.substr(36, 16);
  const auto flags = value.substr(53, 2);
  if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(span) || !is_lower_hex(flags)) {
    return std::nullopt;
  }
  if (version == "ff" || all_zero(trace) || all_zero(span)) return std::nullopt;
  // Version 00 ends here; later ones may go on after a dash.
  if (value.size() > kSize && (version == "00" || value[kSize] != '-')) return std::nullopt;
  const bool sampled = std::string_view("13579bdf").find(flags[1]) != std::string_view::npos;
  return TraceContext{std::string(trace), std::string(span), sampled};
}

bool is_usable_request_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= kRequestIdSizeMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

std::string make_request_id() {
  static thread_local Generator generator;
  std::string id(32, '0');
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t bits = generator.next();
    for (std::size_t i = 0; i < 16; ++i, bits >>= 4) id[half * 16 + i] = kHex[bits & 15];
  }
  return id;
}

std::string request_id(const HeaderList& headers) {
  const auto sent = headers.find("x-request-id");
  return sent && is_usable_request_id(*sent) ? std::string(*sent) : make_request_id();
}

}  // namespace protean
