// SPDX-License-Identifier: Apache-2.0
// One test for each case of each *.case file: decode the request, compare; encode the outcome, compare.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <ostream>

#include "conformance/case_file.h"
#include "conformance/case_text.h"
#include "protocols/admin/protocol.h"
#include "protocols/grpc_standard/protocol.h"
#include "protocols/open_inference/protocol.h"
#include "protocols/tensorflow_serving/protocol.h"

namespace protean::conformance {
namespace {

std::unique_ptr<Protocol> make_tensorflow_serving_for(const std::string& settings) {
  TensorflowServingOptions options;
  options.cors = settings == "cors";
  options.tensor_content = settings == "tensor content";
  options.check_method_names = settings == "method names";
  if (settings == "not found") return make_tensorflow_serving_not_found();
  if (settings != "metrics") return make_tensorflow_serving(std::move(options));
  options.metrics_path = kTensorflowServingMetricsPath;
  return make_tensorflow_serving(std::move(options), make_tensorflow_serving_metrics());
}

std::unique_ptr<Protocol> make_protocol(const Case& one) {
  const std::string& name = one.protocol;
  if (name == "tensorflow_serving") return make_tensorflow_serving_for(one.settings);
  if (name == "grpc_standard") return make_grpc_standard();
  if (name == "admin") return make_admin();
  OpenInferenceOptions options;
  options.server_version = "1.2.3";
  return make_open_inference(std::move(options));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto* protocol : {"open_inference", "tensorflow_serving", "grpc_standard", "admin"}) {
    auto found = read_cases(std::string(PROTEAN_SOURCE_DIR) + "/tests/conformance/" + protocol);
    std::ranges::move(found, std::back_inserter(cases));
  }
  return cases;
}

/// What the request path does once it knows the function of each inference.
Status bind_all(const Protocol& protocol, const RequestView& view, Operation& operation, const std::string& section) {
  const auto signature = parse_signature(section);
  if (auto* infer = inference_of(operation)) return protocol.bind(view, *infer, signature.get());
  if (auto* many = std::get_if<InferManyRequest>(&operation)) {
    for (auto& infer : many->requests) TRY_STATUS(protocol.bind(view, infer, signature.get()));
  }
  return {};
}

/// Files of cases cannot hold the newlines at a section's end.
std::string shown(const RequestHead& head, const Response& response) {
  std::string text = format_response(head, response);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

class Conformance : public testing::TestWithParam<Case> {};

TEST_P(Conformance, HoldsOnTheWire) {
  const Case& one = GetParam();
  SCOPED_TRACE(one.file + ": " + one.title);
  const auto protocol = make_protocol(one);
  CaseRequest request = parse_request(one.sections[0]);
  const bool own_listener = one.protocol == "tensorflow_serving" && one.settings != "default listener";
  if (own_listener) request.head.dialect = Dialect::kTensorflowServing;
  EXPECT_TRUE(protocol->claims(request.head));
  const RequestView view{request.head, request.body};
  auto operation = protocol->decode(view);
  if (!operation) {
    EXPECT_EQ(shown(request.head, protocol->encode_error(view, operation.error())), one.sections[1]);
    EXPECT_EQ(one.sections.size(), 2U);
    return;
  }
  if (const auto* immediate = std::get_if<Immediate>(&*operation)) {
    EXPECT_EQ(shown(request.head, immediate->response), one.sections[1]);
    return;
  }
  const auto bound = one.signature ? bind_all(*protocol, view, *operation, *one.signature) : Status();
  if (!bound) {
    EXPECT_EQ(shown(request.head, protocol->encode_failure(view, *operation, bound.error())), one.sections[1]);
    return;
  }
  EXPECT_EQ(format_operation(*operation), one.sections[1]);
  if (one.sections.size() < 4) return;
  auto outcome = parse_outcome(one.sections[2]);
  const auto* error = std::get_if<Error>(&outcome);
  Result<Response> response = error != nullptr
                                  ? protocol->encode_failure(view, *operation, *error)
                                  : protocol->encode(view, *operation, std::get<Outcome>(std::move(outcome)));
  if (!response) response = protocol->encode_failure(view, *operation, response.error());
  EXPECT_EQ(shown(request.head, *response), one.sections[3]);
}

std::string test_name(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.protocol + "_" + info.param.title + "_" + std::to_string(info.index);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, Conformance, testing::ValuesIn(all_cases()), test_name);

}  // namespace
}  // namespace protean::conformance
