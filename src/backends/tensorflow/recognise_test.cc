// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorflow/recognise.h"

#include <gtest/gtest.h>

#include <string>

namespace protean {
namespace {

TEST(SavedModelFile, BeginsWithAVersionAndAMetaGraph) {
  // schema version 1; a meta graph of 300 bytes that begins with its field 1, of 20 bytes
  const std::string head("\x08\x01\x12\xAC\x02\x0A\x14", 7);
  EXPECT_TRUE(looks_like_saved_model(head, 305));
  EXPECT_TRUE(looks_like_saved_model(head.substr(2), 303)) << "the version may be left out";
}

TEST(SavedModelFile, IsKnownThoughItWasCutOff) {
  EXPECT_TRUE(looks_like_saved_model(std::string("\x08\x01\x12\xAC\x02\x0A\x14", 7), 7));
}

TEST(SavedModelFile, OtherMessagesAreNone) {
  EXPECT_FALSE(looks_like_saved_model("", 0));
  EXPECT_FALSE(looks_like_saved_model("{\"saved\": 1}", 12));
  // An ONNX model: version 8, then its producer's name.
  EXPECT_FALSE(looks_like_saved_model("\x08\x08\x12\x07skl2onnx", 12));
  EXPECT_FALSE(looks_like_saved_model(std::string("\x08\x01\x12\x00\x0A\x00", 6), 6)) << "an empty meta graph";
  EXPECT_FALSE(looks_like_saved_model("\x08\xFF\xFF\xFF\x7F\x12\x02\x0A\x00", 9));
}

}  // namespace
}  // namespace protean
