// SPDX-License-Identifier: Apache-2.0
// Each format has a mark of its own near its beginning or its end; names of files say nothing.
#include "backends/trees/tree_file.h"

#include <array>

#include "backends/trees/catboost_json.h"
#include "backends/trees/document.h"
#include "backends/trees/lightgbm_text.h"
#include "backends/trees/xgboost_binary.h"
#include "backends/trees/xgboost_model.h"

namespace protean {
namespace {

bool has(std::string_view text, std::string_view part) noexcept { return text.find(part) != std::string_view::npos; }

std::string_view skip_space(std::string_view text) noexcept {
  const auto start = text.find_first_not_of(" \t\r\n");
  return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

std::optional<TreeFormat> recognise_object(std::string_view head, std::string_view tail) noexcept {
  // UBJSON: an object whose first name has a length of eight bytes (L), or of one (i, U).
  const char second = head.size() > 1 ? head[1] : '\0';
  if (second == 'L' || second == 'i' || second == 'U') {
    const auto start = head.substr(0, 64);
    if (has(start, "learner") || has(start, "version")) return TreeFormat::kXgboostUbjson;
    return std::nullopt;
  }
  const auto first = skip_space(head.substr(1));
  if (first.starts_with("\"learner\"")) return TreeFormat::kXgboostJson;
  // A file that was formatted anew: its members may be in any order.
  if (first.starts_with("\"version\"") && has(head, "\"learner\"")) return TreeFormat::kXgboostJson;
  const bool catboost = has(head, "\"features_info\"") || has(tail, "\"features_info\"") ||
                        has(head, "\"oblivious_trees\"") || has(tail, "\"scale_and_bias\"");
  if (catboost && first.starts_with("\"")) {
    constexpr std::array<std::string_view, 6> kFirst = {"\"features_info\"",  "\"model_info\"", "\"oblivious_trees\"",
                                                        "\"scale_and_bias\"", "\"trees\"",      "\"ctr_data\""};
    for (const auto name : kFirst) {
      if (first.starts_with(name)) return TreeFormat::kCatboostJson;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view tree_format_name(TreeFormat format) noexcept {
  switch (format) {
    case TreeFormat::kXgboostJson: return "xgboost_json";
    case TreeFormat::kXgboostUbjson: return "xgboost_ubjson";
    case TreeFormat::kXgboostBinary: return "xgboost_binary";
    case TreeFormat::kLightgbmText: return "lightgbm_text";
    default: return "catboost_json";
  }
}

std::optional<TreeFormat> recognise_tree_file(std::string_view head, std::string_view tail) noexcept {
  const auto text = skip_space(head);
  if (text.starts_with("{")) return recognise_object(text, tail);
  if ((text.starts_with("tree\n") || text.starts_with("tree\r\n")) && has(head, "version=v")) {
    return TreeFormat::kLightgbmText;
  }
  if (looks_like_xgboost_binary(head)) return TreeFormat::kXgboostBinary;
  return std::nullopt;
}

Result<TreeModelSpec> read_tree_file(TreeFormat format, std::string_view bytes) {
  switch (format) {
    case TreeFormat::kXgboostBinary: return read_xgboost_binary(bytes);
    case TreeFormat::kLightgbmText: return read_lightgbm_text(bytes);
    case TreeFormat::kXgboostUbjson: {
      TRY(const auto document, parse_ubjson(bytes));
      return read_xgboost(document, std::string(tree_format_name(format)));
    }
    default: break;
  }
  TRY(const auto document, parse_json(bytes));
  if (format == TreeFormat::kCatboostJson) return read_catboost(document);
  return read_xgboost(document, std::string(tree_format_name(format)));
}

}  // namespace protean
