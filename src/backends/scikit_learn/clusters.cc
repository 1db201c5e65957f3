// SPDX-License-Identifier: Apache-2.0
// k-means: the nearest centre, and the distances to all.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

class Clusters final : public Estimator {
 public:
  Clusters(EstimatorFacts facts, Matrix centres) : Estimator(std::move(facts)), centres_(std::move(centres)) {}

 private:
  void distances(const Matrix& in, Matrix& out) const {
    out.reset(in.rows, centres_.rows);
    for (std::size_t i = 0; i < in.rows; ++i) {
      for (std::size_t k = 0; k < centres_.rows; ++k) {
        double sum = 0;
        for (std::size_t j = 0; j < in.cols; ++j) {
          const double d = in.at(i, j) - centres_.at(k, j);
          sum += d * d;
        }
        out.at(i, k) = std::sqrt(sum);
      }
    }
  }
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    distances(in.numbers, out.numbers);
    return {};
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    Matrix all;
    distances(in.numbers, all);
    out.reset(in.rows(), 1);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      out.values[i] = static_cast<double>(std::min_element(all.row(i), all.row(i) + all.cols) - all.row(i));
    }
    return {};
  }
  const Matrix centres_;
};

}  // namespace

Result<EstimatorPtr> make_clusters(const State& state) {
  TRY(auto centres, state.matrix("cluster_centers_"));
  TRY(auto facts, state.facts(centres.cols));
  TRY_STATUS(state.expect(centres, centres.rows, facts.inputs, "cluster_centers_"));
  if (centres.rows == 0) return state.refuse("no cluster");
  facts.outputs = centres.rows;
  facts.targets = 1;
  facts.whole_numbers = true;
  return std::make_unique<Clusters>(std::move(facts), std::move(centres));
}

}  // namespace protean::sklearn
