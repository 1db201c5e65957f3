// SPDX-License-Identifier: Apache-2.0
// What stands in for values that are missing: SimpleImputer (of numbers and of texts) and MissingIndicator.
#include <cmath>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

/// What counts as missing: NaN (and null), a number, or a text.
struct MissingMark {
  bool nan = true;
  double number = 0;
  bool is_text = false;
  std::string text;

  [[nodiscard]] bool matches(double x) const { return nan ? std::isnan(x) : x == number; }
  [[nodiscard]] bool matches(const Cell& cell) const { return cell.missing || (is_text && cell.text == text); }
};

MissingMark read_mark(const Value& value) {
  MissingMark mark;
  if (const auto number = read_number(value)) {
    mark.nan = std::isnan(*number);
    mark.number = *number;
  } else if (auto text = read_text(value)) {
    mark.is_text = true;
    mark.text = *std::move(text);
  }
  return mark;
}

bool is_missing(const Frame& in, std::size_t row, std::size_t col, const MissingMark& mark) {
  if (in.is_text(col)) return mark.matches(in.texts[col][row]);
  return mark.matches(in.numbers.at(row, col));
}

/// Columns that say whether a value was missing.
class Indicator final : public Estimator {
 public:
  Indicator(EstimatorFacts facts, MissingMark mark, std::vector<std::size_t> features)
      : Estimator(std::move(facts)), mark_(std::move(mark)), features_(std::move(features)) {}
  std::vector<ColumnFacts> columns() const override {
    ColumnFacts any;
    any.nullable = true;
    if (mark_.is_text) any.kind = ColumnKind::kText;
    return std::vector<ColumnFacts>(facts().inputs, any);
  }
  /// Fills the columns of `out` from `first` on.
  void fill(const Frame& in, Matrix& out, std::size_t first) const {
    for (std::size_t i = 0; i < in.rows(); ++i) {
      for (std::size_t k = 0; k < features_.size(); ++k) {
        out.at(i, first + k) = is_missing(in, i, features_[k], mark_) ? 1 : 0;
      }
    }
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.numbers.reset(in.rows(), features_.size());
    fill(in, out.numbers, 0);
    return {};
  }
  const MissingMark mark_;
  const std::vector<std::size_t> features_;
};

struct Fill {
  std::size_t column = 0;
  double number = 0;
  std::string text;
};

class Imputer final : public Estimator {
 public:
  struct Parameters {
    MissingMark mark;
    bool texts = false;
    std::vector<Fill> kept;
    std::unique_ptr<const Indicator> indicator;
  };
  Imputer(EstimatorFacts facts, Parameters p) : Estimator(std::move(facts)), p_(std::move(p)) {}
  std::vector<ColumnFacts> columns() const override {
    ColumnFacts column;
    column.kind = p_.texts ? ColumnKind::kText : ColumnKind::kNumber;
    column.nullable = true;
    return std::vector<ColumnFacts>(facts().inputs, column);
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.numbers.reset(in.rows(), facts().outputs);
    out.texts.clear();
    if (p_.texts) out.texts.resize(facts().outputs);
    for (std::size_t k = 0; k < p_.kept.size(); ++k) {
      const auto& fill = p_.kept[k];
      const bool text = in.is_text(fill.column);
      if (text) out.texts[k].resize(in.rows());
      for (std::size_t i = 0; i < in.rows(); ++i) {
        const bool missing = is_missing(in, i, fill.column, p_.mark);
        if (text) {
          out.texts[k][i] = missing ? Cell{fill.text, false} : in.texts[fill.column][i];
        } else {
          out.numbers.at(i, k) = missing ? fill.number : in.numbers.at(i, fill.column);
        }
      }
    }
    if (p_.indicator) p_.indicator->fill(in, out.numbers, p_.kept.size());
    return {};
  }
  const Parameters p_;
};

Result<std::unique_ptr<const Indicator>> make_indicator(const State& state) {
  TRY(auto facts, state.facts());
  TRY(const auto numbers, state.numbers("features_"));
  std::vector<std::size_t> features;
  for (const double f : numbers) {
    if (!(f >= 0 && f < static_cast<double>(facts.inputs))) return state.refuse("'features_' is out of range");
    features.push_back(static_cast<std::size_t>(f));
  }
  facts.outputs = features.size();
  facts.missing = Missing::kNanAllowed;
  return std::make_unique<const Indicator>(std::move(facts), read_mark(state.find("missing_values")),
                                           std::move(features));
}

}  // namespace

Result<EstimatorPtr> make_missing_indicator(const State& state) {
  TRY(auto indicator, make_indicator(state));
  return indicator;
}

Result<EstimatorPtr> make_imputer(const State& state) {
  TRY(auto facts, state.facts());
  TRY(const auto statistics, state.get("statistics_"));
  TRY(const auto array, read_array(statistics));
  TRY_STATUS(state.expect(array.count, facts.inputs, "statistics_"));
  const bool keep_empty = state.flag_or("keep_empty_features", false) || state.text_or("strategy", "") == "constant";
  Imputer::Parameters p;
  p.mark = read_mark(state.find("missing_values"));
  for (std::size_t j = 0; j < array.count; ++j) {
    Fill fill{j, 0, {}};
    auto text = text_at(array, j);
    if (text) {
      p.texts = true;
      fill.text = *std::move(text);
    } else {
      TRY(fill.number, number_at(array, j));
      if (std::isnan(fill.number) && !keep_empty) continue;  // a column without a value in training is left out
    }
    p.kept.push_back(std::move(fill));
  }
  facts.outputs = p.kept.size();
  facts.missing = Missing::kNanAllowed;
  if (state.flag_or("add_indicator", false)) {
    TRY(const auto inner, State::of(state.find("indicator_"), state.context()));
    TRY(p.indicator, make_indicator(inner));
    if (p.indicator->facts().inputs != facts.inputs) return state.refuse("'indicator_' has other columns");
    facts.outputs += p.indicator->facts().outputs;
  }
  return std::make_unique<Imputer>(std::move(facts), std::move(p));
}

}  // namespace protean::sklearn
