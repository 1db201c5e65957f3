// SPDX-License-Identifier: Apache-2.0
// Typed reading of attributes.
#include "backends/scikit_learn/state.h"

#include <algorithm>
#include <utility>

#include "backends/scikit_learn/pickle_globals.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean::sklearn {
namespace {

/// Attributes of one object: reading one looks through all.
constexpr std::size_t kAttributesMax = 2048;

tl::unexpected<Error> wrong(const std::string& what) { return fail(Code::kInvalidArgument, what); }

bool is_sparse(const Value& value) {
  return value.is(Kind::kObject) && value.global_module().starts_with("scipy.sparse");
}

Status fill_compressed(const Value& state, bool by_row, Matrix& out, LoadContext& context) {
  TRY(const auto data, read_numbers(state.key("data"), context));
  TRY(const auto indices, read_numbers(state.key("indices"), context));
  TRY(const auto starts, read_numbers(state.key("indptr"), context));
  const auto lines = by_row ? out.rows : out.cols;
  const auto width = static_cast<double>(by_row ? out.cols : out.rows);
  if (starts.size() != lines + 1 || indices.size() != data.size())
    return wrong("a sparse matrix of sizes that disagree");
  for (std::size_t line = 0; line < lines; ++line) {
    if (!(starts[line] >= 0 && starts[line] <= starts[line + 1] &&
          starts[line + 1] <= static_cast<double>(data.size()))) {
      return wrong("a sparse matrix whose lines are out of order");
    }
    for (auto k = static_cast<std::size_t>(starts[line]); k < static_cast<std::size_t>(starts[line + 1]); ++k) {
      if (!(indices[k] >= 0 && indices[k] < width)) return wrong("a sparse matrix with an index out of range");
      const auto other = static_cast<std::size_t>(indices[k]);
      (by_row ? out.at(line, other) : out.at(other, line)) += data[k];
    }
  }
  return {};
}

/// CSR, CSC, and the diagonal that TfidfTransformer kept its weights in.
Result<Matrix> read_sparse(const Value& value, LoadContext& context) {
  const auto state = value.state();
  TRY(const auto shape, read_dimensions(state.key("_shape")));
  if (shape.size() != 2) return wrong("a sparse matrix of " + std::to_string(shape.size()) + " dimensions");
  const auto name = value.global_name();
  if (name.starts_with("dia")) {
    TRY(auto diagonal, read_matrix(state.key("data"), context));
    if (diagonal.rows != 1 || diagonal.cols != shape[0]) return wrong("a diagonal matrix of more than one diagonal");
    return diagonal;
  }
  TRY(const auto count, dimensions_product(shape));
  TRY_STATUS(context.charge(count));
  Matrix out(shape[0], shape[1]);
  TRY_STATUS(fill_compressed(state, name.starts_with("csr"), out, context));
  return out;
}

}  // namespace

Status LoadContext::charge(std::size_t numbers) {
  if (numbers > numbers_left) return wrong("the file unfolds to more numbers than a model of its size has");
  numbers_left -= numbers;
  return {};
}

Result<std::vector<double>> read_numbers(const Value& value, LoadContext& context) {
  std::vector<double> numbers;
  if (value.is(Kind::kList) || value.is(Kind::kTuple)) {
    TRY_STATUS(context.charge(value.size()));
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto number = read_number(value.item(i));
      if (!number) return wrong("found " + value.item(i).describe() + " in a list, expected a number");
      numbers.push_back(*number);
    }
    return numbers;
  }
  if (const auto number = read_number(value)) return std::vector<double>{*number};
  TRY(const auto array, read_array(value));
  TRY_STATUS(context.charge(array.count));
  numbers.reserve(array.count);
  for (std::size_t i = 0; i < array.count; ++i) {
    TRY(numbers.emplace_back(), number_at(array, i));
  }
  return numbers;
}

Result<Matrix> read_matrix(const Value& value, LoadContext& context) {
  if (is_sparse(value)) return read_sparse(value, context);
  Matrix matrix;
  if (is_array(value)) {
    TRY(const auto array, read_array(value));
    if (array.shape.size() > 2) return wrong("an array of " + std::to_string(array.shape.size()) + " dimensions");
    matrix.rows = array.shape.size() == 2 ? array.shape[0] : 1;
    matrix.cols = array.shape.empty() ? 1 : array.shape.back();
  }
  TRY(matrix.values, read_numbers(value, context));
  if (!is_array(value)) {
    matrix.rows = 1;
    matrix.cols = matrix.values.size();
  }
  return matrix;
}

Result<Labels> read_labels(const Value& value, LoadContext& context) {
  TRY(const auto array, read_array(value));
  if (array.shape.size() != 1) return wrong("labels of " + std::to_string(array.shape.size()) + " dimensions");
  TRY_STATUS(context.charge(array.count));
  Labels labels;
  for (std::size_t i = 0; i < array.count; ++i) {
    if (array.type.kind == 'f') {
      labels.type = DataType::kFp64;
      TRY(labels.reals.emplace_back(), number_at(array, i));
    } else if (array.type.is_number()) {
      if (array.type.kind == 'b') labels.type = DataType::kBool;
      labels.numbers.push_back(element_integer(array.data.data() + i * array.type.size, array.type.kind,
                                               array.type.size, array.type.swapped));
    } else if (const auto integer = array.type.kind == 'O' ? read_integer(array.objects.item(i)) : std::nullopt) {
      labels.numbers.push_back(*integer);
    } else {
      labels.type = DataType::kBytes;
      TRY(labels.texts.emplace_back(), text_at(array, i));
    }
  }
  if (!labels.texts.empty() && !labels.numbers.empty()) return wrong("labels of two types");
  return labels;
}

