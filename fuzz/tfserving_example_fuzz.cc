// SPDX-License-Identifier: Apache-2.0
// Examples of classify and regress: from JSON they become messages that libprotobuf reads, and from messages they
// become tensors that hold what their shapes say.
#include "base/check.h"
#include "proto/tensorflow.pb.h"
#include "protocols/tensorflow_serving/example_inputs.h"
#include "protocols/tensorflow_serving/example_list.h"
#include "protocols/tensorflow_serving/grpc_examples.h"

namespace {

using namespace protean;
using namespace protean::tfserving;

std::vector<Signature> signatures() {
  std::vector<Signature> all(3);
  all[0].inputs.push_back({"inputs", DataType::kBytes, {-1}, {}});
  all[1].inputs.push_back({"a", DataType::kFp32, {-1, 2}, {}});
  all[1].inputs.push_back({"b", DataType::kBytes, {-1, -1}, {}});
  all[2].inputs.push_back({"m", DataType::kFp32, {-1, 2}, {}});
  all[2].columns = {{"a", DataType::kFp32, true}, {"b", DataType::kBytes, true}};
  for (auto& signature : all) signature.outputs.push_back({"outputs", DataType::kFp32, {-1}, {}});
  return all;
}

void check_inputs(const InferRequest& request) {
  for (const auto& input : request.inputs) PROTEAN_CHECK(check_data(input.tensor, input.name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kSignatures = signatures();
  Buffer buffer;
  buffer.append(data, size);
  const Slice body = std::move(buffer).share();
  const auto from_json = read_json_examples(body, 32);
  for (const auto& signature : kSignatures) {
    InferRequest request;
    if (bind_grpc_examples(body, signature, kRegressMethod, false, request)) check_inputs(request);
    if (!from_json) continue;
    if (bind_examples(*from_json, signature, request)) check_inputs(request);
  }
  if (!from_json) return 0;
  for (const auto& bytes : *from_json) {
    tensorflow::Example example;
    // Names of features are what the client wrote, UTF-8 or not.
    static_cast<void>(example.ParseFromString(bytes));
  }
  return 0;
}
