// SPDX-License-Identifier: Apache-2.0
// Numbers and bounds; the grammar and the messages stand in tests/conformance/open_inference/*.case.
#include "protocols/open_inference/json_request.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "protocols/open_inference/half.h"
#include "protocols/open_inference/json_check.h"

namespace protean {
namespace {

Slice padded(std::string_view text) {
  Buffer buffer;
  buffer.append(text);
  return std::move(buffer).share();
}

std::string body(std::string_view type, std::string_view shape, std::string_view data) {
  return fmt::format(R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}","data":{}}}]}})", shape, type, data);
}

Result<InferRequest> decode(std::string_view text) { return decode_json_infer(padded(text), std::nullopt, {}); }

template <typename T>
std::vector<T> values(std::string_view type, std::string_view shape, std::string_view data) {
  const auto request = decode(body(type, shape, data));
  if (!request) {
    ADD_FAILURE() << request.error().message;
    return {};
  }
  const Slice& bytes = request->inputs[0].tensor.data;
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % kBufferAlignment, 0U);
  return out;
}

std::string error(std::string_view text) {
  const auto request = decode(text);
  return request ? "decoded" : request.error().message;
}

TEST(DecodeJsonInfer, KeepsIntegersExactTo64Bits) {
  EXPECT_EQ(values<std::int64_t>("INT64", "[2]", "[9223372036854775807,-9223372036854775808]"),
            (std::vector{std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}));
  EXPECT_EQ(values<std::uint64_t>("UINT64", "[2]", "[18446744073709551615,9007199254740993]"),
            (std::vector{std::numeric_limits<std::uint64_t>::max(), std::uint64_t{9007199254740993}}));
}

TEST(DecodeJsonInfer, TakesIntegralFractionsAsIntegers) {
  EXPECT_EQ(values<std::int32_t>("INT32", "[4]", "[3.0,-2e2,1E1,-0]"), (std::vector<std::int32_t>{3, -200, 10, 0}));
  EXPECT_EQ(values<std::uint8_t>("UINT8", "[2]", "[-0,255.0]"), (std::vector<std::uint8_t>{0, 255}));
}

TEST(DecodeJsonInfer, ChecksEveryIntegerTypesRange) {
  struct Row {
    const char* type;
    const char* fits;
    const char* beyond;
    const char* below;
  };
  for (const auto& row : {Row{"INT8", "[127,-128]", "128", "-129"}, Row{"UINT8", "[255,0]", "256", "-1"},
                          Row{"INT16", "[32767,-32768]", "32768", "-32769"}, Row{"UINT16", "[65535,0]", "65536", "-1"},
                          Row{"INT32", "[2147483647,-2147483648]", "2147483648", "-2147483649"},
                          Row{"UINT32", "[4294967295,0]", "4294967296", "-1"},
                          Row{"INT64", "[9223372036854775807,0]", "9223372036854775808", "-9223372036854775809"},
                          Row{"UINT64", "[18446744073709551615,0]", "18446744073709551616", "-1"}}) {
    EXPECT_TRUE(decode(body(row.type, "[2]", row.fits))) << row.type;
    for (const auto* wrong : {row.beyond, row.below, "1.5", "1e30", "\"1\"", "true", "null", "NaN"}) {
      const std::string message = error(body(row.type, "[2]", fmt::format("[0,{}]", wrong)));
      EXPECT_TRUE(
          message.starts_with(fmt::format("inputs[0] 'x': element 1 of data is {}, expected an integer from ", wrong)))
          << message;
    }
  }
}

TEST(DecodeJsonInfer, RoundsFloatsOnce) {
  // 1 + 2^-24 lies between two floats: exactly there it goes to the even one, a little above it goes up.
  EXPECT_EQ(
      values<float>("FP32", "[3]", "[1.000000059604644775390625,1.00000005960464477539062500001,1.0000001192092895]"),
      (std::vector<float>{1.0F, std::nextafter(1.0F, 2.0F), std::nextafter(1.0F, 2.0F)}));
  EXPECT_EQ(values<float>("FP32", "[3]", "[1e-45,7e-46,3.4028234663852886e38]"),
            (std::vector<float>{std::numeric_limits<float>::denorm_min(), 0.0F, std::numeric_limits<float>::max()}));
  EXPECT_EQ(values<double>("FP64", "[2]", "[0.1,5e-324]"), (std::vector<double>{0.1, 5e-324}));
  EXPECT_EQ(values<std::uint16_t>("FP16", "[3]", "[0.1,65504,NaN]"),
            (std::vector<std::uint16_t>{0x2E66, 0x7BFF, 0x7E00}));
  EXPECT_EQ(values<std::uint16_t>("BF16", "[2]", "[3.14159265,-Infinity]"),
            (std::vector<std::uint16_t>{0x4049, 0xFF80}));
}

TEST(DecodeJsonInfer, RefusesFloatsBeyondTheirRange) {
  for (const auto& [type, number] :
       {std::pair("FP32", "3.5e38"), std::pair("FP64", "1e400"), std::pair("FP16", "65520"),
        std::pair("BF16", "3.4e38"), std::pair("FP32", "-1e400")}) {
    EXPECT_EQ(
        error(body(type, "[1]", fmt::format("[{}]", number))),
        fmt::format("inputs[0] 'x': element 0 of data is {}, expected a number within the range for {}", number, type));
  }
}

