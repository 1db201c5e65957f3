// SPDX-License-Identifier: Apache-2.0
// Little-endian structures as XGBoost's C++ had them in memory: learner parameters, names, booster parameters, trees of
// nodes and their statistics, then groups, weights and attributes.
#include "backends/trees/xgboost_binary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "backends/trees/numbers.h"
#include "backends/trees/xgboost_model.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kLearnerBytes = 136;
constexpr std::size_t kBoosterBytes = 160;
constexpr std::size_t kTreeBytes = 148;
constexpr std::size_t kNodeBytes = 20;
constexpr std::size_t kStatisticBytes = 16;
constexpr std::uint64_t kNameBytesMax = 64;
constexpr std::uint32_t kHighBit = 0x80000000;

/// Reads what lies one after another.
class BinaryReader {
 public:
  explicit BinaryReader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - at_; }
  Result<std::string_view> take(std::uint64_t count) {
    if (count > left()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("XGBoost binary: {} bytes expected at byte {}, {} left", count, at_, left()));
    }
    const auto taken = bytes_.substr(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
  }
  template <typename T>
  Result<T> number() {
    TRY(const auto bytes, take(sizeof(T)));
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  Result<std::string> text() {
    TRY(const auto size, number<std::uint64_t>());
    TRY(const auto bytes, take(size));
    return std::string(bytes);
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

template <typename T>
T field(std::string_view structure, std::size_t index) noexcept {
  T value;
  std::memcpy(&value, structure.data() + index * 4, sizeof value);
  return value;
}

std::string_view without_mark(std::string_view bytes) noexcept {
  return bytes.starts_with("binf") ? bytes.substr(4) : bytes;
}

Result<TreeSpec> read_tree(BinaryReader& reader, std::size_t number) {
  const auto wrong = [number](std::string_view what) {
    return fail(Code::kInvalidArgument, fmt::format("XGBoost binary, tree {}: {}", number, what));
  };
  TRY(const auto parameters, reader.take(kTreeBytes));
  const auto nodes = field<std::int32_t>(parameters, 1);
  if (nodes <= 0) return wrong(fmt::format("{} nodes", nodes));
  const auto leaf_size = field<std::int32_t>(parameters, 5);
  if (leaf_size > 1) return wrong("leaves are vectors");
  const auto count = static_cast<std::uint64_t>(nodes);
  TRY(const auto node_bytes, reader.take(count * kNodeBytes));
  TRY(const auto statistics, reader.take(count * kStatisticBytes));
  TreeSpec tree;
  tree.nodes.resize(count);
  tree.values.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto raw = node_bytes.substr(i * kNodeBytes, kNodeBytes);
    auto& node = tree.nodes[i];
    node.id = static_cast<std::uint32_t>(i);
    node.value = node.id;
    tree.values[i] = static_cast<double>(field<float>(raw, 4));
    const auto cover = static_cast<double>(field<float>(statistics.substr(i * kStatisticBytes, kStatisticBytes), 1));
    node.cover = cover > 0 && std::isfinite(cover) ? cover : 0;
    const auto left = field<std::int32_t>(raw, 1);
    if (left < 0) continue;
    node.test = SplitTest::kLess;
    node.left = static_cast<std::uint32_t>(left);
    node.right = field<std::uint32_t>(raw, 2);
    const auto split = field<std::uint32_t>(raw, 3);
    node.feature = split & ~kHighBit;
    node.default_left = (split & kHighBit) != 0;
    node.threshold = tree.values[i];
  }
  return tree;
}

/// What follows the booster: the caller's attributes, of which two say how the scikit-learn wrapper predicts.
Status read_attributes(BinaryReader& reader, XgboostFacts& facts) {
  TRY(const auto count, reader.number<std::uint64_t>());
  bool wrapper = false;
  std::optional<std::int64_t> best;
  for (std::uint64_t i = 0; i < count; ++i) {
    TRY(const auto name, reader.text());
    TRY(const auto value, reader.text());
    wrapper = wrapper || name == "scikit_learn";
    if (name == "best_iteration") best = parse_int64(value);
  }
  if (wrapper && best && *best >= 0) facts.best_iteration = static_cast<std::uint64_t>(*best);
  return {};
}

Result<std::vector<TreeSpec>> read_booster(BinaryReader& reader, bool dart, XgboostFacts& facts) {
  TRY(const auto booster, reader.take(kBoosterBytes));
  const auto trees = field<std::int32_t>(booster, 0);
  // Before version 1.0 the second field was another one, always 1 or 0.
  facts.parallel_trees = static_cast<std::uint32_t>(std::max(1, field<std::int32_t>(booster, 1)));
  std::vector<TreeSpec> specs;
  for (std::int32_t i = 0; i < trees; ++i) {
    TRY(auto tree, read_tree(reader, static_cast<std::size_t>(i)));
    specs.push_back(std::move(tree));
  }
  for (std::int32_t i = 0; i < trees; ++i) {
    TRY(const auto group, reader.number<std::uint32_t>());
    facts.groups.push_back(group);
  }
  if (!dart || trees <= 0) return specs;
  TRY(const auto weights, reader.number<std::uint64_t>());
  if (weights != specs.size()) return fail(Code::kInvalidArgument, "XGBoost binary: not one weight a tree");
  for (std::uint64_t i = 0; i < weights; ++i) {
    TRY(const auto weight, reader.number<float>());
    facts.drop_weights.push_back(weight);
  }
  return specs;
}

}  // namespace

