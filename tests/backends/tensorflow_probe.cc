// SPDX-License-Identifier: Apache-2.0
// What src/tensorflow makes of a SavedModel, on the command line: for the tests that hold it against TensorFlow.
//   tensorflow_probe lower FOLDER SIGNATURE OUT.onnx   notes on standard output
//   tensorflow_probe facts FOLDER                      signatures
//   tensorflow_probe operations                        the page docs/backends/tensorflow_operations.md
//   tensorflow_probe serve                             commands on standard input:
//     load FOLDER SIGNATURE            -> ok {"inputs":[[name,type,dimensions]...],"outputs":[...]} | error MESSAGE
//     check FOLDER SIGNATURE           lowers only -> ok BYTES | error MESSAGE
//     run SIZE DIMENSION,... [...]     one pair an input, then the inputs' bytes -> ok COUNT, then for each output a
//     line
//                                      `NAME TYPE DIMENSION,... BYTES` and its bytes; or error MESSAGE
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "backends/onnxruntime/backend.h"
#include "base/text.h"
#include "core/tensor.h"
#include "tensorflow/lower.h"
#include "tensorflow/lowering/operation.h"
#include "tensorflow/saved_model.h"

namespace {

using protean::Model;
using protean::Tensor;

const std::vector<std::string> kTags{"serve"};

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void say_error(const protean::Error& error) {
  say("error " + std::string(protean::code_name(error.code)) + ": " + protean::printable(error.message, 4000) + "\n");
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
    protean::append_json_string(text, spec.name);
    text += ",\"" + std::string(protean::data_type_name(spec.type)) + "\"," + protean::format_shape(spec.shape) + "]";
  }
  return text + "]";
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Lowers into a file beside the model and loads that.
std::unique_ptr<Model> load(protean::Backend& backend, const std::string& folder, const std::string& signature) {
  const auto lowered = protean::lower_saved_model(folder, kTags, signature);
  if (!lowered) {
    say_error(lowered.error());
    return nullptr;
  }
  const std::string path = folder + "/" + "lowered.onnx";
  write_file(path, lowered->onnx);
  auto model = backend.load({"probe", "1", path, folder}, {});
  if (!model) {
    say_error(model.error());
    return nullptr;
  }
  const auto& found = (*model)->signature();
  say("ok {\"inputs\":" + names_of(found.inputs) + ",\"outputs\":" + names_of(found.outputs) + "}\n");
  return *std::move(model);
}

void run(Model& model, std::istream& words) {
  std::vector<Tensor> inputs;
  for (const auto& spec : model.signature().inputs) {
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
  std::vector<const Tensor*> pointers;
  for (const auto& tensor : inputs) pointers.push_back(&tensor);
  std::vector<std::size_t> outputs;
  for (std::size_t i = 0; i < model.signature().outputs.size(); ++i) outputs.push_back(i);
  const auto results = model.run({pointers, outputs, {}});
  if (!results) return say_error(results.error());
  say("ok " + std::to_string(outputs.size()) + "\n");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& tensor = (*results)[i];
    say(model.signature().outputs[i].name + " " + std::string(protean::data_type_name(tensor.type)) + " " +
        dimensions_of(tensor.shape) + " " + std::to_string(tensor.data.size()) + "\n");
    say(std::string(tensor.data.text()));
  }
}

int serve() {
  auto backend = protean::make_onnxruntime_backend({});
  if (!backend) {
    say_error(backend.error());
    return 1;
  }
  std::unique_ptr<Model> model;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    std::string folder;
    std::string signature;
    words >> command;
    if (command == "load") {
      words >> folder >> signature;
      model = load(**backend, folder, signature);
    } else if (command == "check") {
      words >> folder >> signature;
      const auto lowered = protean::lower_saved_model(folder, kTags, signature);
      lowered ? say("ok " + std::to_string(lowered->onnx.size()) + "\n") : say_error(lowered.error());
    } else if (model == nullptr) {
      say("error no model\n");
    } else {
      run(*model, words);
    }
  }
  return 0;
}

int lower(const std::string& folder, const std::string& signature, const std::string& out) {
  const auto lowered = protean::lower_saved_model(folder, kTags, signature);
  if (!lowered) {
    say_error(lowered.error());
    return 1;
  }
  for (const auto& note : lowered->notes) say(note + "\n");
  write_file(out, lowered->onnx);
  return 0;
}

int facts(const std::string& folder) {
  const auto found = protean::read_saved_model_facts(folder, kTags);
  if (!found) {
    say_error(found.error());
    return 1;
  }
  say("TensorFlow " + found->tensorflow_version + "\n");
  for (const auto& signature : found->signatures) {
    say(signature.name + " " + signature.method_name + "\n");
    for (const auto* tensors : {&signature.inputs, &signature.outputs}) {
      for (const auto& tensor : *tensors) {
        say("  " + tensor.key + " " + tensor.node + " " + std::to_string(tensor.dtype) + " " +
            (tensor.unknown_rank ? "any" : protean::format_shape(tensor.shape)) + "\n");
      }
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 4 && arguments[0] == "lower") return lower(arguments[1], arguments[2], arguments[3]);
  if (arguments.size() == 2 && arguments[0] == "facts") return facts(arguments[1]);
  if (arguments.size() == 1 && arguments[0] == "serve") return serve();
  if (arguments.size() == 1 && arguments[0] == "operations") {
    say(protean::operations_page());
    return 0;
  }
  std::fputs("usage: tensorflow_probe lower FOLDER SIGNATURE OUT | facts FOLDER | operations | serve\n", stderr);
  return 2;
}
