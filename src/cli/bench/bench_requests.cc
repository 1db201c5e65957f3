// SPDX-License-Identifier: Apache-2.0
// From tensors to bodies to complete requests.
#include "cli/bench/bench_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "core/example_request.h"
#include "core/generated_input.h"
#include "protocols/open_inference/client_request.h"
#include "protocols/open_inference/json_request.h"

namespace protean {
namespace {

/// Different generated requests, within this many bytes in all.
constexpr std::size_t kVariantsMax = 16;
constexpr std::size_t kVariantBytesMax = std::size_t{64} << 20;
constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;
constexpr std::size_t kProbesMax = 64;

bool has_free_rows(const TensorSpec& input) { return input.any_rank || (!input.shape.empty() && input.shape[0] < 0); }

/// What the first dimension of its inputs says, where the model leaves that open.
std::uint64_t rows_of(const Signature& signature, const InferRequest& request) {
  for (const auto& input : request.inputs) {
    const auto spec = std::ranges::find(signature.inputs, input.name, &TensorSpec::name);
    if (spec == signature.inputs.end() || !has_free_rows(*spec) || input.tensor.shape.empty()) continue;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(1, input.tensor.shape[0]));
  }
  return 1;
}

Result<InferRequest> generated(const BenchTarget& target, std::uint64_t rows, std::uint64_t seed) {
  GeneratedShape shape;
  shape.rows = static_cast<std::int64_t>(rows);
  shape.seed = seed;
  TRY(auto tensors, generate_inputs(*target.signature, shape));
  InferRequest request;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& spec = target.signature->inputs[i];
    if (!left_out_of_example(*target.signature, spec)) request.inputs.push_back({spec.name, std::move(tensors[i]), {}});
  }
  return request;
}

std::size_t data_bytes(const InferRequest& request) {
  std::size_t bytes = 0;
  for (const auto& input : request.inputs) bytes += input.tensor.data.size();
  return bytes;
}

Result<std::vector<InferRequest>> generate_all(const BenchTarget& target, const BenchOptions& options) {
  const auto& inputs = target.signature->inputs;
  if (options.rows > 1 && !inputs.empty() && std::ranges::none_of(inputs, has_free_rows)) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("flag --rows: found {}, but model {} takes one size only: input '{}' has shape {}", options.rows,
                    printable(target.model), printable(inputs[0].name), format_shape(inputs[0].shape)));
  }
  std::vector<InferRequest> requests;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kVariantsMax && (i == 0 || bytes < kVariantBytesMax); ++i) {
    TRY(auto request, generated(target, options.rows, options.seed + i));
    bytes += data_bytes(request);
    requests.push_back(std::move(request));
  }
  return requests;
}

Result<InferRequest> read_recorded(const std::filesystem::path& file) {
  const std::string name = printable(file.string(), 500);
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const auto size = in ? static_cast<std::int64_t>(in.tellg()) : -1;
  std::error_code error;
  if (size < 0 || !std::filesystem::is_regular_file(file, error)) {
    return fail(Code::kNotFound, fmt::format("flag --input: {}: cannot be read", name));
  }
  if (static_cast<std::uint64_t>(size) > kFileBytesMax) {
    return fail(Code::kInvalidArgument,
                fmt::format("flag --input: {}: {} bytes, expected at most {}", name, size, kFileBytesMax));
  }
  Buffer bytes(static_cast<std::size_t>(size));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), size);
  if (!in) return fail(Code::kUnavailable, fmt::format("flag --input: {}: cannot be read", name));
  auto request = decode_json_infer(std::move(bytes).share(), std::nullopt, {});
  if (!request) {
    return fail(Code::kInvalidArgument, fmt::format("flag --input: {}: {}", name, request.error().message));
  }
  return request;
}

std::uint64_t element_total(const InferRequest& request) {
  std::uint64_t total = 0;
  for (const auto& input : request.inputs) total += element_count(input.tensor.shape).value_or(0);
  return total;
}

Result<ClientRequest> encode_http(const BenchTarget& target, const InferRequest& request, BodyForm form,
                                  Duration deadline) {
  ClientInferBody body;
  if (form == BodyForm::kBinary) {
    body = write_binary_infer(request);
  } else {
    TRY(body, write_json_infer(request));
  }
  const std::string path = model_path(target.model, target.version) + "/infer";
  RequestLine line{"POST", target.authority, path, {}};
  line.fields.emplace_back("content-type", body.json_bytes == 0 ? "application/json" : "application/octet-stream");
  if (body.json_bytes != 0) {
    line.fields.emplace_back("inference-header-content-length", fmt::format("{}", body.json_bytes));
  }
  if (deadline != Duration::zero()) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(deadline).count();
    line.fields.emplace_back("x-request-timeout-ms", fmt::format("{}", ms));
  }
  return make_http_request(line, std::move(body.body));
}

Result<ClientRequest> encode(const BenchTarget& target, const InferRequest& request, BodyForm form,
                             const BenchOptions& options) {
  if (!options.grpc) return encode_http(target, request, form, options.deadline);
  TRY(const Slice message, write_grpc_infer(request));
  const Duration timeout = options.deadline == Duration::zero() ? options.timeout : options.deadline;
  return make_grpc_request(target.authority, kGrpcInferPath, message, timeout);
}

}  // namespace

Result<BenchRequests> make_bench_requests(const BenchTarget& target, const BenchOptions& options) {
  std::vector<InferRequest> all;
  if (options.inputs.empty()) {
    TRY(all, generate_all(target, options));
  }
  for (const auto& file : options.inputs) {
    TRY(auto request, read_recorded(file));
    all.push_back(std::move(request));
  }
  BenchRequests made;
  made.form = options.body;
  if (made.form == BodyForm::kAuto) {
    const bool large = element_total(all.front()) > kExampleElementsMax;
    made.form = large || options.grpc ? BodyForm::kBinary : BodyForm::kJson;
  }
  made.rows = rows_of(*target.signature, all.front());
  for (auto& request : all) {
    request.model = target.model;
    request.version = target.version;
    TRY(auto encoded, encode(target, request, made.form, options));
    if (made.requests.empty()) made.body_bytes = encoded.body.size();
    made.requests.push_back(
        {std::make_shared<const ClientRequest>(std::move(encoded)), rows_of(*target.signature, request)});
  }
  return made;
}

Status probe_requests(const BenchTarget& target, const BenchRequests& requests, const BenchOptions& options) {
  const std::size_t count = options.inputs.empty() ? 1 : std::min(kProbesMax, requests.requests.size());
  for (std::size_t i = 0; i < count; ++i) {
    auto reply = send_once(target.address, options.grpc, requests.requests[i].request, options.timeout);
    const std::string which = options.inputs.empty() ? "the first request" : printable(options.inputs[i].string(), 500);
    if (!reply) return fail(reply.error().code, fmt::format("{}: {}", which, printable(reply.error().message, 500)));
    if (failure_label(*reply, options.grpc).empty()) continue;
    return fail(Code::kFailedPrecondition,
                fmt::format("{}: {}", which, printable(failure_text(*reply, options.grpc), 1000)));
  }
  return {};
}

}  // namespace protean
