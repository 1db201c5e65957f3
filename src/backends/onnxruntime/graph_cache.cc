// SPDX-License-Identifier: Apache-2.0
// Entries appear and vanish by rename alone, so every other process sees a whole one or none, whatever is killed
// when. What is read is checked; what fails the check is deleted and made again.
#include "backends/onnxruntime/graph_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "backends/onnxruntime/cache_disk.h"
#include "backends/onnxruntime/cache_entry.h"
#include "backends/onnxruntime/prepare_model.h"
#include "backends/onnxruntime/weights_check.h"
#include "base/checked_math.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/text.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr int kDraftAttemptsMax = 8;
constexpr const char* kEntryFile = "entry";
constexpr std::string_view kNewPrefix = ".new-";
constexpr std::string_view kOldPrefix = ".old-";
constexpr std::string_view kFilePrefix = ".file-";
constexpr std::string_view kSeenPrefix = "seen-";
constexpr std::uint64_t kEntryFileBytesMax = std::uint64_t{64} << 20;

bool is_key(std::string_view name) noexcept {
  return name.size() == kSha256HexSize && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool starts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.substr(0, prefix.size()) == prefix;
}

/// Names in `folder`; what cannot be listed is empty.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename());
  }
  return names;
}

void delete_tree(const fs::path& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

Status check_ours(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return disk_error(folder, errno);
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Code::kFailedPrecondition, "cache folder '" + printable(folder.native()) +
                                               "': belongs to another user or others may write into it; expected a "
                                               "folder of this user with mode 0700");
  }
  return {};
}

/// Sizes, times and checksums of what is in `folder`.
Result<CacheEntry> describe(const fs::path& path, const ModelFacts& facts) {
  TRY(const auto folder, open_folder(path));
  CacheEntry entry;
  TRY(const auto graph, open_in(folder, kCachedGraphFile));
  if (!graph) return fail(Code::kDataLoss, "the library wrote no graph");
  TRY(const auto bytes, graph->read_all());
  entry.graph_bytes = graph->size();
  entry.graph_digest = sha256_hex(bytes.text());
  TRY(const auto weights, open_in(folder, kCachedWeightsFile));
  if (weights) {
    entry.weights_bytes = weights->size();
    entry.weights_modified_ns = weights->stamp().modified_ns;
    TRY(entry.weights_digest, sha256_of(*weights));
  }
  TRY_STATUS(check_weights(bytes.text(), kCachedWeightsFile, entry.weights_bytes));
  entry.facts = facts;
  return entry;
}

/// The weights as they were made. Reading all of them takes as long as loading saves, so size and time of the last
/// change stand for the content; the checksum decides when the time differs (a copied folder).
/// Errors: kDataLoss.
Status check_weights_file(const FileDescriptor& folder, const CacheEntry& entry) {
  TRY(const auto weights, open_in(folder, kCachedWeightsFile));
  if (!weights) {
    return entry.weights_digest.empty() ? Status() : Status(fail(Code::kDataLoss, "its weights are missing"));
  }
  if (weights->size() != entry.weights_bytes) {
    return fail(Code::kDataLoss, "its weights have " + std::to_string(weights->size()) + " bytes, expected " +
                                     std::to_string(entry.weights_bytes));
  }
  if (weights->stamp().modified_ns == entry.weights_modified_ns) return {};
  TRY(const auto digest, sha256_of(*weights));
  if (digest != entry.weights_digest) return fail(Code::kDataLoss, "its weights were changed");
  const auto ns = entry.weights_modified_ns;
  const timespec times[] = {{0, UTIME_OMIT}, {ns / 1'000'000'000, ns % 1'000'000'000}};
  // When it fails they are read again next time.
  static_cast<void>(::utimensat(folder.get(), kCachedWeightsFile, times, AT_SYMLINK_NOFOLLOW));
  return {};
}

struct Used {
  std::string key;
  std::uint64_t bytes = 0;
  timespec last{};
};

std::uint64_t file_bytes(const fs::path& path, timespec* modified = nullptr) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return 0;
  if (modified != nullptr) *modified = status.st_mtim;
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

