// SPDX-License-Identifier: Apache-2.0
// Paths and the questions they ask.
#include "protocols/open_inference/routes.h"

#include <gtest/gtest.h>

namespace protean {
namespace {

TEST(FindRoute, KnowsEveryPath) {
  EXPECT_EQ(find_route("/v2").kind, RouteKind::kServerMetadata);
  EXPECT_EQ(find_route("/v2/health/live").kind, RouteKind::kLive);
  EXPECT_EQ(find_route("/v2/health/ready").kind, RouteKind::kReady);
  EXPECT_EQ(find_route("/v2/models").kind, RouteKind::kModels);
  EXPECT_EQ(find_route("/v2/models/m").kind, RouteKind::kModelMetadata);
  EXPECT_EQ(find_route("/v2/models/m/ready").kind, RouteKind::kModelReady);
  EXPECT_EQ(find_route("/v2/repository/index").kind, RouteKind::kIndex);
  EXPECT_EQ(find_route("/v2/repository/models/m/load").kind, RouteKind::kLoad);
  EXPECT_EQ(find_route("/v2/repository/models/m/unload").kind, RouteKind::kUnload);
}

TEST(FindRoute, TakesModelAndVersionFromTheirSegments) {
  const Route plain = find_route("/v2/models/iris/infer");
  EXPECT_EQ(plain.kind, RouteKind::kInfer);
  EXPECT_EQ(plain.method, "POST");
  EXPECT_EQ(plain.model, "iris");
  EXPECT_EQ(plain.version, "");
  const Route versioned = find_route("/v2/models/iris/versions/3/infer");
  EXPECT_EQ(versioned.kind, RouteKind::kInfer);
  EXPECT_EQ(versioned.version, "3");
  EXPECT_EQ(find_route("/v2/models/a%20b/ready").model, "a b");
  EXPECT_EQ(find_route("/v2/mod%65ls/m").kind, RouteKind::kModelMetadata);
}

TEST(FindRoute, RefusesWhatIsNoRoute) {
  for (const auto path :
       {"/v2/", "/v2/models/", "/v2/models/m/", "/v2/models//infer", "/v2/models/a%2Fb", "/v2/models/..",
        "/v2/models/%2e%2e/infer", "/v2/models/a%0", "/v2/models/m/infer/x", "/v2/models/m/versions", "/v2x", "v2", "",
        "/", "/v2/models/m/versions/3/config", "/v2/nothing"}) {
    EXPECT_EQ(find_route(path).kind, RouteKind::kUnknown) << path;
  }
}

TEST(FindRoute, TreatsAModelNamedLikeAWordAsAModel) {
  EXPECT_EQ(find_route("/v2/models/ready/ready").model, "ready");
  EXPECT_EQ(find_route("/v2/models/versions/versions/1/ready").model, "versions");
}

}  // namespace
}  // namespace protean
