// SPDX-License-Identifier: Apache-2.0
// A function that exists for what is said about it only: clients of TensorFlow Serving expect to see
// `__saved_model_init_op` among a model's signatures, and the loader has run it already.
#pragma once

#include <utility>
#include <vector>

#include "core/model.h"

namespace protean {

/// run() refuses.  Thread-safe.
class DeclaredModel final : public Model {
 public:
  explicit DeclaredModel(Signature signature) : signature_(std::move(signature)) {}
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    static_cast<void>(request);
    return fail(Code::kInvalidArgument, "'" + signature_.function +
                                            "' was run when the model was loaded; it has no inputs "
                                            "and no outputs");
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

 private:
  const Signature signature_;
};

}  // namespace protean
