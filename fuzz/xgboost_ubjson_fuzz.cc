// SPDX-License-Identifier: Apache-2.0
// XGBoost's UBJSON, from bytes to answers.
#include "tree_file_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return protean::fuzz::try_tree_file(protean::TreeFormat::kXgboostUbjson, data, size);
}
