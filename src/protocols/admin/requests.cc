// SPDX-License-Identifier: Apache-2.0
// Strict: what is not understood is refused, because it may have been meant.
#include "protocols/admin/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "protocols/admin/json_value.h"

namespace protean {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kWord = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr std::size_t kWordMax = 64;
constexpr std::size_t kModelNameMax = 1024;

tl::unexpected<Error> wrong(std::string_view place, std::string_view found, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("{}: found {}, expected {}", place, found, expected));
}

/// The members of an object, each of them known.
Result<const JsonObject*> object_of(const JsonValue& value, std::string_view place,
                                    const std::vector<std::string>& names) {
  const auto* object = value.as<JsonObject>();
  if (object == nullptr) return wrong(place, describe(value), "an object");
  for (const auto& [name, member] : *object) {
    if (std::ranges::find(names, name) != names.end()) continue;
    const auto near = nearest_name(name, names);
    return fail(Code::kInvalidArgument, fmt::format("{}: unknown member '{}'{}", place, printable(name),
                                                    near ? fmt::format(": did you mean '{}'?", *near) : ""));
  }
  return object;
}

Result<const JsonValue*> member_of(const JsonObject& object, std::string_view name, std::string_view place) {
  const auto found = std::ranges::find(object, name, &JsonMember::name);
  if (found == object.end()) return fail(Code::kInvalidArgument, fmt::format("{}: '{}' is missing", place, name));
  return &found->value;
}

Result<std::string> text_member(const JsonObject& object, std::string_view name, std::string_view place) {
  TRY(const JsonValue* value, member_of(object, name, place));
  const auto* text = value->as<std::string>();
  if (text == nullptr || text->empty() || text->size() > kModelNameMax) {
    return wrong(fmt::format("{}.{}", place, name), describe(*value), "text that is not empty");
  }
  return *text;
}

Result<AliasChange> alias_change(const JsonValue& value, std::string_view place) {
  static const std::vector<std::string> kNames = {"model", "alias", "version"};
  TRY(const JsonObject* object, object_of(value, place, kNames));
  AliasChange change;
  TRY(change.model, text_member(*object, "model", place));
  TRY(change.alias, text_member(*object, "alias", place));
  if (auto good = check_alias_name(change.alias); !good) {
    return fail(Code::kInvalidArgument, fmt::format("{}.{}", place, good.error().message));
  }
  TRY(const JsonValue* version, member_of(*object, "version", place));
  if (version->as<JsonNull>() != nullptr) return change;
  const auto* number = version->as<std::uint64_t>();
  if (number == nullptr) {
    return wrong(fmt::format("{}.version", place), describe(*version), "a version number, or null to remove the alias");
  }
  change.version = *number;
  return change;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    constexpr std::string_view kHex = "0123456789abcdef0123456789ABCDEF";
    if (text.size() - i < 3) return std::nullopt;
    const auto high = kHex.find(text[i + 1]);
    const auto low = kHex.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>((high % 16) * 16 + low % 16);
    i += 2;
  }
  return out;
}

Result<std::uint64_t> number_in(const std::map<std::string, std::string>& query, const std::string& name,
                                std::uint64_t absent) {
  const auto found = query.find(name);
  if (found == query.end()) return absent;
  const auto number = parse_uint64(found->second);
  if (!number || *number == 0)
    return wrong("query " + name, fmt::format("'{}'", printable(found->second)), "a number from 1");
  return *number;
}

}  // namespace

