// SPDX-License-Identifier: Apache-2.0
// From a spec to a layout: check a tree while numbering its nodes breadth first, then write them in that order.
#include "trees/ensemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "trees/layout.h"

namespace protean {
namespace {

constexpr std::uint32_t kCategoryMax = (1U << 24) - 1;
constexpr std::uint32_t kUnplaced = std::numeric_limits<std::uint32_t>::max();

template <typename T>
std::uint64_t bytes_of(const std::vector<T>& items) noexcept {
  return items.capacity() * sizeof(T);
}

/// The smallest T at or above `value` (`above`: strictly).
template <typename T>
T round_up(double value, bool above) noexcept {
  auto rounded = static_cast<T>(value);
  if (static_cast<double>(rounded) < value) rounded = std::nextafter(rounded, std::numeric_limits<T>::infinity());
  if (above && static_cast<double>(rounded) <= value) {
    rounded = std::nextafter(rounded, std::numeric_limits<T>::infinity());
  }
  return rounded;
}

/// The T that `x >= T` says no to exactly when the node's test says yes. NaN answers no to everything, which is what
/// `x <= infinity` needs.
template <typename T>
T step_threshold(const TreeNode& node) noexcept {
  const bool equal = node.test == SplitTest::kLessEqual;
  if (equal && node.threshold == std::numeric_limits<double>::infinity()) return std::numeric_limits<T>::quiet_NaN();
  // Below the lowest float: rounding such a double to float would be undefined.
  if constexpr (sizeof(T) == sizeof(float)) {
    constexpr auto kMax = static_cast<double>(std::numeric_limits<float>::max());
    if (node.threshold > kMax) return std::numeric_limits<T>::infinity();
    if (node.threshold < -kMax && std::isfinite(node.threshold)) return -std::numeric_limits<float>::max();
  }
  return round_up<T>(node.threshold, equal);
}

bool is_set_test(SplitTest test) noexcept { return test == SplitTest::kInSet || test == SplitTest::kNotInSet; }

/// Rules kNan and kNanIsZero as one: where NaN goes.
bool nan_goes_right(const TreeNode& node) noexcept {
  if (node.missing != MissingRule::kNanIsZero) return !node.default_left;
  return node.test == SplitTest::kLess ? !(0.0 < node.threshold) : !(0.0 <= node.threshold);
}

/// Turns one spec into one layout.
class Builder {
 public:
  Builder(EnsembleSpec spec, const EnsembleLimits& limits)
      : spec_(std::move(spec)), limits_(limits), layout_(std::make_unique<TreeEnsemble::Layout>()) {}

  Result<std::unique_ptr<const TreeEnsemble::Layout>> build() {
    TRY_STATUS(check_sizes());
    layout_->explainable = !spec_.trees.empty();
    for (std::size_t i = 0; i < spec_.trees.size(); ++i) {
      tree_ = &spec_.trees[i];
      tree_number_ = i;
      TRY_STATUS(check_tree());
      TRY_STATUS(order_nodes());
      add_tree();
      *tree_ = {};  // its memory is not needed twice
    }
    return std::move(layout_);
  }

 private:
  Status check_sizes();
  Status check_tree() const;
  Status check_node(std::uint32_t index) const;
  Status check_linear() const;
  Status order_nodes();
  void add_tree();
  void add_node(std::uint32_t place);
  void add_special(const TreeNode& node, std::uint64_t first_set);
  void add_sets();

  [[nodiscard]] tl::unexpected<Error> refuse(const std::string& what) const {
    return fail(Code::kInvalidArgument, fmt::format("tree {}: {}", tree_number_, what));
  }

