// SPDX-License-Identifier: Apache-2.0
// Checks stand in the original's order: how many inputs, which, what they hold, then the outputs.
#include "protocols/tensorflow_serving/grpc_predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <protozero/pbf_builder.hpp>
#include <set>

#include "base/text.h"
#include "protocols/tensorflow_serving/grpc_fields.h"
#include "protocols/tensorflow_serving/grpc_tensor.h"
#include "protocols/tensorflow_serving/tensor_type.h"

namespace protean::tfserving {
namespace {

using Names = std::set<std::string_view>;

/// Inputs, and outputs asked for, of one request.
constexpr std::size_t kTensorsMax = 16'384;

Names names_of(const std::vector<TensorSpec>& specs) {
  Names names;
  for (const auto& spec : specs) names.insert(spec.name);
  return names;
}

std::string joined(const Names& names) { return fmt::format("{{{}}}", fmt::join(names, ",")); }

Names without(const Names& names, const Names& others) {
  Names left;
  std::ranges::set_difference(names, others, std::inserter(left, left.end()));
  return left;
}

/// The `inputs` map as it is on the wire; the last entry of a name counts.
using Entries = std::map<std::string_view, protozero::data_view>;

Status read_entry(protozero::data_view view, Entries& out) {
  std::string_view key;
  protozero::data_view value;
  protozero::pbf_message<field::MapEntry> fields(view);
  while (fields.next()) {
    const auto tag = fields.tag();
    const auto member = field::view(fields);
    if (!member) continue;
    if (tag == field::MapEntry::kKey) key = field::text(*member);
    if (tag == field::MapEntry::kValue) value = *member;
  }
  if (!is_utf8(key)) return fail(Code::kInternal, "malformed PredictRequest: the name of an input is not UTF-8");
  out[key] = value;
  if (out.size() <= kTensorsMax) return {};
  return fail(Code::kInvalidArgument, fmt::format("more than {} inputs", kTensorsMax));
}

Result<Entries> read_entries(const Slice& body) {
  Entries entries;
  protozero::pbf_message<field::PredictRequest> fields(field::whole(body));
  while (fields.next()) {
    const auto tag = fields.tag();
    const auto view = field::view(fields);
    if (view && tag == field::PredictRequest::kInputs) TRY_STATUS(read_entry(*view, entries));
  }
  return entries;
}

Status check_names(const Entries& entries, const Signature& signature) {
  Names sent;
  for (const auto& [name, value] : entries) sent.insert(name);
  const Names known = names_of(signature.inputs);
  const bool optional = std::ranges::any_of(signature.inputs, &TensorSpec::optional);
  if (sent.size() > known.size() || (sent.size() < known.size() && !optional)) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("input size does not match signature: {}!={} len({}) != len({}). Sent extra: {}. Missing but "
                    "required: {}.",
                    sent.size(), known.size(), joined(sent), joined(known), joined(without(sent, known)),
                    joined(without(known, sent))));
  }
  for (const auto name : sent) {
    if (known.contains(name)) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("input tensor alias not found in signature: {}. Inputs expected to be in the set {}.", name,
                            joined(known)));
  }
  return {};
}

Status check_outputs(const InferRequest& request, const Signature& signature) {
  Names seen;
  for (const auto& output : request.outputs) {
    if (std::ranges::find(signature.outputs, output.name, &TensorSpec::name) == signature.outputs.end()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("output tensor alias not found in signature: {} Outputs expected to be in the set {}.",
                              output.name, joined(names_of(signature.outputs))));
    }
    if (!seen.insert(output.name).second) {
      return fail(Code::kInvalidArgument, fmt::format("duplicate output tensor alias: {}", output.name));
    }
  }
  return {};
}

Status check_types(const InferRequest& request, const Signature& signature) {
  for (const auto& input : request.inputs) {
    const auto spec = std::ranges::find(signature.inputs, input.name, &TensorSpec::name);
    if (spec == signature.inputs.end() || spec->type == input.tensor.type) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("Expects arg[{}] to be {} but {} is provided", spec - signature.inputs.begin(),
                            tensor_type_name(spec->type), tensor_type_name(input.tensor.type)));
  }
  return {};
}

}  // namespace

Result<PredictCall> decode_grpc_predict(const Slice& body) {
  return field::decoding<PredictCall>("PredictRequest", [&]() -> Result<PredictCall> {
    std::optional<ModelSpec> spec;
    std::vector<std::string> outputs;
    protozero::pbf_message<field::PredictRequest> fields(field::whole(body));
    while (fields.next()) {
      const auto tag = fields.tag();
      const auto view = field::view(fields);
      if (!view) continue;
      if (tag == field::PredictRequest::kModelSpec) {
        if (!spec) spec.emplace();
        TRY_STATUS(read_model_spec(*view, *spec));
      } else if (tag == field::PredictRequest::kOutputFilter) {
        if (outputs.size() == kTensorsMax) {
          return fail(Code::kInvalidArgument, fmt::format("more than {} outputs", kTensorsMax));
        }
        outputs.emplace_back(field::text(*view));
      }
    }
    TRY_STATUS(check_model_spec(spec));
    return PredictCall{*std::move(spec), std::move(outputs)};
  });
}

Status bind_grpc_predict(const Slice& body, const Signature& signature, InferRequest& request) {
  return field::decoding<void>("PredictRequest", [&]() -> Status {
    TRY(const Entries entries, read_entries(body));
    const bool table = !signature.columns.empty();
    if (!table) TRY_STATUS(check_names(entries, signature));
    request.inputs.clear();
    for (const auto& [name, view] : entries) {
      TRY(Tensor tensor, read_tensor(body, view, name));
      InferInput input;
      input.name = name;
      input.tensor = std::move(tensor);
      request.inputs.push_back(std::move(input));
    }
    TRY_STATUS(check_outputs(request, signature));
    return table ? Status{} : check_types(request, signature);
  });
}

Result<Response> encode_grpc_predict(const InferRequest& request, const InferResult& result, bool as_content) {
  constexpr std::size_t kMessageMax = std::numeric_limits<std::int32_t>::max();  // protobuf's own bound
  Response response;
  std::string open;
  for (const auto& output : result.outputs) {
    write_tensor_entry(response.body, open, output, static_cast<std::uint32_t>(field::PredictResponse::kOutputs),
                       as_content);
  }
  protozero::pbf_builder<field::PredictResponse>(open).add_message(
      field::PredictResponse::kModelSpec, write_model_spec(result.model, result.version, request.function));
  response.body.push_back(Slice::of(std::move(open)));
  if (response.body_size() > kMessageMax) {
    return fail(Code::kResourceExhausted,
                fmt::format("the outputs have {} bytes, too many for one protobuf message", response.body_size()));
  }
  return response;
}

}  // namespace protean::tfserving
