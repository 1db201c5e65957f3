// SPDX-License-Identifier: Apache-2.0
// Roots of the Legendre polynomial by Newton's method from Tricomi's estimate.
#include "trees/quadrature.h"

#include <cmath>
#include <numbers>

namespace protean {

Quadrature gauss_legendre(std::size_t n) {
  Quadrature rule;
  rule.points.resize(n);
  rule.weights.resize(n);
  const auto degree = static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (degree + 0.5));
    double slope = 1;
    for (int round = 0; round < 20; ++round) {
      double before = 1;
      double value = x;
      for (std::size_t k = 2; k <= n; ++k) {
        const auto j = static_cast<double>(k);
        const double next = ((2 * j - 1) * x * value - (j - 1) * before) / j;
        before = value;
        value = next;
      }
      slope = degree * (x * value - before) / (x * x - 1);
      const double change = value / slope;
      x -= change;
      if (std::fabs(change) < 1e-16) break;
    }
    rule.points[i] = 0.5 * (1 - x);
    rule.weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return rule;
}

}  // namespace protean
