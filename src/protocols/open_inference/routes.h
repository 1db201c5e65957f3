// SPDX-License-Identifier: Apache-2.0
// Which question a path below /v2 asks. The one list of this dialect's REST routes.
#pragma once

#include <string>
#include <string_view>

namespace protean {

enum class RouteKind : unsigned char {
  kUnknown,  // no such path
  kServerMetadata,
  kLive,
  kReady,
  kModels,
  kModelMetadata,
  kModelReady,
  kInfer,
  kInferStream,
  kExplain,
  kIndex,
  kLoad,
  kUnload,
};

/// `method`: the one the route takes; empty for kUnknown.
struct Route {
  RouteKind kind = RouteKind::kUnknown;
  std::string_view method;
  std::string model;
  std::string version;
};

/// `path` without the query; segments are percent-decoded one by one.  Thread-safe.
[[nodiscard]] Route find_route(std::string_view path);

}  // namespace protean
