// SPDX-License-Identifier: Apache-2.0
// Text to ModelConfig and back, by the table of keys.
#include "configuration/model_config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "base/replace_file.h"
#include "base/text.h"
#include "configuration/column_config.h"
#include "configuration/model_config_keys.h"
#include "configuration/toml_file.h"

namespace protean {
namespace {

/// `lines`: where each key of model_keys() stands; 0 where it does not.
struct ParsedConfig {
  ModelConfig config;
  std::vector<std::size_t> lines;

  [[nodiscard]] std::size_t line(std::string_view table, std::string_view name) const {
    return lines[static_cast<std::size_t>(find_model_key(table, name) - model_keys().data())];
  }
};

/// `: did you mean 'batch.rows_max'?`: among the keys of this table, else of all.
std::string suggestion(std::string_view table, std::string_view name) {
  std::vector<std::string> here;
  std::vector<std::string> everywhere;
  for (const auto& key : model_keys()) {
    if (key.table == table) here.emplace_back(key.name);
    everywhere.push_back(key.full_name());
    // A key in the wrong table is found by its own name.
    if (key.name == name) return fmt::format(": did you mean '{}'?", key.full_name());
    if (table.empty() && !key.table.empty()) here.emplace_back(key.table);
  }
  if (const auto near = nearest_name(name, here)) {
    const bool is_table = table.empty() && find_model_key("", *near) == nullptr;
    return fmt::format(": did you mean '{}{}{}'?", is_table ? "[" : "", *near, is_table ? "]" : "");
  }
  const std::string full = table.empty() ? std::string(name) : fmt::format("{}.{}", table, name);
  if (const auto near = nearest_name(full, everywhere)) return fmt::format(": did you mean '{}'?", *near);
  return {};
}

bool is_table_name(std::string_view name) noexcept {
  return std::ranges::any_of(model_keys(),
                             [&](const ModelKey& key) { return !key.table.empty() && key.table == name; });
}

Status read_table(const TomlTable& entries, std::string_view table, const std::filesystem::path& name,
                  ParsedConfig& parsed) {
  for (const auto& entry : entries) {
    const std::string place = toml_place(name, entry.line);
    if (table.empty() && entry.key == "columns") {
      TRY(parsed.config.columns, read_columns(entry, name));
      continue;
    }
    if (table.empty() && is_table_name(entry.key)) {
      const auto* inner = entry.value.as<TomlTable>();
      if (inner == nullptr) {
        return fail(Code::kInvalidArgument, fmt::format("{}: {}: found {}, expected a table [{}]", place, entry.key,
                                                        toml_type_name(entry.value), entry.key));
      }
      TRY_STATUS(read_table(*inner, entry.key, name, parsed));
      continue;
    }
    const ModelKey* key = find_model_key(table, entry.key);
    if (key == nullptr) {
      const std::string_view kind = entry.value.as<TomlTable>() == nullptr ? "key" : "table";
      return fail(Code::kInvalidArgument, fmt::format("{}: unknown {} '{}'{}", place, kind, printable(entry.key),
                                                      suggestion(table, entry.key)));
    }
    if (auto stored = store_model_key(*key, entry.value, parsed.config); !stored) {
      return fail(Code::kInvalidArgument, fmt::format("{}: {}: {}", place, key->full_name(), stored.error().message));
    }
    parsed.lines[static_cast<std::size_t>(key - model_keys().data())] = entry.line;
  }
  return {};
}

/// Zero when strictly ascending, else the position of the first element that is not above the one before.
template <typename T>
std::size_t first_not_ascending(const std::vector<T>& numbers) noexcept {
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] <= numbers[i - 1]) return i;
  }
  return 0;
}

/// What no single key can tell: the key to blame and what is wrong with it.
struct Conflict {
  std::string_view table, name;
  std::string what;
};

std::optional<Conflict> find_conflict(const ParsedConfig& parsed) {
  const auto& [config, lines] = parsed;
  using Choice = VersionPolicy::Choice;
  const Choice choice = config.versions.choice;
  if (choice == Choice::kListed && config.versions.listed.empty()) {
    return Conflict{"versions", "choice", "found \"listed\", expected versions.listed to name at least one version"};
  }
  if (choice != Choice::kListed && parsed.line("versions", "listed") != 0) {
    return Conflict{"versions", "listed", "has no effect, expected versions.choice = \"listed\" with it"};
  }
  if (choice != Choice::kLatest && parsed.line("versions", "latest") != 0) {
    return Conflict{"versions", "latest", "has no effect, expected versions.choice = \"latest\" with it"};
  }
  if (config.retries.wait_first > config.retries.wait_max) {
    return Conflict{"load", parsed.line("load", "wait_max") != 0 ? "wait_max" : "wait_first",
                    "load.wait_first is above load.wait_max, expected at most that"};
  }
  const auto& preferred = config.batch.rows_preferred;
  if (const auto at = first_not_ascending(preferred); at != 0) {
    return Conflict{"batch", "rows_preferred",
                    fmt::format("found {} after {}, expected ascending numbers", preferred[at], preferred[at - 1])};
  }
  if (!preferred.empty() && preferred.back() > config.batch.rows_max) {
    return Conflict{
        "batch", "rows_preferred",
        fmt::format("found {}, expected at most batch.rows_max, {}", preferred.back(), config.batch.rows_max)};
  }
  const auto& buckets = config.batch.dim_buckets;
  if (const auto at = first_not_ascending(buckets); at != 0) {
    return Conflict{"batch", "dim_buckets",
                    fmt::format("found {} after {}, expected ascending numbers", buckets[at], buckets[at - 1])};
  }
  if (!buckets.empty() && !config.batch.pad_dims) {
    return Conflict{"batch", "dim_buckets", "has no effect, expected batch.pad_dims = true with it"};
  }
  return std::nullopt;
}

