// SPDX-License-Identifier: Apache-2.0
// Chooses the flavor: the framework's own file where a backend here reads it, else the whole folder for Python.
#include "backends/mlflow/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "backends/mlflow/input_example.h"
#include "backends/mlflow/ml_model_file.h"
#include "backends/mlflow/mlflow_model.h"
#include "backends/mlflow/table_form.h"
#include "base/text.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFile = "MLmodel";
constexpr std::string_view kPythonFlavor = "python_function";
/// Those whose files are read without Python, best first.
constexpr std::array<std::string_view, 5> kNativeFlavors = {"onnx", "xgboost", "lightgbm", "catboost", "sklearn"};
constexpr std::size_t kHeadBytes = 64 * 1024;
constexpr std::size_t kExampleBytesMax = 1 << 20;

/// Whether a line of the text is the key `flavors`.
bool has_flavors(std::string_view head) {
  return head.starts_with("flavors:") || head.find("\nflavors:") != std::string_view::npos;
}

struct Loaded {
  std::unique_ptr<Model> model;
  std::string flavor;
  std::string backend;
};

class MlflowBackend final : public Backend {
 public:
  MlflowBackend(std::vector<Backend*> others, PythonLoader python)
      : others_(std::move(others)), python_(std::move(python)) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "mlflow"; }
  [[nodiscard]] std::string description() const override { return "mlflow (model folders)"; }

  [[nodiscard]] Result<bool> recognises(const fs::path& path) const override {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored) || !fs::is_regular_file(path / kFile, ignored)) return false;
    std::ifstream in(path / kFile, std::ios::binary);
    std::string head(kHeadBytes, '\0');
    in.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(in.gcount()));
    return has_flavors(head);
  }

  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) override {
    auto model = load_folder(files, options);
    if (model) return model;
    Error error = std::move(model).error();
    const std::string where = fmt::format("(model {}, version {})", printable(files.model), printable(files.version));
    if (error.message.find(where) == std::string::npos) error.message += " " + where;
    return tl::unexpected<Error>(std::move(error));
  }

 private:
  Result<std::unique_ptr<Model>> load_folder(const ModelFiles& files, const LoadOptions& options) const {
    TRY(const std::string text, read_text(files.path, std::string(kFile), kMlModelBytesMax));
    TRY(const MlModelFile file, parse_ml_model(text));
    TRY(Loaded loaded, load_flavor(file, files, options));
    Signature own = loaded.model->signature();
    if (!own.inputs.empty() && own.inputs.back().name == kParamsInput) own.inputs.pop_back();
    for (auto& column : own.columns) {
      // A data frame's numbers may be missing whatever the model makes of that.
      const bool is_float = column.type == DataType::kFp32 || column.type == DataType::kFp64;
      column.nullable = column.nullable || (is_float && loaded.flavor == kPythonFlavor);
    }
    TRY(Signature signature, with_schema(std::move(own), file.schema));
    if (!file.example_file.empty()) {
      const auto example = read_text(files.path, file.example_file, kExampleBytesMax);
      if (example) signature.example = example_request(*example, file.example_type, signature);
    }
    std::vector<std::string> notes = {fmt::format("flavor {} by {}{}{}", loaded.flavor, loaded.backend,
                                                  file.mlflow_version.empty() ? "" : ", MLflow ",
                                                  printable(file.mlflow_version))};
    for (const auto& param : file.schema.params) {
      notes.push_back(fmt::format("param {} {}{} = {}", printable(param.name), printable(param.type),
                                  param.list ? "[]" : "", param.default_value));
    }
    signature.takes_parameters = !file.schema.params.empty();
    return std::make_unique<MlflowModel>(std::move(loaded.model), std::move(signature), file.schema.params,
                                         std::move(notes));
  }

  Result<Loaded> load_flavor(const MlModelFile& file, const ModelFiles& files, const LoadOptions& options) const {
    std::string reasons;
    Code code = Code::kInvalidArgument;
    const auto failed = [&](std::string_view flavor, const Error& error) {
      reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", flavor, error.message);
      // Trying again helps where one of them may still come right.
      const bool may_pass =
          error.code == Code::kUnavailable || error.code == Code::kAborted || error.code == Code::kResourceExhausted;
      if (may_pass) code = error.code;
    };
    for (const std::string_view name : kNativeFlavors) {
      const auto flavor = std::ranges::find(file.flavors, name, &Flavor::name);
      if (flavor == file.flavors.end()) continue;
      auto loaded = load_native(*flavor, files, options);
      if (loaded) return loaded;
      failed(name, loaded.error());
    }
    if (std::ranges::find(file.flavors, kPythonFlavor, &Flavor::name) != file.flavors.end()) {
      auto loaded = load_python(files, options);
      if (loaded) return loaded;
      failed(kPythonFlavor, loaded.error());
    }
    if (!reasons.empty()) return fail(code, fmt::format("MLmodel: no flavor can be served: {}", reasons));
    std::string names;
    for (const auto& flavor : file.flavors) {
      names += (names.empty() ? "" : ", ") + printable(flavor.name);
    }
    return fail(Code::kInvalidArgument, fmt::format("MLmodel: found the flavors {}, expected one of {} or {}", names,
                                                    fmt::join(kNativeFlavors, ", "), kPythonFlavor));
  }

  Result<Loaded> load_native(const Flavor& flavor, const ModelFiles& files, const LoadOptions& options) const {
    TRY(const fs::path path, inner_path(files.path, flavor.file));
    for (Backend* backend : others_) {
      const auto knows = backend->recognises(path);
      if (!knows || !*knows) continue;
      TRY(auto model, backend->load({files.model, files.version, path, files.folder}, options));
      return Loaded{std::move(model), flavor.name, std::string(backend->id())};
    }
    return fail(Code::kInvalidArgument, fmt::format("no backend reads '{}'", printable(flavor.file)));
  }

  Result<Loaded> load_python(const ModelFiles& files, const LoadOptions& options) const {
    if (!python_) return fail(Code::kInvalidArgument, "Python is not part of this build; export the model to ONNX");
    TRY(auto model, python_(files, options));
    return Loaded{std::move(model), std::string(kPythonFlavor), "python"};
  }

  const std::vector<Backend*> others_;
  const PythonLoader python_;
};

}  // namespace

std::unique_ptr<Backend> make_mlflow_backend(std::vector<Backend*> others, PythonLoader python) {
  return std::make_unique<MlflowBackend>(std::move(others), std::move(python));
}

}  // namespace protean
