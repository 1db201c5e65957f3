// SPDX-License-Identifier: Apache-2.0
// Chooses what runs a SavedModel, and puts the parts of this folder together.
#include "backends/tensorflow/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <system_error>
#include <utility>

#include "backends/tensorflow/functions.h"
#include "backends/tensorflow/graph_check.h"
#include "backends/tensorflow/library.h"
#include "backends/tensorflow/lowered_file.h"
#include "backends/tensorflow/lowered_model.h"
#include "backends/tensorflow/recognise.h"
#include "backends/tensorflow/session.h"
#include "backends/tensorflow/stateful.h"
#include "backends/tensorflow/tensorflow_model.h"
#include "base/text.h"
#include "core/library_search.h"
#include "tensorflow/meta_graph.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibraryVariable = "PROTEAN_TENSORFLOW_LIBRARY";

FoundTensorflow look_for_library(const TensorflowOptions& options) {
  TensorflowSearch search;
  search.library_path = options.library_path;
  search.from_environment = environment_text(kLibraryVariable);
  search.python = options.python;
  search.path_variable = environment_text("PATH");
  search.library_folders = system_library_folders(environment_text("LD_LIBRARY_PATH"));
  return find_tensorflow(search);
}

std::uint64_t checkpoint_bytes(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder / "variables", error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const auto size = it->file_size(ignored);
    if (!ignored) bytes += size;
  }
  return bytes;
}

class TensorflowBackend final : public Backend {
 public:
  explicit TensorflowBackend(const TensorflowOptions& options)
      : options_(options),
        library_(look_for_library(options)),
        lowered_(options.cache_folder, options.cache_bytes_max) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "tensorflow"; }
  [[nodiscard]] std::string description() const override {
    if (library_.found()) return "tensorflow " + library_.description();
    return "tensorflow: SavedModels are lowered to ONNX. " + library_.description();
  }
  [[nodiscard]] Result<bool> recognises(const fs::path& path) const override { return is_saved_model(path); }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) override;

 private:
  Result<std::unique_ptr<Model>> load_checked(const ModelFiles& files, const LoadOptions& options);
  Result<std::unique_ptr<Model>> load_session(const ModelFiles& files, const MetaGraph& graph,
                                              const SavedModelFacts& facts);
  Result<std::unique_ptr<Model>> load_onnx(const ModelFiles& files, const LoadOptions& options,
                                           const SavedModelFacts& facts, std::string why);

  const TensorflowOptions options_;
  TensorflowLibrary library_;
  const LoweredFiles lowered_;
};

Result<std::unique_ptr<Model>> TensorflowBackend::load_session(const ModelFiles& files, const MetaGraph& graph,
                                                               const SavedModelFacts& facts) {
  TRY(auto planned, plan_functions(facts));
  mark_stateful(graph.def(), planned);
  TRY(const auto runtime, library_.get());
  SessionSource source;
  source.folder = files.path;
  source.tags = facts.tags;
  source.threads = std::max<std::uint32_t>(1, options_.threads);
  source.weights_bytes = checkpoint_bytes(files.path);
  TRY(auto session, TensorflowSession::load(runtime, source));
  planned.notes.insert(planned.notes.begin(),
                       fmt::format("run by TensorFlow {}, {} intra-op thread{} shared by all SavedModels",
                                   runtime->version(), source.threads, source.threads == 1 ? "" : "s"));
  return TensorflowModel::make(std::move(session), std::move(planned));
}

Result<std::unique_ptr<Model>> TensorflowBackend::load_checked(const ModelFiles& files, const LoadOptions& options) {
  TRY(const auto graph, MetaGraph::read(files.path, options.tensorflow.tags));
  const auto facts = facts_of(graph.def());
  const auto engine = options.tensorflow.engine;
  if (engine == TensorflowEngine::kOnnx) return load_onnx(files, options, facts, "protean.toml says so");
  const auto runtime = library_.get();
  if (runtime || engine == TensorflowEngine::kTensorflow) {
    TRY_STATUS(check_graph(graph.def()));
    return load_session(files, graph, facts);
  }
  auto model = load_onnx(files, options, facts, runtime.error().message);
  if (model || model.error().code != Code::kUnimplemented) return model;
  return fail(Code::kInvalidArgument,
              fmt::format("{}. TensorFlow itself could run it: {}", model.error().message, runtime.error().message));
}

Result<std::unique_ptr<Model>> TensorflowBackend::load_onnx(const ModelFiles& files, const LoadOptions& options,
                                                            const SavedModelFacts& facts, std::string why) {
  if (options_.onnx == nullptr) return fail(Code::kFailedPrecondition, "ONNX Runtime is not part of this build");
  TRY(auto planned, plan_functions(facts));
  LoweringPlan plan;
  plan.files = &files;
  plan.options = &options;
  plan.facts = &facts;
  plan.backend = options_.onnx;
  plan.lowered = &lowered_;
  plan.why = std::move(why);
  return load_lowered(plan, std::move(planned));
}

Result<std::unique_ptr<Model>> TensorflowBackend::load(const ModelFiles& files, const LoadOptions& options) {
  auto model = [&]() -> Result<std::unique_ptr<Model>> {
    try {
      return load_checked(files, options);
    } catch (const std::bad_alloc&) {
      return fail(Code::kResourceExhausted, "no memory left to load it");
    }
  }();
  if (model) return model;
  auto error = std::move(model).error();
  const std::string where = fmt::format("(model {}, version {})", printable(files.model), printable(files.version));
  if (error.message.find(where) == std::string::npos) error.message += " " + where;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

std::unique_ptr<Backend> make_tensorflow_backend(const TensorflowOptions& options) {
  // Its errors come back as statuses; what it writes beside that goes past the server's log.
  ::setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0);
  return std::make_unique<TensorflowBackend>(options);
}

}  // namespace protean
