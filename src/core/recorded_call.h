// SPDX-License-Identifier: Apache-2.0
// Calls that were recorded beside a model in a product's own format, to be repeated when it is loaded.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/inference.h"
#include "core/model.h"

namespace protean {

/// `name`: for messages: `record 3 of 'assets.extra/tf_serving_warmup_requests'`.
/// `requests`: one for each function that the call asks for; the models and versions they name say nothing.
/// `bind`: as Protocol::bind(), once the function of a request is known.
struct RecordedCall {
  std::string name;
  std::vector<InferRequest> requests;
  std::function<Status(InferRequest& request, const Signature& signature)> bind;
};

/// The calls of one version, read one at a time.  One thread at a time.
class RecordedCalls {
 public:
  virtual ~RecordedCalls() = default;
  /// nullopt: that was the last one.
  /// Errors: kInvalidArgument for what is no recording, kUnimplemented for a kind of call that cannot be repeated,
  /// kUnavailable and kAborted of the file; the message names the file and the record.
  [[nodiscard]] virtual Result<std::optional<RecordedCall>> next() = 0;
  /// Told once, after the last call that was repeated.
  virtual void ended(const Status& status, Duration took) = 0;
};

/// null: the version's folder has no such recording.
/// Errors: those of opening it.  Thread-safe.
using RecordedCallReader = std::function<Result<std::unique_ptr<RecordedCalls>>(const std::filesystem::path& folder)>;

}  // namespace protean
