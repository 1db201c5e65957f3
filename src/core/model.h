// SPDX-License-Identifier: Apache-2.0
// What a loaded model is to the rest of the house: a signature and a thread-safe run(). Backends implement
// Model and Backend; nobody else knows which framework is behind them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/inference.h"
#include "core/python_environment.h"
#include "core/tensor.h"
#include "core/tensorflow_config.h"

namespace protean {

/// `shape`: -1 where the model takes any size.  `parameters`: facts worth telling clients, such as
/// `class_labels` of an output that was flattened from maps.
/// `any_rank`: the model takes any number of dimensions; `shape` is empty and says nothing.
/// `any_shape`: `shape` is what the model declares, but it says itself which others it takes; a request with such a
/// shape runs alone.
/// `optional`: the model has a default for this input, so requests may leave it out.
/// `on_request`: an output that costs extra; a request that names no outputs does not get it.
struct TensorSpec {
  std::string name;
  DataType type = DataType::kFp32;
  Shape shape;
  Parameters parameters;
  bool optional = false;
  bool any_rank = false;
  bool any_shape = false;
  bool on_request = false;
};

/// One column of the table that a model takes. `type`: as clients send it; kBytes for text.
/// `categories`: the texts it may hold, the position of each being the number the model sees; empty: any value.
/// `nullable`: a missing value (NaN, or null in JSON) is something the model was made for.
/// `required`: requests must bring the column even where values may be missing; else a nullable one may be left out.
/// `unknown_is_missing`: a text that is none of the categories counts as missing instead of being refused.
struct Column {
  std::string name;
  DataType type = DataType::kFp32;
  bool nullable = false;
  std::vector<std::string> categories = {};
  bool required = false;
  bool unknown_is_missing = false;
};

/// What formats with a schema of their own ask for beyond the columns.
/// `ignore_unknown`: columns that the model does not have are passed over instead of being refused.
/// `safe_types`: a tensor whose type may hold more than its column's is refused whatever its values are.
struct TableRules {
  bool ignore_unknown = false;
  bool safe_types = false;
};

/// `platform`: the name clients know, such as `onnx_onnxv1`.
/// `columns`: of a model that takes tables, else empty. Either there is one input, a matrix [-1, columns.size()] with
/// one column each in this order; or there is one input [-1] a column, of its name, in this order. core/table.h
/// brings what clients send into that form.
/// `takes_parameters`: a request's parameters change its answer, so that one with parameters runs alone.
/// `example`: a request in Open Inference Protocol JSON that the model's files bring along; empty: none.
/// `streams`: the model can give its answer in parts (RunRequest::parts).
/// `function`: its name, of a model with named ones (a SavedModel calls them signatures), such as `serving_default`;
/// empty: the model's format names none.
/// `method`: what kind of function that is, in the format's own words, such as `tensorflow/serving/classify`.
/// `declared`: the function as the model's format declares it: a serialized tensorflow.SignatureDef; empty: none.
/// `stateful`: a run may change what later runs answer, so that none is made up and none shared: only what clients
/// send and what is recorded for it reaches the model, each request alone.
struct Signature {
  std::string platform;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<Column> columns = {};
  TableRules table_rules = {};
  std::string example = {};
  bool takes_parameters = false;
  bool streams = false;
  std::string function = {};
  std::string method = {};
  std::string declared = {};
  bool stateful = false;
};

/// The name under which the main function of a model answers whose format names none.
inline constexpr std::string_view kMainFunction = "serving_default";

/// Takes an answer that is made bit by bit.
class PartSink {
 public:
  virtual ~PartSink() = default;
  /// Sends one part on: one tensor for each output asked for. May wait until the client has taken earlier parts.
  /// Errors: kCancelled when nobody waits any more, kInternal for other tensors than asked for; the run ends with it.
  [[nodiscard]] virtual Status part(std::vector<Tensor> outputs) = 0;
};

/// Inputs in the order of Signature::inputs (nullptr for an optional one left out), checked against it;
/// `outputs`: indices into Signature::outputs, each at most once.
/// `cancel`: a run that can be stopped in its middle ends early with kCancelled once this is asked for.
/// `background`: for explain() only: inputs whose rows stand for "this feature is unknown"; empty: the model's own way.
/// `request_id`: as the client gave it, or those of the requests that share the run with commas between them (cut to
/// 256 bytes); for logs.
/// `parameters`: of the request, for a model that takes them (Signature::takes_parameters); nullptr: none.
/// `parts`: where a model whose signature says `streams` sends its answer; run() then returns no tensors, and no part
/// is sent after it returned. nullptr: the parts come joined, as one answer.
struct RunRequest {
  std::span<const Tensor* const> inputs;
  std::span<const std::size_t> outputs;
  std::stop_token cancel;
  std::span<const Tensor* const> background = {};
  std::string_view request_id = {};
  const Parameters* parameters = nullptr;
  PartSink* parts = nullptr;
};

/// What each feature added to each output, row by row: `base` [outputs] and the `values` [rows, features, outputs] of a
/// row add up to its `totals` [rows, outputs]. All are FP64.
/// `method`: `tree_shap`, `linear`, `kernel_shap`.  `scale`: what is explained, such as `margin` or `probability`.
struct Contributions {
  std::string method;
  std::string scale;
  std::vector<std::string> features;
  std::vector<std::string> outputs;
  Tensor base;
  Tensor values;
  Tensor totals;
};

/// Measured memory of a loaded model. `private_bytes`: the process's own, gone after unloading; `mapped_bytes`:
/// pages of files, shared with other processes and reclaimable by the kernel.
struct ModelMemory {
  std::uint64_t private_bytes = 0;
  std::uint64_t mapped_bytes = 0;
};

/// One loaded version of one model.
class Model {
 public:
  virtual ~Model() = default;
  [[nodiscard]] virtual const Signature& signature() const noexcept = 0;
  /// The tensors asked for, in the order of `outputs`. Shapes may differ from the signature's -1.
  /// Errors: kInvalidArgument for what the input caused, kInternal for what the framework reports.
  /// Thread-safe; takes as long as the model takes.
  [[nodiscard]] virtual Result<std::vector<Tensor>> run(const RunRequest& request) = 0;
  /// Exact contributions where the kind of model allows them: trees, linear models. `request.outputs` is not used.
  /// Errors: kUnimplemented where it does not, or not with `request.background` (the caller then samples); otherwise as
  /// run(). Thread-safe.
  [[nodiscard]] virtual Result<Contributions> explain(const RunRequest& request) {
    static_cast<void>(request);
    return fail(Code::kUnimplemented, "this kind of model has no exact contributions");
  }
  /// How many runs other processes carry out for this model at one time; 0: run() computes on the calling thread.
  /// Such a model may keep its caller waiting for long without using its processor. Constant.  Thread-safe.
  [[nodiscard]] virtual std::uint32_t remote_runs() const noexcept { return 0; }
  /// Thread-safe.
  [[nodiscard]] virtual ModelMemory memory() const noexcept = 0;
  /// Facts about how it was loaded, for its status: `graph from cache (12 ms)`, `2 intra-op threads`.
  [[nodiscard]] virtual std::vector<std::string> load_notes() const { return {}; }
  /// The model's other functions, each a model of its own with its own Signature::function; they share what they can
  /// with this one and do not outlive it. Requests choose by name, and each is batched and measured by itself.
  /// Called at most once, after loading.
  [[nodiscard]] virtual std::vector<std::unique_ptr<Model>> take_functions() { return {}; }
};

/// Where a version's files are.  `path`: the file or folder that Backend::recognises() accepted.
/// `folder`: the version's own folder; nothing outside it may be read on the model's behalf.
struct ModelFiles {
  std::string model;
  std::string version;
  std::filesystem::path path;
  std::filesystem::path folder;
};

/// `intra_op_threads`: threads inside one run, the caller's included; 0: the backend's default.
/// `python`: for what runs in Python workers.  `tensorflow`: for SavedModels.
struct LoadOptions {
  std::uint32_t intra_op_threads = 0;
  PythonConfig python = {};
  TensorflowConfig tensorflow = {};
};

/// One framework, found at run time. Constructed once; thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  /// Folder name, configuration key and metric label: `onnxruntime`.
  [[nodiscard]] virtual std::string_view id() const noexcept = 0;
  /// `onnxruntime 1.27.0`, or why it cannot be used.
  [[nodiscard]] virtual std::string description() const = 0;
  /// Whether `path` (a regular file or a folder) holds a model of this framework, judged by content.
  /// Errors: kUnavailable or kNotFound when it cannot be read.
  [[nodiscard]] virtual Result<bool> recognises(const std::filesystem::path& path) const = 0;
  /// Reads, checks and prepares the model; the files may change or vanish afterwards.
  /// Errors: kFailedPrecondition (this backend's library is missing), kInvalidArgument (the model is
  /// broken or asks for something refused; the message says how to mend it), kAborted (a file changed
  /// while it was read: try again).
  [[nodiscard]] virtual Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) = 0;
};

}  // namespace protean
