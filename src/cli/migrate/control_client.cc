// SPDX-License-Identifier: Apache-2.0
// One request, one answer.
#include "cli/migrate/control_client.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/load/load_plan.h"
#include "cli/migrate/migrate_options.h"

namespace protean {

Status send_weight(const std::string& control, double weight) {
  SideUrls place;
  TRY_STATUS(add_url("control", "http://" + control, place));
  TRY(const auto target, resolve_target(place.http->host, place.http->port));
  auto request = std::make_shared<const ClientRequest>(
      make_http_request({"PUT", place.http->authority, "/weight", {{"content-type", "application/json"}}},
                        Slice::of(fmt::format("{{\"to\":{}}}", weight))));
  TRY(const auto reply, send_once(target, false, std::move(request), std::chrono::seconds(10)));
  if (reply.status == 200) return {};
  return fail(Code::kInternal,
              fmt::format("control {}: HTTP {}: {}", control, reply.status, printable(reply.body, 500)));
}

}  // namespace protean
