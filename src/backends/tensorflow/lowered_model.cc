// SPDX-License-Identifier: Apache-2.0
// One ONNX model for each set of tensors; the signature that clients see stays the SavedModel's.
#include "backends/tensorflow/lowered_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "backends/tensorflow/declared_model.h"
#include "base/text.h"
#include "tensorflow/example_decoder.h"
#include "tensorflow/lower.h"

namespace protean {
namespace {

/// A graph is lowered a second time, for inputs of any shape, unless the first takes more than this.
constexpr std::uint64_t kFreeBytesMax = 1 << 20;

/// Place of a tensor that the ONNX model does not have, for nothing uses it there.
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

/// An input of the SavedModel that has Examples in it: what is read out of them, and the places of that.
struct ExampleInput {
  std::vector<const ParsedFeature*> features;
  std::vector<std::size_t> places;
};

/// Places of the SavedModel's inputs and outputs among those of the ONNX model.  `examples`: by input.
struct Places {
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> outputs;
  std::map<std::size_t, ExampleInput> examples;
};

/// A model as the ONNX backend has it, and LoweredModel::features.
struct OnnxModel {
  std::unique_ptr<Model> model;
  std::vector<ParsedFeature> features;
};

std::size_t place_of(std::string_view name, DataType type, const std::vector<TensorSpec>& theirs) {
  const auto found = std::ranges::find(theirs, name, &TensorSpec::name);
  return found == theirs.end() || found->type != type ? kNowhere : static_cast<std::size_t>(found - theirs.begin());
}

tl::unexpected<Error> no_such_tensor(const TensorSpec& spec) {
  return fail(Code::kInternal, fmt::format("the lowered model has no tensor '{}' of type {}", printable(spec.name),
                                           data_type_name(spec.type)));
}

Result<Places> match(const Signature& ours, const OnnxModel& lowered) {
  const auto& theirs = lowered.model->signature();
  Places places;
  for (const auto& spec : ours.inputs) {
    ExampleInput examples;
    for (const auto& feature : lowered.features) {
      if (feature.input != spec.name) continue;
      examples.features.push_back(&feature);
      const auto type = feature_type(feature.dtype).value_or(DataType::kFp32);
      examples.places.push_back(place_of(feature.tensor, type, theirs.inputs));
    }
    places.inputs.push_back(place_of(spec.name, spec.type, theirs.inputs));
    if (places.inputs.back() == kNowhere && examples.features.empty()) return no_such_tensor(spec);
    if (!examples.features.empty()) places.examples.emplace(places.inputs.size() - 1, std::move(examples));
  }
  std::size_t given = places.inputs.size() - static_cast<std::size_t>(std::ranges::count(places.inputs, kNowhere));
  for (const auto& [input, examples] : places.examples) {
    given += examples.places.size() - static_cast<std::size_t>(std::ranges::count(examples.places, kNowhere));
  }
  for (const auto& spec : ours.outputs) {
    places.outputs.push_back(place_of(spec.name, spec.type, theirs.outputs));
    if (places.outputs.back() == kNowhere) return no_such_tensor(spec);
  }
  if (given != theirs.inputs.size() || places.outputs.size() != theirs.outputs.size()) {
    return fail(Code::kInternal, "the lowered model has more tensors than its signature");
  }
  return places;
}

/// An ONNX model and where the function's tensors are in it.
struct Lowered {
  std::shared_ptr<const OnnxModel> onnx;
  Places places;
};

/// The inputs of a run of the ONNX model, and those among them that were read out of Examples.
struct OnnxInputs {
  std::vector<const Tensor*> tensors;
  std::list<std::vector<Tensor>> read;
};

Result<OnnxInputs> inputs_of(const Lowered& lowered, const RunRequest& request, const PlannedFunction& function) {
  OnnxInputs inputs;
  inputs.tensors.resize(lowered.onnx->model->signature().inputs.size());
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const auto* given = request.inputs[i] == nullptr ? &function.defaults[i] : request.inputs[i];
    if (const auto place = lowered.places.inputs[i]; place != kNowhere) inputs.tensors[place] = given;
    const auto examples = lowered.places.examples.find(i);
    if (examples == lowered.places.examples.end()) continue;
    TRY(auto read, decode_examples(examples->second.features, *given));
    inputs.read.push_back(std::move(read));
    for (std::size_t k = 0; k < examples->second.places.size(); ++k) {
      if (const auto place = examples->second.places[k]; place != kNowhere) {
        inputs.tensors[place] = &inputs.read.back()[k];
      }
    }
  }
  return inputs;
}

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
    TRY(const auto inputs, inputs_of(lowered, request, function_));
    std::vector<std::size_t> outputs;
    outputs.reserve(request.outputs.size());
    for (const auto output : request.outputs) outputs.push_back(lowered.places.outputs[output]);
    RunRequest inner = request;
    inner.inputs = inputs.tensors;
    inner.outputs = outputs;
    return lowered.onnx->model->run(inner);
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
    // Examples come one way only.
    const bool takes_more = declared.places.examples.size() < function.inputs.size();
    if (largest_bytes_ <= kFreeBytesMax && (takes_more || function.inputs.empty())) {
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
    TRY(lowered.places, match(function.signature, *lowered.onnx));
    return lowered;
  }

  Result<std::shared_ptr<const OnnxModel>> model_of(const PlannedFunction& function, InputShapes shapes) {
    auto& known = models_[{tensors_of(function), shapes}];
    if (known == nullptr) {
      TRY(known, load(function.signature.function, shapes));
    }
    return known;
  }

  Result<std::shared_ptr<const OnnxModel>> load(const std::string& signature, InputShapes shapes) {
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
    return std::make_shared<const OnnxModel>(OnnxModel{*std::move(model), std::move(file.features)});
  }

  Result<std::unique_ptr<Model>> load_file(const LoweredFile& file) const {
    return plan_.backend->load({plan_.files->model, plan_.files->version, file.path, file.path.parent_path()},
                               *plan_.options);
  }

  const LoweringPlan& plan_;
  std::map<std::pair<std::string, InputShapes>, std::shared_ptr<const OnnxModel>> models_;
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
      const bool would_run = other.error().code == Code::kUnimplemented;
      planned.notes.push_back(fmt::format("signature '{}' cannot be served: {}{}", printable(declared.function),
                                          other.error().message,
                                          would_run ? ". TensorFlow itself could run it: " + plan.why : ""));
      main->add_other(std::make_unique<DeclaredModel>(std::move(declared), planned.notes.back()));
    }
  }
  for (auto& note : planned.notes) lowering.notes().push_back(std::move(note));
  main->tell(lowering.memory(), std::move(lowering.notes()));
  return main;
}

}  // namespace protean
