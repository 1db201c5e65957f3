// SPDX-License-Identifier: Apache-2.0
// toml++ reads the file; each key becomes a setting with its line, interpreted like a flag's text.
#include "cli/config_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/text.h"

namespace protean {
namespace {

std::string place(const std::filesystem::path& name, const toml::source_region& source) {
  return fmt::format("{}:{}", printable(name.string(), 512), source.begin.line);
}

std::string type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "text";
    case toml::node_type::integer: return "a number";
    case toml::node_type::floating_point: return "a number with a point";
    case toml::node_type::boolean: return "true or false";
    default: return "a date or time";
  }
}

std::string_view wanted_type(ValueKind kind) noexcept {
  switch (kind) {
    case ValueKind::kBool: return "true or false without quotes";
    case ValueKind::kUint: return "a number without quotes";
    case ValueKind::kBytes: return "a size in quotes such as \"64MiB\", or a number of bytes";
    case ValueKind::kDuration: return "a time in quotes such as \"30s\"";
    case ValueKind::kListen: return "text or an array of text";
    default: return "text in quotes";
  }
}

/// The text a flag would have had; nullopt when the type does not go with the kind.
std::optional<std::string> flag_text(const toml::node& node, ValueKind kind) {
  const bool number = kind == ValueKind::kUint || kind == ValueKind::kBytes;
  if (const auto* truth = node.as_boolean(); truth != nullptr && kind == ValueKind::kBool) {
    return truth->get() ? "true" : "false";
  }
  if (const auto* integer = node.as_integer(); integer != nullptr && number) return fmt::format("{}", integer->get());
  const bool text = kind != ValueKind::kBool && kind != ValueKind::kUint;
  if (const auto* value = node.as_string(); value != nullptr && text) return value->get();
  return std::nullopt;
}

std::optional<std::vector<std::string>> flag_texts(const toml::node& node, ValueKind kind) {
  std::vector<std::string> texts;
  if (const auto* array = node.as_array(); array != nullptr && kind == ValueKind::kListen) {
    for (const auto& element : *array) {
      auto text = flag_text(element, kind);
      if (!text) return std::nullopt;
      texts.push_back(std::move(*text));
    }
    return texts;
  }
  auto text = flag_text(node, kind);
  if (!text) return std::nullopt;
  texts.push_back(std::move(*text));
  return texts;
}

/// A relative path means the same from wherever the server is started.
void resolve_path(std::string& text, const std::filesystem::path& file) {
  if (!text.empty() && text[0] != '/') text = (file.parent_path() / text).string();
}

Result<Setting> setting_of(const toml::key& key, const toml::node& node, const std::filesystem::path& name) {
  const auto table = option_table();
  const auto option = std::find_if(table.begin(), table.end(), [&](const OptionSpec& o) {
    return o.scope == OptionScope::kEverywhere && key_name(o) == key.str();
  });
  if (option == table.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: unknown key '{}'{}", place(name, key.source()), printable(key.str()),
                            suggestion(key.str(), key_name, OptionScope::kEverywhere)));
  }
  auto texts = flag_texts(node, option->kind);
  if (!texts) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}: found {}, expected {}", place(name, key.source()),
                                                    key.str(), type_name(node), wanted_type(option->kind)));
  }
  if (option->kind == ValueKind::kPath) resolve_path(texts->front(), name);
  return Setting{&*option, std::move(*texts), fmt::format("{}: {}", place(name, key.source()), key.str())};
}

Result<std::string> read_bytes(const std::filesystem::path& file) {
  const auto failed = [&](int number) {
    const Code code = number == EACCES ? Code::kPermissionDenied : Code::kNotFound;
    return fail(code, fmt::format("{}: cannot be read: {}", printable(file.string(), 512), std::strerror(number)));
  };
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return failed(errno);
  std::string text(kConfigBytesMax + 1, '\0');
  std::size_t size = 0;
  ssize_t got = 0;
  do {
    got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
  } while ((got > 0 && size < text.size()) || (got < 0 && errno == EINTR));
  const int error = got < 0 ? errno : 0;
  ::close(descriptor);
  if (error != 0) return failed(error);
  if (size > kConfigBytesMax) {
    return fail(Code::kResourceExhausted,
                fmt::format("{}: more than {} bytes", printable(file.string(), 512), kConfigBytesMax));
  }
  text.resize(size);
  return text;
}

}  // namespace

Result<std::vector<Setting>> read_config_text(std::string_view text, const std::filesystem::path& name) {
  try {
    const toml::table table = toml::parse(text, std::string_view("config"));
    std::vector<Setting> settings;
    for (const auto& [key, node] : table) {
      TRY(auto setting, setting_of(key, node, name));
      settings.push_back(std::move(setting));
    }
    return settings;
  } catch (const toml::parse_error& error) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", place(name, error.source()), error.description()));
  }
}

Result<std::vector<Setting>> read_config_file(const std::filesystem::path& file) {
  TRY(const std::string text, read_bytes(file));
  return read_config_text(text, file);
}

}  // namespace protean
