// SPDX-License-Identifier: Apache-2.0
// Opcodes that stand for a constant: numbers, texts and bytes, as text lines (protocol 0) or binary.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "backends/scikit_learn/pickle_machine.h"
#include "base/text.h"

namespace protean::sklearn {
namespace {

/// A big integer of more bytes is in no model; Python itself stops at 4300 digits.
constexpr std::size_t kLongBytesMax = 1024;
constexpr std::size_t kDigitsMax = 4300;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void append_code(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 63));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 63));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  }
}

/// The escape at text[i] (behind the backslash): its code and how many characters it has; 0 when it is none.
std::size_t read_escape(std::string_view text, std::size_t i, bool quoted, std::uint32_t& code) {
  const std::size_t digits = text[i] == 'u' ? 4 : text[i] == 'U' ? 8 : text[i] == 'x' && quoted ? 2 : 0;
  if (digits == 0) {
    constexpr std::string_view kFrom = "\\'\"abfnrtv";
    constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
    const auto known = quoted ? kFrom.find(text[i]) : std::string_view::npos;
    if (known == std::string_view::npos) return 0;
    code = static_cast<unsigned char>(kTo[known]);
    return 1;
  }
  if (text.size() - i <= digits) return 0;
  code = 0;
  for (std::size_t d = 1; d <= digits; ++d) {
    const int digit = hex_digit(text[i + d]);
    if (digit < 0) return 0;
    code = code << 4 | static_cast<std::uint32_t>(digit);
  }
  return code < 0x110000 ? digits + 1 : 0;
}

}  // namespace

Status PickleMachine::push_integer(std::int64_t value) {
  Node node;
  node.kind = Kind::kInt;
  node.integer = value;
  return push(pool_.add(node));
}

Status PickleMachine::push_flag(bool value) {
  Node node;
  node.kind = Kind::kBool;
  node.integer = value ? 1 : 0;
  return push(pool_.add(node));
}

Status PickleMachine::push_real(double value) {
  Node node;
  node.kind = Kind::kFloat;
  node.real = value;
  return push(pool_.add(node));
}

/// Two's complement, little-endian; no bytes are zero.
Status PickleMachine::push_long(std::string_view bytes) {
  if (bytes.size() > kLongBytesMax) {
    return broken("an integer of " + std::to_string(bytes.size()) + " bytes, expected at most " +
                  std::to_string(kLongBytesMax));
  }
  if (bytes.size() > 8) return push(pool_.add_text(Kind::kBigInt, bytes));
  std::uint64_t bits = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
  if (bytes.empty()) return push_integer(0);
  const auto shift = static_cast<int>(64 - 8 * bytes.size());
  return push_integer(static_cast<std::int64_t>(bits << shift) >> shift);
}

Status PickleMachine::push_decimal(std::string_view line) {
  if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error == std::errc() && end == line.data() + line.size()) return push_integer(value);
  const auto digits = line.substr(!line.empty() && line[0] == '-' ? 1 : 0);
  const bool number = !digits.empty() && digits.size() <= kDigitsMax &&
                      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!number) return broken("'" + printable(line, 32) + "' is no integer");
  return push(pool_.add_text(Kind::kBigInt, line));
}

Status PickleMachine::push_text(Kind kind, std::size_t width) {
  TRY(const auto size, take_number(width));
  TRY(const auto text, take(size));
  return push(pool_.add_text(kind, text));
}

/// raw-unicode-escape (UNICODE), or the repr of a Python 2 string (STRING). Characters beyond ASCII are Latin-1.
Status PickleMachine::push_escaped(std::string_view line, bool quoted) {
  if (quoted) {
    if (line.size() < 2 || line.front() != line.back() || (line[0] != '\'' && line[0] != '"')) {
      return broken("a string without quotes");
    }
    line = line.substr(1, line.size() - 2);
  }
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::uint32_t code = static_cast<unsigned char>(line[i]);
    if (line[i] == '\\' && i + 1 < line.size()) {
      const auto taken = read_escape(line, i + 1, quoted, code);
      if (taken == 0 && quoted) return broken("a string with an escape that is not known");
      i += taken;
    }
    append_code(text, code);
  }
  TRY(const auto kept, pool_.keep(std::move(text)));
  return push(pool_.add_text(Kind::kText, kept));
}

Result<bool> PickleMachine::literal(unsigned char op) {
  switch (op) {
    case 'N': TRY_STATUS(push(pool_.add(Node{}))); return true;
    case 0x88: TRY_STATUS(push_flag(true)); return true;
    case 0x89: TRY_STATUS(push_flag(false)); return true;
    case 'J': {
      TRY(const auto bits, take_number(4));
      TRY_STATUS(push_integer(static_cast<std::int32_t>(static_cast<std::uint32_t>(bits))));
      return true;
    }
    case 'K':
    case 'M': {
      TRY(const auto bits, take_number(op == 'K' ? 1 : 2));
      TRY_STATUS(push_integer(static_cast<std::int64_t>(bits)));
      return true;
    }
    case 'G': {
      TRY(const auto bits, take_number(8));
      TRY_STATUS(push_real(std::bit_cast<double>(__builtin_bswap64(bits))));
      return true;
    }
    case 0x8a:
    case 0x8b: {
      TRY(const auto size, take_number(op == 0x8a ? 1 : 4));
      if (size > INT32_MAX) return broken("an integer of negative size");
      TRY(const auto bytes, take(size));
      TRY_STATUS(push_long(bytes));
      return true;
    }
    default: return text_literal(op);
  }
}

Result<bool> PickleMachine::text_literal(unsigned char op) {
  switch (op) {
    case 'I': {
      TRY(const auto line, take_line());
      if (line == "01" || line == "00") {
        TRY_STATUS(push_flag(line == "01"));
      } else {
        TRY_STATUS(push_decimal(line));
      }
      return true;
    }
    case 'L': {
      TRY(const auto line, take_line());
      TRY_STATUS(push_decimal(line));
      return true;
    }
    case 'F': {
      TRY(const auto line, take_line());
      double value = 0;
      const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
      if (error != std::errc() || end != line.data() + line.size()) {
        return broken("'" + printable(line, 32) + "' is no number");
      }
      TRY_STATUS(push_real(value));
      return true;
    }
    case 'S':
    case 'V': {
      TRY(const auto line, take_line());
      TRY_STATUS(push_escaped(line, op == 'S'));
      return true;
    }
    case 0x8c: TRY_STATUS(push_text(Kind::kText, 1)); return true;
    case 'X': TRY_STATUS(push_text(Kind::kText, 4)); return true;
    case 0x8d: TRY_STATUS(push_text(Kind::kText, 8)); return true;
    case 'U': TRY_STATUS(push_text(Kind::kText, 1)); return true;
    case 'T': TRY_STATUS(push_text(Kind::kText, 4)); return true;
    case 'C': TRY_STATUS(push_text(Kind::kBytes, 1)); return true;
    case 'B': TRY_STATUS(push_text(Kind::kBytes, 4)); return true;
    case 0x8e:
    case 0x96: TRY_STATUS(push_text(Kind::kBytes, 8)); return true;
    default: return false;
  }
}

}  // namespace protean::sklearn
