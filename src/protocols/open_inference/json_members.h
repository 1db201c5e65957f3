// SPDX-License-Identifier: Apache-2.0
// Members of JSON objects: each once, of the type expected, with errors that say where. What the readers of request
// bodies share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "base/text.h"
#include "protocols/open_inference/json_text.h"
#include "protocols/open_inference/limits.h"

namespace protean {

[[nodiscard]] inline bool is_json_null(simdjson::ondemand::value value) noexcept {
  return value.raw_json_token().starts_with("null");
}

/// Reads members of one request; `depth` arguments count the levels that enclose a value.
class Members {
 public:
  Members(const JsonText& text, const RequestLimits& limits) : text_(text), limits_(limits) {}

  /// Calls read(name, value) for each member; a null value is an absent member, a repeated name an error.
  /// `names`: those that may not repeat.  `place`: of the object; read() may change it.
  template <typename Read>
  Status each(simdjson::ondemand::object object, std::span<const std::string_view> names, const Place& place,
              Read read) {
    unsigned seen = 0;
    for (auto item : object) {
      simdjson::ondemand::field field;
      if (const auto error = std::move(item).get(field)) return text_.malformed(error);
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return text_.malformed(error);
      const auto index = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
      if (index < names.size()) {
        const unsigned bit = 1U << index;
        if ((seen & bit) != 0) return fail(Code::kInvalidArgument, at(place, fmt::format("'{}' appears twice", name)));
        seen |= bit;
      }
      TRY_STATUS(read(index, field.value()));
    }
    return {};
  }

  Status skip(simdjson::ondemand::value value, std::size_t depth) const {
    std::string_view raw;
    if (const auto error = take_raw(value).get(raw)) return text_.malformed(error);
    return text_.check_skipped(raw, depth);
  }

  Status string(simdjson::ondemand::value value, std::string& out, const Place& place, std::string_view member) const {
    std::string_view view;
    const auto error = value.get_string().get(view);
    if (error == simdjson::INCORRECT_TYPE) return wrong(value, place.text(member), "a string");
    if (error) return text_.malformed(error);
    out = view;
    return {};
  }

  Status shape(simdjson::ondemand::value value, Shape& out, const Place& place) const {
    simdjson::ondemand::array array;
    if (value.get_array().get(array)) return wrong(value, place.text("shape"), "an array of integers");
    for (auto item : array) {
      simdjson::ondemand::value element;
      if (const auto error = item.get(element)) return text_.malformed(error);
      std::int64_t dimension = 0;
      if (element.get_int64().get(dimension)) return wrong(element, place.text("shape"), "integers");
      if (dimension < 0) {
        return fail(Code::kInvalidArgument,
                    fmt::format("{}: dimension {}, expected 0 or more", place.text("shape"), dimension));
      }
      if (out.size() == kRankMax) {
        return fail(Code::kInvalidArgument, fmt::format("{}: more than {} dimensions", place.text("shape"), kRankMax));
      }
      out.push_back(dimension);
    }
    return {};
  }

  Status parameters(simdjson::ondemand::value value, Parameters& out, const Place& place) const {
    simdjson::ondemand::object object;
    if (value.get_object().get(object)) return wrong(value, place.text("parameters"), "an object");
    for (auto item : object) {
      simdjson::ondemand::field field;
      if (const auto error = std::move(item).get(field)) return text_.malformed(error);
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return text_.malformed(error);
      const std::string member = fmt::format("{}.{}", place.text("parameters"), printable(name));
      if (find_parameter(out, name) != nullptr) return fail(Code::kInvalidArgument, member + " appears twice");
      if (out.size() == limits_.parameters_max) {
        return fail(Code::kInvalidArgument,
                    fmt::format("{}: more than {} parameters", place.text("parameters"), limits_.parameters_max));
      }
      out.emplace_back(name, Parameter());
      TRY_STATUS(parameter(field.value(), out.back().second, member));
    }
    return {};
  }

  /// Something of the wrong kind - unless it is not JSON at all.
  [[nodiscard]] tl::unexpected<Error> wrong(simdjson::ondemand::value value, std::string_view place,
                                            std::string_view expected) const {
    const std::string_view raw = value.raw_json_token();
    simdjson::ondemand::json_type type;
    if (value.type().get(type)) return text_.malformed(simdjson::TAPE_ERROR);
    if (type != simdjson::ondemand::json_type::array && type != simdjson::ondemand::json_type::object &&
        type != simdjson::ondemand::json_type::string) {
      if (auto status = text_.check_skipped(raw, 0); !status) return tl::unexpected<Error>(std::move(status).error());
    }
    return fail(Code::kInvalidArgument, fmt::format("{}: found {}, expected {}", place, describe_json(raw), expected));
  }

  [[nodiscard]] const JsonText& text() const noexcept { return text_; }
  [[nodiscard]] const RequestLimits& limits() const noexcept { return limits_; }

  static std::string at(const Place& place, std::string_view what) {
    return place.list.empty() ? std::string(what) : fmt::format("{}: {}", place.text(), what);
  }

 private:
  Status parameter(simdjson::ondemand::value value, Parameter& out, std::string_view place) const {
    constexpr std::string_view kExpected = "a string, a number or a boolean";
    simdjson::ondemand::json_type type;
    if (value.type().get(type)) return wrong(value, place, kExpected);
    if (type == simdjson::ondemand::json_type::string) {
      out = std::string();
      return string(value, std::get<std::string>(out), Place{}, place);
    }
    if (type == simdjson::ondemand::json_type::boolean) {
      bool truth = false;
      if (value.get_bool().get(truth)) return wrong(value, place, kExpected);
      out = truth;
      return {};
    }
    if (type != simdjson::ondemand::json_type::number) return wrong(value, place, kExpected);
    simdjson::ondemand::number number;
    if (value.get_number().get(number)) return wrong(value, place, "a number within 64 bits");
    switch (number.get_number_type()) {
      case simdjson::ondemand::number_type::signed_integer: out = number.get_int64(); break;
      case simdjson::ondemand::number_type::unsigned_integer: out = number.get_uint64(); break;
      case simdjson::ondemand::number_type::floating_point_number: out = number.get_double(); break;
    }
    return {};
  }

  const JsonText& text_;
  const RequestLimits& limits_;
};

/// Parses `text` as one object and lets `read` have it; afterwards nothing may follow.
template <typename T, typename Read>
Result<T> read_json_object(const JsonText& text, Read read) {
  const simdjson::padded_string_view view(text.text.data(), text.text.size(), text.text.size() + kBufferPadding);
  ParserLease parser(ParserLease::Use::kOuter);
  simdjson::ondemand::document document;
  if (const auto error = parser->iterate(view).get(document)) return text.malformed(error);
  simdjson::ondemand::object object;
  if (const auto error = document.get_object().get(object)) {
    if (error != simdjson::INCORRECT_TYPE) return text.malformed(error);
    TRY_STATUS(text.check_skipped(text.text, 0));
    return fail(Code::kInvalidArgument,
                fmt::format("the body is {}, expected an object", describe_json(trim(text.text))));
  }
  TRY(T result, read(object));
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return text.malformed(simdjson::TRAILING_CONTENT);
  return result;
}

}  // namespace protean
