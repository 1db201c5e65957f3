// SPDX-License-Identifier: Apache-2.0
// ColumnTransformer: each transformer gets some of the columns, by name or number; what they make stands side by side.
#include <algorithm>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "base/text.h"

namespace protean::sklearn {
namespace {

struct Part {
  EstimatorPtr step;
  std::vector<std::size_t> columns;
};

/// Some columns of a frame, in the given order.
Frame pick(const Frame& in, const std::vector<std::size_t>& columns) {
  Frame out;
  out.numbers.reset(in.rows(), columns.size());
  bool texts = false;
  for (const auto j : columns) texts = texts || in.is_text(j);
  if (texts) out.texts.resize(columns.size());
  for (std::size_t k = 0; k < columns.size(); ++k) {
    for (std::size_t i = 0; i < in.rows(); ++i) out.numbers.at(i, k) = in.numbers.at(i, columns[k]);
    if (in.is_text(columns[k])) out.texts[k] = in.texts[columns[k]];
  }
  return out;
}

class ColumnTransformer final : public Estimator {
 public:
  ColumnTransformer(EstimatorFacts facts, std::vector<Part> parts)
      : Estimator(std::move(facts)), parts_(std::move(parts)) {}
  std::vector<ColumnFacts> columns() const override {
    ColumnFacts unused;
    unused.kind = ColumnKind::kUnused;
    std::vector<ColumnFacts> known(facts().inputs, unused);
    for (const auto& part : parts_) {
      const auto columns = part.step->columns();
      for (std::size_t k = 0; k < part.columns.size() && k < columns.size(); ++k) {
        auto& column = known[part.columns[k]];
        if (column.kind == ColumnKind::kUnused || column.kind == ColumnKind::kUnknown) column = columns[k];
      }
    }
    return known;
  }
  std::size_t width() const override {
    std::size_t sum = facts().inputs + facts().outputs;
    for (const auto& part : parts_) sum += part.step->width();
    return sum;
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    Frame result;
    result.numbers.reset(in.rows(), facts().outputs);
    std::size_t first = 0;
    for (const auto& part : parts_) {
      Frame piece;
      TRY_STATUS(part.step->transform(pick(in, part.columns), piece));
      for (std::size_t i = 0; i < in.rows(); ++i) {
        std::copy_n(piece.numbers.row(i), piece.cols(), result.numbers.row(i) + first);
      }
      for (std::size_t k = 0; k < piece.cols(); ++k) {
        if (!piece.is_text(k)) continue;
        result.texts.resize(facts().outputs);
        result.texts[first + k] = std::move(piece.texts[k]);
      }
      first += piece.cols();
    }
    out = std::move(result);
    return {};
  }
  const std::vector<Part> parts_;
};

/// Names, numbers (negative ones from the end), a slice of numbers, or a mask, as positions.
class ColumnReader {
 public:
  ColumnReader(const State& state, const EstimatorFacts& facts) : state_(state), facts_(facts) {}

  Result<std::vector<std::size_t>> read(const Value& given) const {
    std::vector<std::size_t> columns;
    if (given.is(Kind::kText)) {
      TRY(columns.emplace_back(), by_name(given.text()));
      return columns;
    }
    if (given.global_name() == "slice" && given.args().size() == 3) return read_slice(given.args());
    if (given.is_sequence()) {
      for (std::size_t i = 0; i < given.size(); ++i) TRY_STATUS(add(given.item(i), i, given.size(), columns));
      return columns;
    }
    if (const auto one = read_integer(given)) {
      TRY(columns.emplace_back(), by_number(*one));
      return columns;
    }
    return read_from_array(given);
  }

