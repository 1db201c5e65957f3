// SPDX-License-Identifier: Apache-2.0
//
// The gRPC peer of the benchmarks: the least a grpc++ server can do (callback API, its fastest) to take a ModelInfer
// request and answer a constant of the same shape as a real answer. It runs no model.
//
//   grpc_callback_server --port P --reply FILE      FILE: a serialised inference.ModelInferResponse
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "open_inference.grpc.pb.h"

namespace {

class ConstantAnswer final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit ConstantAnswer(inference::ModelInferResponse reply) : reply_(std::move(reply)) {}

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context, const inference::ModelInferRequest*,
                                       inference::ModelInferResponse* response) override {
    *response = reply_;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const inference::ModelInferResponse reply_;
};

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options{{"--port", "8001"}, {"--reply", ""}};
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  inference::ModelInferResponse reply;
  std::ifstream file(options["--reply"], std::ios::binary);
  if (!reply.ParseFromIstream(&file)) {
    std::fprintf(stderr, "grpc_callback_server: %s: not a ModelInferResponse\n", options["--reply"].c_str());
    return 1;
  }
  ConstantAnswer service(std::move(reply));
  grpc::ServerBuilder builder;
  int bound_port = 0;
  builder.AddListeningPort("127.0.0.1:" + options["--port"], grpc::InsecureServerCredentials(), &bound_port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (server == nullptr || bound_port == 0) {
    std::fprintf(stderr, "grpc_callback_server: cannot listen on port %s\n", options["--port"].c_str());
    return 1;
  }
  server->Wait();
}
