// SPDX-License-Identifier: Apache-2.0
// Padding and cutting are the same walk over the larger shape, line by line of the last dimension.
#include "serving/scheduling/tensor_rows.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace protean {
namespace {

std::size_t row_elements(const Shape& shape) {
  std::size_t count = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) count *= static_cast<std::size_t>(shape[i]);
  return count;
}

/// Calls line(inside) for each line of the last dimension of `outer`, in order; `inside`: it exists in `inner` too.
/// The first dimension of both is taken to be `rows`.
template <typename F>
void for_each_line(const Shape& outer, const Shape& inner, std::uint64_t rows, F&& line) {
  Shape at(outer.size(), 0);
  std::size_t lines = rows;
  for (std::size_t i = 1; i + 1 < outer.size(); ++i) lines *= static_cast<std::size_t>(outer[i]);
  for (std::size_t n = 0; n < lines; ++n) {
    bool inside = true;
    for (std::size_t i = 1; i + 1 < outer.size(); ++i) inside = inside && at[i] < inner[i];
    line(inside);
    for (std::size_t i = outer.size() - 1; i-- > 0;) {
      if (++at[i] < outer[i] || i == 0) break;
      at[i] = 0;
    }
  }
}

std::string_view text_of(const Tensor& tensor, ByteRange range) {
  return tensor.data.text().substr(range.offset, range.count);
}

}  // namespace

RowFinder::RowFinder(const Tensor& tensor) : tensor_(tensor) {
  PROTEAN_CHECK(!tensor.shape.empty());
  row_elements_ = row_elements(tensor.shape);
  row_bytes_ = row_elements_ * element_size(tensor.type);
}

ByteRange RowFinder::next(std::uint64_t rows) {
  ByteRange range{at_, rows * row_bytes_};
  if (tensor_.type == DataType::kBytes) {
    const auto rest = tensor_.data.bytes.subspan(at_);
    BytesReader reader(rest);
    for (std::size_t i = rows * row_elements_; i > 0; --i) range.count += sizeof(std::uint32_t) + reader.next().size();
  }
  PROTEAN_CHECK(range.count <= tensor_.data.size() - at_);
  at_ += range.count;
  return range;
}

Tensor view_rows(const Tensor& tensor, std::uint64_t begin, std::uint64_t rows) {
  RowFinder finder(tensor);
  (void)finder.next(begin);
  const ByteRange range = finder.next(rows);
  Tensor view{tensor.type, tensor.shape, tensor.data.part(range.offset, range.count)};
  view.shape.front() = static_cast<std::int64_t>(rows);
  return view;
}

void append_padded_rows(Buffer& out, const Tensor& tensor, ByteRange range, std::uint64_t rows, const Shape& padded) {
  const std::string_view data = text_of(tensor, range);
  if (std::equal(tensor.shape.begin() + 1, tensor.shape.end(), padded.begin() + 1)) return out.append(data);
  const auto inner = static_cast<std::size_t>(tensor.shape.back());
  const auto outer = static_cast<std::size_t>(padded.back());
  if (tensor.type == DataType::kBytes) {
    BytesReader reader(std::as_bytes(std::span(data)));
    for_each_line(padded, tensor.shape, rows, [&](bool inside) {
      for (std::size_t i = 0; i < outer; ++i) append_bytes_element(out, inside && i < inner ? reader.next() : "");
    });
    return;
  }
  const std::size_t size = element_size(tensor.type);
  std::size_t at = 0;
  for_each_line(padded, tensor.shape, rows, [&](bool inside) {
    const std::size_t used = inside ? inner * size : 0;
    out.append(data.substr(at, used));
    at += used;
    const std::size_t start = out.size();
    out.resize(start + outer * size - used);
    if (out.size() > start) std::memset(out.data() + start, 0, out.size() - start);
  });
}

Tensor cut_to(const Tensor& tensor, const Shape& shape) {
  Tensor result{tensor.type, shape, {}};
  const auto rows = static_cast<std::uint64_t>(shape.front());
  const auto inner = static_cast<std::size_t>(shape.back());
  const auto outer = static_cast<std::size_t>(tensor.shape.back());
  Buffer out;
  if (tensor.type == DataType::kBytes) {
    BytesReader reader(tensor.data.bytes);
    for_each_line(tensor.shape, shape, rows, [&](bool inside) {
      for (std::size_t i = 0; i < outer; ++i) {
        const std::string_view element = reader.next();
        if (inside && i < inner) append_bytes_element(out, element);
      }
    });
  } else {
    const std::size_t size = element_size(tensor.type);
    std::size_t at = 0;
    for_each_line(tensor.shape, shape, rows, [&](bool inside) {
      if (inside) out.append(tensor.data.text().substr(at, inner * size));
      at += outer * size;
    });
  }
  result.data = std::move(out).share();
  return result;
}

}  // namespace protean
