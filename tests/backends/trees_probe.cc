// SPDX-License-Identifier: Apache-2.0
// A model file, loaded by backends/trees and asked over a pipe: what the property tests compare with the libraries
// (tests/backends/test_trees_property.py). Commands are lines on standard input:
//   load PATH                          -> ok {"inputs":[[name,type,columns]...],"outputs":[...]} | error MESSAGE
//   run NAME,NAME... ROWS SIZE...      then the inputs' bytes, SIZE each -> results
//   explain ROWS SIZE... [/ ROWS SIZE...]  likewise, after the slash the background -> results base, values, totals
// Results: `ok COUNT`, then for each a line `NAME TYPE DIMENSION,...  BYTES` and its bytes; or `error MESSAGE`.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "backends/trees/backend.h"
#include "base/text.h"

namespace {

using protean::Model;
using protean::Result;
using protean::Tensor;

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void say_error(const protean::Error& error) { say("error " + protean::printable(error.message, 1000) + "\n"); }

std::string names_of(const std::vector<protean::TensorSpec>& specs) {
  std::string text = "[";
  for (const auto& spec : specs) {
    text += text.size() == 1 ? "[" : ",[";
    protean::append_json_string(text, spec.name);
    text += ",\"" + std::string(protean::data_type_name(spec.type)) + "\"," + protean::format_shape(spec.shape) + "]";
  }
  return text + "]";
}

std::string describe(const protean::Signature& signature) {
  std::string text = R"({"platform":")" + signature.platform + R"(","inputs":)" + names_of(signature.inputs) +
                     R"(,"outputs":)" + names_of(signature.outputs) + R"(,"columns":[)";
  for (std::size_t i = 0; i < signature.columns.size(); ++i) {
    const auto& column = signature.columns[i];
    text += i == 0 ? "[" : ",[";
    protean::append_json_string(text, column.name);
    for (const auto& category : column.categories) {
      text += ",";
      protean::append_json_string(text, category);
    }
    text += "]";
  }
  return text + "]}";
}

/// ROWS SIZE... up to the end or a slash, and the bytes that follow.
std::vector<Tensor> read_inputs(const Model& model, std::istream& words) {
  std::int64_t rows = 0;
  words >> rows;
  std::vector<Tensor> tensors;
  for (const auto& spec : model.signature().inputs) {
    std::size_t size = 0;
    words >> size;
    protean::Buffer bytes(size);
    std::cin.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    auto shape = spec.shape;
    shape[0] = rows;
    tensors.push_back({spec.type, shape, std::move(bytes).share()});
  }
  return tensors;
}

std::vector<const Tensor*> pointers_to(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> pointers;
  for (const auto& tensor : tensors) pointers.push_back(&tensor);
  return pointers;
}

void say_tensor(const std::string& name, const Tensor& tensor) {
  std::string line = name + " " + std::string(protean::data_type_name(tensor.type)) + " ";
  for (const auto dimension : tensor.shape) line += std::to_string(dimension) + ",";
  say(line + " " + std::to_string(tensor.data.size()) + "\n");
  say(std::string(tensor.data.text()));
}

void run(Model& model, std::istream& words) {
  std::string names;
  words >> names;
  const auto inputs = read_inputs(model, words);
  std::vector<std::size_t> outputs;
  std::vector<std::string> found;
  for (const auto name : protean::split(names, ',')) {
    for (std::size_t i = 0; i < model.signature().outputs.size(); ++i) {
      if (model.signature().outputs[i].name != name) continue;
      outputs.push_back(i);
      found.emplace_back(name);
    }
  }
  const auto results = model.run({pointers_to(inputs), outputs, {}});
  if (!results) return say_error(results.error());
  say("ok " + std::to_string(found.size()) + "\n");
  for (std::size_t i = 0; i < found.size(); ++i) say_tensor(found[i], (*results)[i]);
}

void explain(Model& model, std::istream& words) {
  const auto inputs = read_inputs(model, words);
  std::vector<Tensor> background;
  std::string slash;
  if (words >> slash) background = read_inputs(model, words);
  const auto result = model.explain({pointers_to(inputs), {}, {}, pointers_to(background)});
  if (!result) return say_error(result.error());
  say("ok 3\n");
  say_tensor("base", result->base);
  say_tensor("values", result->values);
  say_tensor("totals", result->totals);
}

}  // namespace

int main() {
  const auto backend = protean::make_trees_backend();
  std::unique_ptr<Model> model;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "load") {
      const std::string path = line.substr(5);
      const auto known = backend->recognises(path);
      auto loaded = backend->load({"probe", "1", path, {}}, {});
      if (!known || !*known) {
        say("error not recognised\n");
      } else if (!loaded) {
        say_error(loaded.error());
      } else {
        model = std::move(*loaded);
        say("ok " + describe(model->signature()) + "\n");
      }
    } else if (model == nullptr) {
      say("error no model\n");
    } else {
      command == "run" ? run(*model, words) : explain(*model, words);
    }
  }
  return 0;
}
