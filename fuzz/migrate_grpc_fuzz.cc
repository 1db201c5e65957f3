// SPDX-License-Identifier: Apache-2.0
// Two gRPC answers of TensorFlow Serving, and a request, as bytes: the first byte chooses the method, the second where
// the bytes are cut in two. Comparing, naming and describing never crash, and an answer equals itself.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "migrate/dialect.h"

namespace {

using namespace protean;
using namespace protean::migrate;

constexpr std::array<std::string_view, 8> kPaths = {
    "/tensorflow.serving.PredictionService/Predict",
    "/tensorflow.serving.PredictionService/Classify",
    "/tensorflow.serving.PredictionService/Regress",
    "/tensorflow.serving.PredictionService/MultiInference",
    "/tensorflow.serving.PredictionService/GetModelMetadata",
    "/tensorflow.serving.ModelService/GetModelStatus",
    "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
    "/grpc.health.v1.Health/Check",
};

Answer answer_of(std::string_view bytes) {
  Answer answer;
  answer.status = 200;
  answer.grpc_status = 0;
  answer.body = Slice::of(std::string(bytes));
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const auto kDialect = make_tfserving_dialect();
  RequestHead head;
  head.wire = Wire::kGrpc;
  head.path = kPaths[data[0] % kPaths.size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t cut = bytes.size() * data[1] / 255;
  const Answer from = answer_of(bytes.substr(0, cut));
  const Answer to = answer_of(bytes.substr(cut));
  Comparison comparison;
  kDialect->compare(comparison, head, from, to, 1e-5);
  Comparison same;
  kDialect->compare(same, head, from, from, 1e-5);
  PROTEAN_CHECK(same.verdict() == Verdict::kEqual);
  PROTEAN_CHECK(!kDialect->name_call(head, from.body).method.empty());
  PROTEAN_CHECK(kDialect->describe(head, from.body, 256).size() < 300);
  return 0;
}
