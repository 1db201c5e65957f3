// SPDX-License-Identifier: Apache-2.0
// The stack machine behind read_pickle(): its registers, and how bytes are taken. The opcodes are in three groups:
// literals (pickle_literals.cc), containers and memo (pickle_containers.cc), objects (pickle_reader.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/scikit_learn/pickle_value.h"
#include "base/result.h"

namespace protean::sklearn {

/// One machine reads one pickle.  Not thread-safe.
class PickleMachine {
 public:
  /// `nested`: the pickle of an object array inside a joblib file, where no wrapper stands for an array any more.
  PickleMachine(std::string_view bytes, std::size_t start, ValuePool& pool, bool nested)
      : bytes_(bytes), at_(start), pool_(pool), nested_(nested) {}

  [[nodiscard]] Result<Ref> run();
  /// Where the next byte is read.
  [[nodiscard]] std::size_t at() const noexcept { return at_; }

 private:
  // Each handles the opcodes of its group and answers whether this was one.
  [[nodiscard]] Result<bool> literal(unsigned char op);
  [[nodiscard]] Result<bool> text_literal(unsigned char op);
  [[nodiscard]] Result<bool> container(unsigned char op);
  [[nodiscard]] Result<bool> memo(unsigned char op);
  [[nodiscard]] Result<bool> object(unsigned char op);
  [[nodiscard]] Status refuse(unsigned char op) const;

  [[nodiscard]] tl::unexpected<Error> broken(const std::string& what) const;
  [[nodiscard]] Result<std::string_view> take(std::uint64_t count);
  [[nodiscard]] Result<std::string_view> take_line();
  /// A little-endian unsigned number of `width` bytes.
  [[nodiscard]] Result<std::uint64_t> take_number(std::size_t width);
  [[nodiscard]] Status push(Result<Ref> made);
  [[nodiscard]] Result<Ref> pop();
  [[nodiscard]] Result<Ref> top() const;
  /// The values above the last mark, which are taken off with it.
  [[nodiscard]] Result<std::vector<Ref>> pop_to_mark();

  [[nodiscard]] Status push_integer(std::int64_t value);
  [[nodiscard]] Status push_flag(bool value);
  [[nodiscard]] Status push_real(double value);
  [[nodiscard]] Status push_long(std::string_view bytes);
  [[nodiscard]] Status push_decimal(std::string_view line);
  [[nodiscard]] Status push_text(Kind kind, std::size_t width);
  [[nodiscard]] Status push_escaped(std::string_view line, bool quoted);
  [[nodiscard]] Status push_sequence(Kind kind, std::vector<Ref> items);
  [[nodiscard]] Status append_to(Ref target, const std::vector<Ref>& items, bool pairs);
  [[nodiscard]] Status store(std::uint64_t slot);
  [[nodiscard]] Status load(std::uint64_t slot);
  [[nodiscard]] Status push_global(std::string_view module, std::string_view name);
  [[nodiscard]] Status make_object(Ref callable, Ref args);
  [[nodiscard]] Status reduce();
  [[nodiscard]] Result<bool> reduce_known(std::string_view name, Ref args);
  [[nodiscard]] Status build();
  [[nodiscard]] Status read_inline_array(Ref wrapper);

  std::string_view bytes_;
  std::size_t at_;
  ValuePool& pool_;
  bool nested_;
  std::uint64_t steps_ = 0;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Ref> memo_;
};

}  // namespace protean::sklearn
