// SPDX-License-Identifier: Apache-2.0
// Look-up of categories.
#include "backends/scikit_learn/categories.h"

#include <cmath>

#include "base/text.h"

namespace protean::sklearn {

Result<Categories> Categories::make(const Value& values, LoadContext& context) {
  TRY(const auto array, read_array(values));
  TRY_STATUS(context.charge(array.count));
  Categories result;
  result.size_ = array.count;
  result.names_.resize(array.count);
  for (std::size_t i = 0; i < array.count; ++i) {
    auto text = text_at(array, i);
    if (text) {
      result.texts_ = true;
      result.names_[i] = *std::move(text);
      result.by_text_.emplace(result.names_[i], i);
      continue;
    }
    TRY(const auto number, number_at(array, i));
    if (std::isnan(number)) {
      if (!result.missing_) result.missing_ = i;
    } else {
      result.by_number_.emplace(number, i);
    }
  }
  if (result.texts_ && !result.by_number_.empty()) {
    return fail(Code::kInvalidArgument, "categories of both texts and numbers in one column");
  }
  return result;
}

std::optional<std::size_t> Categories::find(const Frame& in, std::size_t row, std::size_t col) const {
  if (in.is_text(col)) {
    const auto& cell = in.texts[col][row];
    if (cell.missing) return missing_;
    const auto found = by_text_.find(cell.text);
    return found == by_text_.end() ? std::nullopt : std::optional(found->second);
  }
  const double x = in.numbers.at(row, col);
  if (std::isnan(x)) return missing_;
  const auto found = by_number_.find(x);
  return found == by_number_.end() ? std::nullopt : std::optional(found->second);
}

ColumnFacts Categories::facts() const {
  ColumnFacts facts;
  facts.kind = texts_ ? ColumnKind::kText : ColumnKind::kNumber;
  facts.nullable = has_missing();
  if (texts_ && size_ <= 1000) {
    for (const auto& name : names_) {
      if (by_text_.contains(name)) facts.categories.push_back(name);
    }
  }
  return facts;
}

Result<std::vector<Categories>> read_categories(const State& state, std::size_t columns) {
  TRY(const auto list, state.get("categories_"));
  if (!list.is(Kind::kList)) return state.refuse("'categories_' is " + list.describe());
  TRY_STATUS(state.expect(list.size(), columns, "categories_"));
  std::vector<Categories> all;
  for (std::size_t i = 0; i < list.size(); ++i) {
    TRY(all.emplace_back(), Categories::make(list.item(i), state.context()));
  }
  return all;
}

std::string describe_value(const Frame& in, std::size_t row, std::size_t col) {
  if (!in.is_text(col)) return std::to_string(in.numbers.at(row, col));
  const auto& cell = in.texts[col][row];
  return cell.missing ? "a missing value" : "'" + printable(cell.text, 64) + "'";
}

}  // namespace protean::sklearn
