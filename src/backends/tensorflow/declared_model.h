// SPDX-License-Identifier: Apache-2.0
// A function that exists for what is said about it only: clients of TensorFlow Serving see every signature of a model,
// `__saved_model_init_op` (which the loader has run already) and those that cannot be served among them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/model.h"

namespace protean {

/// run() refuses (kInvalidArgument) with `why`.  Thread-safe.
class DeclaredModel final : public Model {
 public:
  DeclaredModel(Signature signature, std::string why)
      : signature_(without_tensors(std::move(signature))), why_(std::move(why)) {}
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    static_cast<void>(request);
    return fail(Code::kInvalidArgument, why_);
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

 private:
  static Signature without_tensors(Signature signature) {
    signature.inputs.clear();
    signature.outputs.clear();
    return signature;
  }
  const Signature signature_;
  const std::string why_;
};

}  // namespace protean
