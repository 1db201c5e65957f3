// SPDX-License-Identifier: Apache-2.0
// One TensorFlow node while it is lowered, and the table of what lowers and how.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensorflow/graph.h"
#include "tensorflow/lowering/build.h"
#include "tensorflow/lowering/value.h"

namespace protean {

class Lowering;
[[nodiscard]] Build& build_of(Lowering& lowering);

/// A node whose inputs have been lowered.  Valid during one call.
class Operation {
 public:
  Operation(const Scope& scope, const tensorflow::NodeDef& node, std::vector<Value> inputs, Lowering& lowering);

  [[nodiscard]] const Scope& scope() const noexcept { return scope_; }
  [[nodiscard]] const tensorflow::NodeDef& node() const noexcept { return node_; }
  [[nodiscard]] Lowering& lowering() const noexcept { return lowering_; }
  [[nodiscard]] Build& build() noexcept { return build_; }
  [[nodiscard]] const std::string& type() const noexcept { return node_.op(); }

  [[nodiscard]] std::size_t count() const noexcept { return inputs_.size(); }
  /// An input; past the last one a value of DT_INVALID, and the node is refused afterwards.
  [[nodiscard]] const Value& in(std::size_t index) const noexcept;
  [[nodiscard]] bool has_too_few_inputs() const noexcept { return too_few_; }
  [[nodiscard]] const std::vector<Value>& inputs() const noexcept { return inputs_; }

  [[nodiscard]] const tensorflow::AttrValue* attribute(const std::string& name) const;
  [[nodiscard]] std::int64_t integer(const std::string& name, std::int64_t otherwise = 0) const;
  [[nodiscard]] bool flag(const std::string& name, bool otherwise = false) const;
  [[nodiscard]] float number(const std::string& name, float otherwise = 0) const;
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = {}) const;
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& name) const;
  [[nodiscard]] DType dtype(const std::string& name, DType otherwise) const;
  [[nodiscard]] std::string function(const std::string& name) const;
  [[nodiscard]] Dims shape(const std::string& name) const;

  /// The integers of input `index`, which must be constant.  Errors: kUnimplemented naming `what`.
  [[nodiscard]] Result<std::vector<std::int64_t>> constant(std::size_t index, std::string_view what) const;
  /// The rank of input `index`, which must be known.  Errors: kUnimplemented.
  [[nodiscard]] Result<std::size_t> rank(std::size_t index) const;

 private:
  const Scope& scope_;
  const tensorflow::NodeDef& node_;
  std::vector<Value> inputs_;
  Lowering& lowering_;
  Build& build_;
  mutable bool too_few_ = false;
};

using LoweredValues = Result<std::vector<Value>>;
/// Gives the values of the node's outputs, at least as many as there are that can be asked for.
/// Errors: kUnimplemented with the reason why this node does not lower; anything else ends the lowering.
using LowerFunction = LoweredValues (*)(Operation&);

/// `remark`: what does not lower of it, for the page.
struct LoweredOperation {
  std::string_view name;
  LowerFunction lower;
  std::string_view remark = {};
  /// Takes variables, tables or lists.
  bool takes_handles = false;
};

struct OperationGroup {
  std::string_view title;
  std::span<const LoweredOperation> operations;
};

/// All that lowers, in the order of the page.
[[nodiscard]] std::span<const OperationGroup> lowered_operations();
/// Null when it does not lower.
[[nodiscard]] const LoweredOperation* find_lowered_operation(std::string_view name);
/// docs/backends/tensorflow_operations.md.
[[nodiscard]] std::string operations_page();

[[nodiscard]] inline tl::unexpected<Error> does_not_lower(std::string reason) {
  return fail(Code::kUnimplemented, std::move(reason));
}

/// As a vector of one.
[[nodiscard]] inline LoweredValues one(Value value) { return std::vector<Value>{std::move(value)}; }

// One for each *_operations.cc.
[[nodiscard]] OperationGroup elementwise_operations();
[[nodiscard]] OperationGroup comparison_operations();
[[nodiscard]] OperationGroup reduction_operations();
[[nodiscard]] OperationGroup matrix_operations();
[[nodiscard]] OperationGroup layout_operations();
[[nodiscard]] OperationGroup selection_operations();
[[nodiscard]] OperationGroup convolution_operations();
[[nodiscard]] OperationGroup pooling_operations();
[[nodiscard]] OperationGroup image_operations();
[[nodiscard]] OperationGroup lookup_operations();
[[nodiscard]] OperationGroup control_operations();
[[nodiscard]] OperationGroup list_operations();
[[nodiscard]] OperationGroup example_operations();
[[nodiscard]] OperationGroup source_operations();

}  // namespace protean