Result<ParsedConfig> parse_table(const TomlTable& table, const std::filesystem::path& name,
                                 const ModelConfig& defaults) {
  ParsedConfig parsed{defaults, std::vector<std::size_t>(model_keys().size(), 0)};
  TRY_STATUS(read_table(table, "", name, parsed));
  if (const auto conflict = find_conflict(parsed)) {
    const std::size_t line = std::max<std::size_t>(parsed.line(conflict->table, conflict->name), 1);
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {}.{}: {}", toml_place(name, line), conflict->table, conflict->name, conflict->what));
  }
  return parsed;
}

Result<ParsedConfig> parse(std::string_view text, const std::filesystem::path& name, const ModelConfig& defaults = {}) {
  TRY(const TomlTable table, parse_toml(text, name));
  return parse_table(table, name, defaults);
}

/// An absent file is an empty one.
Result<ParsedConfig> read(const std::filesystem::path& files, std::string_view model,
                          const ModelConfig& defaults = {}) {
  const auto file = model_config_path(files);
  auto text = read_toml_text(file, Links::kRefuse);
  if (!text && text.error().code == Code::kNotFound) text = std::string();
  Result<ParsedConfig> parsed = text ? parse(*text, file, defaults) : tl::unexpected<Error>(std::move(text).error());
  if (!parsed) parsed.error().message += fmt::format(" (model {})", printable(model));
  return parsed;
}

std::string format_keys(const ModelConfig& config, const std::function<bool(const ModelKey&)>& wanted) {
  std::string out;
  std::string_view table;
  for (const auto& key : model_keys()) {
    if (!wanted(key)) continue;
    if (key.table != table) {
      table = key.table;
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", table);
    }
    out += fmt::format("{} = {}\n", key.name, format_model_key(key, config));
  }
  return out;
}

}  // namespace

std::filesystem::path model_config_path(const std::filesystem::path& files) {
  std::error_code ignored;
  if (std::filesystem::is_directory(files, ignored)) return files / "protean.toml";
  auto beside = files;
  return beside.replace_extension(".toml");
}

Result<ModelConfig> read_model_config(const std::filesystem::path& files, std::string_view model,
                                      const ModelConfig& defaults) {
  TRY(ParsedConfig parsed, read(files, model, defaults));
  return std::move(parsed.config);
}

Result<ModelConfig> parse_model_config(std::string_view text, const std::filesystem::path& name) {
  TRY(ParsedConfig parsed, parse(text, name));
  return std::move(parsed.config);
}

Result<ModelConfig> read_model_tables(const TomlTable& table, const std::filesystem::path& name) {
  TRY(ParsedConfig parsed, parse_table(table, name, {}));
  return std::move(parsed.config);
}

std::string format_model_config(const ModelConfig& config) {
  static const ModelConfig kDefaults;
  return format_keys(
             config,
             [&](const ModelKey& key) { return format_model_key(key, config) != format_model_key(key, kDefaults); }) +
         format_columns(config.columns);
}

Status set_model_config(const std::filesystem::path& files, std::string_view model, const ModelConfig& wanted,
                        std::span<const std::string_view> keys) {
  const auto file = model_config_path(files);
  TRY(ParsedConfig parsed, read(files, model));
  const auto all = model_keys();
  for (const std::string_view name : keys) {
    const auto key = std::ranges::find(all, name, &ModelKey::full_name);
    if (key == all.end())
      return fail(Code::kNotFound, fmt::format("no key '{}' in {}", printable(name), file.string()));
    // The line says "stands in the file"; its number is not needed any more.
    parsed.lines[static_cast<std::size_t>(key - all.begin())] = 1;
  }
  const auto is_chosen = [&](const ModelKey& key) { return std::ranges::find(keys, key.full_name()) != keys.end(); };
  std::string text = "# Written by protean; comments of the file before it are gone.\n";
  std::string_view table;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (parsed.lines[i] == 0) continue;
    if (all[i].table != table) text += fmt::format("\n[{}]\n", table = all[i].table);
    text += fmt::format("{} = {}\n", all[i].name, format_model_key(all[i], is_chosen(all[i]) ? wanted : parsed.config));
  }
  text += format_columns(parsed.config.columns);
  auto checked = parse(text, file);
  if (!checked) return tl::unexpected<Error>(std::move(checked).error());
  return replace_file(file, text);
}

}  // namespace protean
