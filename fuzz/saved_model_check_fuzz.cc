// SPDX-License-Identifier: Apache-2.0
// What the backend reads of saved_model.pb before TensorFlow sees it: signatures, and what their graph reaches.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backends/tensorflow/functions.h"
#include "backends/tensorflow/graph_check.h"
#include "backends/tensorflow/recognise.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(protean::looks_like_saved_model(bytes, size));
  const auto graph = protean::MetaGraph::parse(bytes, "fuzz", {});
  if (!graph) return 0;
  static_cast<void>(protean::check_graph(graph->def()));
  static_cast<void>(protean::plan_functions(protean::facts_of(graph->def())));
  return 0;
}
