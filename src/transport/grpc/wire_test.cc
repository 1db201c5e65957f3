// SPDX-License-Identifier: Apache-2.0
// Expected values: PROTOCOL-HTTP2.md of the gRPC project, and arithmetic by hand.
#include "transport/grpc/wire.h"

#include <gtest/gtest.h>

#include <cstring>

namespace protean::grpc {
namespace {

Slice bytes_of(std::string text) { return Slice::of(std::move(text)); }

TEST(GrpcContentType, TellsDialectsApart) {
  using enum ContentType;
  EXPECT_EQ(classify_content_type("application/grpc"), kGrpc);
  EXPECT_EQ(classify_content_type("Application/GRPC"), kGrpc);
  EXPECT_EQ(classify_content_type("application/grpc+proto"), kGrpc);
  EXPECT_EQ(classify_content_type("application/grpc ; a=b"), kGrpc);
  EXPECT_EQ(classify_content_type("application/grpc+json"), kUnsupported);
  EXPECT_EQ(classify_content_type("application/grpc-web"), kUnsupported);
  EXPECT_EQ(classify_content_type("application/grpc-web-text+proto"), kUnsupported);
  EXPECT_EQ(classify_content_type("application/grpcx"), kOther);
  EXPECT_EQ(classify_content_type("application/json"), kOther);
  EXPECT_EQ(classify_content_type(""), kOther);
}

TEST(GrpcTimeout, KnowsAllUnits) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_timeout("2H").value(), 2h);
  EXPECT_EQ(parse_timeout("3M").value(), 3min);
  EXPECT_EQ(parse_timeout("4S").value(), 4s);
  EXPECT_EQ(parse_timeout("5m").value(), 5ms);
  EXPECT_EQ(parse_timeout("6u").value(), 6us);
  EXPECT_EQ(parse_timeout("99999999n").value(), 99'999'999ns);
}

TEST(GrpcTimeout, DoesNotOverflow) {
  const Duration longest = parse_timeout("99999999H").value();
  EXPECT_GT(longest, std::chrono::hours(24 * 365));
  EXPECT_LT(TimePoint(std::chrono::hours(24 * 365 * 100)) + longest, kNever);
}

TEST(GrpcTimeout, RefusesWhatTheGrammarDoesNotHave) {
  for (const char* text : {"", "S", "5", "5s", "5 S", " 5S", "-5S", "5.0S", "0x5S", "123456789S"}) {
    EXPECT_FALSE(parse_timeout(text)) << text;
  }
}

TEST(GrpcPrefix, IsAFlagAndABigEndianLength) {
  const auto bytes = encode_prefix({true, 0x01020304});
  const std::array<std::byte, 5> expected = {std::byte{1}, std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  EXPECT_EQ(bytes, expected);
  const auto prefix = decode_prefix(expected);
  ASSERT_TRUE(prefix);
  EXPECT_TRUE(prefix->compressed);
  EXPECT_EQ(prefix->length, 0x01020304U);
  const std::array<std::byte, 5> reserved = {std::byte{2}};
  EXPECT_FALSE(decode_prefix(reserved));
}

TEST(GrpcUnaryBody, IsUsedWhereItLies) {
  MemoryBudget memory(1 << 20);
  const Slice body = bytes_of(std::string("\0\0\0\0\3abc", 8));
  const auto message = unpack_unary({std::nullopt, 100, &memory}, body);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->data(), body.data() + kPrefixBytes);
  EXPECT_EQ(message->text(), "abc");
}

TEST(GrpcUnaryBody, GivesItsMemoryBackWithTheMessage) {
  MemoryBudget memory(1 << 20);
  const std::array parts = {bytes_of(std::string(1000, 'x'))};
  const Slice coded = encode_body(Coding::kGzip, parts);
  std::string body(kPrefixBytes, '\0');
  const auto prefix = encode_prefix({true, static_cast<std::uint32_t>(coded.size())});
  std::memcpy(body.data(), prefix.data(), prefix.size());
  body += coded.text();
  {
    const auto message = unpack_unary({Coding::kGzip, 1000, &memory}, bytes_of(body));
    ASSERT_TRUE(message);
    EXPECT_EQ(message->text(), std::string(1000, 'x'));
    EXPECT_GE(memory.held(), 1000U);
  }
  EXPECT_EQ(memory.held(), 0U);
  EXPECT_EQ(unpack_unary({Coding::kGzip, 999, &memory}, bytes_of(body)).error().code, Code::kResourceExhausted);
}

TEST(GrpcStatus, IsPercentEncoded) {
  EXPECT_EQ(percent_encode("plain text, ~!"), "plain text, ~!");
  EXPECT_EQ(percent_encode("50%"), "50%25");
  EXPECT_EQ(percent_encode("a\r\nb\x7F"), "a%0D%0Ab%7F");
  EXPECT_EQ(percent_encode("\xC3\xA9"), "%C3%A9");
  EXPECT_EQ(status_text(std::nullopt), "0");
  EXPECT_EQ(status_text(Code::kUnauthenticated), "16");
}

TEST(GrpcStatus, ComesFromAnHttpStatus) {
  EXPECT_EQ(code_of_http_status(200), std::nullopt);
  EXPECT_EQ(code_of_http_status(401), Code::kUnauthenticated);
  EXPECT_EQ(code_of_http_status(403), Code::kPermissionDenied);
  EXPECT_EQ(code_of_http_status(404), Code::kUnimplemented);
  EXPECT_EQ(code_of_http_status(503), Code::kUnavailable);
  EXPECT_EQ(code_of_http_status(418), Code::kUnknown);
}

TEST(GrpcEncoding, IsChosenByName) {
  EXPECT_EQ(parse_encoding("identity").value(), std::nullopt);
  EXPECT_EQ(parse_encoding("gzip").value(), Coding::kGzip);
  EXPECT_EQ(parse_encoding("deflate").value(), Coding::kDeflate);
  EXPECT_EQ(parse_encoding("snappy").error().code, Code::kUnimplemented);
  EXPECT_TRUE(accepts_gzip("identity,deflate, gzip"));
  EXPECT_FALSE(accepts_gzip("identity, xgzip"));
  EXPECT_FALSE(accepts_gzip(""));
}

}  // namespace
}  // namespace protean::grpc
