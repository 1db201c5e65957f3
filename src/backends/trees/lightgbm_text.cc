// SPDX-License-Identifier: Apache-2.0
// Lines of key=value: a header, one block a tree, then parameters and, from pandas, the categories of columns.
#include "backends/trees/lightgbm_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "backends/trees/document.h"
#include "backends/trees/lightgbm_objective.h"
#include "backends/trees/numbers.h"
#include "base/text.h"

namespace protean {
namespace {

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

std::string_view find_value(const Pairs& pairs, std::string_view key) noexcept {
  for (const auto& [name, value] : pairs) {
    if (name == key) return value;
  }
  return {};
}

/// Takes text line by line.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::string_view peek() const noexcept { return trim_end(rest_.substr(0, rest_.find('\n'))); }
  std::string_view next() noexcept {
    const auto line = peek();
    const auto end = rest_.find('\n');
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    return line;
  }

 private:
  static std::string_view trim_end(std::string_view line) noexcept {
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  }
  std::string_view rest_;
};

bool starts_section(std::string_view line) noexcept { return line.starts_with("Tree=") || line == "end of trees"; }

/// The key=value lines up to the next section.
Pairs read_pairs(Lines& lines) {
  Pairs pairs;
  while (!lines.done() && !starts_section(lines.peek())) {
    const auto line = lines.next();
    const auto equals = line.find('=');
    pairs.emplace_back(line.substr(0, equals), equals == std::string_view::npos ? "" : line.substr(equals + 1));
  }
  return pairs;
}

/// One block `Tree=N`.
class TreeReader {
 public:
  TreeReader(Pairs pairs, std::size_t number) : pairs_(std::move(pairs)), number_(number) {}
  Result<TreeSpec> read();

 private:
  [[nodiscard]] tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(Code::kInvalidArgument, fmt::format("LightGBM tree {}: {}", number_, what));
  }
  /// The numbers of a line, `count` of them.
  Result<std::vector<double>> numbers(std::string_view key, std::size_t count) const;
  Result<std::vector<double>> numbers_or_none(std::string_view key, std::size_t count) const;
  Status read_sets();
  Status read_nodes();
  Status read_leaves();
  Status read_linear();
  /// The index that a child's number stands for: inner nodes from 0 on, leaves behind them.
  Result<std::uint32_t> child(double number) const;

  const Pairs pairs_;
  const std::size_t number_;
  std::size_t leaves_ = 0;
  TreeSpec tree_;
};

Result<std::vector<double>> TreeReader::numbers(std::string_view key, std::size_t count) const {
  std::vector<double> found;
  for (const auto item : split(find_value(pairs_, key), ' ')) {
    const auto number = parse_double(item);
    if (!number) return wrong(fmt::format("'{}' holds '{}', expected numbers", key, printable(item)));
    found.push_back(*number);
  }
  if (found.size() != count) return wrong(fmt::format("'{}' has {} numbers, expected {}", key, found.size(), count));
  return found;
}

Result<std::vector<double>> TreeReader::numbers_or_none(std::string_view key, std::size_t count) const {
  if (trim(find_value(pairs_, key)).empty()) return std::vector<double>(count, 0);
  return numbers(key, count);
}

Result<std::uint32_t> TreeReader::child(double number) const {
  const double inner = static_cast<double>(leaves_) - 1;
  const double index = number >= 0 ? number : inner + (-1 - number);
  if (index != std::floor(index) || index < 0 || index >= inner + static_cast<double>(leaves_) ||
      (number >= 0 && number >= inner)) {
    return wrong(fmt::format("child {}, but there are {} leaves", number, leaves_));
  }
  return static_cast<std::uint32_t>(index);
}

Status TreeReader::read_sets() {
  std::size_t sets = 0;
  if (const auto count = parse_int64(trim(find_value(pairs_, "num_cat"))); count && *count > 0) {
    sets = static_cast<std::size_t>(*count);
  }
  if (sets == 0) return {};
  if (sets >= leaves_) return wrong(fmt::format("{} category sets for {} leaves", sets, leaves_));
  TRY(const auto bounds, numbers("cat_boundaries", sets + 1));
  const auto last = bounds.back();
  if (!(last >= 0) || last > static_cast<double>(find_value(pairs_, "cat_threshold").size())) {
    return wrong("'cat_boundaries' ends outside of 'cat_threshold'");
  }
  TRY(const auto words, numbers("cat_threshold", static_cast<std::size_t>(last)));
  for (std::size_t i = 0; i < sets; ++i) {
    if (!(bounds[i] >= 0) || bounds[i] > bounds[i + 1]) return wrong("'cat_boundaries' does not ascend");
    auto& set = tree_.sets.emplace_back();
    const auto begin = static_cast<std::size_t>(bounds[i]);
    const auto end = static_cast<std::size_t>(bounds[i + 1]);
    for (std::size_t w = begin; w < std::min(end, words.size()); ++w) {
      if (!(words[w] >= 0) || words[w] > 4294967295.0) return wrong("'cat_threshold' holds no 32 bits");
      const auto bits = static_cast<std::uint32_t>(words[w]);
      for (std::uint32_t bit = 0; bit < 32; ++bit) {
        if (((bits >> bit) & 1U) != 0) set.push_back(static_cast<std::uint32_t>((w - begin) * 32 + bit));
      }
    }
  }
  return {};
}

