// SPDX-License-Identifier: Apache-2.0
// The signature is asked first; what it cannot rule out, the model shows.
#include "serving/scheduling/batch_probe.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <exception>
#include <optional>

#include "core/generated_input.h"
#include "serving/check_request.h"
#include "serving/scheduling/tensor_rows.h"

namespace protean {
namespace {

constexpr std::uint64_t kRows = 3;
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-5;
/// Sizes for free dimensions other than the first, in the order tried: some graphs refuse very short sequences.
constexpr std::int64_t kFreeSizes[] = {8, 32, 1};

using Outputs = std::vector<Tensor>;

std::optional<std::string> find_obstacle(const Signature& signature) {
  if (signature.inputs.empty() || usual_outputs(signature).empty()) return "the model has no inputs or no outputs";
  const auto check = [](const TensorSpec& spec, const char* what) -> std::optional<std::string> {
    if (spec.any_rank) return fmt::format("{} '{}' has any number of dimensions", what, spec.name);
    if (spec.shape.empty()) return fmt::format("{} '{}' is a scalar", what, spec.name);
    if (spec.shape.front() >= 0) {
      return fmt::format("{} '{}' has shape {}, no free first dimension", what, spec.name, format_shape(spec.shape));
    }
    return std::nullopt;
  };
  for (const auto& spec : signature.inputs) {
    if (auto obstacle = check(spec, "input")) return obstacle;
  }
  for (const auto& spec : signature.outputs) {
    if (spec.any_rank || spec.on_request) continue;  // of any_rank: what it has is seen when it runs
    if (auto obstacle = check(spec, "output")) return obstacle;
  }
  return std::nullopt;
}

Result<Outputs> run(Model& model, const std::vector<Tensor>& inputs) {
  std::vector<const Tensor*> pointers;
  for (const auto& tensor : inputs) pointers.push_back(&tensor);
  const auto probed = usual_outputs(model.signature());
  try {
    return model.run({pointers, probed, {}});
  } catch (const std::exception& error) {
    return fail(Code::kInternal, fmt::format("it threw: {}", error.what()));
  } catch (...) {
    return fail(Code::kInternal, "it threw");
  }
}

double half_to_double(std::uint16_t bits) noexcept {
  const int exponent = (bits >> 10) & 31;
  const double fraction = (bits & 1023) / 1024.0;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15));
}

/// The floating-point number at `at`.  Requires a floating-point type.
double read_number(DataType type, const std::byte* at) noexcept {
  if (type == DataType::kFp64) {
    double value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  if (type == DataType::kFp32) {
    float value = 0;
    std::memcpy(&value, at, sizeof value);
    return static_cast<double>(value);
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  if (type == DataType::kFp16) return half_to_double(bits);
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof value);
  return static_cast<double>(value);
}

bool is_float(DataType type) noexcept {
  return type == DataType::kFp16 || type == DataType::kBf16 || type == DataType::kFp32 || type == DataType::kFp64;
}

bool close(const Tensor& a, const Tensor& b) {
  if (a.type != b.type || a.shape != b.shape || a.data.size() != b.data.size()) return false;
  if (a.data.text() == b.data.text()) return true;
  if (!is_float(a.type)) return false;
  // Half formats have fewer digits than the tolerance asks for.
  const double relative = a.type == DataType::kFp16 || a.type == DataType::kBf16 ? 10 * kRelative : kRelative;
  const std::size_t size = element_size(a.type);
  for (std::size_t at = 0; at < a.data.size(); at += size) {
    const double x = read_number(a.type, a.data.data() + at);
    const double y = read_number(b.type, b.data.data() + at);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (!(std::abs(x - y) <= kAbsolute + relative * std::max(std::abs(x), std::abs(y)))) return false;
  }
  return true;
}

/// The rows of `tensor` in the order given.
Tensor pick_rows(const Tensor& tensor, const std::vector<std::uint64_t>& order) {
  Buffer out;
  for (const std::uint64_t row : order) out.append(view_rows(tensor, row, 1).data.bytes);
  Tensor picked{tensor.type, tensor.shape, std::move(out).share()};
  picked.shape.front() = static_cast<std::int64_t>(order.size());
  return picked;
}

std::vector<Tensor> pick_rows(const std::vector<Tensor>& tensors, const std::vector<std::uint64_t>& order) {
  std::vector<Tensor> picked;
  for (const auto& tensor : tensors) picked.push_back(pick_rows(tensor, order));
  return picked;
}

/// Why `outputs` are not the answers of `order`'s rows, judged by what each row answers alone; nullopt: they are.
std::optional<std::string> compare(const Signature& signature, const Outputs& outputs,
                                   const std::vector<Outputs>& alone, const std::vector<std::uint64_t>& order) {
  const auto probed = usual_outputs(signature);
  if (outputs.size() != probed.size()) return "the model answers another number of outputs than it declares";
  for (std::size_t n = 0; n < outputs.size(); ++n) {
    const std::string& name = signature.outputs[probed[n]].name;
    const Tensor& together = outputs[n];
    if (together.shape.empty() || together.shape.front() != static_cast<std::int64_t>(order.size())) {
      return fmt::format("output '{}' has no batch dimension: shape {} for {} rows", name, format_shape(together.shape),
                         order.size());
    }
    if (!check_data(together, name)) return fmt::format("output '{}' does not fit its shape", name);
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (!close(view_rows(together, i, 1), alone[order[i]][n])) {
        return fmt::format("output '{}' of a row depends on the other rows", name);
      }
    }
  }
  return std::nullopt;
}

BatchFacts no(std::string reason) { return {false, std::move(reason)}; }

BatchFacts probe_rows(Model& model, const std::vector<Tensor>& inputs) {
  std::vector<Outputs> alone;
  for (std::uint64_t row = 0; row < kRows; ++row) {
    auto outputs = run(model, pick_rows(inputs, {row}));
    if (!outputs) return no(fmt::format("probing failed with one row: {}", outputs.error().message));
    if (auto problem = compare(model.signature(), *outputs, {*outputs}, {0})) return no(std::move(*problem));
    alone.push_back(std::move(*outputs));
  }
  for (const auto& order : {std::vector<std::uint64_t>{0, 1, 2}, {2, 0, 1}}) {
    auto outputs = run(model, pick_rows(inputs, order));
    if (!outputs) return no(fmt::format("probing failed with {} rows: {}", kRows, outputs.error().message));
    if (auto problem = compare(model.signature(), *outputs, alone, order)) return no(std::move(*problem));
  }
  return {true, "rows are independent"};
}

}  // namespace

BatchFacts probe_batching(Model& model) {
  const Signature& signature = model.signature();
  if (auto obstacle = find_obstacle(signature)) return no(std::move(*obstacle));
  BatchFacts facts;
  for (const std::int64_t size : kFreeSizes) {
    const auto inputs = generate_inputs(signature, {static_cast<std::int64_t>(kRows), size, 7});
    if (!inputs) return no(fmt::format("probing failed: {}", inputs.error().message));
    facts = probe_rows(model, *inputs);
    if (facts.batchable || !facts.reason.starts_with("probing failed")) return facts;
  }
  return facts;
}

}  // namespace protean
