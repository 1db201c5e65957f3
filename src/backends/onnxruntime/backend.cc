// SPDX-License-Identifier: Apache-2.0
// The backend's contract, put together from the parts of this folder.
#include "backends/onnxruntime/backend.h"

#include <sys/stat.h>

#include <new>
#include <utility>

#include "backends/onnxruntime/model_file.h"
#include "backends/onnxruntime/onnx_model.h"
#include "backends/onnxruntime/prepare_model.h"
#include "backends/onnxruntime/recognise.h"
#include "backends/onnxruntime/runtime.h"
#include "backends/onnxruntime/session.h"
#include "base/log.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr int kThreadsMax = 1024;

Result<PreparedModel> read_and_prepare(const ModelFiles& files) {
  TRY(const auto file, ModelFile::open(files.path));
  if (file.size() > kModelBytesMax) {
    return fail(Code::kInvalidArgument,
                "the file has " + std::to_string(file.size()) + " bytes, more than any ONNX file can have (2^31-1)");
  }
  // Where the file itself is: the version's folder, or one inside it.
  TRY(const auto folder, ModelFolder::open(files.path.parent_path()));
  TRY(auto bytes, file.read_all());
  return prepare_model(std::move(bytes), folder);
}

class OnnxRuntimeBackend final : public Backend {
 public:
  explicit OnnxRuntimeBackend(Result<std::shared_ptr<const OnnxRuntime>> runtime) : runtime_(std::move(runtime)) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "onnxruntime"; }
  [[nodiscard]] std::string description() const override {
    return runtime_ ? "onnxruntime " + (*runtime_)->version() : runtime_.error().message;
  }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override;
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) override;

 private:
  Result<std::unique_ptr<Model>> load_checked(const ModelFiles& files) const;

  const Result<std::shared_ptr<const OnnxRuntime>> runtime_;
};

Result<bool> OnnxRuntimeBackend::recognises(const std::filesystem::path& path) const {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) return false;
  TRY(const auto file, ModelFile::open(path));
  return looks_like_onnx(file.size(),
                         [&](std::uint64_t offset, std::span<std::byte> out) { return file.read(offset, out); });
}

Result<std::unique_ptr<Model>> OnnxRuntimeBackend::load_checked(const ModelFiles& files) const {
  TRY(const auto prepared, read_and_prepare(files));
  TRY(auto session, OnnxSession::make(*runtime_, prepared));
  TRY(auto signature, read_signature(*session, prepared.facts));
  for (const auto& output : signature.left_out) {
    log::warning("output left out: no protocol here carries it",
                 {{"model", files.model}, {"version", files.version}, {"output", output}});
  }
  return std::make_unique<OnnxModel>(std::move(session), std::move(signature));
}

Result<std::unique_ptr<Model>> OnnxRuntimeBackend::load(const ModelFiles& files, const LoadOptions& /*options*/) {
  if (!runtime_) return tl::unexpected<Error>(runtime_.error());
  auto model = [&]() -> Result<std::unique_ptr<Model>> {
    try {
      return load_checked(files);
    } catch (const std::bad_alloc&) {
      return fail(Code::kResourceExhausted, "no memory left to load it");
    }
  }();
  if (model) return model;
  auto error = std::move(model).error();
  const std::string where = "model " + printable(files.model) + ", version " + printable(files.version);
  error.message += " (" + where + ")";
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Result<std::unique_ptr<Backend>> make_onnxruntime_backend(const OnnxRuntimeOptions& options) {
  if (options.intra_op_threads < 0 || options.intra_op_threads > kThreadsMax) {
    return fail(Code::kInvalidArgument, "onnxruntime intra-op threads: " + std::to_string(options.intra_op_threads) +
                                            ", expected 0 to " + std::to_string(kThreadsMax));
  }
  return std::make_unique<OnnxRuntimeBackend>(OnnxRuntime::load(options));
}

}  // namespace protean
