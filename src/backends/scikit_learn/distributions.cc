// SPDX-License-Identifier: Apache-2.0
// Transformers that bring each column nearer to a known distribution: PowerTransformer, QuantileTransformer.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

/// Source: Yeo, Johnson, "A new family of power transformations to improve normality or symmetry", 2000.
double yeo_johnson(double x, double lambda) {
  const double small = std::numeric_limits<double>::epsilon();
  if (x >= 0) return std::abs(lambda) < small ? std::log1p(x) : std::expm1(lambda * std::log1p(x)) / lambda;
  const double other = 2 - lambda;
  return std::abs(other) < small ? -std::log1p(-x) : -std::expm1(other * std::log1p(-x)) / other;
}

double box_cox(double x, double lambda) {
  return std::abs(lambda) < 1e-19 ? std::log(x) : std::expm1(lambda * std::log(x)) / lambda;
}

class Power final : public Estimator {
 public:
  /// `scaler`: what standardizes afterwards; nullptr for none.
  struct Parts {
    std::vector<double> lambdas;
    bool positive_only = false;
    EstimatorPtr scaler;
  };
  Power(EstimatorFacts facts, Parts parts) : Estimator(std::move(facts)), p_(std::move(parts)) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    Frame changed;
    changed.numbers.reset(in.rows(), in.cols());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      for (std::size_t j = 0; j < in.cols(); ++j) {
        const double x = in.numbers.at(i, j);
        if (p_.positive_only && x <= 0) {
          return fail(Code::kInvalidArgument, "PowerTransformer: row " + std::to_string(i) + ", column " +
                                                  std::to_string(j) + " is " + std::to_string(x) +
                                                  ", expected a number above 0 (box-cox)");
        }
        const double y = p_.positive_only ? box_cox(x, p_.lambdas[j]) : yeo_johnson(x, p_.lambdas[j]);
        changed.numbers.at(i, j) = std::isnan(x) ? x : y;
      }
    }
    if (p_.scaler) return p_.scaler->transform(changed, out);
    out = std::move(changed);
    return {};
  }
  const Parts p_;
};

/// The normal distribution's quantile of 0 < p < 1: a rational start, made exact by Halley's method.
/// Source: Acklam, "An algorithm for computing the inverse normal cumulative distribution function", 2003.
double normal_quantile(double p) {
  if (p > 0.5) return -normal_quantile(1 - p);
  constexpr double kA[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                           1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double kB[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
                           -1.328068155288572e+01};
  constexpr double kC[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                           -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double kD[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00};
  double x = 0;
  if (p < 0.02425) {
    const double q = std::sqrt(-2 * std::log(p));
    x = (((((kC[0] * q + kC[1]) * q + kC[2]) * q + kC[3]) * q + kC[4]) * q + kC[5]) /
        ((((kD[0] * q + kD[1]) * q + kD[2]) * q + kD[3]) * q + 1);
  } else {
    const double q = p - 0.5;
    const double r = q * q;
    x = (((((kA[0] * r + kA[1]) * r + kA[2]) * r + kA[3]) * r + kA[4]) * r + kA[5]) * q /
        (((((kB[0] * r + kB[1]) * r + kB[2]) * r + kB[3]) * r + kB[4]) * r + 1);
  }
  for (int round = 0; round < 2; ++round) {
    const double error = 0.5 * std::erfc(-x / std::numbers::sqrt2) - p;
    const double step = error * std::sqrt(2 * std::numbers::pi) * std::exp(x * x / 2);
    x -= step / (1 + x * step / 2);
  }
  return x;
}

class Quantile final : public Estimator {
 public:
  /// `quantiles`: for each column (a row here) the values at `references`, both ascending.
  struct Parts {
    Matrix quantiles;
    std::vector<double> references;
    bool normal = false;
  };
  Quantile(EstimatorFacts facts, Parts parts) : Estimator(std::move(facts)), p_(std::move(parts)) {}

 private:
  static constexpr double kBounds = 1e-7;

  /// The line between the last known value that is not above `x` (or not below, `from_above`) and the next one: where
  /// values repeat, the two directions differ.
  [[nodiscard]] double interpolated(const double* known, double x, bool from_above) const {
    const auto count = p_.references.size();
    const auto& y = p_.references;
    if (x <= known[0] && (from_above || x < known[0])) return y.front();
    if (x >= known[count - 1] && (!from_above || x > known[count - 1])) return y.back();
    const auto at = static_cast<std::size_t>(
        (from_above ? std::lower_bound(known, known + count, x) : std::upper_bound(known, known + count, x)) - known);
    const auto low = at - 1;
    return y[low] + (y[at] - y[low]) / (known[at] - known[low]) * (x - known[low]);
  }
  [[nodiscard]] double mapped(std::size_t col, double x) const {
    const double* known = p_.quantiles.row(col);
    const double first = known[0];
    const double last = known[p_.quantiles.cols - 1];
    double y = 0.5 * (interpolated(known, x, false) + interpolated(known, x, true));
    if (p_.normal ? x + kBounds > last : x == last) y = 1;
    if (p_.normal ? x - kBounds < first : x == first) y = 0;
    if (!p_.normal) return y;
    const double edge = -normal_quantile(kBounds);
    return y <= kBounds ? -edge : y >= 1 - kBounds ? edge : normal_quantile(y);
  }
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    out.numbers.reset(in.rows(), in.cols());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      for (std::size_t j = 0; j < in.cols(); ++j) {
        const double x = in.numbers.at(i, j);
        out.numbers.at(i, j) = std::isnan(x) ? x : mapped(j, x);
      }
    }
    return {};
  }
  const Parts p_;
};

}  // namespace

