// SPDX-License-Identifier: Apache-2.0
// From a text to its terms: lower case, accents, tokens, n-grams, as CountVectorizer's build_analyzer() does.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/scikit_learn/state.h"
#include "base/result.h"

namespace protean::sklearn {

/// Immutable: thread-safe.
class TextAnalyzer {
 public:
  /// Reads the options of a CountVectorizer or TfidfVectorizer.
  /// Errors: kInvalidArgument for functions and patterns of the user's own.
  static Result<TextAnalyzer> make(const State& state);

  /// Calls `term` for each term, in order, repeated ones too.  `text`: UTF-8; broken bytes become U+FFFD.
  void analyze(std::string_view text, const std::function<void(std::string_view)>& term) const;

 private:
  enum class Unit : unsigned char { kWord, kCharacter, kCharacterInWord };
  using Text = std::u32string;

  [[nodiscard]] Text prepare(std::string_view text) const;
  void words(const Text& text, const std::function<void(std::string_view)>& term) const;
  void characters(const Text& text, const std::function<void(std::string_view)>& term) const;
  void characters_in_words(const Text& text, const std::function<void(std::string_view)>& term) const;

  Unit unit_ = Unit::kWord;
  bool lower_ = true;
  bool strip_accents_ = false;
  bool ascii_only_ = false;
  std::size_t token_size_min_ = 2;
  std::size_t ngram_min_ = 1;
  std::size_t ngram_max_ = 1;
  std::set<std::string, std::less<>> stop_words_;
};

}  // namespace protean::sklearn
