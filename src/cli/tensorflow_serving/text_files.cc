// SPDX-License-Identifier: Apache-2.0
// A file is read whole, at most so many bytes of it, then parsed.
#include "cli/tensorflow_serving/text_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "base/text.h"
#include "protocols/tensorflow_serving/config_text.h"

namespace protean {

Result<std::string> read_whole_file(const std::filesystem::path& file, std::size_t bytes_max) {
  std::error_code error;
  const std::string shown = printable(file.string());
  if (!std::filesystem::exists(file, error))
    return fail(Code::kNotFound, fmt::format("{}: there is no such file", shown));
  if (!std::filesystem::is_regular_file(file, error)) {
    return fail(Code::kInvalidArgument, fmt::format("{}: found no regular file", shown));
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(Code::kPermissionDenied, fmt::format("{}: cannot be read: {}", shown, std::strerror(errno)));
  std::string text(std::min<std::uintmax_t>(bytes_max, std::filesystem::file_size(file, error)) + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return fail(Code::kUnavailable, fmt::format("{}: cannot be read", shown));
  if (text.size() > bytes_max) {
    return fail(Code::kResourceExhausted, fmt::format("{}: more than {} bytes", shown, bytes_max));
  }
  return text;
}

Status read_text_message(const std::filesystem::path& file, google::protobuf::Message& message) {
  TRY(const std::string text, read_whole_file(file, tfserving::kConfigTextBytesMax));
  return tfserving::parse_config_text(text, file.string(), message);
}

}  // namespace protean
