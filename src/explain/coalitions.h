// SPDX-License-Identifier: Apache-2.0
// Which sets of features KernelSHAP tries, and how much each counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace protean {

/// `words`: 64-bit words of one mask; mask i is masks[i * words] and what follows; bit f: feature f is present.
/// `exact`: all sets but the empty and the full one are there.
struct Coalitions {
  std::size_t features = 0;
  std::size_t words = 0;
  std::vector<std::uint64_t> masks;
  std::vector<double> weights;
  bool exact = false;

  [[nodiscard]] std::size_t count() const noexcept { return weights.size(); }
  [[nodiscard]] bool has(std::size_t coalition, std::size_t feature) const noexcept {
    return (masks[coalition * words + feature / 64] >> (feature % 64) & 1) != 0;
  }
};

/// At most about `samples` sets, all of them where they are no more than that: set sizes 1 and features - 1 first, then
/// inwards as long as all sets of a size fit, the rest drawn at random in pairs with their complements.
/// Weights are the Shapley kernel's, (M - 1) / (C(M, s) s (M - s)), and add up to 1.
/// Requires features >= 2.  Same seed, same sets.
/// Source: Lundberg, Lee, "A unified approach to interpreting model predictions", 2017, theorem 2.
[[nodiscard]] Coalitions choose_coalitions(std::size_t features, std::size_t samples, std::uint64_t seed);

}  // namespace protean
