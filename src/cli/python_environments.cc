// SPDX-License-Identifier: Apache-2.0
// One table of keys: each knows how to read itself and how to print itself.
#include "cli/python_environments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "configuration/value_text.h"

namespace protean {
namespace {

using E = PythonEnvironment;

constexpr std::size_t kEnvironmentsMax = 256;
constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kListMax = 256;
constexpr std::uint64_t kWorkersMax = 64;
constexpr std::uint64_t kCoresMax = 1024;
constexpr std::uint64_t kMemoryMin = std::uint64_t{64} << 20;

/// Where a relative path begins; empty: nowhere.
using Folder = std::filesystem::path;

std::string absolute_path(const std::string& text, const Folder& folder) {
  return text.empty() || text.front() == '/' ? text : (folder / text).string();
}

bool read_path(const TomlValue& value, const Folder& folder, std::string& out) {
  const auto* text = value.as<std::string>();
  if (text == nullptr || text->empty() || text->find('\0') != std::string::npos) return false;
  out = absolute_path(*text, folder);
  return true;
}

bool read_texts(const TomlValue& value, std::vector<std::string>& out) {
  const auto* array = value.as<TomlArray>();
  if (array == nullptr || array->size() > kListMax) return false;
  out.clear();
  for (const auto& element : *array) {
    const auto* text = element.as<std::string>();
    if (text == nullptr || text->empty() || text->find('\0') != std::string::npos) return false;
    out.push_back(*text);
  }
  return true;
}

bool read_truth(const TomlValue& value, bool& out) {
  const auto* truth = value.as<bool>();
  if (truth != nullptr) out = *truth;
  return truth != nullptr;
}

bool read_number(const TomlValue& value, std::uint64_t least, std::uint64_t most, std::uint32_t& out) {
  const auto* number = value.as<std::int64_t>();
  if (number == nullptr || *number < 0) return false;
  const auto count = static_cast<std::uint64_t>(*number);
  if (count < least || count > most) return false;
  out = static_cast<std::uint32_t>(count);
  return true;
}

bool read_time(const TomlValue& value, Duration& out) {
  const auto* text = value.as<std::string>();
  const auto time = text == nullptr ? std::nullopt : parse_duration(*text);
  if (!time || *time < std::chrono::milliseconds(1) || *time > std::chrono::hours(24)) return false;
  out = *time;
  return true;
}

bool read_size(const TomlValue& value, std::uint64_t& out) {
  std::optional<std::uint64_t> size;
  if (const auto* text = value.as<std::string>()) size = parse_bytes(*text);
  if (const auto* number = value.as<std::int64_t>(); number != nullptr && *number > 0) {
    size = static_cast<std::uint64_t>(*number);
  }
  if (!size || *size < kMemoryMin || *size > static_cast<std::uint64_t>(INT64_MAX)) return false;
  out = *size;
  return true;
}

std::string format_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const auto& text : texts) quoted.push_back(toml_text(text));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string format_time(Duration time) {
  return toml_text(format_duration_exactly(std::chrono::duration_cast<std::chrono::milliseconds>(time)));
}

/// `format`: empty for what is not set.
struct Key {
  std::string_view name;
  std::string_view expected;
  bool (*read)(const TomlValue& value, const Folder& folder, E& environment);
  std::string (*format)(const E& environment);
};

constexpr std::array kKeys = {
    Key{"python", "a path in quotes",
        [](const TomlValue& v, const Folder& f, E& e) { return read_path(v, f, e.interpreter); },
        [](const E& e) { return e.interpreter.empty() ? std::string() : toml_text(e.interpreter); }},
    Key{"workers", "a number from 1 to 64 without quotes",
        [](const TomlValue& v, const Folder&, E& e) { return read_number(v, 1, kWorkersMax, e.workers); },
        [](const E& e) { return fmt::format("{}", e.workers); }},
    Key{"run_timeout", "a time in quotes such as \"30s\", up to \"24h\"",
        [](const TomlValue& v, const Folder&, E& e) { return read_time(v, e.run_time_max); },
        [](const E& e) { return format_time(e.run_time_max); }},
    Key{"load_timeout", "a time in quotes such as \"30s\", up to \"24h\"",
        [](const TomlValue& v, const Folder&, E& e) { return read_time(v, e.load_time_max); },
        [](const E& e) { return format_time(e.load_time_max); }},
    Key{"memory_max", "a size in quotes such as \"2GiB\", at least \"64MiB\"",
        [](const TomlValue& v, const Folder&, E& e) { return read_size(v, e.memory_bytes_max); },
        [](const E& e) {
          return e.memory_bytes_max == 0 ? std::string() : toml_text(format_bytes_exactly(e.memory_bytes_max));
        }},
    Key{"cpu_cores_max", "a number up to 1024 without quotes; 0: as the server",
        [](const TomlValue& v, const Folder&, E& e) { return read_number(v, 0, kCoresMax, e.cpu_cores_max); },
        [](const E& e) { return fmt::format("{}", e.cpu_cores_max); }},
    Key{"shared", "true or false without quotes",
        [](const TomlValue& v, const Folder&, E& e) { return read_truth(v, e.shared); },
        [](const E& e) { return std::string(e.shared ? "true" : "false"); }},
    Key{"network", "true or false without quotes",
        [](const TomlValue& v, const Folder&, E& e) { return read_truth(v, e.network); },
        [](const E& e) { return std::string(e.network ? "true" : "false"); }},
    Key{"readable", "an array of at most 256 paths in quotes",
        [](const TomlValue& v, const Folder& f, E& e) {
          if (!read_texts(v, e.readable)) return false;
          for (auto& path : e.readable) path = absolute_path(path, f);
          return true;
        },
        [](const E& e) { return format_texts(e.readable); }},
    Key{"scratch", "the path of a folder in quotes",
        [](const TomlValue& v, const Folder& f, E& e) { return read_path(v, f, e.scratch); },
        [](const E& e) { return e.scratch.empty() ? std::string() : toml_text(e.scratch); }},
    Key{"variables", "an array of at most 256 texts \"NAME=VALUE\"",
        [](const TomlValue& v, const Folder&, E& e) {
          return read_texts(v, e.variables) && std::ranges::all_of(e.variables, [](const std::string& one) {
                   const auto equals = one.find('=');
                   return equals != 0 && equals != std::string::npos;
                 });
        },
        [](const E& e) { return format_texts(e.variables); }},
};

std::string suggestion(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& key : kKeys) names.emplace_back(key.name);
  const auto near = nearest_name(name, names);
  return near ? fmt::format(": did you mean '{}'?", *near) : std::string();
}

