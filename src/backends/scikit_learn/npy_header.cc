// SPDX-License-Identifier: Apache-2.0
// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, with records as
// `'descr': [('left_child', '<i8'), ...]` laid out without gaps, or a dict with offsets refused.
#include "backends/scikit_learn/npy_header.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "base/text.h"

namespace protean::sklearn {
namespace {

tl::unexpected<Error> broken(const std::string& what) { return fail(Code::kInvalidArgument, "a .npy member: " + what); }

/// A cursor over the header's text.
class Literal {
 public:
  explicit Literal(std::string_view text) : rest_(text) {}

  bool take(char c) {
    skip();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    skip();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::optional<std::string_view> take_text() {
    if (!take('\'')) return std::nullopt;
    const auto end = rest_.find('\'');
    if (end == std::string_view::npos) return std::nullopt;
    const auto text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }
  std::optional<std::size_t> take_size() {
    skip();
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
    if (error != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    static_cast<void>(take('L'));
    return size;
  }

 private:
  void skip() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  std::string_view rest_;
};

Status take_records(Literal& text, ElementType& type) {
  type.kind = 'V';
  type.size = 0;
  while (!text.take(']')) {
    if (type.fields.size() >= 64 || !text.take('(')) return broken("its records are not understood");
    const auto name = text.take_text();
    if (!name || !text.take(',')) return broken("its records are not understood");
    const auto descr = text.take_text();
    if (!descr || !text.take(')')) return broken("its records are not understood");
    TRY(const auto inner, parse_element_type(*descr));
    if (!inner.is_number() && inner.kind != 'V') return broken("a record with a field that is no number");
    if (inner.is_number()) {
      type.fields.push_back({std::string(*name), type.size, inner.kind, inner.size, inner.swapped});
    }
    type.size += inner.size;
    static_cast<void>(text.take(','));
  }
  return {};
}

Status take_type(Literal& text, ElementType& type) {
  if (text.take('[')) return take_records(text, type);
  const auto descr = text.take_text();
  if (!descr) return broken("its element type is not understood");
  TRY(type, parse_element_type(*descr));
  if (type.kind == 'O') return broken("Python objects inside it are not read");
  return {};
}

Status take_shape(Literal& text, std::vector<std::size_t>& shape) {
  if (!text.take('(')) return broken("its shape is not understood");
  while (!text.take(')')) {
    const auto size = text.take_size();
    if (!size || shape.size() >= 8) return broken("its shape is not understood");
    shape.push_back(*size);
    static_cast<void>(text.take(','));
  }
  return {};
}

Result<NpyFile> parse(Literal text) {
  NpyFile file;
  if (!text.take('{')) return broken("its header is no dict");
  while (!text.take('}')) {
    const auto key = text.take_text();
    if (!key || !text.take(':')) return broken("its header is not understood");
    if (*key == "descr") {
      TRY_STATUS(take_type(text, file.type));
    } else if (*key == "fortran_order") {
      file.fortran = text.take_word("True");
      if (!file.fortran && !text.take_word("False")) return broken("its order is not understood");
    } else if (*key == "shape") {
      TRY_STATUS(take_shape(text, file.shape));
    } else {
      return broken("header key '" + printable(*key, 32) + "' is not known");
    }
    static_cast<void>(text.take(','));
  }
  return file;
}

}  // namespace

Result<NpyFile> read_npy_header(std::string_view bytes) {
  if (bytes.size() < 10 || !bytes.starts_with("\x93NUMPY")) return broken("it does not begin as one");
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  std::size_t start = 10;
  std::size_t size = byte(8) | byte(9) << 8;
  if (byte(6) >= 2) {
    if (bytes.size() < 12) return broken("cut off");
    size |= byte(10) << 16 | byte(11) << 24;
    start = 12;
  }
  if (size > bytes.size() - start) return broken("cut off");
  TRY(auto file, parse(Literal(bytes.substr(start, size))));
  file.data = bytes.substr(start + size);
  return file;
}

}  // namespace protean::sklearn
