// SPDX-License-Identifier: Apache-2.0
// One pass over the body's members in whatever order they come. Only `data` ahead of its shape or type needs a
// second look: its text is remembered and read when the input is complete.
#include "protocols/open_inference/json_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "protocols/open_inference/json_tensor.h"
#include "protocols/open_inference/json_text.h"

namespace protean {
namespace {

namespace ondemand = simdjson::ondemand;
using Wanted = ondemand::json_type;

bool is_null(ondemand::value value) noexcept { return value.raw_json_token().starts_with("null"); }

/// Reads members of one request; `depth` arguments count the levels that enclose a value.
class Members {
 public:
  Members(const JsonText& text, const RequestLimits& limits) : text_(text), limits_(limits) {}

  /// Calls read(name, value) for each member; a null value is an absent member, a repeated name an error.
  /// `names`: those that may not repeat.  `place`: of the object; read() may change it.
  template <typename Read>
  Status each(ondemand::object object, std::span<const std::string_view> names, const Place& place, Read read) {
    unsigned seen = 0;
    for (auto item : object) {
      ondemand::field field;
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

  Status skip(ondemand::value value, std::size_t depth) const {
    std::string_view raw;
    if (const auto error = take_raw(value).get(raw)) return text_.malformed(error);
    return text_.check_skipped(raw, depth);
  }

  Status string(ondemand::value value, std::string& out, const Place& place, std::string_view member) const {
    std::string_view view;
    const auto error = value.get_string().get(view);
    if (error == simdjson::INCORRECT_TYPE) return wrong(value, place.text(member), "a string");
    if (error) return text_.malformed(error);
    out = view;
    return {};
  }

  Status shape(ondemand::value value, Shape& out, const Place& place) const {
    ondemand::array array;
    if (value.get_array().get(array)) return wrong(value, place.text("shape"), "an array of integers");
    for (auto item : array) {
      ondemand::value element;
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

  Status parameters(ondemand::value value, Parameters& out, const Place& place) const {
    ondemand::object object;
    if (value.get_object().get(object)) return wrong(value, place.text("parameters"), "an object");
    for (auto item : object) {
      ondemand::field field;
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
  [[nodiscard]] tl::unexpected<Error> wrong(ondemand::value value, std::string_view place,
                                            std::string_view expected) const {
    const std::string_view raw = value.raw_json_token();
    ondemand::json_type type;
    if (value.type().get(type)) return text_.malformed(simdjson::TAPE_ERROR);
    if (type != Wanted::array && type != Wanted::object && type != Wanted::string) {
      if (auto status = text_.check_skipped(raw, 0); !status) return tl::unexpected<Error>(std::move(status).error());
    }
    return fail(Code::kInvalidArgument, fmt::format("{}: found {}, expected {}", place, describe_json(raw), expected));
  }

  [[nodiscard]] const JsonText& text() const noexcept { return text_; }

  static std::string at(const Place& place, std::string_view what) {
    return place.list.empty() ? std::string(what) : fmt::format("{}: {}", place.text(), what);
  }

 private:
  Status parameter(ondemand::value value, Parameter& out, std::string_view place) const {
    constexpr std::string_view kExpected = "a string, a number or a boolean";
    ondemand::json_type type;
    if (value.type().get(type)) return wrong(value, place, kExpected);
    if (type == Wanted::string) {
      out = std::string();
      return string(value, std::get<std::string>(out), Place{}, place);
    }
    if (type == Wanted::boolean) {
      bool truth = false;
      if (value.get_bool().get(truth)) return wrong(value, place, kExpected);
      out = truth;
      return {};
    }
    if (type != Wanted::number) return wrong(value, place, kExpected);
    ondemand::number number;
    if (value.get_number().get(number)) return wrong(value, place, "a number within 64 bits");
    switch (number.get_number_type()) {
      case ondemand::number_type::signed_integer: out = number.get_int64(); break;
      case ondemand::number_type::unsigned_integer: out = number.get_uint64(); break;
      case ondemand::number_type::floating_point_number: out = number.get_double(); break;
    }
    return {};
  }

  const JsonText& text_;
  const RequestLimits& limits_;
};

/// The binary tensors behind the JSON, handed out in order.
struct BinaryPart {
  const Slice& body;
  std::size_t next;
};

/// One element of `inputs`, put together member by member.
class InputReader {
 public:
  InputReader(Members& members, std::size_t index, InferInput& input)
      : members_(members), input_(input), place_{"inputs", index, {}} {}

  Status read(ondemand::object object, BinaryPart& binary) {
    static constexpr std::array<std::string_view, 5> kNames = {"name", "shape", "datatype", "data", "parameters"};
    TRY_STATUS(members_.each(object, kNames, place_, [&](std::size_t member, ondemand::value value) {
      return is_null(value) && member < kNames.size() ? members_.skip(value, 3) : this->member(member, value);
    }));
    return finish(binary);
  }

 private:
  enum : std::size_t { kName, kShape, kDatatype, kData, kParameters };

  Status member(std::size_t member, ondemand::value value) {
    switch (member) {
      case kName:
        TRY_STATUS(members_.string(value, input_.name, place_, "name"));
        place_.name = input_.name;
        return {};
      case kShape: has_shape_ = true; return members_.shape(value, input_.tensor.shape, place_);
      case kDatatype: return datatype(value);
      case kData: return data(value);
      case kParameters: return members_.parameters(value, input_.parameters, place_);
      default: return members_.skip(value, 3);
    }
  }

  Status datatype(ondemand::value value) {
    std::string name;
    TRY_STATUS(members_.string(value, name, place_, "datatype"));
    const auto type = parse_data_type(name);
    if (!type) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: unknown datatype '{}', expected BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, "
                              "FP32, FP64 or BYTES",
                              place_.text(), printable(name)));
    }
    input_.tensor.type = *type;
    has_type_ = true;
    return {};
  }

  Status data(ondemand::value value) {
    has_data_ = true;
    if (!has_shape_ || !has_type_) {
      if (const auto error = take_raw(value).get(later_)) return members_.text().malformed(error);
      return {};
    }
    const char* start = value.raw_json_token().data();
    const JsonText& text = members_.text();
    const auto left = text.text.size() - static_cast<std::size_t>(start - text.text.data());
    TRY(const JsonTensor tensor, target(left));
    TRY(input_.tensor.data, read_json_tensor(text, value, tensor));
    return {};
  }

  Result<JsonTensor> target(std::size_t bytes) const {
    const std::size_t enclosing = 3;
    if (enclosing + input_.tensor.shape.size() > members_.text().depth_max) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: {} dimensions, expected fewer: JSON may be nested {} levels deep", place_.text(),
                              input_.tensor.shape.size(), members_.text().depth_max));
    }
    TRY(const std::size_t count, count_within(input_.tensor.shape, bytes, place_));
    return JsonTensor{input_.tensor.type, input_.tensor.shape, count, place_};
  }