bool looks_like_xgboost_binary(std::string_view head) noexcept {
  const auto bytes = without_mark(head);
  std::uint64_t size = 0;
  if (bytes.size() < kLearnerBytes + sizeof size) return head.starts_with("binf");
  std::memcpy(&size, bytes.data() + kLearnerBytes, sizeof size);
  if (size == 0 || size > kNameBytesMax) return false;
  const auto name = bytes.substr(kLearnerBytes + sizeof size, static_cast<std::size_t>(size));
  constexpr std::array<std::string_view, 7> kKinds = {
      "reg:", "binary:", "multi:", "rank:", "count:", "survival:", "gpu:"};
  return std::any_of(kKinds.begin(), kKinds.end(), [&](auto kind) { return name.starts_with(kind); });
}

Result<TreeModelSpec> read_xgboost_binary(std::string_view bytes) {
  BinaryReader reader(without_mark(bytes));
  TRY(const auto learner, reader.take(kLearnerBytes));
  XgboostFacts facts;
  const float base = field<float>(learner, 0);
  facts.base_scores = {base};
  facts.features = field<std::uint32_t>(learner, 1);
  facts.classes = static_cast<std::uint32_t>(std::max(0, field<std::int32_t>(learner, 2)));
  const bool attributes = field<std::int32_t>(learner, 3) != 0;
  const auto major = field<std::uint32_t>(learner, 5);
  // 1.7 and later say how many targets there are; before, these bytes were reserved and 0.
  facts.targets = std::max(1U, field<std::uint32_t>(learner, 7));
  facts.base_is_margin = major < 1;
  facts.version = major < 1 ? "before 1.0" : fmt::format("{}.{}", major, field<std::uint32_t>(learner, 6));
  if (!std::isfinite(base)) return fail(Code::kInvalidArgument, "XGBoost binary: its base score is not a number");
  TRY(facts.objective, reader.text());
  TRY(const auto booster, reader.text());
  if (booster != "gbtree" && booster != "dart") {
    return fail(
        Code::kInvalidArgument,
        fmt::format("booster '{}', expected gbtree or dart; a linear model (gblinear) is read from the JSON that "
                    "XGBoost saves",
                    printable(booster)));
  }
  TRY(auto trees, read_booster(reader, booster == "dart", facts));
  if (attributes) TRY_STATUS(read_attributes(reader, facts));
  TRY(auto spec, finish_xgboost(std::move(facts), std::move(trees)));
  spec.platform = "xgboost_binary";
  return spec;
}

}  // namespace protean
