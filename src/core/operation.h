// SPDX-License-Identifier: Apache-2.0
// What a client may ask, whatever dialect it speaks, and what it is answered. Protocols translate bytes into
// an Operation and an Outcome back into bytes; the request path carries the one to the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/http.h"
#include "core/inference.h"
#include "core/model.h"
#include "core/model_entry.h"
#include "core/store.h"

namespace protean {

/// `infer`: the rows to explain.  `samples`, `seed`: of a sampling method, where no exact one exists (0 samples: its
/// default).  `background`: rows that stand for "this feature is unknown", as inputs; empty: the model's own set.
struct ExplainRequest {
  InferRequest infer;
  std::vector<InferInput> background;
  std::uint32_t samples = 0;
  std::uint64_t seed = 1;
};

/// Several functions of one model on one input, answered together or not at all.
struct InferManyRequest {
  std::vector<InferRequest> requests;
};

struct ServerLive {};
struct ServerReady {};
/// Readiness now and at each change, until the client leaves (gRPC health Watch).
struct WatchReady {};
struct ServerMetadata {};
struct ModelReady {
  std::string model, version;
};
struct ModelMetadata {
  std::string model, version;
};
struct ListModels {
  bool ready_only = false;
};
/// All versions of one model, whatever their state; an empty version asks for all of them, an alias for the one it
/// points to.
struct ModelVersions {
  std::string model, version;
};
/// From now on exactly these models are served, wherever their files are.
struct ReplaceModels {
  std::vector<ModelEntry> models;
  std::string actor;
};
/// (Re-)reads the model's files and loads what they hold; returns when that is done.
struct LoadModel {
  std::string model;
  std::string actor;
};
struct UnloadModel {
  std::string model;
  std::string actor;
};
/// Moves, makes or removes aliases of any number of models: all at once or none.
struct ChangeAliases {
  std::vector<AliasChange> changes;
  std::string actor;
};
/// Where the aliases of a model point; all models when empty.
struct ListAliases {
  std::string model;
};
struct ReadHistory {
  HistoryQuery query;
};
/// The decoder knew the answer without asking anybody (reflection, metrics, a page).
struct Immediate {
  Response response;
};

using Operation = std::variant<InferRequest, ExplainRequest, InferManyRequest, ServerLive, ServerReady, WatchReady,
                               ServerMetadata, ModelReady, ModelMetadata, ListModels, ModelVersions, ReplaceModels,
                               LoadModel, UnloadModel, ChangeAliases, ListAliases, ReadHistory, Immediate>;

/// The rows that are run or explained; nullptr for operations that have none or several.
[[nodiscard]] const InferRequest* inference_of(const Operation& operation) noexcept;
[[nodiscard]] InferRequest* inference_of(Operation& operation) noexcept;

/// States of one version, as clients see them:
///   kLoading -> kReady -> kUnloading -> kUnavailable;   kLoading -> kUnavailable (with the reason)
/// kAsleep: loads when it is asked for, which makes it as good as ready.
enum class VersionState : unsigned char { kLoading, kReady, kUnloading, kUnavailable, kAsleep };

/// `READY` and so on, as the repository extension of the Open Inference Protocol spells them.
[[nodiscard]] std::string_view version_state_name(VersionState state) noexcept;

/// One row of the table of models. `version` is empty for a model that has no readable version at all.
/// `reason`: why it is not ready and how to mend it; empty when ready.
struct VersionStatus {
  std::string model;
  std::string version;
  VersionState state = VersionState::kLoading;
  std::string reason;
  std::optional<Code> error;  // of the load that failed last, while that is why it is not ready
  std::string backend;
  std::shared_ptr<const Signature> signature;  // null until loaded
  std::uint64_t files_bytes = 0;
  double load_ms = 0;
  bool is_default = false;
  bool was_loaded = false;  // at some time since its files appeared
  std::string scheduling;   // where requests run, and why: "inline (9 us a run)"
  std::vector<std::string> aliases;
  std::vector<std::string> notes;  // choices made for it, and why: batching, instances, cache, warm-up
  ModelMemory memory;
};

struct ServerInfo {
  std::string name;
  std::string version;
  std::vector<std::string> extensions;
};

/// `versions`: those ready, ascending, or the one asked for.  `chosen`: the one that the signature is of.
/// `functions`: its other ones, ascending by name.
struct ModelInfo {
  std::string model;
  std::vector<std::string> versions;
  std::shared_ptr<const Signature> signature;
  std::string chosen = {};
  std::vector<std::shared_ptr<const Signature>> functions = {};
};

/// `additivity_error`: the largest difference between a row's base plus contributions and what the model said.
struct Explanation {
  std::string model;
  std::string version;
  std::string id;
  Contributions contributions;
  double additivity_error = 0;
};

/// monostate: done, nothing to tell.  bool: the answer to the live and ready questions.
using Outcome =
    std::variant<std::monostate, bool, InferResult, Explanation, ServerInfo, ModelInfo, std::vector<InferResult>,
                 std::vector<VersionStatus>, std::vector<Alias>, std::vector<HistoryRecord>>;

}  // namespace protean
