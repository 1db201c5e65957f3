// SPDX-License-Identifier: Apache-2.0
// One ONNX model for each set of tensors; the signature that clients see stays the SavedModel's.
#include "backends/tensorflow/lowered_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/tensorflow/declared_model.h"
#include "base/text.h"
#include "tensorflow/lower.h"

namespace protean {
namespace {

/// Places of the SavedModel's inputs and outputs among those of the ONNX model.
struct Places {
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> outputs;
};

Result<std::vector<std::size_t>> match(const std::vector<TensorSpec>& ours, const std::vector<TensorSpec>& theirs) {
  std::vector<std::size_t> places;
  for (const auto& spec : ours) {
    const auto found = std::ranges::find(theirs, spec.name, &TensorSpec::name);
    if (found == theirs.end() || found->type != spec.type) {
      return fail(Code::kInternal, fmt::format("the lowered model has no tensor '{}' of type {}", printable(spec.name),
                                               data_type_name(spec.type)));
    }
    places.push_back(static_cast<std::size_t>(found - theirs.begin()));
  }
  if (places.size() != theirs.size())
    return fail(Code::kInternal, "the lowered model has more tensors than its signature");
  return places;
}

class LoweredFunction final : public Model {
 public:
  LoweredFunction(std::shared_ptr<Model> onnx, PlannedFunction function, Places places)
      : onnx_(std::move(onnx)), function_(std::move(function)), places_(std::move(places)) {}

  [[nodiscard]] const Signature& signature() const noexcept override { return function_.signature; }
  [[nodiscard]] ModelMemory memory() const noexcept override { return memory_; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return notes_; }
  [[nodiscard]] std::vector<std::unique_ptr<Model>> take_functions() override { return std::move(others_); }

  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    std::vector<const Tensor*> inputs(request.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      inputs[places_.inputs[i]] = request.inputs[i] == nullptr ? &function_.defaults[i] : request.inputs[i];
    }
    std::vector<std::size_t> outputs;
    outputs.reserve(request.outputs.size());
    for (const auto output : request.outputs) outputs.push_back(places_.outputs[output]);
    RunRequest inner = request;
    inner.inputs = inputs;
    inner.outputs = outputs;
    return onnx_->run(inner);
  }

  void add_other(std::unique_ptr<Model> model) { others_.push_back(std::move(model)); }
  void tell(const ModelMemory& memory, std::vector<std::string> notes) {
    memory_ = memory;
    notes_ = std::move(notes);
  }

 private:
  const std::shared_ptr<Model> onnx_;
  const PlannedFunction function_;
  const Places places_;
  ModelMemory memory_;
  std::vector<std::string> notes_;
  std::vector<std::unique_ptr<Model>> others_;
};

/// One load.
class Lowering {
 public:
  explicit Lowering(const LoweringPlan& plan) : plan_(plan) {}

  Result<std::unique_ptr<LoweredFunction>> make(PlannedFunction function) {
    TRY(auto onnx, model_of(function));
    Places places;
    for (auto& input : function.signature.inputs) input.any_shape = false;  // it was lowered for these
    TRY(places.inputs, match(function.signature.inputs, onnx->signature().inputs));
    TRY(places.outputs, match(function.signature.outputs, onnx->signature().outputs));
    return std::make_unique<LoweredFunction>(std::move(onnx), std::move(function), std::move(places));
  }

  [[nodiscard]] const ModelMemory& memory() const noexcept { return memory_; }
  std::vector<std::string>& notes() noexcept { return notes_; }

 private:
  /// What two functions must have in common to be the same model.
  static std::string tensors_of(const PlannedFunction& function) {
    std::string text;
    for (std::size_t i = 0; i < function.inputs.size(); ++i) {
      text += fmt::format("{}\n{}\n", function.signature.inputs[i].name, function.inputs[i]);
    }
    text += "->\n";
    for (std::size_t i = 0; i < function.outputs.size(); ++i) {
      text += fmt::format("{}\n{}\n", function.signature.outputs[i].name, function.outputs[i]);
    }
    return text;
  }

  Result<std::shared_ptr<Model>> model_of(const PlannedFunction& function) {
    auto& known = models_[tensors_of(function)];
    if (known == nullptr) {
      TRY(known, load(function.signature.function));
    }
    return known;
  }

  Result<std::shared_ptr<Model>> load(const std::string& signature) {
    const auto& tags = plan_.facts->tags;
    TRY(const auto key, lowered_key(plan_.files->path, tags, signature));
    const auto lower = [&] { return lower_saved_model(plan_.files->path, tags, signature); };
    TRY(auto file, plan_.lowered->get(key, lower));
    auto model = load_file(file);
    if (!model && file.from_cache) {
      plan_.lowered->discard(key);
      TRY(file, plan_.lowered->get(key, lower));
      model = load_file(file);
    }
    if (!model) return tl::unexpected<Error>(std::move(model).error());
    notes_.push_back(fmt::format("signature '{}' {}", printable(signature),
                                 file.from_cache ? "lowered earlier, from the cache" : "lowered to ONNX"));
    for (auto& note : file.notes) notes_.push_back(std::move(note));
    for (auto& note : (*model)->load_notes()) notes_.push_back(std::move(note));
    const auto used = (*model)->memory();
    memory_.private_bytes += used.private_bytes;
    memory_.mapped_bytes += used.mapped_bytes;
    return std::shared_ptr<Model>(*std::move(model));
  }

  Result<std::unique_ptr<Model>> load_file(const LoweredFile& file) const {
    return plan_.backend->load({plan_.files->model, plan_.files->version, file.path, file.path.parent_path()},
                               *plan_.options);
  }

  const LoweringPlan& plan_;
  std::map<std::string, std::shared_ptr<Model>> models_;
  std::vector<std::string> notes_;
  ModelMemory memory_;
};

}  // namespace

Result<std::unique_ptr<Model>> load_lowered(const LoweringPlan& plan, PlannedFunctions planned) {
  Lowering lowering(plan);
  lowering.notes().push_back("run by " + plan.backend->description() + " after lowering to ONNX: " + plan.why);
  auto& functions = planned.functions;
  TRY(auto main, lowering.make(std::move(functions.front())));
  for (auto function = functions.begin() + 1; function != functions.end(); ++function) {
    if (!function->callable()) {
      main->add_other(std::make_unique<DeclaredModel>(std::move(function->signature), std::move(function->refusal)));
      continue;
    }
    Signature declared = function->signature;
    auto other = lowering.make(std::move(*function));
    if (other) {
      main->add_other(*std::move(other));
    } else {
      planned.notes.push_back(
          fmt::format("signature '{}' cannot be served: {}", printable(declared.function), other.error().message));
      main->add_other(std::make_unique<DeclaredModel>(std::move(declared), planned.notes.back()));
    }
  }
  for (auto& note : planned.notes) lowering.notes().push_back(std::move(note));
  main->tell(lowering.memory(), std::move(lowering.notes()));
  return main;
}

}  // namespace protean
