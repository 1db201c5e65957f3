// SPDX-License-Identifier: Apache-2.0
// What is known of a tensor while a graph is lowered: its type, as much of its shape as follows, its contents when they
// are constant, and those integers in it that are known although the tensor as a whole is not (a shape whose batch is
// free). Shapes decide how operations lower, so that they are followed everywhere.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "proto/tensorflow.pb.h"
#include "tensorflow/literal.h"

namespace protean {

using DType = tensorflow::DataType;

/// Sizes and attributes above this are not believed.
inline constexpr std::int64_t kSizeMax = std::int64_t{1} << 40U;

/// Dimensions as far as they are known: -1 for a free one; `ranked` false when not even their number is known.
struct Dims {
  bool ranked = false;
  Shape sizes;

  static Dims of(Shape sizes) { return Dims{true, std::move(sizes)}.bounded(); }
  static Dims any() { return {}; }
  static Dims any_of(std::size_t rank) { return {true, Shape(rank, -1)}; }

  /// Sizes that no tensor has become free ones, so that arithmetic on sizes cannot overflow.
  [[nodiscard]] Dims bounded() && noexcept;
  [[nodiscard]] std::size_t rank() const noexcept { return sizes.size(); }
  [[nodiscard]] bool known() const noexcept;
  [[nodiscard]] bool scalar() const noexcept { return ranked && sizes.empty(); }
  /// -1 when it is free or the rank is unknown.
  [[nodiscard]] std::int64_t size(std::size_t axis) const noexcept {
    return ranked && axis < sizes.size() ? sizes[axis] : -1;
  }
  bool operator==(const Dims&) const = default;
};

/// The shape of an element-wise operation's result.
[[nodiscard]] Dims broadcast(const Dims& a, const Dims& b);
/// What is true of both: differing sizes become free.
[[nodiscard]] Dims common(const Dims& a, const Dims& b);
/// What either knows.
[[nodiscard]] Dims merged(const Dims& a, const Dims& b);

/// Marks an element of `Value::ints` that is not known.
inline constexpr std::int64_t kUnknownInt = std::numeric_limits<std::int64_t>::min();
/// Only short tensors are followed integer by integer.
inline constexpr std::size_t kIntsMax = 256;

struct Value;

/// A TensorList on its way: its elements stacked along a new first dimension.
/// `element`: shape of one. `reserved`: perhaps nothing has been written yet; then there is either no stack at all, and
/// `count` has the number of elements (int64, one element), or one whose free dimensions may be of size 1.
struct TensorListState {
  DType dtype = tensorflow::DT_INVALID;
  Dims element;
  bool reserved = false;
  std::shared_ptr<const Value> count;
};

/// A copyable value.  `name`: in the ONNX graph; empty while it is only known here.
struct Value {
  DType dtype = tensorflow::DT_INVALID;
  Dims dims;
  std::string name;
  std::shared_ptr<const Literal> literal;
  /// Row-major contents of an integer or boolean tensor of rank 0 or 1.
  std::optional<std::vector<std::int64_t>> ints;
  /// The node that makes a variable or a table; dtype is DT_RESOURCE.
  const tensorflow::NodeDef* resource = nullptr;
  /// dtype is DT_VARIANT; name and dims are those of the stack.
  std::shared_ptr<const TensorListState> list;
  /// Comes from something that does not lower.
  bool poison = false;

  static Value of(std::shared_ptr<const Literal> literal);

  [[nodiscard]] bool constant() const noexcept { return literal != nullptr; }
  /// All integers when every one is known.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> known_ints() const;
  [[nodiscard]] std::optional<std::int64_t> known_int() const;
};

[[nodiscard]] bool is_integer(DType dtype) noexcept;
[[nodiscard]] bool is_floating(DType dtype) noexcept;
/// Signed and unsigned integers narrower than 32 bits, for which runtimes lack arithmetic.
[[nodiscard]] bool is_narrow(DType dtype) noexcept;

}  // namespace protean
