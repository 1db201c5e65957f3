// SPDX-License-Identifier: Apache-2.0
// The pool of nodes, and reading them.
#include "backends/scikit_learn/pickle_value.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace protean::sklearn {

ValuePool::ValuePool(std::size_t file_bytes, std::size_t stored_bytes)
    : nodes_max_(std::min({file_bytes, std::size_t{1} << 26,
                           (std::size_t{1} << 20) + 2 * std::min(stored_bytes, std::size_t{1} << 26)}) +
                 1024),
      kept_bytes_max_(4 * std::min(file_bytes, SIZE_MAX / 8) + (std::size_t{1} << 20)) {}

Result<Ref> ValuePool::add(Node node) {
  if (nodes_.size() >= nodes_max_) {
    return fail(Code::kInvalidArgument, "more than " + std::to_string(nodes_max_) + " values in the file");
  }
  nodes_.push_back(node);
  return static_cast<Ref>(nodes_.size() - 1);
}

Status ValuePool::count_step() {
  if (steps_++ < 4 * nodes_max_) return {};
  return fail(Code::kInvalidArgument,
              "more than " + std::to_string(4 * nodes_max_) + " steps, which no model of this file's size takes");
}

Result<Ref> ValuePool::add_text(Kind kind, std::string_view view) {
  Node node;
  node.kind = kind;
  node.text = view;
  return add(node);
}

Result<Ref> ValuePool::add_container(Kind kind) {
  Node node;
  node.kind = kind;
  return add(node);
}

Result<Ref> ValuePool::add_global(std::string_view module, std::string_view name) {
  Node node;
  node.kind = Kind::kGlobal;
  node.integer = static_cast<std::int64_t>(module.size());
  TRY(node.text, keep(std::string(module) + "." + std::string(name)));
  return add(node);
}

Result<std::string_view> ValuePool::keep(std::string text) {
  if (text.size() > kept_bytes_max_ - kept_bytes_) {
    return fail(Code::kInvalidArgument,
                "the file unfolds to more text than " + std::to_string(kept_bytes_max_) + " bytes");
  }
  kept_bytes_ += text.size();
  return kept_.emplace_back(std::move(text));
}

std::vector<Ref>& ValuePool::items_of(Ref ref) {
  auto& place = nodes_[ref].items;
  if (place == kNoRef) {
    place = static_cast<Ref>(items_.size());
    items_.emplace_back();
  }
  return items_[place];
}

std::span<const Ref> ValuePool::items(Ref ref) const {
  const auto place = nodes_[ref].items;
  if (place == kNoRef) return {};
  return items_[place];
}

Value ValuePool::value(Ref ref) const { return {this, ref}; }

bool Value::is_sequence() const { return is(Kind::kList) || is(Kind::kTuple) || is(Kind::kSet); }

std::string_view Value::text() const { return pool_ == nullptr ? std::string_view() : node().text; }

std::size_t Value::size() const { return pool_ == nullptr ? 0 : pool_->items(ref_).size(); }

Value Value::item(std::size_t index) const {
  if (index >= size()) return {};
  return {pool_, pool_->items(ref_)[index]};
}

Value Value::key(std::string_view name) const {
  if (!is(Kind::kDict)) return {};
  const auto items = pool_->items(ref_);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const auto& node = pool_->node(items[i]);
    if (node.kind == Kind::kText && node.text == name) return {pool_, items[i + 1]};
  }
  return {};
}

Value Value::part(Ref Node::*member) const {
  if (pool_ == nullptr) return {};
  const Ref ref = node().*member;
  if (ref == kNoRef) return {};
  return {pool_, ref};
}

const Node* Value::class_node() const {
  if (is(Kind::kGlobal)) return &node();
  if (!is(Kind::kObject)) return nullptr;
  const auto made_by = callable();
  if (!made_by.is(Kind::kGlobal)) return nullptr;
  const auto text = made_by.text();
  const bool stands_for_its_argument = text == "copyreg._reconstructor" || text == "copy_reg._reconstructor" ||
                                       text == "copyreg.__newobj__" || text == "copy_reg.__newobj__";
  if (!stands_for_its_argument) return &made_by.node();
  const auto named = args().item(0);
  return named.is(Kind::kGlobal) ? &named.node() : nullptr;
}

std::string_view Value::global_module() const {
  const auto* node = class_node();
  return node == nullptr ? std::string_view() : node->text.substr(0, static_cast<std::size_t>(node->integer));
}

std::string_view Value::global_name() const {
  const auto* node = class_node();
  return node == nullptr ? std::string_view() : node->text.substr(static_cast<std::size_t>(node->integer) + 1);
}

std::string Value::describe() const {
  switch (kind()) {
    case Kind::kNone: return "None";
    case Kind::kBool: return node().integer != 0 ? "True" : "False";
    case Kind::kInt: return std::to_string(node().integer);
    case Kind::kBigInt: return "an integer beyond 64 bits";
    case Kind::kFloat: return std::to_string(node().real);
    case Kind::kText: return "'" + printable(text(), 64) + "'";
    case Kind::kBytes: return std::to_string(text().size()) + " bytes";
    case Kind::kList: return "a list of " + std::to_string(size());
    case Kind::kTuple: return "a tuple of " + std::to_string(size());
    case Kind::kDict: return "a dict of " + std::to_string(size() / 2);
    case Kind::kSet: return "a set of " + std::to_string(size());
    case Kind::kNpy:
    case Kind::kInline: return "an array";
    case Kind::kGlobal:
    case Kind::kObject: break;
  }
  const auto* named = class_node();
  return named == nullptr ? "an object" : printable(named->text, 160);
}

}  // namespace protean::sklearn
