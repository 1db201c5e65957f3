// SPDX-License-Identifier: Apache-2.0
#include "backends/python/restart_pause.h"

#include <gtest/gtest.h>

namespace protean::python {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RestartPause, DoublesUntilSomethingIsAnswered) {
  RestartPause pause;
  for (const int expected : {50, 100, 200, 400}) EXPECT_EQ(pause.next(false), milliseconds(expected));
  EXPECT_EQ(pause.next(true), milliseconds(0));
  EXPECT_EQ(pause.next(false), milliseconds(50));
  for (int i = 0; i < 100; ++i) (void)pause.next(false);
  EXPECT_EQ(pause.next(false), seconds(30));
}

}  // namespace
}  // namespace protean::python
