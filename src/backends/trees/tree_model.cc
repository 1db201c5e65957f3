// SPDX-License-Identifier: Apache-2.0
// What each output is made from.
#include "backends/trees/tree_model.h"

#include <cstring>
#include <utility>

#include "backends/trees/tree_run.h"
#include "base/checked_math.h"

namespace protean {
namespace {

/// What may be answered to one request, whatever its rows.
constexpr std::uint64_t kOutputBytesMax = std::uint64_t{1} << 32;

/// A tensor with room for its data.  Errors: kResourceExhausted beyond kOutputBytesMax.
Result<Buffer> make_room(DataType type, const Shape& shape) {
  auto bytes = byte_count(type, shape);
  if (!bytes || *bytes > kOutputBytesMax) {
    return fail(Code::kResourceExhausted,
                "an output of shape " + format_shape(shape) + " is more than 4 GiB; send fewer rows");
  }
  return Buffer(*bytes);
}

Result<Tensor> make_tensor(DataType type, Shape shape, std::span<const double> numbers) {
  TRY(auto room, make_room(type, shape));
  if (type == DataType::kFp64) {
    if (!room.empty()) std::memcpy(room.data(), numbers.data(), room.size());
  } else {
    auto* out = reinterpret_cast<float*>(room.data());
    for (std::size_t i = 0; i < numbers.size(); ++i) out[i] = static_cast<float>(numbers[i]);
  }
  return Tensor{type, std::move(shape), std::move(room).share()};
}

/// Applies the link row by row in the model's own arithmetic: T.
template <typename T>
std::vector<double> linked(std::span<const double> margins, std::size_t outputs, Link link, double factor) {
  const std::size_t rows = margins.size() / outputs;
  const std::size_t width = link == Link::kArgMax ? 1 : outputs;
  std::vector<double> out(rows * width);
  std::vector<T> row(outputs);
  std::vector<T> made(width);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < outputs; ++k) row[k] = static_cast<T>(margins[i * outputs + k]);
    apply_link(link, factor, std::span<const T>(row), std::span<T>(made));
    for (std::size_t k = 0; k < width; ++k) out[i * width + k] = static_cast<double>(made[k]);
  }
  return out;
}

std::uint64_t bytes_of(const std::vector<std::string>& texts) {
  std::uint64_t bytes = texts.capacity() * sizeof(std::string);
  for (const auto& text : texts) bytes += text.capacity();
  return bytes;
}

std::uint64_t bytes_of(const std::vector<Column>& columns) {
  std::uint64_t bytes = columns.capacity() * sizeof(Column);
  for (const auto& column : columns) bytes += column.name.capacity() + bytes_of(column.categories);
  return bytes;
}

std::uint64_t bytes_of(const std::vector<std::vector<std::uint32_t>>& lists) {
  std::uint64_t bytes = lists.capacity() * sizeof(lists[0]);
  for (const auto& list : lists) bytes += list.capacity() * sizeof(std::uint32_t);
  return bytes;
}

/// Probabilities of both classes from that of the second.
template <typename T>
std::vector<double> both(std::span<const double> second) {
  std::vector<double> out;
  out.reserve(second.size() * 2);
  for (const double p : second) {
    out.push_back(static_cast<double>(T{1} - static_cast<T>(p)));
    out.push_back(p);
  }
  return out;
}

}  // namespace

TreeModel::TreeModel(TreeModelSpec spec, TreeEnsemble ensemble)
    : spec_(std::move(spec)),
      ensemble_(std::move(ensemble)),
      number_(ensemble_.sums() == SumType::kFloat32 ? DataType::kFp32 : DataType::kFp64) {
  const auto row_type = ensemble_.rows() == RowType::kFloat32 ? DataType::kFp32 : DataType::kFp64;
  signature_.platform = spec_.platform;
  if (spec_.hashed.empty()) {
    signature_.inputs.push_back({"input", row_type, {-1, std::int64_t{ensemble_.features()}}, {}});
  } else {
    for (const auto& column : spec_.columns) signature_.inputs.push_back({column.name, column.type, {-1}, {}});
  }
  signature_.columns = spec_.columns;
  describe_outputs();
  description_bytes_ = 2 * bytes_of(spec_.columns) + bytes_of(spec_.class_labels) + bytes_of(spec_.notes) +
                       spec_.weights.capacity() * sizeof(float) + bytes_of(spec_.hashed);
}

