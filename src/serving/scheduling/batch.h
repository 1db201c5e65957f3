// SPDX-License-Identifier: Apache-2.0
// One run of a model for one or many requests: their rows are copied together once, the outputs are handed back as
// views. A run for one whole request copies nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/model.h"
#include "serving/scheduling/infer_call.h"

namespace protean {

/// Rows [row_begin, row_begin + rows) of a request; all of them unless it was split.
/// `index`: which piece of a split request.
struct Piece {
  std::shared_ptr<InferCall> call;
  std::uint64_t row_begin = 0;
  std::uint64_t rows = 0;
  std::uint32_t index = 0;
};

using PieceResult = Result<std::vector<Tensor>>;

/// `rows`: of the requests; `rows_run`: with those that fill up to a preferred size.
/// `results`: one a piece, in order, after run_batch().
struct Batch {
  LoadedVersion* version = nullptr;  // kept alive by the pieces
  std::vector<Piece> pieces;
  std::uint64_t rows = 0;
  std::uint64_t rows_run = 0;
  TimePoint started_at{};
  Duration predicted{};
  std::stop_source stop;
  std::vector<PieceResult> results;
  Duration run_time{};
};

/// Assembles, runs and splits; fills `results` and `run_time`.  Whatever goes wrong, exceptions included, becomes an
/// error of this batch's pieces: kInternal "the model threw: ..." or "output 'y' of model m, version 1: ...".
/// A shared run in which the model fails is repeated for each piece alone, so that a request fails by its own doing
/// only. Outputs of requests that shared the run share its memory. Thread-safe for different batches.
void run_batch(Batch& batch, const Clock& clock);

/// Runs one whole request; errors as run_batch().
[[nodiscard]] PieceResult run_alone(LoadedVersion& version, const InferCall& call, const std::stop_token& cancel);

/// Joins the outputs of a split request's pieces, in order.  Requires at least one part; all have as many tensors.
/// Errors: kInternal when the pieces' outputs have different dimensions beyond the first.
[[nodiscard]] PieceResult join_parts(const std::vector<std::vector<Tensor>>& parts, const LoadedVersion& version);

/// What a call is answered: `tensors` in the order of its outputs.
[[nodiscard]] InferResult make_result(const InferCall& call, std::vector<Tensor> tensors);

/// `model iris, version 3`.
[[nodiscard]] std::string label_of(const LoadedVersion& version);

}  // namespace protean
