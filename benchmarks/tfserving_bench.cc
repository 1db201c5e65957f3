// SPDX-License-Identifier: Apache-2.0
// What JSON costs in TensorFlow Serving's protocol: one 224x224x3 image in, as many floats out, beside the way the
// original goes - RapidJSON's tree walked into floats; each float printed, read back and printed again - in turns.
// Prints JSON: seconds of each round for each case and peer, and the bytes of each text.
// Usage: tfserving_bench [rounds] [only cases whose name starts so]
#include <fmt/format.h>
#include <rapidjson/document.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "protocols/tensorflow_serving/protocol.h"

namespace {

using namespace protean;

constexpr std::int64_t kSide = 224;
constexpr std::int64_t kChannels = 3;
constexpr std::int64_t kPixels = kSide * kSide * kChannels;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "tfserving_bench: %s\n", why.c_str());
  std::exit(1);
}

std::vector<float> pixels() {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<float> all(kPixels);
  for (auto& value : all) value = uniform(random);
  return all;
}

/// `as_doubles`: as json.dumps() prints a list that NumPy made of float32: every float with the digits of a double.
std::string row_request(const std::vector<float>& values, bool as_doubles) {
  std::string text = R"({"instances": [)";
  std::size_t at = 0;
  for (std::int64_t y = 0; y < kSide; ++y) {
    text += y == 0 ? "[[" : ", [";
    for (std::int64_t x = 0; x < kSide; ++x) {
      text += x == 0 ? "[" : ", [";
      for (std::int64_t c = 0; c < kChannels; ++c, ++at) {
        if (c > 0) text += ", ";
        text += as_doubles ? fmt::format("{}", static_cast<double>(values[at])) : fmt::format("{}", values[at]);
      }
      text += "]";
    }
    text += "]";
  }
  return text + "]]}";
}

Signature image_signature() {
  Signature signature;
  signature.function = "serving_default";
  signature.inputs.push_back({"image", DataType::kFp32, {-1, kSide, kSide, kChannels}, {}});
  signature.outputs.push_back({"y", DataType::kFp32, {-1, kPixels}, {}});
  return signature;
}

RequestHead rest_head() {
  RequestHead head;
  head.dialect = Dialect::kTensorflowServing;
  head.method = "POST";
  head.path = "/v1/models/m:predict";
  head.headers.add("host", "127.0.0.1:8501");
  return head;
}

Slice padded(std::string_view text) {
  Buffer buffer;
  buffer.append(text);
  return std::move(buffer).share();
}

/// Our way in: a request that is ready to run.
Operation read_ours(const Protocol& protocol, const RequestView& view, const Signature& signature) {
  auto operation = protocol.decode(view);
  if (!operation) give_up(operation.error().message);
  auto& infer = std::get<InferRequest>(*operation);
  if (auto bound = protocol.bind(view, infer, &signature); !bound) give_up(bound.error().message);
  if (infer.inputs.at(0).tensor.data.size() != kPixels * sizeof(float)) give_up("not all floats were read");
  return *std::move(operation);
}

void fill(const rapidjson::Value& value, std::vector<float>& out) {
  if (!value.IsArray()) return out.push_back(static_cast<float>(value.GetDouble()));
  for (const auto& element : value.GetArray()) fill(element, out);
}

void read_theirs(const std::string& text) {
  rapidjson::Document document;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNanAndInfFlag | rapidjson::kParseStopWhenDoneFlag;
  document.Parse<kFlags>(text.c_str());
  std::vector<float> values;
  fill(document["instances"], values);
  if (values.size() != kPixels) give_up("the peer did not read all floats");
}

/// The rule of the original, by the C library.
std::string print_theirs(const std::vector<float>& values) {
  std::string out;
  char text[64];
  for (const float value : values) {
    int size = std::snprintf(text, sizeof text, "%.6g", static_cast<double>(value));
    if (std::strtof(text, nullptr) != value) {
      size = std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
    }
    out.append(text, static_cast<std::size_t>(size));
    out += ", ";
  }
  return out;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 21;
  TensorflowServingOptions options;
  const std::string_view only = argc > 2 ? argv[2] : "";
  const auto protocol = make_tensorflow_serving(options);
  const RequestHead head = rest_head();
  const Signature signature = image_signature();
  const auto values = pixels();
  const std::string short_text = row_request(values, false);
  const std::string long_text = row_request(values, true);
  const Slice short_body = padded(short_text);
  const Slice long_body = padded(long_text);
  const Operation operation = read_ours(*protocol, {head, short_body}, signature);
  Buffer bytes;
  bytes.append(values.data(), values.size() * sizeof(float));
  InferResult result{"m", "1", "", {}, {}};
  result.outputs.push_back({"y", {DataType::kFp32, {1, kPixels}, std::move(bytes).share()}, {}});
  std::size_t printed = 0;
  const std::map<std::string, std::function<void()>> cases = {
      {"in, short",
       [&] {
         read_ours(*protocol, {head, short_body}, signature);
       }},
      {"in, short, peer", [&] { read_theirs(short_text); }},
      {"in, long",
       [&] {
         read_ours(*protocol, {head, long_body}, signature);
       }},
      {"in, long, peer", [&] { read_theirs(long_text); }},
      {"out",
       [&] {
         const auto response = protocol->encode({head, short_body}, operation, result);
         if (!response) give_up(response.error().message);
         printed = response->body_size();
       }},
      {"out, peer", [&] { print_theirs(values); }},
  };
  std::map<std::string, std::vector<double>> taken;
  for (int round = 0; round < rounds + 2; ++round) {
    for (const auto& [name, work] : cases) {
      if (!name.starts_with(only)) continue;
      const double seconds = seconds_of(work);
      if (round >= 2) taken[name].push_back(seconds);
    }
  }
  std::printf("{\"floats\": %lld, \"short_bytes\": %zu, \"long_bytes\": %zu, \"out_bytes\": %zu, \"seconds\": {",
              static_cast<long long>(kPixels), short_text.size(), long_text.size(), printed);
  const char* comma = "";
  for (const auto& [name, all] : taken) {
    std::printf("%s\n  \"%s\": [%s]", comma, name.c_str(), fmt::format("{}", fmt::join(all, ", ")).c_str());
    comma = ",";
  }
  std::printf("}}\n");
  return 0;
}
