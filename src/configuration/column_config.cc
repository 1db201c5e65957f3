// SPDX-License-Identifier: Apache-2.0
// The six keys of a column, once for reading and once for writing.
#include "configuration/column_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "configuration/value_text.h"

namespace protean {
namespace {

constexpr std::size_t kColumnsMax = 4096;
constexpr std::size_t kCategoriesMax = 100'000;
constexpr std::array<std::string_view, 6> kKeys = {"name", "type", "nullable", "required", "categories", "unknown"};

/// What stands behind one key, or why it does not fit: what was expected.
using Stored = tl::expected<void, std::string_view>;

Stored store_truth(const TomlValue& value, std::optional<bool>& out) {
  const auto* truth = value.as<bool>();
  if (truth == nullptr) return tl::unexpected<std::string_view>("true or false without quotes");
  out = *truth;
  return {};
}

Stored store_categories(const TomlValue& value, std::optional<std::vector<std::string>>& out) {
  constexpr std::string_view kExpected = "an array of at most 100000 different texts";
  const auto* array = value.as<TomlArray>();
  if (array == nullptr || array->size() > kCategoriesMax) return tl::unexpected(kExpected);
  out.emplace();
  std::set<std::string_view> seen;
  for (const auto& element : *array) {
    const auto* text = element.as<std::string>();
    if (text == nullptr || !seen.insert(*text).second) return tl::unexpected(kExpected);
    out->push_back(*text);
  }
  return {};
}

Stored store(std::string_view key, const TomlValue& value, ColumnConfig& column) {
  const auto* text = value.as<std::string>();
  if (key == "nullable") return store_truth(value, column.nullable);
  if (key == "required") return store_truth(value, column.required);
  if (key == "categories") return store_categories(value, column.categories);
  if (key == "name") {
    if (text == nullptr || text->empty()) return tl::unexpected<std::string_view>("a text that is not empty");
    column.name = *text;
    return {};
  }
  if (key == "unknown") {
    if (text == nullptr || (*text != "refuse" && *text != "missing")) {
      return tl::unexpected<std::string_view>("\"refuse\" or \"missing\"");
    }
    column.unknown_is_missing = *text == "missing";
    return {};
  }
  const auto type = text == nullptr ? std::nullopt : parse_data_type(*text);
  if (!type || *type == DataType::kFp16 || *type == DataType::kBf16) {
    return tl::unexpected<std::string_view>(
        "\"BOOL\", \"UINT8\" to \"UINT64\", \"INT8\" to \"INT64\", \"FP32\", \"FP64\" or \"BYTES\"");
  }
  column.type = *type;
  return {};
}

}  // namespace

Result<std::vector<ColumnConfig>> read_columns(const TomlEntry& entry, const std::filesystem::path& name) {
  const auto refuse = [&](std::size_t line, std::string what) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", toml_place(name, line), what));
  };
  const auto* array = entry.value.as<TomlArray>();
  if (array == nullptr || array->size() > kColumnsMax) {
    return refuse(entry.line, fmt::format("columns: found {}, expected at most {} tables [[columns]]",
                                          toml_type_name(entry.value), kColumnsMax));
  }
  std::vector<ColumnConfig> columns;
  for (const auto& element : *array) {
    const std::string place = fmt::format("columns[{}]", columns.size());
    const auto* table = element.as<TomlTable>();
    if (table == nullptr) return refuse(entry.line, fmt::format("{}: expected a table [[columns]]", place));
    ColumnConfig& column = columns.emplace_back();
    for (const auto& [key, line, value] : *table) {
      if (std::ranges::find(kKeys, key) == kKeys.end()) {
        return refuse(line, fmt::format("{}: unknown key '{}', expected name, type, nullable, required, categories or "
                                        "unknown",
                                        place, printable(key)));
      }
      if (const auto stored = store(key, value, column); !stored) {
        return refuse(line,
                      fmt::format("{}.{}: found {}, expected {}", place, key, toml_type_name(value), stored.error()));
      }
    }
    const std::size_t line = table->empty() ? entry.line : table->front().line;
    if (column.name.empty()) return refuse(line, fmt::format("{}: missing 'name'", place));
    if (std::ranges::count(columns, column.name, &ColumnConfig::name) > 1) {
      return refuse(line, fmt::format("{}: a column '{}' stands there already", place, printable(column.name)));
    }
  }
  return columns;
}

std::string format_columns(std::span<const ColumnConfig> columns) {
  std::string out;
  for (const auto& column : columns) {
    out += fmt::format("\n[[columns]]\nname = {}\n", toml_text(column.name));
    if (column.type) out += fmt::format("type = \"{}\"\n", data_type_name(*column.type));
    if (column.nullable) out += fmt::format("nullable = {}\n", *column.nullable);
    if (column.required) out += fmt::format("required = {}\n", *column.required);
    if (column.unknown_is_missing) {
      out += fmt::format("unknown = \"{}\"\n", *column.unknown_is_missing ? "missing" : "refuse");
    }
    if (column.categories) {
      std::vector<std::string> texts;
      for (const auto& category : *column.categories) texts.push_back(toml_text(category));
      out += fmt::format("categories = [{}]\n", fmt::join(texts, ", "));
    }
  }
  return out;
}

}  // namespace protean
