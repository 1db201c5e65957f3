// SPDX-License-Identifier: Apache-2.0
// The schema of XGBoost's JSON and UBJSON: learner, booster, trees, categories.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>

#include "backends/trees/xgboost_model.h"
#include "base/text.h"

namespace protean {
namespace {

using Numbers = Document::Numbers;

constexpr std::uint64_t kFeaturesMax = 1U << 24;
constexpr std::uint64_t kCountMax = 1U << 30;

/// The arrays of one tree, checked to be as long as they must be.
struct TreeArrays {
  const Numbers* left = nullptr;
  const Numbers* right = nullptr;
  const Numbers* feature = nullptr;
  const Numbers* condition = nullptr;
  const Numbers* default_left = nullptr;
  const Numbers* cover = nullptr;
  const Numbers* split_type = nullptr;
  std::size_t nodes = 0;
};

/// A number that is an index, or kNone for what is none.
constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
std::uint32_t index_of(double number) noexcept {
  return number >= 0 && number < 4294967295.0 && number == std::floor(number) ? static_cast<std::uint32_t>(number)
                                                                              : kNone;
}

tl::unexpected<Error> wrong(std::string_view where, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("{}: {}", where, what));
}

Result<TreeArrays> get_arrays(const Document& tree, std::string_view where) {
  TreeArrays arrays;
  TRY(arrays.left, get_numbers(tree, "left_children", where));
  TRY(arrays.right, get_numbers(tree, "right_children", where));
  TRY(arrays.feature, get_numbers(tree, "split_indices", where));
  TRY(arrays.condition, get_numbers(tree, "split_conditions", where));
  TRY(arrays.default_left, get_numbers(tree, "default_left", where));
  if (!tree["sum_hessian"].is_null()) {
    TRY(arrays.cover, get_numbers(tree, "sum_hessian", where));
  }
  if (!tree["split_type"].is_null()) {
    TRY(arrays.split_type, get_numbers(tree, "split_type", where));
    if (arrays.split_type->empty()) arrays.split_type = nullptr;
  }
  arrays.nodes = arrays.left->size();
  for (const auto* array :
       {arrays.right, arrays.feature, arrays.condition, arrays.default_left, arrays.cover, arrays.split_type}) {
    if (array != nullptr && array->size() != arrays.nodes) {
      return wrong(where, fmt::format("arrays of {} and {} nodes", array->size(), arrays.nodes));
    }
  }
  return arrays;
}

/// The category sets; `set_of`: by node, which one.
Status read_sets(const Document& tree, std::string_view where, TreeSpec& out, std::vector<std::uint32_t>& set_of) {
  if (tree["categories_nodes"].is_null()) return {};
  TRY(const auto* categories, get_numbers(tree, "categories", where));
  TRY(const auto* nodes, get_numbers(tree, "categories_nodes", where));
  TRY(const auto* segments, get_numbers(tree, "categories_segments", where));
  TRY(const auto* sizes, get_numbers(tree, "categories_sizes", where));
  if (segments->size() != nodes->size() || sizes->size() != nodes->size()) {
    return wrong(where, "categories_nodes, _segments and _sizes differ in length");
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < nodes->size(); ++i) {
    const auto node = index_of((*nodes)[i]);
    const auto begin = index_of((*segments)[i]);
    const auto size = index_of((*sizes)[i]);
    if (node >= set_of.size() || begin > categories->size() || size > categories->size() - begin) {
      return wrong(where, fmt::format("category set {} lies outside of the tree's", i));
    }
    // Sets that overlap would let a small file ask for a lot of memory.
    total += size;
    if (total > categories->size()) return wrong(where, "category sets overlap");
    set_of[node] = static_cast<std::uint32_t>(out.sets.size());
    auto& set = out.sets.emplace_back();
    for (std::size_t k = begin; k < begin + size; ++k) set.push_back(index_of((*categories)[k]));
  }
  return {};
}

/// Leaves that are vectors: `leaf_weights` by leaf number (3.1 on), before that `base_weights` by node.
Status read_vectors(const Document& tree, std::string_view where, const TreeArrays& arrays, TreeSpec& out) {
  const bool numbered = !tree["leaf_weights"].is_null();
  TRY(const auto* weights, get_numbers(tree, numbered ? "leaf_weights" : "base_weights", where));
  if (weights->size() % out.leaf_size != 0) return wrong(where, "leaf vectors of unequal length");
  out.values = *weights;
  for (std::size_t i = 0; i < arrays.nodes; ++i) {
    auto& node = out.nodes[i];
    if (node.test == SplitTest::kLeaf) node.value = numbered ? index_of((*arrays.right)[i]) : node.id;
  }
  return {};
}

TreeNode read_node(const TreeArrays& arrays, std::size_t i) {
  TreeNode node;
  node.id = static_cast<std::uint32_t>(i);
  const double cover = arrays.cover != nullptr ? (*arrays.cover)[i] : 0;
  node.cover = cover > 0 && std::isfinite(cover) ? cover : 0;
  if ((*arrays.left)[i] < 0) return node;
  node.test = SplitTest::kLess;
  node.left = index_of((*arrays.left)[i]);
  node.right = index_of((*arrays.right)[i]);
  node.feature = index_of((*arrays.feature)[i]);
  // The text is the shortest that reads back to the same float.
  node.threshold = static_cast<double>(static_cast<float>((*arrays.condition)[i]));
  node.default_left = (*arrays.default_left)[i] != 0;
  return node;
}

Result<TreeSpec> read_tree(const Document& tree, std::uint32_t outputs, std::string_view where) {
  TRY(const auto arrays, get_arrays(tree, where));
  TreeSpec out;
  std::uint64_t leaf_size = 1;
  if (!tree["tree_param"]["size_leaf_vector"].is_null()) {
    TRY(leaf_size, get_count(tree["tree_param"], "size_leaf_vector", kCountMax, where));
  }
  if (leaf_size > 1 && leaf_size != outputs) {
    return wrong(where, fmt::format("leaf vectors of {}, expected {}", leaf_size, outputs));
  }
  std::vector<std::uint32_t> set_of(arrays.nodes, kNone);
  TRY_STATUS(read_sets(tree, where, out, set_of));
  out.nodes.reserve(arrays.nodes);
  for (std::size_t i = 0; i < arrays.nodes; ++i) {
    auto& node = out.nodes.emplace_back(read_node(arrays, i));
    if (node.test == SplitTest::kLeaf) continue;
    if (arrays.split_type == nullptr || (*arrays.split_type)[i] == 0) continue;
    // Categories in the set go right. A categorical split without a set sends every category left.
    node.test = SplitTest::kNotInSet;
    if (set_of[i] == kNone) {
      set_of[i] = static_cast<std::uint32_t>(out.sets.size());
      out.sets.emplace_back();
    }
    node.value = set_of[i];
  }
  if (leaf_size > 1) {
    out.leaf_size = static_cast<std::uint32_t>(leaf_size);
    TRY_STATUS(read_vectors(tree, where, arrays, out));
    return out;
  }
  out.values = *arrays.condition;
  for (auto& node : out.nodes) {
    if (node.test == SplitTest::kLeaf) node.value = node.id;
  }
  return out;
}

/// Categories that the training data frame had: texts as offsets into bytes, numbers as they are.
Result<std::vector<std::string>> read_categories(const Document& encoded) {
  constexpr std::string_view kWhere = "cats";
  std::vector<std::string> categories;
  TRY(const auto* values, get_numbers(encoded, "values", kWhere));
  if (encoded["offsets"].is_null()) {
    for (const double value : *values) categories.push_back(fmt::format("{}", value));
    return categories;
  }
  TRY(const auto* offsets, get_numbers(encoded, "offsets", kWhere));
  for (std::size_t i = 0; i + 1 < offsets->size(); ++i) {
    const auto begin = index_of((*offsets)[i]);
    const auto end = index_of((*offsets)[i + 1]);
    if (begin > end || end > values->size()) return wrong(kWhere, "offsets outside of the text");
    auto& text = categories.emplace_back();
    for (std::size_t k = begin; k < end; ++k) {
      const auto byte = static_cast<int>((*values)[k]);
      text.push_back(static_cast<char>(byte));
    }
  }
  return categories;
}

/// Whether the names may be believed. XGBoost up to 3.2 counted a name's characters where bytes are meant, so that its
/// files hold names cut in the wrong places as soon as one is not ASCII; its own predictions from a DataFrame then
/// confuse categories (https://github.com/dmlc/xgboost/pull/12371).
bool are_whole(const std::vector<std::string>& names, const std::vector<double>& version) {
  constexpr unsigned char kAscii = 0x7F;
  const bool mended = version.size() >= 2 && (version[0] > 3 || (version[0] == 3 && version[1] >= 3));
  std::set<std::string_view> distinct;
  for (const auto& name : names) {
    const bool ascii =
        std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) <= kAscii; });
    if (!ascii && (!mended || !is_utf8(name))) return false;
    if (!distinct.insert(name).second) return false;
  }
  return true;
}

