// SPDX-License-Identifier: Apache-2.0
//
// The yardstick of every serving figure: the same model in a loop around ONNX Runtime, nothing else. One thread, inputs
// made once, outputs allocated by the runtime as a user's loop would have it.
//
//   bare_onnxruntime --library libonnxruntime.so --model m.onnx --describe
//       prints {"inputs": [{"name", "datatype", "shape"}], "outputs": [...]}
//   bare_onnxruntime --library ... --model ... [--rows 1] [--seconds 2] [--values 5.1,3.5,1.4,0.2]
//       prints {"calls", "seconds", "wall_us", "cpu_us"}, the last two for one call; --values repeat to fill the inputs
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <map>
#include <sstream>
#include <stdexcept>

#include "onnx_session.h"

namespace protean::bench {
namespace {

using Options = std::map<std::string, std::string>;

Options parse_options(int argc, char** argv) {
  Options options{{"--rows", "1"}, {"--seconds", "2"}, {"--values", "0.5"}};
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--describe") {
      options[name] = "1";
    } else if (i + 1 < argc) {
      options[name] = argv[++i];
    }
  }
  if (!options.contains("--library") || !options.contains("--model")) {
    throw std::runtime_error("--library and --model are required");
  }
  return options;
}

void print_signatures(const char* label, const std::vector<TensorSignature>& tensors) {
  std::printf("\"%s\": [", label);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& tensor = tensors[i];
    std::printf("%s{\"name\": \"%s\", \"datatype\": \"%s\", \"shape\": [", i == 0 ? "" : ", ", tensor.name.c_str(),
                open_inference_datatype(tensor.type));
    for (size_t d = 0; d < tensor.shape.size(); ++d) {
      std::printf("%s%lld", d == 0 ? "" : ", ", static_cast<long long>(tensor.shape[d]));
    }
    std::printf("]}");
  }
  std::printf("]");
}

std::vector<double> parse_values(const std::string& text) {
  std::vector<double> values;
  std::istringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) values.push_back(std::stod(item));
  return values;
}

template <class T>
std::vector<char> fill(size_t count, const std::vector<double>& values) {
  std::vector<char> bytes(count * sizeof(T));
  for (size_t i = 0; i < count; ++i) {
    const T value = static_cast<T>(values[i % values.size()]);
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

std::vector<char> fill_typed(ONNXTensorElementDataType type, size_t count, const std::vector<double>& values) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return fill<float>(count, values);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE: return fill<double>(count, values);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return fill<int64_t>(count, values);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return fill<int32_t>(count, values);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return fill<uint8_t>(count, values);
    default: throw std::runtime_error("the loop fills numeric inputs only");
  }
}

/// Runs until `seconds` have passed, after a warm-up of a tenth of that; prints the mean of one call.
void run_loop(OnnxSession& session, const std::vector<Ort::Value>& inputs, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto cpu_seconds = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  };
  const auto run_for = [&](double limit) {
    long calls = 0;
    const auto start = Clock::now();
    double elapsed = 0;
    while (elapsed < limit) {
      session.run(inputs);
      ++calls;
      elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return std::pair{calls, elapsed};
  };
  run_for(seconds / 10);
  const double cpu_before = cpu_seconds();
  const auto [calls, elapsed] = run_for(seconds);
  const double cpu = cpu_seconds() - cpu_before;
  std::printf("{\"calls\": %ld, \"seconds\": %.6f, \"wall_us\": %.3f, \"cpu_us\": %.3f}\n", calls, elapsed,
              elapsed * 1e6 / static_cast<double>(calls), cpu * 1e6 / static_cast<double>(calls));
}

void run_program(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  OnnxSession session(options.at("--library"), options.at("--model"));
  if (options.contains("--describe")) {
    std::printf("{");
    print_signatures("inputs", session.inputs());
    std::printf(", ");
    print_signatures("outputs", session.outputs());
    std::printf("}\n");
    return;
  }
  const auto values = parse_values(options.at("--values"));
  std::vector<std::vector<char>> buffers;
  std::vector<Ort::Value> inputs;
  for (const auto& input : session.inputs()) {
    std::vector<int64_t> shape = input.shape;
    size_t count = 1;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] < 0) shape[d] = d == 0 ? std::stol(options.at("--rows")) : 1;
      count *= static_cast<size_t>(shape[d]);
    }
    buffers.push_back(fill_typed(input.type, count, values));
    inputs.push_back(OnnxSession::view(buffers.back().data(), buffers.back().size(), input.type, shape));
  }
  run_loop(session, inputs, std::stod(options.at("--seconds")));
}

}  // namespace
}  // namespace protean::bench

int main(int argc, char** argv) {
  try {
    protean::bench::run_program(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bare_onnxruntime: %s\n", error.what());
    return 1;
  }
}
