// SPDX-License-Identifier: Apache-2.0
// Symmetric trees become plain ones whose levels all ask the same; other trees are followed as they are nested.
#include "backends/trees/catboost_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::uint64_t kFeaturesMax = 1U << 20;
constexpr std::size_t kSymmetricDepthMax = 24;

tl::unexpected<Error> wrong(std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("CatBoost JSON: {}", what));
}

std::string feature_name(const Document& feature, std::uint64_t index) {
  const auto* name = feature["feature_id"].text();
  return name != nullptr && !name->empty() ? *name : fmt::format("f{}", index);
}

/// One condition of a split: a float feature above a border, or a category that is this one.
struct Question {
  bool category = false;
  bool nan_is_large = false;
  std::uint32_t feature = 0;
  double border = 0;
  std::uint32_t number = 0;  // of the category in TreeModelSpec::hashed
};

class CatboostReader {
 public:
  explicit CatboostReader(const Document& document) : document_(document) {}
  Result<TreeModelSpec> read();

 private:
  Status read_features();
  Status read_float_features(const Document& info);
  Status read_categories(const Document& info);
  Status refuse_what_trees_lack(const Document& info) const;
  Result<std::uint32_t> place(const Document& feature);
  Status read_scale();
  Status read_symmetric(const Document& tree);
  Status read_nested(const Document& tree);
  Result<Question> read_question(const Document& split);
  Status add_leaf(const Document& leaf, TreeSpec& tree, std::size_t node);
  void ask(const Question& question, TreeNode& node, TreeSpec& tree) const;
  Status apply_loss();

  const Document& document_;
  TreeModelSpec model_;
  std::vector<std::uint32_t> float_features_;  // flat index, by feature index
  std::vector<bool> nan_is_large_;             // by feature index
  std::vector<std::uint32_t> cat_features_;    // flat index, by feature index
  double scale_ = 1;
};

Result<std::uint32_t> CatboostReader::place(const Document& feature) {
  TRY(const auto flat, get_count(feature, "flat_feature_index", kFeaturesMax, "features_info"));
  auto& columns = model_.columns;
  // One feature a few bytes of file, or a gap that nothing describes.
  if (flat >= columns.size() + 65536) return wrong("features are numbered with gaps");
  if (flat >= columns.size()) columns.resize(flat + 1);
  columns[flat].name = feature_name(feature, flat);
  return static_cast<std::uint32_t>(flat);
}

Status CatboostReader::read_float_features(const Document& info) {
  const auto* features = info["float_features"].items();
  if (features == nullptr) return {};
  for (const auto& feature : *features) {
    TRY(const auto flat, place(feature));
    model_.columns[flat].nullable = true;
    float_features_.push_back(flat);
    const auto* treatment = feature["nan_value_treatment"].text();
    nan_is_large_.push_back(treatment != nullptr && *treatment == "AsTrue");
  }
  return {};
}

Status CatboostReader::read_categories(const Document& info) {
  const auto* features = info["categorical_features"].items();
  if (features == nullptr) return {};
  for (const auto& feature : *features) {
    TRY(const auto flat, place(feature));
    model_.columns[flat].type = DataType::kBytes;
    cat_features_.push_back(flat);
    model_.hashed.resize(std::max<std::size_t>(model_.hashed.size(), flat + 1));
    if (feature["values"].is_null()) continue;
    TRY(const auto* values, get_numbers(feature, "values", "categorical_features"));
    for (const double value : *values) {
      model_.hashed[flat].push_back(
          static_cast<std::uint32_t>(static_cast<std::int64_t>(std::clamp(value, -3e9, 5e9))));
    }
  }
  return {};
}

Status CatboostReader::refuse_what_trees_lack(const Document& info) const {
  std::string names;
  if (const auto* ctrs = info["ctrs"].items(); ctrs != nullptr && !ctrs->empty()) {
    for (const auto& feature : model_.columns) {
      if (feature.type == DataType::kBytes) names += (names.empty() ? "'" : ", '") + printable(feature.name) + "'";
    }
    return wrong(
        fmt::format("statistics of categories (CTRs) are computed from {}; train with one_hot_max_size at least "
                    "the number of categories, or encode them beforehand",
                    names.empty() ? "categorical features" : names));
  }
  for (const auto* kind : {"text_features", "embedding_features"}) {
    const auto* features = info[kind].items();
    if (features != nullptr && !features->empty()) {
      return wrong(fmt::format("it has {} ('{}'); train with numbers computed from them", kind,
                               printable(feature_name(features->front(), 0))));
    }
  }
  return {};
}

