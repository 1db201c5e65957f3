// SPDX-License-Identifier: Apache-2.0
// That the descriptors handed out are enough to rebuild every service, as grpcurl and its like do; the rest stands
// in tests/conformance/grpc_standard/*.case.
#include "protocols/grpc_standard/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <gtest/gtest.h>

#include "proto/grpc_reflection_v1.pb.h"

namespace protean {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

ServerReflectionResponse ask(const ServerReflectionRequest& request) {
  ServerReflectionResponse response;
  const auto bytes = answer_reflection(request.SerializeAsString());
  EXPECT_TRUE(bytes && response.ParseFromString(*bytes));
  return response;
}

TEST(AnswerReflection, HandsOutFilesThatRebuildEveryService) {
  for (const auto name : service_names()) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(std::string(name));
    const auto response = ask(request);
    google::protobuf::SimpleDescriptorDatabase files;
    for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(bytes));
      EXPECT_TRUE(files.Add(file)) << file.name();
    }
    google::protobuf::DescriptorPool pool(&files);
    const auto* service = pool.FindServiceByName(std::string(name));
    ASSERT_NE(service, nullptr) << name;
    EXPECT_GT(service->method_count(), 0);
  }
}

TEST(AnswerReflection, FindsMethodsAndNestedMessagesByName) {
  for (const auto* symbol :
       {"inference.GRPCInferenceService.ModelInfer", "inference.ModelInferRequest.InferInputTensor"}) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    const auto response = ask(request);
    ASSERT_EQ(response.file_descriptor_response().file_descriptor_proto_size(), 1) << symbol;
  }
  ServerReflectionRequest request;
  request.set_file_by_filename("open_inference.proto");
  EXPECT_TRUE(ask(request).has_file_descriptor_response());
}

TEST(AnswerReflection, RefusesBrokenRequests) {
  const auto answer = answer_reflection("\x0a\x05");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace protean
