// SPDX-License-Identifier: Apache-2.0
// Encoders of categories: one-hot, ordinal, and those of labels.
#include <cmath>
#include <utility>

#include "backends/scikit_learn/categories.h"
#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

enum class Unknown : unsigned char { kRefused, kIgnored, kInfrequent };

constexpr std::size_t kNone = SIZE_MAX;

tl::unexpected<Error> unknown_category(const Estimator& estimator, const Frame& in, std::size_t row, std::size_t col) {
  const auto& names = estimator.facts().input_names;
  const auto name = col < names.size() ? " ('" + names[col] + "')" : "";
  return fail(Code::kInvalidArgument, estimator.facts().class_name + ": row " + std::to_string(row) + ", column " +
                                          std::to_string(col) + name + " is " + describe_value(in, row, col) +
                                          ", which was not among the training categories");
}

/// What one column's positions become when rare categories share one (_default_to_infrequent_mappings), else empty.
Result<std::vector<std::vector<std::size_t>>> read_groups(const State& state, const std::vector<Categories>& all) {
  std::vector<std::vector<std::size_t>> groups(all.size());
  const auto list = state.find("_default_to_infrequent_mappings");
  if (list.is_none() || !state.flag_or("_infrequent_enabled", false)) return groups;
  TRY_STATUS(state.expect(list.size(), all.size(), "_default_to_infrequent_mappings"));
  for (std::size_t j = 0; j < all.size(); ++j) {
    if (list.item(j).is_none()) continue;
    TRY(auto numbers, read_numbers(list.item(j), state.context()));
    // OrdinalEncoder keeps the missing category, which is the last one, out of the groups.
    if (all[j].has_missing() && numbers.size() + 1 == all[j].size()) numbers.push_back(0);
    TRY_STATUS(state.expect(numbers.size(), all[j].size(), "_default_to_infrequent_mappings"));
    for (const double n : numbers) {
      if (!(n >= 0 && n < static_cast<double>(numbers.size()))) return state.refuse("infrequent groups out of range");
      groups[j].push_back(static_cast<std::size_t>(n));
    }
  }
  return groups;
}

std::size_t largest(const std::vector<std::size_t>& group) {
  std::size_t result = 0;
  for (const auto g : group) result = std::max(result, g);
  return result;
}

/// `codes`: number of columns before dropping.  `dropped`: kNone for none.  `rare`: where unknown categories go.
struct OneHotColumn {
  std::vector<std::size_t> group;
  std::size_t codes = 0;
  std::size_t dropped = kNone;
  std::size_t rare = kNone;
  std::size_t first = 0;
};

class OneHotEncoder final : public Estimator {
 public:
  OneHotEncoder(EstimatorFacts facts, std::vector<Categories> categories, std::vector<OneHotColumn> plan,
                Unknown unknown)
      : Estimator(std::move(facts)), categories_(std::move(categories)), plan_(std::move(plan)), unknown_(unknown) {}
  std::vector<ColumnFacts> columns() const override {
    std::vector<ColumnFacts> all;
    for (const auto& one : categories_) {
      all.push_back(one.facts());
      if (unknown_ != Unknown::kRefused) {
        all.back().categories.clear();
        all.back().nullable = true;
      }
    }
    return all;
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    out.numbers.reset(in.rows(), facts().outputs);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      for (std::size_t j = 0; j < plan_.size(); ++j) {
        const auto& column = plan_[j];
        const auto found = categories_[j].find(in, i, j);
        if (!found && unknown_ == Unknown::kRefused) return unknown_category(*this, in, i, j);
        std::size_t code = found ? (column.group.empty() ? *found : column.group[*found])
                                 : (unknown_ == Unknown::kInfrequent ? column.rare : kNone);
        if (code == kNone || code == column.dropped) continue;
        if (column.dropped != kNone && code > column.dropped) --code;
        out.numbers.at(i, column.first + code) = 1;
      }
    }
    return {};
  }
  const std::vector<Categories> categories_;
  const std::vector<OneHotColumn> plan_;
  const Unknown unknown_;
};

/// `missing`: what a missing value that was a category becomes.
struct OrdinalColumn {
  std::vector<std::size_t> group;
  std::size_t missing_code = kNone;
};

class OrdinalEncoder final : public Estimator {
 public:
  struct Parameters {
    std::vector<Categories> categories;
    std::vector<OrdinalColumn> plan;
    bool refuses_unknown = true;
    double unknown = 0;
    double missing = std::nan("");
  };
  OrdinalEncoder(EstimatorFacts facts, Parameters p) : Estimator(std::move(facts)), p_(std::move(p)) {}
  std::vector<ColumnFacts> columns() const override {
    std::vector<ColumnFacts> all;
    for (const auto& one : p_.categories) {
      all.push_back(one.facts());
      if (p_.refuses_unknown) continue;
      all.back().categories.clear();
      all.back().nullable = true;
    }
    return all;
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    out.numbers.reset(in.rows(), in.cols());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      for (std::size_t j = 0; j < p_.plan.size(); ++j) {
        const auto found = p_.categories[j].find(in, i, j);
        if (!found) {
          if (p_.refuses_unknown) return unknown_category(*this, in, i, j);
          out.numbers.at(i, j) = p_.unknown;
          continue;
        }
        const auto& column = p_.plan[j];
        const bool missing = *found == column.missing_code;
        const auto code = column.group.empty() ? *found : column.group[*found];
        out.numbers.at(i, j) = missing ? p_.missing : static_cast<double>(code);
      }
    }
    return {};
  }
  const Parameters p_;
};

