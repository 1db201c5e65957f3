// SPDX-License-Identifier: Apache-2.0
// Where the library may be, and its functions by name. docs/decisions/0006-tensorflow.md says why so.
#include "backends/tensorflow/library.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "core/library_search.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHowTo =
    "set --tensorflow-library to a libtensorflow.so.2 or libtensorflow_cc.so.2 of version 2.4 or later, or give "
    "--python "
    "an environment with tensorflow or tensorflow-cpu";
constexpr std::array kNames = {"libtensorflow_cc.so.2", "libtensorflow.so.2", "libtensorflow.so",
                               "libtensorflow_cc.so"};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

fs::path library_in(const fs::path& folder) {
  for (const char* name : kNames) {
    if (is_file(folder / name)) return folder / name;
  }
  return {};
}

bool is_version(std::string_view text) {
  return text.find('.') != std::string_view::npos && std::isdigit(static_cast<unsigned char>(text.front())) != 0;
}

/// `libtensorflow.so.2.18.0` says it itself; a wheel says it by the folder `tensorflow_cpu-2.20.0.dist-info`.
std::string version_by_names(const fs::path& path) {
  std::error_code error;
  const std::string real = fs::canonical(path, error).filename().string();
  const auto so = real.find(".so.");
  if (!error && so != std::string::npos && is_version(real.substr(so + 4))) return real.substr(so + 4);
  const fs::path packages = path.parent_path().parent_path();
  for (fs::directory_iterator it(packages, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (!name.starts_with("tensorflow") || !name.ends_with(".dist-info")) continue;
    name.resize(name.size() - std::string_view(".dist-info").size());
    const auto dash = name.find('-');
    const std::string package = name.substr(0, dash);
    const bool has_library = package == "tensorflow" || package == "tensorflow_cpu" || package == "tensorflow_intel" ||
                             package == "tensorflow_cpu_aws";
    if (has_library && dash != std::string::npos) return name.substr(dash + 1);
  }
  return {};
}

std::string join(const std::vector<fs::path>& folders) {
  std::string text;
  for (const auto& folder : folders) text += (text.empty() ? "" : ", ") + folder.string();
  return text;
}

/// Finds every function, remembering the first that is missing.
class Symbols {
 public:
  explicit Symbols(void* library) : library_(library) {}
  template <typename F>
  void find(const char* name, F*& function) {
    void* symbol = find_symbol(library_, name);
    if (symbol == nullptr && missing_.empty()) missing_ = name;
    function = reinterpret_cast<F*>(symbol);
  }
  [[nodiscard]] const std::string& missing() const noexcept { return missing_; }

 private:
  void* library_;
  std::string missing_;
};

void find_session_functions(Symbols& symbols, TensorflowApi& api) {
  symbols.find("TF_Version", api.version);
  symbols.find("TF_NewStatus", api.new_status);
  symbols.find("TF_DeleteStatus", api.delete_status);
  symbols.find("TF_GetCode", api.get_code);
  symbols.find("TF_Message", api.message);
  symbols.find("TF_NewSessionOptions", api.new_session_options);
  symbols.find("TF_SetConfig", api.set_config);
  symbols.find("TF_DeleteSessionOptions", api.delete_session_options);
  symbols.find("TF_NewGraph", api.new_graph);
  symbols.find("TF_DeleteGraph", api.delete_graph);
  symbols.find("TF_GraphOperationByName", api.graph_operation_by_name);
  symbols.find("TF_OperationNumOutputs", api.operation_num_outputs);
  symbols.find("TF_OperationOutputType", api.operation_output_type);
  symbols.find("TF_LoadSessionFromSavedModel", api.load_session_from_saved_model);
  symbols.find("TF_CloseSession", api.close_session);
  symbols.find("TF_DeleteSession", api.delete_session);
  symbols.find("TF_SessionRun", api.session_run);
}

void find_tensor_functions(Symbols& symbols, TensorflowApi& api) {
  symbols.find("TF_NewTensor", api.new_tensor);
  symbols.find("TF_DeleteTensor", api.delete_tensor);
  symbols.find("TF_TensorType", api.tensor_type);
  symbols.find("TF_NumDims", api.num_dims);
  symbols.find("TF_Dim", api.dim);
  symbols.find("TF_TensorByteSize", api.tensor_byte_size);
  symbols.find("TF_TensorData", api.tensor_data);
  symbols.find("TF_StringInit", api.string_init);
  symbols.find("TF_StringCopy", api.string_copy);
  symbols.find("TF_StringGetDataPointer", api.string_get_data_pointer);
  symbols.find("TF_StringGetSize", api.string_get_size);
  symbols.find("TF_StringDealloc", api.string_dealloc);
}

}  // namespace

FoundTensorflow find_tensorflow(const TensorflowSearch& search) {
  const std::string& said = search.library_path.empty() ? search.from_environment : search.library_path;
  if (!said.empty()) {
    std::error_code ignored;
    const fs::path path = fs::is_directory(said, ignored) ? library_in(said) : fs::path(said);
    if (!is_file(path)) return {{}, {}, said + " (no such file)"};
    return {path, version_by_names(path), {}};
  }
  auto packages = python_package_folders(search.python, search.path_variable);
  for (const auto& folder : packages) {
    const fs::path path = library_in(folder / "tensorflow");
    if (!path.empty()) return {path, version_by_names(path), {}};
  }
  for (const auto& folder : search.library_folders) {
    const fs::path path = library_in(folder);
    if (!path.empty()) return {path, version_by_names(path), {}};
  }
  packages.insert(packages.end(), search.library_folders.begin(), search.library_folders.end());
  return {{}, {}, join(packages)};
}

Result<std::shared_ptr<const TensorflowRuntime>> TensorflowRuntime::load(const fs::path& path) {
  TRY(void* const library, open_library(path));
  auto runtime = std::make_shared<TensorflowRuntime>();
  Symbols symbols(library);
  find_session_functions(symbols, runtime->api_);
  find_tensor_functions(symbols, runtime->api_);
  if (!symbols.missing().empty()) {
    return fail(Code::kFailedPrecondition,
                fmt::format("{}: not TensorFlow 2.4 or later (no {})", path.string(), symbols.missing()));
  }
  log::info("tensorflow loaded", {{"path", path.string()}, {"version", runtime->version()}});
  return runtime;
}

std::string TensorflowLibrary::description() const {
  const std::lock_guard lock(mutex_);
  if (!found()) return fmt::format("TensorFlow's library is missing; {}. Looked in: {}", kHowTo, found_.tried);
  if (tried_ && !loaded_) return loaded_.error().message;
  if (tried_) return (*loaded_)->version();
  return found_.version.empty() ? found_.path.string() + ", loaded with the first SavedModel" : found_.version;
}

Result<std::shared_ptr<const TensorflowRuntime>> TensorflowLibrary::get() {
  if (!found()) return fail(Code::kFailedPrecondition, description());
  const std::lock_guard lock(mutex_);
  if (!std::exchange(tried_, true)) loaded_ = TensorflowRuntime::load(found_.path);
  return loaded_;
}

}  // namespace protean
