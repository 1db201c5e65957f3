// SPDX-License-Identifier: Apache-2.0
// A loaded ONNX model: tensors in, tensors out, neither copied where the memory allows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/onnxruntime/session.h"
#include "core/model.h"

namespace protean {

/// `notes`: for Model::load_notes().
struct LoadReport {
  ModelMemory memory;
  std::vector<std::string> notes;
};

/// Constant after construction, so run() is thread-safe. Output tensors keep the session alive.
class OnnxModel final : public Model {
 public:
  OnnxModel(std::shared_ptr<const OnnxSession> session, SessionSignature signature, LoadReport report);

  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override;
  [[nodiscard]] ModelMemory memory() const noexcept override { return report_.memory; }
  [[nodiscard]] std::vector<std::string> load_notes() const override { return report_.notes; }

 private:
  class Call;

  const std::shared_ptr<const OnnxSession> session_;
  const Signature signature_;
  const std::vector<std::int64_t> label_counts_;
  const LoadReport report_;
};

}  // namespace protean
