// SPDX-License-Identifier: Apache-2.0
// Whole sizes are enumerated while they fit, the rest is drawn; weights are kept as shares of the kernel.
#include "explain/coalitions.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace protean {
namespace {

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
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// In [0, bound), bound < 2^32; the bias is below bound / 2^32.
  std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>(((next() >> 32) * bound) >> 32); }

 private:
  std::uint64_t state_;
};

/// C(n, k), or infinity-like where it is beyond what anybody enumerates.
double binomial(std::size_t n, std::size_t k) noexcept {
  double result = 1;
  for (std::size_t i = 1; i <= k; ++i) result *= static_cast<double>(n - k + i) / static_cast<double>(i);
  return std::round(result);
}

/// Weight of all sets of `size` and of its complement's size together, before scaling.
double pair_weight(std::size_t features, std::size_t size) noexcept {
  const auto all = static_cast<double>(features);
  const auto s = static_cast<double>(size);
  const double one = (all - 1) / (s * (all - s));
  return 2 * size == features ? one : 2 * one;
}

class Chooser {
 public:
  Chooser(std::size_t features, std::size_t samples, std::uint64_t seed)
      : features_(features), left_(static_cast<double>(samples)), random_(seed) {
    sets_.features = features;
    sets_.words = (features + 63) / 64;
    for (std::size_t size = 1; size <= features / 2; ++size) weight_left_ += pair_weight(features, size);
    total_ = weight_left_;
  }

  Coalitions choose() && {
    std::size_t size = 1;
    for (; size <= features_ / 2; ++size) {
      const double count = binomial(features_, size) * (2 * size == features_ ? 1 : 2);
      if (count > left_) break;
      enumerate(size, pair_weight(features_, size) / total_ / count);
      left_ -= count;
      weight_left_ -= pair_weight(features_, size);
    }
    sets_.exact = size > features_ / 2;
    if (!sets_.exact) sample(size);
    return std::move(sets_);
  }

 private:
  using Mask = std::vector<std::uint64_t>;

  void add(const Mask& mask, double weight) {
    sets_.masks.insert(sets_.masks.end(), mask.begin(), mask.end());
    sets_.weights.push_back(weight);
  }

  [[nodiscard]] Mask complement(const Mask& mask) const {
    Mask other(mask.size());
    for (std::size_t i = 0; i < mask.size(); ++i) other[i] = ~mask[i];
    if (features_ % 64 != 0) other.back() &= (std::uint64_t{1} << (features_ % 64)) - 1;
    return other;
  }

  [[nodiscard]] Mask mask_of(const std::vector<std::size_t>& members, std::size_t count) const {
    Mask mask(sets_.words, 0);
    for (std::size_t i = 0; i < count; ++i) mask[members[i] / 64] |= std::uint64_t{1} << (members[i] % 64);
    return mask;
  }

  /// All sets of one size in lexical order, each with its complement.
  void enumerate(std::size_t size, double weight) {
    std::vector<std::size_t> members(size);
    std::iota(members.begin(), members.end(), std::size_t{0});
    while (true) {
      const Mask mask = mask_of(members, size);
      add(mask, weight);
      if (2 * size != features_) add(complement(mask), weight);
      std::size_t at = size;
      while (at > 0 && members[at - 1] == features_ - size + at - 1) --at;
      if (at == 0) return;
      ++members[at - 1];
      for (std::size_t i = at; i < size; ++i) members[i] = members[i - 1] + 1;
    }
  }

  void sample(std::size_t smallest) {
    std::map<Mask, double> drawn;
    std::vector<std::size_t> order(features_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t pairs = static_cast<std::size_t>(std::max(left_ / 2, 1.0));
    for (std::size_t i = 0; i < pairs; ++i) {
      const std::size_t size = draw_size(smallest);
      for (std::size_t at = 0; at < size; ++at) std::swap(order[at], order[at + random_.below(features_ - at)]);
      const Mask mask = mask_of(order, size);
      drawn[mask] += 1;
      drawn[complement(mask)] += 1;
    }
    const double each = weight_left_ / total_ / (2 * static_cast<double>(pairs));
    for (const auto& [mask, times] : drawn) add(mask, times * each);
  }

  std::size_t draw_size(std::size_t smallest) {
    double at = random_.unit() * weight_left_;
    for (std::size_t size = smallest; size < features_ / 2; ++size) {
      at -= pair_weight(features_, size);
      if (at < 0) return size;
    }
    return features_ / 2;
  }

  const std::size_t features_;
  double left_;
  double weight_left_ = 0;
  double total_ = 0;
  SplitMix64 random_;
  Coalitions sets_;
};

}  // namespace

Coalitions choose_coalitions(std::size_t features, std::size_t samples, std::uint64_t seed) {
  return Chooser(features, samples, seed).choose();
}

}  // namespace protean
