// SPDX-License-Identifier: Apache-2.0
// A walk in depth with a stack of its own: a value that is met while it is being walked holds itself.
#include "backends/scikit_learn/value_graph.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace protean::sklearn {
namespace {

constexpr std::uint16_t kNew = 0;
constexpr std::uint16_t kOpen = UINT16_MAX;  // being walked

/// A value on the walk's path; `next`: the part of it to walk into.
struct Step {
  Ref ref = kNoRef;
  std::size_t next = 0;
  std::uint16_t height = 1;  // of the parts walked so far, and this one
};

/// The heights of sets by their lists of items, which many sets may share.
using SetHeights = std::unordered_map<Ref, std::uint16_t>;

/// The parts in order: callable, args, state, items. kNoRef behind the last.
Ref part_of(const ValuePool& pool, const SetHeights& sets, Step& step, bool& last) {
  const Node& node = pool.node(step.ref);
  const std::array fixed = {node.callable, node.args, node.state};
  if (step.next < fixed.size()) return fixed[step.next];
  const std::size_t at = step.next - fixed.size();
  if (at == 0 && node.kind == Kind::kSet) {
    if (const auto known = sets.find(node.items); known != sets.end()) {
      step.height = std::max(step.height, known->second);
      last = true;
      return kNoRef;
    }
  }
  const auto items = pool.items(step.ref);
  last = at >= items.size();
  return last ? kNoRef : items[at];
}

}  // namespace

Status check_value_graph(const ValuePool& pool, Ref root) {
  std::vector<std::uint16_t> heights(pool.size(), kNew);
  std::vector<Step> path = {{root}};
  SetHeights sets;
  heights[root] = kOpen;
  while (!path.empty()) {
    Step& step = path.back();
    bool last = false;
    const Ref part = part_of(pool, sets, step, last);
    if (last) {
      const Step done = step;
      heights[done.ref] = done.height;
      if (pool.node(done.ref).kind == Kind::kSet) sets.emplace(pool.node(done.ref).items, done.height);
      path.pop_back();
      if (!path.empty()) path.back().height = std::max<std::uint16_t>(path.back().height, done.height + 1);
      continue;
    }
    ++step.next;
    if (part == kNoRef) continue;
    if (heights[part] == kOpen) {
      return fail(Code::kInvalidArgument, pool.value(part).describe() + " holds itself, which no model's values do");
    }
    if (heights[part] != kNew) {
      step.height = std::max<std::uint16_t>(step.height, heights[part] + 1);
    } else {
      heights[part] = kOpen;
      path.push_back({part});
    }
    if (path.size() > kValueDepthMax || path.size() + path.back().height > kValueDepthMax + 1) {
      return fail(Code::kInvalidArgument,
                  "values inside each other, deeper than " + std::to_string(kValueDepthMax) + " levels");
    }
  }
  return {};
}

}  // namespace protean::sklearn