  Status finish(BinaryPart& binary) {
    if (input_.name.empty()) return missing("name");
    if (!has_shape_) return missing("shape");
    if (!has_type_) return missing("datatype");
    const auto size = std::ranges::find(input_.parameters, "binary_data_size", &Parameters::value_type::first);
    const bool is_binary = size != input_.parameters.end();
    if (has_data_ && is_binary) {
      return fail(Code::kInvalidArgument, place_.text() + ": both 'data' and the parameter 'binary_data_size'");
    }
    if (is_binary) return take_binary(size, binary);
    if (!has_data_) {
      TRY_STATUS(check_region());
      return fail(Code::kInvalidArgument, place_.text() + ": neither 'data' nor the parameter 'binary_data_size'");
    }
    if (later_.empty()) return {};
    TRY(const JsonTensor tensor, target(later_.size()));
    TRY(input_.tensor.data, read_json_tensor(members_.text(), later_, tensor));
    return {};
  }

  Status check_region() const {
    if (find_parameter(input_.parameters, "shared_memory_region") == nullptr) return {};
    return fail(Code::kUnimplemented, place_.text() + ": the parameter 'shared_memory_region' is not supported");
  }

  Status take_binary(Parameters::iterator size, BinaryPart& binary) {
    const auto* wanted = std::get_if<std::int64_t>(&size->second);
    if (wanted == nullptr || *wanted < 0) {
      return fail(Code::kInvalidArgument,
                  place_.text() + ".parameters.binary_data_size: expected an integer of 0 or more");
    }
    const std::size_t left = binary.body.size() - binary.next;
    if (static_cast<std::uint64_t>(*wanted) > left) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: binary_data_size is {}, but {} bytes are left behind the JSON (the header "
                              "Inference-Header-Content-Length says where it ends)",
                              place_.text(), *wanted, left));
    }
    input_.tensor.data = binary.body.part(binary.next, static_cast<std::size_t>(*wanted));
    binary.next += static_cast<std::size_t>(*wanted);
    input_.parameters.erase(size);
    return check_data(input_.tensor, input_.name);
  }

