// SPDX-License-Identifier: Apache-2.0
// backends/tensorflow without a server, over a pipe: for its functions by name, and for what a run costs.
//   saved_model_probe LIBRARY [CACHE]      LIBRARY: TensorFlow's, or `none`; CACHE: folder for lowered models
// Commands are lines on standard input:
//   load FOLDER auto|tensorflow|onnx       -> ok {"notes":[...],"functions":[{"name","method","inputs","outputs"}...]}
//   run FUNCTION SIZE DIMENSION,... [...]  one pair an input, then the inputs' bytes -> ok COUNT, then for each output
//   a
//                                          line `NAME TYPE DIMENSION,... BYTES` and its bytes
//   cost FUNCTION RUNS                     generated inputs of one row -> ok NANOSECONDS each run took
//   bare FOLDER RUNS                       the same for the main function in a session of its own, by the C interface
//                                          alone -> ok NANOSECONDS on the caller's thread, NANOSECONDS on TensorFlow's
// or `error CODE: MESSAGE`.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "backends/onnxruntime/backend.h"
#include "backends/tensorflow/backend.h"
#include "backends/tensorflow/functions.h"
#include "backends/tensorflow/library.h"
#include "backends/tensorflow/tensors.h"
#include "base/text.h"
#include "core/generated_input.h"

namespace {

using protean::Model;
using protean::Tensor;

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void say_error(const protean::Error& error) {
  say("error " + std::string(protean::code_name(error.code)) + ": " + protean::printable(error.message, 4000) + "\n");
}

std::string quoted(const std::string& text) {
  std::string out;
  protean::append_json_string(out, text);
  return out;
}

std::string dimensions_of(const protean::Shape& shape) {
  std::string text;
  for (const auto dimension : shape) text += std::to_string(dimension) + ",";
  return text.empty() ? "-" : text;
}

std::string names_of(const std::vector<protean::TensorSpec>& specs) {
  std::string text = "[";
  for (const auto& spec : specs) {
    text += text.size() == 1 ? "[" : ",[";
    text += quoted(spec.name) + ",\"" + std::string(protean::data_type_name(spec.type)) + "\"," +
            (spec.any_rank ? "null" : protean::format_shape(spec.shape)) + "]";
  }
  return text + "]";
}

std::string describe(const protean::Signature& signature) {
  return "{\"name\":" + quoted(signature.function) + ",\"method\":" + quoted(signature.method) +
         ",\"declared_bytes\":" + std::to_string(signature.declared.size()) +
         ",\"inputs\":" + names_of(signature.inputs) + ",\"outputs\":" + names_of(signature.outputs) + "}";
}

std::vector<Tensor> read_inputs(const protean::Signature& signature, std::istream& words) {
  std::vector<Tensor> inputs;
  for (const auto& spec : signature.inputs) {
    std::size_t size = 0;
    std::string dimensions;
    words >> size >> dimensions;
    protean::Shape shape;
    for (const auto part : protean::split(dimensions, ',')) {
      if (const auto value = protean::parse_uint64(part)) shape.push_back(static_cast<std::int64_t>(*value));
    }
    protean::Buffer bytes(size);
    std::cin.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    inputs.push_back({spec.type, shape, std::move(bytes).share()});
  }
  return inputs;
}

protean::Result<std::vector<Tensor>> run(Model& model, const std::vector<Tensor>& inputs) {
  std::vector<const Tensor*> pointers;
  for (const auto& tensor : inputs) pointers.push_back(&tensor);
  std::vector<std::size_t> outputs;
  for (std::size_t i = 0; i < model.signature().outputs.size(); ++i) outputs.push_back(i);
  return model.run({pointers, outputs, {}});
}

void answer(Model& model, const std::vector<Tensor>& inputs) {
  const auto results = run(model, inputs);
  if (!results) return say_error(results.error());
  say("ok " + std::to_string(results->size()) + "\n");
  for (std::size_t i = 0; i < results->size(); ++i) {
    const auto& tensor = (*results)[i];
    say(model.signature().outputs[i].name + " " + std::string(protean::data_type_name(tensor.type)) + " " +
        dimensions_of(tensor.shape) + " " + std::to_string(tensor.data.size()) + "\n");
    say(std::string(tensor.data.text()));
  }
}

void measure(Model& model, std::uint64_t runs) {
  const auto inputs = protean::generate_inputs(model.signature(), {1, 1, 1});
  if (!inputs) return say_error(inputs.error());
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < runs; ++i) {
    if (const auto result = run(model, *inputs); !result) return say_error(result.error());
  }
  const std::chrono::nanoseconds passed = std::chrono::steady_clock::now() - start;
  say("ok " + std::to_string(static_cast<std::uint64_t>(passed.count()) / runs) + "\n");
}

/// A session over the SavedModel and one call of its main function, without anything of the backend around it.
class BareLoop {
 public:
  static protean::Result<std::string> measure(const std::string& library, const std::string& folder,
                                              std::uint64_t runs) {
    TRY(const auto runtime, protean::TensorflowRuntime::load(library));
    TRY(const auto facts, protean::read_saved_model_facts(folder, {"serve"}));
    TRY(const auto planned, protean::plan_functions(facts));
    BareLoop loop(runtime->api());
    TRY_STATUS(loop.open(folder, planned.functions.front()));
    // RunOptions.inter_op_thread_pool = -1
    static constexpr unsigned char kInline[] = {0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01};
    const protean::TfBuffer inline_options{kInline, sizeof kInline, nullptr};
    const std::string on_caller = loop.time(&inline_options, runs);
    return on_caller + " " + loop.time(nullptr, runs);
  }

