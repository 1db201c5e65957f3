// SPDX-License-Identifier: Apache-2.0
// Names are needed for every request, even those that are not compared: a request of many megabytes must not be parsed
// for its first twenty bytes.
#include "migrate/tfserving/calls.h"

#include <cstdint>

#include "base/text.h"

namespace protean::migrate {
namespace {

constexpr std::string_view kModels = "/v1/models/";
constexpr std::size_t kNameMax = 200;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size();
    const int high = escape ? hex_digit(text[i + 1]) : -1;
    const int low = escape ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10 && i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7 * i);
    if (byte >= 0x80) continue;
    bytes.remove_prefix(i + 1);
    return value;
  }
  return std::nullopt;
}

/// The content of the first field `number` that has a length.
std::optional<std::string_view> find_field(std::string_view bytes, std::uint64_t number) noexcept {
  while (!bytes.empty()) {
    const auto key = take_varint(bytes);
    if (!key) return std::nullopt;
    const std::uint64_t type = *key & 7U;
    if (type == 0) {
      if (!take_varint(bytes)) return std::nullopt;
      continue;
    }
    std::uint64_t size = type == 1 ? 8 : 4;
    if (type == 2) {
      const auto length = take_varint(bytes);
      if (!length) return std::nullopt;
      size = *length;
    } else if (type != 1 && type != 5) {
      return std::nullopt;
    }
    if (size > bytes.size()) return std::nullopt;
    if (type == 2 && *key >> 3 == number) return bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  return std::nullopt;
}

}  // namespace

CallName name_rest_call(std::string_view method, std::string_view path) {
  if (!lower(path.substr(0, kModels.size())).starts_with(kModels)) return {"", "REST other"};
  const std::string_view rest = path.substr(kModels.size());
  const auto name_end = std::min(rest.find_first_of("/:"), rest.size());
  CallName call{printable(decoded(rest.substr(0, name_end)), kNameMax), "REST other"};
  const auto colon = rest.find(':');
  const std::string verb = colon == std::string_view::npos ? "" : std::string(rest.substr(colon + 1));
  if (verb == "predict" || verb == "classify" || verb == "regress") {
    call.method = "REST " + verb;
  } else if (colon == std::string_view::npos && method == "GET") {
    call.method = lower(rest).ends_with("/metadata") ? "REST metadata" : "REST status";
  }
  return call;
}

CallName name_grpc_call(std::string_view path, std::string_view message) {
  const std::string method(path.substr(std::min(path.rfind('/') + 1, path.size())));
  const bool ours = path.starts_with("/tensorflow.serving.");
  const auto name = ours ? find_model_name(message, method == "MultiInference") : std::nullopt;
  return {printable(name.value_or(""), kNameMax), "gRPC " + printable(method, 60)};
}

std::optional<std::string_view> find_model_name(std::string_view message, bool in_task) noexcept {
  auto found = find_field(message, 1);
  if (found && in_task) found = find_field(*found, 1);
  return found ? find_field(*found, 1) : std::nullopt;
}

}  // namespace protean::migrate
