// SPDX-License-Identifier: Apache-2.0
// The background is found and checked on the way in; the rest happens on the executor.
#include "server/explain_job.h"

#include <utility>

#include "core/table.h"
#include "explain/explain.h"
#include "serving/check_request.h"

namespace protean {
namespace {

/// The background in the form and order of the model's inputs; of `request` only the inputs are looked at.
Result<std::vector<const Tensor*>> background_of(const InferRequest& request, const Signature& signature) {
  TRY(auto checked, check_request(request, signature, "background"));
  return std::move(checked.inputs);
}

Status run_explanation(Call& call, const InferRequest& background, const CheckedRequest& checked,
                       const std::stop_token& cancel) {
  const LoadedVersion& version = *call.version;
  const auto& asked = std::get<ExplainRequest>(call.operation);
  RunRequest request{checked.inputs, checked.outputs, cancel};
  request.parameters = &asked.infer.parameters;
  std::vector<const Tensor*> rows;
  if (!background.inputs.empty()) {
    TRY(rows, background_of(background, *version.signature));
    request.background = rows;
  }
  ExplainOptions options;
  options.samples = asked.samples;
  options.seed = asked.seed;
  options.deadline = call.ticket.deadline;
  TRY(auto explained, explain(*version.model, request, options));
  const auto& columns = version.signature->columns;
  auto& features = explained.contributions.features;
  for (std::size_t i = 0; i < columns.size() && columns.size() == features.size(); ++i) features[i] = columns[i].name;
  call.explanation = Explanation{
      version.model_name, version.version_text, {}, std::move(explained.contributions), explained.additivity_error};
  return {};
}

}  // namespace

Status prepare_explanation(Call& call) {
  const LoadedVersion& version = *call.version;
  const auto& asked = std::get<ExplainRequest>(call.operation);
  InferRequest background;
  background.inputs = asked.background.empty() ? version.background : asked.background;
  if (!asked.background.empty()) {
    const auto status = prepare_inputs(background, *version.signature).and_then([&] {
      return background_of(background, *version.signature).map([](const auto&) {});
    });
    if (!status) return fail(status.error().code, "background: " + status.error().message);
  }
  call.job = [&call, background = std::move(background)](const CheckedRequest& checked, const std::stop_token& cancel) {
    return run_explanation(call, background, checked, cancel);
  };
  return {};
}

}  // namespace protean
