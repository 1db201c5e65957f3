// SPDX-License-Identifier: Apache-2.0
// Values of the standard, and the two ways against each other where they meet.
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace protean {
namespace {

TEST(Crc32c, GivesTheValuesOfTheStandard) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(extend_crc32c(0, std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(extend_crc32c(0, std::string(32, '\xff')), 0x62a8ab43U);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  EXPECT_EQ(extend_crc32c(0, rising), 0x46dd794eU);
  // The check value of the CRC catalogue.
  EXPECT_EQ(extend_crc32c(0, "123456789"), 0xe3069283U);
  EXPECT_EQ(extend_crc32c(0, ""), 0U);
}

TEST(Crc32c, GoesOnWhereItStopped) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto first = extend_crc32c(0, std::string_view(text).substr(0, cut));
    EXPECT_EQ(extend_crc32c(first, std::string_view(text).substr(cut)), extend_crc32c(0, text)) << cut;
  }
}

TEST(Crc32c, IsMaskedByRotatingAndAdding) {
  EXPECT_EQ(mask_crc32c(0), 0xa282ead8U);
  // 0x00008000 rotated right by 15 is 1.
  EXPECT_EQ(mask_crc32c(0x8000U), 0xa282ead9U);
}

}  // namespace
}  // namespace protean
