// SPDX-License-Identifier: Apache-2.0
// What a .tflite file says about its tensors and signatures.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backends/tensorflow_lite/lite_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(protean::read_lite_facts({reinterpret_cast<const char*>(data), size}));
  return 0;
}
