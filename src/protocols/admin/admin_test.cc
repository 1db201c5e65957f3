// SPDX-License-Identifier: Apache-2.0
// What *.case files cannot say; the wire is in tests/conformance/admin.
#include <gmock/gmock.h>

#include "protocols/admin/json_value.h"
#include "protocols/admin/protocol.h"
#include "protocols/admin/requests.h"
#include "protocols/admin/responses.h"
#include "protocols/admin/routes.h"

namespace protean {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto value = parse_admin_json(text);
  return value ? "accepted" : value.error().message;
}

TEST(AdminJson, ReadsEveryKindOfValue) {
  const auto value =
      parse_admin_json(R"( {"a":[1,-2,0.5,1e3,18446744073709551615,18446744073709551616],"b":{"c":null},"d":true} )");
  ASSERT_TRUE(value) << value.error().message;
  const auto& members = *value->as<JsonObject>();
  const auto& numbers = *members[0].value.as<JsonArray>();
  EXPECT_EQ(*numbers[0].as<std::uint64_t>(), 1U);
  for (const std::size_t i : {1U, 2U, 3U, 5U}) EXPECT_NE(numbers[i].as<JsonOtherNumber>(), nullptr);
  EXPECT_EQ(*numbers[4].as<std::uint64_t>(), UINT64_MAX);
  EXPECT_NE((*members[1].value.as<JsonObject>())[0].value.as<JsonNull>(), nullptr);
  EXPECT_TRUE(*members[2].value.as<bool>());
}

TEST(AdminJson, ReadsEscapes) {
  const auto value = parse_admin_json(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00")");
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(*value->as<std::string>(), "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(AdminJson, RefusesWhatIsNotJson) {
  for (const char* bad : {"",
                          " ",
                          "{",
                          "[1,]",
                          "[1 2]",
                          "{\"a\"}",
                          "{a:1}",
                          "01",
                          "1.",
                          ".5",
                          "1e",
                          "+1",
                          "-",
                          "tru",
                          "nul",
                          "\"",
                          "\"\\x\"",
                          "\"\\u12\"",
                          "\"\\ud800\"",
                          "\"\\ud800\\u0041\"",
                          "\"\\udc00\"",
                          "1 2",
                          "\"a\nb\"",
                          "\"\xFF\"",
                          "NaN",
                          "{\"a\":1,\"a\":2}",
                          "// x\n1"}) {
    EXPECT_THAT(error_of(bad), HasSubstr("malformed JSON at byte ")) << bad;
  }
}

TEST(AdminJson, BoundsDepthAndSize) {
  EXPECT_EQ(error_of("[[[[[[[[1]]]]]]]]"), "accepted");
  EXPECT_THAT(error_of("[[[[[[[[[1]]]]]]]]]"), HasSubstr("at most 8 levels"));
  EXPECT_THAT(error_of(std::string(1'000'000, '[')), HasSubstr("at most 8 levels"));
  EXPECT_THAT(error_of("\"" + std::string(kAdminBytesMax, 'x') + "\""), HasSubstr("expected at most 1048576"));
}

TEST(AdminRequests, BoundsTheNumberOfChanges) {
  std::string body = R"({"changes":[)";
  for (std::size_t i = 0; i <= kAliasChangesMax; ++i) {
    body += (i == 0 ? "" : ",") + std::string(R"({"model":"m","alias":"a)") + std::to_string(i) + R"(","version":1})";
  }
  EXPECT_THAT(decode_alias_changes(body + "]}").error().message, HasSubstr("found 4097 changes"));
}

TEST(AdminRequests, NamesTheActorWithItsAddress) {
  RequestHead head;
  head.peer = "127.0.0.1:5000";
  EXPECT_EQ(actor_of(head), "127.0.0.1:5000");
  head.headers.add("X-Protean-Actor", "ann.b+c@example.org");
  EXPECT_EQ(actor_of(head), "ann.b+c@example.org (127.0.0.1:5000)");
  for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("x) (10.0.0.1"),
                                 std::string("\xC3\xA9")}) {
    RequestHead other;
    other.peer = "peer";
    other.headers.add("x-protean-actor", bad);
    EXPECT_EQ(actor_of(other), "peer") << bad;
  }
}

TEST(AdminRequests, DecodesQueries) {
  const auto query = decode_query("model=a%2Fb+c&count=7", "model|count");
  ASSERT_TRUE(query) << query.error().message;
  EXPECT_EQ(query->at("model"), "a/b c");
  EXPECT_FALSE(decode_query("model=%2", "model"));
  EXPECT_FALSE(decode_query("model=%zz", "model"));
  EXPECT_FALSE(decode_query("model=a&model=b", "model"));
  EXPECT_FALSE(decode_query("model=a", ""));
}

TEST(AdminRoutes, RefuseEscapedSeparatorsAndParents) {
  EXPECT_EQ(find_admin_route("/admin/v1/models/a%2Fb").kind, AdminRouteKind::kUnknown);
  EXPECT_EQ(find_admin_route("/admin/v1/models/..").kind, AdminRouteKind::kUnknown);
  EXPECT_EQ(find_admin_route("/admin/v1/models/").kind, AdminRouteKind::kUnknown);
  EXPECT_EQ(find_admin_route("/admin/v1/models/a%20b/load").model, "a b");
}

TEST(AdminResponses, TellsEverythingAboutAVersion) {
  VersionStatus status;
  status.model = "iris\"";
  status.version = "3";
  status.state = VersionState::kReady;
  status.backend = "onnxruntime";
  status.is_default = true;
  status.aliases = {"champion", "default"};
  status.notes = {"batches of up to 64 rows"};
  status.scheduling = "inline (9 us a run)";
  status.memory = {1000, 2000};
  status.files_bytes = 30;
  status.load_ms = 1.5;
  auto signature = std::make_shared<Signature>();
  signature->platform = "onnx_onnxv1";
  signature->inputs.push_back({"x", DataType::kFp32, {-1, 4}, {}, false, false});
  signature->outputs.push_back({"y", DataType::kInt64, {}, {}, false, true});
  status.signature = signature;
  const auto response = encode_admin_models({status});
  const std::string_view expected =
      R"~({"models":[{"name":"iris\"","versions":[{"version":3,"state":"READY","default":true,)~"
      R"~("aliases":["champion","default"],"backend":"onnxruntime","scheduling":"inline (9 us a run)",)~"
      R"~("notes":["batches of up to 64 rows"],"memory":{"private_bytes":1000,"mapped_bytes":2000},)~"
      R"~("files_bytes":30,"load_ms":1.500,"platform":"onnx_onnxv1",)~"
      R"~("inputs":[{"name":"x","datatype":"FP32","shape":[-1,4]}],)~"
      R"~("outputs":[{"name":"y","datatype":"INT64","shape":null}]}]}]})~";
  EXPECT_EQ(response.body.at(0).text(), expected);
  EXPECT_TRUE(parse_admin_json(response.body.at(0).text()));
}

TEST(AdminProtocol, ClaimsItsPathsOnly) {
  const auto admin = make_admin();
  RequestHead head;
  for (const char* path : {"/admin", "/admin/", "/admin/v1/models"}) {
    head.path = path;
    EXPECT_TRUE(admin->claims(head)) << path;
  }
  for (const char* path : {"/", "/administrator", "/v2"}) {
    head.path = path;
    EXPECT_FALSE(admin->claims(head)) << path;
  }
  head.path = "/admin/v1/models";
  head.wire = Wire::kGrpc;
  EXPECT_FALSE(admin->claims(head));
}

}  // namespace
}  // namespace protean