Status TreeReader::read_nodes() {
  const std::size_t inner = leaves_ - 1;
  TRY(const auto features, numbers("split_feature", inner));
  TRY(const auto thresholds, numbers("threshold", inner));
  TRY(const auto decisions, numbers_or_none("decision_type", inner));
  TRY(const auto left, numbers("left_child", inner));
  TRY(const auto right, numbers("right_child", inner));
  TRY(const auto counts, numbers_or_none("internal_count", inner));
  for (std::size_t i = 0; i < inner; ++i) {
    if (!(features[i] >= 0) || features[i] > 16777216.0) return wrong(fmt::format("feature {}", features[i]));
    if (!(decisions[i] >= 0) || decisions[i] > 255) return wrong(fmt::format("decision_type {}", decisions[i]));
    const auto decision = static_cast<std::uint32_t>(decisions[i]);
    auto& node = tree_.nodes[i];
    node.feature = static_cast<std::uint32_t>(features[i]);
    TRY(node.left, child(left[i]));
    TRY(node.right, child(right[i]));
    node.cover = counts[i];
    if ((decision & 1U) != 0) {
      if (!(thresholds[i] >= 0) || thresholds[i] >= static_cast<double>(tree_.sets.size())) {
        return wrong(fmt::format("category set {}, but there are {}", thresholds[i], tree_.sets.size()));
      }
      node.test = SplitTest::kInSet;
      node.value = static_cast<std::uint32_t>(thresholds[i]);
      continue;
    }
    node.test = SplitTest::kLessEqual;
    node.threshold = thresholds[i];
    node.default_left = (decision & 2U) != 0;
    constexpr MissingRule kRules[] = {MissingRule::kNanIsZero, MissingRule::kZeroOrNan, MissingRule::kNan,
                                      MissingRule::kNan};
    node.missing = kRules[(decision >> 2U) & 3U];
  }
  return {};
}

Status TreeReader::read_leaves() {
  TRY(tree_.values, numbers("leaf_value", leaves_));
  TRY(const auto counts, numbers_or_none("leaf_count", leaves_));
  for (std::size_t i = 0; i < leaves_; ++i) {
    auto& node = tree_.nodes[leaves_ - 1 + i];
    node.value = static_cast<std::uint32_t>(i);
    node.id = node.value;
    // A tree without a split has no counts, and needs none.
    node.cover = leaves_ == 1 ? 1 : counts[i];
  }
  return {};
}

Status TreeReader::read_linear() {
  if (trim(find_value(pairs_, "is_linear")) != "1") return {};
  TRY(const auto constants, numbers("leaf_const", leaves_));
  TRY(const auto sizes, numbers("num_features", leaves_));
  double total = 0;
  for (const double size : sizes) {
    if (!(size >= 0) || size > 16777216.0) return wrong("'num_features' out of range");
    total += size;
  }
  if (total > static_cast<double>(find_value(pairs_, "leaf_coeff").size())) return wrong("'leaf_coeff' is too short");
  const auto count = static_cast<std::size_t>(total);
  TRY(const auto features, numbers("leaf_features", count));
  TRY(const auto coefficients, numbers("leaf_coeff", count));
  std::size_t at = 0;
  for (std::size_t i = 0; i < leaves_; ++i) {
    auto& leaf = tree_.linear.emplace_back();
    leaf.constant = constants[i];
    for (const auto end = at + static_cast<std::size_t>(sizes[i]); at < end && at < count; ++at) {
      if (!(features[at] >= 0) || features[at] > 16777216.0) return wrong("'leaf_features' out of range");
      leaf.features.push_back(static_cast<std::uint32_t>(features[at]));
      leaf.coefficients.push_back(coefficients[at]);
    }
  }
  return {};
}

Result<TreeSpec> TreeReader::read() {
  const auto leaves = parse_int64(trim(find_value(pairs_, "num_leaves")));
  // Each leaf has a value of at least two bytes, a digit and a space.
  const auto room = find_value(pairs_, "leaf_value").size() / 2 + 1;
  if (!leaves || *leaves < 1 || static_cast<std::uint64_t>(*leaves) > room) {
    return wrong(fmt::format("'num_leaves' is '{}', expected the number of leaf values",
                             printable(find_value(pairs_, "num_leaves"))));
  }
  leaves_ = static_cast<std::size_t>(*leaves);
  tree_.nodes.resize(2 * leaves_ - 1);
  TRY_STATUS(read_sets());
  if (leaves_ > 1) TRY_STATUS(read_nodes());
  TRY_STATUS(read_leaves());
  TRY_STATUS(read_linear());
  return std::move(tree_);
}

// ---- what stands around the trees -----------------------------------------------------------------------------------

