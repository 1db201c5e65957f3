// SPDX-License-Identifier: Apache-2.0
// Codings against bytes made by the reference tools, and against inputs that mean harm.
#include "transport/content_coding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace protean {
namespace {

constexpr std::size_t kNoLimit = std::size_t{1} << 30;

template <std::size_t N>
Slice bytes(const char (&literal)[N]) {
  return Slice::of(std::string(literal, N - 1));
}

/// `printf hello | gzip -n9`.
Slice gzip_hello() {
  return bytes("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00");
}
/// Python: zlib.compress(b"hello").
Slice zlib_hello() { return bytes("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15"); }
/// The same without header and checksum.
Slice raw_hello() { return bytes("\xcb\x48\xcd\xc9\xc9\x07\x00"); }
/// `printf hello | zstd`.
Slice zstd_hello() { return bytes("\x28\xb5\x2f\xfd\x04\x58\x29\x00\x00\x68\x65\x6c\x6c\x6f\xa3\x6d\x9f\x88"); }

std::string decoded(Coding coding, const Slice& body) {
  auto result = decode_body(coding, body, kNoLimit);
  return result ? std::string(result->text()) : "error: " + result.error().message;
}

Code error_of(Coding coding, const Slice& body, std::size_t size_max = kNoLimit) {
  auto result = decode_body(coding, body, size_max);
  return result ? Code{} : result.error().code;
}

TEST(ContentCoding, DecodesWhatTheReferenceToolsMade) {
  EXPECT_EQ(decoded(Coding::kGzip, gzip_hello()), "hello");
  EXPECT_EQ(decoded(Coding::kDeflate, zlib_hello()), "hello");
  EXPECT_EQ(decoded(Coding::kDeflate, raw_hello()), "hello");
  EXPECT_EQ(decoded(Coding::kZstd, zstd_hello()), "hello");
}

TEST(ContentCoding, JoinsMembersAndFrames) {
  const std::string gzip(gzip_hello().text());
  const std::string zstd(zstd_hello().text());
  EXPECT_EQ(decoded(Coding::kGzip, Slice::of(gzip + gzip)), "hellohello");
  EXPECT_EQ(decoded(Coding::kZstd, Slice::of(zstd + zstd)), "hellohello");
}

TEST(ContentCoding, RefusesEveryTruncation) {
  for (const auto& [coding, body] : std::vector<std::pair<Coding, Slice>>{{Coding::kGzip, gzip_hello()},
                                                                          {Coding::kDeflate, zlib_hello()},
                                                                          {Coding::kDeflate, raw_hello()},
                                                                          {Coding::kZstd, zstd_hello()}}) {
    for (std::size_t size = 0; size < body.size(); ++size) {
      EXPECT_EQ(error_of(coding, body.part(0, size)), Code::kInvalidArgument) << coding_name(coding) << " " << size;
    }
  }
}

TEST(ContentCoding, RefusesBytesAfterTheEnd) {
  for (const auto& [coding, body] : std::vector<std::pair<Coding, Slice>>{
           {Coding::kGzip, gzip_hello()}, {Coding::kDeflate, zlib_hello()}, {Coding::kZstd, zstd_hello()}}) {
    EXPECT_EQ(error_of(coding, Slice::of(std::string(body.text()) + "x")), Code::kInvalidArgument);
  }
}

TEST(ContentCoding, RefusesAWrongChecksum) {
  std::string gzip(gzip_hello().text());
  gzip[gzip.size() - 5] ^= 1;
  EXPECT_EQ(error_of(Coding::kGzip, Slice::of(gzip)), Code::kInvalidArgument);
}

TEST(ContentCoding, StopsAtTheLimitToTheByte) {
  const Slice plain = Slice::of(std::string(100'000, 'a'));
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate, Coding::kZstd}) {
    const Slice coded = encode_body(coding, std::span(&plain, 1));
    EXPECT_TRUE(decode_body(coding, coded, 100'000)) << coding_name(coding);
    EXPECT_EQ(error_of(coding, coded, 99'999), Code::kResourceExhausted) << coding_name(coding);
    EXPECT_EQ(error_of(coding, coded, 0), Code::kResourceExhausted) << coding_name(coding);
  }
}

TEST(ContentCoding, AsksForMemoryBeforeItIsTaken) {
  const Slice plain = Slice::of(std::string(100'000, 'a'));
  for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
    const Slice coded = encode_body(coding, std::span(&plain, 1));
    MemoryBudget budget(50'000);
    Reservation memory(budget);
    const auto result = decode_body(coding, coded, kNoLimit, &memory);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kUnavailable);
    EXPECT_LE(budget.held(), 50'000U);
  }
}

TEST(ContentCoding, EncodesWhatItDecodes) {
  std::string mixed;
  for (int i = 0; i < 50'000; ++i) mixed += static_cast<char>((i * 7919) >> (i % 5));
  const std::vector<Slice> parts = {Slice::of("head "), Slice::of(mixed), Slice{}, Slice::of(" tail")};
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate, Coding::kZstd}) {
    EXPECT_EQ(decoded(coding, encode_body(coding, parts)), "head " + mixed + " tail");
    EXPECT_EQ(decoded(coding, encode_body(coding, {})), "");
  }
}

TEST(ContentCoding, ReadsContentEncoding) {
  EXPECT_EQ(*parse_content_encoding(""), std::nullopt);
  EXPECT_EQ(*parse_content_encoding("identity"), std::nullopt);
  EXPECT_EQ(*parse_content_encoding("GZIP"), Coding::kGzip);
  EXPECT_EQ(*parse_content_encoding("x-gzip"), Coding::kGzip);
  EXPECT_EQ(*parse_content_encoding(" identity , zstd "), Coding::kZstd);
  EXPECT_EQ(parse_content_encoding("br").error().code, Code::kUnimplemented);
  EXPECT_EQ(parse_content_encoding("gzip, gzip").error().code, Code::kUnimplemented);
}

TEST(ContentCoding, ChoosesWhatTheClientPrefers) {
  EXPECT_EQ(choose_coding(""), std::nullopt);
  EXPECT_EQ(choose_coding("gzip"), Coding::kGzip);
  EXPECT_EQ(choose_coding("gzip, deflate, br, zstd"), Coding::kZstd);
  EXPECT_EQ(choose_coding("gzip;q=0.9, zstd;q=0.1"), Coding::kGzip);
  EXPECT_EQ(choose_coding("gzip;q=0"), std::nullopt);
  EXPECT_EQ(choose_coding("*"), Coding::kZstd);
  EXPECT_EQ(choose_coding("*, zstd;q=0"), Coding::kGzip);
  EXPECT_EQ(choose_coding("gzip;q=0.5, identity"), std::nullopt);
  EXPECT_EQ(choose_coding("gzip;q=2"), std::nullopt);
  EXPECT_EQ(choose_coding("gzip;level=9"), std::nullopt);
  EXPECT_EQ(choose_coding("br"), std::nullopt);
}

class EncodeResponse : public ::testing::Test {
 protected:
  static std::string header(const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }
  static Response response(std::string_view type, std::size_t size) {
    return make_response(200, type, Slice::of(std::string(size, 'x')));
  }
  RequestHead request;
};

TEST_F(EncodeResponse, CompressesTextWhenAsked) {
  request.headers.add("Accept-Encoding", "gzip");
  Response made = response("application/json; charset=utf-8", 2000);
  encode_response(request, made);
  EXPECT_EQ(header(made, "content-encoding"), "gzip");
  EXPECT_EQ(header(made, "vary"), "accept-encoding");
  ASSERT_EQ(made.body.size(), 1U);
  EXPECT_EQ(decoded(Coding::kGzip, made.body[0]), std::string(2000, 'x'));
}

TEST_F(EncodeResponse, LeavesAloneWhatIsSmallBinaryOrCoded) {
  request.headers.add("Accept-Encoding", "gzip");
  Response small = response("application/json", 1023);
  Response binary = response("application/octet-stream", 2000);
  Response coded = response("application/json", 2000);
  coded.headers.emplace_back("Content-Encoding", "br");
  for (Response* made : {&small, &binary, &coded}) {
    encode_response(request, *made);
    EXPECT_EQ(header(*made, "content-encoding"), "");
    EXPECT_EQ(header(*made, "vary"), "");
  }
}

TEST_F(EncodeResponse, NeverCompressesForTensorflowServing) {
  request.headers.add("Accept-Encoding", "gzip");
  request.dialect = Dialect::kTensorflowServing;
  Response made = response("application/json", 2000);
  encode_response(request, made);
  EXPECT_EQ(header(made, "content-encoding"), "");
  EXPECT_EQ(header(made, "vary"), "");
}

TEST_F(EncodeResponse, TellsCachesThatItMightHaveCompressed) {
  Response made = response("text/plain", 2000);
  encode_response(request, made);
  EXPECT_EQ(header(made, "content-encoding"), "");
  EXPECT_EQ(header(made, "vary"), "accept-encoding");
}

}  // namespace
}  // namespace protean
