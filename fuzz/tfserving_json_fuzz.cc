// SPDX-License-Identifier: Apache-2.0
// Predict requests in JSON: the fast way and the exact one agree, nothing behind the text counts, and what was read can
// be written as a reply.
#include <memory>
#include <vector>

#include "base/check.h"
#include "protocols/tensorflow_serving/json_predict.h"
#include "protocols/tensorflow_serving/json_predict_fast.h"
#include "protocols/tensorflow_serving/json_response.h"

namespace {

using namespace protean;
using namespace protean::tfserving;

constexpr std::size_t kDepth = 32;

Signature signature_of(unsigned char choice) {
  Signature signature;
  const auto type = static_cast<DataType>(choice % 14);
  signature.inputs.push_back({"x", type, {-1}, {}});
  if (choice >= 128) signature.inputs.push_back({"y", DataType::kFp32, {-1}, {}});
  if (choice % 16 == 15) signature.columns.push_back({"c", DataType::kFp32, true});
  return signature;
}

bool equal(const InferRequest& a, const InferRequest& b) {
  if (a.inputs.size() != b.inputs.size()) return false;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    const auto& left = a.inputs[i];
    const auto& right = b.inputs[i];
    if (left.name != right.name || left.tensor.type != right.tensor.type) return false;
    if (left.tensor.shape != right.tensor.shape || left.tensor.data.text() != right.tensor.data.text()) return false;
  }
  return true;
}

void check_reply(const InferRequest& request, bool rows) {
  InferResult result{"m", "1", {}, {}, {}};
  for (const auto& input : request.inputs) {
    PROTEAN_CHECK(check_data(input.tensor, input.name));
    result.outputs.push_back({input.name, input.tensor, {}});
  }
  static_cast<void>(encode_json_predict(result, rows));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Signature signature = signature_of(data[0]);
  const auto exact_bytes = std::make_shared<std::vector<std::uint8_t>>(data + 1, data + size);
  const Slice bare{exact_bytes, std::as_bytes(std::span(*exact_bytes)), 0};
  Buffer buffer;
  buffer.append(data + 1, size - 1);
  const Slice padded = std::move(buffer).share();
  InferRequest exact, fast, narrow;
  static_cast<void>(find_signature_name(bare));
  const auto status = read_json_predict_exactly(bare, kDepth, &signature, exact);
  const bool taken = read_json_predict_fast(padded, kDepth, signature, fast);
  PROTEAN_CHECK(read_json_predict_fast(padded, kDepth, signature, narrow, false) == taken);
  if (taken) {
    PROTEAN_CHECK(status);
    PROTEAN_CHECK(equal(fast, exact));
    PROTEAN_CHECK(equal(narrow, exact));
  }
  if (status) check_reply(exact, has_rows(bare));
  if (!status) PROTEAN_CHECK(!status.error().message.empty());
  return 0;
}
