// SPDX-License-Identifier: Apache-2.0
// Each top-level key becomes a setting with its line, interpreted like a flag's text.
#include "cli/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/text.h"
#include "configuration/toml_file.h"

namespace protean {
namespace {

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
std::optional<std::string> flag_text(const TomlValue& found, ValueKind kind) {
  const bool number = kind == ValueKind::kUint || kind == ValueKind::kBytes;
  if (const auto* truth = found.as<bool>(); truth != nullptr && kind == ValueKind::kBool) {
    return *truth ? "true" : "false";
  }
  if (const auto* integer = found.as<std::int64_t>(); integer != nullptr && number) return fmt::format("{}", *integer);
  const bool text = kind != ValueKind::kBool && kind != ValueKind::kUint;
  if (const auto* value = found.as<std::string>(); value != nullptr && text) return *value;
  return std::nullopt;
}

std::optional<std::vector<std::string>> flag_texts(const TomlValue& found, ValueKind kind) {
  std::vector<std::string> texts;
  if (const auto* array = found.as<TomlArray>(); array != nullptr && kind == ValueKind::kListen) {
    for (const auto& element : *array) {
      auto text = flag_text(element, kind);
      if (!text) return std::nullopt;
      texts.push_back(std::move(*text));
    }
    return texts;
  }
  auto text = flag_text(found, kind);
  if (!text) return std::nullopt;
  texts.push_back(std::move(*text));
  return texts;
}

/// A relative path means the same from wherever the server is started.
void resolve_path(std::string& text, const std::filesystem::path& file) {
  if (!text.empty() && text[0] != '/') text = (file.parent_path() / text).string();
}

Result<Setting> setting_of(const TomlEntry& entry, const std::filesystem::path& name) {
  const std::string place = toml_place(name, entry.line);
  const auto table = option_table();
  const auto option = std::find_if(table.begin(), table.end(), [&](const OptionSpec& o) {
    return o.scope == OptionScope::kEverywhere && key_name(o) == entry.key;
  });
  if (option == table.end()) {
    return fail(Code::kInvalidArgument, fmt::format("{}: unknown key '{}'{}", place, printable(entry.key),
                                                    suggestion(entry.key, key_name, OptionScope::kEverywhere)));
  }
  auto texts = flag_texts(entry.value, option->kind);
  if (!texts) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}: found {}, expected {}", place, entry.key,
                                                    toml_type_name(entry.value), wanted_type(option->kind)));
  }
  if (option->kind == ValueKind::kPath) resolve_path(texts->front(), name);
  return Setting{&*option, std::move(*texts), fmt::format("{}: {}", place, entry.key)};
}

}  // namespace

Result<ConfigFile> read_config_text(std::string_view text, const std::filesystem::path& name) {
  TRY(TomlTable table, parse_toml(text, name));
  ConfigFile file{name, {}, {}, {}};
  for (auto& entry : table) {
    if (entry.key == "python_environments") {
      file.python_environments = std::move(entry);
      continue;
    }
    if (entry.key == "served") {
      file.served = std::move(entry);
      continue;
    }
    TRY(auto setting, setting_of(entry, name));
    file.settings.push_back(std::move(setting));
  }
  return file;
}

Result<ConfigFile> read_config_file(const std::filesystem::path& file) {
  TRY(const std::string text, read_toml_text(file, Links::kFollow));
  return read_config_text(text, file);
}

}  // namespace protean
