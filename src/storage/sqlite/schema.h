// SPDX-License-Identifier: Apache-2.0
// The tables, how old files become new ones, and which files are refused.
#pragma once

#include "base/result.h"
#include "storage/sqlite/database.h"

namespace protean {

/// `PROT` in the file's header: `file protean.db` and we ourselves know it by that.
inline constexpr std::int64_t kSqliteApplicationId = 0x50524F54;

/// Takes the file for this process alone, checks that it is ours and whole, and brings it to the present schema.
/// Nothing is written before the checks have passed.
/// Errors: kDataLoss (damaged, no database), kFailedPrecondition (another program's, or a newer Protean's),
/// kUnavailable (held by another process, read-only, I/O error), kResourceExhausted (disk full).
[[nodiscard]] Status prepare_schema(Database& database);

}  // namespace protean
