// SPDX-License-Identifier: Apache-2.0
// The backend's contract, put together from the parts of this folder.
#include "backends/trees/backend.h"

#include <new>
#include <string>
#include <utility>

#include "backends/trees/model_bytes.h"
#include "backends/trees/tree_file.h"
#include "backends/trees/tree_model.h"
#include "base/text.h"

namespace protean {
namespace {

class TreesBackend final : public Backend {
 public:
  explicit TreesBackend(const TreesOptions& options) : options_(options) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "trees"; }
  [[nodiscard]] std::string description() const override { return "trees (XGBoost, LightGBM, CatBoost files)"; }

  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override {
    TRY(const auto ends, read_file_ends(path, kTreeHeadBytes, kTreeTailBytes));
    return ends.regular && recognise_tree_file(ends.head, ends.tail).has_value();
  }

  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions&) override {
    auto model = [&]() -> Result<std::unique_ptr<Model>> {
      try {
        return load_file(files.path);
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
  [[nodiscard]] Result<std::unique_ptr<Model>> load_file(const std::filesystem::path& path) const {
    TRY(const auto bytes, read_model_bytes(path, options_.file_bytes_max));
    const auto text = bytes.text();
    const auto head = text.substr(0, kTreeHeadBytes);
    const auto tail = text.size() > kTreeTailBytes ? text.substr(text.size() - kTreeTailBytes) : text;
    const auto format = recognise_tree_file(head, tail);
    if (!format) return fail(Code::kAborted, "the file is no tree model any more: it changed while it was loaded");
    TRY(auto spec, read_tree_file(*format, text));
    TRY(auto model, TreeModel::make(std::move(spec)));
    return std::unique_ptr<Model>(std::move(model));
  }

  const TreesOptions options_;
};

}  // namespace

std::unique_ptr<Backend> make_trees_backend(const TreesOptions& options) {
  return std::make_unique<TreesBackend>(options);
}

}  // namespace protean
