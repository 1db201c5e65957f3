// SPDX-License-Identifier: Apache-2.0
// The compression libraries behind content_coding.h; nobody else calls these.
#pragma once

#include <cstddef>
#include <span>

#include "base/buffer.h"
#include "base/result.h"
#include "core/memory_budget.h"

namespace protean {

/// As decode_body().  `gzip` false: `deflate`, zlib-wrapped or raw.
[[nodiscard]] Result<Slice> zlib_decode(bool gzip, std::span<const std::byte> coded, std::size_t size_max,
                                        Reservation* memory);
[[nodiscard]] Result<Slice> zstd_decode(std::span<const std::byte> coded, std::size_t size_max, Reservation* memory);

[[nodiscard]] Slice zlib_encode(bool gzip, std::span<const Slice> parts);
[[nodiscard]] Slice zstd_encode(std::span<const Slice> parts);

}  // namespace protean
