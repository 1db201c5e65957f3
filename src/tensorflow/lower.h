// SPDX-License-Identifier: Apache-2.0
// The one way in: from a signature of a SavedModel on disk to an ONNX model that answers the same.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "tensorflow/parsed_feature.h"

namespace protean {

/// `onnx`: a serialised ModelProto whose inputs and outputs have the keys of the signature as names, in the order of
/// SavedModelSignature. `notes`: what a person should know about the way it was lowered.
/// `features`: what is to be read out of inputs that are Examples; the ONNX model then has inputs for it behind those
/// of the signature, and none for the Examples where nothing else looks at them.
struct LoweredModel {
  std::string onnx;
  std::vector<std::string> notes;
  std::vector<ParsedFeature> features = {};
};

class MetaGraph;

/// kDeclared: inputs have the shapes that the signature says.  kFree: any; fewer graphs lower so.
enum class InputShapes : unsigned char { kDeclared, kFree };

/// Lowers `signature` of the meta graph with `tags`. Nothing outside `folder` is read.
/// Errors: kUnimplemented naming every operation that does not lower (`operations that do not lower: Foo (node a/b),
/// Bar (3 nodes, first c)`), kNotFound without the file, the tags or the signature, kInvalidArgument for broken files,
/// kResourceExhausted when the ModelProto would exceed 2 GiB.  Thread-safe.
[[nodiscard]] Result<LoweredModel> lower_saved_model(const std::filesystem::path& folder,
                                                     const std::vector<std::string>& tags, const std::string& signature,
                                                     InputShapes shapes = InputShapes::kDeclared);

/// The same for a file that has been read already; checkpoint and assets are looked for in `folder`.
[[nodiscard]] Result<LoweredModel> lower_meta_graph(const std::filesystem::path& folder, const MetaGraph& meta,
                                                    const std::string& signature,
                                                    InputShapes shapes = InputShapes::kDeclared);

}  // namespace protean
