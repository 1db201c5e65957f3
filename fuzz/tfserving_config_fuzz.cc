// SPDX-License-Identifier: Apache-2.0
// TensorFlow Serving's configuration as text: whatever is read can be listed, printed, and turned into models.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/tensorflow_serving_config.pb.h"
#include "protocols/tensorflow_serving/config_text.h"
#include "protocols/tensorflow_serving/reload.h"

namespace {

template <typename Message>
void read(std::string_view text) {
  Message message;
  if (!protean::tfserving::parse_config_text(text, "fuzz", message)) return;
  (void)protean::tfserving::config_fields(message, [](std::string_view name) { return name.size() % 2 == 0; });
  if constexpr (std::is_same_v<Message, tensorflow::serving::ModelServerConfig>) {
    (void)protean::tfserving::model_entries(message);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read<tensorflow::serving::ModelServerConfig>(text);
  read<tensorflow::serving::BatchingParameters>(text);
  read<tensorflow::serving::MonitoringConfig>(text);
  read<tensorflow::serving::PlatformConfigMap>(text);
  return 0;
}
