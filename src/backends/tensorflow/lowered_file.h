// SPDX-License-Identifier: Apache-2.0
// Lowered models as files, which is how the ONNX backend takes them: in the cache folder, so that a model is lowered
// once and not at every start, or in memory where there is no cache.
//
//   <cache>/savedmodels/<key>.onnx    the ModelProto; its time is that of the last use
//   <cache>/savedmodels/<key>.notes   what was noted while it was lowered, a line each
//   <cache>/savedmodels/<key>.features  what is read out of Examples for it (tensorflow/parsed_feature.h), if anything
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/model_file.h"
#include "tensorflow/lower.h"

namespace protean {

/// `path`: of an ONNX file; may be read until this is gone.  `features`: LoweredModel::features.
/// `from_cache`: it was not lowered now.
struct LoweredFile {
  std::filesystem::path path;
  std::vector<std::string> notes;
  std::vector<ParsedFeature> features = {};
  bool from_cache = false;
  FileDescriptor memory;
};

/// One folder, shared by any number of processes.  Thread-safe.
class LoweredFiles {
 public:
  /// `cache_folder`: empty for none.
  LoweredFiles(const std::string& cache_folder, std::uint64_t bytes_max);

  /// The file of `key`, lowered by `lower` where there is none yet. A cache that cannot be used is noted, no error.
  /// Errors: those of `lower`; kResourceExhausted when there is no memory for it.
  [[nodiscard]] Result<LoweredFile> get(const std::string& key,
                                        const std::function<Result<LoweredModel>()>& lower) const;
  /// Deletes what turned out to be of no use.
  void discard(const std::string& key) const;

 private:
  [[nodiscard]] std::filesystem::path place_of(const std::string& key, const char* ending) const;
  Status keep(const std::string& key, const LoweredModel& model) const;
  void trim(const std::filesystem::path& newest) const;

  const std::filesystem::path folder_;
  const std::uint64_t bytes_max_;
};

/// 64 hexadecimal digits over every file of the SavedModel, `tags`, the name of the signature, `shapes` and the version
/// of the lowering. Errors: those of reading.
[[nodiscard]] Result<std::string> lowered_key(const std::filesystem::path& folder, const std::vector<std::string>& tags,
                                              const std::string& signature, InputShapes shapes);

}  // namespace protean