Result<std::vector<AliasChange>> decode_alias_changes(std::string_view body) {
  static const std::vector<std::string> kNames = {"changes"};
  TRY(const JsonValue document, parse_admin_json(body));
  TRY(const JsonObject* object, object_of(document, "body", kNames));
  TRY(const JsonValue* list, member_of(*object, "changes", "body"));
  const auto* array = list->as<JsonArray>();
  if (array == nullptr) return wrong("changes", describe(*list), "an array of changes");
  if (array->empty() || array->size() > kAliasChangesMax) {
    return wrong("changes", fmt::format("{} changes", array->size()), fmt::format("1 to {}", kAliasChangesMax));
  }
  std::vector<AliasChange> changes;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& element : *array) {
    const std::string place = fmt::format("changes[{}]", changes.size());
    TRY(AliasChange change, alias_change(element, place));
    if (!seen.emplace(change.model, change.alias).second) {
      return fail(Code::kInvalidArgument, fmt::format("{}: alias '{}' of model '{}' is changed twice", place,
                                                      change.alias, printable(change.model)));
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

Result<std::uint64_t> decode_alias_version(std::string_view body) {
  static const std::vector<std::string> kNames = {"version"};
  TRY(const JsonValue document, parse_admin_json(body));
  TRY(const JsonObject* object, object_of(document, "body", kNames));
  TRY(const JsonValue* version, member_of(*object, "version", "body"));
  const auto* number = version->as<std::uint64_t>();
  if (number == nullptr) return wrong("version", describe(*version), "a version number; DELETE removes the alias");
  return *number;
}

Status check_no_body(std::string_view body) {
  if (trim(body).empty()) return {};
  TRY(const JsonValue document, parse_admin_json(body));
  TRY(const JsonObject* object, object_of(document, "body", {}));
  static_cast<void>(object);
  return {};
}

Status check_alias_name(std::string_view alias) {
  const bool word =
      !alias.empty() && alias.size() <= kWordMax && alias.find_first_not_of(kWord) == std::string_view::npos;
  if (word && alias.find_first_not_of(kDigits) != std::string_view::npos) return {};
  return wrong("alias", fmt::format("'{}'", printable(alias)),
               fmt::format("1 to {} letters, digits, '.', '_' and '-', not digits alone", kWordMax));
}

Result<std::map<std::string, std::string>> decode_query(std::string_view query, std::string_view allowed) {
  std::vector<std::string> names;
  for (const auto name : split(allowed, '|')) names.emplace_back(name);
  std::map<std::string, std::string> pairs;
  for (const auto piece : split(query, '&')) {
    const auto equals = std::min(piece.find('='), piece.size());
    auto name = percent_decode(piece.substr(0, equals));
    auto value = percent_decode(piece.substr(std::min(equals + 1, piece.size())));
    if (!name || !value) return wrong("query", fmt::format("'{}'", printable(piece)), "escapes such as %2F");
    if (std::ranges::find(names, *name) == names.end()) {
      const auto near = nearest_name(*name, names);
      return fail(Code::kInvalidArgument, fmt::format("query: unknown name '{}'{}", printable(*name),
                                                      near ? fmt::format(": did you mean '{}'?", *near) : ""));
    }
    if (!pairs.emplace(*std::move(name), *std::move(value)).second) {
      return fail(Code::kInvalidArgument, fmt::format("query: '{}' is given twice", printable(piece)));
    }
  }
  return pairs;
}

Result<HistoryQuery> decode_history_query(const std::map<std::string, std::string>& query) {
  HistoryQuery wanted;
  if (const auto model = query.find("model"); model != query.end()) wanted.model = model->second;
  TRY(wanted.before, number_in(query, "before", 0));
  TRY(const std::uint64_t count, number_in(query, "count", kHistoryCountDefault));
  if (count > kHistoryCountMax)
    return wrong("query count", fmt::format("{}", count), fmt::format("at most {}", kHistoryCountMax));
  wanted.count_max = static_cast<std::size_t>(count);
  return wanted;
}

std::string actor_of(const RequestHead& head) {
  const auto name = head.headers.find("x-protean-actor").value_or("");
  const auto allowed = [](char c) { return kWord.find(c) != std::string_view::npos || c == '@' || c == '+'; };
  if (name.empty() || name.size() > kWordMax || !std::ranges::all_of(name, allowed)) return head.peer;
  return fmt::format("{} ({})", name, head.peer);
}

Status check_not_from_a_page(const RequestHead& head) {
  const auto origin = head.headers.find("origin");
  if (!origin) return {};
  return fail(Code::kPermissionDenied, fmt::format("header Origin: found '{}', expected none: changes asked for by web "
                                                   "pages are not taken",
                                                   printable(*origin)));
}

}  // namespace protean
