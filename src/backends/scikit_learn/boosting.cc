// SPDX-License-Identifier: Apache-2.0
// Gradient boosting, on exact splits (GradientBoosting*) and on histograms (HistGradientBoosting*).
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/grove.h"

namespace protean::sklearn {
namespace {

/// What margins become. kHalfLogistic: the exponential loss, whose margins are half of the log odds.
enum class BoostLink : unsigned char { kIdentity, kExp, kLogistic, kHalfLogistic, kSoftmax };

class Boosted final : public Grove {
 public:
  /// `encoder`: turns categories into their positions first; nullptr for none. `columns`: where each of its outputs is.
  struct Parts {
    BoostLink link = BoostLink::kIdentity;
    EstimatorPtr encoder;
    bool second_at_zero = false;
  };
  Boosted(EstimatorFacts facts, TreeEnsemble ensemble, std::vector<double> importances, Parts parts)
      : Grove(std::move(facts), std::move(ensemble), std::move(importances)), parts_(std::move(parts)) {}
  /// Behind an encoder the columns stand in another order.
  std::string_view scale() const override { return parts_.encoder ? "" : "margin"; }
  std::vector<ColumnFacts> columns() const override {
    return parts_.encoder ? parts_.encoder->columns() : Estimator::columns();
  }

 private:
  Status raw(const Frame& in, Matrix& out) const {
    if (parts_.encoder == nullptr) {
      margins(in.numbers, out);
      return {};
    }
    Frame encoded;
    TRY_STATUS(parts_.encoder->transform(in, encoded));
    margins(encoded.numbers, out);
    return {};
  }
  Status do_decision(const Frame& in, Matrix& out) const override { return raw(in, out); }
  Status do_predict(const Frame& in, Matrix& out) const override {
    TRY_STATUS(raw(in, out));
    if (facts().classifies) {
      const Matrix scores = std::move(out);
      choose_classes(scores, out);
      // GradientBoostingClassifier, unlike the others, takes the second class at a margin of exactly zero.
      for (std::size_t i = 0; i < scores.rows && parts_.second_at_zero && scores.cols == 1; ++i) {
        if (scores.values[i] == 0) out.values[i] = 1;
      }
      return {};
    }
    if (parts_.link == BoostLink::kExp) {
      for (auto& y : out.values) y = std::exp(y);
    }
    return {};
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    TRY_STATUS(raw(in, out));
    if (parts_.link == BoostLink::kSoftmax) {
      softmax_rows(out);
      return {};
    }
    const Matrix scores = std::move(out);
    out.reset(scores.rows, 2);
    for (std::size_t i = 0; i < scores.rows; ++i) {
      out.at(i, 1) = logistic(parts_.link == BoostLink::kHalfLogistic ? 2 * scores.values[i] : scores.values[i]);
      out.at(i, 0) = 1 - out.at(i, 1);
    }
    return {};
  }
  const Parts parts_;
};

/// Facts of a boosted classifier with `outputs` columns of margins.
Status classify(const State& state, std::size_t outputs, EstimatorFacts& facts) {
  facts.classifies = true;
  TRY(facts.labels, state.labels("classes_"));
  const auto classes = facts.labels.size();
  TRY_STATUS(state.expect(outputs, classes == 2 ? 1 : classes, "classes_"));
  facts.probability_columns = classes;
  facts.decision_columns = outputs;
  facts.rule = PredictRule::kDecision;
  return {};
}

/// The margins before the first tree: those of the constant that `init_` predicts.
Result<std::vector<double>> read_start(const State& state, std::size_t outputs, bool classes) {
  std::vector<double> start(outputs, 0);
  const auto init = state.find("init_");
  if (init.equals("zero") || state.find("init").equals("zero")) return start;
  TRY(const auto inner, State::of(init, state.context()));
  if (inner.class_name() == "DummyRegressor" && !classes) {
    TRY(const auto constant, inner.numbers("constant_"));
    TRY_STATUS(inner.expect(constant.size(), outputs, "constant_"));
    return constant;
  }
  if (inner.class_name() != "DummyClassifier" || !classes) {
    return state.not_served("an 'init' estimator of its own (" + inner.class_name() + ") is not served natively");
  }
  TRY(auto prior, inner.numbers("class_prior_"));
  const double epsilon = std::numeric_limits<float>::epsilon();
  for (auto& p : prior) p = std::clamp(p, epsilon, 1 - epsilon);
  if (outputs == 1) {
    TRY_STATUS(inner.expect(prior.size(), 2, "class_prior_"));
    const double odds = std::log(prior[1] / (1 - prior[1]));
    return std::vector<double>{state.text_or("loss", "") == "exponential" ? odds / 2 : odds};
  }
  TRY_STATUS(inner.expect(prior.size(), outputs, "class_prior_"));
  double mean = 0;
  for (auto& p : prior) mean += (p = std::log(p)) / static_cast<double>(prior.size());
  // Since 1.4 the link of the multinomial loss is centred.
  const bool centred = state.find("_loss").global_module().starts_with("sklearn._loss");
  for (auto& p : prior) p -= centred ? mean : 0;
  return prior;
}

/// What `_preprocessor` (since 1.4) or nothing does to categories; fills the trees' columns.
Result<EstimatorPtr> read_encoder(const State& state) {
  if (!state.has("_preprocessor")) return EstimatorPtr();
  return make_estimator(state.find("_preprocessor"), state.context());
}

struct PredictorFields {
  static Result<PredictorFields> make(const State& state, const ArrayView& nodes) {
    PredictorFields f;
    const std::pair<std::string_view, const ElementType::Field**> wanted[] = {{"value", &f.value},
                                                                              {"feature_idx", &f.feature},
                                                                              {"missing_go_to_left", &f.missing_left},
                                                                              {"left", &f.left},
                                                                              {"right", &f.right},
                                                                              {"is_leaf", &f.leaf},
                                                                              {"count", &f.count},
                                                                              {"num_threshold", &f.threshold}};
    for (const auto& [name, place] : wanted) {
      for (const auto& field : nodes.type.fields) {
        if (field.name == name || (name == "num_threshold" && field.name == "threshold")) *place = &field;
      }
      if (*place == nullptr) return state.refuse("its nodes have no field '" + std::string(name) + "'");
    }
    for (const auto& field : nodes.type.fields) {
      if (field.name == "is_categorical") f.categorical = &field;
      if (field.name == "bitset_idx") f.bitset = &field;
    }
    return f;
  }
  const ElementType::Field *value = nullptr, *feature = nullptr, *missing_left = nullptr, *left = nullptr,
                           *right = nullptr, *leaf = nullptr, *count = nullptr, *threshold = nullptr,
                           *categorical = nullptr, *bitset = nullptr;
};

double field_of(const ArrayView& nodes, std::size_t i, const ElementType::Field* field) {
  if (field == nullptr) return 0;
  return element_number(nodes.data.data() + i * nodes.type.size + field->offset, field->kind, field->size,
                        field->swapped);
}

/// 256 bits, as eight numbers of 32.
std::vector<std::uint32_t> members(const double* words) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t c = 0; c < 256; ++c) {
    if ((static_cast<std::uint32_t>(words[c / 32]) >> (c % 32) & 1) != 0) all.push_back(c);
  }
  return all;
}

