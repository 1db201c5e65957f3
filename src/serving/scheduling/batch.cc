// SPDX-License-Identifier: Apache-2.0
// Running: one request as it is, many through one buffer. Assembling and splitting are in batch_tensors.h.
#include "serving/scheduling/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <string>

#include "serving/loaded_version.h"
#include "serving/scheduling/batch_tensors.h"

namespace protean {
namespace {

constexpr std::size_t kIdsBytesMax = 256;

tl::unexpected<Error> with_label(Error error, const LoadedVersion& version) {
  error.message += fmt::format(" ({})", label_of(version));
  return tl::unexpected<Error>(std::move(error));
}

PieceResult run_model(LoadedVersion& version, const RunRequest& request) {
  try {
    auto result = version.model->run(request);
    if (!result) return with_label(std::move(result).error(), version);
    if (result->size() != request.outputs.size()) {
      return fail(Code::kInternal, fmt::format("the model answered {} outputs, expected {} ({})", result->size(),
                                               request.outputs.size(), label_of(version)));
    }
    return result;
  } catch (const std::exception& error) {
    return fail(Code::kInternal, fmt::format("the model threw: {} ({})", error.what(), label_of(version)));
  } catch (...) {
    return fail(Code::kInternal, fmt::format("the model threw: something unknown ({})", label_of(version)));
  }
}

PieceResult run_job(InferCall& call, const std::stop_token& cancel) {
  const LoadedVersion& version = *call.version;
  try {
    if (auto status = call.job(call.ticket.checked, cancel); !status) {
      return with_label(std::move(status).error(), version);
    }
    return std::vector<Tensor>();
  } catch (const std::bad_alloc&) {
    return fail(Code::kResourceExhausted, fmt::format("not enough memory ({})", label_of(version)));
  } catch (const std::exception& error) {
    return fail(Code::kInternal, fmt::format("the model threw: {} ({})", error.what(), label_of(version)));
  }
}

/// Those of the requests that have one, with commas between them.
std::string ids_of(const Batch& batch) {
  std::string ids;
  for (const auto& piece : batch.pieces) {
    const std::string& id = piece.call->request->id;
    if (id.empty() || ids.size() >= kIdsBytesMax) continue;
    if (!ids.empty()) ids += ',';
    ids += id;
  }
  ids.resize(std::min(ids.size(), kIdsBytesMax));
  return ids;
}

/// `answered`: whether the model did; what is wrong then is the model's answer, not a request.
Result<std::vector<PieceResult>> run_assembled(Batch& batch, const Clock& clock, bool& answered) {
  TRY(const AssembledInputs inputs, assemble_inputs(batch));
  const auto& outputs = batch.pieces.front().call->ticket.checked.outputs;
  const TimePoint started_at = clock.now();
  // Only models that run elsewhere have logs of their own to name the requests in.
  const std::string ids = batch.version->remote_runs != 0 ? ids_of(batch) : std::string();
  // More than one share a run only where none of them has parameters that the model takes.
  const auto& parameters = batch.pieces.front().call->request->parameters;
  auto tensors = run_model(*batch.version, {inputs.pointers, outputs, batch.stop.get_token(), {}, ids, &parameters});
  batch.run_time = clock.now() - started_at;
  answered = tensors.has_value();
  if (!answered) return tl::unexpected<Error>(std::move(tensors).error());
  return split_outputs(batch, inputs, std::move(*tensors));
}

/// The second chance of those whose shared run failed: what one of them brought about is that one's alone.
void run_one_by_one(Batch& batch, const Clock& clock) {
  for (const auto& piece : batch.pieces) {
    Batch own;
    own.version = batch.version;
    own.pieces = {piece};
    own.rows = own.rows_run = piece.rows;
    own.stop = batch.stop;
    run_batch(own, clock);
    batch.results.push_back(std::move(own.results.front()));
    batch.run_time += own.run_time;
  }
}

}  // namespace

InferResult make_result(const InferCall& call, std::vector<Tensor> tensors) {
  const auto& specs = call.version->signature->outputs;
  InferResult result;
  result.model = call.version->model_name;
  result.version = call.version->version_text;
  result.id = call.request->id;
  result.outputs.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& spec = specs[call.ticket.checked.outputs[i]];
    result.outputs.push_back({spec.name, std::move(tensors[i]), {}});
  }
  return result;
}

std::string label_of(const LoadedVersion& version) {
  return fmt::format("model {}, version {}", version.model_name, version.version_text);
}

PieceResult run_alone(LoadedVersion& version, const InferCall& call, const std::stop_token& cancel) {
  const CheckedRequest& checked = call.ticket.checked;
  return run_model(version, {checked.inputs, checked.outputs, cancel, {}, call.request->id, &call.request->parameters});
}

void run_batch(Batch& batch, const Clock& clock) {
  batch.results.clear();
  if (runs_as_it_is(batch)) {
    const TimePoint started_at = clock.now();
    InferCall& call = *batch.pieces.front().call;
    batch.results.push_back(call.job ? run_job(call, batch.stop.get_token())
                                     : run_alone(*batch.version, call, batch.stop.get_token()));
    batch.run_time = clock.now() - started_at;
    return;
  }
  bool answered = false;
  auto results = [&]() -> Result<std::vector<PieceResult>> {
    try {
      return run_assembled(batch, clock, answered);
    } catch (const std::bad_alloc&) {
      return fail(Code::kResourceExhausted,
                  fmt::format("not enough memory for a run of {} rows ({})", batch.rows_run, label_of(*batch.version)));
    }
  }();
  if (results) {
    batch.results = std::move(*results);
  } else if (!answered && batch.pieces.size() > 1 && !batch.stop.stop_requested()) {
    run_one_by_one(batch, clock);
  } else {
    for (std::size_t i = 0; i < batch.pieces.size(); ++i) batch.results.emplace_back(tl::unexpect, results.error());
  }
}

}  // namespace protean