  Status missing(std::string_view member) const {
    return fail(Code::kInvalidArgument, fmt::format("{}: missing '{}'", place_.text(), member));
  }

  Members& members_;
  InferInput& input_;
  Place place_;
  bool has_shape_ = false;
  bool has_type_ = false;
  bool has_data_ = false;
  std::string_view later_;  // `data` that came before shape or type
};

class InferReader {
 public:
  InferReader(const JsonText& text, const RequestLimits& limits, BinaryPart binary)
      : members_(text, limits), limits_(limits), binary_(binary) {}

  Result<InferRequest> read(ondemand::object object) {
    static constexpr std::array<std::string_view, 4> kNames = {"id", "parameters", "inputs", "outputs"};
    bool has_inputs = false;
    TRY_STATUS(members_.each(object, kNames, Place{}, [&](std::size_t member, ondemand::value value) -> Status {
      if (member == kNames.size() || is_null(value)) return members_.skip(value, 1);
      has_inputs = has_inputs || member == kInputs;
      return this->member(member, value);
    }));
    if (!has_inputs) return fail(Code::kInvalidArgument, "missing 'inputs'");
    if (binary_.next != binary_.body.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{} bytes left behind the JSON and the binary tensors, expected none",
                              binary_.body.size() - binary_.next));
    }
    TRY_STATUS(check_supported(request_));
    return std::move(request_);
  }

 private:
  enum : std::size_t { kId, kParameters, kInputs, kOutputs };

  Status member(std::size_t member, ondemand::value value) {
    switch (member) {
      case kId: return members_.string(value, request_.id, Place{}, "id");
      case kParameters: return members_.parameters(value, request_.parameters, Place{});
      case kInputs:
        return list(value, "inputs", [this](ondemand::object object) {
          const std::size_t index = request_.inputs.size();
          return InputReader(members_, index, request_.inputs.emplace_back()).read(object, binary_);
        });
      default: return list(value, "outputs", [this](ondemand::object object) { return output(object); });
    }
  }

  template <typename Read>
  Status list(ondemand::value value, std::string_view name, Read read) {
    ondemand::array array;
    if (value.get_array().get(array)) return members_.wrong(value, name, "an array");
    std::size_t index = 0;
    for (auto item : array) {
      ondemand::value element;
      if (const auto error = item.get(element)) return members_.text().malformed(error);
      if (index == limits_.tensors_max) {
        return fail(Code::kInvalidArgument, fmt::format("more than {} {}", limits_.tensors_max, name));
      }
      ondemand::object object;
      if (element.get_object().get(object)) {
        return members_.wrong(element, fmt::format("{}[{}]", name, index), "an object");
      }
      TRY_STATUS(read(object));
      ++index;
    }
    return {};
  }

  Status output(ondemand::object object) {
    static constexpr std::array<std::string_view, 2> kNames = {"name", "parameters"};
    const Place place{"outputs", request_.outputs.size(), {}};
    RequestedOutput& output = request_.outputs.emplace_back();
    TRY_STATUS(members_.each(object, kNames, place, [&](std::size_t member, ondemand::value value) {
      if (member == kNames.size() || is_null(value)) return members_.skip(value, 3);
      return member == 0 ? members_.string(value, output.name, place, "name")
                         : members_.parameters(value, output.parameters, place);
    }));
    return output.name.empty() ? Status(fail(Code::kInvalidArgument, place.text() + ": missing 'name'")) : Status{};
  }

  Members members_;
  const RequestLimits& limits_;
  BinaryPart binary_;
  InferRequest request_;
};

