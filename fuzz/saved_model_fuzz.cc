// SPDX-License-Identifier: Apache-2.0
// saved_model.pb from bytes to an ONNX model: parsing, functions, loops, tables and every operation that lowers. There
// is no checkpoint; variables are missing.
#include <cstdint>
#include <string>
#include <string_view>

#include "tensorflow/lower.h"
#include "tensorflow/meta_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto meta = protean::MetaGraph::parse(bytes, "fuzz", {});
  if (!meta) return 0;
  const auto facts = protean::facts_of(meta->def());
  for (const auto& signature : facts.signatures) {
    static_cast<void>(protean::lower_meta_graph("/nonexistent", *meta, signature.name));
  }
  return 0;
}
