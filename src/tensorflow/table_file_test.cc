// SPDX-License-Identifier: Apache-2.0
// Tables written here by hand, byte by byte as LevelDB's documentation has them, whole and broken.
#include "tensorflow/table_file.h"

#include <gmock/gmock.h>
#include <snappy.h>

#include "base/crc32c.h"
#include "tensorflow/table_test_support.h"

namespace protean {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

std::string error_of(const std::string& file, const TableFileLimits& limits = {}) {
  const auto read = read_table_file(file, "x.index", limits);
  EXPECT_FALSE(read.has_value());
  return read ? "" : read.error().message;
}

const Entries kEntries{{"", "header"}, {"layer/bias", "b"}, {"layer/kernel", std::string(300, 'k')}, {"z", ""}};

TEST(TableFile, GivesAllEntriesInTheirOrder) {
  for (const bool compressed : {false, true}) {
    const auto read = read_table_file(write_table(kEntries, {compressed, 2}), "x.index");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, kEntries);
  }
}

TEST(TableFile, ReadsATableWithoutEntries) {
  const auto read = read_table_file(write_table({}, {}), "x.index");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->empty());
}

TEST(TableFile, RefusesWhatIsNoTable) {
  EXPECT_THAT(error_of(""), testing::HasSubstr("is shorter than a footer of 48 bytes"));
  EXPECT_THAT(error_of(std::string(48, 'x')), testing::HasSubstr("does not end with the number of a table file"));
}

TEST(TableFile, RefusesEveryTruncationAndEveryFlippedByte) {
  const auto whole = write_table(kEntries, {true, 2});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read_table_file(whole.substr(0, size), "x.index")) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x10);
    const auto read = read_table_file(broken, "x.index");
    // The place of the metaindex and the padding of the footer say nothing about the entries.
    const bool of_footer = at >= whole.size() - 48;
    EXPECT_TRUE(!read || (of_footer && *read == kEntries)) << at;
  }
}

TEST(TableFile, RefusesABlockThatClaimsToBecomeTooLarge) {
  const auto file = write_table({{"a", std::string(1 << 20, 'x')}}, {true, 1});
  ASSERT_LT(file.size(), 1U << 17U);
  EXPECT_THAT(error_of(file, {1 << 19, 1 << 30}), testing::HasSubstr("has a block of"));
  EXPECT_THAT(error_of(file, {1 << 21, 1 << 19}), testing::HasSubstr("holds more than 524288 bytes of entries"));
}

TEST(TableFile, RefusesKeysOutOfOrder) {
  EXPECT_THAT(error_of(write_table({{"b", ""}, {"a", ""}}, {false, 8})), testing::HasSubstr("has keys out of order"));
  EXPECT_THAT(error_of(write_table({{"a", ""}, {"a", ""}}, {false, 8})), testing::HasSubstr("has keys out of order"));
}

TEST(TableFile, RefusesAnUnknownCompression) {
  auto block = block_of({{"a", "b"}});
  EXPECT_THAT(error_of(table_of_block(block, '\2')),
              testing::HasSubstr("compression 2, expected 0 (none) or 1 (Snappy)"));
  EXPECT_THAT(error_of(table_of_block("\xff\xff\xff\xff\xff", '\1')), testing::HasSubstr("broken Snappy block"));
}

TEST(TableFile, RefusesEntriesThatReachPastTheirBlock) {
  // shared 1 where no key came before; a value longer than the block; more restart points than bytes.
  const std::string restarts("\0\0\0\0\1\0\0\0", 8);
  EXPECT_THAT(error_of(table_of_block(std::string("\1\0\0", 3) + restarts, 0)), testing::HasSubstr("does not fit"));
  EXPECT_THAT(error_of(table_of_block(std::string("\0\1\x7f"
                                                  "a",
                                                  4) +
                                          restarts,
                                      0)),
              testing::HasSubstr("does not fit"));
  EXPECT_THAT(error_of(table_of_block("\xff\xff\xff\xff", 0)), testing::HasSubstr("more restart points than bytes"));
}

}  // namespace
}  // namespace protean
