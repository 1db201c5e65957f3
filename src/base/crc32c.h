// SPDX-License-Identifier: Apache-2.0
// The checksum of checkpoints and of record files: CRC-32C, stored masked so that a checksum over bytes that hold
// checksums stays a good one.
#pragma once

#include <cstdint>
#include <string_view>

namespace protean {

/// Continues `crc` (0 for the first piece) over `bytes`.  By the processor's instruction where there is one.
/// Source: RFC 3720, appendix B.4 (polynomial 0x1EDC6F41).
[[nodiscard]] std::uint32_t extend_crc32c(std::uint32_t crc, std::string_view bytes) noexcept;

/// As it stands in files. Source: LevelDB, "util/crc32c.h": rotated right by 15 bits plus 0xa282ead8.
[[nodiscard]] constexpr std::uint32_t mask_crc32c(std::uint32_t crc) noexcept {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

}  // namespace protean
