// SPDX-License-Identifier: Apache-2.0
// Outcomes as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/http.h"
#include "core/operation.h"
#include "core/store.h"

namespace protean {

/// `{"models":[{"name":"iris","versions":[...]}]}`; rows of one model stand together already.
[[nodiscard]] Response encode_admin_models(const std::vector<VersionStatus>& versions);
/// One of them. Errors: kNotFound.
[[nodiscard]] Result<Response> encode_admin_model(const std::vector<VersionStatus>& versions, std::string_view model);
/// `{"aliases":[{"model":"iris","alias":"champion","version":3}]}`.
[[nodiscard]] Response encode_admin_aliases(const std::vector<Alias>& aliases);
/// `{"history":[...],"next_before":17}`; `next_before` is left out when there were fewer lines than asked for.
[[nodiscard]] Response encode_admin_history(const std::vector<HistoryRecord>& records, std::size_t count_max);
/// `{"changes":[...]}`: what was done, as it was asked for.
[[nodiscard]] Response encode_admin_changes(const std::vector<AliasChange>& changes);
/// `{"model":"iris","done":"load"}`.
[[nodiscard]] Response encode_admin_done(std::string_view model, std::string_view what);
/// `{"error":"..."}` with the status of the code; the one table of this dialect.
[[nodiscard]] Response encode_admin_error(const Error& error);

/// `2026-01-02T03:04:05.678Z`.
[[nodiscard]] std::string format_utc(std::chrono::system_clock::time_point at);

}  // namespace protean
