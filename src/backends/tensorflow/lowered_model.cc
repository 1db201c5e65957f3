// SPDX-License-Identifier: Apache-2.0
// One ONNX model for each set of tensors; the signature that clients see stays the SavedModel's.
#include "backends/tensorflow/lowered_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "backends/tensorflow/declared_model.h"
#include "base/text.h"
#include "tensorflow/lower.h"

namespace protean {
namespace {

/// A graph is lowered a second time, for inputs of any shape, unless the first takes more than this.
constexpr std::uint64_t kFreeBytesMax = 1 << 20;

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

/// An ONNX model and where the function's tensors are in it.
struct Lowered {
  std::shared_ptr<Model> onnx;
  Places places;
};

bool has_declared_shape(const Tensor& tensor, const TensorSpec& spec) {
  return spec.any_rank || std::ranges::equal(tensor.shape, spec.shape, [](std::int64_t found, std::int64_t expected) {
           return expected < 0 || found == expected;
         });
}

/// `free`: the same for inputs of any shape, where the graph lowers so.
class LoweredFunction final : public Model {
 public:
  LoweredFunction(Lowered declared, std::optional<Lowered> free, PlannedFunction function)
      : declared_(std::move(declared)), free_(std::move(free)), function_(std::move(function)) {}

  [[nodiscard]] const Signature& signature() const noexcept override { return function_.signature; }
  [[nodiscard]] ModelMemory memory() const noexcept override { return memory_; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return notes_; }
  [[nodiscard]] std::vector<std::unique_ptr<Model>> take_functions() override { return std::move(others_); }

  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    const Lowered& lowered = free_ && !has_declared_shapes(request) ? *free_ : declared_;
    std::vector<const Tensor*> inputs(request.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      inputs[lowered.places.inputs[i]] = request.inputs[i] == nullptr ? &function_.defaults[i] : request.inputs[i];
    }
    std::vector<std::size_t> outputs;
    outputs.reserve(request.outputs.size());
    for (const auto output : request.outputs) outputs.push_back(lowered.places.outputs[output]);
    RunRequest inner = request;
    inner.inputs = inputs;
    inner.outputs = outputs;
    return lowered.onnx->run(inner);
  }

  void add_other(std::unique_ptr<Model> model) { others_.push_back(std::move(model)); }
  void tell(const ModelMemory& memory, std::vector<std::string> notes) {
    memory_ = memory;
    notes_ = std::move(notes);
  }

 private:
  [[nodiscard]] bool has_declared_shapes(const RunRequest& request) const {
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
      const auto* input = request.inputs[i];
      if (input != nullptr && !has_declared_shape(*input, function_.signature.inputs[i])) return false;
    }
    return true;
  }

  const Lowered declared_;
  const std::optional<Lowered> free_;
  const PlannedFunction function_;
  ModelMemory memory_;
  std::vector<std::string> notes_;
  std::vector<std::unique_ptr<Model>> others_;
};

/// One load.
class Lowering {
 public:
  explicit Lowering(const LoweringPlan& plan) : plan_(plan) {}

  Result<std::unique_ptr<LoweredFunction>> make(PlannedFunction function) {
    TRY(auto declared, lower(function, InputShapes::kDeclared));
    std::optional<Lowered> free;
    if (largest_bytes_ <= kFreeBytesMax) {
      if (auto lowered = lower(function, InputShapes::kFree)) free = *std::move(lowered);
    }
    for (auto& input : function.signature.inputs) input.any_shape = free.has_value();
    return std::make_unique<LoweredFunction>(std::move(declared), std::move(free), std::move(function));
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

  Result<Lowered> lower(const PlannedFunction& function, InputShapes shapes) {
    Lowered lowered;
    TRY(lowered.onnx, model_of(function, shapes));
    TRY(lowered.places.inputs, match(function.signature.inputs, lowered.onnx->signature().inputs));
    TRY(lowered.places.outputs, match(function.signature.outputs, lowered.onnx->signature().outputs));
    return lowered;
  }

  Result<std::shared_ptr<Model>> model_of(const PlannedFunction& function, InputShapes shapes) {
    auto& known = models_[{tensors_of(function), shapes}];
    if (known == nullptr) {
      TRY(known, load(function.signature.function, shapes));
    }
    return known;
  }

  Result<std::shared_ptr<Model>> load(const std::string& signature, InputShapes shapes) {
    const auto& tags = plan_.facts->tags;
    TRY(const auto key, lowered_key(plan_.files->path, tags, signature, shapes));
    const auto lower = [&] { return lower_saved_model(plan_.files->path, tags, signature, shapes); };
    TRY(auto file, plan_.lowered->get(key, lower));
    auto model = load_file(file);
    if (!model && file.from_cache) {
      plan_.lowered->discard(key);
      TRY(file, plan_.lowered->get(key, lower));
      model = load_file(file);
    }
    if (!model) return tl::unexpected<Error>(std::move(model).error());
    std::error_code unknown;
    largest_bytes_ = std::max<std::uint64_t>(largest_bytes_, std::filesystem::file_size(file.path, unknown));
    notes_.push_back(fmt::format("signature '{}' {}{}", printable(signature),
                                 file.from_cache ? "lowered earlier, from the cache" : "lowered to ONNX",
                                 shapes == InputShapes::kFree ? ", for inputs of other shapes" : ""));
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
  std::map<std::pair<std::string, InputShapes>, std::shared_ptr<Model>> models_;
  std::uint64_t largest_bytes_ = 0;  // of the lowered files so far
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
