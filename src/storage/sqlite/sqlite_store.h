// SPDX-License-Identifier: Apache-2.0
// The default store: one SQLite file, one connection under a lock, every acknowledged change synced to the disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "core/store.h"

namespace protean {

/// `history_max`: lines kept; the oldest beyond it go in the transaction that adds new ones. At least 1.
/// `busy_wait`: how long opening waits for another process to let go of the file (one that is just ending).
struct SqliteStoreOptions {
  std::uint64_t history_max = 100'000;
  std::chrono::milliseconds busy_wait{2000};
};

/// Opens the file, or makes it with mode 0600; the folder must exist. The file belongs to this process until the
/// store is destroyed. The result is thread-safe and its calls block on the disk.
/// Errors: kUnavailable (held by another process, read-only, I/O error), kResourceExhausted (disk full), kDataLoss
/// (damaged or no database; it is left as it was), kFailedPrecondition (another program's, or a newer Protean's).
[[nodiscard]] Result<std::unique_ptr<Store>> make_sqlite_store(const std::filesystem::path& file,
                                                               SqliteStoreOptions options = {});

}  // namespace protean
