// SPDX-License-Identifier: Apache-2.0
// What requests look versions up in. One immutable table of models and aliases, changed by swapping one pointer, so
// that a change of aliases is seen whole or not at all; in it one slot a model, whose list of loaded versions is
// swapped by itself, so that a load touches nobody else's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "serving/loaded_version.h"

namespace protean {

/// The versions of one model that requests can have.  Thread-safe.
class ModelSlot {
 public:
  /// `ready`: ascending.  `waking`: versions that load when asked.  `default_version`: while no alias says otherwise;
  /// 0: none.
  struct Versions {
    std::vector<VersionHandle> ready;
    std::vector<std::uint64_t> waking;
    std::uint64_t default_version = 0;
  };
  struct Found {
    VersionHandle handle;       // null when it is not loaded
    bool wakes = false;         // a load can be waited for
    std::uint64_t version = 0;  // after resolving the default; 0: there is none
  };

  /// The list before comes back, so that its handles are dropped by whoever chooses to.
  Versions swap(Versions next);
  /// `version`: 0 for the default.
  [[nodiscard]] Found find(std::uint64_t version) const;
  [[nodiscard]] std::vector<VersionHandle> ready() const;

 private:
  mutable std::mutex mutex_;  // held for a few pointers
  Versions versions_;         // guarded by mutex_
};

/// Where a model's name leads. Immutable.  `default_version`: as set by the alias `default`; 0: not set.
struct ModelRoute {
  std::shared_ptr<ModelSlot> slot;
  std::vector<std::pair<std::string, std::uint64_t>> aliases;  // ascending
  std::uint64_t default_version = 0;

  /// 0 when there is no such alias.
  [[nodiscard]] std::uint64_t find_alias(std::string_view alias) const noexcept;
};

/// Readers never wait for writers: each thread keeps the table it used last and asks only whether there is a newer
/// one. Any thread may read; one thread writes.
class Directory {
 public:
  struct Change {
    std::string model;
    std::shared_ptr<const ModelRoute> route;  // null: the model is gone
  };

  Directory();
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  /// nullptr when there is no such model. Valid until this thread's next find() in any directory.
  [[nodiscard]] const ModelRoute* find(std::string_view model) const;
  /// All changes at once: a reader sees every one of them or none.  Cost: that of the few shards they touch.
  void apply(std::vector<Change> changes);
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  using Shard = std::unordered_map<std::string, std::shared_ptr<const ModelRoute>, Hash, std::equal_to<>>;
  static constexpr std::size_t kShards = 256;
  using Table = std::array<std::shared_ptr<const Shard>, kShards>;
  struct Cached;

  static std::size_t shard_of(std::string_view model) noexcept;
  [[nodiscard]] std::shared_ptr<const Table> table() const;

  const std::uint64_t id_;  // tells directories apart, also from one that was at the same address before
  std::atomic<std::uint64_t> generation_{1};
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;  // guarded by mutex_
};

}  // namespace protean