/// Parses `text` as one object and lets `read` have it; afterwards nothing may follow.
template <typename T, typename Read>
Result<T> read_object(const JsonText& text, Read read) {
  const simdjson::padded_string_view view(text.text.data(), text.text.size(), text.text.size() + kBufferPadding);
  ParserLease parser(ParserLease::Use::kOuter);
  ondemand::document document;
  if (const auto error = parser->iterate(view).get(document)) return text.malformed(error);
  ondemand::object object;
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

}  // namespace

Result<InferRequest> decode_json_infer(const Slice& body, std::optional<std::size_t> json_bytes,
                                       const RequestLimits& limits) {
  const std::size_t size = json_bytes.value_or(body.size());
  if (size > body.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("Inference-Header-Content-Length is {}, but the body has {} bytes", size, body.size()));
  }
  if (json_bytes == 0U) {
    return fail(Code::kInvalidArgument,
                "Inference-Header-Content-Length is 0: raw binary requests are not supported, expected the JSON part");
  }
  const Slice json = body.part(0, size);
  const PaddedJson padded(json.text(), json.padding);
  const JsonText text{padded.text(), limits.json_depth_max};
  return read_object<InferRequest>(text, [&](ondemand::object object) {
    return InferReader(text, limits, BinaryPart{body, size}).read(object);
  });
}

Result<ListModels> decode_json_index(const Slice& body, const RequestLimits& limits) {
  if (body.empty()) return ListModels{};
  const PaddedJson padded(body.text(), body.padding);
  const JsonText text{padded.text(), limits.json_depth_max};
  return read_object<ListModels>(text, [&](ondemand::object object) -> Result<ListModels> {
    static constexpr std::array<std::string_view, 1> kNames = {"ready"};
    Members members(text, limits);
    ListModels list;
    TRY_STATUS(members.each(object, kNames, Place{}, [&](std::size_t member, ondemand::value value) -> Status {
      if (member == kNames.size() || is_null(value)) return members.skip(value, 1);
      if (value.get_bool().get(list.ready_only)) return members.wrong(value, "ready", "true or false");
      return {};
    }));
    return list;
  });
}

Status check_json_repository_call(const Slice& body, const RequestLimits& limits) {
  if (body.empty()) return {};
  const PaddedJson padded(body.text(), body.padding);
  const JsonText text{padded.text(), limits.json_depth_max};
  const auto parameters = read_object<Parameters>(text, [&](ondemand::object object) -> Result<Parameters> {
    static constexpr std::array<std::string_view, 1> kNames = {"parameters"};
    Members members(text, limits);
    Parameters found;
    TRY_STATUS(members.each(object, kNames, Place{}, [&](std::size_t member, ondemand::value value) -> Status {
      if (member == kNames.size() || is_null(value)) return members.skip(value, 1);
      return members.parameters(value, found, Place{});
    }));
    return found;
  });
  if (!parameters) return tl::unexpected<Error>(parameters.error());
  for (const auto& [name, value] : *parameters) TRY_STATUS(check_repository_parameter(name));
  return {};
}

}  // namespace protean
