// SPDX-License-Identifier: Apache-2.0
// protozero throws where the wire format is broken; that stops in decoding() below.
#include "protocols/open_inference/grpc_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <protozero/pbf_message.hpp>

#include "base/text.h"
#include "protocols/open_inference/grpc_contents.h"
#include "protocols/open_inference/grpc_fields.h"

namespace protean {
namespace {

using protozero::data_view;
using protozero::pbf_message;
using protozero::pbf_wire_type;
using Raw = grpc_field::InferRequest;
using Field = grpc_field::InferTensor;

protozero::data_view view_of(const Slice& message) noexcept { return {message.text().data(), message.size()}; }

template <typename T, typename Decode>
Result<T> decoding(std::string_view message_name, Decode decode) {
  try {
    return decode();
  } catch (const protozero::exception& error) {
    return fail(Code::kInvalidArgument, fmt::format("malformed {}: {}", message_name, error.what()));
  }
}

/// A singular string field; false when it has another wire type and was passed over.
template <typename Message>
Status read_string(Message& message, std::string& out, const Place& place, std::string_view member) {
  if (message.wire_type() != pbf_wire_type::length_delimited) {
    message.skip();
    return {};
  }
  const data_view view = message.get_view();
  const std::string_view text(view.data(), view.size());
  if (!is_utf8(text)) return fail(Code::kInvalidArgument, fmt::format("{}: not UTF-8", place.text(member)));
  out = text;
  return {};
}

template <typename Message>
std::optional<data_view> read_view(Message& message) {
  if (message.wire_type() == pbf_wire_type::length_delimited) return message.get_view();
  message.skip();
  return std::nullopt;
}

/// The members of the oneof, each overwriting the one before it.
Status read_parameter_value(data_view view, std::optional<Parameter>& out, const Place& place) {
  using Member = grpc_field::Parameter;
  pbf_message<Member> message(view);
  while (message.next()) {
    const auto wire = message.wire_type();
    if (message.tag() == Member::kBool && wire == pbf_wire_type::varint) {
      out = message.get_uint64() != 0;
    } else if (message.tag() == Member::kInt64 && wire == pbf_wire_type::varint) {
      out = message.get_int64();
    } else if (message.tag() == Member::kUint64 && wire == pbf_wire_type::varint) {
      out = message.get_uint64();
    } else if (message.tag() == Member::kDouble && wire == pbf_wire_type::fixed64) {
      out = message.get_double();
    } else if (message.tag() == Member::kString && wire == pbf_wire_type::length_delimited) {
      std::string text;
      TRY_STATUS(read_string(message, text, place, "parameters"));
      out = std::move(text);
    } else {
      message.skip();
    }
  }
  return {};
}

/// One entry of a `parameters` map; the last entry of a key counts.
Status read_parameter(data_view view, Parameters& out, const RequestLimits& limits, const Place& place) {
  using Entry = grpc_field::MapEntry;
  std::string name;
  std::optional<Parameter> value;
  pbf_message<Entry> message(view);
  while (message.next()) {
    if (message.tag() == Entry::kKey) {
      TRY_STATUS(read_string(message, name, place, "parameters"));
    } else if (message.tag() == Entry::kValue) {
      if (const auto member = read_view(message)) TRY_STATUS(read_parameter_value(*member, value, place));
    } else {
      message.skip();
    }
  }
  if (!value) {
    return fail(Code::kInvalidArgument, fmt::format("{}.{}: empty, expected a string, a number or a boolean",
                                                    place.text("parameters"), printable(name)));
  }
  const auto found = std::ranges::find(out, name, &Parameters::value_type::first);
  if (found != out.end()) {
    found->second = *std::move(value);
    return {};
  }
  if (out.size() == limits.parameters_max) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: more than {} parameters", place.text("parameters"), limits.parameters_max));
  }
  out.emplace_back(std::move(name), *std::move(value));
  return {};
}

template <typename Message>
Status read_map_entry(Message& message, Parameters& out, const RequestLimits& limits, const Place& place) {
  const auto view = read_view(message);
  return view ? read_parameter(*view, out, limits, place) : Status{};
}

Status add_dimension(Shape& shape, std::int64_t dimension, const Place& place) {
  if (shape.size() == kRankMax) {
    return fail(Code::kInvalidArgument, fmt::format("{}: more than {} dimensions", place.text("shape"), kRankMax));
  }
  shape.push_back(dimension);
  return {};
}

template <typename Message>
Status read_shape(Message& message, Shape& shape, const Place& place) {
  if (message.wire_type() == pbf_wire_type::varint) return add_dimension(shape, message.get_int64(), place);
  const auto packed = read_view(message);
  if (!packed) return {};
  const char* at = packed->data();
  const char* const end = at + packed->size();
  while (at != end) {
    TRY_STATUS(add_dimension(shape, static_cast<std::int64_t>(protozero::decode_varint(&at, end)), place));
  }
  return {};
}

/// One InferInputTensor. Contents are read last: type and shape may come after them.
class InputDecoder {
 public:
  InputDecoder(InferInput& input, std::size_t index, const RequestLimits& limits)
      : input_(input), limits_(limits), place_{"inputs", index, {}} {}

