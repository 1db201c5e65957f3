// SPDX-License-Identifier: Apache-2.0
// Works on code points, since n-grams of characters count those.
#include "backends/scikit_learn/text_analyzer.h"

#include <algorithm>

#include "backends/scikit_learn/characters.h"

namespace protean::sklearn {
namespace {

constexpr char32_t kBroken = 0xfffd;

/// One code point from text[at] on; moves `at` behind it.
char32_t take_character(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
  if (more == 0 || lead > 0xf4 || text.size() - at < more) return kBroken;
  char32_t code = lead & (0x3f >> more);
  for (std::size_t i = 0; i < more; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if ((byte & 0xc0) != 0x80) return kBroken;
    code = code << 6 | (byte & 0x3f);
  }
  at += more;
  return code;
}

void append(std::string& out, char32_t code) {
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

std::string encode(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) append(out, c);
  return out;
}

bool combines(char32_t c) {
  return (c >= 0x300 && c <= 0x36f) || (c >= 0x483 && c <= 0x487) || (c >= 0x1ab0 && c <= 0x1aff) ||
         (c >= 0x1dc0 && c <= 0x1dff) || (c >= 0x20d0 && c <= 0x20f0) || (c >= 0xfe20 && c <= 0xfe2f);
}

}  // namespace

TextAnalyzer::Text TextAnalyzer::prepare(std::string_view text) const {
  Text lowered;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = take_character(text, at);
    if (lower_ && c == 0x130) {  // the one letter whose lower case is two characters
      lowered += U"i\u0307";
    } else {
      lowered += lower_ ? to_lower(c) : c;
    }
  }
  if (!strip_accents_) return lowered;
  Text plain;
  for (const char32_t c : lowered) {
    const char* other = without_accents(c);
    if (other != nullptr) {
      const std::string_view replaced = other;
      for (std::size_t at = 0; at < replaced.size();) plain += take_character(replaced, at);
    } else if (!combines(c)) {
      plain += c;
    }
  }
  if (ascii_only_) std::erase_if(plain, [](char32_t c) { return c >= 0x80; });
  return plain;
}

void TextAnalyzer::words(const Text& text, const std::function<void(std::string_view)>& term) const {
  std::vector<std::string> tokens;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word_character(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word_character(text[end])) ++end;
    if (end - at >= token_size_min_) {
      auto token = encode(std::u32string_view(text).substr(at, end - at));
      if (!stop_words_.contains(token)) tokens.push_back(std::move(token));
    }
    at = end;
  }
  for (std::size_t n = ngram_min_; n <= ngram_max_ && n <= tokens.size(); ++n) {
    for (std::size_t i = 0; i + n <= tokens.size(); ++i) {
      std::string joined = tokens[i];
      for (std::size_t k = 1; k < n; ++k) joined += " " + tokens[i + k];
      term(joined);
    }
  }
}

void TextAnalyzer::characters(const Text& text, const std::function<void(std::string_view)>& term) const {
  Text squeezed;  // two or more spaces become one blank
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_space(text[end])) ++end;
    if (end - at >= 2) {
      squeezed += U' ';
      at = end;
    } else {
      squeezed += text[at++];
    }
  }
  for (std::size_t n = ngram_min_; n <= ngram_max_ && n <= squeezed.size(); ++n) {
    for (std::size_t i = 0; i + n <= squeezed.size(); ++i) term(encode(std::u32string_view(squeezed).substr(i, n)));
  }
}

void TextAnalyzer::characters_in_words(const Text& text, const std::function<void(std::string_view)>& term) const {
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    const Text word = U' ' + text.substr(at, end - at) + U' ';
    at = end;
    for (std::size_t n = ngram_min_; n <= ngram_max_; ++n) {
      term(encode(std::u32string_view(word).substr(0, n)));
      for (std::size_t i = 1; i + n <= word.size(); ++i) term(encode(std::u32string_view(word).substr(i, n)));
      if (n >= word.size()) break;  // a word shorter than the n-gram counts once
    }
  }
}

void TextAnalyzer::analyze(std::string_view text, const std::function<void(std::string_view)>& term) const {
  const auto prepared = prepare(text);
  switch (unit_) {
    case Unit::kWord: return words(prepared, term);
    case Unit::kCharacter: return characters(prepared, term);
    case Unit::kCharacterInWord: return characters_in_words(prepared, term);
  }
}

Result<TextAnalyzer> TextAnalyzer::make(const State& state) {
  TextAnalyzer a;
  if (state.has("preprocessor") || state.has("tokenizer")) {
    return state.not_served("a preprocessor or tokenizer of the user's own is not served natively");
  }
  if (state.text_or("input", "content") != "content") return state.not_served("reading from files is not served");
  const auto analyzer = state.text_or("analyzer", "a function");
  if (analyzer == "char") {
    a.unit_ = Unit::kCharacter;
  } else if (analyzer == "char_wb") {
    a.unit_ = Unit::kCharacterInWord;
  } else if (analyzer != "word") {
    return state.not_served("analyzer '" + analyzer + "' is not served natively");
  }
  const auto pattern = state.text_or("token_pattern", "");
  if (pattern == "(?u)\\b\\w+\\b") {
    a.token_size_min_ = 1;
  } else if (a.unit_ == Unit::kWord && pattern != "(?u)\\b\\w\\w+\\b" && pattern != "\\b\\w\\w+\\b") {
    return state.not_served("token_pattern '" + pattern + "' is not served natively");
  }
  a.lower_ = state.flag_or("lowercase", true);
  const auto accents = state.text_or("strip_accents", state.has("strip_accents") ? "a function" : "");
  if (accents != "" && accents != "unicode" && accents != "ascii")
    return state.not_served("strip_accents by " + accents);
  a.strip_accents_ = !accents.empty();
  a.ascii_only_ = accents == "ascii";
  TRY(const auto range, state.numbers("ngram_range"));
  if (range.size() != 2 || !(range[0] >= 1 && range[0] <= range[1] && range[1] <= 64))
    return state.refuse("'ngram_range' is out of range");
  a.ngram_min_ = static_cast<std::size_t>(range[0]);
  a.ngram_max_ = static_cast<std::size_t>(range[1]);
  const auto stop = state.find("stop_words");
  if (stop.equals("english")) {
    for (const auto word : english_stop_words()) a.stop_words_.emplace(word);
  } else if (stop.is_sequence()) {
    for (std::size_t i = 0; i < stop.size(); ++i) a.stop_words_.emplace(stop.item(i).text());
  } else if (!stop.is_none()) {
    return state.not_served("stop_words of another kind than a list or 'english'");
  }
  return a;
}

}  // namespace protean::sklearn
