// SPDX-License-Identifier: Apache-2.0
// saved_model.pb in memory, and the one of its meta graphs that was asked for.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "proto/tensorflow.pb.h"
#include "tensorflow/saved_model.h"

namespace protean {

/// Owns the parsed file.  Movable.
class MetaGraph {
 public:
  /// Errors: as read_saved_model_facts().
  static Result<MetaGraph> read(const std::filesystem::path& folder, const std::vector<std::string>& tags);
  /// `bytes` of a saved_model.pb; `where` names it in messages.
  static Result<MetaGraph> parse(std::string_view bytes, const std::string& where,
                                 const std::vector<std::string>& tags);

  [[nodiscard]] const tensorflow::MetaGraphDef& def() const noexcept { return model_->meta_graphs(index_); }

 private:
  MetaGraph(std::unique_ptr<tensorflow::SavedModel> model, int index) noexcept
      : model_(std::move(model)), index_(index) {}
  std::unique_ptr<tensorflow::SavedModel> model_;
  int index_;
};

/// The facts of a meta graph that is in memory.
[[nodiscard]] SavedModelFacts facts_of(const tensorflow::MetaGraphDef& graph);
/// Name of the tensor that holds the path of an asset, name of the file. TF1 keeps them in a collection.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> assets_of(const tensorflow::MetaGraphDef& graph);
[[nodiscard]] SavedModelSignature describe_signature(const std::string& name,
                                                     const tensorflow::SignatureDef& signature);

}  // namespace protean
