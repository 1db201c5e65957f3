// SPDX-License-Identifier: Apache-2.0
// One pass over the body's members in whatever order they come; json_input.cc and json_records.cc read what carries
// the tensors.
#include "protocols/open_inference/json_request.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "protocols/open_inference/json_input.h"
#include "protocols/open_inference/json_members.h"
#include "protocols/open_inference/json_records.h"

namespace protean {
namespace {

namespace ondemand = simdjson::ondemand;

class InferReader {
 public:
  InferReader(const JsonText& text, const RequestLimits& limits, BinaryPart binary)
      : members_(text, limits), limits_(limits), binary_(binary) {}

  /// `background`: where a request to explain has its background; null for an inference.
  Result<InferRequest> read(ondemand::object object, std::vector<InferInput>* background = nullptr) {
    background_ = background;
    const std::span<const std::string_view> names(kNames.data(), kNames.size() - (background == nullptr ? 1 : 0));
    TRY_STATUS(members_.each(object, names, Place{}, [&](std::size_t member, ondemand::value value) -> Status {
      if (member == names.size() || is_json_null(value)) return members_.skip(value, 1);
      return this->member(member, value);
    }));
    if (!has_inputs_ && !has_records_) return fail(Code::kInvalidArgument, "missing 'inputs'");
    if (has_inputs_ && has_records_) return fail(Code::kInvalidArgument, "both 'inputs' and 'records'");
    if (binary_.next != binary_.body.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{} bytes left behind the JSON and the binary tensors, expected none",
                              binary_.body.size() - binary_.next));
    }
    TRY_STATUS(check_supported(request_));
    return std::move(request_);
  }

 private:
  static constexpr std::array<std::string_view, 6> kNames = {"id",      "parameters", "inputs",
                                                             "outputs", "records",    "background"};
  enum : std::size_t { kId, kParameters, kInputs, kOutputs, kRecords, kBackground };

  Status member(std::size_t member, ondemand::value value) {
    switch (member) {
      case kId: return members_.string(value, request_.id, Place{}, "id");
      case kParameters: return members_.parameters(value, request_.parameters, Place{});
      case kInputs: has_inputs_ = true; return inputs(value, request_.inputs);
      case kRecords: has_records_ = true; return read_json_records(members_, value, "records", request_.inputs);
      case kBackground: return background(value);
      default: return list(value, "outputs", [this](ondemand::object object) { return output(object); });
    }
  }

  Status inputs(ondemand::value value, std::vector<InferInput>& into) {
    return list(value, "inputs", [&](ondemand::object object) {
      const std::size_t index = into.size();
      return read_json_input(members_, object, {index, into.emplace_back()}, binary_);
    });
  }

  Status background(ondemand::value value) {
    static constexpr std::array<std::string_view, 2> kForms = {"inputs", "records"};
    ondemand::object object;
    if (value.get_object().get(object)) {
      return members_.wrong(value, "background", "an object with 'inputs' or 'records'");
    }
    TRY_STATUS(members_.each(object, kForms, Place{}, [&](std::size_t member, ondemand::value form) -> Status {
      if (member == kForms.size() || is_json_null(form)) return members_.skip(form, 2);
      if (!background_->empty()) return fail(Code::kInvalidArgument, "background: both 'inputs' and 'records'");
      return member == 0 ? inputs(form, *background_)
                         : read_json_records(members_, form, "background.records", *background_);
    }));
    if (background_->empty()) return fail(Code::kInvalidArgument, "background: missing 'inputs' or 'records'");
    return {};
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
    static constexpr std::array<std::string_view, 2> kOutputNames = {"name", "parameters"};
    const Place place{"outputs", request_.outputs.size(), {}};
    RequestedOutput& output = request_.outputs.emplace_back();
    TRY_STATUS(members_.each(object, kOutputNames, place, [&](std::size_t member, ondemand::value value) {
      if (member == kOutputNames.size() || is_json_null(value)) return members_.skip(value, 3);
      return member == 0 ? members_.string(value, output.name, place, "name")
                         : members_.parameters(value, output.parameters, place);
    }));
    return output.name.empty() ? Status(fail(Code::kInvalidArgument, place.text() + ": missing 'name'")) : Status{};
  }

