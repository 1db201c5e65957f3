// SPDX-License-Identifier: Apache-2.0
// Values come from SplitMix64 over (seed, input, element), so that they do not depend on a library's generator.
#include "core/generated_input.h"

#include <cstring>
#include <type_traits>

#include "base/checked_math.h"
#include "core/data_type.h"

namespace protean {
namespace {

constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;
constexpr std::size_t kLettersMax = 8;

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// [0, 1) in steps of 2^-11, which FP16 represents without rounding up to 1.
  double unit() noexcept { return static_cast<double>(next() >> 53) / 2048.0; }

 private:
  std::uint64_t state_;
};

template <typename T>
void put(std::byte*& at, T value) noexcept {
  std::memcpy(at, &value, sizeof(value));
  at += sizeof(value);
}

/// A multiple of 2^-11 in [0, 1) as binary16: exact for those of at most 11 significant bits.
std::uint16_t to_half(double value) noexcept {
  if (value == 0) return 0;
  int exponent = 14;
  while (value < 1.0) {
    value *= 2;
    --exponent;
  }
  const auto fraction = static_cast<std::uint16_t>((value - 1.0) * 1024.0);
  return static_cast<std::uint16_t>(((exponent + 1) << 10) | fraction);
}

std::uint16_t to_bfloat(double value) noexcept {
  const auto single = static_cast<float>(value);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &single, sizeof(bits));
  return static_cast<std::uint16_t>(bits >> 16);
}

void put_number(std::byte*& at, DataType type, SplitMix64& random) noexcept {
  switch (type) {
    case DataType::kFp16: return put(at, to_half(random.unit()));
    case DataType::kBf16: return put(at, to_bfloat(random.unit()));
    case DataType::kFp32: return put(at, static_cast<float>(random.unit()));
    case DataType::kFp64: return put(at, random.unit());
    default: break;
  }
  const std::uint64_t bit = random.next() >> 63;  // little-endian: the low byte carries it whatever the width
  std::memset(at, 0, element_size(type));
  *at = static_cast<std::byte>(bit);
  at += element_size(type);
}

Slice generate_strings(std::size_t count, SplitMix64& random) {
  Buffer data;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits = random.next();
    std::string text(1 + bits % kLettersMax, 'a');
    for (char& letter : text) letter = static_cast<char>('a' + (bits = bits / 26 + 7) % 26);
    append_bytes_element(data, text);
  }
  return std::move(data).share();
}

Slice generate_numbers(DataType type, std::size_t bytes, SplitMix64& random) {
  Buffer data(bytes);
  std::byte* at = data.data();
  while (at < data.data() + bytes) put_number(at, type, random);
  return std::move(data).share();
}

Shape concrete_shape(const TensorSpec& spec, const GeneratedShape& wanted) {
  if (spec.any_rank) return {wanted.rows};
  Shape shape = spec.shape;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) shape[i] = i == 0 ? wanted.rows : wanted.free_size;
  }
  return shape;
}

}  // namespace

Result<std::vector<Tensor>> generate_inputs(const Signature& signature, const GeneratedShape& shape) {
  std::vector<Tensor> tensors;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    SplitMix64 random(shape.seed * 1000003 + i);
    Tensor tensor{spec.type, concrete_shape(spec, shape), {}};
    TRY(const std::size_t count, element_count(tensor.shape));
    const std::uint64_t size = spec.type == DataType::kBytes ? 4 + kLettersMax : element_size(spec.type);
    if (count > (kBytesMax - total) / size) {
      return fail(Code::kResourceExhausted, "generated inputs of more than 1 GiB: input '" + spec.name +
                                                "' has shape " + format_shape(tensor.shape));
    }
    total += count * size;
    tensor.data = spec.type == DataType::kBytes ? generate_strings(count, random)
                                                : generate_numbers(spec.type, count * size, random);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace protean
