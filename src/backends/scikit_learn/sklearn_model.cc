// SPDX-License-Identifier: Apache-2.0
// The signature, and rows in blocks small enough that wide intermediate steps (words, categories) stay small.
#include "backends/scikit_learn/sklearn_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <set>
#include <utility>

#include "base/checked_math.h"
#include "base/text.h"

namespace protean::sklearn {
namespace {

constexpr std::size_t kBlockNumbers = std::size_t{1} << 21;
constexpr std::size_t kBlockRowsMax = 4096;
constexpr std::uint64_t kOutputBytesMax = std::uint64_t{1} << 32;
/// Wider models have no named columns: their clients send matrices.
constexpr std::size_t kNamedColumnsMax = 4096;

std::string label_text(const Labels& labels, std::size_t i) {
  switch (labels.type) {
    case DataType::kBytes: return labels.texts[i];
    case DataType::kFp64: return std::to_string(labels.reals[i]);
    case DataType::kBool: return labels.numbers[i] != 0 ? "True" : "False";
    default: return std::to_string(labels.numbers[i]);
  }
}

std::string joined(const Labels& labels) {
  std::string text;
  for (std::size_t i = 0; i < labels.size(); ++i) text += (i == 0 ? "" : ",") + label_text(labels, i);
  return text;
}

/// Class numbers as what the model was trained on.
Tensor make_labels(const Labels& labels, const Matrix& chosen) {
  Tensor tensor;
  tensor.type = labels.type;
  tensor.shape = {static_cast<std::int64_t>(chosen.rows)};
  Buffer bytes;
  for (const double c : chosen.values) {
    const auto i = static_cast<std::size_t>(c);
    switch (labels.type) {
      case DataType::kBytes: append_bytes_element(bytes, labels.texts[i]); break;
      case DataType::kFp64: bytes.append(&labels.reals[i], sizeof(double)); break;
      case DataType::kBool: {
        const std::byte flag{static_cast<unsigned char>(labels.numbers[i] != 0)};
        bytes.append(&flag, 1);
        break;
      }
      default: bytes.append(&labels.numbers[i], sizeof(std::int64_t)); break;
    }
  }
  tensor.data = std::move(bytes).share();
  return tensor;
}

void append_rows(const Matrix& block, Matrix& all) {
  if (all.rows == 0) all.cols = block.cols;
  all.rows += block.rows;
  all.values.insert(all.values.end(), block.values.begin(), block.values.end());
}

}  // namespace

std::string SklearnModel::feature_name(std::size_t column) const {
  const auto& names = estimator_->facts().input_names;
  return column < names.size() ? names[column] : "x" + std::to_string(column);
}

Status SklearnModel::describe_inputs() {
  columns_ = estimator_->columns();
  const auto count = estimator_->facts().inputs;
  if (columns_.size() != count || count == 0) return fail(Code::kInvalidArgument, "the model takes no columns");
  const bool named = !estimator_->facts().input_names.empty();
  for (const auto& column : columns_) {
    one_matrix_ = one_matrix_ && column.kind != ColumnKind::kText && !(named && column.kind == ColumnKind::kUnused);
  }
  if (!one_matrix_ && count > kNamedColumnsMax) {
    return fail(Code::kInvalidArgument, "a table of " + std::to_string(count) +
                                            " columns, some of them of text, expected at most " +
                                            std::to_string(kNamedColumnsMax));
  }
  std::set<std::string> names;
  // What the training table had and no step uses may be sent, whatever it is, or not.
  signature_.table_rules.ignore_unknown = !one_matrix_;
  for (std::size_t j = 0; j < count && count <= kNamedColumnsMax; ++j) {
    if (!one_matrix_ && columns_[j].kind == ColumnKind::kUnused) continue;
    Column column;
    column.name = feature_name(j);
    if (!is_utf8(column.name) || column.name.empty() || !names.insert(column.name).second) {
      return fail(Code::kInvalidArgument,
                  "two columns are named '" + printable(column.name, 64) + "', or one has no name");
    }
    column.type = columns_[j].kind == ColumnKind::kText ? DataType::kBytes : DataType::kFp64;
    column.nullable = columns_[j].nullable;
    column.required = true;  // scikit-learn asks for every column
    signature_.columns.push_back(column);
    if (one_matrix_) continue;
    signature_.inputs.push_back({column.name, column.type, {-1}, {}});
    input_columns_.push_back(j);
  }
  if (one_matrix_) signature_.inputs.push_back({"input", DataType::kFp64, {-1, static_cast<std::int64_t>(count)}, {}});
  return {};
}

void SklearnModel::add_output(const char* name, TensorSpec spec, Answer answer) {
  spec.name = name;
  signature_.outputs.push_back(std::move(spec));
  answers_.push_back(answer);
}

Status SklearnModel::describe_outputs() {
  const auto& facts = estimator_->facts();
  const auto wide = [](std::size_t columns) { return Shape{-1, static_cast<std::int64_t>(columns)}; };
  if (facts.targets > 0) {
    TensorSpec prediction;
    prediction.type = facts.classifies ? facts.labels.type : facts.whole_numbers ? DataType::kInt64 : DataType::kFp64;
    prediction.shape = facts.classifies || facts.flat ? Shape{-1} : wide(facts.targets);
    add_output("prediction", prediction, Answer::kPrediction);
  }
  if (facts.probability_columns > 0) {
    TensorSpec probabilities;
    probabilities.type = DataType::kFp64;
    probabilities.shape = wide(facts.probability_columns);
    probabilities.parameters.emplace_back("class_labels", joined(facts.labels));
    add_output("probabilities", probabilities, Answer::kProbabilities);
  }
  if (facts.decision_columns > 0) {
    TensorSpec decision;
    decision.type = DataType::kFp64;
    decision.shape = facts.decision_columns == 1 ? Shape{-1} : wide(facts.decision_columns);
    decision.on_request = true;
    add_output("decision", decision, Answer::kDecision);
  }
  if (facts.outputs > 0) {
    TensorSpec output;
    output.type = DataType::kFp64;
    output.shape = wide(facts.outputs);
    output.on_request = facts.targets > 0;
    add_output("output", output, Answer::kTransformed);
  }
  if (answers_.empty()) return fail(Code::kInvalidArgument, facts.class_name + " answers nothing");
  return {};
}

Result<std::unique_ptr<Model>> SklearnModel::make(EstimatorPtr estimator, std::vector<std::string> notes,
                                                  ModelMemory memory) {
  std::unique_ptr<SklearnModel> model(new SklearnModel(std::move(estimator)));
  model->signature_.platform = "scikit_learn";
  TRY_STATUS(model->describe_inputs());
  TRY_STATUS(model->describe_outputs());
  model->notes_ = std::move(notes);
  model->memory_ = memory;
  return model;
}

Result<std::size_t> SklearnModel::count_rows(const RunRequest& request) const {
  std::size_t rows = 0;
  for (std::size_t k = 0; k < request.inputs.size(); ++k) {
    const auto& tensor = *request.inputs[k];
    const auto here = static_cast<std::size_t>(tensor.shape.empty() ? 0 : tensor.shape[0]);
    if (k > 0 && here != rows) {
      return fail(Code::kInvalidArgument, "input '" + printable(signature_.inputs[k].name, 64) +
                                              "': " + std::to_string(here) + " rows, expected " + std::to_string(rows) +
                                              " as the others have");
    }
    rows = here;
  }
  return rows;
}

Result<Frame> SklearnModel::read_rows(const RunRequest& request, std::size_t first, std::size_t count) const {
  const auto cols = columns_.size();
  Frame frame;
  frame.numbers.reset(count, cols);
  if (one_matrix_) {
    if (count == 0) return frame;
    std::memcpy(frame.numbers.values.data(), request.inputs[0]->data.data() + first * cols * sizeof(double),
                count * cols * sizeof(double));
    return frame;
  }
  frame.texts.resize(cols);
  for (auto& value : frame.numbers.values) value = std::nan("");
  for (std::size_t k = 0; k < input_columns_.size(); ++k) {
    const auto j = input_columns_[k];
    const auto& data = request.inputs[k]->data;
    if (columns_[j].kind != ColumnKind::kText) {
      for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(&frame.numbers.at(i, j), data.data() + (first + i) * sizeof(double), sizeof(double));
      }
      continue;
    }
    BytesReader reader(data.bytes);
    for (std::size_t i = 0; i < first; ++i) static_cast<void>(reader.next());
    for (std::size_t i = 0; i < count; ++i) {
      const auto text = reader.next();
      frame.texts[j].push_back({text, text.empty() && columns_[j].nullable});
    }
  }
  return frame;
}

