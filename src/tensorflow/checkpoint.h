// SPDX-License-Identifier: Apache-2.0
// The values of a SavedModel's variables: `variables/variables.index` says what lies where in the shards beside it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/model_file.h"
#include "tensorflow/literal.h"

namespace protean {

/// Reads tensors by key. Opens nothing outside the model's folder.  One thread at a time.
class Checkpoint {
 public:
  /// The checkpoint at FOLDER/variables/variables; an empty one when the folder has no index.
  /// Errors: kInvalidArgument for a broken index.
  static Result<Checkpoint> open(const std::filesystem::path& folder);
  /// The same over the bytes of an index alone: entries are known, contents are not.
  static Result<Checkpoint> from_index(std::string_view index);

  [[nodiscard]] bool contains(const std::string& key) const { return entries_.count(key) != 0; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  /// The tensor, or the part of it that `slice` names: "" for all of it, else as RestoreV2's shape_and_slices has it
  /// ("10 5 0,5:-": the whole shape, then start,length or - for each dimension).
  /// Errors: kInvalidArgument for a missing key, broken bytes, a checksum that does not hold.
  [[nodiscard]] Result<Literal> read(const std::string& key, const std::string& slice = {});

 private:
  Checkpoint() = default;
  Result<Literal> read_entry(const std::string& key, const tensorflow::BundleEntryProto& entry);
  Result<Literal> read_slices(const std::string& key, const tensorflow::BundleEntryProto& entry);
  Status read_bytes(const std::string& key, const tensorflow::BundleEntryProto& entry, std::string& bytes);
  Result<ModelFile*> shard(int number);

  std::map<std::string, tensorflow::BundleEntryProto> entries_;
  int shards_ = 0;
  std::unique_ptr<ModelFolder> folder_;
  std::map<int, ModelFile> open_shards_;
};

}  // namespace protean
