// SPDX-License-Identifier: Apache-2.0
// The attributes of one fitted object, read by name with messages that say whose they are, and the budgets that keep
// a small hostile file from becoming a large model.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/scikit_learn/estimator.h"
#include "backends/scikit_learn/numpy_array.h"
#include "backends/scikit_learn/pickle_value.h"
#include "base/result.h"

namespace protean::sklearn {

/// What one load has left.  Values may be shared inside a file, so copies are counted, not bytes of the file.
struct LoadContext {
  explicit LoadContext(std::size_t file_bytes) : numbers_left((std::size_t{8} << 20) + 2 * file_bytes) {}

  /// Errors: kInvalidArgument when the file unfolds to more numbers than its size explains.
  [[nodiscard]] Status charge(std::size_t numbers);

  std::size_t numbers_left;
  std::size_t objects_left = 200'000;
  unsigned depth = 0;
  std::set<std::string> versions;  // of scikit-learn, as objects in the file name them
};

/// A view of one object.  Valid while its pool and context are.
class State {
 public:
  /// Errors: kInvalidArgument when `object` is no instance with attributes, or the budget is spent.
  static Result<State> of(const Value& object, LoadContext& context);

  [[nodiscard]] const std::string& class_name() const noexcept { return class_name_; }
  [[nodiscard]] const Value& object() const noexcept { return object_; }
  [[nodiscard]] LoadContext& context() const noexcept { return *context_; }

  /// None when there is no such attribute.
  [[nodiscard]] Value find(std::string_view name) const { return attributes_.key(name); }
  [[nodiscard]] bool has(std::string_view name) const { return !find(name).is_none(); }
  /// Errors of these: kInvalidArgument, naming class and attribute.
  [[nodiscard]] Result<Value> get(std::string_view name) const;
  [[nodiscard]] Result<double> number(std::string_view name) const;
  [[nodiscard]] Result<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] Result<std::vector<double>> numbers(std::string_view name) const;
  /// Two dimensions; one becomes a single row. Sparse matrices are filled up.
  [[nodiscard]] Result<Matrix> matrix(std::string_view name) const;
  [[nodiscard]] Result<std::vector<Matrix>> matrices(std::string_view name) const;
  [[nodiscard]] Result<Labels> labels(std::string_view name) const;
  /// These have a value for when the attribute is missing, None or of another type.
  [[nodiscard]] double number_or(std::string_view name, double otherwise) const;
  [[nodiscard]] bool flag_or(std::string_view name, bool otherwise) const;
  [[nodiscard]] std::string text_or(std::string_view name, std::string_view otherwise) const;

  /// class_name, n_features_in_ and feature_names_in_, which most have. `inputs`: when n_features_in_ is missing.
  [[nodiscard]] Result<EstimatorFacts> facts(std::size_t inputs = 0) const;
  /// That `matrix` has `rows` x `cols`.
  [[nodiscard]] Status expect(const Matrix& matrix, std::size_t rows, std::size_t cols, std::string_view name) const;
  [[nodiscard]] Status expect(std::size_t size, std::size_t wanted, std::string_view name) const;
  [[nodiscard]] tl::unexpected<Error> refuse(const std::string& what) const;
  /// The same, with the way out: for options that are not served.
  [[nodiscard]] tl::unexpected<Error> not_served(const std::string& what) const;

 private:
  State(Value object, Value attributes, std::string class_name, LoadContext& context)
      : object_(object), attributes_(attributes), class_name_(std::move(class_name)), context_(&context) {}

  Value object_;
  Value attributes_;
  std::string class_name_;
  LoadContext* context_;
};

/// Arrays (or lists of numbers) without a name of their own.  Errors: kInvalidArgument.
[[nodiscard]] Result<std::vector<double>> read_numbers(const Value& value, LoadContext& context);
[[nodiscard]] Result<Matrix> read_matrix(const Value& value, LoadContext& context);
[[nodiscard]] Result<Labels> read_labels(const Value& value, LoadContext& context);

}  // namespace protean::sklearn
