// SPDX-License-Identifier: Apache-2.0
// A run: the inputs are copied into the interpreter's tensors and the outputs out of them, for it keeps both.
#include "backends/tensorflow_lite/lite_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <new>
#include <optional>
#include <utility>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::string_view kPlatform = "tensorflow_lite";
constexpr std::size_t kReportBytesMax = 4096;
constexpr int kDimensionsMax = 64;

/// Numbers of TfLiteType.
constexpr std::array<std::pair<DataType, int>, 13> kTypes = {{{DataType::kFp32, 1},
                                                              {DataType::kInt32, 2},
                                                              {DataType::kUint8, 3},
                                                              {DataType::kInt64, 4},
                                                              {DataType::kBool, 6},
                                                              {DataType::kInt16, 7},
                                                              {DataType::kInt8, 9},
                                                              {DataType::kFp16, 10},
                                                              {DataType::kFp64, 11},
                                                              {DataType::kUint64, 13},
                                                              {DataType::kUint32, 16},
                                                              {DataType::kUint16, 17},
                                                              {DataType::kBf16, 19}}};

std::optional<DataType> from_lite(int type) noexcept {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) return ours;
  }
  return std::nullopt;
}

void report(void* user, const char* format, va_list values) {
  std::array<char, 1024> line{};
  std::vsnprintf(line.data(), line.size(), format, values);
  auto& text = *static_cast<std::string*>(user);
  if (text.size() < kReportBytesMax) text += (text.empty() ? "" : "; ") + std::string(line.data());
}

Result<TensorSpec> describe_tensor(const LiteApi& api, const LiteTensorFacts& facts, const LiteTensor* tensor,
                                   std::string_view what) {
  if (tensor == nullptr) return fail(Code::kInvalidArgument, "the file and the library name different tensors");
  const auto type = from_lite(api.tensor_type(tensor));
  if (!type) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("{} '{}' has elements of TensorFlow Lite's type {}, expected numbers; convert the model with "
                    "numbers as inputs and outputs",
                    what, printable(facts.name), api.tensor_type(tensor)));
  }
  TensorSpec spec;
  spec.name = facts.name;
  spec.type = *type;
  spec.shape = facts.shape;
  const auto quantization = api.tensor_quantization(tensor);
  if (quantization.scale != 0) {
    spec.parameters.emplace_back("scale", static_cast<double>(quantization.scale));
    spec.parameters.emplace_back("zero_point", std::int64_t{quantization.zero_point});
  }
  return spec;
}

Result<std::vector<int>> dimensions_of(const Tensor& tensor, std::string_view name) {
  std::vector<int> dims;
  for (const auto dimension : tensor.shape) {
    // Kernels divide by dimensions without looking.
    if (dimension < 1 || dimension > INT32_MAX) {
      return fail(Code::kInvalidArgument, fmt::format("input '{}': shape {}, expected dimensions from 1 to 2^31-1",
                                                      printable(name), format_shape(tensor.shape)));
    }
    dims.push_back(static_cast<int>(dimension));
  }
  return dims;
}

Result<Tensor> copy_out(const LiteApi& api, const LiteTensor* tensor, const TensorSpec& spec) {
  Tensor result;
  result.type = spec.type;
  const int rank = api.tensor_num_dims(tensor);
  if (rank < 0 || rank > kDimensionsMax) return fail(Code::kInternal, "an output has no rank");
  for (int i = 0; i < rank; ++i) result.shape.push_back(api.tensor_dim(tensor, i));
  TRY(const auto bytes, byte_count(result.type, result.shape));
  if (bytes != api.tensor_byte_size(tensor) || from_lite(api.tensor_type(tensor)) != spec.type) {
    return fail(Code::kInternal, fmt::format("output '{}': {} bytes, expected {}", printable(spec.name),
                                             api.tensor_byte_size(tensor), bytes));
  }
  Buffer copy;
  if (bytes > 0) copy.append(api.tensor_data(tensor), bytes);
  result.data = std::move(copy).share();
  return result;
}

}  // namespace

Result<std::shared_ptr<const LiteFile>> LiteFile::make(std::shared_ptr<const LiteRuntime> runtime, Buffer bytes,
                                                       std::uint32_t threads) {
  std::shared_ptr<LiteFile> file(new LiteFile(std::move(runtime), std::move(bytes), threads));
  file->model_ = file->api().model_create(file->bytes_.data(), file->bytes_.size());
  if (file->model_ == nullptr) {
    return fail(Code::kInvalidArgument, "TensorFlow Lite refuses the file: it is damaged; copy the model again");
  }
  return file;
}

LiteFile::~LiteFile() {
  if (model_ != nullptr) api().model_delete(model_);
}

Result<std::unique_ptr<LiteRun>> LiteRun::make(std::shared_ptr<const LiteFile> file) {
  std::unique_ptr<LiteRun> run(new LiteRun(std::move(file)));
  const auto& api = run->api();
  run->options_ = api.options_create();
  api.options_set_num_threads(run->options_, static_cast<std::int32_t>(run->file_->threads()));
  api.options_set_error_reporter(run->options_, report, &run->reported_);
  run->interpreter_ = api.interpreter_create(run->file_->get(), run->options_);
  TRY_STATUS(run->check(run->interpreter_ == nullptr ? 1 : 0, Code::kInvalidArgument, "refuses the model"));
  return run;
}

