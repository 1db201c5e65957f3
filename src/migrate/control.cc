// SPDX-License-Identifier: Apache-2.0
// Three paths; everything else is refused with what there is.
#include "migrate/control.h"

#include <fmt/format.h>

#include "base/text.h"
#include "migrate/json_value.h"
#include "migrate/report.h"

namespace protean::migrate {
namespace {

Response refusal(int status, std::string_view message) {
  std::string body = "{\"error\":";
  append_json_string(body, message);
  return make_response(status, "application/json", Slice::of(body + "}"));
}

Response page(const Migration& migration) {
  const std::string html = format_report_html(make_report(migration), true);
  Response response = make_response(200, "text/html; charset=utf-8", Slice::of(html));
  response.headers.emplace_back("cache-control", "no-store");
  response.headers.emplace_back("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
  return response;
}

Response set_weight(Migration& migration, const RequestHead& head, const Slice& body) {
  if (head.headers.find("origin")) return refusal(403, "the weight cannot be changed by a web page");
  const auto weight = parse_weight(body.text());
  if (!weight) return refusal(400, weight.error().message);
  migration.set_weight(*weight, "asked for by " + head.peer);
  return make_response(200, "application/json", Slice::of(fmt::format("{{\"to\":{}}}", *weight)));
}

}  // namespace

Response answer_control(Migration& migration, const RequestHead& head, const Slice& body) {
  const bool reads = head.method == "GET" || head.method == "HEAD";
  if (head.path == "/" && reads) return page(migration);
  if (head.path == "/status" && reads) {
    return make_response(200, "application/json", Slice::of(format_report_json(make_report(migration))));
  }
  if (head.path == "/weight" && head.method == "PUT") return set_weight(migration, head, body);
  if (head.path == "/report" && head.method == "POST") {
    migration.wish_report();
    return make_response(202, "application/json", Slice::of("{}"));
  }
  if (head.path == "/" || head.path == "/status" || head.path == "/weight" || head.path == "/report") {
    return refusal(405, fmt::format("{} {}: expected GET /, GET /status, PUT /weight or POST /report",
                                    printable(head.method), printable(head.path)));
  }
  return refusal(404, fmt::format("path {}: expected /, /status, /weight or /report", printable(head.path)));
}

Result<double> parse_weight(std::string_view json) {
  const auto value = parse_json(json);
  if (!value) return tl::unexpected(value.error());
  const JsonValue* to = value->find("to");
  const bool number = to != nullptr && to->kind == JsonValue::Kind::kNumber;
  const double weight = number ? json_number(to->token) : -1;
  if (weight >= 0 && weight <= 1 && value->items.size() == 1) return weight;
  return fail(Code::kInvalidArgument,
              fmt::format("weight: found {}, expected {{\"to\": N}} with N from 0 to 1", printable(json)));
}

}  // namespace protean::migrate
