// SPDX-License-Identifier: Apache-2.0
// Bodies, queries and headers of admin requests as values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/http.h"
#include "core/store.h"

namespace protean {

/// Changes that one request may ask for.
inline constexpr std::size_t kAliasChangesMax = 4096;
/// Lines of history that one request may ask for, and gets when it does not say.
inline constexpr std::uint64_t kHistoryCountMax = 1000;
inline constexpr std::uint64_t kHistoryCountDefault = 100;

/// `{"changes":[{"model":"iris","alias":"champion","version":3},{"model":"iris","alias":"old","version":null}]}`.
/// Errors: kInvalidArgument; also for unknown members, an alias named twice, and none at all.
[[nodiscard]] Result<std::vector<AliasChange>> decode_alias_changes(std::string_view body);
/// `{"version":3}`.
[[nodiscard]] Result<std::uint64_t> decode_alias_version(std::string_view body);
/// Empty, or an empty object.
[[nodiscard]] Status check_no_body(std::string_view body);

/// 1 to 64 letters, digits, `.`, `_` and `-`, not digits alone: those would read as a version.
[[nodiscard]] Status check_alias_name(std::string_view alias);

/// Percent-decoded `name=value` pairs. `allowed`: names separated by `|`.
/// Errors: kInvalidArgument for an unknown name (with the nearest), one given twice, and broken escapes.
[[nodiscard]] Result<std::map<std::string, std::string>> decode_query(std::string_view query, std::string_view allowed);
[[nodiscard]] Result<HistoryQuery> decode_history_query(const std::map<std::string, std::string>& query);

/// `ann (127.0.0.1:50000)` when the header `x-protean-actor` holds 1 to 64 letters, digits and `._@+-`, else the peer
/// alone. Nobody vouches for the header: it is a note until there are credentials.
[[nodiscard]] std::string actor_of(const RequestHead& head);

/// Refuses changes that a web page asks a browser for: they carry an Origin, which no tool sends.
/// Errors: kPermissionDenied.
[[nodiscard]] Status check_not_from_a_page(const RequestHead& head);

}  // namespace protean
