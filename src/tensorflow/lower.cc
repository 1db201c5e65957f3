// SPDX-License-Identifier: Apache-2.0
// From files to a ModelProto: what is fed becomes inputs, what is fetched is asked for, and everything between follows.
#include "tensorflow/lower.h"

#include "base/text.h"
#include "tensorflow/graph.h"
#include "tensorflow/lowering/lowering.h"
#include "tensorflow/meta_graph.h"
#include "tensorflow/saved_state.h"

namespace protean {
namespace {

namespace tf = tensorflow;

Dims dims_of(const SavedModelTensor& tensor) {
  if (tensor.unknown_rank) return Dims::any();
  Dims dims = Dims::of(tensor.shape);
  for (auto& size : dims.sizes) size = std::max<std::int64_t>(size, -1);
  return dims;
}

tl::unexpected<Error> no_plain_tensor(const SavedModelSignature& signature, const SavedModelTensor& tensor) {
  return fail(Code::kUnimplemented,
              "signature '" + printable(signature.name) + "': '" + printable(tensor.key) +
                  "' is sparse, composite or of a type that ONNX does not have; expected a plain tensor");
}

/// One signature on its way.
class SignatureLowering {
 public:
  SignatureLowering(const SavedModelSignature& signature, InputShapes shapes, GraphView& graph, SavedState& state)
      : signature_(signature), shapes_(shapes), graph_(graph), lowering_(graph, state) {}

  Result<LoweredModel> lower() {
    TRY_STATUS(add_inputs());
    TRY_STATUS(add_outputs());
    TRY_STATUS(lowering_.refuse_effects());
    if (lowering_.refused()) return fail(Code::kUnimplemented, lowering_.refusal());
    LoweredModel model;
    TRY(model.onnx, lowering_.emitter().finish());
    if (lowering_.left_out_checks()) model.notes.emplace_back("checks of the graph (Assert) are not evaluated");
    model.features = lowering_.features();
    if (!model.features.empty()) model.notes.emplace_back("Examples are read before the ONNX model runs");
    for (auto& note : notes_) model.notes.push_back(std::move(note));
    return model;
  }

 private:
  [[nodiscard]] Dims wanted_dims(const SavedModelTensor& tensor) const {
    return shapes_ == InputShapes::kFree ? Dims::any() : dims_of(tensor);
  }

  Status add_inputs() {
    for (const auto& tensor : signature_.inputs) {
      const auto dtype = static_cast<DType>(tensor.dtype);
      if (tensor.node.empty() || onnx_type(dtype) == 0) return no_plain_tensor(signature_, tensor);
      TRY(const auto output, graph_.find(tensor.node));
      graph_.stop_at(output);
      lowering_.bind(output, lowering_.emitter().add_input(tensor.key, dtype, wanted_dims(tensor)));
    }
    return {};
  }

  Status add_outputs() {
    std::vector<Value> values;
    for (const auto& tensor : signature_.outputs) {
      if (tensor.node.empty()) return no_plain_tensor(signature_, tensor);
      TRY(const auto output, graph_.find(tensor.node));
      TRY(auto value, lowering_.value(output));
      if (!value.poison && onnx_type(value.dtype) == 0) return no_plain_tensor(signature_, tensor);
      if (shapes_ == InputShapes::kDeclared) value.dims = merged(value.dims, dims_of(tensor));
      values.push_back(std::move(value));
    }
    if (lowering_.refused()) return {};
    for (std::size_t i = 0; i < values.size(); ++i) {
      lowering_.emitter().add_output(output_name(signature_.outputs[i].key), values[i]);
    }
    return {};
  }

  /// ONNX has one space of names for inputs and outputs.
  std::string output_name(const std::string& key) {
    for (const auto& input : signature_.inputs) {
      if (input.key != key) continue;
      notes_.push_back("output '" + printable(key) +
                       "' has the name of an input and is called 'output:" + printable(key) + "' in the ONNX model");
      return "output:" + key;
    }
    return key;
  }

  const SavedModelSignature& signature_;
  const InputShapes shapes_;
  GraphView& graph_;
  Lowering lowering_;
  std::vector<std::string> notes_;
};

std::string names_of(const tf::MetaGraphDef& meta) {
  std::string names;
  for (const auto& signature : facts_of(meta).signatures)
    names += (names.empty() ? "" : ", ") + printable(signature.name);
  return names.empty() ? "none" : names;
}

}  // namespace

Result<LoweredModel> lower_meta_graph(const std::filesystem::path& folder, const MetaGraph& meta,
                                      const std::string& signature, InputShapes shapes) {
  const auto found = meta.def().signature_def().find(signature);
  if (found == meta.def().signature_def().end()) {
    return fail(Code::kNotFound, "signature '" + printable(signature) + "', expected one of: " + names_of(meta.def()));
  }
  const auto described = describe_signature(signature, found->second);
  GraphView graph(meta.def().graph_def());
  TRY(auto state, SavedState::open(folder, meta.def(), graph));
  return SignatureLowering(described, shapes, graph, state).lower();
}

Result<LoweredModel> lower_saved_model(const std::filesystem::path& folder, const std::vector<std::string>& tags,
                                       const std::string& signature, InputShapes shapes) {
  TRY(const auto meta, MetaGraph::read(folder, tags));
  return lower_meta_graph(folder, meta, signature, shapes);
}

}  // namespace protean