/// LabelEncoder (`binary` false: positions) and LabelBinarizer (a column for each class, or one for two).
class LabelStep final : public Estimator {
 public:
  struct Parameters {
    bool binary = false;
    double low = 0;
    double high = 1;
  };
  LabelStep(EstimatorFacts facts, Categories classes, Parameters p)
      : Estimator(std::move(facts)), classes_(std::move(classes)), p_(p) {}
  std::vector<ColumnFacts> columns() const override {
    auto column = classes_.facts();
    if (p_.binary) column.categories.clear();
    return {column};
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.texts.clear();
    out.numbers.reset(in.rows(), facts().outputs);
    for (auto& value : out.numbers.values) value = p_.binary ? p_.low : 0;
    for (std::size_t i = 0; i < in.rows(); ++i) {
      const auto found = classes_.find(in, i, 0);
      if (!p_.binary) {
        if (!found) return unknown_category(*this, in, i, 0);
        out.numbers.at(i, 0) = static_cast<double>(*found);
      } else if (found && (facts().outputs > 1 || *found == 1)) {
        out.numbers.at(i, facts().outputs > 1 ? *found : 0) = p_.high;
      }
    }
    return {};
  }
  const Categories classes_;
  const Parameters p_;
};

/// drop_idx_: None, or for each column a position or None.
Status read_drops(const State& state, std::vector<OneHotColumn>& plan) {
  const auto name = state.has("_drop_idx_after_grouping") ? "_drop_idx_after_grouping" : "drop_idx_";
  if (!state.has(name)) return {};
  TRY(const auto drops, state.numbers(name));  // None reads as NaN
  TRY_STATUS(state.expect(drops.size(), plan.size(), name));
  for (std::size_t j = 0; j < plan.size(); ++j) {
    if (std::isnan(drops[j])) continue;
    if (!(drops[j] >= 0 && drops[j] < static_cast<double>(plan[j].codes)))
      return state.refuse("'drop_idx_' is out of range");
    plan[j].dropped = static_cast<std::size_t>(drops[j]);
  }
  return {};
}

}  // namespace

Result<EstimatorPtr> make_one_hot_encoder(const State& state) {
  TRY(auto facts, state.facts(state.find("categories_").size()));
  TRY(auto categories, read_categories(state, facts.inputs));
  TRY(auto groups, read_groups(state, categories));
  std::vector<OneHotColumn> plan(facts.inputs);
  for (std::size_t j = 0; j < plan.size(); ++j) {
    plan[j].group = std::move(groups[j]);
    plan[j].codes = plan[j].group.empty() ? categories[j].size() : largest(plan[j].group) + 1;
    if (!plan[j].group.empty()) plan[j].rare = plan[j].codes - 1;
  }
  TRY_STATUS(read_drops(state, plan));
  for (auto& column : plan) {
    column.first = facts.outputs;
    facts.outputs += column.codes - (column.dropped == kNone ? 0 : 1);
  }
  const auto rule = state.text_or("handle_unknown", "error");
  const auto unknown = rule == "ignore"                                  ? Unknown::kIgnored
                       : rule == "infrequent_if_exist" || rule == "warn" ? Unknown::kInfrequent
                                                                         : Unknown::kRefused;
  facts.missing = Missing::kNanAllowed;
  return std::make_unique<OneHotEncoder>(std::move(facts), std::move(categories), std::move(plan), unknown);
}

Result<EstimatorPtr> make_ordinal_encoder(const State& state) {
  TRY(auto facts, state.facts(state.find("categories_").size()));
  facts.outputs = facts.inputs;
  facts.missing = Missing::kNanAllowed;
  OrdinalEncoder::Parameters p;
  TRY(p.categories, read_categories(state, facts.inputs));
  TRY(auto groups, read_groups(state, p.categories));
  p.plan.resize(facts.inputs);
  for (std::size_t j = 0; j < p.plan.size(); ++j) p.plan[j].group = std::move(groups[j]);
  p.refuses_unknown = state.text_or("handle_unknown", "error") != "use_encoded_value";
  p.unknown = state.number_or("unknown_value", std::nan(""));
  p.missing = state.number_or("encoded_missing_value", std::nan(""));
  const auto missing = state.find("_missing_indices");
  for (std::size_t k = 0; k + 1 < missing.size(); k += 2) {
    const auto column = read_integer(missing.item(k));
    const auto code = read_integer(missing.item(k + 1));
    if (!column || !code || *column < 0 || static_cast<std::size_t>(*column) >= p.plan.size() || *code < 0) {
      return state.refuse("'_missing_indices' is out of range");
    }
    p.plan[static_cast<std::size_t>(*column)].missing_code = static_cast<std::size_t>(*code);
  }
  return std::make_unique<OrdinalEncoder>(std::move(facts), std::move(p));
}

Result<EstimatorPtr> make_label_encoder(const State& state) {
  TRY(auto facts, state.facts(1));
  facts.inputs = 1;
  TRY(const auto list, state.get("classes_"));
  TRY(auto classes, Categories::make(list, state.context()));
  LabelStep::Parameters p;
  p.binary = state.class_name() == "LabelBinarizer";
  p.low = state.number_or("neg_label", 0);
  p.high = state.number_or("pos_label", 1);
  facts.outputs = p.binary && classes.size() > 2 ? classes.size() : 1;
  facts.missing = Missing::kNanAllowed;
  return std::make_unique<LabelStep>(std::move(facts), std::move(classes), p);
}

}  // namespace protean::sklearn
