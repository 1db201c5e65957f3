// SPDX-License-Identifier: Apache-2.0
// The bytes twice: as an archive, and as the schema of one, which a random archive would seldom bring along.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "backends/scikit_learn/json_value.h"
#include "backends/scikit_learn/npy_header.h"
#include "backends/scikit_learn/skops_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace protean::sklearn;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto archive = ZipArchive::open(text)) {
    ValuePool pool(size);
    std::deque<ZipArchive> archives;
    static_cast<void>(read_skops(*archive, archives, pool));
  }
  ValuePool pool(size);
  static_cast<void>(read_json(text, pool, 256));
  static_cast<void>(read_npy_header(text));
  return 0;
}