CacheDraft::~CacheDraft() {
  if (!path_.empty()) delete_tree(path_);
}

Result<std::shared_ptr<GraphCache>> GraphCache::open(const fs::path& folder, std::uint64_t bytes_max) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return disk_error(folder, errno);
  const auto whole = fs::canonical(folder, error);
  if (error) return disk_error(folder, error.value());
  TRY_STATUS(check_ours(whole));
  std::shared_ptr<GraphCache> cache(new GraphCache(whole, bytes_max));
  cache->remove_leftovers();
  cache->trim();
  return cache;
}

void GraphCache::remove_leftovers() {
  for (const auto& name : names_in(folder_)) {
    if (starts_with(name, kOldPrefix)) delete_tree(folder_ / name);
    if (!starts_with(name, kNewPrefix)) continue;
    const auto draft = open_folder(folder_ / name);
    if (draft && lock_alone(*draft)) delete_tree(folder_ / name);
  }
}

Result<std::optional<CachedGraph>> GraphCache::find(const std::string& key) {
  auto found = read(key);
  if (found || found.error().code == Code::kUnavailable) return found;
  discard(key, found.error().message);
  return std::optional<CachedGraph>();
}

Result<std::optional<CachedGraph>> GraphCache::read(const std::string& key) {
  CachedGraph cached;
  cached.folder = folder_ / key;
  auto folder = open_folder(cached.folder);
  if (!folder && folder.error().code == Code::kNotFound) return std::optional<CachedGraph>();
  if (!folder) return tl::unexpected<Error>(std::move(folder).error());
  if (!lock_shared(*folder)) return std::optional<CachedGraph>();  // somebody is deleting it
  TRY(const auto entry_file, open_in(*folder, kEntryFile));
  if (!entry_file || entry_file->size() > kEntryFileBytesMax)
    return fail(Code::kDataLoss, "its description is missing");
  TRY(const auto text, entry_file->read_all());
  auto entry = decode_entry(text.text());
  if (!entry) return fail(Code::kDataLoss, "its description is damaged");
  TRY(const auto graph, open_in(*folder, kCachedGraphFile));
  if (!graph || graph->size() != entry->graph_bytes || graph->size() > kModelBytesMax) {
    return fail(Code::kDataLoss, "its graph has another size than when it was made");
  }
  TRY(cached.graph, graph->read_all());
  if (sha256_hex(cached.graph.text()) != entry->graph_digest) return fail(Code::kDataLoss, "its graph was changed");
  TRY_STATUS(check_weights_file(*folder, *entry));
  // The time of the last use; when it cannot be set, the entry goes earlier than it should.
  static_cast<void>(::utimensat(folder->get(), kEntryFile, nullptr, AT_SYMLINK_NOFOLLOW));
  cached.weights_bytes = entry->weights_bytes;
  cached.facts = std::move(entry->facts);
  cached.pin = pins_.with([&](auto& pins) {
    auto pin = pins[key].lock();
    if (pin == nullptr) {
      pin = std::make_shared<char>();
      pins[key] = pin;
    }
    return pin;
  });
  cached.lock = *std::move(folder);
  return std::optional(std::move(cached));
}

Result<CacheDraft> GraphCache::begin(std::uint64_t bytes) {
  if (bytes > bytes_max_) {
    return fail(Code::kResourceExhausted, "it may take " + std::to_string(bytes) + " bytes, more than the cache has (" +
                                              std::to_string(bytes_max_) + ")");
  }
  std::error_code error;
  const auto space = fs::space(folder_, error);
  if (!error && space.available < bytes) {
    return fail(Code::kResourceExhausted, "'" + printable(folder_.native()) + "': " + std::to_string(space.available) +
                                              " bytes free, expected " + std::to_string(bytes));
  }
  std::string name;
  // Until it is locked, a process that starts takes a new folder for one that was left behind.
  for (int attempt = 0; attempt < kDraftAttemptsMax; ++attempt) {
    name = (folder_ / (std::string(kNewPrefix) + "XXXXXX")).native();
    if (::mkdtemp(name.data()) == nullptr) return disk_error(folder_, errno);
    auto lock = open_folder(name);
    if (lock && lock_alone(*lock) && ::access(name.c_str(), F_OK) == 0) {
      return CacheDraft(std::move(name), *std::move(lock));
    }
    delete_tree(name);
  }
  return fail(Code::kUnavailable, "'" + printable(name) + "': cannot be locked");
}