Status read_one(const TomlTable& table, const std::filesystem::path& file, PythonEnvironment& environment) {
  const std::string prefix = "python_environments." + printable(environment.name);
  for (const auto& [name, line, value] : table) {
    const auto key = std::ranges::find(kKeys, std::string_view(name), &Key::name);
    if (key == kKeys.end()) {
      return fail(Code::kInvalidArgument, fmt::format("{}: {}: unknown key '{}'{}", toml_place(file, line), prefix,
                                                      printable(name), suggestion(name)));
    }
    if (key->read(value, file.parent_path(), environment)) continue;
    const auto* text = value.as<std::string>();
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {}.{}: found {}, expected {}", toml_place(file, line), prefix, name,
                            text != nullptr ? '"' + printable(*text) + '"' : toml_type_name(value), key->expected));
  }
  return {};
}

bool is_plain(std::string_view name) noexcept {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

Result<std::vector<PythonEnvironment>> read_python_environments(const TomlEntry& entry,
                                                                const std::filesystem::path& name,
                                                                const PythonEnvironment& defaults) {
  const auto refuse = [&](std::size_t line, const std::string& what) {
    return fail(Code::kInvalidArgument, toml_place(name, line) + ": " + what);
  };
  const auto* tables = entry.value.as<TomlTable>();
  if (tables == nullptr || tables->size() > kEnvironmentsMax) {
    return refuse(entry.line, fmt::format("python_environments: found {}, expected at most {} tables "
                                          "[python_environments.NAME]",
                                          toml_type_name(entry.value), kEnvironmentsMax));
  }
  std::vector<PythonEnvironment> environments;
  for (const auto& [key, line, value] : *tables) {
    const auto* table = value.as<TomlTable>();
    if (table == nullptr) {
      return refuse(line, fmt::format("python_environments.{}: found {}, expected a table", printable(key),
                                      toml_type_name(value)));
    }
    if (key.empty() || key.size() > kNameBytesMax || !is_plain(key)) {
      return refuse(line,
                    fmt::format("python_environments: a name '{}', expected letters, digits, - and _", printable(key)));
    }
    PythonEnvironment& environment = environments.emplace_back(defaults);
    environment.name = key;
    environment.network = false;
    environment.readable.clear();
    environment.scratch.clear();
    environment.variables.clear();
    TRY_STATUS(read_one(*table, name, environment));
    const bool says_workers = std::ranges::any_of(*table, [](const TomlEntry& one) { return one.key == "workers"; });
    if (environment.shared && !says_workers) environment.workers = 1;
    if (environment.shared && environment.workers != 1) {
      return refuse(line, fmt::format("python_environments.{}: workers = {}, expected 1 where shared = true", key,
                                      environment.workers));
    }
  }
  return environments;
}

std::string format_python_environments(std::span<const PythonEnvironment> environments) {
  std::string out;
  for (const auto& environment : environments) {
    out += fmt::format("\n[python_environments.{}]\n", environment.name);
    for (const auto& key : kKeys) {
      if (const auto text = key.format(environment); !text.empty()) out += fmt::format("{} = {}\n", key.name, text);
    }
  }
  return out;
}

}  // namespace protean
