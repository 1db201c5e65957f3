// SPDX-License-Identifier: Apache-2.0
// Route, method, query and body become an operation; its outcome becomes JSON.
#include "protocols/admin/protocol.h"

#include <fmt/format.h>

#include "base/text.h"
#include "protocols/admin/requests.h"
#include "protocols/admin/responses.h"
#include "protocols/admin/routes.h"

namespace protean {
namespace {

using Kind = AdminRouteKind;

bool is_read(std::string_view method) noexcept { return method == "GET" || method == "HEAD"; }

Result<Operation> decode_read(const AdminRoute& route, const RequestHead& head) {
  TRY(const auto query, decode_query(head.query, route.queries));
  switch (route.kind) {
    case Kind::kAliases: {
      const auto model = query.find("model");
      return Operation(ListAliases{model == query.end() ? "" : model->second});
    }
    case Kind::kHistory: {
      TRY(HistoryQuery wanted, decode_history_query(query));
      return Operation(ReadHistory{std::move(wanted)});
    }
    default: return Operation(ListModels{});
  }
}

Result<Operation> decode_change(const AdminRoute& route, const RequestView& request) {
  const RequestHead& head = request.head;
  const std::string_view body = request.body.text();
  TRY_STATUS(check_not_from_a_page(head));
  TRY(const auto query, decode_query(head.query, ""));
  std::string actor = actor_of(head);
  if (route.kind == Kind::kAliases) {
    TRY(auto changes, decode_alias_changes(body));
    return Operation(ChangeAliases{std::move(changes), std::move(actor)});
  }
  if (route.kind == Kind::kModelAlias) {
    TRY_STATUS(check_alias_name(route.alias));
    AliasChange change{route.model, route.alias, std::nullopt};
    if (head.method == "PUT") {
      TRY(change.version, decode_alias_version(body));
    } else {
      TRY_STATUS(check_no_body(body));
    }
    return Operation(ChangeAliases{{std::move(change)}, std::move(actor)});
  }
  TRY_STATUS(check_no_body(body));
  if (route.kind == Kind::kLoad) return Operation(LoadModel{route.model, std::move(actor)});
  return Operation(UnloadModel{route.model, std::move(actor)});
}

class Admin final : public Protocol {
 public:
  [[nodiscard]] std::string_view id() const noexcept override { return "admin"; }

  [[nodiscard]] bool claims(const RequestHead& head) const noexcept override {
    return head.wire != Wire::kGrpc && (head.path == "/admin" || head.path.starts_with("/admin/"));
  }

  [[nodiscard]] Result<Operation> decode(const RequestView& request) const override {
    const RequestHead& head = request.head;
    const AdminRoute route = find_admin_route(head.path);
    if (route.kind == Kind::kUnknown) {
      return fail(Code::kNotFound,
                  fmt::format("no such path: {}{}", printable(head.path), nearest_admin_route(head.path)));
    }
    if (!route.takes(head.method)) {
      return fail(Code::kUnimplemented, fmt::format("{}: method {}, expected {}", printable(head.path),
                                                    printable(head.method), route.methods));
    }
    return is_read(head.method) ? decode_read(route, head) : decode_change(route, request);
  }

  [[nodiscard]] Result<Response> encode(const RequestView& request, const Operation& operation,
                                        Outcome outcome) const override {
    if (const auto* models = std::get_if<std::vector<VersionStatus>>(&outcome)) {
      const AdminRoute route = find_admin_route(request.head.path);
      if (route.kind == Kind::kModel) return encode_admin_model(*models, route.model);
      return encode_admin_models(*models);
    }
    if (const auto* aliases = std::get_if<std::vector<Alias>>(&outcome)) return encode_admin_aliases(*aliases);
    if (const auto* records = std::get_if<std::vector<HistoryRecord>>(&outcome)) {
      const auto* read = std::get_if<ReadHistory>(&operation);
      return encode_admin_history(*records, read == nullptr ? kHistoryCountDefault : read->query.count_max);
    }
    if (const auto* change = std::get_if<ChangeAliases>(&operation)) return encode_admin_changes(change->changes);
    if (const auto* load = std::get_if<LoadModel>(&operation)) return encode_admin_done(load->model, "load");
    if (const auto* unload = std::get_if<UnloadModel>(&operation)) return encode_admin_done(unload->model, "unload");
    return fail(Code::kInternal, "an outcome that does not answer the request");
  }

  [[nodiscard]] Response encode_error(const RequestView& request, const Error& error) const override {
    Response response = encode_admin_error(error);
    const AdminRoute route = find_admin_route(request.head.path);
    if (route.kind == Kind::kUnknown || route.takes(request.head.method)) return response;
    response.status = 405;
    response.headers.emplace_back("allow", route.methods);
    return response;
  }
};

}  // namespace

std::unique_ptr<Protocol> make_admin() { return std::make_unique<Admin>(); }

}  // namespace protean
