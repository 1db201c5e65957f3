// SPDX-License-Identifier: Apache-2.0
// The order of the attempts, and what is noted of them.
#include "backends/onnxruntime/graph_loader.h"

#include <chrono>
#include <fstream>
#include <optional>
#include <utility>

#include "backends/onnxruntime/facts_codec.h"
#include "backends/onnxruntime/seen_files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "core/model_file.h"

namespace protean {
namespace {

/// A new one for every change of what is saved, or of how it is loaded.
constexpr std::string_view kCacheFormat =
    "protean graph cache 1: all optimisations, packed weights, outside above 1 MiB";
/// The library writes each weight as it is and, for some operators, packed as well.
constexpr std::uint64_t kDiskFactor = 2;
constexpr std::uint64_t kDiskExtra = std::uint64_t{4} << 20;

/// Lines of /proc/cpuinfo about the first processor that say what it can do; x86 and ARM.
std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  std::string text;
  while (std::getline(file, line) && !line.empty()) {
    for (const std::string_view key : {"vendor_id", "cpu family", "model\t", "flags", "Features", "CPU implementer",
                                       "CPU architecture", "CPU variant", "CPU part"}) {
      if (std::string_view(line).substr(0, key.size()) == key) text += line + "\n";
    }
  }
  return text;
}

class Stopwatch {
 public:
  [[nodiscard]] std::string ms() const {
    const auto passed = std::chrono::steady_clock::now() - start_;
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(passed).count()) + " ms";
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::int64_t wall_clock_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace

std::string cache_environment(const OnnxRuntime& runtime) {
  Sha256 digest;
  for (const std::string_view part : {kCacheFormat, std::string_view(runtime.version())}) digest.add_part(part);
  digest.add_part(processor());
  digest.add_part(runtime.options().pack_weights ? "packed" : "unpacked");
  return digest.hex();
}

std::string cache_key(std::string_view environment, const PreparedModel& model) {
  Sha256 digest;
  digest.add_part(environment);
  digest.add_part(encode_facts(model.facts));  // class labels are taken out of the bytes
  digest.add_part(model.bytes.text());
  return digest.hex();
}

/// One load.
class GraphLoader::Job {
 public:
  Job(const GraphLoader& loader, const ModelFiles& files, const LoadOptions& options)
      : loader_(loader), cache_(loader.cache_.get()), files_(files), threads_(options.intra_op_threads) {}

  Result<LoadedGraph> run();

 private:
  Status open();
  Result<PreparedModel> read();
  std::optional<LoadedGraph> from_cache(const std::string& key);
  /// True when the cache has it now.
  bool put_into_cache(const PreparedModel& model, const std::string& key);
  Status try_to_put(const PreparedModel& model, const std::string& key);
  Result<LoadedGraph> without_cache(PreparedModel model);
  void remember(const PreparedModel& model, const std::string& key);
  Result<LoadedGraph> finish(Result<LoadedGraph> graph, std::string note);

