// SPDX-License-Identifier: Apache-2.0
// ModelInferRequest against protobuf's own parser: both read the same from what both take (keys longer than 32 bits are
// cut by one and refused by the other); and protobuf understands every answer.
#include "base/check.h"
#include "proto/open_inference.pb.h"
#include "protocols/open_inference/grpc_request.h"
#include "protocols/open_inference/grpc_response.h"

namespace {

using namespace protean;

void check_same(const InferRequest& ours, const inference::ModelInferRequest& theirs) {
  PROTEAN_CHECK(ours.model == theirs.model_name() && ours.version == theirs.model_version() && ours.id == theirs.id());
  PROTEAN_CHECK(ours.parameters.size() == theirs.parameters().size());
  PROTEAN_CHECK(ours.inputs.size() == static_cast<std::size_t>(theirs.inputs_size()));
  PROTEAN_CHECK(ours.outputs.size() == static_cast<std::size_t>(theirs.outputs_size()));
  for (int i = 0; i < theirs.inputs_size(); ++i) {
    const InferInput& input = ours.inputs[static_cast<std::size_t>(i)];
    const auto& shape = theirs.inputs(i).shape();
    PROTEAN_CHECK(input.name == theirs.inputs(i).name());
    PROTEAN_CHECK(input.tensor.shape == Shape(shape.begin(), shape.end()));
    PROTEAN_CHECK(check_data(input.tensor, input.name));
    if (theirs.raw_input_contents_size() != 0) PROTEAN_CHECK(input.tensor.data.text() == theirs.raw_input_contents(i));
    if (theirs.raw_input_contents_size() == 0 && input.tensor.type == DataType::kFp32) {
      PROTEAN_CHECK(input.tensor.data.size() == theirs.inputs(i).contents().fp32_contents_size() * sizeof(float));
    }
  }
}

void check_answer(const InferRequest& request, bool typed) {
  InferResult result{request.model, "1", request.id, request.parameters, {}};
  for (const auto& input : request.inputs) result.outputs.push_back({input.name, input.tensor, input.parameters});
  const auto response = encode_grpc_infer(result, typed);
  PROTEAN_CHECK(response);
  std::string bytes;
  for (const auto& part : response->body) bytes += part.text();
  inference::ModelInferResponse message;
  PROTEAN_CHECK(message.ParseFromString(bytes));
  PROTEAN_CHECK(message.outputs_size() == static_cast<int>(request.inputs.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Buffer buffer;
  buffer.append(data, size);
  const Slice message = std::move(buffer).share();
  const auto request = decode_grpc_infer(message, {});
  static_cast<void>(decode_grpc_index(message));
  static_cast<void>(decode_grpc_model_query(message));
  static_cast<void>(decode_grpc_repository_call(message));
  if (!request) return 0;
  inference::ModelInferRequest theirs;
  if (theirs.ParseFromArray(data, static_cast<int>(size))) check_same(*request, theirs);
  check_answer(*request, has_typed_inputs(message));
  check_answer(*request, true);
  return 0;
}
