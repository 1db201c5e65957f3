// SPDX-License-Identifier: Apache-2.0
// The table of the places where tensors can hide. Everything that walks a model walks by it.
#include "backends/onnxruntime/onnx_format.h"

#include <array>

namespace protean::onnx {
namespace {

struct Row {
  Message parent;
  std::uint32_t number;
  Child child;
};

constexpr std::array<Row, 19> kRows = {{
    {Message::kModel, model::kGraph, {Message::kGraph, true}},
    {Message::kModel, model::kTraining, {Message::kTraining, false}},
    {Message::kModel, model::kFunctions, {Message::kFunction, false}},
    {Message::kGraph, graph::kNode, {Message::kNode, false}},
    {Message::kGraph, graph::kInitializer, {Message::kTensor, false}},
    {Message::kGraph, graph::kSparseInitializer, {Message::kSparseTensor, false}},
    {Message::kNode, node::kAttribute, {Message::kAttribute, false}},
    {Message::kAttribute, attribute::kTensor, {Message::kTensor, true}},
    {Message::kAttribute, attribute::kGraph, {Message::kGraph, true}},
    {Message::kAttribute, attribute::kTensors, {Message::kTensor, false}},
    {Message::kAttribute, attribute::kGraphs, {Message::kGraph, false}},
    {Message::kAttribute, attribute::kSparseTensor, {Message::kSparseTensor, true}},
    {Message::kAttribute, attribute::kSparseTensors, {Message::kSparseTensor, false}},
    {Message::kSparseTensor, sparse_tensor::kValues, {Message::kTensor, true}},
    {Message::kSparseTensor, sparse_tensor::kIndices, {Message::kTensor, true}},
    {Message::kTraining, training::kInitialization, {Message::kGraph, true}},
    {Message::kTraining, training::kAlgorithm, {Message::kGraph, true}},
    {Message::kFunction, function::kNode, {Message::kNode, false}},
    {Message::kFunction, function::kAttributeProto, {Message::kAttribute, false}},
}};

}  // namespace

Child child_of(Message parent, std::uint32_t number) noexcept {
  for (const auto& row : kRows) {
    if (row.parent == parent && row.number == number) return row.child;
  }
  return {};
}

}  // namespace protean::onnx