class HistogramReader {
 public:
  HistogramReader(const State& state, const Matrix& known, const std::vector<double>& known_row)
      : state_(state), known_(known), known_row_(known_row) {}

  Result<TreeSpec> read(const Value& predictor) const {
    TRY(const auto state, State::of(predictor, state_.context()));
    TRY(const auto value, state.get("nodes"));
    TRY(const auto nodes, read_array(value));
    TRY(const auto fields, PredictorFields::make(state, nodes));
    TRY_STATUS(state.context().charge(nodes.count * 8));
    Matrix left_sets;
    if (state.has("raw_left_cat_bitsets")) {
      TRY(left_sets, state.matrix("raw_left_cat_bitsets"));
    }
    TreeSpec tree;
    tree.nodes.resize(nodes.count);
    for (std::size_t i = 0; i < nodes.count; ++i) {
      auto& node = tree.nodes[i];
      const auto get = [&](const ElementType::Field* field) { return field_of(nodes, i, field); };
      node.id = node.value = static_cast<std::uint32_t>(i);
      node.cover = get(fields.count);
      tree.values.push_back(get(fields.value));
      if (get(fields.leaf) != 0) continue;
      node.test = SplitTest::kLessEqual;
      node.default_left = get(fields.missing_left) != 0;
      node.feature = static_cast<std::uint32_t>(std::clamp(get(fields.feature), 0.0, 4e9));
      node.left = static_cast<std::uint32_t>(std::clamp(get(fields.left), 0.0, 4e9));
      node.right = static_cast<std::uint32_t>(std::clamp(get(fields.right), 0.0, 4e9));
      node.threshold = get(fields.threshold);
      if (get(fields.categorical) != 0) TRY_STATUS(add_set(left_sets, get(fields.bitset), node, tree));
    }
    return tree;
  }