 private:
  Result<std::size_t> by_name(std::string_view name) const {
    const auto& names = facts_.input_names;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    return state_.refuse("column '" + printable(name, 64) + "' is not in 'feature_names_in_'");
  }
  Result<std::size_t> by_number(std::int64_t number) const {
    const auto count = static_cast<std::int64_t>(facts_.inputs);
    if (number < -count || number >= count)
      return state_.refuse("column " + std::to_string(number) + " does not exist");
    return static_cast<std::size_t>(number < 0 ? number + count : number);
  }
  Status add(const Value& item, std::size_t index, std::size_t size, std::vector<std::size_t>& columns) const {
    if (item.is(Kind::kBool)) {
      if (size != facts_.inputs) return state_.refuse("a mask of columns of another size");
      if (item.node().integer != 0) columns.push_back(index);
      return {};
    }
    if (const auto text = read_text(item)) {
      TRY(columns.emplace_back(), by_name(*text));
      return {};
    }
    const auto number = read_integer(item);
    if (!number) return state_.refuse("a column is " + item.describe());
    TRY(columns.emplace_back(), by_number(*number));
    return {};
  }
  Result<std::vector<std::size_t>> read_slice(const Value& parts) const {
    const auto count = static_cast<std::int64_t>(facts_.inputs);
    std::int64_t bounds[2] = {0, count};
    for (std::size_t i = 0; i < 2; ++i) {
      const auto part = parts.item(i);
      if (part.is(Kind::kText)) {
        TRY(const auto at, by_name(part.text()));
        bounds[i] = static_cast<std::int64_t>(at) + (i == 1 ? 1 : 0);  // a slice of names has its end inside
      } else if (!part.is_none()) {
        bounds[i] = read_integer(part).value_or(0);
        if (bounds[i] < 0) bounds[i] += count;
      }
    }
    if (!parts.item(2).is_none() && read_integer(parts.item(2)) != 1)
      return state_.not_served("a slice of columns with a step");
    std::vector<std::size_t> columns;
    for (auto j = std::max<std::int64_t>(bounds[0], 0); j < std::min(bounds[1], count); ++j) {
      columns.push_back(static_cast<std::size_t>(j));
    }
    return columns;
  }
  Result<std::vector<std::size_t>> read_from_array(const Value& given) const {
    std::vector<std::size_t> columns;
    TRY(const auto array, read_array(given));
    TRY_STATUS(state_.context().charge(array.count));
    for (std::size_t i = 0; i < array.count; ++i) {
      const auto text = text_at(array, i);
      if (text) {
        TRY(columns.emplace_back(), by_name(*text));
        continue;
      }
      TRY(const auto number, number_at(array, i));
      if (array.type.kind == 'b') {
        if (number != 0) columns.push_back(i);
      } else {
        TRY(columns.emplace_back(), by_number(static_cast<std::int64_t>(number)));
      }
    }
    return columns;
  }
  const State& state_;
  const EstimatorFacts& facts_;
};

}  // namespace

Result<EstimatorPtr> make_column_transformer(const State& state) {
  TRY(auto facts, state.facts());
  facts.missing = Missing::kAnything;
  TRY(const auto list, state.get("transformers_"));
  if (!list.is_sequence() || list.size() > 1024) return state.refuse("'transformers_' is " + list.describe());
  const ColumnReader reader(state, facts);
  std::vector<Part> parts;
  for (std::size_t t = 0; t < list.size(); ++t) {
    const auto step = list.item(t).item(1);
    const auto given = list.item(t).item(2);
    if (step.equals("drop")) continue;
    Part part;
    TRY(part.columns, reader.read(given));
    TRY_STATUS(state.context().charge(part.columns.size()));
    if (part.columns.empty()) continue;
    if (step.equals("passthrough")) {
      part.step = make_passthrough(part.columns.size());
    } else {
      TRY(part.step, make_estimator(step, state.context()));
    }
    if (part.step->facts().inputs != part.columns.size() || part.step->facts().targets != 0) {
      return state.refuse(part.step->facts().class_name + " takes " + std::to_string(part.step->facts().inputs) +
                          " columns, and gets " + std::to_string(part.columns.size()));
    }
    facts.outputs += part.step->facts().outputs;
    parts.push_back(std::move(part));
  }
  return std::make_unique<ColumnTransformer>(std::move(facts), std::move(parts));
}

}  // namespace protean::sklearn
