// SPDX-License-Identifier: Apache-2.0
// Texts as counts of their terms, and counts weighted by how rare a term is.
#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/text_analyzer.h"

namespace protean::sklearn {
namespace {

/// What TfidfTransformer does to a row of counts.
struct Weighting {
  bool sublinear = false;
  std::vector<double> idf;  // empty: all 1
  std::string norm;         // l1, l2 or empty

  void apply(double* row, std::size_t cols) const {
    double length = 0;
    for (std::size_t j = 0; j < cols; ++j) {
      if (row[j] == 0) continue;
      if (sublinear) row[j] = std::log(row[j]) + 1;
      if (!idf.empty()) row[j] *= idf[j];
      length += norm == "l2" ? row[j] * row[j] : std::abs(row[j]);
    }
    if (norm.empty() || length == 0) return;
    if (norm == "l2") length = std::sqrt(length);
    for (std::size_t j = 0; j < cols; ++j) row[j] /= length;
  }
};

class Tfidf final : public Estimator {
 public:
  Tfidf(EstimatorFacts facts, Weighting weighting) : Estimator(std::move(facts)), weighting_(std::move(weighting)) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out = in;
    for (std::size_t i = 0; i < out.rows(); ++i) weighting_.apply(out.numbers.row(i), out.cols());
    return {};
  }
  const Weighting weighting_;
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Vocabulary = std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>>;

class Vectorizer final : public Estimator {
 public:
  struct Parts {
    TextAnalyzer analyzer;
    Vocabulary vocabulary;
    bool binary = false;
    bool weighted = false;
    Weighting weighting;
  };
  Vectorizer(EstimatorFacts facts, Parts parts) : Estimator(std::move(facts)), p_(std::move(parts)) {}
  std::vector<ColumnFacts> columns() const override {
    ColumnFacts text;
    text.kind = ColumnKind::kText;
    return {text};
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    if (!in.is_text(0) && in.rows() > 0)
      return fail(Code::kInvalidArgument, facts().class_name + ": numbers, expected texts");
    out.texts.clear();
    out.numbers.reset(in.rows(), facts().outputs);
    for (std::size_t i = 0; i < in.rows(); ++i) {
      double* row = out.numbers.row(i);
      p_.analyzer.analyze(in.texts[0][i].text, [&](std::string_view term) {
        const auto found = p_.vocabulary.find(term);
        if (found == p_.vocabulary.end()) return;
        row[found->second] = p_.binary ? 1 : row[found->second] + 1;
      });
      if (p_.weighted) p_.weighting.apply(row, out.cols());
    }
    return {};
  }
  const Parts p_;
};

Result<Weighting> read_weighting(const State& state, std::size_t terms) {
  Weighting w;
  w.sublinear = state.flag_or("sublinear_tf", false);
  w.norm = state.text_or("norm", "");
  if (w.norm != "" && w.norm != "l1" && w.norm != "l2") return state.not_served("norm '" + w.norm + "' is not known");
  if (!state.flag_or("use_idf", true)) return w;
  if (state.has("idf_")) {
    TRY(w.idf, state.numbers("idf_"));
  } else {
    TRY(const auto diagonal, state.matrix("_idf_diag"));
    w.idf = diagonal.values;
  }
  TRY_STATUS(state.expect(w.idf.size(), terms, "idf_"));
  return w;
}

Result<Vocabulary> read_vocabulary(const State& state) {
  TRY(const auto dict, state.get("vocabulary_"));
  if (!dict.is(Kind::kDict)) return state.refuse("'vocabulary_' is " + dict.describe());
  const auto count = dict.size() / 2;
  TRY_STATUS(state.context().charge(count * 4));
  Vocabulary vocabulary;
  for (std::size_t i = 0; i < count; ++i) {
    const auto term = read_text(dict.item(2 * i));
    const auto column = read_integer(dict.item(2 * i + 1));
    if (!term || !column || *column < 0 || static_cast<std::size_t>(*column) >= count) {
      return state.refuse("'vocabulary_' has a term or column out of range");
    }
    TRY_STATUS(state.context().charge(term->size() / 8));
    vocabulary.emplace(*term, static_cast<std::size_t>(*column));
  }
  if (vocabulary.empty()) return state.refuse("'vocabulary_' is empty");
  return vocabulary;
}

}  // namespace

Result<EstimatorPtr> make_tfidf(const State& state) {
  const auto idf = read_array(state.find("idf_"));
  const auto idf_size = idf ? idf->count : 0;
  TRY(auto facts, state.facts(idf_size));
  facts.outputs = facts.inputs;
  TRY(auto weighting, read_weighting(state, facts.inputs));
  return std::make_unique<Tfidf>(std::move(facts), std::move(weighting));
}

Result<EstimatorPtr> make_vectorizer(const State& state) {
  TRY(auto facts, state.facts(1));
  facts.inputs = 1;
  if (facts.input_names.empty()) facts.input_names = {"text"};
  Vectorizer::Parts parts;
  TRY(parts.analyzer, TextAnalyzer::make(state));
  TRY(parts.vocabulary, read_vocabulary(state));
  facts.outputs = parts.vocabulary.size();
  parts.binary = state.flag_or("binary", false);
  if (state.class_name() == "TfidfVectorizer") {
    TRY(const auto inner, State::of(state.find("_tfidf"), state.context()));
    TRY(parts.weighting, read_weighting(inner, facts.outputs));
    parts.weighted = true;
  }
  return std::make_unique<Vectorizer>(std::move(facts), std::move(parts));
}

}  // namespace protean::sklearn
