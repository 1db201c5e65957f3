// SPDX-License-Identifier: Apache-2.0
// Gauss-Legendre quadrature on [0, 1].
#pragma once

#include <cstddef>
#include <vector>

namespace protean {

/// Integrates polynomials of degree 2 n - 1 exactly: the sum of weights[i] * f(points[i]).
struct Quadrature {
  std::vector<double> points;
  std::vector<double> weights;
};

/// Source: Press et al., Numerical Recipes 4.6.1 (Newton's method on Legendre polynomials).  Requires n >= 1.
[[nodiscard]] Quadrature gauss_legendre(std::size_t n);

}  // namespace protean