 private:
  /// A category that was not seen takes the way of missing values.
  Status add_set(const Matrix& left_sets, double row, TreeNode& node, TreeSpec& tree) const {
    if (left_sets.cols != 8 || !(row >= 0 && row < static_cast<double>(left_sets.rows))) {
      return state_.refuse("a categorical split without its set");
    }
    auto left = members(left_sets.row(static_cast<std::size_t>(row)));
    node.value = static_cast<std::uint32_t>(tree.sets.size());
    node.test = SplitTest::kInSet;
    if (node.default_left) {
      if (node.feature >= known_row_.size() || known_row_[node.feature] < 0)
        return state_.refuse("a split on a column without categories");
      auto known = members(known_.row(static_cast<std::size_t>(known_row_[node.feature])));
      std::vector<std::uint32_t> right;
      std::set_difference(known.begin(), known.end(), left.begin(), left.end(), std::back_inserter(right));
      node.test = SplitTest::kNotInSet;
      left = std::move(right);
    }
    TRY_STATUS(state_.context().charge(64));
    tree.sets.push_back(std::move(left));
    return {};
  }
  const State& state_;
  const Matrix& known_;
  const std::vector<double>& known_row_;
};

/// The known categories of each categorical column as bit sets, and the row in `known` of each column (-1: none).
Status read_known(const State& state, std::size_t inputs, Matrix& known, std::vector<double>& row_of) {
  row_of.assign(inputs, -1);
  const auto mapper = state.find("_bin_mapper").state();
  const auto flags = mapper.key("is_categorical_");
  if (!is_array(flags)) return {};
  TRY(const auto categorical, read_numbers(flags, state.context()));
  const auto edges = mapper.key("bin_thresholds_");
  if (categorical.size() != inputs || edges.size() != inputs)
    return state.refuse("'_bin_mapper' has another number of columns");
  std::vector<double> words;
  for (std::size_t j = 0; j < inputs; ++j) {
    if (categorical[j] == 0) continue;
    TRY(const auto values, read_numbers(edges.item(j), state.context()));
    std::uint32_t bits[8] = {};
    for (const double v : values) {
      if (v >= 0 && v < 256) bits[static_cast<std::size_t>(v) / 32] |= 1U << (static_cast<unsigned>(v) % 32);
    }
    row_of[j] = static_cast<double>(words.size() / 8);
    words.insert(words.end(), std::begin(bits), std::end(bits));
  }
  known.rows = words.size() / 8;
  known.cols = 8;
  known.values = std::move(words);
  return {};
}

BoostLink histogram_link(const State& state, std::size_t outputs) {
  if (state.class_name() == "HistGradientBoostingClassifier") {
    return outputs == 1 ? BoostLink::kLogistic : BoostLink::kSoftmax;
  }
  const auto loss = state.text_or("loss", "squared_error");
  return loss == "poisson" || loss == "gamma" ? BoostLink::kExp : BoostLink::kIdentity;
}

}  // namespace

