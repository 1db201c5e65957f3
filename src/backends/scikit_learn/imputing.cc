// SPDX-License-Identifier: Apache-2.0
// What stands in for values that are missing: SimpleImputer (of numbers and of texts), KNNImputer, MissingIndicator.
#include <algorithm>
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

/// Missing values become the mean of the nearest training rows that have one.
class NeighbourImputer final : public Estimator {
 public:
  /// `means`: of what each column had in training; NaN for a column that had nothing.
  struct Parameters {
    MissingMark mark;
    Matrix rows;
    std::vector<double> means;
    std::size_t neighbours = 5;
    bool by_distance = false;
    bool keep_empty = false;
    std::unique_ptr<const Indicator> indicator;
  };
  NeighbourImputer(EstimatorFacts facts, Parameters p) : Estimator(std::move(facts)), p_(std::move(p)) {}

 private:
  struct Donor {
    double distance;
    double value;
  };
  /// Over the columns that both have, scaled up to all of them; NaN when there is none.
  [[nodiscard]] double distance(const double* x, const double* y) const {
    double sum = 0;
    std::size_t present = 0;
    for (std::size_t j = 0; j < p_.rows.cols; ++j) {
      if (p_.mark.matches(x[j]) || p_.mark.matches(y[j])) continue;
      sum += (x[j] - y[j]) * (x[j] - y[j]);
      ++present;
    }
    if (present == 0) return std::nan("");
    return std::sqrt(sum / static_cast<double>(present) * static_cast<double>(p_.rows.cols));
  }
  [[nodiscard]] double fill(std::size_t col, const std::vector<double>& distances) const {
    std::vector<Donor> donors;
    for (std::size_t r = 0; r < p_.rows.rows; ++r) {
      const double value = p_.rows.at(r, col);
      if (!p_.mark.matches(value) && !std::isnan(distances[r])) donors.push_back({distances[r], value});
    }
    if (donors.empty()) return p_.means[col];
    std::stable_sort(donors.begin(), donors.end(),
                     [](const Donor& a, const Donor& b) { return a.distance < b.distance; });
    if (donors.size() > p_.neighbours) donors.resize(p_.neighbours);
    const bool exact = p_.by_distance && donors.front().distance == 0;
    double sum = 0;
    double total = 0;
    for (const auto& donor : donors) {
      const double weight = exact ? (donor.distance == 0 ? 1 : 0) : p_.by_distance ? 1 / donor.distance : 1;
      sum += weight * donor.value;
      total += weight;
    }
    return sum / total;
  }
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    out.numbers.reset(in.rows(), facts().outputs);
    std::vector<double> distances(p_.rows.rows);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < in.rows(); ++i) {
      const double* x = in.numbers.row(i);
      bool measured = false;
      kept = 0;
      for (std::size_t j = 0; j < in.cols(); ++j) {
        const bool empty = std::isnan(p_.means[j]);
        if (empty && !p_.keep_empty) continue;
        double value = empty ? 0 : x[j];
        if (!empty && p_.mark.matches(x[j])) {
          for (std::size_t r = 0; r < distances.size() && !measured; ++r) distances[r] = distance(x, p_.rows.row(r));
          measured = true;
          value = fill(j, distances);
        }
        out.numbers.at(i, kept++) = value;
      }
    }
    if (p_.indicator) p_.indicator->fill(in, out.numbers, kept);
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

/// The indicator that an imputer was asked to append, and its columns in `facts`.
Status add_indicator(const State& state, EstimatorFacts& facts, std::unique_ptr<const Indicator>& indicator) {
  if (!state.flag_or("add_indicator", false)) return {};
  TRY(const auto inner, State::of(state.find("indicator_"), state.context()));
  TRY(indicator, make_indicator(inner));
  if (indicator->facts().inputs != facts.inputs) return state.refuse("'indicator_' has other columns");
  facts.outputs += indicator->facts().outputs;
  return {};
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
  TRY_STATUS(add_indicator(state, facts, p.indicator));
  return std::make_unique<Imputer>(std::move(facts), std::move(p));
}

Result<EstimatorPtr> make_neighbour_imputer(const State& state) {
  TRY(auto facts, state.facts());
  if (state.text_or("metric", "a function") != "nan_euclidean") return state.not_served("a metric of its own");
  const auto weights = state.text_or("weights", "a function");
  if (weights != "uniform" && weights != "distance") return state.not_served("weights by " + weights);
  NeighbourImputer::Parameters p;
  p.by_distance = weights == "distance";
  p.mark = read_mark(state.find("missing_values"));
  p.keep_empty = state.flag_or("keep_empty_features", false);
  TRY(const auto neighbours, state.integer("n_neighbors"));
  if (neighbours < 1) return state.refuse("'n_neighbors' is below 1");
  p.neighbours = static_cast<std::size_t>(neighbours);
  TRY(p.rows, state.matrix("_fit_X"));
  TRY_STATUS(state.expect(p.rows, p.rows.rows, facts.inputs, "_fit_X"));
  for (std::size_t j = 0; j < facts.inputs; ++j) {
    double sum = 0;
    double count = 0;
    for (std::size_t r = 0; r < p.rows.rows; ++r) {
      if (p.mark.matches(p.rows.at(r, j))) continue;
      sum += p.rows.at(r, j);
      ++count;
    }
    p.means.push_back(count == 0 ? std::nan("") : sum / count);
    if (count > 0 || p.keep_empty) ++facts.outputs;
  }
  facts.missing = Missing::kNanAllowed;
  TRY_STATUS(add_indicator(state, facts, p.indicator));
  return std::make_unique<NeighbourImputer>(std::move(facts), std::move(p));
}

}  // namespace protean::sklearn
