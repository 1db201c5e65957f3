// SPDX-License-Identifier: Apache-2.0
// Exact first; then whatever came out is held against what the model said.
#include "explain/explain.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/checked_math.h"
#include "explain/kernel_shap.h"

namespace protean {
namespace {

double element(const Tensor& tensor, std::size_t index) noexcept {
  double value = 0;
  std::memcpy(&value, tensor.data.data() + index * sizeof value, sizeof value);
  return value;
}

/// Whether the tensors have the shapes that go together.
bool is_consistent(const Contributions& from) {
  const std::size_t outputs = from.outputs.size();
  if (outputs == 0 || from.features.empty() || from.totals.shape.size() != 2) return false;
  const auto rows = static_cast<std::size_t>(std::max<std::int64_t>(from.totals.shape[0], 0));
  const auto totals = checked_mul(rows, outputs);
  const auto values = totals ? checked_mul(*totals, from.features.size()) : std::nullopt;
  const auto has = [](const Tensor& tensor, std::size_t count) {
    return tensor.type == DataType::kFp64 && tensor.data.size() / sizeof(double) == count;
  };
  return values && has(from.base, outputs) && has(from.totals, *totals) && has(from.values, *values);
}

double additivity_error(const Contributions& from) {
  const std::size_t outputs = from.outputs.size();
  const std::size_t features = from.features.size();
  const std::size_t rows = from.totals.data.size() / sizeof(double) / outputs;
  double largest = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t output = 0; output < outputs; ++output) {
      double sum = element(from.base, output);
      for (std::size_t feature = 0; feature < features; ++feature) {
        sum += element(from.values, (row * features + feature) * outputs + output);
      }
      const double difference = std::fabs(sum - element(from.totals, row * outputs + output));
      if (std::isnan(difference)) return difference;
      largest = std::max(largest, difference);
    }
  }
  return largest;
}

}  // namespace

Result<Explained> explain(Model& model, const RunRequest& request, const ExplainOptions& options) {
  auto contributions = model.explain(request);
  if (!contributions && contributions.error().code == Code::kUnimplemented) {
    if (model.signature().stateful) {
      return fail(Code::kFailedPrecondition,
                  "a run of this model may change what later runs answer, so that none is made up to explain it");
    }
    contributions = kernel_shap(model, request, options);
  }
  if (!contributions) return tl::unexpected<Error>(std::move(contributions).error());
  if (!is_consistent(*contributions)) {
    return fail(Code::kInternal, "the model's explanation has shapes that do not go together");
  }
  Explained explained{*std::move(contributions), 0};
  explained.additivity_error = additivity_error(explained.contributions);
  return explained;
}

}  // namespace protean
