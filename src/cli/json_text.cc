// SPDX-License-Identifier: Apache-2.0
// Commas and quotes; numbers in their shortest form that reads back as the same value.
#include "cli/json_text.h"

#include <fmt/format.h>

#include <cmath>

#include "base/text.h"

namespace protean {

void JsonObject::name(std::string_view name) {
  if (!members_.empty()) members_ += ",";
  append_json_string(members_, name);
  members_ += ":";
}

JsonObject& JsonObject::text(std::string_view member, std::string_view value) {
  name(member);
  append_json_string(members_, value);
  return *this;
}

JsonObject& JsonObject::number(std::string_view member, double value) {
  name(member);
  members_ += std::isfinite(value) ? fmt::format("{}", value) : "null";
  return *this;
}

JsonObject& JsonObject::integer(std::string_view member, std::uint64_t value) {
  name(member);
  members_ += fmt::format("{}", value);
  return *this;
}

JsonObject& JsonObject::truth(std::string_view member, bool value) { return raw(member, value ? "true" : "false"); }

JsonObject& JsonObject::raw(std::string_view member, std::string_view json) {
  name(member);
  members_ += json;
  return *this;
}

std::string json_array(const std::vector<std::string>& values) { return fmt::format("[{}]", fmt::join(values, ",")); }

}  // namespace protean
