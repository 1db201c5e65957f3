// SPDX-License-Identifier: Apache-2.0
// Estimators made of others one after another or side by side: Pipeline, FeatureUnion.
#include <algorithm>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

/// Whether a step stands for "nothing".
bool is_nothing(const Value& step) { return step.is_none() || step.equals("passthrough"); }

class Pipeline final : public Estimator {
 public:
  Pipeline(EstimatorFacts facts, std::vector<EstimatorPtr> steps)
      : Estimator(std::move(facts)), steps_(std::move(steps)) {}

  std::vector<ColumnFacts> columns() const override {
    auto known = steps_.front()->columns();
    // Steps that take anything (functions of nothing) leave the question to the next one.
    for (std::size_t s = 1; s < steps_.size() && steps_[s - 1]->facts().outputs == known.size(); ++s) {
      bool open = false;
      for (const auto& column : known) open = open || column.kind == ColumnKind::kUnknown;
      const auto next = steps_[s]->columns();
      if (!open || next.size() != known.size()) break;
      for (std::size_t j = 0; j < known.size(); ++j) {
        if (known[j].kind == ColumnKind::kUnknown) known[j] = next[j];
      }
    }
    return known;
  }
  std::size_t width() const override {
    std::size_t widest = 1;
    for (const auto& step : steps_) widest = std::max(widest, step->width());
    return widest;
  }
  const Estimator* last_step() const override { return steps_.back().get(); }
  Status prepare(const Frame& in, Frame& out) const override {
    Frame scratch;
    const Frame* now = &in;
    for (std::size_t s = 0; s + 1 < steps_.size(); ++s) {
      TRY_STATUS(steps_[s]->transform(*now, scratch));
      std::swap(scratch, out);
      now = &out;
    }
    if (now == &in) out = in;
    return {};
  }
  bool linear_form(LinearForm& form) const override {
    if (!steps_.back()->linear_form(form)) return false;
    // w * (x * scale + offset) + b, from the last step to the first.
    for (std::size_t s = steps_.size() - 1; s-- > 0;) {
      std::vector<double> scale;
      std::vector<double> offset;
      if (!steps_[s]->affine(scale, offset) || scale.size() != form.weights.cols) return false;
      for (std::size_t k = 0; k < form.weights.rows; ++k) {
        for (std::size_t j = 0; j < scale.size(); ++j) {
          form.intercepts[k] += form.weights.at(k, j) * offset[j];
          form.weights.at(k, j) *= scale[j];
        }
      }
    }
    return true;
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    Frame before;
    TRY_STATUS(prepare(in, before));
    return steps_.back()->transform(before, out);
  }
  Status do_predict(const Frame& in, Matrix& out) const override {
    Frame before;
    TRY_STATUS(prepare(in, before));
    return steps_.back()->predict(before, out);
  }
  Status do_probabilities(const Frame& in, Matrix& out) const override {
    Frame before;
    TRY_STATUS(prepare(in, before));
    return steps_.back()->probabilities(before, out);
  }
  Status do_decision(const Frame& in, Matrix& out) const override {
    Frame before;
    TRY_STATUS(prepare(in, before));
    return steps_.back()->decision(before, out);
  }
  const std::vector<EstimatorPtr> steps_;
};

