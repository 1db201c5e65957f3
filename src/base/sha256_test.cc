// SPDX-License-Identifier: Apache-2.0
// Digests of the standard's own examples.
#include "base/sha256.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

// Source: FIPS 180-4 examples, https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values
TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, DoesNotCareInHowManyPiecesItComes) {
  Sha256 digest;
  digest.add("a");
  digest.add("");
  digest.add("bc");
  EXPECT_EQ(digest.hex(), sha256_hex("abc"));
}

TEST(Sha256, TellsPartsApart) {
  Sha256 a;
  a.add_part("ab");
  a.add_part("c");
  Sha256 b;
  b.add_part("a");
  b.add_part("bc");
  EXPECT_NE(a.hex(), b.hex());
}

}  // namespace
}  // namespace protean
