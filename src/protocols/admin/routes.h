// SPDX-License-Identifier: Apache-2.0
// Which question a path below /admin/v1 asks. The one list of this dialect's routes.
#pragma once

#include <string>
#include <string_view>

namespace protean {

enum class AdminRouteKind : unsigned char {
  kUnknown,
  kModels,
  kModel,
  kLoad,
  kUnload,
  kAliases,
  kModelAlias,
  kHistory,
};

/// `methods`: those the path takes, as an Allow field has them; empty for kUnknown.
/// `queries`: the names that may stand behind `?`, separated by `|`.
struct AdminRoute {
  AdminRouteKind kind = AdminRouteKind::kUnknown;
  std::string_view methods;
  std::string_view queries;
  std::string model;
  std::string alias;

  [[nodiscard]] bool takes(std::string_view method) const;
};

/// `path` without the query; segments are percent-decoded one by one.  Thread-safe.
[[nodiscard]] AdminRoute find_admin_route(std::string_view path);

/// `: did you mean GET /admin/v1/models?`, or the whole list when nothing is near.
[[nodiscard]] std::string nearest_admin_route(std::string_view path);

}  // namespace protean
