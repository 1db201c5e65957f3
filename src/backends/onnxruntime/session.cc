// SPDX-License-Identifier: Apache-2.0
// Settings of a session, and its signature read through the C interface.
#include "backends/onnxruntime/session.h"

#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>
#include <optional>

#include "backends/onnxruntime/element_type.h"
#include "backends/onnxruntime/failure.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr std::string_view kPlatform = "onnx_onnxv1";

using OptionsOwner = std::unique_ptr<OrtSessionOptions, void (*)(OrtSessionOptions*)>;

bool takes_one_shape(const ModelFacts& facts) {
  return std::all_of(facts.inputs.begin(), facts.inputs.end(), [](const ValueFacts& input) { return input.fixed; });
}

Status configure(const OnnxRuntime& runtime, OrtSessionOptions* options, const ModelFacts& facts) {
  const auto& api = runtime.api();
  if (runtime.options().intra_op_threads > 1) {
    TRY_STATUS(runtime.check(api.DisablePerSessionThreads(options)));
  } else {
    TRY_STATUS(runtime.check(api.SetIntraOpNumThreads(options, 1)));
    TRY_STATUS(runtime.check(api.SetInterOpNumThreads(options, 1)));
  }
  TRY_STATUS(runtime.check(api.SetSessionExecutionMode(options, ORT_SEQUENTIAL)));
  TRY_STATUS(runtime.check(api.SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL)));
  TRY_STATUS(runtime.check(api.DisableCpuMemArena(options)));
  // A plan is kept for each set of shapes ever seen, without bound: for models of one shape only.
  TRY_STATUS(runtime.check(takes_one_shape(facts) ? api.EnableMemPattern(options) : api.DisableMemPattern(options)));
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
                                                             const PreparedModel& model) {
  const auto& api = runtime->api();
  OrtSessionOptions* raw = nullptr;
  TRY_STATUS(runtime->check(api.CreateSessionOptions(&raw)));
  const OptionsOwner options(raw, api.ReleaseSessionOptions);
  TRY_STATUS(configure(*runtime, raw, model.facts));
  OrtSession* session = nullptr;
  OrtStatus* status = api.CreateSessionFromArray(runtime->env(), model.bytes.data(), model.bytes.size(), raw, &session);
  if (status != nullptr) {
    const std::string message = api.GetErrorMessage(status);
    api.ReleaseStatus(status);
    return fail(Code::kInvalidArgument, explain_load_failure(message, runtime->version()));
  }
  return std::shared_ptr<const OnnxSession>(new OnnxSession(std::move(runtime), session));
}

OnnxSession::~OnnxSession() { runtime_->api().ReleaseSession(session_); }

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
