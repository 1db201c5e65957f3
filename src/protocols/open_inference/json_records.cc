// SPDX-License-Identifier: Apache-2.0
// Columns grow side by side; one that a record leaves out is filled up with nulls when it is met again.
#include "protocols/open_inference/json_records.h"

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace protean {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view kExpected = "a number, a text, true, false or null";
constexpr std::size_t kCellsAlways = 1 << 16;

enum class Kind : unsigned char { kNone, kInteger, kFloat, kBool, kText };

std::string_view kind_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool: return "true and false";
    case Kind::kText: return "texts";
    default: return "numbers";
  }
}

bool is_number(Kind kind) noexcept { return kind == Kind::kInteger || kind == Kind::kFloat; }

class Column {
 public:
  /// Fills up to `row`; false when the column has a value there already.
  bool begin(std::size_t row) {
    if (rows_ > row) return false;
    while (rows_ < row) null();
    return true;
  }

  void null() {
    nulls_.push_back(rows_++);
    if (kind_ == Kind::kText) append_bytes_element(texts_, {});
    if (kind_ != Kind::kText && kind_ != Kind::kNone) push(0, std::numeric_limits<double>::quiet_NaN());
  }
  /// The kind found before when this one does not go with it.
  std::optional<Kind> integer(std::int64_t value) {
    if (!become(kind_ == Kind::kFloat ? Kind::kFloat : Kind::kInteger)) return kind_;
    push(value, static_cast<double>(value));
    ++rows_;
    return std::nullopt;
  }
  std::optional<Kind> real(double value) {
    if (kind_ == Kind::kInteger) kind_ = Kind::kFloat;
    if (!become(Kind::kFloat)) return kind_;
    push(0, value);
    ++rows_;
    return std::nullopt;
  }
  std::optional<Kind> truth(bool value) {
    if (!become(Kind::kBool)) return kind_;
    push(value ? 1 : 0, 0);
    ++rows_;
    return std::nullopt;
  }
  std::optional<Kind> text(std::string_view value) {
    if (!become(Kind::kText)) return kind_;
    append_bytes_element(texts_, value);
    ++rows_;
    return std::nullopt;
  }

  [[nodiscard]] InferInput finish(std::string name) && {
    InferInput input;
    input.name = std::move(name);
    input.untyped = true;
    input.tensor = tensor();
    input.tensor.shape = {static_cast<std::int64_t>(rows_)};
    input.nulls = std::move(nulls_);
    return input;
  }

 private:
  void push(std::int64_t integer, double real) {
    integers_.push_back(integer);
    reals_.push_back(real);
  }

  bool become(Kind kind) {
    if (kind_ != Kind::kNone) return kind_ == kind;
    kind_ = kind;
    for (std::size_t i = 0; i < rows_; ++i) {
      if (kind == Kind::kText) {
        append_bytes_element(texts_, {});
      } else {
        push(0, std::numeric_limits<double>::quiet_NaN());
      }
    }
    return true;
  }

  Tensor tensor() {
    Buffer data;
    switch (kind_) {
      case Kind::kText: return {DataType::kBytes, {}, std::move(texts_).share()};
      case Kind::kBool:
        data.resize(rows_);
        for (std::size_t i = 0; i < rows_; ++i) data.data()[i] = static_cast<std::byte>(integers_[i]);
        return {DataType::kBool, {}, std::move(data).share()};
      case Kind::kInteger:
        data.append(integers_.data(), rows_ * sizeof(std::int64_t));
        return {DataType::kInt64, {}, std::move(data).share()};
      case Kind::kNone: reals_.assign(rows_, std::numeric_limits<double>::quiet_NaN()); break;
      case Kind::kFloat: break;
    }
    data.append(reals_.data(), rows_ * sizeof(double));
    return {DataType::kFp64, {}, std::move(data).share()};
  }

  Kind kind_ = Kind::kNone;
  std::size_t rows_ = 0;
  std::vector<std::int64_t> integers_;
  std::vector<double> reals_;
  Buffer texts_;
  std::vector<std::size_t> nulls_;
};

class RecordsReader {
 public:
  RecordsReader(Members& members, std::string_view member) : members_(members), member_(member) {}

