// SPDX-License-Identifier: Apache-2.0
// The JSON's own slices go between the few bytes that make an event of it.
#include "protocols/open_inference/event_stream.h"

#include <fmt/format.h>

#include <utility>

namespace protean {
namespace {

bool asks_for_binary(const Parameters& parameters, std::string_view name) noexcept {
  const Parameter* value = find_parameter(parameters, name);
  const bool* truth = value == nullptr ? nullptr : std::get_if<bool>(value);
  return truth != nullptr && *truth;
}

}  // namespace

Response as_event(Response json, std::string_view event) {
  Response response;
  response.status = json.status;
  response.headers = {{"content-type", "text/event-stream; charset=utf-8"}, {"cache-control", "no-store"}};
  response.body.reserve(json.body.size() + 2);
  response.body.push_back(event.empty() ? Slice::of_static("data: ")
                                        : Slice::of(fmt::format("event: {}\ndata: ", event)));
  for (auto& part : json.body) response.body.push_back(std::move(part));
  response.body.push_back(Slice::of_static("\n\n"));
  return response;
}

Status refuse_binary_outputs(const InferRequest& request) {
  bool binary = asks_for_binary(request.parameters, "binary_data_output");
  for (const auto& output : request.outputs) binary = binary || asks_for_binary(output.parameters, "binary_data");
  if (!binary) return {};
  return fail(Code::kInvalidArgument,
              "binary outputs, expected outputs as JSON: infer_stream answers with events of text");
}

}  // namespace protean