class Union final : public Estimator {
 public:
  struct Part {
    EstimatorPtr step;
    double weight = 1;
  };
  Union(EstimatorFacts facts, std::vector<Part> parts) : Estimator(std::move(facts)), parts_(std::move(parts)) {}
  std::vector<ColumnFacts> columns() const override {
    ColumnFacts unused;
    unused.kind = ColumnKind::kUnused;
    std::vector<ColumnFacts> known(facts().inputs, unused);
    for (const auto& part : parts_) {
      const auto columns = part.step->columns();
      for (std::size_t j = 0; j < known.size() && j < columns.size(); ++j) {
        if (columns[j].kind != ColumnKind::kUnused && known[j].kind != ColumnKind::kText) known[j] = columns[j];
      }
    }
    return known;
  }
  std::size_t width() const override {
    std::size_t sum = facts().outputs;
    for (const auto& part : parts_) sum += part.step->width();
    return sum;
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    out.numbers.reset(in.rows(), facts().outputs);
    std::size_t first = 0;
    for (const auto& part : parts_) {
      Frame piece;
      TRY_STATUS(part.step->transform(in, piece));
      for (std::size_t i = 0; i < in.rows(); ++i) {
        for (std::size_t k = 0; k < piece.cols(); ++k)
          out.numbers.at(i, first + k) = piece.numbers.at(i, k) * part.weight;
      }
      first += piece.cols();
    }
    return {};
  }
  const std::vector<Part> parts_;
};

}  // namespace

Result<EstimatorPtr> make_pipeline(const State& state) {
  TRY(const auto list, state.get("steps"));
  if (!list.is_sequence() || list.size() == 0 || list.size() > 256)
    return state.refuse("'steps' is " + list.describe());
  std::vector<EstimatorPtr> steps;
  for (std::size_t s = 0; s < list.size(); ++s) {
    const auto step = list.item(s).item(1);
    if (is_nothing(step)) continue;
    TRY(auto made, make_estimator(step, state.context()));
    const bool last = s + 1 == list.size();
    if (!last && made->facts().outputs == 0 && made->facts().targets > 0) {
      return state.refuse("step " + made->facts().class_name + " transforms nothing, yet others follow");
    }
    if (!steps.empty() && steps.back()->facts().outputs != made->facts().inputs) {
      return state.refuse("step " + made->facts().class_name + " takes " + std::to_string(made->facts().inputs) +
                          " columns, and gets " + std::to_string(steps.back()->facts().outputs));
    }
    steps.push_back(std::move(made));
  }
  if (steps.empty()) return state.refuse("no step does anything");
  // All that clients see is the last step's; all that they send is the first one's.
  EstimatorFacts facts = steps.back()->facts();
  facts.inputs = steps.front()->facts().inputs;
  facts.input_names = steps.front()->facts().input_names;
  facts.missing = Missing::kAnything;
  return std::make_unique<Pipeline>(std::move(facts), std::move(steps));
}

Result<EstimatorPtr> make_union(const State& state) {
  TRY(const auto list, state.get("transformer_list"));
  if (!list.is_sequence() || list.size() == 0 || list.size() > 256) return state.refuse("no transformers");
  std::vector<Union::Part> parts;
  std::size_t inputs = static_cast<std::size_t>(state.number_or("n_features_in_", 0));
  for (std::size_t s = 0; s < list.size(); ++s) {
    const auto step = list.item(s).item(1);
    if (step.equals("drop")) continue;
    Union::Part part;
    if (is_nothing(step)) {
      const auto first = State::of(list.item(0).item(1), state.context());
      if (inputs == 0 && first) inputs = static_cast<std::size_t>(first->number_or("n_features_in_", 0));
      part.step = make_passthrough(inputs);
    } else {
      TRY(part.step, make_estimator(step, state.context()));
    }
    part.weight = read_number(state.find("transformer_weights").key(list.item(s).item(0).text())).value_or(1);
    parts.push_back(std::move(part));
  }
  if (parts.empty()) return state.refuse("all transformers are dropped");
  EstimatorFacts facts;
  facts.class_name = state.class_name();
  facts.inputs = parts.front().step->facts().inputs;
  facts.missing = Missing::kAnything;
  for (const auto& part : parts) {
    if (part.step->facts().inputs != facts.inputs) return state.refuse("its transformers take different columns");
    if (part.step->facts().outputs == 0) return state.refuse(part.step->facts().class_name + " transforms nothing");
    facts.outputs += part.step->facts().outputs;
    if (facts.input_names.empty()) facts.input_names = part.step->facts().input_names;
  }
  return std::make_unique<Union>(std::move(facts), std::move(parts));
}

}  // namespace protean::sklearn
