// SPDX-License-Identifier: Apache-2.0
// What the JSON decoders share: the text with its position-finding errors, and the calling thread's parsers.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"

namespace protean {

/// The whole text that is being decoded.
struct JsonText {
  std::string_view text;
  std::size_t depth_max = 64;

  /// `malformed JSON at byte N: ...`, whatever the parser stumbled over.
  [[nodiscard]] tl::unexpected<Error> malformed(simdjson::error_code error) const;
  /// That a skipped value is valid JSON and, being `depth` levels down, not nested too deep.
  [[nodiscard]] Status check_skipped(std::string_view value, std::size_t depth) const;
};

/// The value's own text; the value counts as read afterwards.
[[nodiscard]] simdjson::simdjson_result<std::string_view> take_raw(simdjson::ondemand::value value) noexcept;

/// `"abc"`, `an array`, `null`: for messages, from the value's text.
[[nodiscard]] std::string describe_json(std::string_view raw);

/// Bytes that simdjson may read behind `text`: 64 there, or a padded copy of it is made.
class PaddedJson {
 public:
  PaddedJson(std::string_view text, std::size_t padding);
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  [[nodiscard]] simdjson::padded_string_view view() const noexcept {
    return simdjson::padded_string_view(text_, text_.size() + kBufferPadding);
  }

 private:
  Buffer copy_;
  std::string_view text_;
};

/// This thread's parser, lent for one document. A parser that had to grow beyond what is common is given up
/// afterwards, so that one large request does not hold several times its size for ever.
class ParserLease {
 public:
  /// `kInner` parses a piece of the document that `kOuter` is in the middle of.
  enum class Use : unsigned char { kOuter, kInner };
  explicit ParserLease(Use use) noexcept;
  ParserLease(const ParserLease&) = delete;
  ParserLease& operator=(const ParserLease&) = delete;
  ~ParserLease();

  [[nodiscard]] simdjson::ondemand::parser& operator*() noexcept { return parser_; }
  [[nodiscard]] simdjson::ondemand::parser* operator->() noexcept { return &parser_; }

 private:
  simdjson::ondemand::parser& parser_;
};

}  // namespace protean
