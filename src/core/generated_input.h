// SPDX-License-Identifier: Apache-2.0
// Inputs made from a signature alone: what warms a model, probes whether it has a batch dimension, and loads it
// in benchmarks when nothing recorded is at hand.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "core/model.h"

namespace protean {

/// `rows`: for a first dimension of -1 (other -1 become `free_size`).  `seed`: same seed, same values.
struct GeneratedShape {
  std::int64_t rows = 1;
  std::int64_t free_size = 1;
  std::uint64_t seed = 1;
};

/// One tensor an input of the signature, in its order (optional ones included). Values differ from row to row:
/// floats in [0, 1), integers 0 or 1 (an index that every table has), BYTES of a few letters.
/// Errors: kInvalidArgument when the sizes overflow; kResourceExhausted when all together pass 1 GiB.
[[nodiscard]] Result<std::vector<Tensor>> generate_inputs(const Signature& signature, const GeneratedShape& shape);

}  // namespace protean