TEST(DecodeJsonInfer, TakesNonFiniteNumbersByName) {
  const auto found = values<double>("FP64", "[4]", "[NaN, Infinity ,-Infinity,null]");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_TRUE(std::isnan(found[0]));
  EXPECT_EQ(found[1], std::numeric_limits<double>::infinity());
  EXPECT_EQ(found[2], -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(found[3]));
}

TEST(DecodeJsonInfer, RefusesShapesThatTheBodyCannotFill) {
  EXPECT_EQ(error(body("FP32", "[4294967296,2147483647]", "[1]")),
            "inputs[0] 'x': shape [4294967296,2147483647] has 9223372032559808512 elements, more than fit in 6 bytes "
            "of data");
  EXPECT_EQ(error(body("FP32", "[4294967296,4294967296]", "[1]")),
            "inputs[0] 'x': shape [4294967296,4294967296]: more elements than fit in 63 bits");
  EXPECT_EQ(error(body("FP32", "[1000000000]", "[]")),
            "inputs[0] 'x': shape [1000000000] has 1000000000 elements, more than fit in 5 bytes of data");
}

TEST(DecodeJsonInfer, BoundsDepthTensorsAndParameters) {
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_EQ(error(R"({"x":)" + deep + R"(,"inputs":[]})"),
            "malformed JSON at byte 68: found '[', expected at most 63 levels of nesting");
  std::string ones = "1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  EXPECT_EQ(error(body("FP32", "[" + ones + "]", "[1]")), "inputs[0] 'x'.shape: more than 64 dimensions");
  RequestLimits limits;
  limits.tensors_max = 2;
  limits.parameters_max = 1;
  const auto with = [&](std::string_view text) {
    return decode_json_infer(padded(text), std::nullopt, limits).error().message;
  };
  const std::string input = R"({"name":"x","shape":[1],"datatype":"FP32","data":[1]})";
  EXPECT_EQ(with(fmt::format(R"({{"inputs":[{0},{0},{0}]}})", input)), "more than 2 inputs");
  EXPECT_EQ(with(R"({"parameters":{"a":1,"b":2},"inputs":[]})"), "parameters: more than 1 parameters");
}

TEST(DecodeJsonInfer, WorksWithoutPaddingBehindTheText) {
  const std::string text = body("FP32", "[2]", "[1.5,2.5]");
  const auto exact = std::make_shared<std::vector<char>>(text.begin(), text.end());  // ends where the allocation ends
  const Slice slice{exact, std::as_bytes(std::span(*exact)), 0};
  EXPECT_TRUE(decode_json_infer(slice, std::nullopt, {}));
}

TEST(DecodeJsonInfer, SaysWhereEveryTruncationBreaks) {
  const std::string text =
      R"({"id":"a\n","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1.5,2e1]]}],"q":[{}]})";
  ASSERT_TRUE(decode(text));
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_TRUE(error(text.substr(0, size)).starts_with("malformed JSON at byte "))
        << size << error(text.substr(0, size));
  }
}

TEST(DecodeJsonInfer, NeverTakesWhatIsNotJson) {
  const std::string text = R"({"id":"a","inputs":[{"data":[1,2,3],"name":"x","shape":[3],"datatype":"INT8"},)"
                           R"({"name":"y","shape":[2,1],"datatype":"BYTES","data":[["a"],["b"]]}],"q":{"z":[1,null]}})";
  ASSERT_TRUE(decode(text));
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char c : std::string_view("\"\\{}[],:0a- \x01\xFF")) {
      std::string changed = text;
      changed[at] = c;
      if (check_json(changed, {64, true})) {
        EXPECT_NE(error(changed), "decoded") << changed;
      }
      EXPECT_EQ(nlohmann::json::accept(changed), !check_json(changed, {64, false})) << changed;
    }
  }
}

TEST(DecodeJsonInfer, AgreesWithAnotherParserOnRandomNumbers) {
  std::mt19937_64 random(7);
  std::string data = "[";
  for (int i = 0; i < 5000; ++i) {
    double number = 0;
    const std::uint64_t bits = random();
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) number = 0.5;
    data += fmt::format("{}{}", i == 0 ? "" : (i % 3 == 0 ? " ,\n" : ","), number);
  }
  data += "]";
  const auto expected = nlohmann::json::parse(data).get<std::vector<double>>();
  EXPECT_EQ(values<double>("FP64", "[5000]", data), expected);
}

TEST(DecodeJsonInfer, GivesUpAParserThatGrewLarge) {
  const std::string data(6 << 20, ' ');
  EXPECT_TRUE(decode(body("FP32", "[1]", "[1" + data + "]")));
  EXPECT_TRUE(decode(body("FP32", "[1]", "[2]")));
}

TEST(DecodeJsonInfer, SharesBinaryTensorsWithTheBody) {
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[2],"datatype":"INT16","parameters":{"binary_data_size":4}}]})";
  const Slice whole = padded(json + "\x01\x02\x03\x04");
  const auto request = decode_json_infer(whole, json.size(), {});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->inputs[0].tensor.data.data(), whole.data() + json.size());
  EXPECT_TRUE(request->inputs[0].parameters.empty());
}

}  // namespace
}  // namespace protean
