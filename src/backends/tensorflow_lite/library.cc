// SPDX-License-Identifier: Apache-2.0
// Candidates in order, and functions by name.
#include "backends/tensorflow_lite/library.h"

#include <array>
#include <system_error>

#include "base/log.h"
#include "core/library_search.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::array kNames = {"libtensorflowlite_c.so", "libtensorflowlite_c.so.2"};

template <typename F>
void find(void* library, const char* name, F*& function, std::string& missing) {
  function = reinterpret_cast<F*>(find_symbol(library, name));
  if (function == nullptr && missing.empty()) missing = name;
}

/// The name of the first function that is missing.
std::string find_all(void* library, LiteApi& api) {
  std::string missing;
  find(library, "TfLiteVersion", api.version, missing);
  find(library, "TfLiteModelCreate", api.model_create, missing);
  find(library, "TfLiteModelDelete", api.model_delete, missing);
  find(library, "TfLiteInterpreterOptionsCreate", api.options_create, missing);
  find(library, "TfLiteInterpreterOptionsDelete", api.options_delete, missing);
  find(library, "TfLiteInterpreterOptionsSetNumThreads", api.options_set_num_threads, missing);
  find(library, "TfLiteInterpreterOptionsSetErrorReporter", api.options_set_error_reporter, missing);
  find(library, "TfLiteInterpreterCreate", api.interpreter_create, missing);
  find(library, "TfLiteInterpreterDelete", api.interpreter_delete, missing);
  find(library, "TfLiteInterpreterGetInputTensorCount", api.input_count, missing);
  find(library, "TfLiteInterpreterGetInputTensor", api.input, missing);
  find(library, "TfLiteInterpreterResizeInputTensor", api.resize_input, missing);
  find(library, "TfLiteInterpreterAllocateTensors", api.allocate_tensors, missing);
  find(library, "TfLiteInterpreterInvoke", api.invoke, missing);
  find(library, "TfLiteInterpreterGetOutputTensorCount", api.output_count, missing);
  find(library, "TfLiteInterpreterGetOutputTensor", api.output, missing);
  find(library, "TfLiteTensorType", api.tensor_type, missing);
  find(library, "TfLiteTensorNumDims", api.tensor_num_dims, missing);
  find(library, "TfLiteTensorDim", api.tensor_dim, missing);
  find(library, "TfLiteTensorByteSize", api.tensor_byte_size, missing);
  find(library, "TfLiteTensorData", api.tensor_data, missing);
  find(library, "TfLiteTensorQuantizationParams", api.tensor_quantization, missing);
  find(library, "TfLiteTensorCopyFromBuffer", api.copy_from_buffer, missing);
  return missing;
}

}  // namespace

std::vector<fs::path> lite_library_candidates(const std::string& explicit_path, const std::string& from_environment,
                                              const fs::path& executable_folder,
                                              const std::vector<fs::path>& library_folders) {
  if (!explicit_path.empty()) return {explicit_path};
  if (!from_environment.empty()) return {from_environment};
  std::vector<fs::path> folders;
  if (!executable_folder.empty()) folders = {executable_folder / "lib", executable_folder.parent_path() / "lib"};
  folders.insert(folders.end(), library_folders.begin(), library_folders.end());
  std::vector<fs::path> candidates;
  for (const auto& folder : folders) {
    for (const char* name : kNames) candidates.push_back(folder / name);
  }
  return candidates;
}

Result<std::shared_ptr<const LiteRuntime>> LiteRuntime::load(const std::vector<fs::path>& candidates) {
  std::string tried;
  for (const auto& path : candidates) {
    std::error_code ignored;
    std::string wrong = "no such file";
    if (fs::is_regular_file(path, ignored)) {
      auto runtime = std::make_shared<LiteRuntime>();
      const auto library = open_library(path);
      wrong = library ? find_all(*library, runtime->api_) : library.error().message;
      if (wrong.empty()) {
        log::debug("tensorflow lite loaded", {{"path", path.string()}, {"version", runtime->version()}});
        return runtime;
      }
      if (library) wrong = "has no " + wrong;
    } else if (candidates.size() > 1) {
      continue;
    }
    tried += (tried.empty() ? "" : "; ") + path.string() + ": " + wrong;
  }
  return fail(Code::kFailedPrecondition,
              "TensorFlow Lite's library is missing; set --tensorflow-lite-library to a libtensorflowlite_c.so" +
                  (tried.empty() ? "" : " (" + tried + ")"));
}

}  // namespace protean