Status CatboostReader::read_features() {
  const auto& info = document_["features_info"];
  if (!info.is_object()) return wrong("'features_info' is missing");
  TRY_STATUS(read_float_features(info));
  TRY_STATUS(read_categories(info));
  TRY_STATUS(refuse_what_trees_lack(info));
  if (!model_.hashed.empty()) model_.hashed.resize(model_.columns.size());
  for (std::size_t i = 0; i < model_.columns.size(); ++i) {
    if (model_.columns[i].name.empty()) model_.columns[i].name = fmt::format("f{}", i);
  }
  model_.ensemble.features = static_cast<std::uint32_t>(model_.columns.size());
  return {};
}

/// `[1, [0.5]]`, or before version 1.0 `[1, 0.5]`.
Status CatboostReader::read_scale() {
  const auto& found = document_["scale_and_bias"];
  auto& base = model_.ensemble.base;
  if (const auto* pair = found.numbers(); pair != nullptr && pair->size() == 2) {
    scale_ = (*pair)[0];
    base = {(*pair)[1]};
  } else if (const auto* items = found.items(); items != nullptr && items->size() == 2) {
    if ((*items)[0].number() == nullptr || (*items)[1].numbers() == nullptr)
      return wrong("'scale_and_bias' is malformed");
    scale_ = *(*items)[0].number();
    base = *(*items)[1].numbers();
  } else {
    return wrong("'scale_and_bias' is missing or malformed");
  }
  model_.ensemble.outputs = static_cast<std::uint32_t>(base.size());
  return {};
}

Result<Question> CatboostReader::read_question(const Document& split) {
  constexpr std::string_view kWhere = "split";
  Question question;
  TRY(const auto kind, get_text(split, "split_type", kWhere));
  if (kind == "FloatFeature") {
    TRY(const auto index, get_count(split, "float_feature_index", kFeaturesMax, kWhere));
    if (index >= float_features_.size()) return wrong(fmt::format("float feature {}", index));
    question.feature = float_features_[index];
    question.nan_is_large = nan_is_large_[index];
    TRY(const double border, get_number(split, "border", kWhere));
    question.border = static_cast<double>(static_cast<float>(std::clamp(border, -3.4e38, 3.4e38)));
    return question;
  }
  if (kind != "OneHotFeature") return wrong(fmt::format("a split of type '{}' is not supported", printable(kind)));
  TRY(const auto index, get_count(split, "cat_feature_index", kFeaturesMax, kWhere));
  if (index >= cat_features_.size()) return wrong(fmt::format("categorical feature {}", index));
  question.category = true;
  question.feature = cat_features_[index];
  TRY(const double value, get_number(split, "value", kWhere));
  const auto hash = static_cast<std::uint32_t>(static_cast<std::int64_t>(std::clamp(value, -3e9, 5e9)));
  auto& known = model_.hashed[question.feature];
  const auto found = std::find(known.begin(), known.end(), hash);
  question.number = static_cast<std::uint32_t>(found - known.begin());
  if (found == known.end()) known.push_back(hash);
  return question;
}

/// Yes leads right in CatBoost, left here: so a category that is this one goes right by not being in its set.
void CatboostReader::ask(const Question& question, TreeNode& node, TreeSpec& tree) const {
  node.feature = question.feature;
  node.default_left = !question.nan_is_large;
  node.test = question.category ? SplitTest::kNotInSet : SplitTest::kLessEqual;
  node.threshold = question.border;
  if (!question.category) return;
  node.value = static_cast<std::uint32_t>(tree.sets.size());
  tree.sets.push_back({question.number});
}

Status CatboostReader::read_symmetric(const Document& document) {
  TreeSpec tree;
  tree.leaf_size = model_.ensemble.outputs;
  tree.weight = scale_;
  std::vector<Question> questions;
  if (const auto* splits = document["splits"].items()) {
    for (const auto& split : *splits) {
      TRY(const auto question, read_question(split));
      questions.push_back(question);
    }
  }
  TRY(const auto* values, get_numbers(document, "leaf_values", "tree"));
  const std::size_t depth = questions.size();
  const std::size_t leaves = depth <= kSymmetricDepthMax ? std::size_t{1} << depth : 0;
  if (leaves == 0 || values->size() != leaves * tree.leaf_size) {
    return wrong(fmt::format("{} leaf values for {} splits and {} outputs", values->size(), depth, tree.leaf_size));
  }
  tree.values = *values;
  const auto* weights = document["leaf_weights"].numbers();
  const bool weighted = weights != nullptr && weights->size() == leaves;
  tree.nodes.resize(2 * leaves - 1);
  for (std::size_t i = leaves - 1; i < tree.nodes.size(); ++i) {
    auto& leaf = tree.nodes[i];
    leaf.value = leaf.id = static_cast<std::uint32_t>(i - (leaves - 1));
    leaf.cover = weighted ? (*weights)[leaf.value] : 0;
  }
  // The first split is the lowest bit of a leaf's number, hence the last level.
  for (std::size_t i = leaves - 1; i-- > 0;) {
    auto& node = tree.nodes[i];
    std::size_t level = 0;
    while ((std::size_t{2} << level) - 1 <= i) ++level;
    ask(questions[depth - 1 - level], node, tree);
    node.left = static_cast<std::uint32_t>(2 * i + 1);
    node.right = node.left + 1;
    node.cover = tree.nodes[node.left].cover + tree.nodes[node.right].cover;
  }
  model_.ensemble.trees.push_back(std::move(tree));
  return {};
}

