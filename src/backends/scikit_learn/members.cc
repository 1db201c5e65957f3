// SPDX-License-Identifier: Apache-2.0
// From a member's answers to the committee's numbering.
#include "backends/scikit_learn/members.h"

#include <algorithm>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

template <typename T>
bool find_positions(const std::vector<T>& all, const std::vector<T>& wanted, std::vector<std::size_t>& out) {
  for (const auto& label : wanted) {
    const auto found = std::lower_bound(all.begin(), all.end(), label);
    if (found == all.end() || *found != label) return false;
    out.push_back(static_cast<std::size_t>(found - all.begin()));
  }
  return true;
}

/// Members of committees that encode labels may keep them as floats.
Labels whole_numbers(const Labels& labels) {
  if (labels.reals.empty()) return labels;
  Labels whole;
  for (const double r : labels.reals) whole.numbers.push_back(static_cast<std::int64_t>(std::clamp(r, -1e9, 1e9)));
  return whole;
}

}  // namespace

Frame Member::pick(const Frame& in) const {
  Frame out;
  out.numbers.reset(in.rows(), columns.size());
  for (std::size_t i = 0; i < in.rows(); ++i) {
    for (std::size_t k = 0; k < columns.size(); ++k) out.numbers.at(i, k) = in.numbers.at(i, columns[k]);
  }
  return out;
}

Status Member::classes(const Frame& in, Matrix& out) const {
  TRY_STATUS(values(in, out));
  for (auto& value : out.values) value = static_cast<double>(position[static_cast<std::size_t>(value)]);
  return {};
}

Status Member::probabilities(const Frame& in, std::size_t classes_count, Matrix& out) const {
  Matrix own;
  const bool soft = estimator->facts().probability_columns > 0;
  TRY_STATUS(soft ? estimator->probabilities(columns.empty() ? in : pick(in), own) : classes(in, own));
  out.reset(in.rows(), classes_count);
  for (std::size_t i = 0; i < in.rows(); ++i) {
    if (!soft) out.at(i, static_cast<std::size_t>(own.values[i])) = 1;
    for (std::size_t k = 0; soft && k < own.cols; ++k) out.at(i, position[k]) = own.at(i, k);
  }
  return {};
}

Status Member::decision(const Frame& in, Matrix& out) const {
  return estimator->decision(columns.empty() ? in : pick(in), out);
}

Status Member::values(const Frame& in, Matrix& out) const {
  return estimator->predict(columns.empty() ? in : pick(in), out);
}

Status Member::labelled(const Frame& in, Matrix& out) const {
  TRY_STATUS(values(in, out));
  const auto& labels = estimator->facts().labels;
  for (auto& value : out.values) {
    if (!labels.numbers.empty()) value = static_cast<double>(labels.numbers[static_cast<std::size_t>(value)]);
    if (!labels.reals.empty()) value = labels.reals[static_cast<std::size_t>(value)];
  }
  return {};
}

Status Member::take_columns(const Value& given, std::size_t inputs, const State& state) {
  TRY(const auto numbers, read_numbers(given, state.context()));
  bool all = numbers.size() == inputs;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    if (!(numbers[k] >= 0 && numbers[k] < static_cast<double>(inputs)))
      return state.refuse("a member's columns are out of range");
    columns.push_back(static_cast<std::size_t>(numbers[k]));
    all = all && columns.back() == k;
  }
  if (columns.size() != estimator->facts().inputs) return state.refuse("a member sees another number of columns");
  if (all) columns.clear();
  return {};
}

std::vector<ColumnFacts> columns_of(const std::vector<Member>& members, std::size_t inputs) {
  ColumnFacts unused;
  unused.kind = ColumnKind::kUnused;
  std::vector<ColumnFacts> known(inputs, unused);
  for (const auto& member : members) {
    const auto own = member.estimator->columns();
    for (std::size_t k = 0; k < own.size(); ++k) {
      const auto j = member.columns.empty() ? k : member.columns[k];
      if (j >= inputs || own[k].kind == ColumnKind::kUnused) continue;
      const bool first = known[j].kind == ColumnKind::kUnused;
      const bool nullable = own[k].nullable && (first || known[j].nullable);
      if (first || known[j].kind == ColumnKind::kUnknown || own[k].kind == ColumnKind::kText) known[j] = own[k];
      known[j].nullable = nullable;
    }
  }
  return known;
}

Labels encoded_labels(std::size_t count) {
  Labels labels;
  for (std::size_t k = 0; k < count; ++k) labels.numbers.push_back(static_cast<std::int64_t>(k));
  return labels;
}

Result<std::vector<Member>> read_members(const State& state, std::string_view name, const Labels* labels) {
  TRY(const auto list, state.get(name));
  if (!list.is(Kind::kList) || list.size() == 0)
    return state.refuse("'" + std::string(name) + "' is " + list.describe());
  std::vector<Member> members;
  for (std::size_t m = 0; m < list.size(); ++m) {
    Member member;
    TRY(member.estimator, make_estimator(list.item(m), state.context()));
    const auto& facts = member.estimator->facts();
    if (facts.targets == 0) return state.refuse(facts.class_name + " predicts nothing");
    if (labels != nullptr) {
      const auto own = labels->numbers.empty() ? facts.labels : whole_numbers(facts.labels);
      const bool known = facts.classifies && own.type != DataType::kBytes
                             ? find_positions(labels->numbers, own.numbers, member.position) &&
                                   find_positions(labels->reals, own.reals, member.position)
                             : facts.classifies && find_positions(labels->texts, own.texts, member.position);
      if (!known) return state.refuse("its member " + facts.class_name + " has classes of its own");
    }
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace protean::sklearn