  const GraphLoader& loader_;
  GraphCache* cache_;
  const ModelFiles& files_;
  const std::uint32_t threads_;
  const Stopwatch since_start_{};
  const std::int64_t started_ns_ = wall_clock_ns();
  std::optional<ModelFile> file_;
  std::optional<ModelFolder> folder_;
  std::vector<std::string> notes_;
};

Status GraphLoader::Job::open() {
  TRY(auto file, ModelFile::open(files_.path));
  if (file.size() > kModelBytesMax) {
    return fail(Code::kInvalidArgument,
                "the file has " + std::to_string(file.size()) + " bytes, more than any ONNX file can have (2^31-1)");
  }
  // Where the file itself is: the version's folder, or one inside it.
  TRY(auto folder, ModelFolder::open(files_.path.parent_path()));
  file_.emplace(std::move(file));
  folder_.emplace(std::move(folder));
  return {};
}

Result<PreparedModel> GraphLoader::Job::read() {
  TRY(auto bytes, file_->read_all());
  return prepare_model(std::move(bytes), *folder_);
}

Result<LoadedGraph> GraphLoader::Job::finish(Result<LoadedGraph> graph, std::string note) {
  if (!graph) return graph;
  graph->notes.push_back(std::move(note));
  for (auto& more : notes_) graph->notes.push_back(std::move(more));
  graph->notes.push_back(describe_threads(*loader_.runtime_, threads_));
  return graph;
}

std::optional<LoadedGraph> GraphLoader::Job::from_cache(const std::string& key) {
  auto found = cache_->find(key);
  if (!found) notes_.push_back("cache not read: " + found.error().message);
  if (!found || !*found) return std::nullopt;
  auto& cached = **found;
  SessionPlan plan;
  plan.graph = cached.graph.text();
  plan.facts = &cached.facts;
  plan.intra_op_threads = threads_;
  plan.weights_folder = cached.folder;
  plan.mapped_bytes = cached.weights_bytes;
  plan.keep = cached.pin;
  auto session = OnnxSession::make(loader_.runtime_, plan);
  if (!session) {
    cache_->discard(key, session.error().message);
    return std::nullopt;
  }
  return LoadedGraph{*std::move(session), std::move(cached.facts), {}};
}

Status GraphLoader::Job::try_to_put(const PreparedModel& model, const std::string& key) {
  TRY(auto draft, cache_->begin(model.bytes.size() * kDiskFactor + kDiskExtra));
  SessionPlan plan;
  plan.graph = model.bytes.text();
  plan.facts = &model.facts;
  plan.save_folder = draft.path();
  TRY_STATUS(OnnxSession::make(loader_.runtime_, plan));
  return cache_->publish(std::move(draft), key, model.facts);
}

bool GraphLoader::Job::put_into_cache(const PreparedModel& model, const std::string& key) {
  const auto put = try_to_put(model, key);
  if (!put) notes_.push_back("not cached: " + put.error().message);
  return put.has_value();
}

Result<LoadedGraph> GraphLoader::Job::without_cache(PreparedModel model) {
  const Stopwatch stopwatch;
  SessionPlan plan;
  plan.graph = model.bytes.text();
  plan.facts = &model.facts;
  plan.intra_op_threads = threads_;
  TRY(auto session, OnnxSession::make(loader_.runtime_, plan));
  return finish(LoadedGraph{std::move(session), std::move(model.facts), {}}, "optimised in " + stopwatch.ms());
}

void GraphLoader::Job::remember(const PreparedModel& model, const std::string& key) {
  const SeenModel seen{file_->stamp(), model.external_files, started_ns_};
  const auto status = remember_key(cache_->folder(), loader_.environment_, seen, key);
  if (!status) notes_.push_back("files not remembered: " + status.error().message);
}

Result<LoadedGraph> GraphLoader::Job::run() {
  TRY_STATUS(open());
  if (cache_ != nullptr) {
    if (const auto key = recall_key(cache_->folder(), loader_.environment_, file_->stamp(), *folder_)) {
      if (auto graph = from_cache(*key))
        return finish(*std::move(graph), "graph from cache (" + since_start_.ms() + ")");
    }
  }
  TRY(auto model, read());
  if (cache_ == nullptr || model.bytes.size() < loader_.runtime_->options().cache_model_bytes_min) {
    return without_cache(std::move(model));
  }
  const auto key = cache_key(loader_.environment_, model);
  auto graph = from_cache(key);
  std::string note = "graph from cache (" + since_start_.ms() + ", files read)";
  if (!graph) {
    const Stopwatch stopwatch;
    if (!put_into_cache(model, key)) return without_cache(std::move(model));
    note = "optimised in " + stopwatch.ms() + ", cached";
    graph = from_cache(key);
    if (!graph) return without_cache(std::move(model));
  }
  remember(model, key);
  return finish(*std::move(graph), std::move(note));
}

GraphLoader::GraphLoader(std::shared_ptr<const OnnxRuntime> runtime, std::shared_ptr<GraphCache> cache)
    : runtime_(std::move(runtime)), cache_(std::move(cache)), environment_(cache_environment(*runtime_)) {}

Result<LoadedGraph> GraphLoader::load(const ModelFiles& files, const LoadOptions& options) const {
  return Job(*this, files, options).run();
}

}  // namespace protean
