// SPDX-License-Identifier: Apache-2.0
// Transformers that make new features of the given ones: products, bins, projections.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

class Polynomial final : public Estimator {
 public:
  /// `terms`: for each output the inputs that are multiplied; none for the constant 1.
  Polynomial(EstimatorFacts facts, std::vector<std::vector<std::uint32_t>> terms)
      : Estimator(std::move(facts)), terms_(std::move(terms)) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.numbers.reset(in.rows(), terms_.size());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      const double* x = in.numbers.row(i);
      for (std::size_t k = 0; k < terms_.size(); ++k) {
        double product = 1;
        for (const auto j : terms_[k]) product *= x[j];
        out.numbers.at(i, k) = product;
      }
    }
    return {};
  }
  const std::vector<std::vector<std::uint32_t>> terms_;
};

/// The next combination in the order of itertools: with repetition unless `distinct`. False after the last.
bool next_combination(std::vector<std::uint32_t>& term, std::uint32_t inputs, bool distinct) {
  const auto size = static_cast<std::uint32_t>(term.size());
  for (std::uint32_t at = size; at-- > 0;) {
    const auto limit = distinct ? inputs - (size - at) : inputs - 1;
    if (term[at] >= limit) continue;
    ++term[at];
    for (std::uint32_t next = at + 1; next < size; ++next) term[next] = distinct ? term[next - 1] + 1 : term[at];
    return true;
  }
  return false;
}

class Bins final : public Estimator {
 public:
  Bins(EstimatorFacts facts, std::vector<std::vector<double>> inner_edges, bool one_hot)
      : Estimator(std::move(facts)), inner_edges_(std::move(inner_edges)), one_hot_(one_hot) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.numbers.reset(in.rows(), facts().outputs);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      std::size_t first = 0;
      for (std::size_t j = 0; j < in.cols(); ++j) {
        const auto& edges = inner_edges_[j];
        const auto bin =
            static_cast<std::size_t>(std::upper_bound(edges.begin(), edges.end(), in.numbers.at(i, j)) - edges.begin());
        if (one_hot_) {
          out.numbers.at(i, first + bin) = 1;
        } else {
          out.numbers.at(i, j) = static_cast<double>(bin);
        }
        first += edges.size() + 1;
      }
    }
    return {};
  }
  const std::vector<std::vector<double>> inner_edges_;
  const bool one_hot_;
};

/// (x - mean) * components^T, each divided by its scale: PCA and TruncatedSVD.
class Projection final : public Estimator {
 public:
  Projection(EstimatorFacts facts, std::vector<double> mean, Matrix components, std::vector<double> scale)
      : Estimator(std::move(facts)),
        mean_(std::move(mean)),
        components_(std::move(components)),
        scale_(std::move(scale)) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    if (mean_.empty()) {
      multiply(in.numbers, components_, {}, out.numbers);
    } else {
      Matrix centred = in.numbers;
      for (std::size_t i = 0; i < centred.rows; ++i) {
        for (std::size_t j = 0; j < centred.cols; ++j) centred.at(i, j) -= mean_[j];
      }
      multiply(centred, components_, {}, out.numbers);
    }
    for (std::size_t i = 0; i < out.rows() && !scale_.empty(); ++i) {
      for (std::size_t k = 0; k < out.cols(); ++k) out.numbers.at(i, k) /= scale_[k];
    }
    return {};
  }
  const std::vector<double> mean_;
  const Matrix components_;
  const std::vector<double> scale_;
};

Status read_degrees(const State& state, std::int64_t& low, std::int64_t& high) {
  const auto degree = state.find("degree");
  if (degree.is_sequence()) {
    low = read_integer(degree.item(0)).value_or(-1);
    high = read_integer(degree.item(1)).value_or(-1);
  } else {
    low = 0;
    high = read_integer(degree).value_or(-1);
  }
  if (low < 0 || high < low || high > 32)
    return state.refuse("'degree' is " + degree.describe() + ", expected 0 to 32");
  return {};
}

}  // namespace

Result<EstimatorPtr> make_polynomial(const State& state) {
  TRY(auto facts, state.facts());
  std::int64_t low = 0;
  std::int64_t high = 0;
  TRY_STATUS(read_degrees(state, low, high));
  const bool distinct = state.flag_or("interaction_only", false);
  const auto inputs = static_cast<std::uint32_t>(facts.inputs);
  std::vector<std::vector<std::uint32_t>> terms;
  if (state.flag_or("include_bias", true)) terms.emplace_back();
  for (auto degree = static_cast<std::size_t>(std::max<std::int64_t>(low, 1)); degree <= static_cast<std::size_t>(high);
       ++degree) {
    if (inputs == 0 || (distinct && degree > inputs)) break;
    std::vector<std::uint32_t> term(degree, 0);
    for (std::uint32_t i = 0; distinct && i < degree; ++i) term[i] = i;
    do {
      TRY_STATUS(state.context().charge(degree));
      terms.push_back(term);
    } while (next_combination(term, inputs, distinct));
  }
  const auto expected =
      state.has("n_output_features_") ? state.integer("n_output_features_") : state.integer("_n_out_full");
  if (expected && *expected >= 0)
    TRY_STATUS(state.expect(terms.size(), static_cast<std::size_t>(*expected), "n_output_features_"));
  facts.outputs = terms.size();
  return std::make_unique<Polynomial>(std::move(facts), std::move(terms));
}

Result<EstimatorPtr> make_bins(const State& state) {
  TRY(auto facts, state.facts());
  TRY(const auto edges_value, state.get("bin_edges_"));
  TRY(const auto array, read_array(edges_value));
  TRY_STATUS(state.expect(array.count, facts.inputs, "bin_edges_"));
  if (array.type.kind != 'O') return state.refuse("'bin_edges_' is no array of arrays");
  const bool one_hot = state.text_or("encode", "onehot") != "ordinal";
  std::vector<std::vector<double>> inner;
  for (std::size_t j = 0; j < array.count; ++j) {
    TRY(auto edges, read_numbers(array.objects.item(j), state.context()));
    if (edges.size() < 2) return state.refuse("'bin_edges_' has fewer than two edges");
    if (!std::is_sorted(edges.begin(), edges.end())) return state.refuse("'bin_edges_' are out of order");
    edges.erase(edges.begin());
    edges.pop_back();
    facts.outputs += one_hot ? edges.size() + 1 : 1;
    inner.push_back(std::move(edges));
  }
  return std::make_unique<Bins>(std::move(facts), std::move(inner), one_hot);
}

Result<EstimatorPtr> make_decomposition(const State& state) {
  TRY(auto components, state.matrix("components_"));
  TRY(auto facts, state.facts(components.cols));
  TRY_STATUS(state.expect(components, components.rows, facts.inputs, "components_"));
  facts.outputs = components.rows;
  std::vector<double> mean;
  if (state.has("mean_")) {
    TRY(mean, state.numbers("mean_"));
    TRY_STATUS(state.expect(mean.size(), facts.inputs, "mean_"));
  }
  std::vector<double> scale;
  if (state.flag_or("whiten", false)) {
    TRY(scale, state.numbers("explained_variance_"));
    TRY_STATUS(state.expect(scale.size(), components.rows, "explained_variance_"));
    for (auto& s : scale) s = std::max(std::sqrt(s), std::numeric_limits<double>::epsilon());
  }
  return std::make_unique<Projection>(std::move(facts), std::move(mean), std::move(components), std::move(scale));
}

}  // namespace protean::sklearn
