// SPDX-License-Identifier: Apache-2.0
// Support vector machines with kernels, as libsvm computes them: one decision for each pair of classes, votes, and
// probabilities coupled from the pairs.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

enum class Kernel : unsigned char { kLinear, kPoly, kRbf, kSigmoid };

/// `first`: where the support vectors of each class begin, one more than there are classes.
struct Machine {
  Kernel kernel = Kernel::kRbf;
  double gamma = 0;
  double coef0 = 0;
  double degree = 3;
  Matrix vectors;
  Matrix dual;
  std::vector<double> intercepts;
  std::vector<std::size_t> first;
  std::vector<double> prob_a;
  std::vector<double> prob_b;
  bool one_against_rest = true;
  bool breaks_ties = false;

  [[nodiscard]] double kernel_of(const double* x, const double* v) const {
    double sum = 0;
    if (kernel == Kernel::kRbf) {
      for (std::size_t j = 0; j < vectors.cols; ++j) sum += (x[j] - v[j]) * (x[j] - v[j]);
      return std::exp(-gamma * sum);
    }
    for (std::size_t j = 0; j < vectors.cols; ++j) sum += x[j] * v[j];
    if (kernel == Kernel::kPoly) return std::pow(gamma * sum + coef0, degree);
    return kernel == Kernel::kSigmoid ? std::tanh(gamma * sum + coef0) : sum;
  }
  [[nodiscard]] std::vector<double> kernels(const double* x) const {
    std::vector<double> all(vectors.rows);
    for (std::size_t i = 0; i < vectors.rows; ++i) all[i] = kernel_of(x, vectors.row(i));
    return all;
  }
};

class KernelRegressor final : public Estimator {
 public:
  /// `outliers`: predictions are -1 and 1 by the sign (OneClassSVM).
  KernelRegressor(EstimatorFacts facts, Machine machine, bool outliers)
      : Estimator(std::move(facts)), m_(std::move(machine)), outliers_(outliers) {}

 private:
  Status do_decision(const Frame& in, Matrix& out) const override {
    out.reset(in.rows(), 1);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      const auto k = m_.kernels(in.numbers.row(i));
      double sum = m_.intercepts[0];
      for (std::size_t s = 0; s < k.size(); ++s) sum += m_.dual.values[s] * k[s];
      out.values[i] = sum;
    }
    return {};
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    TRY_STATUS(do_decision(in, out));
    for (auto& value : out.values) value = outliers_ ? (value > 0 ? 1 : -1) : value;
    return {};
  }
  const Machine m_;
  const bool outliers_;
};

class KernelClassifier final : public Estimator {
 public:
  KernelClassifier(EstimatorFacts facts, Machine machine) : Estimator(std::move(facts)), m_(std::move(machine)) {}

 private:
  /// libsvm's decision of each pair (i, j), i < j, of one row: above zero for i.
  [[nodiscard]] std::vector<double> pairs(const double* x) const;
  [[nodiscard]] std::vector<double> rest_scores(const std::vector<double>& pair) const;
  [[nodiscard]] std::size_t vote(const std::vector<double>& pair) const;
  [[nodiscard]] std::size_t classes() const { return m_.first.size() - 1; }
  void couple(const std::vector<double>& pair, double* out) const;

  Status do_decision(const Frame& in, Matrix& out) const override;
  Status do_predict(const Frame& in, Matrix& out) const override;
  Status do_probabilities(const Frame& in, Matrix& out) const override;
  const Machine m_;
};

std::vector<double> KernelClassifier::pairs(const double* x) const {
  const auto k = m_.kernels(x);
  std::vector<double> all;
  for (std::size_t i = 0; i < classes(); ++i) {
    for (std::size_t j = i + 1; j < classes(); ++j) {
      double sum = 0;
      for (auto s = m_.first[i]; s < m_.first[i + 1]; ++s) sum += m_.dual.at(j - 1, s) * k[s];
      for (auto s = m_.first[j]; s < m_.first[j + 1]; ++s) sum += m_.dual.at(i, s) * k[s];
      all.push_back(sum + m_.intercepts[all.size()]);
    }
  }
  return all;
}

