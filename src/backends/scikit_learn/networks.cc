// SPDX-License-Identifier: Apache-2.0
// Multi-layer perceptrons.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

enum class Activation : unsigned char { kIdentity, kLogistic, kTanh, kRelu, kSoftmax, kExp };

struct Layers {
  std::vector<Matrix> weights;  // [outputs, inputs]
  std::vector<std::vector<double>> intercepts;
  Activation hidden = Activation::kRelu;
  Activation last = Activation::kIdentity;
};

void activate(Activation activation, Matrix& x) {
  if (activation == Activation::kSoftmax) return softmax_rows(x);
  for (auto& value : x.values) {
    switch (activation) {
      case Activation::kLogistic: value = logistic(value); break;
      case Activation::kTanh: value = std::tanh(value); break;
      case Activation::kRelu: value = std::max(value, 0.0); break;
      case Activation::kExp: value = std::exp(value); break;
      case Activation::kIdentity:
      case Activation::kSoftmax: break;
    }
  }
}

class Network final : public Estimator {
 public:
  Network(EstimatorFacts facts, Layers layers) : Estimator(std::move(facts)), layers_(std::move(layers)) {}

 private:
  void forward(const Frame& in, Matrix& out) const {
    Matrix now = in.numbers;
    for (std::size_t l = 0; l < layers_.weights.size(); ++l) {
      multiply(now, layers_.weights[l], layers_.intercepts[l], out);
      activate(l + 1 == layers_.weights.size() ? layers_.last : layers_.hidden, out);
      std::swap(now, out);
    }
    out = std::move(now);
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    if (facts().classifies) return Estimator::do_predict(in, out);
    forward(in, out);
    return {};
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    forward(in, out);
    if (out.cols > 1) return {};
    const Matrix one = std::move(out);
    out.reset(one.rows, 2);
    for (std::size_t i = 0; i < one.rows; ++i) {
      out.at(i, 1) = one.values[i];
      out.at(i, 0) = 1 - one.values[i];
    }
    return {};
  }
  const Layers layers_;
};

Result<Activation> read_activation(const State& state, std::string_view name) {
  const auto text = state.text_or(name, "");
  if (text == "identity") return Activation::kIdentity;
  if (text == "logistic") return Activation::kLogistic;
  if (text == "tanh") return Activation::kTanh;
  if (text == "relu") return Activation::kRelu;
  if (text == "softmax") return Activation::kSoftmax;
  if (text == "exp") return Activation::kExp;
  return state.not_served("activation '" + text + "' is not known");
}

Matrix transposed(const Matrix& m) {
  Matrix out(m.cols, m.rows);
  for (std::size_t i = 0; i < m.rows; ++i) {
    for (std::size_t j = 0; j < m.cols; ++j) out.at(j, i) = m.at(i, j);
  }
  return out;
}

}  // namespace

Result<EstimatorPtr> make_network(const State& state) {
  TRY(auto facts, state.facts());
  Layers layers;
  TRY(const auto weights, state.matrices("coefs_"));
  TRY(const auto intercepts, state.matrices("intercepts_"));
  if (weights.empty() || weights.size() != intercepts.size())
    return state.refuse("'coefs_' and 'intercepts_' disagree");
  std::size_t width = facts.inputs;
  for (std::size_t l = 0; l < weights.size(); ++l) {
    TRY_STATUS(state.expect(weights[l], width, weights[l].cols, "coefs_"));
    width = weights[l].cols;
    TRY_STATUS(state.expect(intercepts[l].values.size(), width, "intercepts_"));
    layers.weights.push_back(transposed(weights[l]));
    layers.intercepts.push_back(intercepts[l].values);
  }
  TRY(layers.hidden, read_activation(state, "activation"));
  TRY(layers.last, read_activation(state, "out_activation_"));
  facts.targets = width;
  facts.flat = width == 1;
  if (state.class_name() == "MLPClassifier") {
    const auto binarizer = state.find("_label_binarizer").state();
    if (binarizer.key("y_type_").text().starts_with("multilabel"))
      return state.not_served("several labels at once are not served natively");
    TRY(facts.labels, state.labels("classes_"));
    const auto classes = facts.labels.size();
    TRY_STATUS(state.expect(width, classes == 2 ? 1 : classes, "coefs_"));
    facts.classifies = true;
    facts.targets = 1;
    facts.flat = true;
    facts.probability_columns = classes;
    facts.rule = PredictRule::kLargestProbability;
  }
  return std::make_unique<Network>(std::move(facts), std::move(layers));
}

}  // namespace protean::sklearn
