// SPDX-License-Identifier: Apache-2.0
// The page of operations is made of the table that lowers them, so that it cannot say anything else.
#include <string>

#include "tensorflow/lowering/operation.h"

namespace protean {

std::string operations_page() {
  std::size_t count = 0;
  for (const auto& group : lowered_operations()) count += group.operations.size();
  std::string page =
      "# TensorFlow operations that lower to ONNX\n\n"
      "A SavedModel is served without TensorFlow when every operation that the signature needs is in this list. One "
      "that\n"
      "is not is named when the model is loaded, together with all others and the nodes where they are. Functions are\n"
      "inlined; `Identity`, `IdentityN`, `StopGradient`, `PreventGradient`, `Snapshot`, `EnsureShape`,\n"
      "`CheckNumerics`, `Switch` and a `PlaceholderWithDefault` that is not fed pass their input on. `Assert` and "
      "other\n"
      "operations that only check are left out.\n\n"
      "This page is written by `build/dev/tests/tensorflow_probe operations`; a test compares them. It has " +
      std::to_string(count) + " operations.\n";
  for (const auto& group : lowered_operations()) {
    page += "\n## " + std::string(group.title) + "\n\n| operation | what of it |\n|---|---|\n";
    for (const auto& operation : group.operations) {
      page += "| `" + std::string(operation.name) + "` | " +
              (operation.remark.empty() ? std::string("all") : std::string(operation.remark)) + " |\n";
    }
  }
  return page;
}

}  // namespace protean
