// SPDX-License-Identifier: Apache-2.0
// Which requests may share a run: those that give the same inputs, ask for the same outputs, and have the same
// dimensions beyond the first, or dimensions that are padded to the same.
#pragma once

#include <cstdint>

#include "core/model.h"
#include "core/model_config.h"
#include "serving/check_request.h"

namespace protean {

/// Equal for requests that may share a run; 0 for one that must run alone (no rows, scalars, inputs of different row
/// counts). Different groups may have equal numbers: same_group() tells.
[[nodiscard]] std::uint64_t group_of(const CheckedRequest& request, const Signature& signature,
                                     const BatchConfig& config) noexcept;
/// Requires that both have a group.
[[nodiscard]] bool same_group(const CheckedRequest& a, const CheckedRequest& b, const Signature& signature,
                              const BatchConfig& config) noexcept;
/// The size that a dimension is padded to when it is padded on its own: the next bucket, or itself.
[[nodiscard]] std::int64_t bucket_size(std::int64_t size, const BatchConfig& config) noexcept;

}  // namespace protean