Status SklearnModel::answer_block(const RunRequest& request, const Frame& rows, std::vector<Matrix>& answers) const {
  const Estimator* last = estimator_.get();
  const Frame* now = &rows;
  Frame prepared;
  while (last->last_step() != nullptr) {
    Frame next;
    TRY_STATUS(last->prepare(*now, next));
    prepared = std::move(next);
    now = &prepared;
    last = last->last_step();
  }
  Matrix probabilities;
  const auto wants = [&](Answer answer) {
    return std::any_of(request.outputs.begin(), request.outputs.end(), [&](auto o) { return answers_[o] == answer; });
  };
  const bool shared = wants(Answer::kProbabilities) && last->facts().rule == PredictRule::kLargestProbability;
  if (wants(Answer::kProbabilities)) TRY_STATUS(last->probabilities(*now, probabilities));
  for (std::size_t k = 0; k < request.outputs.size(); ++k) {
    Matrix block;
    switch (answers_[request.outputs[k]]) {
      case Answer::kPrediction:
        if (shared) {
          choose_classes(probabilities, block);
        } else {
          TRY_STATUS(last->predict(*now, block));
        }
        break;
      case Answer::kProbabilities: block = probabilities; break;
      case Answer::kDecision: TRY_STATUS(last->decision(*now, block)); break;
      case Answer::kTransformed: {
        Frame out;
        TRY_STATUS(last->transform(*now, out));
        for (std::size_t c = 0; c < out.cols(); ++c) {
          if (out.is_text(c)) return fail(Code::kUnimplemented, "this transformer answers texts, which is not served");
        }
        block = std::move(out.numbers);
        break;
      }
    }
    append_rows(block, answers[k]);
  }
  return {};
}

