// SPDX-License-Identifier: Apache-2.0
// scikit_learn_probe: loads model files with the backend and runs rows through them, for the property test, which
// compares hundreds of models with scikit-learn itself and would wait long for a server each time.
//
// Standard input, until its end: `load PATH`, `classes` (those that are served), `run` or `explain`, each a line.
// Behind `run` and `explain` come the inputs in the order of the signature: a line `ROWS COLUMNS`, then ROWS * COLUMNS
// doubles, or, for BYTES, that many texts as tensors have them. Each command is answered by a line `ok N` and N
// tensors, or by `error MESSAGE`. A tensor is a line `NAME TYPE BYTES DIMENSIONS...` and its bytes; behind `load` the
// tensors are the inputs, without bytes.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "backends/scikit_learn/backend.h"
#include "backends/scikit_learn/families.h"

namespace {

using protean::Result;
using protean::Status;
using protean::Tensor;

void write_tensor(const std::string& name, const Tensor& tensor) {
  std::cout << name << ' ' << protean::data_type_name(tensor.type) << ' ' << tensor.data.size();
  for (const auto size : tensor.shape) std::cout << ' ' << size;
  std::cout << '\n' << tensor.data.text();
}

Tensor read_tensor(const protean::TensorSpec& spec) {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::cin >> rows >> cols;
  std::cin.get();
  Tensor tensor;
  tensor.type = spec.type;
  tensor.shape = spec.shape.size() == 2 ? protean::Shape{rows, cols} : protean::Shape{rows};
  protean::Buffer bytes;
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    std::uint32_t size = sizeof(double);
    if (spec.type == protean::DataType::kBytes) {
      std::cin.read(reinterpret_cast<char*>(&size), sizeof(size));
      bytes.append(&size, sizeof(size));
    }
    std::string element(size, '\0');
    std::cin.read(element.data(), static_cast<std::streamsize>(size));
    bytes.append(element);
  }
  tensor.data = std::move(bytes).share();
  return tensor;
}

Status run(protean::Model& model, bool explain) {
  const auto& signature = model.signature();
  std::vector<Tensor> inputs;
  for (const auto& spec : signature.inputs) inputs.push_back(read_tensor(spec));
  std::vector<const Tensor*> pointers;
  for (const auto& input : inputs) pointers.push_back(&input);
  std::vector<std::size_t> outputs;
  for (std::size_t i = 0; i < signature.outputs.size(); ++i) outputs.push_back(i);
  const protean::RunRequest request{pointers, outputs, {}};
  if (explain) {
    TRY(const auto found, model.explain(request));
    std::cout << "ok 3\n";
    write_tensor("base", found.base);
    write_tensor("values", found.values);
    write_tensor("totals", found.totals);
    return {};
  }
  TRY(const auto tensors, model.run(request));
  std::cout << "ok " << tensors.size() << '\n';
  for (std::size_t i = 0; i < tensors.size(); ++i) write_tensor(signature.outputs[i].name, tensors[i]);
  return {};
}

Result<std::unique_ptr<protean::Model>> load(protean::Backend& backend, const std::string& path) {
  TRY(const bool known, backend.recognises(path));
  if (!known) return protean::fail(protean::Code::kInvalidArgument, "not recognised");
  TRY(auto model, backend.load({"probe", "1", path, path}, {}));
  std::cout << "ok " << model->signature().inputs.size() << '\n';
  for (const auto& spec : model->signature().inputs) {
    Tensor empty;
    empty.type = spec.type;
    empty.shape = spec.shape;
    write_tensor(spec.name.find(' ') == std::string::npos ? spec.name : "unnamed", empty);
  }
  return model;
}

void list_classes() {
  const auto classes = protean::sklearn::served_classes();
  std::cout << "ok " << classes.size() << '\n';
  for (const auto name : classes) write_tensor(std::string(name), {});
}

void answer_error(const protean::Error& error) { std::cout << "error " << error.message << '\n'; }

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  const auto backend = protean::make_scikit_learn_backend();
  std::unique_ptr<protean::Model> model;
  for (std::string line; std::getline(std::cin, line); std::cout << std::flush) {
    if (line.starts_with("load ")) {
      model.reset();
      auto loaded = load(*backend, line.substr(5));
      if (loaded) {
        model = *std::move(loaded);
      } else {
        answer_error(loaded.error());
      }
    } else if (line == "classes") {
      list_classes();
    } else if (model && (line == "run" || line == "explain")) {
      if (auto status = run(*model, line == "explain"); !status) answer_error(status.error());
    } else {
      std::cout << "error no model is loaded, or no such command\n";
    }
  }
  return 0;
}
