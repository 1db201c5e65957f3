// SPDX-License-Identifier: Apache-2.0
// k nearest neighbours by comparing with every training row.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

enum class Metric : unsigned char { kEuclidean, kManhattan, kChebyshev, kMinkowski, kCosine };

struct Training {
  Matrix rows;
  Matrix targets;  // a class number, or the values
  std::size_t neighbours = 5;
  Metric metric = Metric::kEuclidean;
  double power = 2;
  bool by_distance = false;
};

struct Near {
  double distance;
  std::size_t row;
  bool operator<(const Near& other) const {
    return distance < other.distance || (distance == other.distance && row < other.row);
  }
};

class Neighbours final : public Estimator {
 public:
  Neighbours(EstimatorFacts facts, Training training) : Estimator(std::move(facts)), t_(std::move(training)) {}

 private:
  [[nodiscard]] double distance(const double* x, const double* y) const;
  /// The nearest rows and their weights.
  void find(const double* x, std::vector<Near>& near, std::vector<double>& weights) const;

  Status do_predict(const Frame& in, Matrix& out) const override;
  Status do_probabilities(const Frame& in, Matrix& out) const override;
  const Training t_;
};

double Neighbours::distance(const double* x, const double* y) const {
  double sum = 0;
  double xx = 0;
  double yy = 0;
  for (std::size_t j = 0; j < t_.rows.cols; ++j) {
    const double d = std::abs(x[j] - y[j]);
    switch (t_.metric) {
      case Metric::kEuclidean: sum += d * d; break;
      case Metric::kManhattan: sum += d; break;
      case Metric::kChebyshev: sum = std::max(sum, d); break;
      case Metric::kMinkowski: sum += std::pow(d, t_.power); break;
      case Metric::kCosine:
        sum += x[j] * y[j];
        xx += x[j] * x[j];
        yy += y[j] * y[j];
        break;
    }
  }
  if (t_.metric == Metric::kEuclidean) return std::sqrt(sum);
  if (t_.metric == Metric::kMinkowski) return std::pow(sum, 1 / t_.power);
  if (t_.metric != Metric::kCosine) return sum;
  const double length = (xx == 0 ? 1 : std::sqrt(xx)) * (yy == 0 ? 1 : std::sqrt(yy));
  return std::clamp(1 - sum / length, 0.0, 2.0);
}

void Neighbours::find(const double* x, std::vector<Near>& near, std::vector<double>& weights) const {
  near.clear();
  for (std::size_t r = 0; r < t_.rows.rows; ++r) near.push_back({distance(x, t_.rows.row(r)), r});
  const auto last = near.begin() + static_cast<std::ptrdiff_t>(t_.neighbours);
  std::partial_sort(near.begin(), last, near.end());
  near.erase(last, near.end());
  weights.assign(near.size(), 1);
  if (!t_.by_distance) return;
  // A row at distance zero leaves no say to others.
  const bool exact = near.front().distance == 0;
  for (std::size_t n = 0; n < near.size(); ++n) {
    weights[n] = exact ? (near[n].distance == 0 ? 1 : 0) : 1 / near[n].distance;
  }
}

Status Neighbours::do_predict(const Frame& in, Matrix& out) const {
  if (facts().classifies) return Estimator::do_predict(in, out);
  out.reset(in.rows(), t_.targets.cols);
  std::vector<Near> near;
  std::vector<double> weights;
  for (std::size_t i = 0; i < in.rows(); ++i) {
    find(in.numbers.row(i), near, weights);
    double sum = 0;
    for (std::size_t n = 0; n < near.size(); ++n) {
      sum += weights[n];
      for (std::size_t k = 0; k < out.cols; ++k) out.at(i, k) += weights[n] * t_.targets.at(near[n].row, k);
    }
    for (std::size_t k = 0; k < out.cols; ++k) out.at(i, k) /= sum;
  }
  return {};
}

Status Neighbours::do_probabilities(const Frame& in, Matrix& out) const {
  out.reset(in.rows(), facts().labels.size());
  std::vector<Near> near;
  std::vector<double> weights;
  for (std::size_t i = 0; i < in.rows(); ++i) {
    find(in.numbers.row(i), near, weights);
    double sum = 0;
    for (std::size_t n = 0; n < near.size(); ++n) {
      sum += weights[n];
      out.at(i, static_cast<std::size_t>(t_.targets.values[near[n].row])) += weights[n];
    }
    for (std::size_t k = 0; k < out.cols; ++k) out.at(i, k) /= sum == 0 ? 1 : sum;
  }
  return {};
}

Status read_metric(const State& state, Training& t) {
  const auto name = state.text_or("effective_metric_", "a function");
  const auto parameters = state.find("effective_metric_params_");
  t.power = read_number(parameters.key("p")).value_or(state.number_or("p", 2));
  if (!parameters.key("w").is_none()) return state.not_served("weights of the metric are not served natively");
  if (name == "euclidean" || name == "l2") {
    t.metric = Metric::kEuclidean;
  } else if (name == "manhattan" || name == "cityblock" || name == "l1") {
    t.metric = Metric::kManhattan;
  } else if (name == "chebyshev") {
    t.metric = Metric::kChebyshev;
  } else if (name == "minkowski") {
    t.metric = Metric::kMinkowski;
  } else if (name == "cosine") {
    t.metric = Metric::kCosine;
  } else {
    return state.not_served("metric '" + name + "' is not served natively");
  }
  return {};
}

}  // namespace

Result<EstimatorPtr> make_neighbours(const State& state) {
  Training t;
  TRY(t.rows, state.matrix("_fit_X"));
  TRY(auto facts, state.facts(t.rows.cols));
  TRY_STATUS(state.expect(t.rows, t.rows.rows, facts.inputs, "_fit_X"));
  TRY_STATUS(read_metric(state, t));
  TRY(const auto neighbours, state.integer("n_neighbors"));
  if (neighbours < 1 || static_cast<std::uint64_t>(neighbours) > t.rows.rows)
    return state.refuse("'n_neighbors' is out of range");
  t.neighbours = static_cast<std::size_t>(neighbours);
  const auto weights = state.text_or("weights", state.has("weights") ? "a function" : "uniform");
  if (weights != "uniform" && weights != "distance")
    return state.not_served("weights by " + weights + " are not served natively");
  t.by_distance = weights == "distance";
  TRY(t.targets, state.matrix("_y"));
  TRY(const auto y_value, state.get("_y"));
  const auto y = is_array(y_value) ? read_array(y_value) : Result<ArrayView>(ArrayView{});
  const bool flat = !y || y->shape.size() < 2;
  if (flat) std::swap(t.targets.rows, t.targets.cols);
  TRY_STATUS(state.expect(t.targets, t.rows.rows, t.targets.cols, "_y"));
  facts.targets = t.targets.cols;
  facts.flat = flat;
  if (state.class_name() == "KNeighborsClassifier") {
    TRY(facts.labels, state.labels("classes_"));
    facts.classifies = true;
    facts.targets = 1;
    facts.flat = true;
    facts.probability_columns = facts.labels.size();
    facts.rule = PredictRule::kLargestProbability;
    for (const double c : t.targets.values) {
      if (!(c >= 0 && c < static_cast<double>(facts.labels.size())))
        return state.refuse("'_y' has a class out of range");
    }
    TRY_STATUS(state.expect(t.targets.values.size(), t.rows.rows, "_y"));
  }
  return std::make_unique<Neighbours>(std::move(facts), std::move(t));
}

}  // namespace protean::sklearn