void TreeModel::describe_outputs() {
  const auto outputs = std::int64_t{ensemble_.outputs()};
  const auto features = std::int64_t{ensemble_.features()};
  const auto add = [&](OutputKind kind, const char* name, DataType type, Shape shape) {
    const bool on_request = kind != OutputKind::kPrediction;
    kinds_.push_back(kind);
    auto& output = signature_.outputs.emplace_back(TensorSpec{name, type, std::move(shape), {}});
    output.on_request = on_request;
    return &output;
  };
  Shape rows = {-1};
  Shape matrix = {-1, outputs};
  add(OutputKind::kPrediction, "prediction", number_, spec_.flat ? rows : matrix);
  add(OutputKind::kMargin, "margin", number_, outputs == 1 ? rows : matrix);
  const bool linear = !spec_.weights.empty();
  if (!linear) add(OutputKind::kLeafIndex, "leaf_index", DataType::kInt32, {-1, std::int64_t{ensemble_.trees()}});
  if (linear || TreeShap::check(ensemble_)) {
    Shape contributions = {-1, features + 1};
    if (outputs > 1) contributions.insert(contributions.begin() + 1, outputs);
    add(OutputKind::kContributions, "contributions", number_, contributions);
  }
  if (!spec_.classification) return;
  auto* probabilities =
      add(OutputKind::kProbabilities, "probabilities", number_, {-1, std::max<std::int64_t>(2, outputs)});
  std::string labels;
  for (const auto& label : spec_.class_labels) labels += (labels.empty() ? "" : ",") + label;
  if (!labels.empty()) probabilities->parameters.emplace_back("class_labels", labels);
}

Result<std::unique_ptr<TreeModel>> TreeModel::make(TreeModelSpec spec) {
  if (spec.ensemble.features == 0) return fail(Code::kInvalidArgument, "the model has no features");
  TRY(auto ensemble, make_ensemble(std::move(spec.ensemble)));
  spec.ensemble = {};
  return std::unique_ptr<TreeModel>(new TreeModel(std::move(spec), std::move(ensemble)));
}

Result<const TreeShap*> TreeModel::shap() {
  std::call_once(shap_once_, [this] {
    shap_.emplace(TreeShap::make(ensemble_));
    if (*shap_) shap_bytes_ = (*shap_)->memory_bytes();
  });
  if (!*shap_) return tl::unexpected<Error>(shap_->error());
  return &**shap_;
}

Result<TreeRun> TreeModel::make_run(std::span<const Tensor* const> inputs) const {
  TRY(auto run, wrap_inputs(inputs));
  run.use_weights(spec_.weights);
  return run;
}

Result<TreeRun> TreeModel::wrap_inputs(std::span<const Tensor* const> inputs) const {
  if (spec_.hashed.empty()) return TreeRun(ensemble_, *inputs[0]);
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i]->shape[0] == inputs[0]->shape[0]) continue;
    return fail(Code::kInvalidArgument,
                "input '" + signature_.inputs[i].name + "': shape " + format_shape(inputs[i]->shape) + ", expected [" +
                    std::to_string(inputs[0]->shape[0]) + "] as '" + signature_.inputs[0].name + "' has");
  }
  return TreeRun(ensemble_, inputs, spec_.hashed);
}

Result<Tensor> TreeModel::output(std::size_t index, TreeRun& run) {
  Shape shape = signature_.outputs[index].shape;
  shape[0] = static_cast<std::int64_t>(run.rows());
  const std::size_t outputs = ensemble_.outputs();
  const bool single = number_ == DataType::kFp32;
  const auto link = [&](Link which) {
    return single ? linked<float>(run.margins(), outputs, which, spec_.link_factor)
                  : linked<double>(run.margins(), outputs, which, spec_.link_factor);
  };
  switch (kinds_[index]) {
    case OutputKind::kPrediction:
      if (spec_.link == Link::kIdentity) return make_tensor(number_, std::move(shape), run.margins());
      return make_tensor(number_, std::move(shape), link(spec_.link));
    case OutputKind::kMargin: return make_tensor(number_, std::move(shape), run.margins());
    case OutputKind::kLeafIndex: {
      TRY(auto room, make_room(DataType::kInt32, shape));
      const auto leaves = run.leaves();
      if (!leaves.empty()) std::memcpy(room.data(), leaves.data(), room.size());
      return Tensor{DataType::kInt32, std::move(shape), std::move(room).share()};
    }
    case OutputKind::kContributions: {
      TRY_STATUS(make_room(number_, shape));
      TRY(const auto found, contributions(run, {}));
      return make_tensor(number_, std::move(shape), found);
    }
    default: break;
  }
  const auto probabilities = link(spec_.probability_link);
  if (outputs > 1) return make_tensor(number_, std::move(shape), probabilities);
  return make_tensor(number_, std::move(shape), single ? both<float>(probabilities) : both<double>(probabilities));
}

