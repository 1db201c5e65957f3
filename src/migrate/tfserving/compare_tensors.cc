// SPDX-License-Identifier: Apache-2.0
// Elements are read where they lie: a list that is padded to 2^40 elements by its last value must cost nothing.
#include "migrate/tfserving/compare_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/checked_math.h"
#include "proto/tensorflow.pb.h"

namespace protean::migrate {
namespace {

using tensorflow::TensorProto;

/// More elements than any answer has; a shape is only a claim.
constexpr std::int64_t kElementsMax = std::int64_t{1} << 28;

std::string type_name(const TensorProto& tensor) {
  const std::string& name = tensorflow::DataType_Name(tensor.dtype());
  return name.empty() ? fmt::format("{}", static_cast<int>(tensor.dtype())) : name;
}

std::vector<std::int64_t> dimensions(const TensorProto& tensor) {
  std::vector<std::int64_t> sizes;
  for (const auto& dim : tensor.tensor_shape().dim()) sizes.push_back(dim.size());
  return sizes;
}

std::string shape_text(const TensorProto& tensor) {
  if (tensor.tensor_shape().unknown_rank()) return "unknown";
  return fmt::format("[{}]", fmt::join(dimensions(tensor), ","));
}

std::optional<std::int64_t> element_count(const std::vector<std::int64_t>& dims) {
  std::int64_t count = 1;
  for (const std::int64_t size : dims) {
    const auto product = size < 0 ? std::nullopt : checked_mul(count, size);
    if (!product) return std::nullopt;
    count = *product;
  }
  return count <= kElementsMax ? std::optional(count) : std::nullopt;
}

/// `[1,2]`: where element `at` lies, for people.
std::string place_text(const std::vector<std::int64_t>& dims, std::int64_t at) {
  std::vector<std::int64_t> place(dims.size());
  for (std::size_t i = dims.size(); i-- > 0;) {
    place[i] = at % dims[i];
    at /= dims[i];
  }
  return fmt::format("[{}]", fmt::join(place, ","));
}

/// Source: IEEE 754, binary16.
double half_value(std::uint16_t bits) noexcept {
  const int exponent = (bits >> 10) & 0x1F;
  const int fraction = bits & 0x3FF;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(fraction + 1024, exponent - 25);
}

double bfloat16_value(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// The elements of one tensor as T; in the list they are stored as the list's type.
template <typename T, typename List>
class Elements {
 public:
  Elements(const TensorProto& tensor, const List& list, std::int64_t count)
      : content_(tensor.tensor_content()), list_(list), count_(count) {}

  [[nodiscard]] bool well_formed() const {
    if (!content_.empty()) return content_.size() == static_cast<std::size_t>(count_) * sizeof(T) && list_.empty();
    return list_.size() <= count_;
  }
  [[nodiscard]] T at(std::int64_t i) const {
    if (!content_.empty()) {
      T value;
      std::memcpy(&value, content_.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
      return value;
    }
    if (list_.empty()) return T{};
    return static_cast<T>(list_.Get(static_cast<int>(std::min<std::int64_t>(i, list_.size() - 1))));
  }
  [[nodiscard]] bool raw() const noexcept { return !content_.empty(); }

 private:
  const std::string& content_;
  const List& list_;
  const std::int64_t count_;
};

class TensorWalk {
 public:
  TensorWalk(Comparison& out, const Path& path, double tolerance) : out_(out), path_(path), tolerance_(tolerance) {}

  void compare(const TensorProto& from, const TensorProto& to) {
    if (from.dtype() != to.dtype()) {
      out_.differ(DifferenceKind::kDtype, path_.member("dtype"), type_name(from), type_name(to));
    }
    if (shape_text(from) != shape_text(to)) {
      out_.differ(DifferenceKind::kShape, path_.member("tensor_shape"), shape_text(from), shape_text(to));
    }
    if (from.dtype() != to.dtype() || shape_text(from) != shape_text(to)) return;
    dims_ = dimensions(from);
    const auto count = element_count(dims_);
    if (!count) return unreadable(from, to, "a shape that no answer can have");
    count_ = *count;
    compare_elements(from, to);
  }

 private:
  void unreadable(const TensorProto& from, const TensorProto& to, std::string_view why) {
    if (from.SerializeAsString() == to.SerializeAsString()) return;
    const auto text = [&why](const TensorProto& t) { return fmt::format("{} bytes, {}", t.ByteSizeLong(), why); };
    out_.differ(DifferenceKind::kUnreadable, path_, text(from), text(to));
  }

  template <typename T, typename Get, typename Compare>
  void walk(const TensorProto& from, const TensorProto& to, Get list_of, Compare compare_one) {
    using List = std::remove_cvref_t<decltype(list_of(from))>;
    const Elements<T, List> a(from, list_of(from), count_);
    const Elements<T, List> b(to, list_of(to), count_);
    if (!a.well_formed() || !b.well_formed()) return unreadable(from, to, "elements that do not fill the shape");
    for (std::int64_t i = 0; i < count_; ++i) compare_one(i, a.at(i), b.at(i));
    note_encoding(a.raw(), b.raw());
  }

  void note_encoding(bool from_raw, bool to_raw) {
    if (from_raw == to_raw || count_ == 0) return;
    const auto text = [](bool raw) { return raw ? "tensor_content" : "a typed list"; };
    out_.differ(DifferenceKind::kFormat, path_, text(from_raw), text(to_raw));
  }

  template <typename T, typename Get>
  void walk_exactly(const TensorProto& from, const TensorProto& to, Get list_of) {
    walk<T>(from, to, list_of, [this](std::int64_t i, T a, T b) {
      if (a != b) out_.differ(DifferenceKind::kValue, at(i), fmt::format("{}", a), fmt::format("{}", b));
    });
  }

  template <typename T, typename Get, typename Value>
  void walk_closely(const TensorProto& from, const TensorProto& to, Get list_of, Value value) {
    walk<T>(from, to, list_of, [this, &value](std::int64_t i, T a, T b) {
      const double x = value(a);
      const double y = value(b);
      if (x == y || (x != x && y != y)) return;
      if (are_close(x, y, tolerance_)) return out_.within(std::fabs(x - y));
      out_.deviate(at(i), x, y);
    });
  }

  /// The place of an element as a path; one at a time.
  Path at(std::int64_t i) {
    place_ = place_text(dims_, i);
    return path_.member(place_);
  }

  void compare_strings(const TensorProto& from, const TensorProto& to) {
    if (!from.tensor_content().empty() || !to.tensor_content().empty() || from.string_val_size() > count_ ||
        to.string_val_size() > count_) {
      return unreadable(from, to, "strings in an encoding that is not read here");
    }
    const auto value = [](const TensorProto& t, std::int64_t i) {
      const int last = t.string_val_size() - 1;
      return last < 0 ? std::string_view()
                      : std::string_view(t.string_val(static_cast<int>(std::min<std::int64_t>(i, last))));
    };
    for (std::int64_t i = 0; i < count_; ++i) {
      const auto a = value(from, i);
      const auto b = value(to, i);
      if (a != b) out_.differ(DifferenceKind::kValue, at(i), a, b);
    }
  }

  /// Pairs of numbers; `half` is the shape with 2 behind it.
  template <typename T, typename Get>
  void compare_complex(const TensorProto& from, const TensorProto& to, Get list_of) {
    dims_.push_back(2);
    count_ *= 2;
    walk_closely<T>(from, to, list_of, [](T v) { return static_cast<double>(v); });
  }

  void compare_elements(const TensorProto& from, const TensorProto& to) {
    const auto ints = [](const TensorProto& t) -> const auto& { return t.int_val(); };
    const auto halves = [](const TensorProto& t) -> const auto& { return t.half_val(); };
    const auto as_double = [](auto v) { return static_cast<double>(v); };
    switch (from.dtype()) {
      case tensorflow::DT_FLOAT:
        return walk_closely<float>(
            from, to, [](const auto& t) -> const auto& { return t.float_val(); }, as_double);
      case tensorflow::DT_DOUBLE:
        return walk_closely<double>(
            from, to, [](const auto& t) -> const auto& { return t.double_val(); }, as_double);
      case tensorflow::DT_HALF: return walk_closely<std::uint16_t>(from, to, halves, half_value);
      case tensorflow::DT_BFLOAT16: return walk_closely<std::uint16_t>(from, to, halves, bfloat16_value);
      case tensorflow::DT_INT32:
      case tensorflow::DT_QINT32: return walk_exactly<std::int32_t>(from, to, ints);
      case tensorflow::DT_INT16:
      case tensorflow::DT_QINT16: return walk_exactly<std::int16_t>(from, to, ints);
      case tensorflow::DT_UINT16:
      case tensorflow::DT_QUINT16: return walk_exactly<std::uint16_t>(from, to, ints);
      case tensorflow::DT_INT8:
      case tensorflow::DT_QINT8: return walk_exactly<std::int8_t>(from, to, ints);
      case tensorflow::DT_UINT8:
      case tensorflow::DT_QUINT8: return walk_exactly<std::uint8_t>(from, to, ints);
      default: return compare_wide(from, to);
    }
  }

  void compare_wide(const TensorProto& from, const TensorProto& to) {
    switch (from.dtype()) {
      case tensorflow::DT_INT64:
        return walk_exactly<std::int64_t>(
            from, to, [](const auto& t) -> const auto& { return t.int64_val(); });
      case tensorflow::DT_UINT32:
        return walk_exactly<std::uint32_t>(
            from, to, [](const auto& t) -> const auto& { return t.uint32_val(); });
      case tensorflow::DT_UINT64:
        return walk_exactly<std::uint64_t>(
            from, to, [](const auto& t) -> const auto& { return t.uint64_val(); });
      case tensorflow::DT_BOOL:
        return walk_exactly<bool>(
            from, to, [](const auto& t) -> const auto& { return t.bool_val(); });
      case tensorflow::DT_COMPLEX64:
        return compare_complex<float>(
            from, to, [](const auto& t) -> const auto& { return t.scomplex_val(); });
      case tensorflow::DT_COMPLEX128:
        return compare_complex<double>(
            from, to, [](const auto& t) -> const auto& { return t.dcomplex_val(); });
      case tensorflow::DT_STRING: return compare_strings(from, to);
      default: return unreadable(from, to, "a type that is compared as bytes");
    }
  }

  Comparison& out_;
  const Path& path_;
  const double tolerance_;
  std::vector<std::int64_t> dims_;
  std::int64_t count_ = 0;
  std::string place_;
};

}  // namespace

void compare_tensors(Comparison& out, const Path& path, const TensorProto& from, const TensorProto& to,
                     double tolerance) {
  TensorWalk(out, path, tolerance).compare(from, to);
}

}  // namespace protean::migrate
