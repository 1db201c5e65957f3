// SPDX-License-Identifier: Apache-2.0
// Cards written by hand, compared whole.
#include "cli/start_up_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/text_table.h"

namespace protean {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::shared_ptr<const Signature> iris_signature() {
  return std::make_shared<Signature>(Signature{
      "onnx_onnxv1",
      {{"x", DataType::kFp32, {-1, 4}, {}, false}},
      {{"label", DataType::kInt64, {-1}, {}, false}, {"probabilities", DataType::kFp32, {-1, 3}, {}, false}}});
}

VersionStatus ready(std::string model, std::string version, bool is_default) {
  VersionStatus status;
  status.model = std::move(model);
  status.version = std::move(version);
  status.state = VersionState::kReady;
  status.backend = "onnxruntime";
  status.signature = iris_signature();
  status.files_bytes = 3277;
  status.load_ms = 12.4;
  status.is_default = is_default;
  return status;
}

VersionStatus broken(std::string model, std::string reason) {
  VersionStatus status;
  status.model = std::move(model);
  status.version = "1";
  status.state = VersionState::kUnavailable;
  status.reason = std::move(reason);
  status.backend = "onnxruntime";
  status.files_bytes = 100;
  return status;
}

TEST(StartUpCard, ShowsModelsUrlsAndALineToTryEach) {
  StartUpCard card;
  card.models = {broken("churn", "not an ONNX model: the file ends inside a field; copy it again"),
                 ready("iris", "1", false), ready("iris", "2", true)};
  card.ignored = {{"notes.txt", "not a model of any backend"}};
  card.urls = {"http://127.0.0.1:8080"};
  card.backends = {"onnxruntime 1.27.0"};
  const std::string expected = "\nProtean " PROTEAN_VERSION R"( - 1 model ready, 1 not

  MODEL  VERSION  BACKEND      INPUTS -> OUTPUTS                                             SIZE   LOAD  STATUS
  churn  1        onnxruntime  -                                                            100 B      -  unavailable
    not an ONNX model: the file ends inside a field; copy it again
  iris   1        onnxruntime  x FP32[-1,4] -> label INT64[-1], probabilities FP32[-1,3]  3.2 KiB  12 ms  ready
         2 *      onnxruntime  x FP32[-1,4] -> label INT64[-1], probabilities FP32[-1,3]  3.2 KiB  12 ms  ready
  * the version that answers when a request names none
  ignored notes.txt: not a model of any backend

  Inference  http://127.0.0.1:8080/v2
  Metrics    http://127.0.0.1:8080/metrics
  Docs       http://127.0.0.1:8080/docs
  gRPC       127.0.0.1:8080
  Backend    onnxruntime 1.27.0

Try it:
curl -s -w '\n' 'http://127.0.0.1:8080/v2/models/iris/infer' -H 'Content-Type: application/json' -d '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0.5,0.5,0.5,0.5]}]}'

)";
  EXPECT_EQ(format_start_up_card(card, {120, false}), expected);
}

TEST(StartUpCard, FoldsLongSignaturesToTheTerminal) {
  StartUpCard card;
  card.models = {ready("iris", "1", true)};
  const std::string text = format_start_up_card(card, {80, false});
  EXPECT_THAT(text, HasSubstr(R"(
  MODEL  VERSION  BACKEND      INPUTS -> OUTPUTS             SIZE   LOAD  STATUS
  iris   1 *      onnxruntime  x FP32[-1,4]               3.2 KiB  12 ms  ready
                               -> label INT64[-1],
                               probabilities FP32[-1,3]
)"));
}

TEST(StartUpCard, TellsWhatAnEmptyFolderShouldHold) {
  EXPECT_EQ(format_start_up_card({}, {}), "\nProtean " PROTEAN_VERSION
                                          " - no models yet\n\n  The folder holds no model: NAME.onnx, NAME/model.onnx "
                                          "or NAME/VERSION/model.onnx.\n\n");
}

TEST(StartUpCard, PaintsOnlyWhenAskedTo) {
  StartUpCard card;
  card.models = {ready("iris", "1", true), broken("x", "why")};
  EXPECT_THAT(format_start_up_card(card, {100, false}), Not(HasSubstr("\x1b")));
  const std::string text = format_start_up_card(card, {100, true});
  EXPECT_THAT(text, HasSubstr("\x1b[32mready\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[31munavailable\x1b[0m"));
}

TEST(StartUpCard, NamesCannotMoveTheCursor) {
  StartUpCard card;
  card.models = {broken("evil\x1b[2J", "bad\nline\x9b")};
  card.ignored = {{"a\rb", "c\x07"}};
  const std::string text = format_start_up_card(card, {100, false});
  EXPECT_THAT(text, HasSubstr("evil?[2J"));
  EXPECT_THAT(text, HasSubstr("bad?line?"));
  EXPECT_THAT(text, HasSubstr("ignored a?b: c?"));
  EXPECT_EQ(text.find_first_of("\x1b\r\x07\x9b"), std::string::npos);
}

TEST(FormatSize, HasThreeDigitsAtMost) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1.0 KiB");
  EXPECT_EQ(format_size(3277), "3.2 KiB");
  EXPECT_EQ(format_size(10 * 1024), "10 KiB");
  EXPECT_EQ(format_size(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(format_size(std::uint64_t{5} << 40), "5.0 TiB");
}

TEST(Fold, BreaksAtSpacesAndInsideLongWords) {
  EXPECT_THAT(fold("", 5), ElementsAre(""));
  EXPECT_THAT(fold("abc de", 6), ElementsAre("abc de"));
  EXPECT_THAT(fold("abc defg", 5), ElementsAre("abc", "defg"));
  EXPECT_THAT(fold("abc de", 3), ElementsAre("abc", "de"));
  EXPECT_THAT(fold("abcdefg", 3), ElementsAre("abc", "def", "g"));
  EXPECT_THAT(fold("   x", 2), ElementsAre("  ", "x"));
  EXPECT_THAT(fold("a\xC2\xA0"
                   "b c",
                   4),
              ElementsAre("a b", "c"));
  EXPECT_THAT(fold("a bb\xC2\xA0"
                   "cc",
                   5),
              ElementsAre("a", "bb cc"));
  EXPECT_THAT(fold("aa\xC2\xA0"
                   "bb",
                   3),
              ElementsAre("aa", "bb"));
}

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("\xC3\xA9"), 1);                  // e with acute accent
  EXPECT_EQ(display_width("e\xCC\x81"), 1);                 // e and a combining acute accent
  EXPECT_EQ(display_width("\xE6\xA8\xA1\xE5\x9E\x8B"), 4);  // two Chinese characters
  EXPECT_THAT(fold("\xE6\xA8\xA1\xE5\x9E\x8B", 3), ElementsAre("\xE6\xA8\xA1", "\xE5\x9E\x8B"));
}

}  // namespace
}  // namespace protean