Result<State> State::of(const Value& object, LoadContext& context) {
  if (!object.is(Kind::kObject)) return wrong("found " + object.describe() + ", expected a scikit-learn estimator");
  if (context.objects_left == 0) return wrong("more objects than a model has");
  --context.objects_left;
  auto attributes = object.state();
  // (None, {...}) is how objects with slots keep their state.
  if (attributes.is(Kind::kTuple) && attributes.size() == 2) attributes = attributes.item(1);
  if (attributes.size() / 2 > kAttributesMax) return wrong(object.describe() + ": too many attributes");
  const auto version = attributes.key("_sklearn_version");
  if (version.is(Kind::kText) && context.versions.size() < 8) context.versions.insert(printable(version.text(), 32));
  return State(object, attributes, printable(object.global_name(), 64), context);
}

tl::unexpected<Error> State::refuse(const std::string& what) const { return wrong(class_name_ + ": " + what); }

tl::unexpected<Error> State::not_served(const std::string& what) const {
  return wrong(class_name_ + ": " + what + "; " + std::string(kWayOut));
}

Result<Value> State::get(std::string_view name) const {
  const auto value = find(name);
  if (value.is_none()) return refuse("no attribute '" + std::string(name) + "'; was it fitted before it was saved?");
  return value;
}

Result<double> State::number(std::string_view name) const {
  TRY(const auto value, get(name));
  const auto number = read_number(value);
  if (!number) return refuse("'" + std::string(name) + "' is " + value.describe() + ", expected a number");
  return *number;
}

Result<std::int64_t> State::integer(std::string_view name) const {
  TRY(const auto value, get(name));
  const auto number = read_integer(value);
  if (!number) return refuse("'" + std::string(name) + "' is " + value.describe() + ", expected an integer");
  return *number;
}

namespace {

template <typename T>
Result<T> named(Result<T> result, const State& state, std::string_view name) {
  if (result) return result;
  return state.refuse("'" + std::string(name) + "': " + result.error().message);
}

}  // namespace

Result<std::vector<double>> State::numbers(std::string_view name) const {
  TRY(const auto value, get(name));
  return named(read_numbers(value, *context_), *this, name);
}

Result<Matrix> State::matrix(std::string_view name) const {
  TRY(const auto value, get(name));
  return named(read_matrix(value, *context_), *this, name);
}

Result<std::vector<Matrix>> State::matrices(std::string_view name) const {
  TRY(const auto value, get(name));
  std::vector<Matrix> all;
  if (!value.is_sequence() || value.size() > 10'000) return refuse("'" + std::string(name) + "' is no list of arrays");
  for (std::size_t i = 0; i < value.size(); ++i) {
    TRY(all.emplace_back(), named(read_matrix(value.item(i), *context_), *this, name));
  }
  return all;
}

Result<Labels> State::labels(std::string_view name) const {
  TRY(const auto value, get(name));
  if (value.is_sequence()) return not_served("several outputs of classes at once are not served natively");
  return named(read_labels(value, *context_), *this, name);
}

double State::number_or(std::string_view name, double otherwise) const {
  return read_number(find(name)).value_or(otherwise);
}

bool State::flag_or(std::string_view name, bool otherwise) const {
  const auto value = read_integer(find(name));
  return value ? *value != 0 : otherwise;
}

std::string State::text_or(std::string_view name, std::string_view otherwise) const {
  return read_text(find(name)).value_or(std::string(otherwise));
}

Result<EstimatorFacts> State::facts(std::size_t inputs) const {
  EstimatorFacts facts;
  facts.class_name = class_name_;
  const auto count = read_integer(find("n_features_in_"));
  if (count && (*count < 0 || *count > (std::int64_t{1} << 31))) return refuse("'n_features_in_' is out of range");
  facts.inputs = count ? static_cast<std::size_t>(*count) : inputs;
  if (has("feature_names_in_")) {
    TRY(auto names, labels("feature_names_in_"));
    if (names.texts.size() == facts.inputs) facts.input_names = std::move(names.texts);
  }
  return facts;
}

Status State::expect(const Matrix& matrix, std::size_t rows, std::size_t cols, std::string_view name) const {
  if (matrix.rows == rows && matrix.cols == cols) return {};
  return refuse("'" + std::string(name) + "' has shape [" + std::to_string(matrix.rows) + "," +
                std::to_string(matrix.cols) + "], expected [" + std::to_string(rows) + "," + std::to_string(cols) +
                "]");
}

Status State::expect(std::size_t size, std::size_t wanted, std::string_view name) const {
  if (size == wanted) return {};
  return refuse("'" + std::string(name) + "' has " + std::to_string(size) + " elements, expected " +
                std::to_string(wanted));
}

}  // namespace protean::sklearn