  /// True when there were typed contents.
  Result<bool> read(data_view view) {
    pbf_message<Field> message(view);
    while (message.next()) TRY_STATUS(field(message));
    place_.name = input_.name;
    if (input_.name.empty()) return fail(Code::kInvalidArgument, place_.text() + ": missing name");
    const auto type = parse_data_type(datatype_);
    if (!type) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: unknown datatype '{}', expected BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, "
                              "FP32, FP64 or BYTES",
                              place_.text(), printable(datatype_)));
    }
    input_.tensor.type = *type;
    if (contents_.empty()) return false;
    TRY(input_.tensor.data, read_contents(contents_, input_.tensor, place_));
    return true;
  }

 private:
  Status field(pbf_message<Field>& message) {
    switch (message.tag()) {
      case Field::kName: return read_string(message, input_.name, place_, "name");
      case Field::kDatatype: return read_string(message, datatype_, place_, "datatype");
      case Field::kShape: return read_shape(message, input_.tensor.shape, place_);
      case Field::kParameters: return read_map_entry(message, input_.parameters, limits_, place_);
      case Field::kContents: {
        const auto view = read_view(message);
        if (view && !view->empty()) contents_.push_back(*view);
        return {};
      }
    }
    message.skip();
    return {};
  }

  InferInput& input_;
  const RequestLimits& limits_;
  Place place_;
  std::string datatype_;
  std::vector<data_view> contents_;
};

/// One entry of the parameters of a repository call: its name decides.
Status check_entry(data_view view) {
  using Entry = grpc_field::MapEntry;
  std::string name;
  pbf_message<Entry> message(view);
  while (message.next()) {
    if (message.tag() == Entry::kKey) {
      TRY_STATUS(read_string(message, name, Place{}, "parameters"));
    } else {
      message.skip();
    }
  }
  return check_repository_parameter(name);
}

class InferDecoder {
 public:
  InferDecoder(const Slice& message, const RequestLimits& limits) : message_(message), limits_(limits) {}

  Result<InferRequest> read() {
    pbf_message<Raw> message(view_of(message_));
    while (message.next()) TRY_STATUS(field(message));
    TRY_STATUS(raw_.empty() ? check_typed() : take_raw());
    TRY_STATUS(check_supported(request_));
    return std::move(request_);
  }

 private:
  Status field(pbf_message<Raw>& message) {
    switch (message.tag()) {
      case Raw::kModelName: return read_string(message, request_.model, Place{}, "model_name");
      case Raw::kModelVersion: return read_string(message, request_.version, Place{}, "model_version");
      case Raw::kId: return read_string(message, request_.id, Place{}, "id");
      case Raw::kParameters: return read_map_entry(message, request_.parameters, limits_, Place{});
      case Raw::kInputs: return input(message);
      case Raw::kOutputs: return output(message);
      case Raw::kRawInputContents: return raw(message);
    }
    message.skip();
    return {};
  }

  Status input(pbf_message<Raw>& message) {
    const auto view = read_view(message);
    if (!view) return {};
    const std::size_t index = request_.inputs.size();
    if (index == limits_.tensors_max) return too_many("inputs");
    TRY(const bool typed, InputDecoder(request_.inputs.emplace_back(), index, limits_).read(*view));
    typed_.push_back(typed);
    return {};
  }

  Status output(pbf_message<Raw>& message) {
    using Member = grpc_field::RequestedOutput;
    const auto view = read_view(message);
    if (!view) return {};
    if (request_.outputs.size() == limits_.tensors_max) return too_many("outputs");
    const Place place{"outputs", request_.outputs.size(), {}};
    RequestedOutput& output = request_.outputs.emplace_back();
    pbf_message<Member> member(*view);
    while (member.next()) {
      switch (member.tag()) {
        case Member::kName: TRY_STATUS(read_string(member, output.name, place, "name")); break;
        case Member::kParameters: TRY_STATUS(read_map_entry(member, output.parameters, limits_, place)); break;
        default: member.skip();
      }
    }
    return output.name.empty() ? Status(fail(Code::kInvalidArgument, place.text() + ": missing name")) : Status{};
  }

  Status raw(pbf_message<Raw>& message) {
    const auto view = read_view(message);
    if (!view) return {};
    if (raw_.size() == limits_.tensors_max) return too_many("raw_input_contents");
    raw_.push_back(message_.part(static_cast<std::size_t>(view->data() - message_.text().data()), view->size()));
    return {};
  }

