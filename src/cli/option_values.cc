// SPDX-License-Identifier: Apache-2.0
// Text to values and back, one reader for flags, variables and file.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/option_table.h"
#include "core/http.h"

namespace protean {
namespace {

using std::chrono::milliseconds;

template <typename E>
bool store_choice(std::string_view text, std::string_view choices, E& field) {
  const auto names = split(choices, '|');
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return false;
  field = static_cast<E>(found - names.begin());
  return true;
}

std::string format_bound(const OptionSpec& option, std::uint64_t bound) {
  switch (option.kind) {
    case ValueKind::kBytes: return format_bytes_exactly(bound);
    case ValueKind::kDuration: return format_duration_exactly(milliseconds(bound));
    default: return fmt::format("{}", bound);
  }
}

std::string expectation(const OptionSpec& option) {
  const std::string bounds =
      fmt::format("from {} to {}", format_bound(option, option.least), format_bound(option, option.most));
  switch (option.kind) {
    case ValueKind::kUint: return "a whole number " + bounds;
    case ValueKind::kBytes: return fmt::format("a size such as 64MiB, {}", bounds);
    case ValueKind::kDuration: return fmt::format("a time such as 500ms, 30s or 2m, {}", bounds);
    case ValueKind::kBool: return "true or false";
    case ValueKind::kEnum: return "one of " + fmt::format("{}", fmt::join(split(option.choices, '|'), ", "));
    default: return "text";
  }
}

bool within(const OptionSpec& option, std::optional<std::uint64_t> value) noexcept {
  return value && *value >= option.least && *value <= option.most;
}

Status store_listen(const Setting& setting, std::vector<ListenAddress>& field) {
  std::vector<ListenAddress> addresses;
  for (const auto& value : setting.values) {
    auto address = parse_listen_address(value);
    if (!address) return fail(Code::kInvalidArgument, setting.origin + ": " + address.error().message);
    if (address->port != 0 && std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) {
      return fail(Code::kInvalidArgument, fmt::format("{}: {} is named twice", setting.origin, address->authority()));
    }
    addresses.push_back(std::move(*address));
  }
  if (addresses.empty()) return fail(Code::kInvalidArgument, setting.origin + ": no address, expected HOST:PORT");
  field = std::move(addresses);
  return {};
}

bool store_one(const OptionSpec& option, const std::string& text, OptionField field) {
  if (auto* path = std::get_if<std::filesystem::path*>(&field)) {
    if (text.find('\0') != std::string::npos) return false;
    **path = text;
    return true;
  }
  if (auto* plain = std::get_if<std::string*>(&field)) {
    if (text.find('\0') != std::string::npos) return false;
    **plain = text;
    return true;
  }
  if (auto* truth = std::get_if<bool*>(&field)) {
    const auto value = parse_bool(text);
    if (value) **truth = *value;
    return value.has_value();
  }
  if (auto* size = std::get_if<std::size_t*>(&field)) {
    const auto value = option.kind == ValueKind::kBytes ? parse_bytes(text) : parse_uint64(text);
    if (!within(option, value)) return false;
    **size = *value;
    return true;
  }
  if (auto* duration = std::get_if<milliseconds*>(&field)) {
    const auto value = parse_duration(text);
    if (!value || !within(option, static_cast<std::uint64_t>(value->count()))) return false;
    **duration = *value;
    return true;
  }
  if (auto* level = std::get_if<log::Level*>(&field)) return store_choice(text, option.choices, **level);
  if (auto* format = std::get_if<log::Format*>(&field)) return store_choice(text, option.choices, **format);
  return store_choice(text, option.choices, *std::get<AccessLogPolicy*>(field));
}

/// Formats whatever field an option has.
struct FieldFormatter {
  const OptionSpec& option;

  std::string operator()(const std::filesystem::path* path) const { return toml_text(path->string()); }
  std::string operator()(const std::string* text) const { return toml_text(*text); }
  std::string operator()(const bool* truth) const { return *truth ? "true" : "false"; }
  std::string operator()(const std::size_t* size) const {
    return option.kind == ValueKind::kBytes ? toml_text(format_bytes_exactly(*size)) : fmt::format("{}", *size);
  }
  std::string operator()(const milliseconds* duration) const { return toml_text(format_duration_exactly(*duration)); }
  std::string operator()(const std::vector<ListenAddress>* addresses) const {
    std::string out;
    for (const auto& address : *addresses) {
      out += out.empty() ? "[" : ", ";
      const bool plain = address.dialect == "default";
      out += toml_text(plain ? address.authority() : address.authority() + "=" + address.dialect);
    }
    return out + "]";
  }
  std::string operator()(const ServeAction*) const { return "false"; }
  template <typename E>
  std::string operator()(const E* choice) const {
    return toml_text(split(option.choices, '|').at(static_cast<std::size_t>(*choice)));
  }
};

Result<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_uint64(text);
  if (!port || *port > 65535) {
    return fail(Code::kInvalidArgument, fmt::format("port '{}', expected 0 to 65535", printable(text)));
  }
  return static_cast<std::uint16_t>(*port);
}

bool is_address(int family, const std::string& host) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(family, host.c_str(), bytes.data()) == 1;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto malformed = [&](std::string_view why) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("found '{}', expected HOST:PORT such as 127.0.0.1:8080 or [::1]:8080{}", printable(text), why));
  };
  ListenAddress address;
  std::string_view rest = text;
  if (const auto equals = rest.find('='); equals != std::string_view::npos) {
    address.dialect = rest.substr(equals + 1);
    rest = rest.substr(0, equals);
    if (!parse_dialect(address.dialect)) {
      std::string known;
      for (std::size_t i = 0; i < kDialectCount; ++i) {
        known += fmt::format("{}{}", i == 0 ? "" : ", ", dialect_name(static_cast<Dialect>(i)));
      }
      return fail(Code::kInvalidArgument,
                  fmt::format("dialect '{}' does not exist, expected {}", printable(address.dialect), known));
    }
  }
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) return malformed("");
  std::string_view host = rest.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  address.host = host == "localhost" && !bracketed ? "127.0.0.1" : std::string(host);
  if (address.host.find('\0') != std::string::npos || !is_address(bracketed ? AF_INET6 : AF_INET, address.host)) {
    return malformed(is_address(AF_INET6, std::string(host)) ? " (IPv6 in brackets)" : " (an address, or localhost)");
  }
  TRY(address.port, parse_port(rest.substr(colon + 1)));
  return address;
}

bool ListenAddress::is_loopback() const noexcept {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string ListenAddress::authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Status store_setting(const Setting& setting, ServeOptions& options) {
  const OptionSpec& option = *setting.option;
  const OptionField field = option.field(options);
  if (auto* const* listen = std::get_if<std::vector<ListenAddress>*>(&field)) return store_listen(setting, **listen);
  if (setting.values.size() != 1) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {} values, expected one", setting.origin, setting.values.size()));
  }
  if (store_one(option, setting.values[0], field)) return {};
  return fail(Code::kInvalidArgument, fmt::format("{}: found '{}', expected {}", setting.origin,
                                                  printable(setting.values[0]), expectation(option)));
}

std::string format_value(const OptionSpec& option, const ServeOptions& options) {
  // The table hands out pointers to change; nothing is changed through this one.
  const OptionField field = option.field(const_cast<ServeOptions&>(options));
  return std::visit([&](const auto* pointer) { return FieldFormatter{option}(pointer); }, field);
}

}  // namespace protean
