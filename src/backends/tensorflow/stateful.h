// SPDX-License-Identifier: Apache-2.0
// Which signatures of a SavedModel change something that outlives a run: a variable, a table, a queue.
#pragma once

#include <string_view>

#include "backends/tensorflow/functions.h"
#include "tensorflow/meta_graph.h"

namespace protean {

/// Sets Signature::stateful of each function that reaches an operation which writes to a resource, in functions that it
/// calls as well. What only the initialiser, the restoring or the saving of a checkpoint reaches does not count, nor do
/// random numbers and what is gone after a run (stacks, TensorArrays).  Linear in the graph for each function.
void mark_stateful(const tensorflow::MetaGraphDef& graph, PlannedFunctions& planned);

/// Whether an operation changes what outlives a run.  Source: the operations registered in TensorFlow 2.20.
[[nodiscard]] bool is_stateful_operation(std::string_view operation) noexcept;

}  // namespace protean
