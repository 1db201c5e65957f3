// SPDX-License-Identifier: Apache-2.0
// What one request costs in the Open Inference Protocol alone: decoding a small and a large request and encoding the
// answers, without sockets and models. Built with the main build only: protocols_bench --benchmark_filter=...
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>
#include <stdexcept>

#include "protocols/open_inference/protocol.h"

namespace {

using namespace protean;

constexpr std::int64_t kPixels = 3 * 224 * 224;

Slice padded(std::string_view text) {
  Buffer buffer;
  buffer.append(text);
  return std::move(buffer).share();
}

Slice floats(std::int64_t count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-3, 3);
  Buffer buffer;
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = uniform(random);
    buffer.append(&value, sizeof value);
  }
  return std::move(buffer).share();
}

std::string json_request(std::int64_t count) {
  const Slice data = floats(count);
  std::string text = fmt::format(R"({{"inputs":[{{"name":"x","shape":[1,{}],"datatype":"FP32","data":[)", count);
  for (std::int64_t i = 0; i < count; ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ",", reinterpret_cast<const float*>(data.data())[i]);
  }
  return text + "]}]}";
}

RequestHead rest_head() {
  RequestHead head;
  head.method = "POST";
  head.path = "/v2/models/iris/infer";
  head.headers.add("host", "127.0.0.1:8080");
  head.headers.add("content-type", "application/json");
  return head;
}

InferResult result_of(std::int64_t count) {
  InferResult result{"iris", "1", "", {}, {}};
  const std::int64_t label = 0;
  Buffer label_bytes;
  label_bytes.append(&label, sizeof label);
  result.outputs.push_back({"label", {DataType::kInt64, {1}, std::move(label_bytes).share()}, {}});
  result.outputs.push_back({"probabilities", {DataType::kFp32, {1, count}, floats(count)}, {}});
  return result;
}

Operation decode(const Protocol& protocol, const RequestView& view) {
  auto operation = protocol.decode(view);
  if (!operation) throw std::runtime_error(operation.error().message);
  return *std::move(operation);
}

void json_round(benchmark::State& state) {
  const auto protocol = make_open_inference();
  const RequestHead head = rest_head();
  const Slice body = padded(json_request(4));
  const RequestView view{head, body};
  const InferResult result = result_of(3);
  for (auto _ : state) {
    const Operation operation = decode(*protocol, view);
    benchmark::DoNotOptimize(protocol->encode(view, operation, result));
  }
}
BENCHMARK(json_round);

void json_decode(benchmark::State& state) {
  const auto protocol = make_open_inference();
  const RequestHead head = rest_head();
  const Slice body = padded(json_request(state.range(0)));
  const RequestView view{head, body};
  for (auto _ : state) benchmark::DoNotOptimize(decode(*protocol, view));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(json_decode)->Arg(4)->Arg(1000)->Arg(kPixels);

void json_encode(benchmark::State& state) {
  const auto protocol = make_open_inference();
  const RequestHead head = rest_head();
  const Slice body = padded(json_request(4));
  const RequestView view{head, body};
  const Operation operation = decode(*protocol, view);
  const InferResult result = result_of(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(protocol->encode(view, operation, result));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(json_encode)->Arg(3)->Arg(1000)->Arg(kPixels);

/// ModelInferRequest with one FP32 input of kPixels or 4 elements, raw.
std::string grpc_request(std::int64_t count) {
  const auto varint = [](std::uint64_t value) {
    std::string out;
    for (; value >= 128; value >>= 7) out += static_cast<char>((value & 127) | 128);
    return out + static_cast<char>(value);
  };
  const std::string shape = "\x01" + varint(static_cast<std::uint64_t>(count));
  const std::string input = std::string("\x0a\x01x\x12\x04") + "FP32" + "\x1a" + varint(shape.size()) + shape;
  const Slice data = floats(count);
  return std::string("\x0a\x04iris") + "\x2a" + varint(input.size()) + input + "\x3a" + varint(data.size()) +
         std::string(data.text());
}

void grpc_round(benchmark::State& state) {
  const auto protocol = make_open_inference();
  RequestHead head;
  head.wire = Wire::kGrpc;
  head.method = "POST";
  head.path = "/inference.GRPCInferenceService/ModelInfer";
  const Slice body = padded(grpc_request(state.range(0)));
  const RequestView view{head, body};
  const InferResult result = result_of(3);
  for (auto _ : state) {
    const Operation operation = decode(*protocol, view);
    benchmark::DoNotOptimize(protocol->encode(view, operation, result));
  }
}
BENCHMARK(grpc_round)->Arg(4)->Arg(kPixels);

}  // namespace

BENCHMARK_MAIN();
