// SPDX-License-Identifier: Apache-2.0
// What is peculiar to these tables is read here; what they share with protean.toml, where that is read.
#include "cli/served_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "configuration/model_config_file.h"
#include "configuration/value_text.h"

namespace protean {
namespace {

/// Of a protean.toml.
constexpr std::array<std::string_view, 5> kSharedTables = {"versions", "load", "warm_up", "batch", "tensorflow"};

tl::unexpected<Error> wrong(const std::filesystem::path& file, const TomlEntry& entry, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("{}: {}: found {}, expected {}", toml_place(file, entry.line),
                                                  printable(entry.key), toml_type_name(entry.value), expected));
}

Result<std::filesystem::path> read_path(const TomlEntry& entry, const std::filesystem::path& file) {
  const auto* text = entry.value.as<std::string>();
  if (text == nullptr || text->empty() || text->find('\0') != std::string::npos) {
    return wrong(file, entry, "the path of a folder or file in quotes");
  }
  return text->front() == '/' ? std::filesystem::path(*text) : file.parent_path() / *text;
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> read_aliases(const TomlEntry& entry,
                                                                        const std::filesystem::path& file) {
  const auto* table = entry.value.as<TomlTable>();
  if (table == nullptr) return wrong(file, entry, "a table such as { stable = 1 }");
  std::vector<std::pair<std::string, std::uint64_t>> aliases;
  for (const auto& alias : *table) {
    const auto* version = alias.value.as<std::int64_t>();
    if (version == nullptr || *version <= 0) return wrong(file, alias, "the number of a version, from 1");
    aliases.emplace_back(alias.key, static_cast<std::uint64_t>(*version));
  }
  return aliases;
}

Result<ModelEntry> read_entry(const TomlEntry& named, const std::filesystem::path& file) {
  const auto* table = named.value.as<TomlTable>();
  if (table == nullptr) return wrong(file, named, "a table [served.NAME]");
  ModelEntry entry;
  entry.name = named.key;
  TomlTable shared;
  for (const auto& key : *table) {
    if (key.key == "path") {
      TRY(entry.path, read_path(key, file));
    } else if (key.key == "aliases") {
      TRY(entry.aliases, read_aliases(key, file));
    } else if (std::ranges::find(kSharedTables, key.key) != kSharedTables.end()) {
      shared.push_back(key);
    } else {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: unknown key '{}', expected path, aliases, {}; everything else stands in the model's "
                              "own protean.toml",
                              toml_place(file, key.line), printable(key.key), fmt::join(kSharedTables, ", ")));
    }
  }
  if (entry.path.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: [served.{}]: no path", toml_place(file, named.line), printable(named.key)));
  }
  TRY(ModelConfig config, read_model_tables(shared, file));
  for (const auto& key : shared) {
    if (key.key == "versions") entry.versions = config.versions;
    if (key.key == "load") entry.retries = config.retries;
    if (key.key == "warm_up") entry.warm_up = config.warm_up;
    if (key.key == "batch") entry.batch = config.batch;
    if (key.key == "tensorflow") entry.tensorflow = config.tensorflow;
  }
  return entry;
}

/// `[versions]` becomes `[served.NAME.versions]`.
void append_tables(std::string& out, std::string_view name, const ModelConfig& config) {
  const std::string tables = format_model_config(config);
  for (const auto line : split(tables, '\n')) {
    if (line.starts_with('[')) {
      out += fmt::format("\n[served.{}.{}\n", name, line.substr(1));
    } else if (!line.empty()) {
      out += fmt::format("{}\n", line);
    }
  }
}

}  // namespace

Result<std::vector<ModelEntry>> read_served_models(const TomlEntry& served, const std::filesystem::path& name) {
  const auto* table = served.value.as<TomlTable>();
  if (table == nullptr) return wrong(name, served, "tables [served.NAME]");
  std::vector<ModelEntry> models;
  for (const auto& named : *table) {
    TRY(auto entry, read_entry(named, name));
    models.push_back(std::move(entry));
  }
  return models;
}

std::string format_served_models(const std::vector<ModelEntry>& models) {
  std::string out;
  for (const auto& model : models) {
    const std::string name = toml_text(model.name);
    out += fmt::format("\n[served.{}]\npath = {}\n", name, toml_text(model.path.string()));
    if (model.aliases && !model.aliases->empty()) {
      out += "aliases = {";
      for (const auto& [alias, version] : *model.aliases) {
        out += fmt::format("{}{} = {}", out.ends_with('{') ? " " : ", ", toml_text(alias), version);
      }
      out += " }\n";
    }
    ModelConfig config;
    if (model.versions) config.versions = *model.versions;
    if (model.retries) config.retries = *model.retries;
    if (model.warm_up) config.warm_up = *model.warm_up;
    if (model.batch) config.batch = *model.batch;
    if (model.tensorflow) config.tensorflow = *model.tensorflow;
    append_tables(out, name, config);
  }
  return out;
}

}  // namespace protean
