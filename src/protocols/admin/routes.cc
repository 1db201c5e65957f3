// SPDX-License-Identifier: Apache-2.0
// Patterns are matched segment by segment: `NAME` and `ALIAS` stand for any one segment.
#include "protocols/admin/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/text.h"
#include "core/http.h"

namespace protean {
namespace {

struct Pattern {
  std::string_view path;
  AdminRouteKind kind;
  std::string_view methods;
  std::string_view queries = {};
};

constexpr std::array<Pattern, 7> kPatterns = {{
    {"/admin/v1/models", AdminRouteKind::kModels, "GET, HEAD"},
    {"/admin/v1/models/NAME", AdminRouteKind::kModel, "GET, HEAD"},
    {"/admin/v1/models/NAME/load", AdminRouteKind::kLoad, "POST"},
    {"/admin/v1/models/NAME/unload", AdminRouteKind::kUnload, "POST"},
    {"/admin/v1/models/NAME/aliases/ALIAS", AdminRouteKind::kModelAlias, "PUT, DELETE"},
    {"/admin/v1/aliases", AdminRouteKind::kAliases, "GET, HEAD, PUT, POST", "model"},
    {"/admin/v1/history", AdminRouteKind::kHistory, "GET, HEAD", "model|before|count"},
}};

/// Takes "/segment" off the front.
std::string_view next_segment(std::string_view& path) noexcept {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

std::optional<AdminRoute> match(const Pattern& pattern, std::string_view path) {
  AdminRoute route{pattern.kind, pattern.methods, pattern.queries, {}, {}};
  std::string_view wanted = pattern.path;
  while (!wanted.empty() && path.starts_with('/')) {
    const std::string_view expected = next_segment(wanted);
    auto found = decode_segment(next_segment(path));
    if (!found) return std::nullopt;
    if (expected == "NAME") {
      route.model = *std::move(found);
    } else if (expected == "ALIAS") {
      route.alias = *std::move(found);
    } else if (*found != expected) {
      return std::nullopt;
    }
  }
  if (!wanted.empty() || !path.empty()) return std::nullopt;
  return route;
}

/// The pattern with the path's own segments in the places of names, so that only the fixed words are compared.
std::string filled(const Pattern& pattern, std::string_view path) {
  std::string out;
  std::string_view wanted = pattern.path;
  while (!wanted.empty()) {
    const std::string_view expected = next_segment(wanted);
    const std::string_view found = path.starts_with('/') ? next_segment(path) : std::string_view();
    const bool name = expected == "NAME" || expected == "ALIAS";
    out += fmt::format("/{}", name && !found.empty() ? found : expected);
  }
  return out;
}

}  // namespace

bool AdminRoute::takes(std::string_view method) const {
  const auto all = split(methods, ',');
  return std::ranges::find(all, method) != all.end();
}

AdminRoute find_admin_route(std::string_view path) {
  for (const auto& pattern : kPatterns) {
    if (auto route = match(pattern, path)) return *std::move(route);
  }
  return {};
}

std::string nearest_admin_route(std::string_view path) {
  constexpr std::size_t kPathMax = 256;
  std::vector<std::string> candidates;
  std::vector<std::string_view> all;
  for (const auto& pattern : kPatterns) {
    candidates.push_back(filled(pattern, path.substr(0, kPathMax)));
    all.push_back(pattern.path);
  }
  const auto near = nearest_name(path.substr(0, kPathMax), candidates);
  if (!near) return fmt::format(": expected one of {}", fmt::join(all, ", "));
  const auto at = static_cast<std::size_t>(std::ranges::find(candidates, *near) - candidates.begin());
  return fmt::format(": did you mean {}?", kPatterns.at(at).path);
}

}  // namespace protean
