// SPDX-License-Identifier: Apache-2.0
// Reads what a worker says about its model once it is loaded, and about explanations. Written by
// python/protean_worker/signature.py; nothing in it is believed before it is checked.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/model.h"

namespace protean::python {

struct LoadedFacts {
  Signature signature;
  bool explains = false;
  std::vector<std::string> notes;
};

/// Strings are a 4-byte length and UTF-8; lists a 4-byte count.
/// Errors: kInvalidArgument for what is cut off, above 16 MiB, out of range, not UTF-8, or a signature that nobody can
/// call.
[[nodiscard]] Result<LoadedFacts> read_loaded(std::span<const std::byte> bytes);

struct ExplanationNames {
  std::string method;
  std::string scale;
  std::vector<std::string> features;
  std::vector<std::string> outputs;
};
/// Errors: kInvalidArgument.
[[nodiscard]] Result<ExplanationNames> read_explanation_names(std::span<const std::byte> bytes);

}  // namespace protean::python
