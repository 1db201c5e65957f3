// SPDX-License-Identifier: Apache-2.0
// Takes an answer out of shared memory that its writer can still change: every number is copied before it is checked,
// and every byte before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "core/tensor.h"

namespace protean::python {

struct AnswerTensor {
  std::uint32_t index = 0;
  Tensor tensor;
};

/// `tensors`: the answer, or a part of it with `more` to come. `refusal`: what the worker reports instead; it goes on
/// serving. `bytes_needed`: it asks for a larger region first.  Exactly one is there.
struct WorkerAnswer {
  std::vector<AnswerTensor> tensors;
  bool more = false;
  std::optional<Error> refusal;
  std::optional<std::size_t> bytes_needed;
};

/// `control`: the second half of the control memory.  `region`: where tensors lie.  `sequence`: of the request.
/// The tensors own a copy of their bytes and are sound (check_data).
/// Errors: kInternal when the answer cannot be right, after which nothing that this worker writes means anything;
/// kResourceExhausted when there is no memory for the copy.
[[nodiscard]] Result<WorkerAnswer> read_answer(std::span<const std::byte> control, std::span<const std::byte> region,
                                               std::uint64_t sequence);

}  // namespace protean::python
