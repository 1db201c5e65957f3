// SPDX-License-Identifier: Apache-2.0
// Optimised graphs on disk, so that a model is optimised once and not at every start, and its weights are mapped
// from a file instead of being copied into the process. docs/decisions/0003-graph-cache.md says why so.
//
//   <folder>/<key>/          an entry; made as .new-*, then renamed into place
//     graph.onnx             the graph after the library's optimisation, without its large weights
//     weights.bin            these, as the library lays them out; mapped
//     entry                  sizes, checksums and ModelFacts; its time is that of the last use
//   <folder>/seen-<hash>     which key the files of a model had (seen_files.h)
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "backends/onnxruntime/model_facts.h"
#include "base/buffer.h"
#include "base/locked.h"
#include "base/result.h"
#include "core/model_file.h"

namespace protean {

inline constexpr const char* kCachedGraphFile = "graph.onnx";
inline constexpr const char* kCachedWeightsFile = "weights.bin";

/// Keeps an entry from being trimmed by this process while it lives.
using CachePin = std::shared_ptr<const void>;

/// A checked entry. `lock`: shared, keeps other processes from deleting the files by name; let go once they are mapped.
struct CachedGraph {
  Buffer graph;
  ModelFacts facts;
  std::string folder;
  std::uint64_t weights_bytes = 0;
  CachePin pin;
  FileDescriptor lock;
};

/// A folder that an entry is being made in; what is not published is deleted with it.
class CacheDraft {
 public:
  CacheDraft(std::filesystem::path path, FileDescriptor lock) noexcept
      : path_(std::move(path)), lock_(std::move(lock)) {}
  CacheDraft(CacheDraft&& other) noexcept : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  CacheDraft& operator=(CacheDraft&&) = delete;
  ~CacheDraft();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  friend class GraphCache;
  std::filesystem::path path_;  // empty once published
  FileDescriptor lock_;         // tells other processes that somebody is at work here
};

/// One folder, shared by any number of processes.  Thread-safe.
/// No failure in here is a model's: the caller loads without the cache and notes why.
class GraphCache {
 public:
  /// Makes `folder` (0700) when it is missing, and deletes what killed processes left half made.
  /// Errors: kFailedPrecondition when it belongs to somebody else or others may write into it; kUnavailable.
  static Result<std::shared_ptr<GraphCache>> open(const std::filesystem::path& folder, std::uint64_t bytes_max);

  /// nullopt: there is none. A damaged one is deleted, logged, and counts as none.
  /// Errors: kUnavailable when the disk says no.
  [[nodiscard]] Result<std::optional<CachedGraph>> find(const std::string& key);
  /// Errors: kUnavailable, kResourceExhausted when `bytes` are more than are free on the disk, or than bytes_max.
  [[nodiscard]] Result<CacheDraft> begin(std::uint64_t bytes);
  /// Checks and describes what the library wrote into `draft`, brings it to the disk, and names it `key`; somebody
  /// else's entry of that name, made meanwhile, is as good. Then trims.
  /// Errors: kDataLoss when graph and weights do not belong together (a full disk), kUnavailable.
  Status publish(CacheDraft draft, const std::string& key, const ModelFacts& facts);
  /// Deletes an entry that turned out to be of no use.
  void discard(const std::string& key, std::string_view reason);

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  /// Deletes the least recently used entries until at most bytes_max are left; none that is in use here, or that
  /// another process is loading. One in use elsewhere stays mapped there. open() and publish() do it by themselves.
  void trim();

 private:
  GraphCache(std::filesystem::path folder, std::uint64_t bytes_max)
      : folder_(std::move(folder)), bytes_max_(bytes_max) {}
  Result<std::optional<CachedGraph>> read(const std::string& key);
  void remove(const std::filesystem::path& path);
  void remove_leftovers();
  bool pinned(const std::string& key);

  const std::filesystem::path folder_;
  const std::uint64_t bytes_max_;
  Locked<std::map<std::string, std::weak_ptr<const void>>> pins_;
};

}  // namespace protean
