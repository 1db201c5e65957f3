// SPDX-License-Identifier: Apache-2.0
// JSON inference requests: whatever is decoded was valid JSON for the strict walk too, does not depend on what lies
// behind the text, and its tensors can be encoded and decoded again.
#include <memory>
#include <vector>

#include "base/check.h"
#include "protocols/open_inference/json_check.h"
#include "protocols/open_inference/json_request.h"
#include "protocols/open_inference/json_response.h"

namespace {

using namespace protean;

void check_reply(const InferRequest& request) {
  InferResult result{"m", "1", request.id, request.parameters, {}};
  for (const auto& input : request.inputs) result.outputs.push_back({input.name, input.tensor, input.parameters});
  const auto response = encode_json_infer(request, result);
  PROTEAN_CHECK(response);
  PROTEAN_CHECK(response->body.size() == 1 || response->headers.size() == 2);
  if (response->headers.size() == 1) PROTEAN_CHECK(!check_json(response->body[0].text(), {64, false}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Memory of exactly this size: reading behind it is seen.
  const auto exact = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  const Slice bare{exact, std::as_bytes(std::span(*exact)), 0};
  Buffer buffer;
  buffer.append(data, size);
  const Slice padded = std::move(buffer).share();
  const auto first = decode_json_infer(bare, std::nullopt, {});
  const auto second = decode_json_infer(padded, std::nullopt, {});
  PROTEAN_CHECK(first.has_value() == second.has_value());
  if (!first) {
    PROTEAN_CHECK(first.error().message == second.error().message && !first.error().message.empty());
    return 0;
  }
  PROTEAN_CHECK(!check_json(bare.text(), {64, true}));
  for (const auto& input : first->inputs) PROTEAN_CHECK(check_data(input.tensor, input.name));
  check_reply(*first);
  return 0;
}
