// SPDX-License-Identifier: Apache-2.0
// Folders, tensors, and what this process holds.
#include "backends/python/worker_test_support.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>

namespace protean::python {

namespace fs = std::filesystem;

ModelsFolder::ModelsFolder() {
  std::string pattern = (fs::temp_directory_path() / "protean-python-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

ModelsFolder::~ModelsFolder() { fs::remove_all(path_); }

ModelFiles ModelsFolder::add(const std::string& name, std::string_view body) const {
  const fs::path folder = path_ / name;
  fs::create_directories(folder);
  std::ofstream file(folder / "model.py");
  file << "import os, sys, time\n"
          "import numpy as np\n"
          "from protean_worker import *\n"
          "from protean_worker import Model\n\n"
          "class Tested(Model):\n"
          "    inputs = [Input('x', 'FP32', [-1, 2])]\n"
          "    outputs = [Output('y', 'FP32', [-1, 2])]\n"
       << body << "\n";
  return {name, "1", folder / "model.py", folder};
}

PythonOptions test_options() {
  PythonOptions options;
  const fs::path environment = fs::path(PROTEAN_SOURCE_DIR) / ".deps/venv";
  if (fs::exists(environment)) options.all.interpreter = environment.string();
  options.all.run_time_max = std::chrono::seconds(10);
  options.all.memory_bytes_max = std::uint64_t{1} << 30;
  return options;
}

Tensor counting(std::int64_t rows) {
  std::vector<float> values(static_cast<std::size_t>(rows * 2));
  std::iota(values.begin(), values.end(), 0.0F);
  Buffer bytes;
  bytes.append(values.data(), values.size() * sizeof(float));
  return {DataType::kFp32, {rows, 2}, std::move(bytes).share()};
}

Result<std::vector<Tensor>> run_one(Model& model, const Tensor& x, std::string_view id) {
  const Tensor* inputs[] = {&x};
  std::vector<std::size_t> outputs(model.signature().outputs.size());
  std::iota(outputs.begin(), outputs.end(), std::size_t{0});
  return model.run({inputs, outputs, {}, {}, id});
}

std::vector<float> floats(const Tensor& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(float));
  return values;
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

std::size_t child_processes() {
  std::size_t count = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    count += static_cast<std::size_t>(
        std::distance(std::istream_iterator<std::string>(children), std::istream_iterator<std::string>()));
  }
  return count;
}

}  // namespace protean::python
