// SPDX-License-Identifier: Apache-2.0
// toml++ stays in this file.
#include "configuration/toml_file.h"

// Version 3.3 asserts what a file may well break, such as `[~`, and reports it properly right after.
#define TOML_ASSERT(condition) static_cast<void>(0)

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kNameMax = 512;

TomlTable convert(const toml::table& table);

/// The parser has bounded the depth (256), so recursion is.
TomlValue convert(const toml::node& node) {
  if (const auto* table = node.as_table()) return {convert(*table)};
  if (const auto* array = node.as_array()) {
    TomlArray elements;
    for (const auto& element : *array) elements.push_back(convert(element));
    return {std::move(elements)};
  }
  if (const auto* text = node.as_string()) return {text->get()};
  if (const auto* integer = node.as_integer()) return {integer->get()};
  if (const auto* real = node.as_floating_point()) return {real->get()};
  if (const auto* truth = node.as_boolean()) return {truth->get()};
  return {TomlTime{}};
}

TomlTable convert(const toml::table& table) {
  TomlTable entries;
  for (const auto& [key, node] : table) {
    entries.push_back({std::string(key.str()), key.source().begin.line, convert(node)});
  }
  return entries;
}

tl::unexpected<Error> cannot_read(const std::filesystem::path& file, int number) {
  Code code = Code::kUnavailable;
  if (number == ENOENT || number == ENOTDIR) code = Code::kNotFound;
  if (number == EACCES || number == EPERM) code = Code::kPermissionDenied;
  if (number == ELOOP || number == EISDIR) code = Code::kInvalidArgument;
  const std::string_view why = number == ELOOP ? "it is a symbolic link, expected a file" : std::strerror(number);
  return fail(code, fmt::format("{}: cannot be read: {}", printable(file.string(), kNameMax), why));
}

/// 0, or errno. Reads one byte more than is allowed, so that the caller sees that there is more.
int read_all(int descriptor, std::string& text) {
  constexpr std::size_t kFirst = 4096;
  std::size_t size = 0;
  ssize_t got = 0;
  do {
    if (size == text.size()) text.resize(std::min(std::max(2 * size, kFirst), kTomlBytesMax + 1));
    got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
  } while ((got > 0 && size <= kTomlBytesMax) || (got < 0 && errno == EINTR));
  const int error = got < 0 ? errno : 0;
  text.resize(size);
  return error;
}

}  // namespace

std::string_view toml_type_name(const TomlValue& value) noexcept {
  struct Namer {
    std::string_view operator()(bool) const noexcept { return "true or false"; }
    std::string_view operator()(std::int64_t) const noexcept { return "a number"; }
    std::string_view operator()(double) const noexcept { return "a number with a point"; }
    std::string_view operator()(const std::string&) const noexcept { return "text"; }
    std::string_view operator()(const TomlArray&) const noexcept { return "an array"; }
    std::string_view operator()(const TomlTable&) const noexcept { return "a table"; }
    std::string_view operator()(TomlTime) const noexcept { return "a date or time"; }
  };
  return std::visit(Namer{}, value.value);
}

std::string toml_place(const std::filesystem::path& name, std::size_t line) {
  return fmt::format("{}:{}", printable(name.string(), kNameMax), line);
}

Result<TomlTable> parse_toml(std::string_view text, const std::filesystem::path& name) {
  try {
    return convert(toml::parse(text, std::string_view("config")));
  } catch (const toml::parse_error& error) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {}", toml_place(name, error.source().begin.line), error.description()));
  }
}

Result<std::string> read_toml_text(const std::filesystem::path& file, Links links) {
  const bool refuse = links == Links::kRefuse;
  // O_NONBLOCK: a pipe in the file's place must not hold us up.
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (refuse ? O_NOFOLLOW : 0));
  if (descriptor < 0) return cannot_read(file, errno);
  struct stat facts {};
  const bool regular = ::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
  std::string text;
  const int error = regular || !refuse ? read_all(descriptor, text) : EISDIR;
  ::close(descriptor);
  if (!regular && refuse) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: is not a regular file, expected one", printable(file.string(), kNameMax)));
  }
  if (error != 0) return cannot_read(file, error);
  if (text.size() > kTomlBytesMax) {
    return fail(Code::kResourceExhausted,
                fmt::format("{}: more than {} bytes", printable(file.string(), kNameMax), kTomlBytesMax));
  }
  return text;
}

}  // namespace protean
