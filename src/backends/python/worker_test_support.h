// SPDX-License-Identifier: Apache-2.0
// Real workers for tests: models written to a folder of the test's own, and the interpreter that has NumPy.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/python/backend.h"
#include "core/model.h"

namespace protean::python {

/// A folder that goes away with it; below it ROOT/NAME/model.py for each model.
class ModelsFolder {
 public:
  ModelsFolder();
  ~ModelsFolder();
  ModelsFolder(const ModelsFolder&) = delete;
  ModelsFolder& operator=(const ModelsFolder&) = delete;

  /// Writes a model whose class body is `body`; input `x` and output `y` are FP32 [-1, 2] unless it says otherwise.
  [[nodiscard]] ModelFiles add(const std::string& name, std::string_view body) const;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// Settings with an interpreter that has NumPy: the one of the tests' environment, else python3; time-outs are short.
[[nodiscard]] PythonOptions test_options();

/// [rows, 2] of FP32: 0, 1, 2 and so on.
[[nodiscard]] Tensor counting(std::int64_t rows);

/// Runs with all outputs.  `x`: the only input.
[[nodiscard]] Result<std::vector<Tensor>> run_one(Model& model, const Tensor& x, std::string_view id = {});

[[nodiscard]] std::vector<float> floats(const Tensor& tensor);

/// Descriptors that this process has open, and its children.
[[nodiscard]] std::size_t open_descriptors();
[[nodiscard]] std::size_t child_processes();

}  // namespace protean::python