Result<Tensor> SklearnModel::make_tensor(std::size_t output, const Matrix& values) const {
  const auto& spec = signature_.outputs[output];
  const auto& facts = estimator_->facts();
  if (answers_[output] == Answer::kPrediction && facts.classifies) return make_labels(facts.labels, values);
  Tensor tensor;
  tensor.type = spec.type;
  tensor.shape = {static_cast<std::int64_t>(values.rows)};
  if (spec.shape.size() == 2) tensor.shape.push_back(spec.shape[1]);
  Buffer bytes(values.values.size() * sizeof(double));
  if (spec.type == DataType::kInt64) {
    auto* out = reinterpret_cast<std::int64_t*>(bytes.data());
    for (std::size_t i = 0; i < values.values.size(); ++i) out[i] = static_cast<std::int64_t>(values.values[i]);
  } else if (!bytes.empty()) {
    std::memcpy(bytes.data(), values.values.data(), bytes.size());
  }
  tensor.data = std::move(bytes).share();
  return tensor;
}

Result<std::vector<Tensor>> SklearnModel::run(const RunRequest& request) {
  try {
    TRY(const auto rows, count_rows(request));
    for (const auto o : request.outputs) {
      const auto& shape = signature_.outputs[o].shape;
      const auto width = shape.size() == 2 ? static_cast<std::uint64_t>(shape[1]) : 1;
      const auto bytes = checked_mul<std::uint64_t>(rows * sizeof(double), width);
      if (!bytes || *bytes > kOutputBytesMax) {
        return fail(Code::kResourceExhausted, "output '" + signature_.outputs[o].name + "' of " + std::to_string(rows) +
                                                  " rows is more than 4 GiB; send fewer rows");
      }
    }
    std::vector<Matrix> answers(request.outputs.size());
    const auto block =
        std::clamp<std::size_t>(kBlockNumbers / std::max<std::size_t>(estimator_->width(), 1), 1, kBlockRowsMax);
    for (std::size_t first = 0; first < rows || first == 0; first += block) {
      if (request.cancel.stop_requested()) return fail(Code::kCancelled, "the run was stopped, as its caller asked");
      TRY(const auto frame, read_rows(request, first, std::min(block, rows - first)));
      TRY_STATUS(answer_block(request, frame, answers));
    }
    std::vector<Tensor> tensors;
    for (std::size_t k = 0; k < answers.size(); ++k) {
      TRY(tensors.emplace_back(), make_tensor(request.outputs[k], answers[k]));
    }
    return tensors;
  } catch (const std::bad_alloc&) {
    return fail(Code::kResourceExhausted, "no memory left for the model's rows");
  }
}

}  // namespace protean::sklearn
