// SPDX-License-Identifier: Apache-2.0
// The generated descriptor pool knows every file of proto/ that is linked in; naming one descriptor of each file
// keeps the linker from dropping it.
#include "protocols/grpc_standard/reflection.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <array>
#include <limits>
#include <set>
#include <vector>

#include "proto/grpc_health.pb.h"
#include "proto/grpc_reflection_v1.pb.h"
#include "proto/grpc_reflection_v1alpha.pb.h"
#include "proto/open_inference.pb.h"
#include "proto/tensorflow_serving.pb.h"

namespace protean {
namespace {

namespace reflection = grpc::reflection::v1;
namespace protobuf = google::protobuf;

constexpr std::array<std::string_view, 6> kServices = {
    "inference.GRPCInferenceService",      "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",     "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
};

/// The files that are ours, and what they import.
const std::set<const protobuf::FileDescriptor*>& known_files() {
  static const auto* const kFiles = [] {
    auto* files = new std::set<const protobuf::FileDescriptor*>;
    std::vector<const protobuf::FileDescriptor*> open = {
        inference::ModelInferRequest::descriptor()->file(),
        grpc::health::v1::HealthCheckRequest::descriptor()->file(),
        reflection::ServerReflectionRequest::descriptor()->file(),
        grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file(),
        tensorflow::serving::PredictRequest::descriptor()->file(),
    };
    while (!open.empty()) {
      const auto* file = open.back();
      open.pop_back();
      if (!files->insert(file).second) continue;
      for (int i = 0; i < file->dependency_count(); ++i) open.push_back(file->dependency(i));
    }
    return files;
  }();
  return *kFiles;
}

void set_error(reflection::ServerReflectionResponse& response, std::string_view what, const std::string& name) {
  auto* error = response.mutable_error_response();
  error->set_error_code(static_cast<int>(Code::kNotFound));
  error->set_error_message(std::string(what) + " not found: " + name);
}

/// The file and everything it imports, each once, importing files first.
void set_files(reflection::ServerReflectionResponse& response, const protobuf::FileDescriptor* first) {
  std::set<const protobuf::FileDescriptor*> seen;
  std::vector<const protobuf::FileDescriptor*> open = {first};
  while (!open.empty()) {
    const auto* file = open.back();
    open.pop_back();
    if (!seen.insert(file).second) continue;
    protobuf::FileDescriptorProto proto;
    file->CopyTo(&proto);
    *response.mutable_file_descriptor_response()->add_file_descriptor_proto() = proto.SerializeAsString();
    for (int i = 0; i < file->dependency_count(); ++i) open.push_back(file->dependency(i));
  }
}

void answer(const reflection::ServerReflectionRequest& request, reflection::ServerReflectionResponse& response) {
  using Request = reflection::ServerReflectionRequest;
  const auto* pool = protobuf::DescriptorPool::generated_pool();
  const auto known = [](const protobuf::FileDescriptor* file) {
    return file != nullptr && known_files().contains(file);
  };
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const auto name : kServices)
        response.mutable_list_services_response()->add_service()->set_name(std::string(name));
      return;
    case Request::kFileByFilename: {
      const auto* file = pool->FindFileByName(request.file_by_filename());
      return known(file) ? set_files(response, file) : set_error(response, "file", request.file_by_filename());
    }
    case Request::kFileContainingSymbol: {
      const auto* file = pool->FindFileContainingSymbol(request.file_containing_symbol());
      return known(file) ? set_files(response, file) : set_error(response, "symbol", request.file_containing_symbol());
    }
    case Request::kFileContainingExtension:
      return set_error(response, "extension", request.file_containing_extension().containing_type());
    case Request::kAllExtensionNumbersOfType: {
      const auto* type = pool->FindMessageTypeByName(request.all_extension_numbers_of_type());
      if (type == nullptr || !known(type->file()))
        return set_error(response, "type", request.all_extension_numbers_of_type());
      response.mutable_all_extension_numbers_response()->set_base_type_name(type->full_name());
      return;
    }
    case Request::MESSAGE_REQUEST_NOT_SET: {
      auto* error = response.mutable_error_response();
      error->set_error_code(static_cast<int>(Code::kInvalidArgument));
      error->set_error_message("the request asks nothing");
      return;
    }
  }
}

}  // namespace

std::span<const std::string_view> service_names() noexcept { return kServices; }

Result<std::string> answer_reflection(std::string_view request) {
  protobuf::Arena arena;
  auto* question = protobuf::Arena::CreateMessage<reflection::ServerReflectionRequest>(&arena);
  const bool fits = request.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !question->ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return fail(Code::kInvalidArgument, "malformed ServerReflectionRequest");
  }
  auto* response = protobuf::Arena::CreateMessage<reflection::ServerReflectionResponse>(&arena);
  response->set_valid_host(question->host());
  *response->mutable_original_request() = *question;
  answer(*question, *response);
  return response->SerializeAsString();
}

}  // namespace protean
