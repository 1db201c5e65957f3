// SPDX-License-Identifier: Apache-2.0
// Messages are made here, where column, row and value are known together.
#include "core/table_column.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "core/number.h"

namespace protean {
namespace {

constexpr std::size_t kShownMax = 8;  // names or categories in a message
constexpr std::size_t kRowsForMap = 16;
constexpr long double kNan = std::numeric_limits<long double>::quiet_NaN();

}  // namespace

std::string quoted_list(std::span<const std::string> texts) {
  std::string out;
  for (std::size_t i = 0; i < std::min(texts.size(), kShownMax); ++i) {
    out += fmt::format("{}'{}'", i == 0 ? "" : ", ", printable(texts[i]));
  }
  return texts.size() > kShownMax ? fmt::format("{} and {} more", out, texts.size() - kShownMax) : out;
}

CategoryIndex::CategoryIndex(std::span<const std::string> categories, std::size_t rows) : categories_(categories) {
  if (rows < kRowsForMap) return;
  positions_.reserve(categories.size());
  for (std::size_t i = 0; i < categories.size(); ++i) positions_.emplace(categories[i], i);
}

std::optional<std::size_t> CategoryIndex::find(std::string_view text) const {
  if (!positions_.empty()) {
    const auto found = positions_.find(text);
    return found == positions_.end() ? std::nullopt : std::optional(found->second);
  }
  const auto found = std::ranges::find(categories_, text);
  if (found == categories_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - categories_.begin());
}

template <typename Read>
Status ColumnWriter::each(const Target& target, Read read) {
  for (std::size_t row = 0; row < rows_; ++row) {
    const long double value = is_null(row) ? kNan : read(row);
    TRY_STATUS(put(target, row, value));
  }
  return {};
}

Status ColumnWriter::write(const Target& target) {
  const DataType type = input_.tensor.type;
  if (all_missing()) return each(target, [](std::size_t) { return kNan; });
  if (type == DataType::kBytes) return write_texts(target);
  const std::size_t size = element_size(type);
  const std::byte* data = input_.tensor.data.data();
  return each(target, [&](std::size_t row) { return read_number(type, data + row * size); });
}

Status ColumnWriter::append_texts(Buffer& out) {
  if (input_.tensor.type != DataType::kBytes && !all_missing()) {
    return refuse(fmt::format("datatype {}, expected BYTES", data_type_name(input_.tensor.type)));
  }
  BytesReader texts(input_.tensor.data.bytes);
  for (std::size_t row = 0; row < rows_; ++row) {
    const std::string_view text = texts.done() ? std::string_view() : texts.next();
    if (is_null(row) && !column_.nullable) return missing_value(row);
    if (!is_null(row) && !column_.categories.empty() && !categories_.find(text)) {
      if (!column_.unknown_is_missing) return unknown_category(row, text);
      append_bytes_element(out, {});
      continue;
    }
    append_bytes_element(out, text);
  }
  return {};
}

bool ColumnWriter::is_null(std::size_t row) noexcept {
  while (next_null_ < input_.nulls.size() && input_.nulls[next_null_] < row) ++next_null_;
  return next_null_ < input_.nulls.size() && input_.nulls[next_null_] == row;
}

Status ColumnWriter::write_texts(const Target& target) {
  BytesReader texts(input_.tensor.data.bytes);
  for (std::size_t row = 0; row < rows_; ++row) {
    const std::string_view text = texts.next();
    if (is_null(row)) {
      TRY_STATUS(store(target, row, kNan));
      continue;
    }
    if (column_.categories.empty()) {
      return refuse_value(row, fmt::format("\"{}\"", printable(text)), data_type_name(column_.type));
    }
    const auto position = categories_.find(text);
    if (!position && !column_.unknown_is_missing) return unknown_category(row, text);
    TRY_STATUS(store(target, row, position ? static_cast<long double>(*position) : kNan));
  }
  return {};
}

Status ColumnWriter::put(const Target& target, std::size_t row, long double value) {
  if (std::isnan(value)) return store(target, row, value);
  if (column_.type == DataType::kBytes) {
    return refuse_value(row, format_number(value), "a text" + expected_categories());
  }
  std::byte held[8];
  if (!write_number(column_.type, value, held)) {
    return refuse_value(row, format_number(value), data_type_name(column_.type));
  }
  if (column_.categories.empty()) return store(target, row, read_number(column_.type, held));
  const std::string text = format_number(value);
  const auto position = categories_.find(text);
  if (!position && !column_.unknown_is_missing) return unknown_category(row, text);
  return store(target, row, position ? static_cast<long double>(*position) : kNan);
}

Status ColumnWriter::store(const Target& target, std::size_t row, long double value) {
  if (std::isnan(value) && !column_.nullable) return missing_value(row);
  if (write_number(target.type, value, target.first + row * target.stride)) return {};
  if (std::isnan(value)) {
    return refuse(
        fmt::format("row {} is missing, and the model's {} has no missing value", row, data_type_name(target.type)));
  }
  return refuse_value(row, format_number(value), data_type_name(target.type));
}

std::string ColumnWriter::expected_categories() const {
  return column_.categories.empty() ? "" : ", one of " + quoted_list(column_.categories);
}

tl::unexpected<Error> ColumnWriter::refuse(std::string_view what) const {
  return fail(Code::kInvalidArgument, fmt::format("column '{}': {}", printable(column_.name), what));
}

tl::unexpected<Error> ColumnWriter::refuse_value(std::size_t row, std::string_view found,
                                                 std::string_view expected) const {
  return refuse(fmt::format("row {} is {}, expected {}", row, found, expected));
}

tl::unexpected<Error> ColumnWriter::missing_value(std::size_t row) const {
  return refuse(fmt::format("row {} is missing (null or NaN), expected {}", row, data_type_name(column_.type)));
}

tl::unexpected<Error> ColumnWriter::unknown_category(std::size_t row, std::string_view text) const {
  return refuse(
      fmt::format("row {} is \"{}\", expected one of {}", row, printable(text), quoted_list(column_.categories)));
}

}  // namespace protean
