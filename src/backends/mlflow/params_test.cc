// SPDX-License-Identifier: Apache-2.0
#include "backends/mlflow/params.h"

#include <gtest/gtest.h>

#include "base/result.h"

namespace protean {
namespace {

std::vector<SchemaParam> specs() {
  return {{"alpha", "double", "0.5"},  {"count", "long", "3"},     {"names", "string", "[\"a\"]", true},
          {"day", "datetime", "null"}, {"on", "boolean", "false"}, {"rest", "object", "{\"x\": 1}"}};
}

std::string resolved(const Parameters& given) {
  const auto json = resolve_params(specs(), given);
  return json ? *json : json.error().message;
}

TEST(Params, FillDefaultsInTheOrderOfTheSignature) {
  EXPECT_EQ(resolved({}), R"({"alpha":0.5,"count":3,"names":["a"],"day":null,"on":false,"rest":{"x": 1}})");
}

TEST(Params, WholeNumbersBecomeRealOnesAndNothingElseIsConverted) {
  EXPECT_EQ(resolved({{"alpha", std::int64_t{2}}}).substr(0, 14), R"({"alpha":2.0,")");
  EXPECT_EQ(resolved({{"count", 2.0}}), "parameter 'count': found 2.0, expected long");
  EXPECT_EQ(resolved({{"count", true}}), "parameter 'count': found true, expected long");
  EXPECT_EQ(resolved({{"alpha", std::string("2")}}), R"(parameter 'alpha': found "2", expected double)");
  EXPECT_EQ(resolved({{"on", std::int64_t{1}}}), "parameter 'on': found 1, expected boolean");
}

TEST(Params, AllThatAreWrongAreNamedAndUnknownOnesPassedOver) {
  EXPECT_EQ(resolved({{"on", 1.5}, {"count", false}, {"nobody", 1.0}}),
            "parameter 'count': found false, expected long; parameter 'on': found 1.5, expected boolean");
  EXPECT_EQ(resolved({{"nobody", 1.0}}), resolved({}));
}

TEST(Params, ListsAndObjectsComeAsTheTextOfTheirJson) {
  EXPECT_NE(resolved({{"names", std::string(R"(["x", "ü"])")}}).find(R"("names":["x","ü"])"), std::string::npos);
  EXPECT_NE(resolved({{"rest", std::string(R"({"y": [1, 2]})")}}).find(R"("rest":{"y": [1, 2]})"), std::string::npos);
  for (const char* bad : {"[1]", "x", "[", "{}", "[[\"a\"]]"}) {
    EXPECT_NE(resolved({{"names", std::string(bad)}}).find("expected the text of a JSON list of string"),
              std::string::npos)
        << bad;
  }
  EXPECT_NE(resolved({{"rest", std::string("[]")}}).find("expected the text of a JSON object"), std::string::npos);
}

TEST(Params, DatesAreThoseOfTheCalendar) {
  for (const char* good : {"2024", "2024-02", "2024-02-29", "2024-02-29T23:59", "2024-01-01 00:00:00.123456"}) {
    EXPECT_EQ(resolved({{"day", std::string(good)}}).find("expected"), std::string::npos) << good;
  }
  for (const char* bad :
       {"", "24", "2024-13", "2023-02-29", "2024-01-01T24:00", "2024-01-01T", "today", "2024-01-01T00:00:00."}) {
    EXPECT_NE(resolved({{"day", std::string(bad)}}).find("expected datetime"), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace protean
