// SPDX-License-Identifier: Apache-2.0
// What Python knows about characters, as far as scikit-learn's text vectorisers ask.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace protean::sklearn {

/// `\w` of a Python regular expression.
[[nodiscard]] bool is_word_character(char32_t c);
/// `\s`.
[[nodiscard]] bool is_space(char32_t c);
/// str.lower() of one character, where that is one character.
[[nodiscard]] char32_t to_lower(char32_t c);
/// NFKD without combining marks, in UTF-8, of Latin, Greek and Cyrillic characters; nullptr when that is `c` itself.
[[nodiscard]] const char* without_accents(char32_t c);
/// Sorted.
[[nodiscard]] std::span<const std::string_view> english_stop_words();

}  // namespace protean::sklearn