/// The model's columns; what is wrong with them is added to `notes`.
Result<std::vector<Column>> read_columns(const Document& learner, const Document& model,
                                         const std::vector<double>& version, XgboostFacts& facts) {
  const std::size_t features = facts.features;
  TRY(const auto names, get_texts(learner, "feature_names", "learner"));
  TRY(const auto types, get_texts(learner, "feature_types", "learner"));
  std::vector<Column> columns;
  if (names.size() != features) return columns;
  const auto* encoded = model["cats"]["enc"].items();
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto& column = columns.emplace_back(Column{names[i], DataType::kFp32, true, {}});
    const auto type = types.size() == names.size() ? std::string_view(types[i]) : std::string_view();
    if (type == "int") column.type = DataType::kInt64;
    if (type == "i") column.type = DataType::kBool;
    if (type != "c") continue;
    column.type = DataType::kInt64;
    if (encoded == nullptr || encoded->size() != names.size()) continue;
    TRY(auto categories, read_categories((*encoded)[i]));
    if (!are_whole(categories, version)) {
      facts.notes.push_back(
          fmt::format("column '{}': XGBoost {} garbled the names of its categories in the file, so it takes their "
                      "numbers; list the names in protean.toml, or save the model with XGBoost 3.3 or later",
                      printable(column.name), facts.version));
      continue;
    }
    column.categories = std::move(categories);
    if (!(*encoded)[i]["offsets"].is_null()) column.type = DataType::kBytes;
  }
  return columns;
}

