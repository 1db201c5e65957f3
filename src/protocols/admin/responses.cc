// SPDX-License-Identifier: Apache-2.0
// Written by hand into one string; names and messages are escaped, bytes that are not UTF-8 become U+FFFD.
#include "protocols/admin/responses.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/text.h"

namespace protean {
namespace {

/// Members with commas between them; the caller opens and closes.
class Writer {
 public:
  void open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void name(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
    first_ = true;
  }
  void text(std::string_view value) {
    separate();
    append_json_string(out_, value);
  }
  void raw(std::string_view value) {
    separate();
    out_ += value;
  }
  void member(std::string_view key, std::string_view value) {
    name(key);
    text(value);
  }
  void raw_member(std::string_view key, std::string_view value) {
    name(key);
    raw(value);
  }
  void texts(std::string_view key, const std::vector<std::string>& values) {
    name(key);
    open('[');
    for (const auto& value : values) text(value);
    close(']');
  }
  [[nodiscard]] Response finish(int status) && {
    Response response = make_response(status, "application/json", Slice::of(std::move(out_)));
    response.headers.emplace_back("cache-control", "no-store");
    response.headers.emplace_back("x-content-type-options", "nosniff");
    return response;
  }

 private:
  void separate() {
    if (!std::exchange(first_, false)) out_ += ',';
  }

  std::string out_;
  bool first_ = true;
};

/// A number where it is one, as in aliases.
void write_version(Writer& out, const std::string& version) {
  if (version.empty()) {
    out.raw_member("version", "null");
  } else if (parse_uint64(version)) {
    out.raw_member("version", fmt::format("{}", *parse_uint64(version)));
  } else {
    out.member("version", version);
  }
}

void write_tensors(Writer& out, std::string_view key, const std::vector<TensorSpec>& tensors) {
  out.name(key);
  out.open('[');
  for (const auto& tensor : tensors) {
    out.open('{');
    out.member("name", tensor.name);
    out.member("datatype", data_type_name(tensor.type));
    out.raw_member("shape", tensor.any_rank ? "null" : format_shape(tensor.shape));
    out.close('}');
  }
  out.close(']');
}

void write_status(Writer& out, const VersionStatus& status) {
  out.open('{');
  write_version(out, status.version);
  out.member("state", version_state_name(status.state));
  if (!status.reason.empty()) out.member("reason", status.reason);
  out.raw_member("default", status.is_default ? "true" : "false");
  out.texts("aliases", status.aliases);
  if (!status.backend.empty()) out.member("backend", status.backend);
  if (!status.scheduling.empty()) out.member("scheduling", status.scheduling);
  out.texts("notes", status.notes);
  out.name("memory");
  out.open('{');
  out.raw_member("private_bytes", fmt::format("{}", status.memory.private_bytes));
  out.raw_member("mapped_bytes", fmt::format("{}", status.memory.mapped_bytes));
  out.close('}');
  out.raw_member("files_bytes", fmt::format("{}", status.files_bytes));
  out.raw_member("load_ms", std::isfinite(status.load_ms) ? fmt::format("{:.3f}", status.load_ms) : "null");
  if (status.signature != nullptr) {
    out.member("platform", status.signature->platform);
    write_tensors(out, "inputs", status.signature->inputs);
    write_tensors(out, "outputs", status.signature->outputs);
  }
  out.close('}');
}

/// The rows from `at` on that are of one model; returns where the next one begins.
std::size_t write_model(Writer& out, const std::vector<VersionStatus>& versions, std::size_t at) {
  const std::string& model = versions[at].model;
  out.open('{');
  out.member("name", model);
  out.name("versions");
  out.open('[');
  for (; at < versions.size() && versions[at].model == model; ++at) write_status(out, versions[at]);
  out.close(']');
  out.close('}');
  return at;
}

int http_status_of(Code code) noexcept {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kOutOfRange: return 400;
    case Code::kUnauthenticated: return 401;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kAborted:
    case Code::kFailedPrecondition: return 409;
    case Code::kCancelled: return 499;
    case Code::kUnimplemented: return 501;
    case Code::kResourceExhausted:
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
    default: return 500;
  }
}

}  // namespace

Response encode_admin_models(const std::vector<VersionStatus>& versions) {
  Writer out;
  out.open('{');
  out.name("models");
  out.open('[');
  for (std::size_t at = 0; at < versions.size();) at = write_model(out, versions, at);
  out.close(']');
  out.close('}');
  return std::move(out).finish(200);
}

Result<Response> encode_admin_model(const std::vector<VersionStatus>& versions, std::string_view model) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < versions.size(); ++at) {
    if (versions[at].model == model) {
      Writer out;
      write_model(out, versions, at);
      return std::move(out).finish(200);
    }
    if (names.empty() || names.back() != versions[at].model) names.push_back(versions[at].model);
  }
  const auto near = nearest_name(model, names);
  return fail(Code::kNotFound,
              fmt::format("no model '{}'{}", printable(model), near ? fmt::format(": did you mean '{}'?", *near) : ""));
}

Response encode_admin_aliases(const std::vector<Alias>& aliases) {
  Writer out;
  out.open('{');
  out.name("aliases");
  out.open('[');
  for (const auto& alias : aliases) {
    out.open('{');
    out.member("model", alias.model);
    out.member("alias", alias.alias);
    out.raw_member("version", fmt::format("{}", alias.version));
    out.close('}');
  }
  out.close(']');
  out.close('}');
  return std::move(out).finish(200);
}

Response encode_admin_history(const std::vector<HistoryRecord>& records, std::size_t count_max) {
  Writer out;
  out.open('{');
  out.name("history");
  out.open('[');
  for (const auto& record : records) {
    out.open('{');
    out.raw_member("id", fmt::format("{}", record.id));
    out.member("at", format_utc(record.at));
    out.member("actor", record.actor);
    out.member("action", record.action);
    out.member("model", record.model);
    out.member("detail", record.detail);
    out.member("outcome", record.outcome);
    out.close('}');
  }
  out.close(']');
  if (!records.empty() && records.size() >= count_max) {
    out.raw_member("next_before", fmt::format("{}", records.back().id));
  }
  out.close('}');
  return std::move(out).finish(200);
}

Response encode_admin_changes(const std::vector<AliasChange>& changes) {
  Writer out;
  out.open('{');
  out.name("changes");
  out.open('[');
  for (const auto& change : changes) {
    out.open('{');
    out.member("model", change.model);
    out.member("alias", change.alias);
    out.raw_member("version", change.version ? fmt::format("{}", *change.version) : "null");
    out.close('}');
  }
  out.close(']');
  out.close('}');
  return std::move(out).finish(200);
}

Response encode_admin_done(std::string_view model, std::string_view what) {
  Writer out;
  out.open('{');
  out.member("model", model);
  out.member("done", what);
  out.close('}');
  return std::move(out).finish(200);
}

Response encode_admin_error(const Error& error) {
  Writer out;
  out.open('{');
  out.member("error", error.message);
  out.close('}');
  return std::move(out).finish(http_status_of(error.code));
}

std::string format_utc(std::chrono::system_clock::time_point at) {
  using namespace std::chrono;
  const auto ms = floor<milliseconds>(at);
  const auto s = floor<seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(s)), (ms - s).count());
}

}  // namespace protean