/// Votes, with the sums of decisions to break ties.  Source: sklearn.utils.multiclass._ovr_decision_function.
std::vector<double> KernelClassifier::rest_scores(const std::vector<double>& pair) const {
  std::vector<double> votes(classes(), 0);
  std::vector<double> sums(classes(), 0);
  std::size_t p = 0;
  for (std::size_t i = 0; i < classes(); ++i) {
    for (std::size_t j = i + 1; j < classes(); ++j, ++p) {
      sums[i] += pair[p];
      sums[j] -= pair[p];
      votes[pair[p] < 0 ? j : i] += 1;
    }
  }
  for (std::size_t c = 0; c < votes.size(); ++c) votes[c] += sums[c] / (3 * (std::abs(sums[c]) + 1));
  return votes;
}

std::size_t KernelClassifier::vote(const std::vector<double>& pair) const {
  std::vector<unsigned> votes(classes(), 0);
  std::size_t p = 0;
  for (std::size_t i = 0; i < classes(); ++i) {
    for (std::size_t j = i + 1; j < classes(); ++j, ++p) ++votes[pair[p] > 0 ? i : j];
  }
  return static_cast<std::size_t>(std::max_element(votes.begin(), votes.end()) - votes.begin());
}

Status KernelClassifier::do_decision(const Frame& in, Matrix& out) const {
  out.reset(in.rows(), facts().decision_columns);
  for (std::size_t i = 0; i < in.rows(); ++i) {
    auto pair = pairs(in.numbers.row(i));
    if (classes() == 2) {
      pair[0] = -pair[0];
    } else if (m_.one_against_rest) {
      pair = rest_scores(pair);
    }
    std::copy(pair.begin(), pair.end(), out.row(i));
  }
  return {};
}

Status KernelClassifier::do_predict(const Frame& in, Matrix& out) const {
  out.reset(in.rows(), 1);
  for (std::size_t i = 0; i < in.rows(); ++i) {
    const auto pair = pairs(in.numbers.row(i));
    if (m_.breaks_ties && m_.one_against_rest && classes() > 2) {
      const auto scores = rest_scores(pair);
      out.values[i] = static_cast<double>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    } else {
      out.values[i] = static_cast<double>(vote(pair));
    }
  }
  return {};
}

/// Pairwise probabilities to one for each class.
/// Source: Wu, Lin, Weng, "Probability Estimates for Multi-class Classification by Pairwise Coupling", 2004, method 2,
/// with the stopping rule of libsvm.
void KernelClassifier::couple(const std::vector<double>& pair, double* out) const {
  const auto n = classes();
  Matrix r(n, n);
  std::size_t p = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j, ++p) {
      r.at(i, j) = std::clamp(logistic(-(pair[p] * m_.prob_a[p] + m_.prob_b[p])), 1e-7, 1 - 1e-7);
      r.at(j, i) = 1 - r.at(i, j);
    }
  }
  Matrix q(n, n);
  for (std::size_t t = 0; t < n; ++t) {
    for (std::size_t j = 0; j < n; ++j) {
      if (j == t) continue;
      q.at(t, t) += r.at(j, t) * r.at(j, t);
      q.at(t, j) = -r.at(j, t) * r.at(t, j);
    }
  }
  std::fill(out, out + n, 1.0 / static_cast<double>(n));
  std::vector<double> qp(n);
  const double eps = 0.005 / static_cast<double>(n);
  for (std::size_t round = 0; round < std::max<std::size_t>(100, n); ++round) {
    double pqp = 0;
    for (std::size_t t = 0; t < n; ++t) {
      qp[t] = 0;
      for (std::size_t j = 0; j < n; ++j) qp[t] += q.at(t, j) * out[j];
      pqp += out[t] * qp[t];
    }
    double worst = 0;
    for (std::size_t t = 0; t < n; ++t) worst = std::max(worst, std::abs(qp[t] - pqp));
    if (worst < eps) break;
    for (std::size_t t = 0; t < n; ++t) {
      const double step = (-qp[t] + pqp) / q.at(t, t);
      out[t] += step;
      pqp = (pqp + step * (step * q.at(t, t) + 2 * qp[t])) / (1 + step) / (1 + step);
      for (std::size_t j = 0; j < n; ++j) {
        qp[j] = (qp[j] + step * q.at(t, j)) / (1 + step);
        out[j] /= 1 + step;
      }
    }
  }
}

