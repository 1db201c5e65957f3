// SPDX-License-Identifier: Apache-2.0
// Operations of ONNX as functions over values that know their shapes. Integers that are known are computed here and
// never become nodes: most of a Keras graph is arithmetic on shapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensorflow/lowering/emitter.h"
#include "tensorflow/lowering/value.h"

namespace protean {

/// What Resize, Pad and the like are told by name.
using OnnxAttributes = std::vector<OnnxAttribute>;

/// Writes through an Emitter, which it does not own.  Axes may be negative where a rank is known or ONNX allows it.
class Build {
 public:
  explicit Build(Emitter& emitter) noexcept : emitter_(&emitter) {}
  [[nodiscard]] Emitter& emitter() const noexcept { return *emitter_; }

  Value op(const std::string& type, const std::vector<Value>& inputs, DType dtype, Dims dims,
           OnnxAttributes attributes = {});

  // Constants.
  static Value integers(const std::vector<std::int64_t>& values, DType dtype = tensorflow::DT_INT64);
  static Value integer(std::int64_t value, DType dtype = tensorflow::DT_INT64);
  static Value number(DType dtype, double value);
  static Value absent() { return {}; }

  // Types.
  Value cast(const Value& value, DType dtype);

  // Shapes: one-dimensional values of int64.
  Value shape(const Value& value);
  Value dim(const Value& value, std::int64_t axis);
  Value as_int64(const Value& value) { return cast(value, tensorflow::DT_INT64); }

  // Layout.
  Value reshape(const Value& value, const Value& to, std::optional<Dims> dims = std::nullopt);
  Value reshape_to(const Value& value, const Shape& to) { return reshape(value, integers(to)); }
  Value transpose(const Value& value, const std::vector<std::int64_t>& order);
  Value unsqueeze(const Value& value, std::vector<std::int64_t> axes);
  Value squeeze(const Value& value, std::vector<std::int64_t> axes);
  Value concat(const std::vector<Value>& values, std::int64_t axis);
  Value expand(const Value& value, const Value& shape);
  Value tile(const Value& value, const Value& repeats);

  struct SliceRange {
    std::vector<std::int64_t> axes;
    Value starts;
    Value ends;
    std::vector<std::int64_t> steps;
  };
  Value slice(const Value& value, const SliceRange& range);
  /// [start, end) of one axis, step 1.
  Value slice_axis(const Value& value, std::int64_t axis, std::int64_t start, std::int64_t end);
  Value gather(const Value& value, const Value& indices, std::int64_t axis);
  /// `before` and `after`: int64, one for each dimension.
  Value pad(const Value& value, const Value& before, const Value& after, const Value& with,
            const std::string& mode = "constant");

  // Arithmetic, element by element, broadcast. The result has the type of `a` unless it is a comparison.
  Value binary(const std::string& type, const Value& a, const Value& b);
  Value compare(const std::string& type, const Value& a, const Value& b);
  Value unary(const std::string& type, const Value& value, OnnxAttributes attributes = {});
  Value where(const Value& condition, const Value& a, const Value& b);
  Value add(const Value& a, const Value& b) { return binary("Add", a, b); }
  Value sub(const Value& a, const Value& b) { return binary("Sub", a, b); }
  Value mul(const Value& a, const Value& b) { return binary("Mul", a, b); }
  Value div(const Value& a, const Value& b) { return binary("Div", a, b); }
  /// Towards minus infinity.
  Value floor_div(const Value& a, const Value& b);
  Value floor_mod(const Value& a, const Value& b);
  Value matmul(const Value& a, const Value& b);
  /// `type`: ReduceSum and so on. Without axes: all of them.
  Value reduce(const std::string& type, const Value& value, std::optional<std::vector<std::int64_t>> axes,
               bool keep_dims);

 private:
  Emitter* emitter_;
};

}  // namespace protean
