// SPDX-License-Identifier: Apache-2.0
// Settings of a session, and its signature read through the C interface.
#include "backends/onnxruntime/session.h"

#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>
#include <optional>

#include "backends/onnxruntime/element_type.h"
#include "backends/onnxruntime/failure.h"
#include "backends/onnxruntime/graph_cache.h"
#include "base/text.h"
#include "base/unused_memory.h"

namespace protean {
namespace {

constexpr std::string_view kPlatform = "onnx_onnxv1";
constexpr std::uint32_t kThreadsMax = 1024;
/// Smaller weights stay in the graph. The library starts those of more than 1 MiB at a page of their file; others begin
/// anywhere, and kernels that load whole vectors of packed weights end the process with a fault (seen with 1.27.0).
constexpr const char* kOutsideBytesMin = "1048577";
constexpr std::uint64_t kGrowthSlack = std::uint64_t{1} << 20;

struct Threads {
  std::uint32_t count = 1;
  bool shared = false;  // the environment's pool
};

/// A model that asks for as many as the common pool has shares it; one thread is the caller's, without any pool.
Threads threads_of(const OnnxRuntime& runtime, std::uint32_t asked) {
  const auto everybody = static_cast<std::uint32_t>(std::max(1, runtime.options().intra_op_threads));
  const auto count = asked == 0 ? everybody : asked;
  return {count, count > 1 && count == runtime.pool_threads()};
}

using OptionsOwner = std::unique_ptr<OrtSessionOptions, void (*)(OrtSessionOptions*)>;

bool takes_one_shape(const ModelFacts& facts) {
  return std::all_of(facts.inputs.begin(), facts.inputs.end(), [](const ValueFacts& input) { return input.fixed; });
}

Status configure_threads(const OnnxRuntime& runtime, OrtSessionOptions* options, std::uint32_t asked) {
  const auto& api = runtime.api();
  if (asked > kThreadsMax) {
    return fail(Code::kInvalidArgument,
                "intra-op threads: " + std::to_string(asked) + ", expected 0 to " + std::to_string(kThreadsMax));
  }
  const auto threads = threads_of(runtime, asked);
  if (threads.shared) return runtime.check(api.DisablePerSessionThreads(options));
  TRY_STATUS(runtime.check(api.SetIntraOpNumThreads(options, static_cast<int>(threads.count))));
  if (threads.count > 1) {
    TRY_STATUS(runtime.check(api.SessionOptionsSetCustomCreateThreadFn(options, ThreadMaker::create)));
    TRY_STATUS(runtime.check(api.SessionOptionsSetCustomThreadCreationOptions(options, &runtime.thread_maker())));
    TRY_STATUS(runtime.check(api.SessionOptionsSetCustomJoinThreadFn(options, ThreadMaker::join)));
  }
  return runtime.check(api.SetInterOpNumThreads(options, 1));
}

Status configure_cache(const OnnxRuntime& runtime, OrtSessionOptions* options, const SessionPlan& plan) {
  const auto& api = runtime.api();
  const auto set = [&](const char* key, const char* value) {
    return runtime.check(api.AddSessionConfigEntry(options, key, value));
  };
  if (!plan.save_folder.empty()) {
    const auto path = plan.save_folder + "/" + kCachedGraphFile;
    TRY_STATUS(runtime.check(api.SetOptimizedModelFilePath(options, path.c_str())));
    TRY_STATUS(set(kOrtSessionOptionsOptimizedModelExternalInitializersFileName, kCachedWeightsFile));
    TRY_STATUS(set(kOrtSessionOptionsOptimizedModelExternalInitializersMinSizeInBytes, kOutsideBytesMin));
    TRY_STATUS(set(kOrtSessionOptionsSavePrePackedConstantInitializers, "1"));
  }
  if (plan.weights_folder.empty()) return {};
  return set(kOrtSessionOptionsModelExternalInitializersFileFolderPath, plan.weights_folder.c_str());
}

Status configure(const OnnxRuntime& runtime, OrtSessionOptions* options, const SessionPlan& plan) {
  const auto& api = runtime.api();
  TRY_STATUS(configure_threads(runtime, options, plan.intra_op_threads));
  TRY_STATUS(configure_cache(runtime, options, plan));
  const char* unpacked = runtime.options().pack_weights ? "0" : "1";
  TRY_STATUS(runtime.check(api.AddSessionConfigEntry(options, kOrtSessionOptionsConfigDisablePrepacking, unpacked)));
  TRY_STATUS(runtime.check(api.SetSessionExecutionMode(options, ORT_SEQUENTIAL)));
  TRY_STATUS(runtime.check(
      api.SetSessionGraphOptimizationLevel(options, plan.weights_folder.empty() ? ORT_ENABLE_ALL : ORT_DISABLE_ALL)));
  TRY_STATUS(runtime.check(api.DisableCpuMemArena(options)));
  // A plan is kept for each set of shapes ever seen, without bound: for models of one shape only.
  TRY_STATUS(
      runtime.check(takes_one_shape(*plan.facts) ? api.EnableMemPattern(options) : api.DisableMemPattern(options)));
  const std::pair<const char*, const char*> entries[] = {
      {kOrtSessionOptionsConfigAllowIntraOpSpinning, "0"},
      {kOrtSessionOptionsConfigAllowInterOpSpinning, "0"},
      // Never guessed from the bytes: an ONNX file can be made to look like the library's own format as well.
      {kOrtSessionOptionsConfigLoadModelFormat, "ONNX"},
      // Our BlockPool, in place of an arena of the session's own.
      {kOrtSessionOptionsConfigUseEnvAllocators, "1"},
      {kOrtSessionOptionsUseDeviceAllocatorForInitializers, "1"},
  };
  for (const auto& [key, value] : entries) TRY_STATUS(runtime.check(api.AddSessionConfigEntry(options, key, value)));
  return {};
}

// ---- signature -------------------------------------------------------------------------------------------------

/// Which of the session's three lists a tensor stands in.
struct List {
  const char* word;
  OrtStatus*(ORT_API_CALL* count)(const OrtSession*, size_t*)NO_EXCEPTION;
  OrtStatus*(ORT_API_CALL* name)(const OrtSession*, size_t, OrtAllocator*, char**)NO_EXCEPTION;
  OrtStatus*(ORT_API_CALL* type)(const OrtSession*, size_t, OrtTypeInfo**)NO_EXCEPTION;
};

Result<std::string> read_name(const OnnxSession& session, const List& list, std::size_t index) {
  const auto& runtime = session.runtime();
  char* name = nullptr;
  TRY_STATUS(runtime.check(list.name(session.get(), index, runtime.allocator(), &name)));
  std::string copy = name;
  TRY_STATUS(runtime.check(runtime.api().AllocatorFree(runtime.allocator(), name)));
  return copy;
}

const char* kind_name(ONNXType type) noexcept {
  switch (type) {
    case ONNX_TYPE_TENSOR: return "a tensor";
    case ONNX_TYPE_SEQUENCE: return "a sequence";
    case ONNX_TYPE_MAP: return "a map";
    case ONNX_TYPE_SPARSETENSOR: return "a sparse tensor";
    case ONNX_TYPE_OPTIONAL: return "an optional value";
    default: return "a value of an unknown kind";
  }
}

/// `kind` other than ONNX_TYPE_TENSOR: `spec` has a name only.
struct Entry {
  TensorSpec spec;
  ONNXType kind = ONNX_TYPE_UNKNOWN;
};

Result<Entry> read_entry(const OnnxSession& session, const List& list, std::size_t index) {
  const auto& runtime = session.runtime();
  const auto& api = runtime.api();
  Entry entry;
  TRY(entry.spec.name, read_name(session, list, index));
  OrtTypeInfo* info = nullptr;
  TRY_STATUS(runtime.check(list.type(session.get(), index, &info)));
  const std::unique_ptr<OrtTypeInfo, void (*)(OrtTypeInfo*)> owner(info, api.ReleaseTypeInfo);
  TRY_STATUS(runtime.check(api.GetOnnxTypeFromTypeInfo(info, &entry.kind)));
  if (entry.kind != ONNX_TYPE_TENSOR) return entry;

  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // belongs to `info`
  TRY_STATUS(runtime.check(api.CastTypeInfoToTensorInfo(info, &tensor)));
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  TRY_STATUS(runtime.check(api.GetTensorElementType(tensor, &type)));
  const auto ours = from_onnx(type);
  if (!ours) {
    return fail(Code::kInvalidArgument,
                std::string(list.word) + " '" + printable(entry.spec.name) + "' has elements of type " +
                    onnx_type_name(type) +
                    ", which no protocol here carries; add a Cast to the model, or export it with another type");
  }
  entry.spec.type = *ours;
  std::size_t rank = 0;
  TRY_STATUS(runtime.check(api.GetDimensionsCount(tensor, &rank)));
  entry.spec.shape.resize(rank);
  TRY_STATUS(runtime.check(api.GetDimensions(tensor, entry.spec.shape.data(), rank)));
  for (auto& dim : entry.spec.shape) dim = std::max<std::int64_t>(dim, -1);
  return entry;
}

Status add_inputs(const OnnxSession& session, const List& list, const ModelFacts& facts, Signature& signature) {
  std::size_t count = 0;
  TRY_STATUS(session.runtime().check(list.count(session.get(), &count)));
  for (std::size_t i = 0; i < count; ++i) {
    TRY(auto entry, read_entry(session, list, i));
    if (entry.kind != ONNX_TYPE_TENSOR) {
      return fail(Code::kInvalidArgument, "input '" + printable(entry.spec.name) + "' is " + kind_name(entry.kind) +
                                              ", expected a tensor; export the model with tensors as inputs");
    }
    const auto* value = facts.find_input(entry.spec.name);
    entry.spec.any_rank = entry.spec.shape.empty() && value != nullptr && !value->has_shape;
    signature.inputs.push_back(std::move(entry.spec));
  }
  return {};
}

/// Gives a flattened ZipMap output its labels, and the number of columns that the graph may leave open.
Status label(const LabelledOutput& labelled, TensorSpec& spec) {
  if (spec.shape.empty()) spec.shape = {-1, labelled.label_count};
  auto& columns = spec.shape.back();
  if (columns >= 0 && columns != labelled.label_count) {
    return fail(Code::kInvalidArgument, "output '" + printable(spec.name) + "': its ZipMap has " +
                                            std::to_string(labelled.label_count) + " class labels for " +
                                            std::to_string(columns) + " scores a row; export the model again");
  }
  columns = labelled.label_count;
  spec.parameters.emplace_back("class_labels", labelled.labels);
  return {};
}

Status add_outputs(const OnnxSession& session, const List& list, const ModelFacts& facts, SessionSignature& result) {
  std::size_t count = 0;
  TRY_STATUS(session.runtime().check(list.count(session.get(), &count)));
  for (std::size_t i = 0; i < count; ++i) {
    TRY(auto entry, read_entry(session, list, i));
    if (entry.kind != ONNX_TYPE_TENSOR) {
      result.left_out.push_back(printable(entry.spec.name) + " (" + kind_name(entry.kind) + ")");
      continue;
    }
    const auto* labelled = facts.find_labelled(entry.spec.name);
    if (labelled != nullptr) {
      TRY_STATUS(label(*labelled, entry.spec));
    } else {
      const auto* value = facts.find_output(entry.spec.name);
      entry.spec.any_rank = entry.spec.shape.empty() && value != nullptr && !value->has_shape;
    }
    result.label_counts.push_back(labelled == nullptr ? 0 : labelled->label_count);
    result.signature.outputs.push_back(std::move(entry.spec));
  }
  if (!result.signature.outputs.empty()) return {};
  std::string names;
  for (const auto& name : result.left_out) names += (names.empty() ? "" : ", ") + name;
  return fail(Code::kInvalidArgument, "no output is a tensor" + (names.empty() ? "" : ": " + names) +
                                          "; export the model with tensors as outputs (with skl2onnx: "
                                          "options={'zipmap': False})");
}

}  // namespace

Result<std::shared_ptr<const OnnxSession>> OnnxSession::make(std::shared_ptr<const OnnxRuntime> runtime,
                                                             const SessionPlan& plan) {
  const auto& api = runtime->api();
  OrtSessionOptions* raw = nullptr;
  TRY_STATUS(runtime->check(api.CreateSessionOptions(&raw)));
  const OptionsOwner options(raw, api.ReleaseSessionOptions);
  TRY_STATUS(configure(*runtime, raw, plan));
  const auto before = private_resident_bytes();
  const AllocationCount allocated;
  OrtSession* session = nullptr;
  OrtStatus* status = api.CreateSessionFromArray(runtime->env(), plan.graph.data(), plan.graph.size(), raw, &session);
  if (status != nullptr) {
    const std::string message = api.GetErrorMessage(status);
    api.ReleaseStatus(status);
    return fail(Code::kInvalidArgument, explain_load_failure(message, runtime->version()));
  }
  const auto after = private_resident_bytes();
  const auto counted = allocated.bytes();
  const auto growth = after > before + counted ? after - before - counted : 0;
  const ModelMemory memory{counted + std::min<std::uint64_t>(growth, 2 * plan.graph.size() + kGrowthSlack),
                           plan.mapped_bytes};
  return std::shared_ptr<const OnnxSession>(new OnnxSession(std::move(runtime), session, memory, plan.keep));
}

OnnxSession::~OnnxSession() {
  runtime_->api().ReleaseSession(session_);
  runtime_->give_back_memory();
}

std::string describe_threads(const OnnxRuntime& runtime, std::uint32_t intra_op_threads) {
  const auto threads = threads_of(runtime, intra_op_threads);
  if (threads.count == 1) return "1 intra-op thread";
  return std::to_string(threads.count) + " intra-op threads" +
         (threads.shared ? ", shared by all models" : " of its own");
}

Result<SessionSignature> read_signature(const OnnxSession& session, const ModelFacts& facts) {
  const auto& api = session.runtime().api();
  SessionSignature result;
  result.signature.platform = kPlatform;
  const List inputs{"input", api.SessionGetInputCount, api.SessionGetInputName, api.SessionGetInputTypeInfo};
  TRY_STATUS(add_inputs(session, inputs, facts, result.signature));
  const auto required = result.signature.inputs.size();
  const List defaulted{"input", api.SessionGetOverridableInitializerCount, api.SessionGetOverridableInitializerName,
                       api.SessionGetOverridableInitializerTypeInfo};
  TRY_STATUS(add_inputs(session, defaulted, facts, result.signature));
  for (std::size_t i = required; i < result.signature.inputs.size(); ++i) result.signature.inputs[i].optional = true;
  const List outputs{"output", api.SessionGetOutputCount, api.SessionGetOutputName, api.SessionGetOutputTypeInfo};
  TRY_STATUS(add_outputs(session, outputs, facts, result));
  return result;
}

}  // namespace protean
