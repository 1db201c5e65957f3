// SPDX-License-Identifier: Apache-2.0
// Explains rows of any model: by the model itself where it knows an exact way, else by running it on mixtures of the
// rows and a background; and checks that what comes out adds up.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "core/model.h"

namespace protean {

/// `samples`: sets of features tried for a row where they are too many to try all; 0: 2 * features + 2048.
/// `seed`: same seed, same answer.  `deadline`: looked at between runs of the model.
/// `rows_max`: rows of one run of the model, `run_bytes_max`: bytes of its inputs.
struct ExplainOptions {
  std::uint32_t samples = 0;
  std::uint64_t seed = 1;
  TimePoint deadline = kNever;
  std::size_t rows_max = 4096;
  std::size_t run_bytes_max = std::size_t{32} << 20;
  const Clock* clock = &Clock::system();
};

/// `additivity_error`: the largest difference between base plus contributions and the total, of all rows and outputs.
struct Explained {
  Contributions contributions;
  double additivity_error = 0;
};

/// `request`: inputs checked against the model's signature, rows first; `request.background`: likewise, may be empty.
/// Errors: kFailedPrecondition when sampling needs a background and there is none; kInvalidArgument for inputs that are
/// no table, too many features, or more runs than are reasonable; kInternal when the model's own explanation has shapes
/// that do not go together; kCancelled, kDeadlineExceeded; otherwise those of Model::run().  Thread-safe.
[[nodiscard]] Result<Explained> explain(Model& model, const RunRequest& request, const ExplainOptions& options);

}  // namespace protean
