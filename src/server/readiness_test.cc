// SPDX-License-Identifier: Apache-2.0
// Who is told of readiness, when, and how often.
#include "server/readiness.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

TEST(Readiness, StartsNotReady) { EXPECT_FALSE(Readiness().ready()); }

TEST(Readiness, TellsAWatcherThePresentStateAndEachChange) {
  Readiness readiness;
  std::vector<bool> told;
  readiness.watch([&](bool ready) {
    told.push_back(ready);
    return true;
  });
  readiness.set(true);
  readiness.set(true);
  readiness.set(false);
  EXPECT_EQ(told, (std::vector<bool>{false, true, false}));
}

TEST(Readiness, ForgetsAWatcherThatHasLeft) {
  Readiness readiness;
  int told = 0;
  readiness.watch([&](bool) { return ++told < 2; });
  readiness.set(true);
  readiness.set(false);
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace protean
