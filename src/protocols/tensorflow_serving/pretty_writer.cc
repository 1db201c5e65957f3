// SPDX-License-Identifier: Apache-2.0
// Bytes go to the end of one buffer; only the innermost level's emptiness must be known, for outer ones are never
// empty.
#include "protocols/tensorflow_serving/pretty_writer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "protocols/tensorflow_serving/errors.h"

namespace protean::tfserving {

char* PrettyWriter::room(std::size_t bytes) {
  if (out_.size() - size_ < bytes) out_.resize(std::max(size_ + bytes, 2 * out_.size()));
  return reinterpret_cast<char*>(out_.data()) + size_;
}

void PrettyWriter::written(const char* end) noexcept {
  size_ = static_cast<std::size_t>(end - reinterpret_cast<const char*>(out_.data()));
}

void PrettyWriter::raw(std::string_view text) {
  if (text.empty()) return;
  std::memcpy(room(text.size()), text.data(), text.size());
  size_ += text.size();
}

void PrettyWriter::text(std::string_view value) {
  std::string quoted;
  append_json_text(quoted, value);
  raw(quoted);
}

void PrettyWriter::new_line() {
  const std::size_t indent = 4 * level_;
  char* const out = room(indent + 1);
  out[0] = '\n';
  std::memset(out + 1, ' ', indent);
  size_ += indent + 1;
}

char* PrettyWriter::write_separator(char* out) const noexcept {
  *out++ = ',';
  if (one_line_) {
    *out++ = ' ';
    return out;
  }
  *out++ = '\n';
  std::memset(out, ' ', 4 * level_);
  return out + 4 * level_;
}

void PrettyWriter::separate() {
  if (!empty_) {
    written(write_separator(room(separator_size())));
  } else if (!one_line_) {
    new_line();
  }
  empty_ = false;
}

void PrettyWriter::key(std::string_view name) {
  if (!empty_) raw(",");
  empty_ = false;
  new_line();
  text(name);
  raw(": ");
}

void PrettyWriter::begin(char bracket) {
  raw({&bracket, 1});
  ++level_;
  empty_ = true;
}

void PrettyWriter::end(char bracket, bool own_line) {
  --level_;
  if (own_line && !empty_) new_line();
  raw({&bracket, 1});
  empty_ = false;
}

Slice PrettyWriter::finish() && {
  out_.resize(size_);
  return std::move(out_).share();
}

}  // namespace protean::tfserving