Status KernelClassifier::do_probabilities(const Frame& in, Matrix& out) const {
  out.reset(in.rows(), classes());
  for (std::size_t i = 0; i < in.rows(); ++i) couple(pairs(in.numbers.row(i)), out.row(i));
  return {};
}

Result<Machine> read_machine(const State& state) {
  Machine m;
  const auto kernel = state.text_or("kernel", "a function");
  if (kernel == "linear") {
    m.kernel = Kernel::kLinear;
  } else if (kernel == "poly") {
    m.kernel = Kernel::kPoly;
  } else if (kernel == "sigmoid") {
    m.kernel = Kernel::kSigmoid;
  } else if (kernel != "rbf") {
    return state.not_served("kernel '" + kernel + "' is not served natively");
  }
  TRY(m.gamma, state.number("_gamma"));
  m.coef0 = state.number_or("coef0", 0);
  m.degree = state.number_or("degree", 3);
  TRY(m.vectors, state.matrix("support_vectors_"));
  TRY(m.dual, state.matrix("_dual_coef_"));
  TRY(m.intercepts, state.numbers("_intercept_"));
  TRY_STATUS(state.expect(m.dual, m.dual.rows, m.vectors.rows, "_dual_coef_"));
  m.one_against_rest = state.text_or("decision_function_shape", "ovr") == "ovr";
  m.breaks_ties = state.flag_or("break_ties", false);
  return m;
}

Status read_classes(const State& state, EstimatorFacts& facts, Machine& m) {
  TRY(facts.labels, state.labels("classes_"));
  const auto n = facts.labels.size();
  const auto pairs = n * (n - 1) / 2;
  if (n < 2 || n > 10'000) return state.refuse("'classes_' has " + std::to_string(n) + " elements");
  TRY_STATUS(state.expect(m.dual, n - 1, m.vectors.rows, "_dual_coef_"));
  TRY_STATUS(state.expect(m.intercepts.size(), pairs, "_intercept_"));
  TRY(const auto counts, state.numbers(state.has("_n_support") ? "_n_support" : "n_support_"));
  TRY_STATUS(state.expect(counts.size(), n, "_n_support"));
  m.first.push_back(0);
  for (const double count : counts) {
    if (!(count >= 0 && count <= static_cast<double>(m.vectors.rows)))
      return state.refuse("'_n_support' is out of range");
    m.first.push_back(m.first.back() + static_cast<std::size_t>(count));
  }
  TRY_STATUS(state.expect(m.first.back(), m.vectors.rows, "_n_support"));
  facts.classifies = true;
  facts.decision_columns = n == 2 ? 1 : m.one_against_rest ? n : pairs;
  const bool wants = state.flag_or("_effective_probability", state.flag_or("probability", false));
  if (!wants || !(state.has("_probA") || state.has("probA_"))) return {};
  TRY(m.prob_a, state.numbers(state.has("_probA") ? "_probA" : "probA_"));
  TRY(m.prob_b, state.numbers(state.has("_probB") ? "_probB" : "probB_"));
  if (m.prob_a.empty()) return {};
  TRY_STATUS(state.expect(m.prob_a.size(), pairs, "_probA"));
  TRY_STATUS(state.expect(m.prob_b.size(), pairs, "_probB"));
  facts.probability_columns = n;
  return {};
}

}  // namespace

Result<EstimatorPtr> make_kernel_machine(const State& state) {
  TRY(auto m, read_machine(state));
  TRY(auto facts, state.facts(m.vectors.cols));
  TRY_STATUS(state.expect(m.vectors, m.vectors.rows, facts.inputs, "support_vectors_"));
  facts.targets = 1;
  if (state.class_name().ends_with("SVC")) {
    TRY_STATUS(read_classes(state, facts, m));
    return std::make_unique<KernelClassifier>(std::move(facts), std::move(m));
  }
  TRY_STATUS(state.expect(m.dual, 1, m.vectors.rows, "_dual_coef_"));
  TRY_STATUS(state.expect(m.intercepts.size(), 1, "_intercept_"));
  const bool outliers = state.class_name() == "OneClassSVM";
  facts.whole_numbers = outliers;
  facts.decision_columns = outliers ? 1 : 0;
  return std::make_unique<KernelRegressor>(std::move(facts), std::move(m), outliers);
}

}  // namespace protean::sklearn