  Status take_raw() {
    if (raw_.size() != request_.inputs.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("the number of inputs ({}) does not match the expected number of raw input contents ({}) "
                              "for model '{}'.",
                              request_.inputs.size(), raw_.size(), printable(request_.model)));
    }
    for (std::size_t i = 0; i < raw_.size(); ++i) {
      InferInput& input = request_.inputs[i];
      if (typed_[i]) {
        return fail(Code::kInvalidArgument,
                    fmt::format("contents field must not be specified when using raw_input_contents for input '{}' for "
                                "model '{}'",
                                printable(input.name), printable(request_.model)));
      }
      input.tensor.data = std::move(raw_[i]);
      TRY_STATUS(check_data(input.tensor, input.name));
    }
    return {};
  }

  /// Without raw contents an input has typed ones, or no elements at all.
  Status check_typed() const {
    for (std::size_t i = 0; i < typed_.size(); ++i) {
      if (typed_[i]) continue;
      const InferInput& input = request_.inputs[i];
      const Place place{"inputs", i, input.name};
      const auto count = element_count(input.tensor.shape);
      if (!count) return fail(count.error().code, fmt::format("{}: {}", place.text(), count.error().message));
      if (*count == 0) continue;
      TRY_STATUS(check_supported(request_));
      return fail(
          Code::kInvalidArgument,
          fmt::format("{}: no data, expected contents or raw_input_contents with {} elements", place.text(), *count));
    }
    return {};
  }

  tl::unexpected<Error> too_many(std::string_view list) const {
    return fail(Code::kInvalidArgument, fmt::format("more than {} {}", limits_.tensors_max, list));
  }

  const Slice& message_;
  const RequestLimits& limits_;
  InferRequest request_;
  std::vector<bool> typed_;  // for each input: typed contents came
  std::vector<Slice> raw_;
};

}  // namespace

Result<InferRequest> decode_grpc_infer(const Slice& message, const RequestLimits& limits) {
  return decoding<InferRequest>("ModelInferRequest", [&] { return InferDecoder(message, limits).read(); });
}

bool has_typed_inputs(const Slice& message) noexcept {
  bool inputs = false;
  try {
    pbf_message<Raw> fields(view_of(message));
    while (fields.next()) {
      if (fields.tag() == Raw::kRawInputContents) return false;
      inputs = inputs || fields.tag() == Raw::kInputs;
      fields.skip();
    }
  } catch (const protozero::exception&) {
    return false;
  }
  return inputs;
}

Result<ModelQuery> decode_grpc_model_query(const Slice& message) {
  enum class Member : protozero::pbf_tag_type { kName = 1, kVersion = 2 };
  return decoding<ModelQuery>("request", [&]() -> Result<ModelQuery> {
    ModelQuery query;
    pbf_message<Member> fields(view_of(message));
    while (fields.next()) {
      switch (fields.tag()) {
        case Member::kName: TRY_STATUS(read_string(fields, query.model, Place{}, "name")); break;
        case Member::kVersion: TRY_STATUS(read_string(fields, query.version, Place{}, "version")); break;
        default: fields.skip();
      }
    }
    return query;
  });
}

Result<ListModels> decode_grpc_index(const Slice& message) {
  enum class Member : protozero::pbf_tag_type { kReady = 2 };
  return decoding<ListModels>("RepositoryIndexRequest", [&]() -> Result<ListModels> {
    ListModels list;
    pbf_message<Member> fields(view_of(message));
    while (fields.next()) {
      if (fields.tag() == Member::kReady && fields.wire_type() == pbf_wire_type::varint) {
        list.ready_only = fields.get_uint64() != 0;
      } else {
        fields.skip();
      }
    }
    return list;
  });
}

Result<RepositoryCall> decode_grpc_repository_call(const Slice& message) {
  enum class Member : protozero::pbf_tag_type { kRepository = 1, kModel = 2, kParameters = 3 };
  return decoding<RepositoryCall>("repository request", [&]() -> Result<RepositoryCall> {
    std::string first;
    RepositoryCall call;
    pbf_message<Member> fields(view_of(message));
    while (fields.next()) {
      switch (fields.tag()) {
        case Member::kRepository: TRY_STATUS(read_string(fields, first, Place{}, "repository_name")); break;
        case Member::kModel: TRY_STATUS(read_string(fields, call.model, Place{}, "model_name")); break;
        case Member::kParameters:
          if (const auto entry = read_view(fields)) TRY_STATUS(check_entry(*entry));
          break;
        default: fields.skip();
      }
    }
    if (call.model.empty()) call = {std::move(first), true};
    if (call.model.empty()) return fail(Code::kInvalidArgument, "missing model_name");
    return call;
  });
}

}  // namespace protean
