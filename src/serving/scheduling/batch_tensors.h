// SPDX-License-Identifier: Apache-2.0
// The tensors of a run that several requests share: putting their rows into one buffer, and taking the outputs apart
// into views.
#pragma once

#include <vector>

#include "core/tensor.h"
#include "serving/scheduling/batch.h"

namespace protean {

/// `tensors`: one an input of the signature, empty where requests leave it out.  `pointers`: to them, or nullptr.
struct AssembledInputs {
  std::vector<Tensor> tensors;
  std::vector<const Tensor*> pointers;
};

/// Whether the batch is one whole request that needs no padding: nothing to assemble, nothing to split.
[[nodiscard]] bool runs_as_it_is(const Batch& batch);

/// Rows in the order of the pieces, then copies of the last one up to rows_run; one copy into one buffer in which
/// each tensor starts at a multiple of kBufferAlignment. A single piece that is not padded becomes a view.
/// Errors: kResourceExhausted when padding makes it larger than 1 GiB.  Throws std::bad_alloc.
[[nodiscard]] Result<AssembledInputs> assemble_inputs(const Batch& batch);

/// One result a piece: views of its rows, or copies where padded dimensions are cut off.
/// Errors: kInternal naming the output, when its first dimension is not the run's rows.
[[nodiscard]] Result<std::vector<PieceResult>> split_outputs(const Batch& batch, const AssembledInputs& inputs,
                                                             std::vector<Tensor> outputs);

}  // namespace protean
