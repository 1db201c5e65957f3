// SPDX-License-Identifier: Apache-2.0
// Files of protobuf messages as text, as TensorFlow Serving's configuration is written.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace protean {

/// Reads the file's text into `message`.
/// Errors: those of parse_config_text(); kNotFound, kPermissionDenied, kUnavailable when the file cannot be read.
[[nodiscard]] Status read_text_message(const std::filesystem::path& file, google::protobuf::Message& message);

/// The whole of a file of at most that many bytes.  Errors: as read_text_message().
[[nodiscard]] Result<std::string> read_whole_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace protean