Status read_booster(const Document& booster, const Document*& model, XgboostFacts& facts) {
  TRY(const auto name, get_text(booster, "name", "gradient_booster"));
  if (name == "gbtree") {
    model = &booster["model"];
    return {};
  }
  if (name == "gblinear") {
    model = &booster["model"];
    TRY(const auto* weights, get_numbers(*model, "weights", "gblinear model"));
    for (const double weight : *weights) facts.weights.push_back(static_cast<float>(weight));
    if (!facts.weights.empty()) return {};
    return wrong("gblinear model", "'weights' is empty");
  }
  if (name != "dart") {
    return fail(Code::kInvalidArgument,
                fmt::format("booster '{}', expected gbtree, dart or gblinear", printable(name)));
  }
  model = &booster["gbtree"]["model"];
  TRY(const auto* weights, get_numbers(booster, "weight_drop", "gradient_booster"));
  for (const double weight : *weights) facts.drop_weights.push_back(static_cast<float>(weight));
  return {};
}

Status read_learner(const Document& learner, XgboostFacts& facts) {
  const auto& parameters = learner["learner_model_param"];
  constexpr std::string_view kWhere = "learner_model_param";
  TRY(const auto features, get_count(parameters, "num_feature", kFeaturesMax, kWhere));
  TRY(const auto classes, get_count(parameters, "num_class", 1U << 16, kWhere));
  facts.features = static_cast<std::uint32_t>(features);
  facts.classes = static_cast<std::uint32_t>(classes);
  if (!parameters["num_target"].is_null()) {
    TRY(const auto targets, get_count(parameters, "num_target", 1U << 16, kWhere));
    facts.targets = static_cast<std::uint32_t>(targets);
  }
  TRY(const auto base, get_text(parameters, "base_score", kWhere));
  TRY(facts.base_scores, parse_base_scores(base));
  TRY(facts.objective, get_text(learner["objective"], "name", "objective"));
  const auto& attributes = learner["attributes"];
  if (!attributes["scikit_learn"].is_null() && !attributes["best_iteration"].is_null()) {
    TRY(facts.best_iteration, get_count(attributes, "best_iteration", kCountMax, "attributes"));
  }
  return {};
}

Status read_model(const Document& model, XgboostFacts& facts) {
  constexpr std::string_view kWhere = "gbtree model";
  const auto& parameters = model["gbtree_model_param"];
  if (!parameters["num_parallel_tree"].is_null()) {
    TRY(const auto parallel, get_count(parameters, "num_parallel_tree", kCountMax, kWhere));
    facts.parallel_trees = std::max(1U, static_cast<std::uint32_t>(parallel));
  }
  TRY(const auto* groups, get_numbers(model, "tree_info", kWhere));
  for (const double group : *groups) facts.groups.push_back(index_of(group));
  if (!model["iteration_indptr"].is_null()) {
    TRY(const auto* ends, get_numbers(model, "iteration_indptr", kWhere));
    for (const double end : *ends) facts.iteration_ends.push_back(index_of(end));
  }
  return {};
}

}  // namespace

Result<TreeModelSpec> read_xgboost(const Document& document, std::string platform) {
  const auto& learner = document["learner"];
  if (!learner.is_object()) return wrong("XGBoost model", "'learner' is missing");
  XgboostFacts facts;
  std::vector<double> version;
  if (const auto* parts = document["version"].numbers()) {
    version = *parts;
    for (const double part : version) facts.version += fmt::format("{}{}", facts.version.empty() ? "" : ".", part);
  }
  TRY_STATUS(read_learner(learner, facts));
  const Document* model = nullptr;
  TRY_STATUS(read_booster(learner["gradient_booster"], model, facts));
  std::vector<TreeSpec> trees;
  if (facts.weights.empty()) {
    TRY_STATUS(read_model(*model, facts));
    TRY(const auto* documents, get_items(*model, "trees", "gbtree model"));
    trees.reserve(documents->size());
    for (std::size_t i = 0; i < documents->size(); ++i) {
      TRY(auto tree, read_tree((*documents)[i], facts.outputs(), fmt::format("tree {}", i)));
      trees.push_back(std::move(tree));
    }
  }
  TRY(facts.columns, read_columns(learner, *model, version, facts));
  TRY(auto spec, finish_xgboost(std::move(facts), std::move(trees)));
  spec.platform = std::move(platform);
  return spec;
}

}  // namespace protean
