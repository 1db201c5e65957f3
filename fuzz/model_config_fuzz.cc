// SPDX-License-Identifier: Apache-2.0
// Feeds arbitrary bytes to the reader of a model's configuration. What is accepted must survive being printed and
// read back; what is refused must say where.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "configuration/model_config_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace protean;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = parse_model_config(text, "/fuzz.toml");
  if (!config) {
    PROTEAN_CHECK(config.error().message.starts_with("/fuzz.toml:"));
    return 0;
  }
  const auto printed = format_model_config(*config);
  const auto again = parse_model_config(printed, "/fuzz.toml");
  PROTEAN_CHECK(again.has_value());
  PROTEAN_CHECK(format_model_config(*again) == printed);
  return 0;
}
