// SPDX-License-Identifier: Apache-2.0
// A matcher for two patterns, each a name, a version or label, and an end.
#include "protocols/tensorflow_serving/routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/text.h"

namespace protean::tfserving {
namespace {

constexpr std::string_view kModels = "/v1/models";

bool starts_ignoring_case(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && equals_ignore_case(text.substr(0, prefix.size()), prefix);
}

/// One or more characters up to a slash, a colon or the end.
std::string_view take_name(std::string_view& rest) noexcept {
  const std::string_view name = rest.substr(0, rest.find_first_of("/:"));
  rest.remove_prefix(name.size());
  return name;
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char letter = static_cast<char>(c | 0x20);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/// A percent sign that starts no escape stays; `+` is no space.
std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && text.size() - i > 2;
    const int high = escape ? hex_value(text[i + 1]) : -1;
    const int low = escape ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// The optional `/versions/N` or `/labels/L`. False when neither is there and `rest` is as it was.
bool take_version(std::string_view& rest, Route& route) {
  std::string_view at = rest;
  if (starts_ignoring_case(at, "/versions/")) {
    at.remove_prefix(10);
    const std::string_view digits = at.substr(0, std::min(at.find_first_not_of("0123456789"), at.size()));
    if (digits.empty()) return false;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc()) route.kind = RouteKind::kVersionTooLarge;
    route.version = std::to_string(number);
    rest = at.substr(digits.size());
    return true;
  }
  if (starts_ignoring_case(at, "/labels/")) {
    at.remove_prefix(8);
    const std::string_view label = take_name(at);
    if (label.empty()) return false;
    route.label = percent_decoded(label);
    rest = at;
    return true;
  }
  return false;
}

/// Keeps what an earlier step found out.
Route with_kind(Route route, RouteKind kind) {
  if (route.kind != RouteKind::kVersionTooLarge) route.kind = kind;
  return route;
}

Route find_prediction(std::string_view rest) {
  constexpr std::array<std::pair<std::string_view, RouteKind>, 3> kVerbs = {{
      {":predict", RouteKind::kPredict},
      {":classify", RouteKind::kClassify},
      {":regress", RouteKind::kRegress},
  }};
  Route route;
  if (rest.empty() || rest.front() != '/') return {RouteKind::kMalformed};
  rest.remove_prefix(1);
  const std::string_view name = take_name(rest);
  if (name.empty()) return {RouteKind::kMalformed};
  route.model = percent_decoded(name);
  take_version(rest, route);
  for (const auto& [verb, kind] : kVerbs) {
    if (rest == verb) return with_kind(std::move(route), kind);
  }
  return {RouteKind::kMalformed};
}

/// The end of a status path.
std::optional<RouteKind> status_end(std::string_view rest) noexcept {
  if (rest.empty()) return RouteKind::kStatus;
  if (rest == "/metadata") return RouteKind::kMetadata;
  if (equals_ignore_case(rest, "/metadata")) return RouteKind::kStatus;
  return std::nullopt;
}

Route find_status(std::string_view rest) {
  if (rest.size() > 1 && rest.front() == '/') {
    Route route;
    std::string_view at = rest.substr(1);
    const std::string_view name = take_name(at);
    take_version(at, route);
    const auto end = status_end(at);
    if (!name.empty() && end) {
      route.model = percent_decoded(name);
      return with_kind(std::move(route), *end);
    }
  }
  Route route;
  take_version(rest, route);
  return {status_end(rest) ? RouteKind::kUnnamed : RouteKind::kMalformed};
}

}  // namespace

std::string target_of(const RequestHead& head) { return head.query.empty() ? head.path : head.path + "?" + head.query; }

Route find_route(std::string_view method, std::string_view target) {
  if (!is_api_path(target)) return {RouteKind::kOutside};
  if (method == "OPTIONS") return {RouteKind::kOptions};
  if (!starts_ignoring_case(target, kModels)) return {RouteKind::kMalformed};
  if (method == "POST") return find_prediction(target.substr(kModels.size()));
  if (method == "GET") return find_status(target.substr(kModels.size()));
  return {RouteKind::kMalformed};
}

bool is_models_path(std::string_view path) noexcept {
  return starts_ignoring_case(path, kModels) && (path.size() == kModels.size() || path[kModels.size()] == '/');
}

bool is_api_path(std::string_view path) noexcept { return starts_ignoring_case(path, "/v1/"); }

}  // namespace protean::tfserving
