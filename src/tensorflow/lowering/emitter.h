// SPDX-License-Identifier: Apache-2.0
// Writes an ONNX graph node by node. Constants become initialisers of the outermost graph, which the graphs of loops
// and branches see as well, and each is written once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "proto/onnx.pb.h"
#include "tensorflow/lowering/value.h"

namespace protean {

struct OnnxAttribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
               std::vector<std::string>, lowered_onnx::Graph>
      value;
};

/// An operation of ONNX as it will be written; `domain` empty for the standard ones.
struct OnnxOperation {
  std::string type;
  std::vector<OnnxAttribute> attributes;
  std::string domain;
};

/// What an output will be.
struct OnnxResult {
  DType dtype;
  Dims dims;
};

/// Type number of ONNX; 0 for types that it does not have.
[[nodiscard]] int onnx_type(DType dtype) noexcept;

/// Not thread-safe.
class Emitter {
 public:
  Emitter();

  /// Inputs without a name are made constants; a Value of DT_INVALID leaves an optional input out.
  std::vector<Value> emit(const OnnxOperation& operation, const std::vector<Value>& inputs,
                          const std::vector<OnnxResult>& results);

  /// The name of a value in the graph, which it gets now if it has none.
  std::string name_of(const Value& value);

  Value add_input(const std::string& name, DType dtype, const Dims& dims);
  /// Whether `value` is an input of the model and the graph that is open is the outermost.
  [[nodiscard]] bool takes(const Value& value) const;
  /// The model may be without this input if nothing uses it.
  void need_not_take(const std::string& name) { optional_inputs_.insert(name); }
  /// A new input of the innermost graph; its name is made.
  Value add_nameless_input(DType dtype, const Dims& dims);
  /// `name` empty: one is made.
  void add_output(const std::string& name, const Value& value);

  /// Everything emitted until end_inner_graph() goes into a graph of its own, which sees those around it.
  void begin_inner_graph();
  lowered_onnx::Graph end_inner_graph();
  [[nodiscard]] std::size_t depth() const noexcept { return graphs_.size(); }

  /// Errors: kResourceExhausted when it would exceed 2 GiB; kInvalidArgument when something was used as a tensor that
  /// is none.
  Result<std::string> finish();

 private:
  std::string fresh_name() { return "/" + std::to_string(names_++); }
  void drop_unused_inputs();
  std::string add_constant(const Literal& literal);
  static void describe(lowered_onnx::ValueInfo& info, const std::string& name, DType dtype, const Dims& dims);
  static void set_attribute(lowered_onnx::Attribute& to, const OnnxAttribute& from);

  lowered_onnx::Model model_;
  std::vector<lowered_onnx::Graph> graphs_;
  std::size_t names_ = 0;
  std::size_t constant_bytes_ = 0;
  bool misuse_ = false;
  std::unordered_set<std::string> optional_inputs_;
  std::unordered_map<const Literal*, std::string> constants_;
  std::vector<std::shared_ptr<const Literal>> held_;  // keeps the keys of constants_ alive
  std::unordered_map<std::string, std::string> small_constants_;
};

}  // namespace protean
