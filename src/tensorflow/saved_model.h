// SPDX-License-Identifier: Apache-2.0
// What a SavedModel says about itself: signatures, tags, assets. Only saved_model.pb is read for it, no checkpoint,
// and nothing of it is run, so that the facts are there whichever way the model is served.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/tensor.h"

namespace protean {

/// One input or output of a signature. `node`: its tensor in the graph ("x:0"; empty for sparse and composite ones).
/// `dtype`: number of tensorflow.DataType. `shape`: -1 where unknown, empty when the rank is (`unknown_rank`).
struct SavedModelTensor {
  std::string key;
  std::string node;
  int dtype = 0;
  Shape shape;
  bool unknown_rank = false;
};

/// `inputs` and `outputs` sorted by key; `serialized`: the bytes of the tensorflow.SignatureDef.
struct SavedModelSignature {
  std::string name;
  std::string method_name;
  std::vector<SavedModelTensor> inputs;
  std::vector<SavedModelTensor> outputs;
  std::string serialized;
};

/// `tags`: of the meta graph that was chosen. `assets`: name of the tensor that holds the path, name of the file in
/// `assets/`. Signatures are sorted by name.
struct SavedModelFacts {
  std::vector<std::string> tags;
  std::vector<SavedModelSignature> signatures;
  std::string tensorflow_version;
  std::vector<std::pair<std::string, std::string>> assets;
};

/// Reads FOLDER/saved_model.pb (never .pbtxt). The meta graph is the one whose tags are `tags`, else the first one that
/// has them all.
/// Errors: kNotFound without the file or such a meta graph, kInvalidArgument when the file is broken.  Thread-safe.
[[nodiscard]] Result<SavedModelFacts> read_saved_model_facts(const std::filesystem::path& folder,
                                                             const std::vector<std::string>& tags);

}  // namespace protean
