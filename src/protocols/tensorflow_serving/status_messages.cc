// SPDX-License-Identifier: Apache-2.0
// Off the path of inferences, so that libprotobuf does the work, its JSON printer included.
#include "protocols/tensorflow_serving/status_messages.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "core/error_reason.h"
#include "proto/tensorflow_serving.pb.h"
#include "protocols/tensorflow_serving/tensor_type.h"

namespace protean::tfserving {
namespace {

namespace serving = tensorflow::serving;
constexpr std::string_view kSignatures = "signature_def";

template <typename Message>
Result<Message> parse(const Slice& body) {
  Message message;
  const bool fits = body.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return fail(Code::kInternal, "malformed " + Message::descriptor()->name());
  }
  return message;
}

Result<ModelSpec> spec_of(bool present, const serving::ModelSpec& message) {
  std::optional<ModelSpec> spec;
  if (present) spec = ModelSpec{message.name(), {}, {}, message.signature_name()};
  TRY_STATUS(check_model_spec(spec));
  if (message.has_version()) spec->version = message.version().value();
  if (message.version_choice_case() == serving::ModelSpec::kVersionLabel) spec->label = message.version_label();
  return *std::move(spec);
}

serving::ModelVersionStatus::State state_of(const VersionStatus& version) {
  switch (version.state) {
    case VersionState::kLoading: return serving::ModelVersionStatus::LOADING;
    case VersionState::kReady:
    case VersionState::kAsleep: return serving::ModelVersionStatus::AVAILABLE;
    case VersionState::kUnloading: return serving::ModelVersionStatus::UNLOADING;
    case VersionState::kUnavailable: return serving::ModelVersionStatus::END;
  }
  return serving::ModelVersionStatus::UNKNOWN;
}

/// Neither loaded now nor ever, and not for a fault: the policy does not choose it.
bool is_passed_over(const VersionStatus& version) noexcept {
  return version.state == VersionState::kUnavailable && !version.error && !version.was_loaded;
}

Result<serving::GetModelStatusResponse> status_message(const std::vector<VersionStatus>& versions) {
  serving::GetModelStatusResponse response;
  std::vector<std::pair<std::uint64_t, const VersionStatus*>> rows;
  for (const auto& version : versions) {
    const auto number = parse_uint64(version.version);
    if (number && !is_passed_over(version)) rows.emplace_back(*number, &version);
  }
  if (rows.empty()) {
    return fail(Code::kNotFound,
                fmt::format("Could not find any versions of model {}", versions.empty() ? "" : versions.front().model));
  }
  std::ranges::sort(rows, std::greater<>(), &std::pair<std::uint64_t, const VersionStatus*>::first);
  for (const auto& [number, version] : rows) {
    auto* row = response.add_model_version_status();
    row->set_version(static_cast<std::int64_t>(number));
    row->set_state(state_of(*version));
    auto* status = row->mutable_status();
    if (version->error) {
      status->set_error_code(static_cast<tensorflow::error::Code>(*version->error));
      status->set_error_message(version->reason);
    }
  }
  return response;
}

tensorflow::TensorInfo tensor_info(const TensorSpec& spec) {
  tensorflow::TensorInfo info;
  info.set_name(spec.name + ":0");
  info.set_dtype(static_cast<tensorflow::DataType>(tensor_type_number(spec.type)));
  auto* shape = info.mutable_tensor_shape();
  shape->set_unknown_rank(spec.any_rank);
  for (const std::int64_t size : spec.shape) shape->add_dim()->set_size(size);
  return info;
}

Result<tensorflow::SignatureDef> signature_def(const Signature& signature) {
  tensorflow::SignatureDef out;
  if (!signature.declared.empty()) {
    if (out.ParseFromString(signature.declared)) return out;
    return fail(Code::kInternal, "the model's signature is no SignatureDef");
  }
  for (const auto& spec : signature.inputs) (*out.mutable_inputs())[spec.name] = tensor_info(spec);
  for (const auto& spec : signature.outputs) (*out.mutable_outputs())[spec.name] = tensor_info(spec);
  out.set_method_name(signature.method.empty() ? "tensorflow/serving/predict" : signature.method);
  return out;
}

Result<serving::SignatureDefMap> signature_map(const ModelInfo& info) {
  serving::SignatureDefMap map;
  std::vector<std::shared_ptr<const Signature>> all = info.functions;
  if (info.signature != nullptr) all.push_back(info.signature);
  for (const auto& signature : all) {
    const std::string name = signature->function.empty() ? std::string(kMainFunction) : signature->function;
    TRY((*map.mutable_signature_def())[name], signature_def(*signature));
  }
  return map;
}

Result<std::string> to_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return fail(Code::kInternal, "Failed to convert proto to json. Error: " + status.ToString());
  return json;
}

serving::ModelSpec spec_message(const ModelInfo& info) {
  serving::ModelSpec spec;
  spec.set_name(info.model);
  spec.mutable_version()->set_value(static_cast<std::int64_t>(parse_uint64(info.chosen).value_or(0)));
  return spec;
}

}  // namespace

Result<ModelSpec> decode_status_request(const Slice& body) {
  TRY(const auto message, parse<serving::GetModelStatusRequest>(body));
  return spec_of(message.has_model_spec(), message.model_spec());
}

Result<ModelSpec> decode_metadata_request(const Slice& body) {
  TRY(const auto message, parse<serving::GetModelMetadataRequest>(body));
  if (!message.has_model_spec()) return fail(Code::kInvalidArgument, "Missing ModelSpec");
  if (message.metadata_field_size() == 0) {
    return fail(Code::kInvalidArgument, "GetModelMetadataRequest must specify at least one metadata_field");
  }
  for (const auto& name : message.metadata_field()) {
    if (name == kSignatures) continue;
    return fail(Code::kInvalidArgument, fmt::format("Metadata field {} is not supported", name));
  }
  return spec_of(true, message.model_spec());
}

Result<std::string> write_status(const std::vector<VersionStatus>& versions) {
  TRY(const auto message, status_message(versions));
  return message.SerializeAsString();
}

Result<std::string> write_json_status(const std::vector<VersionStatus>& versions) {
  TRY(const auto message, status_message(versions));
  return to_json(message);
}

Result<std::string> write_metadata(const ModelInfo& info) {
  serving::GetModelMetadataResponse response;
  *response.mutable_model_spec() = spec_message(info);
  TRY(const auto map, signature_map(info));
  auto& any = (*response.mutable_metadata())[std::string(kSignatures)];
  any.set_type_url("type.googleapis.com/tensorflow.serving.SignatureDefMap");
  any.set_value(map.SerializeAsString());
  return response.SerializeAsString();
}

Result<std::string> write_json_metadata(const ModelInfo& info) {
  TRY(const std::string spec, to_json(spec_message(info)));
  TRY(const auto map, signature_map(info));
  TRY(const std::string signatures, to_json(map));
  return fmt::format("{{\n\"model_spec\":{},\n\"metadata\": {{\"signature_def\": {}}}\n}}\n", spec, signatures);
}

Error status_error(Error error, const Asked& asked) {
  if (error.reason.empty()) return error;
  error.code = Code::kNotFound;
  error.message = asked.version && error.reason != error_reason::kNoModel
                      ? fmt::format("Could not find version {} of model {}", *asked.version, asked.model)
                      : fmt::format("Could not find any versions of model {}", asked.model);
  return error;
}

}  // namespace protean::tfserving