  EnsembleSpec spec_;
  const EnsembleLimits limits_;
  std::unique_ptr<TreeEnsemble::Layout> layout_;
  TreeSpec* tree_ = nullptr;
  std::size_t tree_number_ = 0;
  std::vector<std::uint32_t> order_;   // node of the spec, by place
  std::vector<std::uint32_t> places_;  // place, by node of the spec
  std::uint32_t depth_ = 0;
};

Status Builder::check_sizes() {
  const auto& spec = spec_;
  if (spec.features > limits_.features_max) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} features, expected at most {}", spec.features, limits_.features_max));
  }
  if (spec.outputs == 0 || spec.outputs > limits_.outputs_max) {
    return fail(Code::kInvalidArgument, fmt::format("{} outputs, expected 1 to {}", spec.outputs, limits_.outputs_max));
  }
  if (spec.trees.size() > limits_.trees_max) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} trees, expected at most {}", spec.trees.size(), limits_.trees_max));
  }
  if (spec.base.size() != spec.outputs) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} base scores, expected {}, one an output", spec.base.size(), spec.outputs));
  }
  if (!(spec.divisor > 0) || !std::isfinite(spec.divisor)) {
    return fail(Code::kInvalidArgument, fmt::format("divisor {}, expected a positive number", spec.divisor));
  }
  std::uint64_t nodes = 0;
  std::uint64_t largest = 0;
  for (const auto& tree : spec.trees) {
    nodes += tree.nodes.size();
    largest = std::max<std::uint64_t>(largest, tree.nodes.size());
  }
  if (nodes > limits_.nodes_max) {
    return fail(Code::kInvalidArgument, fmt::format("{} nodes, expected at most {}", nodes, limits_.nodes_max));
  }
  auto& layout = *layout_;
  layout.features = spec.features;
  layout.outputs = spec.outputs;
  layout.rows = spec.rows;
  layout.sums = spec.sums;
  layout.base = spec.base;
  layout.base_last = spec.base_last;
  layout.divisor = spec.divisor;
  const bool narrow =
      spec.rows == RowType::kFloat32 && spec.features <= NarrowNode::kFeatureMask && largest <= UINT16_MAX;
  narrow ? layout.narrow.reserve(nodes) : layout.wide.reserve(nodes);
  layout.ids.reserve(nodes);
  layout.covers.reserve(nodes);
  return {};
}

Status Builder::check_tree() const {
  const auto& tree = *tree_;
  if (tree.nodes.empty()) return refuse("no nodes, expected a root");
  if (tree.leaf_size != 1 && tree.leaf_size != spec_.outputs) {
    return refuse(fmt::format("leaves of {} numbers, expected 1 or {}", tree.leaf_size, spec_.outputs));
  }
  if (tree.output >= spec_.outputs) return refuse(fmt::format("output {} of {}", tree.output, spec_.outputs));
  if (!std::isfinite(tree.weight)) return refuse("its weight is not a finite number");
  for (const auto& set : tree.sets) {
    for (const auto category : set) {
      if (category > kCategoryMax)
        return refuse(fmt::format("category {}, expected at most {}", category, kCategoryMax));
    }
  }
  for (std::uint32_t i = 0; i < tree.nodes.size(); ++i) TRY_STATUS(check_node(i));
  return check_linear();
}

Status Builder::check_node(std::uint32_t index) const {
  const auto& node = tree_->nodes[index];
  const auto refuse_node = [&](const std::string& what) { return refuse(fmt::format("node {}: {}", index, what)); };
  if (!(node.cover >= 0) || !std::isfinite(node.cover)) return refuse_node("its cover is negative or not finite");
  if (node.test == SplitTest::kLeaf) {
    const auto vectors = tree_->values.size() / tree_->leaf_size;
    if (node.value < vectors) return {};
    return refuse_node(fmt::format("leaf value {}, but there are {}", node.value, vectors));
  }
  if (node.feature >= spec_.features) {
    return refuse_node(fmt::format("feature {}, but there are {}", node.feature, spec_.features));
  }
  const auto nodes = tree_->nodes.size();
  if (node.left >= nodes || node.right >= nodes) {
    return refuse_node(fmt::format("children {} and {}, but there are {} nodes", node.left, node.right, nodes));
  }
  if (is_set_test(node.test)) {
    if (node.value >= tree_->sets.size()) {
      return refuse_node(fmt::format("category set {}, but there are {}", node.value, tree_->sets.size()));
    }
  } else if (std::isnan(node.threshold)) {
    return refuse_node("its threshold is NaN");
  }
  return {};
}

Status Builder::check_linear() const {
  const auto& tree = *tree_;
  if (tree.linear.empty()) return {};
  if (spec_.sums != SumType::kFloat64) return refuse("linear leaves are added in double");
  if (tree.leaf_size != 1 || tree.linear.size() != tree.values.size()) {
    return refuse(fmt::format("{} linear leaves, expected one for each of {}", tree.linear.size(), tree.values.size()));
  }
  for (const auto& leaf : tree.linear) {
    if (leaf.features.size() != leaf.coefficients.size()) return refuse("a linear leaf has not one factor a feature");
    for (const auto feature : leaf.features) {
      if (feature >= spec_.features) return refuse(fmt::format("a linear leaf has feature {}", feature));
    }
  }
  return {};
}