Status GraphCache::publish(CacheDraft draft, const std::string& key, const ModelFacts& facts) {
  const auto& path = draft.path();
  for (const char* name : {kCachedGraphFile, kCachedWeightsFile}) {
    const auto file = path / name;
    if (::chmod(file.c_str(), 0600) != 0 && errno != ENOENT) return disk_error(file, errno);
    if (::access(file.c_str(), F_OK) == 0) TRY_STATUS(sync(file));
  }
  TRY(const auto entry, describe(path, facts));
  TRY_STATUS(write_file(path / kEntryFile, encode_entry(entry)));
  TRY_STATUS(sync(path));
  const auto target = folder_ / key;
  if (::rename(path.c_str(), target.c_str()) == 0) {
    draft.path_.clear();
  } else if (errno != ENOTEMPTY && errno != EEXIST) {
    return disk_error(target, errno);
  }
  TRY_STATUS(sync(folder_));
  trim();
  return {};
}

void GraphCache::discard(const std::string& key, std::string_view reason) {
  log::warning("cached graph deleted, it will be made again", {{"entry", key}, {"reason", reason}});
  remove(folder_ / key);
}

/// Renamed first, so that nobody finds half an entry.
void GraphCache::remove(const fs::path& path) {
  std::string name = (folder_ / (std::string(kOldPrefix) + "XXXXXX")).native();
  if (::mkdtemp(name.data()) == nullptr) return;
  static_cast<void>(::rename(path.c_str(), name.c_str()));
  delete_tree(name);
}

bool GraphCache::pinned(const std::string& key) {
  return pins_.with([&](auto& pins) {
    const auto found = pins.find(key);
    if (found == pins.end()) return false;
    if (!found->second.expired()) return true;
    pins.erase(found);
    return false;
  });
}

void GraphCache::trim() {
  std::vector<Used> entries;
  std::uint64_t total = 0;
  const auto names = names_in(folder_);
  for (const auto& name : names) {
    if (!is_key(name)) continue;
    Used used{name, 0, {}};
    used.bytes = file_bytes(folder_ / name / kEntryFile, &used.last) + file_bytes(folder_ / name / kCachedGraphFile) +
                 file_bytes(folder_ / name / kCachedWeightsFile);
    total = checked_add(total, used.bytes).value_or(UINT64_MAX);
    entries.push_back(std::move(used));
  }
  std::sort(entries.begin(), entries.end(), [](const Used& a, const Used& b) {
    return a.last.tv_sec != b.last.tv_sec ? a.last.tv_sec < b.last.tv_sec : a.last.tv_nsec < b.last.tv_nsec;
  });
  for (const auto& entry : entries) {
    if (total <= bytes_max_) break;
    if (pinned(entry.key)) continue;
    const auto folder = open_folder(folder_ / entry.key);
    if (!folder || !lock_alone(*folder)) continue;
    remove(folder_ / entry.key);
    total -= entry.bytes;
  }
  for (const auto& name : names) {
    const bool half_made = starts_with(name, kFilePrefix);
    if (!half_made && !starts_with(name, kSeenPrefix)) continue;
    const auto file = ModelFile::open(folder_ / name);
    std::string key(kSha256HexSize, '\0');
    const bool kept = file && file->size() >= key.size() && file->read(0, std::as_writable_bytes(std::span(key))) &&
                      is_key(key) && ::access((folder_ / key).c_str(), F_OK) == 0;
    // A file that is being written looks half made; losing it costs one hash of the model.
    if (!kept) ::unlink((folder_ / name).c_str());
  }
}

}  // namespace protean
