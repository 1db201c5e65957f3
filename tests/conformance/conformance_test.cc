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

namespace protean::conformance {
namespace {

std::unique_ptr<Protocol> make_protocol(const std::string& name) {
  if (name == "grpc_standard") return make_grpc_standard();
  if (name == "admin") return make_admin();
  OpenInferenceOptions options;
  options.server_version = "1.2.3";
  return make_open_inference(std::move(options));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto* protocol : {"open_inference", "grpc_standard", "admin"}) {
    auto found = read_cases(std::string(PROTEAN_SOURCE_DIR) + "/tests/conformance/" + protocol);
    std::ranges::move(found, std::back_inserter(cases));
  }
  return cases;
}

class Conformance : public testing::TestWithParam<Case> {};

TEST_P(Conformance, HoldsOnTheWire) {
  const Case& one = GetParam();
  SCOPED_TRACE(one.file + ": " + one.title);
  const auto protocol = make_protocol(one.protocol);
  const CaseRequest request = parse_request(one.sections[0]);
  EXPECT_TRUE(protocol->claims(request.head));
  const RequestView view{request.head, request.body};
  const auto operation = protocol->decode(view);
  if (!operation) {
    EXPECT_EQ(format_response(request.head, protocol->encode_error(view, operation.error())), one.sections[1]);
    EXPECT_EQ(one.sections.size(), 2U);
    return;
  }
  if (const auto* immediate = std::get_if<Immediate>(&*operation)) {
    EXPECT_EQ(format_response(request.head, immediate->response), one.sections[1]);
    return;
  }
  EXPECT_EQ(format_operation(*operation), one.sections[1]);
  if (one.sections.size() < 4) return;
  auto outcome = parse_outcome(one.sections[2]);
  const auto* error = std::get_if<Error>(&outcome);
  Result<Response> response = error != nullptr
                                  ? protocol->encode_error(view, *error)
                                  : protocol->encode(view, *operation, std::get<Outcome>(std::move(outcome)));
  if (!response) response = protocol->encode_error(view, response.error());
  EXPECT_EQ(format_response(request.head, *response), one.sections[3]);
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
