// SPDX-License-Identifier: Apache-2.0
// The stages in their order. Nothing here holds a lock; a slow or broken model costs its loader thread only.
#include "serving/versions/load_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>

#include "core/table.h"
#include "serving/versions/recorded_file.h"
#include "serving/versions/repeat_calls.h"

namespace protean {
namespace {

constexpr std::size_t kCacheWaitersMax = 1024;

/// The version's folder and, where versions have one each, the model's around it. A model that is a single file in
/// the common folder has none of its own.
std::vector<std::filesystem::path> warm_up_folders(const FoundVersion& found) {
  if (!found.own_folder) return {};
  if (found.folder == found.model_path) return {found.folder};
  return {found.folder, found.model_path};
}

std::unique_ptr<LoadedVersion> begin_version(const LoadJob& job, const std::shared_ptr<ModelMetrics>& metrics) {
  auto version = std::make_unique<LoadedVersion>();
  version->model_name = job.found.model;
  version->version = job.found.version;
  version->version_text = std::to_string(job.found.version);
  version->config = job.config;
  version->metrics = metrics;
  return version;
}

/// What its model says about it, and whether its requests can share runs.
Status learn_facts(const LoadPipeline& pipeline, const LoadJob& job, LoadedVersion& version) {
  auto signature = with_columns(version.model->signature(), job.config->columns);
  if (!signature) return fail(signature.error().code, "[[columns]] in protean.toml: " + signature.error().message);
  version.signature = std::make_shared<const Signature>(*std::move(signature));
  version.notes = version.model->load_notes();
  version.remote_runs = version.model->remote_runs();
  if (version.signature->stateful) {
    version.batch.reason = kStatefulReason;
    version.notes.push_back(fmt::format("{}: none is made up, repeated or shared", kStatefulReason));
  } else if (job.config->batch.mode == BatchConfig::Mode::kOff) {
    version.batch.reason = "switched off";
  } else if (pipeline.probe) {
    version.batch = pipeline.probe(*version.model);
  }
  return {};
}

/// One function that changes what another reads makes the answers of both old.
bool is_stateful(const LoadedVersion& version) {
  return version.signature->stateful ||
         std::ranges::any_of(version.functions, [](const auto& function) { return function->signature->stateful; });
}

/// nullptr where the operator wants none or answers do not keep.
std::shared_ptr<ResponseCache> make_cache(const LoadPipeline& pipeline, const LoadJob& job, LoadedVersion& version) {
  const std::uint64_t bytes_max = job.config->cache_bytes_max;
  if (bytes_max == 0 || pipeline.registry == nullptr) return nullptr;
  if (is_stateful(version)) {
    version.notes.push_back(fmt::format("no response cache: {}", kStatefulReason));
    return nullptr;
  }
  return ResponseCache::make({bytes_max, kCacheWaitersMax},
                             ResponseCacheMetrics(*pipeline.registry, version.model_name, version.version_text),
                             *pipeline.clock);
}

/// The model's other functions, warmed by generated requests: recorded and replayed ones are the main function's.
Status add_functions(const LoadPipeline& pipeline, const LoadJob& job, const std::shared_ptr<ModelMetrics>& metrics,
                     LoadedVersion& version) {
  for (auto& model : version.model->take_functions()) {
    auto function = begin_version(job, metrics);
    function->model = std::move(model);
    TRY_STATUS(learn_facts(pipeline, job, *function));
    function->threading = version.threading;
    const std::string name = function->signature->function;
    auto warmed = warm_up(*function, {{}, {}, {}}, *pipeline.clock);
    if (!warmed) return fail(warmed.error().code, fmt::format("function '{}': {}", name, warmed.error().message));
    for (auto& note : *warmed) version.notes.push_back(fmt::format("function '{}': {}", name, note));
    version.functions.push_back(std::move(function));
  }
  std::ranges::sort(version.functions, {}, [](const auto& function) { return function->signature->function; });
  return {};
}

/// What another product recorded in the version's own folder; for all functions, so that they must be there.
Status repeat_recorded(const LoadPipeline& pipeline, const FoundVersion& found, LoadedVersion& version) {
  if (!pipeline.recordings || !found.own_folder || !version.config->warm_up.recorded) return {};
  TRY(const auto calls, pipeline.recordings(found.folder));
  if (!calls) return {};
  TRY(auto note, repeat_calls(version, *calls, *pipeline.clock));
  version.notes.push_back(std::move(note));
  return {};
}

Result<LoadOutcome> load(const LoadPipeline& pipeline, const LoadJob& job, const std::shared_ptr<ModelMetrics>& metrics,
                         const std::function<void()>& warming, std::function<void()> destroyed) {
  const FoundVersion& found = job.found;
  auto version = begin_version(job, metrics);
  const auto load_with = [&](std::uint32_t threads) -> Result<std::unique_ptr<Model>> {
    if (pipeline.check_files && files_fingerprint(found) != found.files_fingerprint) {
      return fail(Code::kAborted, "its files are being changed");
    }
    return found.backend->load({found.model, version->version_text, found.path, found.folder},
                               {threads, job.config->python, job.config->tensorflow});
  };
  const TimePoint start = pipeline.clock->now();
  TRY(version->model, load_with(job.config->intra_op_threads));
  const Duration load_time = pipeline.clock->now() - start;
  TRY_STATUS(learn_facts(pipeline, job, *version));
  warming();
  if (version->remote_runs == 0) {
    settle_threading(*version, pipeline.scaling, {load_with, load_time, job.spare_bytes, job.before});
  }
  TRY(auto warmed, warm_up(*version, {warm_up_folders(found), pipeline.decode, job.replayed}, *pipeline.clock));
  for (auto& note : warmed) version->notes.push_back(std::move(note));
  TRY_STATUS(add_functions(pipeline, job, metrics, *version));
  TRY_STATUS(repeat_recorded(pipeline, found, *version));
  TRY(version->background, read_background(warm_up_folders(found), pipeline.decode, *version->signature));
  if (job.config->warm_up.replayed_max > 0 && !version->signature->stateful) {
    version->recent = std::make_unique<RecentRequests>(job.config->warm_up.replayed_max);
  }
  version->cache = make_cache(pipeline, job, *version);
  const std::uint64_t bytes = version->model->memory().private_bytes;
  return LoadOutcome{pipeline.reaper->adopt(std::move(version), std::move(destroyed)), bytes};
}

}  // namespace

Result<LoadOutcome> run_load(const LoadPipeline& pipeline, const LoadJob& job,
                             const std::shared_ptr<ModelMetrics>& metrics, const std::function<void()>& warming,
                             std::function<void()> destroyed) {
  const TimePoint start = pipeline.clock->now();
  const auto guarded = [&]() -> Result<LoadOutcome> {
    try {
      return load(pipeline, job, metrics, warming, std::move(destroyed));
    } catch (const std::bad_alloc&) {
      return fail(Code::kResourceExhausted, "not enough memory to load it");
    } catch (const std::exception& error) {
      return fail(Code::kInternal, fmt::format("the backend '{}' threw: {}", job.found.backend->id(), error.what()));
    }
  };
  auto outcome = guarded();
  (outcome ? metrics->loads_succeeded : metrics->loads_failed)->add();
  metrics->load_duration->observe(static_cast<std::uint64_t>((pipeline.clock->now() - start).count()));
  return outcome;
}

}  // namespace protean