  Members members_;
  const RequestLimits& limits_;
  BinaryPart binary_;
  InferRequest request_;
  std::vector<InferInput>* background_ = nullptr;
  bool has_inputs_ = false;
  bool has_records_ = false;
};

/// A parameter that is a whole number from `least` to `most`; nullopt when it is absent.
Result<std::optional<std::uint64_t>> whole_parameter(const Parameters& parameters, std::string_view name,
                                                     std::uint64_t least, std::uint64_t most) {
  const Parameter* parameter = find_parameter(parameters, name);
  if (parameter == nullptr) return std::nullopt;
  std::optional<std::uint64_t> value;
  if (const auto* given = std::get_if<std::int64_t>(parameter); given != nullptr && *given >= 0) value = *given;
  if (const auto* given = std::get_if<std::uint64_t>(parameter)) value = *given;
  if (value && *value >= least && *value <= most) return value;
  return fail(Code::kInvalidArgument,
              fmt::format("parameters.{}: expected a whole number from {} to {}", name, least, most));
}

/// The JSON part of a body, parsed by `read`.
template <typename T, typename Read>
Result<T> read_body(const Slice& body, std::optional<std::size_t> json_bytes, const RequestLimits& limits, Read read) {
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
  return read_json_object<T>(text, [&](ondemand::object object) {
    return read(InferReader(text, limits, BinaryPart{body, size}), object);
  });
}

}  // namespace

Result<InferRequest> decode_json_infer(const Slice& body, std::optional<std::size_t> json_bytes,
                                       const RequestLimits& limits) {
  return read_body<InferRequest>(body, json_bytes, limits,
                                 [](InferReader&& reader, ondemand::object object) { return reader.read(object); });
}

Result<ExplainRequest> decode_json_explain(const Slice& body, std::optional<std::size_t> json_bytes,
                                           const RequestLimits& limits) {
  ExplainRequest explain;
  TRY(explain.infer,
      read_body<InferRequest>(body, json_bytes, limits, [&](InferReader&& reader, ondemand::object object) {
        return reader.read(object, &explain.background);
      }));
  const Parameters& parameters = explain.infer.parameters;
  TRY(const auto samples, whole_parameter(parameters, "samples", 1, kExplainSamplesMax));
  TRY(const auto seed, whole_parameter(parameters, "seed", 0, std::numeric_limits<std::uint64_t>::max()));
  explain.samples = static_cast<std::uint32_t>(samples.value_or(0));
  explain.seed = seed.value_or(explain.seed);
  return explain;
}

Result<ListModels> decode_json_index(const Slice& body, const RequestLimits& limits) {
  if (body.empty()) return ListModels{};
  const PaddedJson padded(body.text(), body.padding);
  const JsonText text{padded.text(), limits.json_depth_max};
  return read_json_object<ListModels>(text, [&](ondemand::object object) -> Result<ListModels> {
    static constexpr std::array<std::string_view, 1> kNames = {"ready"};
    Members members(text, limits);
    ListModels list;
    TRY_STATUS(members.each(object, kNames, Place{}, [&](std::size_t member, ondemand::value value) -> Status {
      if (member == kNames.size() || is_json_null(value)) return members.skip(value, 1);
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
  const auto parameters = read_json_object<Parameters>(text, [&](ondemand::object object) -> Result<Parameters> {
    static constexpr std::array<std::string_view, 1> kNames = {"parameters"};
    Members members(text, limits);
    Parameters found;
    TRY_STATUS(members.each(object, kNames, Place{}, [&](std::size_t member, ondemand::value value) -> Status {
      if (member == kNames.size() || is_json_null(value)) return members.skip(value, 1);
      return members.parameters(value, found, Place{});
    }));
    return found;
  });
  if (!parameters) return tl::unexpected<Error>(parameters.error());
  for (const auto& [name, value] : *parameters) TRY_STATUS(check_repository_parameter(name));
  return {};
}

}  // namespace protean
