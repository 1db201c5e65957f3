// SPDX-License-Identifier: Apache-2.0
// Headers, path segments and responses as every transport and protocol uses them.
#include "core/http.h"

#include <gtest/gtest.h>

#include "core/inference.h"
#include "core/memory_budget.h"
#include "core/operation.h"

namespace protean {
namespace {

TEST(HeaderList, FindsTheFirstFieldIgnoringCase) {
  HeaderList headers;
  headers.add("Content-Type", "application/json");
  headers.add("X", "1");
  headers.add("x", "2");
  headers.add("Empty", "");
  EXPECT_EQ(headers.find("content-type"), "application/json");
  EXPECT_EQ(headers.find("X"), "1");
  EXPECT_EQ(headers.find("empty"), "");
  EXPECT_EQ(headers.find("content-typ"), std::nullopt);
  EXPECT_EQ(headers.size(), 4);
  EXPECT_EQ(headers.name(2), "x");
  EXPECT_EQ(headers.value(2), "2");
}

TEST(HeaderList, KeepsEveryFieldAsItGrows) {
  HeaderList headers;
  for (int i = 0; i < 1000; ++i)
    headers.add("name-" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(headers.find("NAME-" + std::to_string(i)), std::string(static_cast<std::size_t>(i), 'v'));
  }
}

TEST(DecodeSegment, UndoesPercentEncoding) {
  EXPECT_EQ(decode_segment("iris"), "iris");
  EXPECT_EQ(decode_segment("a%20b%C3%A9+c"), "a b\xC3\xA9+c");
  EXPECT_EQ(decode_segment("%25"), "%");
  EXPECT_EQ(decode_segment("..."), "...");
}

TEST(DecodeSegment, RefusesWhatCouldBecomeAnotherPath) {
  for (const char* bad : {"", ".", "..", "%2e%2E", "%2e", "a%2Fb", "a/b", "a%00b", "%", "%1", "%g0", "%0g", "a%2"}) {
    EXPECT_FALSE(decode_segment(bad)) << bad;
  }
  EXPECT_FALSE(decode_segment(std::string_view("a\0b", 3)));
}

TEST(Response, AddsUpItsParts) {
  Response response = make_response(200, "text/plain", Slice::of("abc"));
  response.body.push_back(Slice::of_static("de"));
  EXPECT_EQ(response.body_size(), 5);
  EXPECT_EQ(make_response(204, "text/plain", {}).body.size(), 0);
}

TEST(ReasonPhrase, ExistsForTheStatusesInUse) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(413), "Content Too Large");
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

TEST(Parameters, AreFoundByName) {
  const Parameters parameters = {{"a", true}, {"b", std::string("x")}};
  ASSERT_NE(find_parameter(parameters, "b"), nullptr);
  EXPECT_EQ(std::get<std::string>(*find_parameter(parameters, "b")), "x");
  EXPECT_EQ(find_parameter(parameters, "c"), nullptr);
}

TEST(VersionState, IsSpelledAsTheRepositoryExtensionDoes) {
  EXPECT_EQ(version_state_name(VersionState::kLoading), "LOADING");
  EXPECT_EQ(version_state_name(VersionState::kReady), "READY");
  EXPECT_EQ(version_state_name(VersionState::kUnloading), "UNLOADING");
  EXPECT_EQ(version_state_name(VersionState::kUnavailable), "UNAVAILABLE");
}

TEST(MemoryBudget, NeverHandsOutMoreThanItHas) {
  MemoryBudget budget(100);
  {
    Reservation first(budget);
    EXPECT_TRUE(first.grow_to(60));
    EXPECT_TRUE(first.grow_to(10));  // never shrinks
    Reservation second(budget);
    EXPECT_FALSE(second.grow_to(41));
    EXPECT_FALSE(second.grow_to(SIZE_MAX));
    EXPECT_TRUE(second.grow_to(40));
    EXPECT_EQ(budget.held(), 100);
    const Reservation moved = std::move(second);
    EXPECT_EQ(budget.held(), 100);
  }
  EXPECT_EQ(budget.held(), 0);
}

}  // namespace
}  // namespace protean
