// SPDX-License-Identifier: Apache-2.0
// Look-up in a request's parameters.
#include "core/inference.h"

namespace protean {

const Parameter* find_parameter(const Parameters& parameters, std::string_view name) noexcept {
  for (const auto& [key, value] : parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace protean