Result<EstimatorPtr> make_power(const State& state) {
  TRY(auto facts, state.facts());
  facts.outputs = facts.inputs;
  facts.missing = Missing::kNanAllowed;
  Power::Parts parts;
  TRY(parts.lambdas, state.numbers("lambdas_"));
  TRY_STATUS(state.expect(parts.lambdas.size(), facts.inputs, "lambdas_"));
  const auto method = state.text_or("method", "yeo-johnson");
  if (method != "yeo-johnson" && method != "box-cox") return state.not_served("method '" + method + "'");
  parts.positive_only = method == "box-cox";
  if (state.flag_or("standardize", true)) {
    TRY(const auto scaler, state.get("_scaler"));
    TRY(parts.scaler, make_estimator(scaler, state.context()));
    if (parts.scaler->facts().outputs != facts.inputs) return state.refuse("'_scaler' has other columns");
  }
  return std::make_unique<Power>(std::move(facts), std::move(parts));
}

Result<EstimatorPtr> make_quantile(const State& state) {
  TRY(auto facts, state.facts());
  facts.outputs = facts.inputs;
  facts.missing = Missing::kNanAllowed;
  Quantile::Parts parts;
  parts.normal = state.text_or("output_distribution", "uniform") == "normal";
  TRY(parts.references, state.numbers("references_"));
  TRY(const auto quantiles, state.matrix("quantiles_"));
  if (parts.references.empty()) return state.refuse("'references_' is empty");
  TRY_STATUS(state.expect(quantiles, parts.references.size(), facts.inputs, "quantiles_"));
  parts.quantiles.reset(quantiles.cols, quantiles.rows);
  for (std::size_t j = 0; j < quantiles.cols; ++j) {
    for (std::size_t q = 0; q < quantiles.rows; ++q) {
      if (q > 0 && !(quantiles.at(q - 1, j) <= quantiles.at(q, j))) {
        return state.refuse("'quantiles_' are out of order");
      }
      parts.quantiles.at(j, q) = quantiles.at(q, j);
    }
  }
  return std::make_unique<Quantile>(std::move(facts), std::move(parts));
}

}  // namespace protean::sklearn