  Status read(ondemand::value value, std::vector<InferInput>& inputs) {
    ondemand::array array;
    if (value.get_array().get(array)) return members_.wrong(value, member_, "an array of objects");
    for (auto item : array) {
      ondemand::value element;
      if (const auto error = item.get(element)) return members_.text().malformed(error);
      ondemand::object object;
      if (element.get_object().get(object)) {
        return members_.wrong(element, fmt::format("{}[{}]", member_, row_), "an object");
      }
      TRY_STATUS(record(object));
      ++row_;
    }
    if (row_ == 0) return fail(Code::kInvalidArgument, fmt::format("{}: empty, expected at least one record", member_));
    if (columns_.empty()) return fail(Code::kInvalidArgument, fmt::format("{}: no record has a member", member_));
    for (const auto& [name, index] : positions_) names_[index] = &name;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      columns_[i].begin(row_);
      inputs.push_back(std::move(columns_[i]).finish(*names_[i]));
    }
    return {};
  }

 private:
  Status record(ondemand::object object) {
    for (auto item : object) {
      ondemand::field field;
      if (const auto error = std::move(item).get(field)) return members_.text().malformed(error);
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return members_.text().malformed(error);
      auto found = positions_.find(name);
      if (found == positions_.end()) {
        if (columns_.size() == members_.limits().tensors_max) {
          return fail(Code::kInvalidArgument,
                      fmt::format("{}: more than {} columns", member_, members_.limits().tensors_max));
        }
        found = positions_.emplace(name, columns_.size()).first;
        columns_.emplace_back();
        names_.push_back(nullptr);
      }
      if (!columns_[found->second].begin(row_)) {
        return fail(Code::kInvalidArgument, fmt::format("{}: appears twice", place(found->first)));
      }
      TRY_STATUS(cell(field.value(), columns_[found->second], found->first));
    }
    const std::size_t cells_max = std::max(members_.text().text.size(), kCellsAlways);
    if (columns_.size() > cells_max / (row_ + 1)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: {} columns in {} records are mostly missing, expected records "
                              "with the same members",
                              member_, columns_.size(), row_ + 1));
    }
    return {};
  }

  Status cell(ondemand::value value, Column& column, std::string_view name) {
    std::string_view token = value.raw_json_token();
    token = token.substr(0, token.find_last_not_of(" \n\r\t") + 1);
    ondemand::json_type type;
    if (token == "NaN") {
      column.null();
      return {};
    }
    if (value.type().get(type)) return members_.wrong(value, place(name), kExpected);
    switch (type) {
      case ondemand::json_type::null: column.null(); return members_.skip(value, 3);
      case ondemand::json_type::boolean: {
        bool truth = false;
        if (value.get_bool().get(truth)) return members_.wrong(value, place(name), kExpected);
        return settle(column.truth(truth), Kind::kBool, name);
      }
      case ondemand::json_type::string: {
        std::string_view text;
        if (const auto error = value.get_string().get(text)) return members_.text().malformed(error);
        return settle(column.text(text), Kind::kText, name);
      }
      case ondemand::json_type::number: {
        ondemand::number number;
        if (value.get_number().get(number)) return members_.wrong(value, place(name), "a number within 64 bits");
        if (number.is_int64()) return settle(column.integer(number.get_int64()), Kind::kInteger, name);
        return settle(column.real(number.as_double()), Kind::kFloat, name);
      }
      default: return members_.wrong(value, place(name), kExpected);
    }
  }

  [[nodiscard]] Status settle(std::optional<Kind> before, Kind found, std::string_view name) const {
    if (!before || (is_number(*before) && is_number(found))) return {};
    return fail(Code::kInvalidArgument, fmt::format("{}: found {} after {}, expected one kind of value in a column",
                                                    place(name), kind_name(found), kind_name(*before)));
  }

  [[nodiscard]] std::string place(std::string_view name) const {
    return fmt::format("{}[{}].{}", member_, row_, printable(name));
  }

  Members& members_;
  const std::string_view member_;
  std::map<std::string, std::size_t, std::less<>> positions_;
  std::vector<Column> columns_;
  std::vector<const std::string*> names_;
  std::size_t row_ = 0;
};

}  // namespace

Status read_json_records(Members& members, ondemand::value value, std::string_view member,
                         std::vector<InferInput>& inputs) {
  return RecordsReader(members, member).read(value, inputs);
}

}  // namespace protean
