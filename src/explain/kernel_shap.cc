// SPDX-License-Identifier: Apache-2.0
// For each row: choose sets of its features, run the model on each set mixed with every background row, fit.
#include "explain/kernel_shap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked_math.h"
#include "explain/coalitions.h"
#include "explain/feature_table.h"
#include "explain/least_squares.h"

namespace protean {
namespace {

constexpr std::size_t kExactFeaturesMax = 10;
constexpr std::size_t kVaryingMax = 1024;
constexpr std::size_t kModelRowsMax = 50'000'000;
constexpr std::size_t kOutputsMax = 4096;

bool is_float(DataType type) noexcept { return type == DataType::kFp32 || type == DataType::kFp64; }
bool is_number(DataType type) noexcept {
  return type != DataType::kBytes && type != DataType::kFp16 && type != DataType::kBf16;
}

template <typename T>
void append_as_double(std::span<const std::byte> data, std::vector<double>& out) {
  for (std::size_t at = 0; at + sizeof(T) <= data.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, data.data() + at, sizeof value);
    out.push_back(static_cast<double>(value));
  }
}

std::vector<double> numbers_of(const Tensor& tensor) {
  std::vector<double> out;
  const auto data = tensor.data.bytes;
  switch (tensor.type) {
    case DataType::kBool:
    case DataType::kUint8: append_as_double<std::uint8_t>(data, out); break;
    case DataType::kUint16: append_as_double<std::uint16_t>(data, out); break;
    case DataType::kUint32: append_as_double<std::uint32_t>(data, out); break;
    case DataType::kUint64: append_as_double<std::uint64_t>(data, out); break;
    case DataType::kInt8: append_as_double<std::int8_t>(data, out); break;
    case DataType::kInt16: append_as_double<std::int16_t>(data, out); break;
    case DataType::kInt32: append_as_double<std::int32_t>(data, out); break;
    case DataType::kInt64: append_as_double<std::int64_t>(data, out); break;
    case DataType::kFp64: append_as_double<double>(data, out); break;
    default: append_as_double<float>(data, out); break;
  }
  return out;
}

Tensor doubles(Shape shape, const std::vector<double>& values) {
  Buffer data;
  data.append(values.data(), values.size() * sizeof(double));
  return {DataType::kFp64, std::move(shape), std::move(data).share()};
}

class KernelShap {
 public:
  KernelShap(Model& model, const RunRequest& request, const ExplainOptions& options, FeatureTable rows,
             FeatureTable background)
      : model_(model),
        request_(request),
        options_(options),
        rows_(std::move(rows)),
        background_(std::move(background)) {}

  Result<Contributions> run() {
    TRY_STATUS(choose_outputs());
    TRY(std::vector<double> totals, evaluate(request_.inputs, rows_.rows()));
    TRY(const std::vector<double> on_background, evaluate(request_.background, background_.rows()));
    const std::size_t outputs = names_.size();
    base_.assign(outputs, 0);
    for (std::size_t i = 0; i < on_background.size(); ++i) base_[i % outputs] += on_background[i];
    for (double& value : base_) value /= static_cast<double>(background_.rows());
    std::vector<double> values;
    values.reserve(rows_.rows() * rows_.features() * outputs);
    for (std::size_t row = 0; row < rows_.rows(); ++row) {
      TRY(const auto one, explain_row(row, std::span(totals).subspan(row * outputs, outputs)));
      values.insert(values.end(), one.begin(), one.end());
    }
    const auto rows = static_cast<std::int64_t>(rows_.rows());
    const auto count = static_cast<std::int64_t>(outputs);
    Contributions result{"kernel_shap", "output", rows_.names(), names_, {}, {}, {}};
    result.base = doubles({count}, base_);
    result.values = doubles({rows, static_cast<std::int64_t>(rows_.features()), count}, values);
    result.totals = doubles({rows, count}, totals);
    return result;
  }