Result<std::uint32_t> header_count(const Pairs& header, std::string_view key, std::uint32_t fallback) {
  const auto text = trim(find_value(header, key));
  if (text.empty()) return fallback;
  const auto number = parse_int64(text);
  if (!number || *number < 0 || *number > (1 << 24)) {
    return fail(Code::kInvalidArgument, fmt::format("LightGBM header: '{}' is '{}'", key, printable(text)));
  }
  return static_cast<std::uint32_t>(*number);
}

/// Which features are categorical: the parameter's list when it agrees with the file, else those whose range is a list.
std::vector<std::size_t> categorical_features(const Pairs& header, std::string_view tail, std::size_t wanted) {
  constexpr std::string_view kKey = "[categorical_feature: ";
  std::vector<std::size_t> found;
  if (const auto at = tail.find(kKey); at != std::string_view::npos) {
    const auto list = tail.substr(at + kKey.size());
    for (const auto item : split(list.substr(0, list.find(']')), ',')) {
      if (const auto index = parse_uint64(item)) found.push_back(static_cast<std::size_t>(*index));
    }
  }
  if (found.size() == wanted) return found;
  found.clear();
  const auto infos = split(find_value(header, "feature_infos"), ' ');
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (!infos[i].starts_with('[') && infos[i] != "none") found.push_back(i);
  }
  return found;
}

/// `pandas_categorical:[["x","y"],[1,2]]`, at the end of the file.
Result<std::vector<Document>> read_pandas(std::string_view tail) {
  constexpr std::string_view kKey = "pandas_categorical:";
  const auto at = tail.rfind(kKey);
  if (at == std::string_view::npos) return std::vector<Document>();
  TRY(const auto document, parse_json(tail.substr(at + kKey.size())));
  if (document.items() == nullptr) return std::vector<Document>();
  return *document.items();
}

void name_categories(const Document& list, Column& column) {
  column.unknown_is_missing = true;
  column.type = DataType::kBytes;
  if (const auto* numbers = list.numbers()) {
    column.type = DataType::kInt64;
    for (const double number : *numbers) {
      column.categories.push_back(fmt::format("{}", number));
      if (number != std::floor(number)) column.type = DataType::kFp64;
    }
    return;
  }
  for (const auto& item : *list.items()) {
    if (item.text() != nullptr) column.categories.push_back(*item.text());
  }
}

Result<std::vector<Column>> read_columns(const Pairs& header, std::string_view tail, std::size_t features) {
  std::vector<Column> columns;
  const auto names = split(find_value(header, "feature_names"), ' ');
  const bool made_up = !names.empty() && names[0] == "Column_0";
  TRY(const auto pandas, read_pandas(tail));
  if (names.size() != features || (made_up && pandas.empty())) return columns;
  for (const auto name : names) columns.push_back({std::string(name), DataType::kFp64, true});
  if (pandas.empty()) return columns;
  const auto categorical = categorical_features(header, tail, pandas.size());
  for (std::size_t i = 0; i < std::min(categorical.size(), pandas.size()); ++i) {
    if (categorical[i] < columns.size() && pandas[i].is_array()) name_categories(pandas[i], columns[categorical[i]]);
  }
  return columns;
}

}  // namespace

Result<TreeModelSpec> read_lightgbm_text(std::string_view text) {
  Lines lines(text);
  const auto header = read_pairs(lines);
  const bool average =
      std::any_of(header.begin(), header.end(), [](const auto& p) { return p.first == "average_output"; });
  TreeModelSpec model;
  model.platform = "lightgbm_text";
  auto& ensemble = model.ensemble;
  TRY(const auto last_feature, header_count(header, "max_feature_idx", 0));
  TRY(const auto outputs, header_count(header, "num_tree_per_iteration", 1));
  ensemble.features = last_feature + 1;
  ensemble.outputs = std::max(1U, outputs);
  ensemble.rows = RowType::kFloat64;
  ensemble.sums = SumType::kFloat64;
  ensemble.base.assign(ensemble.outputs, 0);
  const auto objective = find_value(header, "objective");
  TRY_STATUS(apply_lightgbm_objective(objective, model));
  while (!lines.done() && lines.peek().starts_with("Tree=")) {
    static_cast<void>(lines.next());
    TRY(auto tree, TreeReader(read_pairs(lines), ensemble.trees.size()).read());
    tree.output = static_cast<std::uint32_t>(ensemble.trees.size() % ensemble.outputs);
    ensemble.trees.push_back(std::move(tree));
  }
  if (lines.next() != "end of trees") {
    return fail(Code::kInvalidArgument, "LightGBM: 'end of trees' is missing: the file is cut off");
  }
  if (average && ensemble.trees.size() >= ensemble.outputs) {
    ensemble.divisor = static_cast<double>(ensemble.trees.size() / ensemble.outputs);
  }
  std::string_view tail;
  if (!lines.done()) tail = text.substr(static_cast<std::size_t>(lines.peek().data() - text.data()));
  TRY(model.columns, read_columns(header, tail, ensemble.features));
  model.summary = fmt::format("LightGBM {}, {}, {} trees", printable(find_value(header, "version")),
                              objective.empty() ? "no objective" : printable(objective), ensemble.trees.size());
  return model;
}

}  // namespace protean
