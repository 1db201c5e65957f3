// SPDX-License-Identifier: Apache-2.0
// libprotobuf's text format; its complaints become one error with a place.
#include "cli/tensorflow_serving/text_files.h"

#include <fmt/format.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "base/text.h"

namespace protean {
namespace {

constexpr int kNestingMax = 64;

/// Keeps the first complaint; lines and columns count from 1 for people.
class FirstComplaint final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("{}:{}: {}", line + 1, column + 1, printable(message, 400));
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace

Status parse_text_message(std::string_view text, const std::filesystem::path& name,
                          google::protobuf::Message& message) {
  if (text.size() > kTextMessageBytesMax) {
    return fail(Code::kResourceExhausted, fmt::format("{}: {} bytes, expected at most {}", printable(name.string()),
                                                      text.size(), kTextMessageBytesMax));
  }
  FirstComplaint complaint;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&complaint);
  parser.SetRecursionLimit(kNestingMax);
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&input, &message)) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("{}:{}", printable(name.string()),
                          complaint.text().empty() ? " is not a message in text format" : complaint.text()));
}

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
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return fail(Code::kUnavailable, fmt::format("{}: cannot be read", shown));
  if (text.size() > bytes_max) {
    return fail(Code::kResourceExhausted, fmt::format("{}: more than {} bytes", shown, bytes_max));
  }
  return text;
}

Status read_text_message(const std::filesystem::path& file, google::protobuf::Message& message) {
  TRY(const std::string text, read_whole_file(file, kTextMessageBytesMax));
  return parse_text_message(text, file, message);
}

}  // namespace protean
