// SPDX-License-Identifier: Apache-2.0
// From margins to predictions: the inverse link functions of the libraries, each in the library's own arithmetic.
#pragma once

#include <span>

namespace protean {

/// What a row of margins m becomes. `k`: the factor.
///   kIdentity: m        kSigmoid: 1 / (1 + exp(-k m)), each     kSoftmax: of the row       kExp: exp(m), each
///   kExpInDouble: exp(m), each, computed in double whatever the type (XGBoost's survival:aft)
///   kStep: m > 0        kSoftplus: log(1 + exp(m)), each        kSignedSquare: sign(m) m^2, each
///   kMeanAndVariance: the first of two as it is, exp(2 m) of the second (CatBoost)
///   kArgMax: the number of the first largest, one for the row
enum class Link : unsigned char {
  kIdentity,
  kSigmoid,
  kSoftmax,
  kExp,
  kExpInDouble,
  kStep,
  kSoftplus,
  kSignedSquare,
  kMeanAndVariance,
  kArgMax,
};

/// Applies the link to one row of `margins`. `out`: as many numbers, one for kArgMax; may be `margins` itself.
/// The float version computes every step in float, as XGBoost does (its sigmoid stops at exp(88.7)); the double one as
/// LightGBM does.  Thread-safe.
void apply_link(Link link, double k, std::span<const float> margins, std::span<float> out);
void apply_link(Link link, double k, std::span<const double> margins, std::span<double> out);

}  // namespace protean
