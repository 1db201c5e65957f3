// SPDX-License-Identifier: Apache-2.0
// Files of protobuf messages as text, as TensorFlow Serving's configuration is written.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace protean {

/// Larger files are refused unread.
inline constexpr std::size_t kTextMessageBytesMax = std::size_t{16} << 20;

/// Reads `text` into `message`, which is emptied first.  `name`: for messages.
/// Errors: kInvalidArgument `models.config:3:5: ...` for text that is malformed or names fields there are none of.
[[nodiscard]] Status parse_text_message(std::string_view text, const std::filesystem::path& name,
                                        google::protobuf::Message& message);

/// Errors: also kNotFound, kPermissionDenied, kUnavailable when the file cannot be read, kResourceExhausted above
/// kTextMessageBytesMax.
[[nodiscard]] Status read_text_message(const std::filesystem::path& file, google::protobuf::Message& message);

/// The whole of a file of at most that many bytes.  Errors: as read_text_message().
[[nodiscard]] Result<std::string> read_whole_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace protean
