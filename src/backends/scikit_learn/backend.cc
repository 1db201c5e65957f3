// SPDX-License-Identifier: Apache-2.0
// The backend's contract, put together from the parts of this folder.
#include "backends/scikit_learn/backend.h"

#include <new>
#include <utility>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/file_bytes.h"
#include "backends/scikit_learn/object_file.h"
#include "backends/scikit_learn/recognise.h"
#include "backends/scikit_learn/sklearn_model.h"
#include "base/text.h"

namespace protean {
namespace {

class ScikitLearnBackend final : public Backend {
 public:
  explicit ScikitLearnBackend(const ScikitLearnOptions& options) : options_(options) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "scikit_learn"; }
  [[nodiscard]] std::string description() const override {
    return "scikit-learn models of pickle, joblib and skops, read as data (" +
           std::to_string(sklearn::served_classes().size()) + " classes)";
  }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override {
    return sklearn::looks_like_scikit_learn(path);
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions&) override {
    auto model = [&]() -> Result<std::unique_ptr<Model>> {
      try {
        return load_checked(files);
      } catch (const std::bad_alloc&) {
        return fail(Code::kResourceExhausted, "no memory left to load it");
      }
    }();
    if (model) return model;
    auto error = std::move(model).error();
    error.message += " (model " + printable(files.model) + ", version " + printable(files.version) + ")";
    return tl::unexpected<Error>(std::move(error));
  }

 private:
  Result<std::unique_ptr<Model>> load_checked(const ModelFiles& files) const {
    TRY(auto bytes, sklearn::read_file(files.path, options_.file_bytes_max));
    TRY(const auto file, sklearn::ObjectFile::read(std::move(bytes)));
    sklearn::LoadContext context(file->bytes());
    TRY(auto estimator, sklearn::make_estimator(file->root(), context));
    std::vector<std::string> notes{file->format()};
    std::string versions;
    for (const auto& version : context.versions) versions += (versions.empty() ? "" : ", ") + version;
    notes.push_back("saved by scikit-learn " + (versions.empty() ? "of an unknown version" : versions));
    ModelMemory memory;
    memory.private_bytes = (sklearn::LoadContext(file->bytes()).numbers_left - context.numbers_left) * sizeof(double);
    return sklearn::SklearnModel::make(std::move(estimator), std::move(notes), memory);
  }

  const ScikitLearnOptions options_;
};

}  // namespace

std::unique_ptr<Backend> make_scikit_learn_backend(const ScikitLearnOptions& options) {
  return std::make_unique<ScikitLearnBackend>(options);
}

}  // namespace protean
