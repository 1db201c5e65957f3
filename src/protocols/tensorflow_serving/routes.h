// SPDX-License-Identifier: Apache-2.0
// The paths of the REST API, with the quirks that clients of TensorFlow Serving may rely on: the whole target is
// matched, its query included, letters in either case; names are percent-decoded after that.
#pragma once

#include <string>
#include <string_view>

#include "core/http.h"

namespace protean::tfserving {

/// kOutside: not below /v1/.  kMalformed: below it, but nothing that can be asked.  kVersionTooLarge: a number above
/// 2^63-1.  kUnnamed: status or metadata of no model.
enum class RouteKind : unsigned char {
  kOutside,
  kMalformed,
  kVersionTooLarge,
  kUnnamed,
  kOptions,
  kPredict,
  kClassify,
  kRegress,
  kStatus,
  kMetadata,
};

/// `version`: digits without leading zeros; `label`: at most one of the two is set.
struct Route {
  RouteKind kind = RouteKind::kOutside;
  std::string model = {};
  std::string version = {};
  std::string label = {};
};

/// Path and query as they were sent, which is what messages show.
[[nodiscard]] std::string target_of(const RequestHead& head);

/// `method`: GET, POST and so on.  Thread-safe.
[[nodiscard]] Route find_route(std::string_view method, std::string_view target);

/// `/v1/models` or below it, in any case: what this protocol takes of a listener that it shares.
[[nodiscard]] bool is_models_path(std::string_view path) noexcept;
/// Below `/v1/`, in any case.
[[nodiscard]] bool is_api_path(std::string_view path) noexcept;

}  // namespace protean::tfserving
