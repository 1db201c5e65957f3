// SPDX-License-Identifier: Apache-2.0
// The formulas are written out in the order of operations that the libraries have, because the last bits depend on it.
#include "trees/transform.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace protean {
namespace {

float sigmoid(float m, double k) noexcept {
  constexpr float kEpsilon = 1e-16F;
  const float scaled = k == 1 ? m : m * static_cast<float>(k);
  return 1.0F / (std::exp(std::min(-scaled, 88.7F)) + 1.0F + kEpsilon);
}

double sigmoid(double m, double k) noexcept { return 1.0 / (1.0 + std::exp(-k * m)); }

template <typename T>
void softmax(std::span<const T> margins, std::span<T> out) noexcept {
  const T largest = *std::max_element(margins.begin(), margins.end());
  double sum = 0;
  for (std::size_t i = 0; i < margins.size(); ++i) {
    out[i] = std::exp(margins[i] - largest);
    sum += static_cast<double>(out[i]);
  }
  for (auto& value : out) value /= static_cast<T>(sum);
}

template <typename T>
T apply_one(Link link, double k, T m) noexcept {
  switch (link) {
    case Link::kSigmoid: return sigmoid(m, k);
    case Link::kExp: return std::exp(m);
    case Link::kExpInDouble: return static_cast<T>(std::exp(static_cast<double>(m)));
    case Link::kStep: return m > T{0} ? T{1} : T{0};
    case Link::kSoftplus: return std::log1p(std::exp(m));
    case Link::kSignedSquare: return std::copysign(m * m, m);
    default: return m;
  }
}

template <typename T>
void apply(Link link, double k, std::span<const T> margins, std::span<T> out) {
  if (link == Link::kArgMax) {
    PROTEAN_CHECK(out.size() == 1 && !margins.empty());
    out[0] = static_cast<T>(std::max_element(margins.begin(), margins.end()) - margins.begin());
    return;
  }
  PROTEAN_CHECK(out.size() == margins.size());
  if (link == Link::kSoftmax) return softmax(margins, out);
  if (link == Link::kMeanAndVariance && margins.size() == 2) {
    out[0] = margins[0];
    out[1] = std::exp(T{2} * margins[1]);
    return;
  }
  for (std::size_t i = 0; i < margins.size(); ++i) out[i] = apply_one(link, k, margins[i]);
}

}  // namespace

void apply_link(Link link, double k, std::span<const float> margins, std::span<float> out) {
  apply(link, k, margins, out);
}

void apply_link(Link link, double k, std::span<const double> margins, std::span<double> out) {
  apply(link, k, margins, out);
}

}  // namespace protean
