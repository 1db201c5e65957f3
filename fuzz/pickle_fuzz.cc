// SPDX-License-Identifier: Apache-2.0
// A pickle as data, and what the estimators make of it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/pickle_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace protean::sklearn;
  ValuePool pool(size);
  const auto root = read_pickle({reinterpret_cast<const char*>(data), size}, pool);
  if (!root) return 0;
  LoadContext context(size);
  static_cast<void>(make_estimator(pool.value(*root), context));
  return 0;
}
