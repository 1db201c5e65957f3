// SPDX-License-Identifier: Apache-2.0
// Small fields are written into one string; raw outputs hang behind it, each with its own key and length.
#include "protocols/open_inference/grpc_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <protozero/pbf_builder.hpp>

#include "protocols/open_inference/grpc_contents.h"
#include "protocols/open_inference/grpc_fields.h"

namespace protean {
namespace {

using protozero::pbf_builder;
using protozero::pbf_writer;
using Reply = grpc_field::InferResponse;
using Field = grpc_field::InferTensor;

/// Raw outputs up to this size are copied: one part less to send is worth more.
constexpr std::size_t kCopiedMax = 4096;

Response message_of(std::string bytes) {
  Response response;
  if (!bytes.empty()) response.body.push_back(Slice::of(std::move(bytes)));
  return response;
}

std::string parameter_value(const Parameter& value) {
  using Member = grpc_field::Parameter;
  std::string bytes;
  pbf_builder<Member> out(bytes);
  if (const auto* truth = std::get_if<bool>(&value)) out.add_bool(Member::kBool, *truth);
  if (const auto* number = std::get_if<std::int64_t>(&value)) out.add_int64(Member::kInt64, *number);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) out.add_uint64(Member::kUint64, *number);
  if (const auto* number = std::get_if<double>(&value)) out.add_double(Member::kDouble, *number);
  if (const auto* text = std::get_if<std::string>(&value)) out.add_string(Member::kString, *text);
  return bytes;
}

template <typename Tag>
void add_parameters(pbf_builder<Tag>& out, Tag tag, const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    std::string bytes;
    pbf_builder<grpc_field::MapEntry> entry(bytes);
    entry.add_string(grpc_field::MapEntry::kKey, name);
    entry.add_message(grpc_field::MapEntry::kValue, parameter_value(value));
    out.add_message(tag, bytes);
  }
}

void add_tensor_head(pbf_builder<Field>& out, std::string_view name, DataType type, const Shape& shape) {
  const std::string_view datatype = data_type_name(type);
  out.add_string(Field::kName, name.data(), name.size());
  out.add_string(Field::kDatatype, datatype.data(), datatype.size());
  out.add_packed_int64(Field::kShape, shape.begin(), shape.end());
}

std::string tensor_message(const InferOutput& output, bool typed) {
  std::string bytes;
  pbf_builder<Field> out(bytes);
  add_tensor_head(out, output.name, output.tensor.type, output.tensor.shape);
  add_parameters(out, Field::kParameters, output.parameters);
  if (typed) {
    std::string contents;
    write_contents(contents, output.tensor);
    out.add_message(Field::kContents, contents);
  }
  return bytes;
}

std::string spec_message(const TensorSpec& spec) {
  std::string bytes;
  pbf_builder<Field> out(bytes);
  add_tensor_head(out, spec.name, spec.type, spec.shape);
  add_parameters(out, Field::kParameters, spec.parameters);
  return bytes;
}

/// A string that is left out when empty, as proto3 does.
void add_text(pbf_writer& out, protozero::pbf_tag_type tag, std::string_view text) {
  if (!text.empty()) out.add_string(tag, text.data(), text.size());
}

/// Key and length of a raw output; its bytes follow.
void add_raw_key(std::string& bytes, std::size_t size) {
  protozero::add_varint_to_buffer(&bytes, (static_cast<std::uint64_t>(Reply::kRawOutputContents) << 3) |
                                              static_cast<std::uint64_t>(protozero::pbf_wire_type::length_delimited));
  protozero::add_varint_to_buffer(&bytes, size);
}

Response with_raw(std::string bytes, const std::vector<InferOutput>& outputs) {
  Response response;
  for (const auto& output : outputs) {
    const Slice& data = output.tensor.data;
    add_raw_key(bytes, data.size());
    if (data.size() <= kCopiedMax) {
      bytes.append(data.text());
      continue;
    }
    response.body.push_back(Slice::of(std::exchange(bytes, {})));
    response.body.push_back(data);
  }
  if (!bytes.empty()) response.body.push_back(Slice::of(std::move(bytes)));
  return response;
}

}  // namespace

Result<Response> encode_grpc_infer(const InferResult& result, bool typed) {
  constexpr std::size_t kMessageMax = std::numeric_limits<std::int32_t>::max();  // protobuf's own bound
  std::size_t total = 0;
  for (const auto& output : result.outputs) {
    total += std::min(output.tensor.data.size(), kMessageMax);
    typed = typed && grpc_field::contents_field(output.tensor.type).has_value();
  }
  if (total > kMessageMax - (kMessageMax >> 4)) {
    return fail(Code::kResourceExhausted,
                fmt::format("the outputs have {} bytes or more, too many for one protobuf message", total));
  }
  std::string bytes;
  bytes.reserve(512);
  pbf_builder<Reply> out(bytes);
  out.add_string(Reply::kModelName, result.model);
  out.add_string(Reply::kModelVersion, result.version);
  if (!result.id.empty()) out.add_string(Reply::kId, result.id);
  add_parameters(out, Reply::kParameters, result.parameters);
  for (const auto& output : result.outputs) out.add_message(Reply::kOutputs, tensor_message(output, typed));
  return typed ? message_of(std::move(bytes)) : with_raw(std::move(bytes), result.outputs);
}

Response encode_grpc_bool(bool value) {
  std::string bytes;
  if (value) pbf_writer(bytes).add_bool(1, true);
  return message_of(std::move(bytes));
}

Response encode_grpc_server(const ServerInfo& info) {
  std::string bytes;
  pbf_writer out(bytes);
  add_text(out, 1, info.name);
  add_text(out, 2, info.version);
  for (const auto& extension : info.extensions) out.add_string(3, extension);
  return message_of(std::move(bytes));
}

Response encode_grpc_model(const ModelInfo& info) {
  std::string bytes;
  pbf_writer out(bytes);
  add_text(out, 1, info.model);
  for (const auto& version : info.versions) out.add_string(2, version);
  if (info.signature != nullptr) {
    add_text(out, 3, info.signature->platform);
    for (const auto& spec : info.signature->inputs) out.add_message(4, spec_message(spec));
    for (const auto& spec : info.signature->outputs) out.add_message(5, spec_message(spec));
  }
  return message_of(std::move(bytes));
}

Response encode_grpc_index(const std::vector<VersionStatus>& versions) {
  std::string bytes;
  pbf_writer out(bytes);
  for (const auto& version : versions) {
    std::string row;
    pbf_writer fields(row);
    add_text(fields, 1, version.model);
    add_text(fields, 2, version.version);
    add_text(fields, 3, version_state_name(version.state));
    add_text(fields, 4, version.reason);
    out.add_message(1, row);
  }
  return message_of(std::move(bytes));
}

Response encode_grpc_repository_call(std::string_view model) {
  std::string bytes;
  pbf_writer out(bytes);
  add_text(out, 1, model);
  out.add_bool(2, true);
  return message_of(std::move(bytes));
}

Response encode_grpc_empty() { return {}; }

Response encode_grpc_error(const Error& error) {
  Response response;
  response.grpc_code = error.code;
  response.grpc_message = error.message;
  return response;
}

}  // namespace protean