LiteRun::~LiteRun() {
  if (interpreter_ != nullptr) api().interpreter_delete(interpreter_);
  if (options_ != nullptr) api().options_delete(options_);
}

Status LiteRun::check(int status, Code code, const char* what) {
  const std::string reported = std::exchange(reported_, {});
  if (status == 0) return {};
  return fail(code, fmt::format("TensorFlow Lite {}: {}", what,
                                reported.empty() ? "it does not say why" : printable(reported, kReportBytesMax)));
}

Status LiteRun::fit(const std::vector<std::vector<int>>& shapes) {
  if (shapes == shapes_) return {};
  // What fails half way leaves nothing that could be relied on.
  shapes_.clear();
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    TRY_STATUS(check(api().resize_input(interpreter_, static_cast<std::int32_t>(i), shapes[i].data(),
                                        static_cast<std::int32_t>(shapes[i].size())),
                     Code::kInvalidArgument, "does not take the shapes of the inputs"));
  }
  TRY_STATUS(
      check(api().allocate_tensors(interpreter_), Code::kInvalidArgument, "does not take the shapes of the inputs"));
  shapes_ = shapes;
  return {};
}

Status LiteModel::describe(const LiteRun& run) {
  const auto& api = run.api();
  const auto inputs = api.input_count(run.get());
  const auto outputs = api.output_count(run.get());
  signature_.platform = kPlatform;
  signature_.function = facts_.signature;
  for (const auto& facts : facts_.inputs) {
    const auto* tensor = facts.place < inputs ? api.input(run.get(), facts.place) : nullptr;
    TRY(auto spec, describe_tensor(api, facts, tensor, "input"));
    signature_.inputs.push_back(std::move(spec));
  }
  for (const auto& facts : facts_.outputs) {
    const auto* tensor = facts.place < outputs ? api.output(run.get(), facts.place) : nullptr;
    TRY(auto spec, describe_tensor(api, facts, tensor, "output"));
    signature_.outputs.push_back(std::move(spec));
  }
  if (signature_.outputs.empty() || static_cast<std::size_t>(inputs) != facts_.inputs.size()) {
    return fail(Code::kInvalidArgument, "the file names fewer tensors than its graph has");
  }
  return {};
}

Result<std::unique_ptr<Model>> LiteModel::make(std::shared_ptr<const LiteFile> file, LiteFacts facts) {
  std::unique_ptr<LiteModel> model(new LiteModel(std::move(file), std::move(facts)));
  TRY(auto run, LiteRun::make(model->file_));
  TRY_STATUS(run->check(run->api().allocate_tensors(run->get()), Code::kInvalidArgument, "refuses the model"));
  TRY_STATUS(model->describe(*run));
  model->notes_ = model->facts_.notes;
  model->notes_.push_back(
      fmt::format("{} thread{} a run", model->file_->threads(), model->file_->threads() == 1 ? "" : "s"));
  model->give_back(std::move(run));
  return model;
}

Result<std::unique_ptr<LiteRun>> LiteModel::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto run = std::move(free_.back());
      free_.pop_back();
      return run;
    }
  }
  return LiteRun::make(file_);
}

void LiteModel::give_back(std::unique_ptr<LiteRun> run) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(run));
}

Result<std::vector<Tensor>> LiteModel::run_in(LiteRun& run, const RunRequest& request) const {
  const auto& api = run.api();
  std::vector<std::vector<int>> shapes(request.inputs.size());
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    TRY(shapes[static_cast<std::size_t>(facts_.inputs[i].place)],
        dimensions_of(*request.inputs[i], facts_.inputs[i].name));
  }
  TRY_STATUS(run.fit(shapes));
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const auto& data = request.inputs[i]->data;
    TRY_STATUS(run.check(api.copy_from_buffer(api.input(run.get(), facts_.inputs[i].place), data.data(), data.size()),
                         Code::kInternal, "does not take an input"));
  }
  TRY_STATUS(run.check(api.invoke(run.get()), Code::kInvalidArgument, "could not run the model"));
  std::vector<Tensor> tensors;
  tensors.reserve(request.outputs.size());
  for (const auto output : request.outputs) {
    TRY(tensors.emplace_back(),
        copy_out(api, api.output(run.get(), facts_.outputs[output].place), signature_.outputs[output]));
  }
  return tensors;
}

Result<std::vector<Tensor>> LiteModel::run(const RunRequest& request) {
  try {
    TRY(auto interpreter, take());
    auto tensors = run_in(*interpreter, request);
    // One that failed is not used again: nobody says what state it is in.
    if (tensors) give_back(std::move(interpreter));
    return tensors;
  } catch (const std::bad_alloc&) {
    return fail(Code::kResourceExhausted, "no memory left for the model's inputs and outputs");
  }
}

}  // namespace protean