/// Breadth first, so that both children follow one another. A node met twice has two parents; one never met has none
/// that leads to the root. Nodes that nobody reaches are left out where a library leaves such behind (pruning).
Status Builder::order_nodes() {
  const auto& nodes = tree_->nodes;
  places_.assign(nodes.size(), kUnplaced);
  order_.clear();
  order_.push_back(0);
  places_[0] = 0;
  depth_ = 0;
  std::size_t level_end = 1;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    if (i == level_end) {
      ++depth_;
      level_end = order_.size();
      if (depth_ > limits_.depth_max) return refuse(fmt::format("deeper than {}", limits_.depth_max));
    }
    const auto& node = nodes[order_[i]];
    if (node.test == SplitTest::kLeaf) continue;
    for (const auto child : {node.left, node.right}) {
      if (places_[child] != kUnplaced) {
        return refuse(fmt::format("node {} has two parents: the nodes are no tree", child));
      }
      places_[child] = static_cast<std::uint32_t>(order_.size());
      order_.push_back(child);
    }
  }
  return {};
}

void Builder::add_sets() {
  auto& layout = *layout_;
  for (const auto& set : tree_->sets) {
    const std::uint32_t last = set.empty() ? 0 : *std::max_element(set.begin(), set.end());
    const CategorySet bits{layout.set_bits.size(), set.empty() ? 0 : last / 32 + 1};
    layout.set_bits.resize(bits.begin + bits.words, 0);
    for (const auto category : set) layout.set_bits[bits.begin + category / 32] |= 1U << (category % 32);
    layout.sets.push_back(bits);
  }
}

void Builder::add_special(const TreeNode& node, std::uint64_t first_set) {
  SpecialNode special;
  if (is_set_test(node.test)) {
    special.test = node.test;
    special.set = static_cast<std::uint32_t>(first_set + node.value);
  }
  special.zero_is_missing = node.test != SplitTest::kLeaf && node.missing == MissingRule::kZeroOrNan;
  layout_->specials.push_back(special);
}

void Builder::add_tree() {
  auto& layout = *layout_;
  auto& tree = *tree_;
  TreeLayout out;
  out.root = layout.ids.size();
  out.nodes = static_cast<std::uint32_t>(order_.size());
  out.depth = depth_;
  out.output = tree.output;
  out.vector_leaf = spec_.outputs > 1 && tree.leaf_size == spec_.outputs;
  out.weight = tree.weight;
  const bool special = std::any_of(tree.nodes.begin(), tree.nodes.end(), [](const TreeNode& node) {
    return is_set_test(node.test) || (node.test != SplitTest::kLeaf && node.missing == MissingRule::kZeroOrNan);
  });
  const auto first_set = layout.sets.size();
  if (special) {
    out.special = layout.specials.size();
    layout.any_special = true;
    add_sets();
    for (const auto node : order_) add_special(tree.nodes[node], first_set);
  }
  if (out.vector_leaf) layout.any_vector = true;
  // A vector is kept once, whatever its leaves; a scalar moves to its leaf.
  const auto first_slot = layout.vectors.size() / spec_.outputs;
  if (out.vector_leaf) {
    for (const auto value : tree.values) {
      const bool single = spec_.sums == SumType::kFloat32;
      layout.vectors.push_back(single ? static_cast<double>(static_cast<float>(tree.weight) * static_cast<float>(value))
                                      : tree.weight * value);
    }
  }
  if (!tree.linear.empty()) {
    out.linear = layout.linear.size();
    layout.any_linear = true;
    layout.explainable = false;
    std::move(tree.linear.begin(), tree.linear.end(), std::back_inserter(layout.linear));
  }
  for (std::uint32_t place = 0; place < order_.size(); ++place) add_node(place);
  if (!tree.linear.empty() || layout.any_vector) {
    layout.slots.resize(out.root, 0);
    for (const auto node : order_) {
      const bool leaf = tree.nodes[node].test == SplitTest::kLeaf;
      const auto first = out.vector_leaf ? first_slot : 0;
      layout.slots.push_back(leaf ? static_cast<std::uint32_t>(first + tree.nodes[node].value) : 0);
    }
  }
  layout.trees.push_back(out);
}

