// SPDX-License-Identifier: Apache-2.0
// The fast way and the exact one agree, and the fast one is the way that usual bodies take.
#include "protocols/tensorflow_serving/json_predict.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

#include "protocols/tensorflow_serving/json_predict_fast.h"

namespace protean::tfserving {
namespace {

constexpr std::size_t kDepth = 64;

Slice body_of(std::string_view text) {
  Buffer buffer;
  buffer.append(text);
  return std::move(buffer).share();
}

Signature signature_of(std::vector<std::pair<std::string, DataType>> inputs) {
  Signature signature;
  for (auto& [name, type] : inputs) signature.inputs.push_back({name, type, {-1}, {}});
  return signature;
}

std::string shown(const InferRequest& request) {
  std::string out;
  for (const auto& input : request.inputs) {
    out += fmt::format("{} {} {} {}\n", input.name, data_type_name(input.tensor.type), format_shape(input.tensor.shape),
                       input.tensor.data.text());
  }
  return out;
}

/// Whether the fast way took the body; both must agree then.
bool is_fast(std::string_view text, const Signature& signature) {
  InferRequest fast, narrow, exact;
  const Slice body = body_of(text);
  const bool taken = read_json_predict_fast(body, kDepth, signature, fast);
  EXPECT_EQ(read_json_predict_fast(body, kDepth, signature, narrow, false), taken) << text;
  if (!taken) return false;
  EXPECT_EQ(shown(fast), shown(narrow)) << text;
  const auto status = read_json_predict_exactly(body, kDepth, &signature, exact);
  EXPECT_TRUE(status) << text << ": " << status.error().message;
  EXPECT_EQ(shown(fast), shown(exact)) << text;
  return true;
}

TEST(JsonPredict, TakesUsualBodiesTheFastWay) {
  const Signature floats = signature_of({{"x", DataType::kFp32}});
  const Signature texts = signature_of({{"x", DataType::kBytes}});
  const Signature two = signature_of({{"a", DataType::kFp64}, {"b", DataType::kInt64}});
  EXPECT_TRUE(is_fast(R"({"instances": [[1.0, 2.5], [-3e-5, 0.1]]})", floats));
  EXPECT_TRUE(is_fast(R"({"signature_name": "serving_default", "inputs": [[[1], [2]], [[3], [4]]]})", floats));
  EXPECT_TRUE(is_fast("{\n \"inputs\" : {\n \"x\" : [ 1 ,\t2 ] } }", floats));
  EXPECT_TRUE(is_fast(R"({"inputs": 7})", floats));
  EXPECT_TRUE(is_fast(R"({"instances": [{"b64": "AAEC/w=="}, "text"]})", texts));
  EXPECT_TRUE(is_fast(R"({"instances": [{"a": [1, 2.5], "b": 9007199254740993}, {"b": -1, "a": [0, 0]}]})", two));
  EXPECT_TRUE(is_fast(R"({"inputs": {"b": [[1]], "a": 0.30000000000000004}})", two));
  EXPECT_TRUE(is_fast(R"({"inputs": [true, false]})", signature_of({{"x", DataType::kBool}})));
  EXPECT_TRUE(is_fast(R"({"inputs": [300, -1]})", signature_of({{"x", DataType::kUint8}})));
}

TEST(JsonPredict, LeavesWhatIsUnusualToTheExactWay) {
  const Signature floats = signature_of({{"x", DataType::kFp32}});
  for (const std::string_view text :
       {R"({"instances": [NaN]})", R"({"instances": [[1], [1, 2]]})",
        R"({"instances": [1]} )"
        "\x01"
        R"({)",
        R"({"instances": []})", R"({"instances": [1], "inputs": [1]})", R"({"instances": [1)", R"({"instances": [01]})",
        R"({"instances": [1.]})", R"({"instances": [1e400]})", R"({"instances": ["1"]})",
        R"({"instances": [[1], 2]})"}) {
    static_cast<void>(is_fast(text, floats));
  }
  EXPECT_FALSE(is_fast(R"({"instances": [[1], [1, 2]]})", floats));
  EXPECT_FALSE(is_fast(R"({"instances": [1)", floats));
  EXPECT_FALSE(is_fast(R"({"instances": [01]})", floats));
}

/// Numbers as programs print them, and texts that are nearly numbers.
std::string random_number(std::mt19937_64& random) {
  const std::uint64_t bits = random();
  switch (bits % 7) {
    case 0: return fmt::format("{}", static_cast<std::int64_t>(bits));
    case 1: return fmt::format("{}", bits >> 40);
    case 2: return fmt::format("{}", std::ldexp(static_cast<double>(bits >> 11), -53));
    case 3: return fmt::format("{:.6g}", std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    case 4: return fmt::format("{}", static_cast<double>(bits % 100'000) / 1000);
    case 5: return fmt::format("{:.25f}", static_cast<double>(bits % 100'000) / 7000);
    default: return fmt::format("{:e}", std::bit_cast<double>(bits));
  }
}

TEST(JsonPredict, ReadsNumbersCorrectlyRounded) {
  const Signature doubles = signature_of({{"x", DataType::kFp64}});
  std::mt19937_64 random(3);
  for (int i = 0; i < 100'000; ++i) {
    const std::string number = random_number(random);
    const double expected = std::strtod(number.c_str(), nullptr);
    if (!std::isfinite(expected)) continue;
    InferRequest request;
    const Slice body = body_of(fmt::format("{{\"inputs\":[{}]}}", number));
    const auto status = read_json_predict(body, kDepth, &doubles, request);
    ASSERT_TRUE(status) << number << ": " << status.error().message;
    double found = 0;
    std::memcpy(&found, request.inputs[0].tensor.data.data(), sizeof found);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(found), std::bit_cast<std::uint64_t>(expected)) << number;
  }
}

/// Reads `numbers` as one list of lists of three and compares each with the C library's double, cast.
void expect_floats(const std::vector<std::string>& numbers) {
  const Signature floats = signature_of({{"x", DataType::kFp32}});
  std::string text;
  for (std::size_t i = 0; i < numbers.size(); ++i) text += (i == 0 ? "" : i % 3 == 0 ? ", " : ",") + numbers[i];
  const Slice body = body_of("{\"inputs\": [" + text + "]}");
  InferRequest request, narrow;
  ASSERT_TRUE(read_json_predict_fast(body, kDepth, floats, request));
  ASSERT_TRUE(read_json_predict_fast(body, kDepth, floats, narrow, false));
  ASSERT_EQ(request.inputs[0].tensor.data.text(), narrow.inputs[0].tensor.data.text());
  const auto* const data = request.inputs[0].tensor.data.data();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    float found = 0;
    std::memcpy(&found, data + i * sizeof found, sizeof found);
    const auto expected = static_cast<float>(std::strtod(numbers[i].c_str(), nullptr));
    ASSERT_EQ(std::bit_cast<std::uint32_t>(found), std::bit_cast<std::uint32_t>(expected)) << numbers[i];
  }
}

TEST(JsonPredict, ReadsFloatsAsDoublesThatAreCast) {
  std::mt19937_64 random(7);
  std::vector<std::string> numbers;
  while (numbers.size() < 200'000) {
    const std::string number = random_number(random);  // those with exponents beyond 300 are for the exact way
    const double value = std::strtod(number.c_str(), nullptr);
    if (value == 0 || (std::fabs(value) > 1e-280 && std::fabs(value) < 3e38)) numbers.push_back(number);
  }
  expect_floats(numbers);
}

/// Half way between two floats, and one unit of the last digit from there.
TEST(JsonPredict, ReadsFloatsNextToABoundaryAsDoublesThatAreCast) {
  std::mt19937_64 random(8);
  std::vector<std::string> numbers;
  for (int i = 0; i < 20'000; ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(
        std::ldexp(static_cast<float>(1U << 23 | (random() >> 41)), -static_cast<int>(random() % 40))));
    const std::uint64_t middle = bits | std::uint64_t{1} << 28;
    for (int places = -12; places <= 12; ++places) {
      const auto near = std::bit_cast<double>(middle + static_cast<std::uint64_t>(places));
      numbers.push_back(fmt::format("{}{:.{}f}", i % 2 == 0 ? "-" : "", near, 10 + random() % 9));
    }
  }
  expect_floats(numbers);
}

TEST(JsonPredict, AgreesWithItselfOnBodiesWithFaults) {
  const std::vector<Signature> signatures = {
      signature_of({{"x", DataType::kFp32}}), signature_of({{"x", DataType::kInt32}}),
      signature_of({{"x", DataType::kBytes}}), signature_of({{"x", DataType::kFp64}, {"y", DataType::kInt8}})};
  const std::vector<std::string> bodies = {
      R"({"instances": [[1.5, 2], [3, 4e1]]})", R"({"instances": [{"x": 1, "y": 2}, {"y": 3, "x": 4}]})",
      R"({"signature_name": "s", "inputs": {"x": [[1], [2]], "y": [3]}})", R"({"instances": ["a", {"b64": "YWI="}]})"};
  const std::string_view marks = "[]{},:\"0123456789.-eE+ \\nxyb64NaN";
  std::mt19937 random(4);
  for (int i = 0; i < 100'000; ++i) {
    std::string text = bodies[random() % bodies.size()];
    for (std::size_t n = random() % 4; n > 0; --n) {
      const std::size_t at = random() % text.size();
      random() % 2 == 0 ? text.replace(at, random() % 2, 1, marks[random() % marks.size()]) : text.erase(at, 1);
    }
    static_cast<void>(is_fast(text, signatures[random() % signatures.size()]));
  }
}

TEST(JsonPredict, RefusesDeepListsThatWouldTakeLong) {
  std::string wide = "NaN";
  for (int i = 0; i < 10'000; ++i) wide += ",[1]";
  const std::string body = "{\"inputs\":" + std::string(40, '[') + wide + std::string(40, ']') + "}";
  const Signature floats = signature_of({{"x", DataType::kFp32}});
  InferRequest request;
  const auto status = read_json_predict(body_of(body), kDepth, &floats, request);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message.substr(0, 46), "Encountered list at unexpected level: 12 expec");
}

TEST(JsonPredict, FindsTheSignatureNameWhereverItStands) {
  EXPECT_EQ(find_signature_name(body_of(R"({"instances": [1, {"signature_name": "a"}], "signature_name": "b"})")), "b");
  EXPECT_EQ(find_signature_name(body_of(R"({"signature\u005fname": "b"})")), "b");
  EXPECT_EQ(find_signature_name(body_of(R"({"x_y": "signature_name"})")), "");
  EXPECT_EQ(find_signature_name(body_of(R"({"signature_name": 1)")), "");
  EXPECT_EQ(find_signature_name(body_of("")), "");
  EXPECT_EQ(find_signature_name(body_of("{\"_\\")), "");
}

}  // namespace
}  // namespace protean::tfserving