 private:
  explicit BareLoop(const protean::TensorflowApi& api) : api_(api) {}

  protean::Status open(const std::string& folder, const protean::PlannedFunction& function) {
    protean::TfStatus* status = api_.new_status();
    protean::TfSessionOptions* options = api_.new_session_options();
    protean::TfGraph* graph = api_.new_graph();
    const char* tag = "serve";
    session_ = api_.load_session_from_saved_model(options, nullptr, folder.c_str(), &tag, 1, graph, nullptr, status);
    if (api_.get_code(status) != 0) return protean::fail(protean::Code::kInternal, api_.message(status));
    const auto find = [&](const std::string& name) {
      return protean::TfOutput{api_.graph_operation_by_name(graph, name.substr(0, name.rfind(':')).c_str()),
                               std::stoi(name.substr(name.rfind(':') + 1))};
    };
    for (const auto& name : function.inputs) inputs_.push_back(find(name));
    for (const auto& name : function.outputs) outputs_.push_back(find(name));
    TRY(const auto tensors, protean::generate_inputs(function.signature, {1, 1, 1}));
    for (const auto& tensor : tensors) {
      TRY(owners_.emplace_back(), protean::to_tensorflow_tensor(api_, tensor, "x"));
      values_.push_back(owners_.back().get());
    }
    return {};
  }

  std::string time(const protean::TfBuffer* options, std::uint64_t runs) {
    protean::TfStatus* status = api_.new_status();
    std::vector<protean::TfTensor*> made(outputs_.size());
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < runs; ++i) {
      api_.session_run(session_, options, inputs_.data(), values_.data(), static_cast<int>(inputs_.size()),
                       outputs_.data(), made.data(), static_cast<int>(outputs_.size()), nullptr, 0, nullptr, status);
      for (auto* tensor : made) api_.delete_tensor(tensor);
    }
    const std::chrono::nanoseconds passed = std::chrono::steady_clock::now() - start;
    return std::to_string(static_cast<std::uint64_t>(passed.count()) / runs);
  }

  const protean::TensorflowApi& api_;
  protean::TfSession* session_ = nullptr;
  std::vector<protean::TfOutput> inputs_;
  std::vector<protean::TfOutput> outputs_;
  std::vector<protean::TfTensorOwner> owners_;
  std::vector<protean::TfTensor*> values_;
};

class Probe {
 public:
  Probe(std::unique_ptr<protean::Backend> onnx, const std::string& library, const std::string& cache)
      : onnx_(std::move(onnx)), library_(library) {
    protean::TensorflowOptions options;
    options.library_path = library;
    options.onnx = onnx_.get();
    options.cache_folder = cache;
    backend_ = protean::make_tensorflow_backend(options);
  }

  void obey(std::istream& words) {
    std::string command;
    std::string name;
    words >> command >> name;
    if (command == "load") return load(name, words);
    if (command == "bare") {
      std::uint64_t runs = 1;
      words >> runs;
      const auto answer = BareLoop::measure(library_, name, runs);
      return answer ? say("ok " + *answer + "\n") : say_error(answer.error());
    }
    for (auto& model : models_) {
      if (model->signature().function != name) continue;
      std::uint64_t runs = 1;
      if (command == "run") return answer(*model, read_inputs(model->signature(), words));
      if (command == "cost" && words >> runs) return measure(*model, runs);
    }
    say("error NOT_FOUND: " + command + " " + name + "\n");
  }

 private:
  void load(const std::string& folder, std::istream& words) {
    models_.clear();
    std::string engine;
    words >> engine;
    protean::LoadOptions options;
    options.tensorflow.engine = engine == "onnx"         ? protean::TensorflowEngine::kOnnx
                                : engine == "tensorflow" ? protean::TensorflowEngine::kTensorflow
                                                         : protean::TensorflowEngine::kAuto;
    auto model = backend_->load({"probe", "1", folder, folder}, options);
    if (!model) return say_error(model.error());
    std::string text = "ok {\"notes\":[";
    for (const auto& note : (*model)->load_notes()) text += (text.ends_with('[') ? "" : ",") + quoted(note);
    auto others = (*model)->take_functions();
    models_.push_back(*std::move(model));
    for (auto& other : others) models_.push_back(std::move(other));
    text += "],\"functions\":[";
    for (const auto& each : models_) text += (text.ends_with('[') ? "" : ",") + describe(each->signature());
    say(text + "]}\n");
  }

  std::unique_ptr<protean::Backend> onnx_;
  const std::string library_;
  std::unique_ptr<protean::Backend> backend_;
  std::vector<std::unique_ptr<Model>> models_;
};

}  // namespace

int main(int argc, char** argv) {
  auto onnx = protean::make_onnxruntime_backend({});
  if (argc < 2 || !onnx) {
    say("usage: saved_model_probe LIBRARY [CACHE]\n");
    return 2;
  }
  Probe probe(*std::move(onnx), argv[1], argc > 2 ? argv[2] : "");
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    probe.obey(words);
  }
  return 0;
}
