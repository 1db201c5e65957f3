// SPDX-License-Identifier: Apache-2.0
// The last feature is what the others leave of the sum, which makes the constraint exact; the normal equations of the
// rest are solved by Cholesky.
#include "explain/least_squares.h"

#include <algorithm>
#include <cmath>

namespace protean {
namespace {

/// In place, lower triangle; a direction that no set tells apart gets no weight.
void factor(std::vector<double>& a, std::size_t n) {
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, a[i * n + i]);
  const double least = std::max(largest, 1e-300) * 1e-13;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? std::sqrt(std::max(sum, least)) : sum / a[j * n + j];
    }
  }
}

void solve(const std::vector<double>& lower, std::size_t n, std::span<double> x) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) x[i] -= lower[i * n + k] * x[k];
    x[i] /= lower[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) x[i] -= lower[k * n + i] * x[k];
    x[i] /= lower[i * n + i];
  }
}

}  // namespace

Result<std::vector<double>> fit_contributions(const Coalitions& sets, std::span<const double> values,
                                              std::span<const double> sums, const std::stop_token& cancel) {
  const std::size_t n = sets.features - 1;
  const std::size_t outputs = sums.size();
  std::vector<double> normal(n * n, 0);
  std::vector<double> right(outputs * n, 0);
  std::vector<double> row(n);
  for (std::size_t c = 0; c < sets.count(); ++c) {
    if (c % 256 == 0 && cancel.stop_requested()) return fail(Code::kCancelled, "nobody waits for the explanation");
    const double last = sets.has(c, n) ? 1 : 0;
    for (std::size_t i = 0; i < n; ++i) row[i] = (sets.has(c, i) ? 1 : 0) - last;
    const double weight = sets.weights[c];
    for (std::size_t i = 0; i < n; ++i) {
      if (row[i] == 0) continue;
      const double scaled = weight * row[i];
      for (std::size_t j = 0; j <= i; ++j) normal[i * n + j] += scaled * row[j];
      for (std::size_t o = 0; o < outputs; ++o) {
        right[o * n + i] += scaled * (values[c * outputs + o] - last * sums[o]);
      }
    }
  }
  factor(normal, n);
  std::vector<double> contributions(sets.features * outputs);
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::span<double> x(right.data() + o * n, n);
    solve(normal, n, x);
    double rest = sums[o];
    for (std::size_t i = 0; i < n; ++i) {
      contributions[i * outputs + o] = x[i];
      rest -= x[i];
    }
    contributions[n * outputs + o] = rest;
  }
  return contributions;
}

}  // namespace protean
