// SPDX-License-Identifier: Apache-2.0
// The reader answers all questions; only a load that it refused is tried again.
#include "server/python_fallback.h"

#include <utility>

namespace protean {
namespace {

class WithPythonFallback final : public Backend {
 public:
  WithPythonFallback(std::unique_ptr<Backend> reader, PythonBackend& python)
      : reader_(std::move(reader)), python_(python) {}

  [[nodiscard]] std::string_view id() const noexcept override { return reader_->id(); }
  [[nodiscard]] std::string description() const override { return reader_->description(); }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override {
    return reader_->recognises(path);
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) override {
    auto model = reader_->load(files, options);
    if (model) return model;
    const Code code = model.error().code;
    if (code != Code::kInvalidArgument && code != Code::kUnimplemented) return model;
    auto second = python_.load_adapter(files, options, {"sklearn", files.path});
    if (!second) model.error().message += "; " + second.error().message;
    return second ? std::move(second) : std::move(model);
  }

 private:
  const std::unique_ptr<Backend> reader_;
  PythonBackend& python_;
};

}  // namespace

std::unique_ptr<Backend> with_python_fallback(std::unique_ptr<Backend> reader, PythonBackend& python) {
  return std::make_unique<WithPythonFallback>(std::move(reader), python);
}

}  // namespace protean
