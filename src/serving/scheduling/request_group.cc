// SPDX-License-Identifier: Apache-2.0
// A hash to tell most groups apart, and the comparison that is sure.
#include "serving/scheduling/request_group.h"

#include <algorithm>

namespace protean {
namespace {

constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ULL;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
  hash = (hash ^ value) * kPrime;
  return hash ^ (hash >> 29);
}

/// What the dimension counts as among others: itself, its bucket, or nothing when it is padded to the longest.
std::int64_t key_of(const Tensor& tensor, const TensorSpec& spec, std::size_t axis, const BatchConfig& config) {
  const std::int64_t size = tensor.shape[axis];
  if (!config.pad_dims || axis >= spec.shape.size() || spec.shape[axis] >= 0) return size;
  return config.dim_buckets.empty() ? -1 : bucket_size(size, config);
}

}  // namespace

std::int64_t bucket_size(std::int64_t size, const BatchConfig& config) noexcept {
  const auto at = std::lower_bound(config.dim_buckets.begin(), config.dim_buckets.end(), size);
  return at == config.dim_buckets.end() ? size : *at;
}

std::uint64_t group_of(const CheckedRequest& request, const Signature& signature, const BatchConfig& config) noexcept {
  if (request.rows == 0 || request.inputs.empty() || !request.usual_shapes) return 0;
  std::uint64_t hash = kPrime;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const Tensor* tensor = request.inputs[i];
    if (tensor == nullptr) {
      hash = mix(hash, ~std::uint64_t{0});
      continue;
    }
    if (tensor->shape.empty() || static_cast<std::uint64_t>(tensor->shape.front()) != request.rows) return 0;
    hash = mix(hash, tensor->shape.size());
    for (std::size_t axis = 1; axis < tensor->shape.size(); ++axis) {
      hash = mix(hash, static_cast<std::uint64_t>(key_of(*tensor, signature.inputs[i], axis, config)));
    }
  }
  for (const std::size_t output : request.outputs) hash = mix(hash, output);
  return hash == 0 ? 1 : hash;
}

bool same_group(const CheckedRequest& a, const CheckedRequest& b, const Signature& signature,
                const BatchConfig& config) noexcept {
  if (a.outputs != b.outputs || a.inputs.size() != b.inputs.size()) return false;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    const Tensor* left = a.inputs[i];
    const Tensor* right = b.inputs[i];
    if ((left == nullptr) != (right == nullptr)) return false;
    if (left == nullptr) continue;
    if (left->shape.size() != right->shape.size()) return false;
    for (std::size_t axis = 1; axis < left->shape.size(); ++axis) {
      const TensorSpec& spec = signature.inputs[i];
      if (key_of(*left, spec, axis, config) != key_of(*right, spec, axis, config)) return false;
    }
  }
  return true;
}

}  // namespace protean
