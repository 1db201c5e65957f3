// SPDX-License-Identifier: Apache-2.0
// Reads a folder of models: which files are models, of which name and version, judged by content. Never
// loads anything; says why it ignores what it ignores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "core/model.h"
#include "core/model_entry.h"

namespace protean {

/// A version that lies in the folder.  `files_fingerprint` changes when any of its files does, `fingerprint` also when
/// the model's configuration (`NAME/protean.toml`, or `NAME.toml` beside a single file) does.
struct FoundVersion {
  std::string model;
  std::uint64_t version = 0;
  std::filesystem::path path;
  std::filesystem::path folder;
  std::filesystem::path model_path;  // the model's folder or its single file: what a configuration belongs to
  Backend* backend = nullptr;
  std::uint64_t files_bytes = 0;
  std::uint64_t fingerprint = 0;
  std::uint64_t files_fingerprint = 0;
  bool own_folder = true;  // false: the folder belongs to many models, only the file itself to this one
};

/// files_fingerprint as the files are now.
[[nodiscard]] std::uint64_t files_fingerprint(const FoundVersion& version);

struct IgnoredPath {
  std::string path;
  std::string reason;
  friend bool operator==(const IgnoredPath&, const IgnoredPath&) = default;
};

struct Scan {
  std::vector<FoundVersion> versions;  // ascending by model, then version
  std::vector<IgnoredPath> ignored;
};

/// `NAME.onnx` (any extension), `NAME/model.onnx` and `NAME/VERSION/model.onnx`; a single file may stand for
/// the folder; besides, models that are named with a path of their own. Remembers what it has recognised, so that a
/// second scan only looks at what changed.
/// Not thread-safe.
class RepositoryScanner {
 public:
  /// `root`: empty: there is no common folder.
  RepositoryScanner(std::filesystem::path root, std::vector<Backend*> backends)
      : root_(std::move(root)), backends_(std::move(backends)) {}

  /// From the next scan on; names are unique. The common folder wins a name that both have.
  void set_entries(std::vector<ModelEntry> entries) { entries_ = std::move(entries); }

  /// `only`: looks at models of these names alone, and reports of these alone.
  /// Errors: kNotFound or kPermissionDenied when the folder itself cannot be read.
  [[nodiscard]] Result<Scan> scan(const std::set<std::string>* only = nullptr);

 private:
  struct Known {
    std::uint64_t fingerprint;
    Backend* backend;  // null: no model
    bool seen;
  };
  struct Choice {
    std::filesystem::path path;
    Backend* backend = nullptr;
    std::string problem;  // why nothing was chosen
  };

  struct VersionName {
    std::string model;
    std::uint64_t version = 0;
  };
  /// `folder`: the version's.  `base`: what a configuration belongs to.
  struct Place {
    std::filesystem::path folder, base;
    bool own_folder = true;
  };

  [[nodiscard]] Status scan_root(const std::set<std::string>* only, Scan& scan);
  void scan_entry(const std::filesystem::directory_entry& entry, Scan& scan);
  void scan_named(const ModelEntry& entry, Scan& scan);
  void scan_model_folder(const std::filesystem::path& folder, const std::string& model, Scan& scan);
  void add(const VersionName& name, const Choice& choice, const Place& place, Scan& scan);
  Choice choose_model_file(const std::filesystem::path& folder);
  Backend* recognise(const std::filesystem::path& path);
  [[nodiscard]] Backend* recognise_folder(const std::filesystem::path& folder) const;

  const std::filesystem::path root_;
  const std::vector<Backend*> backends_;
  std::vector<ModelEntry> entries_;
  std::unordered_set<std::string> taken_;  // names of models found by the scan that is going on
  std::map<std::filesystem::path, Known> known_;
};

}  // namespace protean
