// SPDX-License-Identifier: Apache-2.0
// Reads the records of a tree's nodes, by the names of their fields: versions differ in which there are.
#include "backends/scikit_learn/grove.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "trees/predict.h"

namespace protean::sklearn {
namespace {

/// A field of all records; `found` is false when this version has none of that name.
class Field {
 public:
  Field(const ArrayView& nodes, std::string_view name) : nodes_(nodes) {
    for (const auto& field : nodes.type.fields) {
      if (field.name == name) field_ = &field;
    }
  }
  [[nodiscard]] bool found() const { return field_ != nullptr; }
  [[nodiscard]] double operator[](std::size_t i) const {
    return field_ == nullptr ? 0 : element_number(at(i), field_->kind, field_->size, field_->swapped);
  }

 private:
  const char* at(std::size_t i) const { return nodes_.data.data() + i * nodes_.type.size + field_->offset; }
  const ArrayView& nodes_;
  const ElementType::Field* field_ = nullptr;
};

bool fits_index(double number) { return number >= 0 && number < 4e9; }

struct NodeFields {
  explicit NodeFields(const ArrayView& nodes)
      : left(nodes, "left_child"),
        right(nodes, "right_child"),
        feature(nodes, "feature"),
        threshold(nodes, "threshold"),
        impurity(nodes, "impurity"),
        samples(nodes, "n_node_samples"),
        weight(nodes, "weighted_n_node_samples"),
        missing_left(nodes, "missing_go_to_left") {}
  Field left, right, feature, threshold, impurity, samples, weight, missing_left;
};

/// Importance of each feature: how much impurity its splits take away.
void add_importances(const NodeFields& f, const std::vector<TreeNode>& nodes, std::vector<double>& out) {
  double sum = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = nodes[i];
    if (node.test == SplitTest::kLeaf) continue;
    if (node.feature >= out.size() || node.left >= nodes.size() || node.right >= nodes.size()) return;
    const double less = f.weight[i] * f.impurity[i] - f.weight[node.left] * f.impurity[node.left] -
                        f.weight[node.right] * f.impurity[node.right];
    out[node.feature] += less;
    sum += less;
  }
  const double root = f.weight[0];
  if (!(sum / root > 0)) return;
  for (auto& value : out) value /= sum;
}

/// Depth of each node by walking from the root; children that are out of range stay for make_ensemble() to refuse.
std::vector<double> depths(const std::vector<TreeNode>& nodes) {
  std::vector<double> depth(nodes.size(), 0);
  std::vector<std::size_t> todo{0};
  std::size_t steps = 0;
  while (!todo.empty() && ++steps <= nodes.size()) {
    const auto i = todo.back();
    todo.pop_back();
    if (nodes[i].test == SplitTest::kLeaf) continue;
    for (const auto child : {nodes[i].left, nodes[i].right}) {
      if (child >= nodes.size()) continue;
      depth[child] = depth[i] + 1;
      todo.push_back(child);
    }
  }
  return depth;
}

Status fill_nodes(const State& state, const NodeFields& f, std::vector<TreeNode>& nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto& node = nodes[i];
    node.id = static_cast<std::uint32_t>(i);
    node.value = static_cast<std::uint32_t>(i);
    node.cover = f.weight[i];
    if (f.left[i] == -1) continue;
    if (!fits_index(f.left[i]) || !fits_index(f.right[i]) || !fits_index(f.feature[i])) {
      return state.refuse("tree node " + std::to_string(i) + " has children or a feature out of range");
    }
    node.test = SplitTest::kLessEqual;
    node.missing = MissingRule::kNan;
    node.default_left = f.missing_left[i] != 0;
    node.feature = static_cast<std::uint32_t>(f.feature[i]);
    node.threshold = f.threshold[i];
    node.left = static_cast<std::uint32_t>(f.left[i]);
    node.right = static_cast<std::uint32_t>(f.right[i]);
  }
  return {};
}

Status fill_values(const State& tree, const NodeFields& f, LeafRule rule, TreeParts& parts) {
  auto& nodes = parts.spec.nodes;
  if (rule == LeafRule::kPathLength) {
    const auto depth = depths(nodes);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      parts.spec.values.push_back(depth[i] + average_path_length(f.samples[i]));
    }
    parts.outputs = 1;
    return {};
  }
  TRY(const auto value, tree.get("values"));
  TRY(const auto array, read_array(value));
  if (array.shape.size() != 3 || array.shape[0] != nodes.size())
    return tree.refuse("'values' has another shape than the nodes");
  const bool classes = rule == LeafRule::kShares;
  if (array.shape[classes ? 1 : 2] != 1)
    return tree.not_served("several outputs of classes at once are not served natively");
  parts.outputs = array.shape[classes ? 2 : 1];
  TRY(parts.spec.values, tree.numbers("values"));
  if (!classes) return {};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    double* row = parts.spec.values.data() + i * parts.outputs;
    double sum = 0;
    for (std::size_t k = 0; k < parts.outputs; ++k) sum += row[k];
    for (std::size_t k = 0; k < parts.outputs && sum != 0; ++k) row[k] /= sum;
  }
  return {};
}

}  // namespace

double average_path_length(double n) {
  if (n <= 1) return 0;
  if (n <= 2) return 1;
  return 2 * (std::log(n - 1) + std::numbers::egamma) - 2 * (n - 1) / n;
}

Result<TreeParts> read_tree(const State& estimator, LeafRule rule) {
  TRY(const auto value, estimator.get("tree_"));
  TRY(const auto tree, State::of(value, estimator.context()));
  TRY(const auto nodes_value, tree.get("nodes"));
  TRY(const auto nodes, read_array(nodes_value));
  const NodeFields fields(nodes);
  if (nodes.count == 0 || !fields.left.found() || !fields.right.found() || !fields.threshold.found() ||
      !fields.feature.found() || !fields.weight.found() || !fields.samples.found()) {
    return tree.refuse("'nodes' is no array of tree nodes");
  }
  TRY_STATUS(tree.context().charge(nodes.count * 8));
  TreeParts parts;
  const auto features = read_integer(value.args().item(0));
  if (!features || *features < 0 || *features > (1 << 24)) return tree.refuse("its number of features is out of range");
  parts.features = static_cast<std::size_t>(*features);
  parts.knows_missing = fields.missing_left.found();
  parts.spec.nodes.resize(nodes.count);
  TRY_STATUS(fill_nodes(tree, fields, parts.spec.nodes));
  TRY_STATUS(fill_values(tree, fields, rule, parts));
  parts.spec.leaf_size = static_cast<std::uint32_t>(parts.outputs);
  TRY_STATUS(tree.context().charge(parts.features));
  parts.importances.assign(parts.features, 0);
  if (rule != LeafRule::kPathLength) add_importances(fields, parts.spec.nodes, parts.importances);
  return parts;
}

Grove::Grove(EstimatorFacts facts, TreeEnsemble ensemble, std::vector<double> importances)
    : Estimator(std::move(facts)),
      ensemble_(std::make_unique<const TreeEnsemble>(std::move(ensemble))),
      importances_(std::move(importances)) {}

Result<const TreeShap*> Grove::shap() const {
  std::call_once(shap_once_, [this] { shap_.emplace(TreeShap::make(*ensemble_)); });
  if (!*shap_) return tl::unexpected<Error>(shap_->error());
  return &**shap_;
}

void Grove::margins(const Matrix& in, Matrix& out) const {
  out.reset(in.rows, ensemble_->outputs());
  predict_margins(*ensemble_, std::span<const double>(in.values), std::span<double>(out.values));
}

}  // namespace protean::sklearn
