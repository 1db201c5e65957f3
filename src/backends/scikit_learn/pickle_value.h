// SPDX-License-Identifier: Apache-2.0
// What a pickle says, as inert data. Nodes live in one pool and name each other by number, so that graphs of any
// depth (and cycles, which a pickle can make) are built, walked and freed without recursion. Nothing here calls or
// imports anything: an object is the name of its class, the arguments and the state that stood in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace protean::sklearn {

/// kBigInt: an integer beyond 64 bits; nobody needs its value.  kGlobal: a class or function by its name.
/// kObject: a call of `callable` with `args`, then `state`, then items appended to it.
/// kNpy: the bytes of a .npy file.  kInline: an array whose bytes joblib wrote behind the object that describes it.
enum class Kind : unsigned char {
  kNone,
  kBool,
  kInt,
  kBigInt,
  kFloat,
  kText,
  kBytes,
  kList,
  kTuple,
  kDict,
  kSet,
  kGlobal,
  kObject,
  kNpy,
  kInline,
};

using Ref = std::uint32_t;
inline constexpr Ref kNoRef = UINT32_MAX;

/// `text`: of kText, kBytes, kNpy and kInline (views of the file or of the pool's own copies); of kGlobal the name
/// `module.name`, whose module has `integer` bytes.  `items`: which list of items is this node's.
struct Node {
  Kind kind = Kind::kNone;
  Ref callable = kNoRef;
  Ref args = kNoRef;
  Ref state = kNoRef;
  Ref items = kNoRef;
  union {
    std::int64_t integer = 0;
    double real;
  };
  std::string_view text;
};

class Value;

/// Owns the nodes.  Not movable while Values point at it.  One thread writes; afterwards any number read.
class ValuePool {
 public:
  /// For a file of `file_bytes`: at most a node a byte (and 2^26 in all), and 4 times its size for texts of its own.
  explicit ValuePool(std::size_t file_bytes) : ValuePool(file_bytes, file_bytes) {}
  /// `stored_bytes`: what it had before it was decompressed. Values hardly compress, so there are at most 2 a byte of
  /// these, and 2^20.
  ValuePool(std::size_t file_bytes, std::size_t stored_bytes);
  ValuePool(const ValuePool&) = delete;
  ValuePool& operator=(const ValuePool&) = delete;

  /// Errors: kInvalidArgument when there are too many nodes.
  [[nodiscard]] Result<Ref> add(Node node);
  [[nodiscard]] Result<Ref> add_text(Kind kind, std::string_view view);
  [[nodiscard]] Result<Ref> add_container(Kind kind);
  [[nodiscard]] Result<Ref> add_global(std::string_view module, std::string_view name);
  /// Keeps `text` as long as the pool lives.  Errors: kInvalidArgument when that makes too much.
  [[nodiscard]] Result<std::string_view> keep(std::string text);

  [[nodiscard]] Node& node(Ref ref) { return nodes_[ref]; }
  [[nodiscard]] const Node& node(Ref ref) const { return nodes_[ref]; }
  /// Counts one step of whoever makes the values.  Errors: kInvalidArgument after 4 for each node there may be.
  [[nodiscard]] Status count_step();
  /// The items of a node, made when it has none yet.
  [[nodiscard]] std::vector<Ref>& items_of(Ref ref);
  [[nodiscard]] std::span<const Ref> items(Ref ref) const;
  [[nodiscard]] Value value(Ref ref) const;
  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }

 private:
  const std::size_t nodes_max_;
  const std::size_t kept_bytes_max_;
  std::size_t steps_ = 0;
  std::size_t kept_bytes_ = 0;
  std::vector<Node> nodes_;
  std::deque<std::vector<Ref>> items_;
  std::deque<std::string> kept_;
};

/// One node of a pool, for reading.  Cheap to copy; valid while the pool lives. A default one is None.
class Value {
 public:
  Value() noexcept = default;
  Value(const ValuePool* pool, Ref ref) noexcept : pool_(pool), ref_(ref) {}

  [[nodiscard]] Kind kind() const { return pool_ == nullptr ? Kind::kNone : node().kind; }
  [[nodiscard]] bool is_none() const { return kind() == Kind::kNone; }
  [[nodiscard]] bool is(Kind wanted) const { return kind() == wanted; }
  /// A list, tuple or set.
  [[nodiscard]] bool is_sequence() const;
  /// Requires that kind() is not kNone of a default Value.
  [[nodiscard]] const Node& node() const { return pool_->node(ref_); }
  /// Of text-like kinds, else empty.
  [[nodiscard]] std::string_view text() const;
  [[nodiscard]] bool equals(std::string_view text) const { return is(Kind::kText) && this->text() == text; }
  /// Items of a container; of a dict keys and values in turn.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] Value item(std::size_t index) const;
  /// The value of a text key of a dict; None when there is none. Takes time with the size of the dict.
  [[nodiscard]] Value key(std::string_view name) const;
  [[nodiscard]] Value callable() const { return part(&Node::callable); }
  [[nodiscard]] Value args() const { return part(&Node::args); }
  [[nodiscard]] Value state() const { return part(&Node::state); }
  /// Module and name of a kGlobal; of an object those of what it is made by: for `copyreg._reconstructor` and its kin
  /// the class. Empty for others.
  [[nodiscard]] std::string_view global_module() const;
  [[nodiscard]] std::string_view global_name() const;
  /// `a list of 3`, `sklearn.svm._classes.SVC`: for messages.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] Ref ref() const noexcept { return ref_; }

 private:
  [[nodiscard]] Value part(Ref Node::*member) const;
  [[nodiscard]] const Node* class_node() const;

  const ValuePool* pool_ = nullptr;
  Ref ref_ = 0;
};

}  // namespace protean::sklearn