Status CatboostReader::add_leaf(const Document& leaf, TreeSpec& tree, std::size_t node) {
  tree.nodes[node].value = tree.nodes[node].id = static_cast<std::uint32_t>(tree.values.size() / tree.leaf_size);
  if (const auto* value = leaf["value"].number()) {
    tree.values.push_back(*value);
    if (tree.leaf_size != 1) return wrong("a leaf with one value of several");
  } else {
    TRY(const auto* values, get_numbers(leaf, "value", "leaf"));
    if (values->size() != tree.leaf_size) return wrong(fmt::format("a leaf with {} values", values->size()));
    tree.values.insert(tree.values.end(), values->begin(), values->end());
  }
  if (const auto* weight = leaf["weight"].number()) tree.nodes[node].cover = *weight;
  return {};
}

Status CatboostReader::read_nested(const Document& document) {
  TreeSpec tree;
  tree.leaf_size = model_.ensemble.outputs;
  tree.weight = scale_;
  tree.nodes.emplace_back();
  std::vector<std::pair<const Document*, std::size_t>> open = {{&document, 0}};
  while (!open.empty()) {
    const auto [here, node] = open.back();
    open.pop_back();
    if ((*here)["split"].is_null()) {
      TRY_STATUS(add_leaf(*here, tree, node));
      continue;
    }
    TRY(const auto question, read_question((*here)["split"]));
    ask(question, tree.nodes[node], tree);
    tree.nodes[node].left = static_cast<std::uint32_t>(tree.nodes.size());
    tree.nodes[node].right = tree.nodes[node].left + 1;
    // Right first: leaves are numbered from the left.
    open.emplace_back(&(*here)["right"], tree.nodes.size() + 1);
    open.emplace_back(&(*here)["left"], tree.nodes.size());
    tree.nodes.resize(tree.nodes.size() + 2);
  }
  for (std::size_t i = tree.nodes.size(); i-- > 0;) {
    auto& node = tree.nodes[i];
    if (node.test != SplitTest::kLeaf) node.cover = tree.nodes[node.left].cover + tree.nodes[node.right].cover;
  }
  model_.ensemble.trees.push_back(std::move(tree));
  return {};
}

Status CatboostReader::apply_loss() {
  const auto& info = document_["model_info"];
  const auto* loss = info["params"]["loss_function"]["type"].text();
  const std::string name = loss != nullptr ? *loss : "unknown loss";
  const auto& labels = info["class_params"]["class_names"];
  if (const auto* numbers = labels.numbers()) {
    for (const double number : *numbers) model_.class_labels.push_back(fmt::format("{}", number));
  } else if (const auto* items = labels.items()) {
    for (const auto& item : *items) model_.class_labels.push_back(item.text() != nullptr ? *item.text() : "");
  }
  model_.flat = model_.ensemble.outputs == 1;
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is({"Logloss", "CrossEntropy", "MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy"})) {
    model_.link = Link::kSigmoid;
  }
  if (is({"MultiClass"})) model_.link = Link::kSoftmax;
  if (is({"Poisson", "Tweedie"})) model_.link = Link::kExp;
  if (is({"RMSEWithUncertainty"})) model_.link = Link::kMeanAndVariance;
  model_.classification = model_.link == Link::kSigmoid || model_.link == Link::kSoftmax;
  model_.probability_link = model_.link;
  model_.summary = fmt::format("CatBoost, {}, {} trees", printable(name), model_.ensemble.trees.size());
  return {};
}

Result<TreeModelSpec> CatboostReader::read() {
  model_.platform = "catboost_json";
  model_.ensemble.base_last = true;
  TRY_STATUS(read_features());
  TRY_STATUS(read_scale());
  const bool symmetric = !document_["oblivious_trees"].is_null();
  const auto& trees = document_[symmetric ? "oblivious_trees" : "trees"];
  if (trees.items() == nullptr) return wrong("neither 'oblivious_trees' nor 'trees' is there");
  for (const auto& tree : *trees.items()) TRY_STATUS(symmetric ? read_symmetric(tree) : read_nested(tree));
  TRY_STATUS(apply_loss());
  return std::move(model_);
}

}  // namespace

Result<TreeModelSpec> read_catboost(const Document& document) { return CatboostReader(document).read(); }

}  // namespace protean
