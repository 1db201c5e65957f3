// SPDX-License-Identifier: Apache-2.0
// TensorFlow Serving's configuration messages as text: read, and listed field by field.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace protean::tfserving {

/// Longer texts are refused unread.
inline constexpr std::size_t kConfigTextBytesMax = std::size_t{16} << 20;

/// Reads `text` into `message`, which is emptied first.  `name`: of the file, for messages.
/// Errors: kInvalidArgument `models.config:3:5: ...` for text that is malformed or names fields there are none of;
/// kResourceExhausted for one that is too long.  Thread-safe.
[[nodiscard]] Status parse_config_text(std::string_view text, std::string_view name,
                                       google::protobuf::Message& message);

/// One field that is set.  `name`: `ModelConfig.base_path`, by the message it belongs to.  `path`:
/// `config[0].base_path`. `value`: in one line, cut; that of keys and certificates is left out.
struct ConfigField {
  std::string name;
  std::string path;
  std::string value;
};

/// Every field that is set in `message` and the messages in it. A message itself is listed where `whole` says so of its
/// name, or where nothing is set in it.
[[nodiscard]] std::vector<ConfigField> config_fields(const google::protobuf::Message& message,
                                                     const std::function<bool(std::string_view name)>& whole);

}  // namespace protean::tfserving