void Builder::add_node(std::uint32_t place) {
  auto& layout = *layout_;
  const auto& node = tree_->nodes[order_[place]];
  const bool leaf = node.test == SplitTest::kLeaf;
  const std::uint32_t step = leaf ? 0 : places_[node.left] - place;
  const bool nan_right = !leaf && nan_goes_right(node);
  if (layout.narrow.capacity() != 0) {
    const auto threshold =
        leaf || is_set_test(node.test) ? std::numeric_limits<float>::quiet_NaN() : step_threshold<float>(node);
    const auto feature = leaf ? 0 : node.feature | (nan_right ? NarrowNode::kNanRight : 0);
    layout.narrow.push_back({threshold, static_cast<std::uint16_t>(feature), static_cast<std::uint16_t>(step)});
  } else {
    double threshold = std::numeric_limits<double>::quiet_NaN();
    if (!leaf && !is_set_test(node.test)) {
      threshold = spec_.rows == RowType::kFloat32 ? static_cast<double>(step_threshold<float>(node))
                                                  : step_threshold<double>(node);
    }
    layout.wide.push_back({threshold, leaf ? 0 : node.feature | (nan_right ? WideNode::kNanRight : 0), step});
  }
  const double value = leaf && tree_->leaf_size == 1 ? tree_->values[node.value] : 0;
  if (spec_.sums == SumType::kFloat32) {
    layout.floats.push_back(static_cast<float>(tree_->weight) * static_cast<float>(value));
  } else {
    layout.doubles.push_back(tree_->weight * value);
  }
  layout.ids.push_back(node.id);
  layout.covers.push_back(node.cover);
  if (place == 0 && !leaf && !(node.cover > 0)) layout.explainable = false;
}

}  // namespace

TreeEnsemble::TreeEnsemble(std::unique_ptr<const Layout> layout) noexcept : layout_(std::move(layout)) {}
TreeEnsemble::TreeEnsemble(TreeEnsemble&&) noexcept = default;
TreeEnsemble& TreeEnsemble::operator=(TreeEnsemble&&) noexcept = default;
TreeEnsemble::~TreeEnsemble() = default;

std::uint32_t TreeEnsemble::features() const noexcept { return layout_->features; }
std::uint32_t TreeEnsemble::outputs() const noexcept { return layout_->outputs; }
std::uint32_t TreeEnsemble::trees() const noexcept { return static_cast<std::uint32_t>(layout_->trees.size()); }
RowType TreeEnsemble::rows() const noexcept { return layout_->rows; }
SumType TreeEnsemble::sums() const noexcept { return layout_->sums; }
bool TreeEnsemble::explainable() const noexcept { return layout_->explainable; }

std::uint64_t TreeEnsemble::memory_bytes() const noexcept {
  const auto& layout = *layout_;
  std::uint64_t bytes = sizeof(Layout) + bytes_of(layout.trees) + bytes_of(layout.narrow) + bytes_of(layout.wide) +
                        bytes_of(layout.specials) + bytes_of(layout.sets) + bytes_of(layout.set_bits) +
                        bytes_of(layout.linear) + bytes_of(layout.ids) + bytes_of(layout.covers) +
                        bytes_of(layout.floats) + bytes_of(layout.doubles) + bytes_of(layout.slots) +
                        bytes_of(layout.vectors) + bytes_of(layout.base);
  for (const auto& leaf : layout.linear) bytes += bytes_of(leaf.features) + bytes_of(leaf.coefficients);
  return bytes;
}

bool TreeEnsemble::Layout::goes_right(const TreeLayout& tree, std::uint32_t node, double x) const noexcept {
  const auto index = tree.root + node;
  const double threshold = narrow.empty() ? wide[index].threshold : static_cast<double>(narrow[index].threshold);
  const bool nan_right = narrow.empty() ? (wide[index].feature & WideNode::kNanRight) != 0
                                        : (narrow[index].feature & NarrowNode::kNanRight) != 0;
  if (std::isnan(x)) return nan_right;
  if (tree.special == TreeLayout::kNone) return x >= threshold;
  const auto& special = specials[tree.special + node];
  constexpr double kZero = 1e-35;
  if (special.zero_is_missing && std::fabs(x) <= kZero) return nan_right;
  if (!is_set_test(special.test)) return x >= threshold;
  bool member = false;
  const bool in_range = special.test == SplitTest::kInSet ? x > -1.0 : x >= 0.0;
  if (in_range && x < 2147483648.0) {
    const auto category = static_cast<std::uint32_t>(std::max(x, 0.0));
    const auto& set = sets[special.set];
    member = category / 32 < set.words && ((set_bits[set.begin + category / 32] >> (category % 32)) & 1U) != 0;
  }
  return member == (special.test == SplitTest::kNotInSet);
}

Result<TreeEnsemble> make_ensemble(EnsembleSpec spec, const EnsembleLimits& limits) {
  TRY(auto layout, Builder(std::move(spec), limits).build());
  return TreeEnsemble(std::move(layout));
}

}  // namespace protean