 private:
  /// Outputs asked for that are numbers; floats alone where there are any.
  Status choose_outputs() {
    const auto& specs = model_.signature().outputs;
    const bool floats = std::ranges::any_of(request_.outputs, [&](std::size_t i) { return is_float(specs[i].type); });
    std::ranges::copy_if(request_.outputs, std::back_inserter(outputs_),
                         [&](std::size_t i) { return floats ? is_float(specs[i].type) : is_number(specs[i].type); });
    if (!outputs_.empty()) return {};
    return fail(Code::kInvalidArgument, "none of the outputs is a number: there is nothing to explain");
  }

  [[nodiscard]] Status check_time() const {
    if (request_.cancel.stop_requested()) return fail(Code::kCancelled, "nobody waits for the explanation");
    if (options_.clock->now() < options_.deadline) return {};
    return fail(Code::kDeadlineExceeded, "the deadline passed while the explanation was made");
  }

  /// What the model says of so many rows: [rows, names_.size()]. The first call finds the names.
  Result<std::vector<double>> evaluate(std::span<const Tensor* const> inputs, std::size_t rows) {
    TRY_STATUS(check_time());
    TRY(const auto tensors, model_.run({inputs, outputs_, request_.cancel, {}, {}, request_.parameters}));
    if (tensors.size() != outputs_.size()) return fail(Code::kInternal, "the model answered too few outputs");
    std::vector<std::vector<double>> parts;
    std::size_t width = 0;
    for (const Tensor& tensor : tensors) {
      const bool by_row = !tensor.shape.empty() && tensor.shape[0] == static_cast<std::int64_t>(rows);
      if (!by_row) return fail(Code::kInvalidArgument, "an output has no row for each row of the inputs");
      parts.push_back(numbers_of(tensor));
      width += parts.back().size() / rows;
    }
    if (names_.empty()) TRY_STATUS(name_outputs(parts, rows));
    if (width != names_.size()) return fail(Code::kInternal, "the model's outputs changed their shape");
    std::vector<double> values;
    values.reserve(rows * width);
    for (std::size_t row = 0; row < rows; ++row) {
      for (const auto& part : parts) {
        const auto each = static_cast<std::ptrdiff_t>(part.size() / rows);
        const auto first = part.begin() + static_cast<std::ptrdiff_t>(row) * each;
        values.insert(values.end(), first, first + each);
      }
    }
    return values;
  }

