// SPDX-License-Identifier: Apache-2.0
// NumPy arrays as files carry them: inside a pickle in three ways, behind a joblib wrapper, or as a .npy member.
// All become one view of the file's bytes, checked once; elements are read as double, int64 or text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/scikit_learn/pickle_value.h"
#include "base/result.h"

namespace protean::sklearn {

/// `kind`: NumPy's letter: b i u f S U O V.  `size`: bytes of one element.  `swapped`: big-endian.
/// `fields`: of a record (V), one level deep.
struct ElementType {
  struct Field;
  char kind = 'f';
  std::size_t size = 8;
  bool swapped = false;
  std::vector<Field> fields;

  [[nodiscard]] bool is_number() const noexcept { return kind == 'b' || kind == 'i' || kind == 'u' || kind == 'f'; }
};

struct ElementType::Field {
  std::string name;
  std::size_t offset = 0;
  char kind = 'f';
  std::size_t size = 8;
  bool swapped = false;
};

/// `data`: count() elements of type.size bytes, in C order or Fortran's.  `objects`: of kind O instead.
/// A view: valid while the pool and the file's bytes are.
struct ArrayView {
  ElementType type;
  std::vector<std::size_t> shape;
  bool fortran = false;
  std::string_view data;
  Value objects;
  std::size_t count = 0;

  /// Where the element with this number in C order stands in `data`.
  [[nodiscard]] std::size_t place(std::size_t index) const;
};

/// Reads `dtype` objects and type strings (`<f8`).
/// Errors: kInvalidArgument for what no model has.
[[nodiscard]] Result<ElementType> read_element_type(const Value& value);
[[nodiscard]] Result<ElementType> parse_element_type(std::string_view text);

/// Dimensions from a tuple of ints (or one int), and their product.
/// Errors: kInvalidArgument for negative ones, more than 8, or a product beyond 2^40.
[[nodiscard]] Result<std::vector<std::size_t>> read_dimensions(const Value& value);
[[nodiscard]] Result<std::size_t> dimensions_product(std::span<const std::size_t> shape);

/// The array that `value` describes.
/// Errors: kInvalidArgument when it is none, or its bytes are not as many as its shape asks for.
[[nodiscard]] Result<ArrayView> read_array(const Value& value);
[[nodiscard]] bool is_array(const Value& value);

/// One number at `bytes` (type size many): bool, integer or floating point as double, or as int64.
[[nodiscard]] double element_number(const char* bytes, char kind, std::size_t size, bool swapped);
[[nodiscard]] std::int64_t element_integer(const char* bytes, char kind, std::size_t size, bool swapped);

/// A Python or NumPy number (int, float, bool, scalar, array of no dimensions); nullopt when it is none.
[[nodiscard]] std::optional<double> read_number(const Value& value);
[[nodiscard]] std::optional<std::int64_t> read_integer(const Value& value);
/// A Python or NumPy text; nullopt when it is none.
[[nodiscard]] std::optional<std::string> read_text(const Value& value);

/// The element with this number in C order.  Errors: kInvalidArgument when it is no number (no text).
[[nodiscard]] Result<double> number_at(const ArrayView& array, std::size_t index);
[[nodiscard]] Result<std::string> text_at(const ArrayView& array, std::size_t index);

}  // namespace protean::sklearn
