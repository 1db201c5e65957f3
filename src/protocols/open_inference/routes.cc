// SPDX-License-Identifier: Apache-2.0
// Patterns are matched segment by segment: `{m}` and `{v}` stand for any one segment.
#include "protocols/open_inference/routes.h"

#include <array>
#include <optional>

#include "core/http.h"

namespace protean {
namespace {

struct Pattern {
  std::string_view path;
  RouteKind kind;
  std::string_view method;
};

constexpr std::array<Pattern, 17> kPatterns = {{
    {"/v2/models/{m}/infer", RouteKind::kInfer, "POST"},
    {"/v2/models/{m}/versions/{v}/infer", RouteKind::kInfer, "POST"},
    {"/v2/models/{m}/infer_stream", RouteKind::kInferStream, "POST"},
    {"/v2/models/{m}/versions/{v}/infer_stream", RouteKind::kInferStream, "POST"},
    {"/v2/models/{m}/explain", RouteKind::kExplain, "POST"},
    {"/v2/models/{m}/versions/{v}/explain", RouteKind::kExplain, "POST"},
    {"/v2/health/live", RouteKind::kLive, "GET"},
    {"/v2/health/ready", RouteKind::kReady, "GET"},
    {"/v2/models/{m}/ready", RouteKind::kModelReady, "GET"},
    {"/v2/models/{m}/versions/{v}/ready", RouteKind::kModelReady, "GET"},
    {"/v2/models/{m}", RouteKind::kModelMetadata, "GET"},
    {"/v2/models/{m}/versions/{v}", RouteKind::kModelMetadata, "GET"},
    {"/v2", RouteKind::kServerMetadata, "GET"},
    {"/v2/models", RouteKind::kModels, "GET"},
    {"/v2/repository/index", RouteKind::kIndex, "POST"},
    {"/v2/repository/models/{m}/load", RouteKind::kLoad, "POST"},
    {"/v2/repository/models/{m}/unload", RouteKind::kUnload, "POST"},
}};

/// Takes "/segment" off the front.
std::string_view next_segment(std::string_view& path) noexcept {
  path.remove_prefix(1);
  const std::size_t end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(segment.size());
  return segment;
}

std::optional<Route> match(const Pattern& pattern, std::string_view path) {
  Route route{pattern.kind, pattern.method, {}, {}};
  std::string_view wanted = pattern.path;
  while (!wanted.empty() && path.starts_with('/')) {
    const std::string_view expected = next_segment(wanted);
    const std::string_view found = next_segment(path);
    if (expected != "{m}" && expected != "{v}") {
      // Only escaped text can differ and still mean the same.
      if (found == expected) continue;
      if (found.find('%') == std::string_view::npos || decode_segment(found) != expected) return std::nullopt;
      continue;
    }
    auto name = decode_segment(found);
    if (!name) return std::nullopt;
    (expected == "{m}" ? route.model : route.version) = *std::move(name);
  }
  if (!wanted.empty() || !path.empty()) return std::nullopt;
  return route;
}

}  // namespace

Route find_route(std::string_view path) {
  for (const auto& pattern : kPatterns) {
    if (auto route = match(pattern, path)) return *std::move(route);
  }
  return {};
}

}  // namespace protean
