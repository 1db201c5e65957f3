// SPDX-License-Identifier: Apache-2.0
// Inference requests with binary tensors behind the JSON, through the protocol as the server calls it. The first two
// bytes are the value of Inference-Header-Content-Length.
#include "base/check.h"
#include "protocols/open_inference/protocol.h"

namespace {

using namespace protean;

void check_answer(const Protocol& protocol, const RequestView& view, const Operation& operation) {
  const auto& request = std::get<InferRequest>(operation);
  InferResult result{request.model, "1", request.id, {}, {}};
  for (const auto& input : request.inputs) {
    PROTEAN_CHECK(check_data(input.tensor, input.name));
    result.outputs.push_back({input.name, input.tensor, input.parameters});
  }
  const auto response = protocol.encode(view, operation, std::move(result));
  PROTEAN_CHECK(response || response.error().code == Code::kInvalidArgument);  // BYTES that are not UTF-8
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto protocol = make_open_inference();
  if (size < 2) return 0;
  RequestHead head;
  head.method = "POST";
  head.path = "/v2/models/m/infer";
  head.headers.add("inference-header-content-length", std::to_string(data[0] | data[1] << 8));
  Buffer buffer;
  buffer.append(data + 2, size - 2);
  const Slice body = std::move(buffer).share();
  const RequestView view{head, body};
  const auto operation = protocol->decode(view);
  if (operation) {
    check_answer(*protocol, view, *operation);
  } else {
    PROTEAN_CHECK(protocol->encode_error(view, operation.error()).status >= 400);
  }
  return 0;
}
