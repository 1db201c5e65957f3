// SPDX-License-Identifier: Apache-2.0
// Lines end at \n; every \r is dropped, as TensorFlow's reader of lines does.
#include "tensorflow/text_table.h"

#include <charconv>
#include <vector>

#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

namespace tf = tensorflow;

template <typename T>
bool append_number(std::string_view text, std::string& bytes) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return true;
}

bool append_value(Literal& literal, std::string_view text) {
  switch (literal.dtype) {
    case tf::DT_STRING: literal.strings.emplace_back(text); return true;
    case tf::DT_INT32: return append_number<std::int32_t>(text, literal.bytes);
    case tf::DT_INT64: return append_number<std::int64_t>(text, literal.bytes);
    case tf::DT_FLOAT: return append_number<float>(text, literal.bytes);
    case tf::DT_DOUBLE: return append_number<double>(text, literal.bytes);
    default: return false;
  }
}

struct Line {
  std::string_view text;
  std::int64_t number;
};

bool append_part(Literal& literal, const Line& line, std::int64_t index, char delimiter) {
  if (index == TextTableForm::kWholeLine) return append_value(literal, line.text);
  if (index == TextTableForm::kLineNumber) return append_value(literal, std::to_string(line.number));
  const auto parts = split(line.text, delimiter);
  if (index < 0 || static_cast<std::size_t>(index) >= parts.size()) return false;
  return append_value(literal, parts[static_cast<std::size_t>(index)]);
}

}  // namespace

Result<LookupTable> read_text_table_file(std::string_view text, const std::string& where, const TextTableForm& form) {
  LookupTable table;
  table.keys.dtype = form.key_dtype;
  table.values.dtype = form.value_dtype;
  std::int64_t number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    std::erase(line, '\r');
    if (form.lines_max >= 0 && number >= form.lines_max) break;
    const auto at = checked_add(number++, form.offset);
    if (!at) return fail(Code::kInvalidArgument, "asset '" + printable(where) + "': line numbers that do not fit");
    if (!append_part(table.keys, {line, *at}, form.key_index, form.delimiter) ||
        !append_part(table.values, {line, *at}, form.value_index, form.delimiter)) {
      return fail(Code::kInvalidArgument, "asset '" + printable(where) + "', line " + std::to_string(number) + ": no " +
                                              dtype_name(form.key_dtype) + " key and " + dtype_name(form.value_dtype) +
                                              " value in the expected columns");
    }
  }
  const auto count = static_cast<std::int64_t>(table.keys.elements());
  table.keys.shape = {count};
  table.values.shape = {count};
  return table;
}

}  // namespace protean
