// SPDX-License-Identifier: Apache-2.0
// Errors with positions, skipped values and the parsers of a thread.
#include "protocols/open_inference/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "protocols/open_inference/json_check.h"

namespace protean {
namespace {

/// Text size up to which a thread keeps the memory of its parser (at most 6 times as much).
constexpr std::size_t kRetainedTextMax = std::size_t{4} << 20;

simdjson::ondemand::parser& thread_parser(ParserLease::Use use) noexcept {
  thread_local std::array<simdjson::ondemand::parser, 2> parsers;
  return parsers[static_cast<std::size_t>(use)];
}

}  // namespace

tl::unexpected<Error> JsonText::malformed(simdjson::error_code error) const {
  if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
    return fail(Code::kResourceExhausted, fmt::format("no memory to parse {} bytes of JSON", text.size()));
  }
  auto fault = check_json(text, {depth_max, true});
  if (!fault) fault = check_json(text, {depth_max, false});
  if (fault) {
    return fail(Code::kInvalidArgument, fmt::format("malformed JSON at byte {}: {}", fault->offset, fault->what));
  }
  return fail(Code::kInvalidArgument, fmt::format("malformed JSON: {}", simdjson::error_message(error)));
}

Status JsonText::check_skipped(std::string_view value, std::size_t depth) const {
  const auto fault = check_json(value, {depth_max - std::min(depth, depth_max), false});
  if (!fault) return {};
  const std::size_t offset = static_cast<std::size_t>(value.data() - text.data()) + fault->offset;
  return fail(Code::kInvalidArgument, fmt::format("malformed JSON at byte {}: {}", offset, fault->what));
}

simdjson::simdjson_result<std::string_view> take_raw(simdjson::ondemand::value value) noexcept {
  const std::string_view token = value.raw_json_token();
  if (token.starts_with('[')) {
    simdjson::ondemand::array array;
    SIMDJSON_TRY(value.get_array().get(array));
    return array.raw_json();
  }
  if (token.starts_with('{')) {
    simdjson::ondemand::object object;
    SIMDJSON_TRY(value.get_object().get(object));
    return object.raw_json();
  }
  if (token.starts_with('"')) {
    // Left unread, a string with ':' behind it would be skipped as if it were a member's name.
    simdjson::ondemand::raw_json_string string;
    SIMDJSON_TRY(value.get_raw_json_string().get(string));
  }
  return token.substr(0, token.find_last_not_of(" \n\r\t") + 1);
}

std::string describe_json(std::string_view raw) {
  constexpr std::size_t kShownMax = 40;
  if (raw.starts_with('[')) return "an array";
  if (raw.starts_with('{')) return "an object";
  return printable(raw.substr(0, raw.find_last_not_of(" \n\r\t") + 1), kShownMax);
}

PaddedJson::PaddedJson(std::string_view text, std::size_t padding) : text_(text) {
  static_assert(kBufferPadding >= simdjson::SIMDJSON_PADDING);
  if (padding >= simdjson::SIMDJSON_PADDING) return;
  copy_.append(text);
  copy_.reserve(1);
  text_ = copy_.text();
}

ParserLease::ParserLease(Use use) noexcept : parser_(thread_parser(use)) {}

ParserLease::~ParserLease() {
  if (parser_.capacity() > kRetainedTextMax) parser_ = simdjson::ondemand::parser();
}

}  // namespace protean
