// SPDX-License-Identifier: Apache-2.0
// What must outlive the process: which version each alias points to, which models were loaded or unloaded by
// request, and who did what when. Implemented by src/storage/*; used by the serving room through this contract.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace protean {

/// `alias` -> `version` of `model`. The alias `default` is the version that requests get which name none.
struct Alias {
  std::string model;
  std::string alias;
  std::uint64_t version = 0;
  friend bool operator==(const Alias&, const Alias&) = default;
};

/// `version`: where the alias points from now on; nullopt removes it.
struct AliasChange {
  std::string model;
  std::string alias;
  std::optional<std::uint64_t> version;
  friend bool operator==(const AliasChange&, const AliasChange&) = default;
};

/// One line of the history. `action`: `set_alias`, `load_model`, `unload_model`, ...; `detail`: free text such as
/// `champion: 3 -> 4`; `actor`: who asked (an address until there are credentials, `folder` for the watch).
/// `id`: ascending, given by the store.  `outcome`: `ok` or the reason of the failure.
struct HistoryRecord {
  std::uint64_t id = 0;
  std::chrono::system_clock::time_point at;
  std::string actor;
  std::string action;
  std::string model;
  std::string detail;
  std::string outcome;
};

/// `before`: ids below this (0: from the newest).  `model`: empty for all.
struct HistoryQuery {
  std::string model;
  std::uint64_t before = 0;
  std::size_t count_max = 100;
};

/// Thread-safe; calls may block on the disk.
class Store {
 public:
  virtual ~Store() = default;
  [[nodiscard]] virtual Result<std::vector<Alias>> aliases() = 0;
  /// All changes and their history in one transaction: when this returns OK they survive the death of process and
  /// machine, otherwise none of them happened.
  /// Errors: kUnavailable or kResourceExhausted with the store's own words (disk full, file locked, I/O error).
  [[nodiscard]] virtual Status change_aliases(std::span<const AliasChange> changes,
                                              std::span<const HistoryRecord> history) = 0;
  /// Models taken out of service by request; they stay so after a restart.
  [[nodiscard]] virtual Result<std::vector<std::string>> held_down() = 0;
  [[nodiscard]] virtual Status set_held_down(const std::string& model, bool held, const HistoryRecord& record) = 0;
  [[nodiscard]] virtual Status append_history(const HistoryRecord& record) = 0;
  /// Newest first.
  [[nodiscard]] virtual Result<std::vector<HistoryRecord>> history(const HistoryQuery& query) = 0;
};

}  // namespace protean
