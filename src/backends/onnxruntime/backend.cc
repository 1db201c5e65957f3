// SPDX-License-Identifier: Apache-2.0
// The backend's contract, put together from the parts of this folder.
#include "backends/onnxruntime/backend.h"

#include <sys/stat.h>

#include <new>
#include <optional>
#include <utility>

#include "backends/onnxruntime/graph_cache.h"
#include "backends/onnxruntime/graph_loader.h"
#include "backends/onnxruntime/onnx_model.h"
#include "backends/onnxruntime/recognise.h"
#include "backends/onnxruntime/runtime.h"
#include "backends/onnxruntime/session.h"
#include "base/log.h"
#include "base/text.h"
#include "core/model_file.h"

namespace protean {
namespace {

constexpr int kThreadsMax = 1024;

class OnnxRuntimeBackend final : public Backend {
 public:
  /// `cache`: nullptr for none; `cache_note`: why there is none although it was asked for.
  OnnxRuntimeBackend(Result<std::shared_ptr<const OnnxRuntime>> runtime, std::shared_ptr<GraphCache> cache,
                     std::string cache_note)
      : runtime_(std::move(runtime)), cache_note_(std::move(cache_note)) {
    if (runtime_) loader_.emplace(*runtime_, std::move(cache));
  }

  [[nodiscard]] std::string_view id() const noexcept override { return "onnxruntime"; }
  [[nodiscard]] std::string description() const override {
    return runtime_ ? "onnxruntime " + (*runtime_)->version() : runtime_.error().message;
  }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override;
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) override;

 private:
  Result<std::unique_ptr<Model>> load_checked(const ModelFiles& files, const LoadOptions& options) const;

  const Result<std::shared_ptr<const OnnxRuntime>> runtime_;
  const std::string cache_note_;
  std::optional<GraphLoader> loader_;  // constant after construction
};

Result<bool> OnnxRuntimeBackend::recognises(const std::filesystem::path& path) const {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) return false;
  TRY(const auto file, ModelFile::open(path));
  return looks_like_onnx(file.size(),
                         [&](std::uint64_t offset, std::span<std::byte> out) { return file.read(offset, out); });
}

Result<std::unique_ptr<Model>> OnnxRuntimeBackend::load_checked(const ModelFiles& files,
                                                                const LoadOptions& options) const {
  TRY(auto graph, loader_->load(files, options));
  TRY(auto signature, read_signature(*graph.session, graph.facts));
  for (const auto& output : signature.left_out) {
    log::warning("output left out: no protocol here carries it",
                 {{"model", files.model}, {"version", files.version}, {"output", output}});
  }
  if (!cache_note_.empty()) graph.notes.push_back(cache_note_);
  const auto memory = graph.session->memory();
  return std::make_unique<OnnxModel>(std::move(graph.session), std::move(signature),
                                     LoadReport{memory, std::move(graph.notes)});
}

Result<std::unique_ptr<Model>> OnnxRuntimeBackend::load(const ModelFiles& files, const LoadOptions& options) {
  if (!runtime_) return tl::unexpected<Error>(runtime_.error());
  auto model = [&]() -> Result<std::unique_ptr<Model>> {
    try {
      return load_checked(files, options);
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
  if (options.pool_threads < 0 || options.pool_threads > kThreadsMax) {
    return fail(Code::kInvalidArgument, "onnxruntime pool threads: " + std::to_string(options.pool_threads) +
                                            ", expected 0 to " + std::to_string(kThreadsMax));
  }
  auto runtime = OnnxRuntime::load(options);
  std::shared_ptr<GraphCache> cache;
  std::string note;
  if (runtime && !options.cache_folder.empty()) {
    auto opened = GraphCache::open(options.cache_folder, options.cache_bytes_max);
    if (opened) {
      cache = *std::move(opened);
    } else {
      note = "no cache: " + opened.error().message;
      log::warning("models load without a cache of optimised graphs", {{"reason", opened.error().message}});
    }
  }
  return std::make_unique<OnnxRuntimeBackend>(std::move(runtime), std::move(cache), std::move(note));
}

}  // namespace protean
