// SPDX-License-Identifier: Apache-2.0
// A SavedModel is a program. Before TensorFlow sees one, this looks for operations by which it would read or write
// files outside its folder, run code of somebody else's, or open connections.
#pragma once

#include <string_view>

#include "base/result.h"
#include "tensorflow/meta_graph.h"

namespace protean {

/// Looks at everything that loading or a call of a signature can reach: nodes cut at what is fed, and every function
/// they use. Names of files may come only from the assets that the model declares and, for its checkpoint, from the
/// loader.
/// Errors: kInvalidArgument naming node and operation.  Thread-safe; linear in the graph for each signature.
[[nodiscard]] Status check_graph(const tensorflow::MetaGraphDef& graph);

/// Whether an operation is refused wherever it stands.
[[nodiscard]] bool is_refused_operation(std::string_view operation) noexcept;

}  // namespace protean