  Status name_outputs(const std::vector<std::vector<double>>& parts, std::size_t rows) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::string& name = model_.signature().outputs[outputs_[i]].name;
      const std::size_t width = parts[i].size() / rows;
      if (names_.size() + width > kOutputsMax) {
        return fail(Code::kInvalidArgument,
                    fmt::format("output '{}' has {} values a row, expected at most {}", name, width, kOutputsMax));
      }
      for (std::size_t k = 0; k < width; ++k) names_.push_back(width == 1 ? name : fmt::format("{}[{}]", name, k));
    }
    return names_.empty() ? Status(fail(Code::kInvalidArgument, "the outputs are empty")) : Status{};
  }

  [[nodiscard]] std::vector<std::size_t> varying_features(std::size_t row) const {
    std::vector<std::size_t> varying;
    for (std::size_t f = 0; f < rows_.features(); ++f) {
      const std::string_view value = rows_.value(row, f);
      for (std::size_t b = 0; b < background_.rows(); ++b) {
        if (background_.value(b, f) == value) continue;
        varying.push_back(f);
        break;
      }
    }
    return varying;
  }

  /// [features, outputs]
  Result<std::vector<double>> explain_row(std::size_t row, std::span<const double> total) {
    const std::size_t outputs = names_.size();
    std::vector<double> all(rows_.features() * outputs, 0);
    const auto varying = varying_features(row);
    if (varying.empty()) return all;
    std::vector<double> sums(outputs);
    for (std::size_t o = 0; o < outputs; ++o) sums[o] = total[o] - base_[o];
    std::vector<double> found = sums;
    if (varying.size() > 1) {
      TRY(found, sample_row(row, varying, sums));
    }
    for (std::size_t i = 0; i < varying.size(); ++i) {
      std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(i * outputs), outputs,
                  all.begin() + static_cast<std::ptrdiff_t>(varying[i] * outputs));
    }
    return all;
  }

  Result<std::vector<double>> sample_row(std::size_t row, const std::vector<std::size_t>& varying,
                                         std::span<const double> sums) {
    const std::size_t features = varying.size();
    if (features > kVaryingMax) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{} features differ from the background, expected at most {}", features, kVaryingMax));
    }
    const std::size_t usual = features <= kExactFeaturesMax ? std::size_t{1} << features : 2 * features + 2048;
    const std::size_t samples = std::max<std::size_t>(options_.samples == 0 ? usual : options_.samples, 2 * features);
    const auto work = checked_mul(checked_mul(samples, background_.rows()).value_or(kModelRowsMax + 1), rows_.rows());
    if (!work || *work > kModelRowsMax) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("{} samples with {} background rows for {} rows are more than {} rows for the model: send "
                      "fewer of them",
                      samples, background_.rows(), rows_.rows(), kModelRowsMax));
    }
    const Coalitions sets = choose_coalitions(features, samples, options_.seed);
    TRY(auto values, values_of_sets(row, varying, sets));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] -= base_[i % base_.size()];
    return fit_contributions(sets, values, sums, request_.cancel);
  }

  /// Mean over the background of what the model says, [sets, outputs]; runs are of bounded size.
  Result<std::vector<double>> values_of_sets(std::size_t row, const std::vector<std::size_t>& varying,
                                             const Coalitions& sets) {
    const std::size_t outputs = names_.size();
    const std::size_t words = (rows_.features() + 63) / 64;
    std::vector<std::uint64_t> masks(sets.count() * words, 0);
    for (std::size_t c = 0; c < sets.count(); ++c) {
      for (std::size_t i = 0; i < varying.size(); ++i) {
        if (sets.has(c, i)) masks[c * words + varying[i] / 64] |= std::uint64_t{1} << (varying[i] % 64);
      }
    }
    const std::size_t chunk =
        std::clamp<std::size_t>(options_.run_bytes_max / std::max(rows_.row_bytes(), background_.row_bytes()), 1,
                                std::max<std::size_t>(options_.rows_max, 1));
    const std::size_t per_set = background_.rows();
    std::vector<double> values(sets.count() * outputs, 0);
    std::vector<FeatureTable::Mixture> mixtures;
    for (std::size_t begin = 0; begin < sets.count() * per_set; begin += mixtures.size()) {
      const std::size_t end = std::min(begin + chunk, sets.count() * per_set);
      mixtures.clear();
      for (std::size_t i = begin; i < end; ++i) {
        mixtures.push_back({std::span(masks).subspan(i / per_set * words, words), i % per_set});
      }
      const auto tensors = rows_.mix(row, background_, mixtures);
      TRY(const auto answers, evaluate(rows_.pointers(tensors), mixtures.size()));
      for (std::size_t i = 0; i < answers.size(); ++i) {
        values[(begin + i / outputs) / per_set * outputs + i % outputs] += answers[i] / static_cast<double>(per_set);
      }
    }
    return values;
  }

  Model& model_;
  const RunRequest& request_;
  const ExplainOptions& options_;
  const FeatureTable rows_;
  const FeatureTable background_;
  std::vector<std::size_t> outputs_;
  std::vector<std::string> names_;
  std::vector<double> base_;
};

}  // namespace

Result<Contributions> kernel_shap(Model& model, const RunRequest& request, const ExplainOptions& options) {
  if (request.background.empty()) {
    return fail(Code::kFailedPrecondition,
                "explaining this kind of model needs a background: send one, or put background.json beside the model");
  }
  TRY(auto rows, FeatureTable::make(request.inputs, model.signature()));
  TRY(auto background, FeatureTable::make(request.background, model.signature()));
  if (!rows.same_form(background)) {
    return fail(Code::kInvalidArgument, "the background has other inputs or columns than the rows");
  }
  return KernelShap(model, request, options, std::move(rows), std::move(background)).run();
}

}  // namespace protean