Result<std::vector<Tensor>> TreeModel::run(const RunRequest& request) {
  TRY(auto run, make_run(request.inputs));
  std::vector<Tensor> tensors;
  tensors.reserve(request.outputs.size());
  for (const auto index : request.outputs) {
    if (request.cancel.stop_requested()) return fail(Code::kCancelled, "the run was stopped, as its caller asked");
    TRY(tensors.emplace_back(), output(index, run));
  }
  return tensors;
}

Result<std::vector<double>> TreeModel::contributions(TreeRun& run, std::span<const Tensor* const> background) {
  const std::size_t columns = std::size_t{ensemble_.features()} + 1;
  const std::size_t width = ensemble_.outputs() * columns;
  const bool linear = !spec_.weights.empty();
  if (background.empty() && linear) return run.linear_contributions();
  if (background.empty()) return shap().map([&](const TreeShap* explainer) { return run.contributions(*explainer); });
  TRY(const auto others, make_run(background));
  if (others.rows() == 0) return fail(Code::kInvalidArgument, "background: no rows, expected at least one");
  if (!linear) {
    TRY(const auto* explainer, shap());
    std::vector<double> found(run.rows() * width);
    explainer->explain_against(others.doubles(), run.doubles(), found);
    return found;
  }
  // What a feature adds beyond what it adds in the background on average; that goes to the base.
  auto found = run.linear_contributions();
  const auto usual = others.linear_contributions();
  for (std::size_t at = 0; at < width; ++at) {
    const std::size_t base = at / columns * columns + columns - 1;
    if (at == base) continue;
    double mean = 0;
    for (std::size_t i = 0; i < others.rows(); ++i) mean += usual[i * width + at];
    mean /= static_cast<double>(others.rows());
    for (std::size_t i = 0; i < run.rows(); ++i) {
      found[i * width + at] -= mean;
      found[i * width + base] += mean;
    }
  }
  return found;
}

Result<Contributions> TreeModel::explain(const RunRequest& request) {
  TRY(auto run, make_run(request.inputs));
  const std::size_t outputs = ensemble_.outputs();
  const std::size_t features = ensemble_.features();
  const auto rows = static_cast<std::int64_t>(run.rows());
  const Shape shape = {rows, static_cast<std::int64_t>(features), static_cast<std::int64_t>(outputs)};
  TRY_STATUS(make_room(DataType::kFp64, shape));
  TRY(const auto found, contributions(run, request.background));
  Contributions result{spec_.weights.empty() ? "tree_shap" : "linear", "margin", {}, {}, {}, {}, {}};
  for (std::size_t f = 0; f < features; ++f) {
    result.features.push_back(spec_.columns.empty() ? "f" + std::to_string(f) : spec_.columns[f].name);
  }
  for (std::size_t k = 0; k < outputs; ++k) {
    const bool named = k < spec_.class_labels.size() && outputs > 1;
    result.outputs.push_back(outputs == 1 ? "margin" : named ? spec_.class_labels[k] : "margin_" + std::to_string(k));
  }
  std::vector<double> values(run.rows() * features * outputs);
  std::vector<double> base(outputs);
  for (std::size_t i = 0; i < run.rows(); ++i) {
    for (std::size_t k = 0; k < outputs; ++k) {
      const double* phi = found.data() + (i * outputs + k) * (features + 1);
      for (std::size_t f = 0; f < features; ++f) values[(i * features + f) * outputs + k] = phi[f];
      base[k] = phi[features];
    }
  }
  if (run.rows() == 0 && spec_.weights.empty()) {
    TRY(const auto* explainer, shap());
    base.assign(explainer->base().begin(), explainer->base().end());
  }
  TRY(result.base, make_tensor(DataType::kFp64, {static_cast<std::int64_t>(outputs)}, base));
  TRY(result.values, make_tensor(DataType::kFp64, shape, values));
  TRY(result.totals, make_tensor(DataType::kFp64, {rows, static_cast<std::int64_t>(outputs)}, run.margins()));
  return result;
}

std::vector<std::string> TreeModel::load_notes() const {
  std::vector<std::string> notes = {spec_.summary};
  notes.insert(notes.end(), spec_.notes.begin(), spec_.notes.end());
  return notes;
}

ModelMemory TreeModel::memory() const noexcept {
  return {sizeof(*this) + ensemble_.memory_bytes() + description_bytes_ + shap_bytes_, 0};
}

}  // namespace protean
