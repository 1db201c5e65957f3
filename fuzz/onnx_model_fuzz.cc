// SPDX-License-Identifier: Apache-2.0
// What a model file goes through before ONNX Runtime sees it: recognition and preparation. The library itself
// is left out: it is not ours, and not instrumented.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "backends/onnxruntime/prepare_model.h"
#include "backends/onnxruntime/recognise.h"
#include "base/check.h"

namespace {

using protean::ModelFolder;

/// A folder with one file of 64 bytes, which the corpus names as external data; gone when the process ends.
const ModelFolder& folder() {
  static const ModelFolder instance = [] {
    std::string name = (std::filesystem::temp_directory_path() / "protean-fuzz-XXXXXX").native();
    PROTEAN_CHECK(::mkdtemp(name.data()) != nullptr);
    static const std::filesystem::path path = name;
    std::ofstream(path / "weights.bin") << std::string(64, 'w');
    std::atexit([] {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    });
    auto opened = ModelFolder::open(path);
    PROTEAN_CHECK(opened.has_value());
    return *std::move(opened);
  }();
  return instance;
}

protean::Buffer copy_of(const void* data, std::size_t size) {
  protean::Buffer bytes;
  bytes.append(data, size);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(
      protean::looks_like_onnx(size, [&](std::uint64_t offset, std::span<std::byte> out) -> protean::Status {
        PROTEAN_CHECK(offset <= size && out.size() <= size - offset);
        std::memcpy(out.data(), data + offset, out.size());
        return {};
      }));
  const auto prepared = protean::prepare_model(copy_of(data, size), folder());
  if (!prepared) return 0;
  // What comes out is a whole model that asks for nothing more: preparing it again changes nothing.
  const auto again = protean::prepare_model(copy_of(prepared->bytes.data(), prepared->bytes.size()), folder());
  PROTEAN_CHECK(again.has_value());
  PROTEAN_CHECK(again->external_bytes == 0);
  PROTEAN_CHECK(again->bytes.text() == prepared->bytes.text());
  return 0;
}
