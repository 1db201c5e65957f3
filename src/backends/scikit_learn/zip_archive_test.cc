// SPDX-License-Identifier: Apache-2.0
// Archives put together by hand: a local header, a member, a directory, and its end.
#include "backends/scikit_learn/zip_archive.h"

#include <gmock/gmock.h>

#include <cstdint>

#include "backends/scikit_learn/json_value.h"

namespace protean::sklearn {
namespace {

using ::testing::HasSubstr;

void put(std::string& out, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i));
}

struct Parts {
  std::string name = "a";
  std::string data = "hello";
  std::uint16_t method = 0;
  std::uint32_t bytes = 5;
  std::uint32_t offset = 0;
  std::uint16_t flags = 0;
};

std::string zip(const Parts& p) {
  std::string out;
  put(out, 0x04034b50, 4);
  out.append(22, '\0');
  put(out, p.name.size(), 2);
  put(out, 0, 2);
  out += p.name + p.data;
  const auto directory = out.size();
  put(out, 0x02014b50, 4);
  out.append(4, '\0');
  put(out, p.flags, 2);
  put(out, p.method, 2);
  out.append(8, '\0');
  put(out, p.data.size(), 4);
  put(out, p.bytes, 4);
  put(out, p.name.size(), 2);
  out.append(12, '\0');
  put(out, p.offset, 4);
  out += p.name;
  put(out, 0x06054b50, 4);
  out.append(6, '\0');
  put(out, 1, 2);
  put(out, 46 + p.name.size(), 4);
  put(out, directory, 4);
  put(out, 0, 2);
  return out;
}

std::string read_a(const std::string& bytes) {
  auto archive = ZipArchive::open(bytes);
  if (!archive) return archive.error().message;
  const auto member = archive->read("a");
  return member ? std::string(*member) : member.error().message;
}

TEST(ZipArchive, ReadsMembersByName) {
  EXPECT_EQ(read_a(zip({})), "hello");
  EXPECT_THAT(read_a(zip({.name = "b"})), HasSubstr("member 'a' is missing"));
}

TEST(ZipArchive, RefusesWhatDoesNotAddUp) {
  EXPECT_THAT(read_a(zip({.bytes = 6})), HasSubstr("two sizes"));
  EXPECT_THAT(read_a(zip({.offset = 1000})), HasSubstr("beyond the file"));
  EXPECT_THAT(read_a(zip({.flags = 1})), HasSubstr("encrypted"));
  EXPECT_THAT(read_a(zip({.method = 99})), HasSubstr("method 99"));
  EXPECT_THAT(read_a(zip({.method = 8})), HasSubstr("broken"));
  EXPECT_THAT(read_a(zip({.method = 8, .bytes = 0xfffffff0})), HasSubstr("more than a model"));
  EXPECT_THAT(read_a("PK"), HasSubstr("no end"));
}

TEST(ZipArchive, EveryCutIsAnErrorAndNoCrash) {
  const auto whole = zip({});
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(read_a(whole.substr(0, size)), "hello");
}

TEST(JsonValue, ReadsWhatPythonWrites) {
  const std::string text = R"({"a": [1, -2.5, NaN, -Infinity, true, null], "b\u00e9\ud83d\ude00\n": {}})";
  ValuePool pool(text.size());
  const auto root = read_json(text, pool, 8);
  ASSERT_TRUE(root.has_value()) << root.error().message;
  const auto list = pool.value(*root).key("a");
  EXPECT_EQ(list.size(), 6U);
  EXPECT_EQ(list.item(1).node().real, -2.5);
  EXPECT_TRUE(pool.value(*root).key("bé😀\n").is(Kind::kDict));
}

TEST(JsonValue, RefusesDepthAndBrokenText) {
  for (const std::string text : {"[[[", "{\"a\" 1}", "[1 2]", "\"", "{1:2}", "tru", "[\"\\x\"]", ""}) {
    ValuePool pool(100);
    EXPECT_FALSE(read_json(text, pool, 8)) << text;
  }
  const std::string deep(10'000, '[');
  ValuePool pool(deep.size());
  EXPECT_THAT(read_json(deep, pool, 64).error().message, HasSubstr("too deep"));
}

}  // namespace
}  // namespace protean::sklearn