Result<EstimatorPtr> make_gradient_boosting(const State& state) {
  const bool classes = state.class_name() == "GradientBoostingClassifier";
  TRY(const auto value, state.get("estimators_"));
  TRY(const auto array, read_array(value));
  if (array.type.kind != 'O' || array.shape.size() != 2) return state.refuse("'estimators_' is no table of trees");
  TRY(auto facts, state.facts());
  TRY(const double rate, state.number("learning_rate"));
  EnsembleSpec spec;
  spec.features = static_cast<std::uint32_t>(facts.inputs);
  spec.outputs = static_cast<std::uint32_t>(array.shape[1]);
  TRY(spec.base, read_start(state, spec.outputs, classes));
  TRY_STATUS(state.context().charge(facts.inputs));
  std::vector<double> importances(facts.inputs, 0);
  for (std::size_t t = 0; t < array.count; ++t) {
    TRY(const auto inner, State::of(array.objects.item(array.place(t)), state.context()));
    TRY(auto parts, read_tree(inner, LeafRule::kValues));
    if (parts.outputs != 1 || parts.features != facts.inputs) return state.refuse("its trees differ in shape");
    parts.spec.output = static_cast<std::uint32_t>(t % spec.outputs);
    parts.spec.weight = rate;
    for (std::size_t j = 0; j < importances.size(); ++j) importances[j] += parts.importances[j];
    spec.trees.push_back(std::move(parts.spec));
  }
  double sum = 0;
  for (const double i : importances) sum += i;
  for (auto& i : importances) i = sum > 0 ? i / sum : 0;
  facts.targets = 1;
  Boosted::Parts parts;
  if (classes) {
    TRY_STATUS(classify(state, spec.outputs, facts));
    facts.rule = PredictRule::kOwn;
    parts.second_at_zero = true;
    const bool exponential = state.text_or("loss", "") == "exponential";
    parts.link = spec.outputs > 1 ? BoostLink::kSoftmax : exponential ? BoostLink::kHalfLogistic : BoostLink::kLogistic;
  }
  TRY(auto ensemble, make_ensemble(std::move(spec)));
  return std::make_unique<Boosted>(std::move(facts), std::move(ensemble), std::move(importances), std::move(parts));
}

Result<EstimatorPtr> make_histogram_boosting(const State& state) {
  TRY(const auto list, state.get("_predictors"));
  if (!list.is(Kind::kList)) return state.refuse("'_predictors' is " + list.describe());
  TRY(auto facts, state.facts());
  facts.missing = Missing::kAnything;
  facts.targets = 1;
  EnsembleSpec spec;
  spec.features = static_cast<std::uint32_t>(facts.inputs);
  spec.rows = RowType::kFloat64;
  TRY(spec.base, state.numbers("_baseline_prediction"));
  spec.outputs = static_cast<std::uint32_t>(spec.base.size());
  Matrix known;
  std::vector<double> row_of;
  TRY_STATUS(read_known(state, facts.inputs, known, row_of));
  const HistogramReader reader(state, known, row_of);
  for (std::size_t r = 0; r < list.size(); ++r) {
    TRY_STATUS(state.expect(list.item(r).size(), spec.outputs, "_predictors"));
    for (std::uint32_t k = 0; k < spec.outputs; ++k) {
      TRY(auto tree, reader.read(list.item(r).item(k)));
      tree.output = k;
      spec.trees.push_back(std::move(tree));
    }
  }
  Boosted::Parts parts;
  parts.link = histogram_link(state, spec.outputs);
  TRY(parts.encoder, read_encoder(state));
  if (parts.encoder &&
      (parts.encoder->facts().inputs != facts.inputs || parts.encoder->facts().outputs != facts.inputs)) {
    return state.refuse("'_preprocessor' has another number of columns");
  }
  if (state.class_name() == "HistGradientBoostingClassifier") TRY_STATUS(classify(state, spec.outputs, facts));
  TRY(auto ensemble, make_ensemble(std::move(spec)));
  return std::make_unique<Boosted>(std::move(facts), std::move(ensemble), std::vector<double>{}, std::move(parts));
}

}  // namespace protean::sklearn
