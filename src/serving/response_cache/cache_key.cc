// SPDX-License-Identifier: Apache-2.0
// Canonical bytes and a hash made of 128-bit products (the construction of wyhash, by Wang Yi).
#include "serving/response_cache/cache_key.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <span>

namespace protean {
namespace {

__extension__ using Uint128 = unsigned __int128;

struct Seed {
  std::uint64_t a, b;
};

/// Drawn once: which requests share a bucket cannot be computed outside this process.
const Seed& seed() {
  static const Seed kSeed = [] {
    std::random_device random;
    const auto word = [&] { return (std::uint64_t{random()} << 32 | random()) | 1; };
    return Seed{word(), word()};
  }();
  return kSeed;
}

std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  const Uint128 product = Uint128{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_bytes(std::uint64_t state, std::span<const std::byte> bytes) {
  const auto& [a, b] = seed();
  std::array<std::uint64_t, 2> words{};
  const std::size_t size = bytes.size();
  while (bytes.size() >= sizeof(words)) {
    std::memcpy(words.data(), bytes.data(), sizeof(words));
    state = fold(words[0] ^ a, words[1] ^ state);
    bytes = bytes.subspan(sizeof(words));
  }
  words = {};
  if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  state = fold(words[0] ^ a, words[1] ^ state);
  return fold(size ^ b, state ^ a);
}

void append_number(std::string& out, std::uint64_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void append_text(std::string& out, std::string_view text) {
  append_number(out, text.size());
  out += text;
}

/// What only says how the answer is written or when it is wanted.
bool shapes_the_wire(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"binary_data", "binary_data_output", "binary_data_size",
                                                      "timeout", "priority"};
  return std::ranges::find(kNames, name) != kNames.end();
}

struct ParameterWriter {
  std::string& out;
  void operator()(bool value) const { append_number(out, value ? 1 : 0); }
  void operator()(std::int64_t value) const { append_number(out, static_cast<std::uint64_t>(value)); }
  void operator()(std::uint64_t value) const { append_number(out, value); }
  void operator()(double value) const {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    append_number(out, bits);
  }
  void operator()(const std::string& value) const { append_text(out, value); }
};

void append_parameters(std::string& out, const Parameters& parameters) {
  std::vector<const std::pair<std::string, Parameter>*> sorted;
  for (const auto& parameter : parameters) {
    if (!shapes_the_wire(parameter.first)) sorted.push_back(&parameter);
  }
  std::ranges::sort(sorted, {}, [](const auto* parameter) { return std::string_view(parameter->first); });
  append_number(out, sorted.size());
  for (const auto* parameter : sorted) {
    append_text(out, parameter->first);
    append_number(out, parameter->second.index());
    std::visit(ParameterWriter{out}, parameter->second);
  }
}

}  // namespace

std::size_t CacheKey::data_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const auto& slice : data) bytes += slice.size();
  return bytes;
}

bool operator==(const CacheKey& a, const CacheKey& b) noexcept {
  return a.hash == b.hash && a.head == b.head &&
         std::ranges::equal(a.data, b.data, [](const Slice& x, const Slice& y) { return x.text() == y.text(); });
}

CacheKey make_cache_key(const InferRequest& request) {
  std::vector<const InferInput*> inputs;
  for (const auto& input : request.inputs) inputs.push_back(&input);
  std::ranges::stable_sort(inputs, {}, [](const InferInput* input) { return std::string_view(input->name); });

  CacheKey key;
  append_parameters(key.head, request.parameters);
  append_number(key.head, inputs.size());
  for (const InferInput* input : inputs) {
    const Tensor& tensor = input->tensor;
    append_text(key.head, input->name);
    append_number(key.head, static_cast<std::uint64_t>(tensor.type));
    append_number(key.head, tensor.shape.size());
    for (const auto dimension : tensor.shape) append_number(key.head, static_cast<std::uint64_t>(dimension));
    append_number(key.head, tensor.data.size());
    append_parameters(key.head, input->parameters);
    key.data.push_back(tensor.data);
  }
  append_number(key.head, request.outputs.size());
  for (const auto& output : request.outputs) {
    append_text(key.head, output.name);
    append_parameters(key.head, output.parameters);
  }
  key.hash = hash_bytes(seed().b, std::as_bytes(std::span(key.head)));
  for (const auto& slice : key.data) key.hash = hash_bytes(key.hash, slice.bytes);
  return key;
}

CacheKey copy_of(const CacheKey& key) { return {key.head, copy_together(key.data), key.hash}; }

std::vector<Slice> copy_together(const std::vector<Slice>& parts) {
  constexpr auto kAligned = [](std::size_t size) {
    return (size + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  };
  // The parts are in memory together already, so their sum does not overflow.
  std::size_t total = 0;
  for (const auto& part : parts) total += kAligned(part.size());
  Buffer buffer(total);
  std::size_t at = 0;
  for (const auto& part : parts) {
    if (!part.empty()) std::memcpy(buffer.data() + at, part.data(), part.size());
    at += kAligned(part.size());
  }
  const Slice all = std::move(buffer).share();
  std::vector<Slice> copies;
  at = 0;
  for (const auto& part : parts) {
    copies.push_back(all.part(at, part.size()));
    at += kAligned(part.size());
  }
  return copies;
}

}  // namespace protean
