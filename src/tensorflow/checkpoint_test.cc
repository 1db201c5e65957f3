// SPDX-License-Identifier: Apache-2.0
// Checkpoints written here by hand: values, strings, slices, and every way in which an entry can lie.
#include "tensorflow/checkpoint.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/crc32c.h"
#include "tensorflow/table_test_support.h"
#include "tensorflow/tensor_slice.h"

namespace protean {
namespace {

namespace tf = tensorflow;

std::string floats(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(float)};
}

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    std::string pattern = testing::TempDir() + "checkpointXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directory(folder_ / "variables");
  }
  ~CheckpointTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / "variables" / name, std::ios::binary) << bytes;
  }

  /// An entry for bytes that are appended to the shard.
  tf::BundleEntryProto entry(tf::DataType dtype, std::initializer_list<std::int64_t> shape, const std::string& bytes) {
    tf::BundleEntryProto entry;
    entry.set_dtype(dtype);
    for (const auto size : shape) entry.mutable_shape()->add_dim()->set_size(size);
    entry.set_offset(static_cast<std::int64_t>(shard_.size()));
    entry.set_size(static_cast<std::int64_t>(bytes.size()));
    entry.set_crc32c(mask_crc32c(extend_crc32c(0, bytes)));
    shard_ += bytes;
    return entry;
  }

  void add(const std::string& key, const tf::BundleEntryProto& entry) { entries_[key] = entry.SerializeAsString(); }

  Result<Checkpoint> open() {
    tf::BundleHeaderProto header;
    header.set_num_shards(1);
    std::vector<std::pair<std::string, std::string>> table{{"", header.SerializeAsString()}};
    table.insert(table.end(), entries_.begin(), entries_.end());
    write("variables.index", write_table(table, {true, 3}));
    write("variables.data-00000-of-00001", shard_);
    return Checkpoint::open(folder_);
  }

  std::string error_of(const std::string& key) {
    auto checkpoint = open();
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    const auto read = checkpoint->read(key);
    EXPECT_FALSE(read);
    return read ? "" : read.error().message;
  }

  std::filesystem::path folder_;
  std::string shard_;
  std::map<std::string, std::string> entries_;
};

TEST_F(CheckpointTest, IsEmptyWithoutAnIndex) {
  const auto checkpoint = Checkpoint::open(folder_);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->size(), 0U);
}

TEST_F(CheckpointTest, ReadsValuesAndPartsOfThem) {
  add("w", entry(tf::DT_FLOAT, {2, 2}, floats({1, 2, 3, 4})));
  add("step", entry(tf::DT_INT64, {}, std::string("\5\0\0\0\0\0\0\0", 8)));
  auto checkpoint = open();
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const auto whole = checkpoint->read("w");
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->bytes, floats({1, 2, 3, 4}));
  EXPECT_EQ(checkpoint->read("w", "2 2 1,1:-")->bytes, floats({3, 4}));
  EXPECT_FALSE(checkpoint->read("w", "2 2 1,2:-"));
  EXPECT_EQ(integer_at(*checkpoint->read("step"), 0), 5);
}

TEST_F(CheckpointTest, ReadsStrings) {
  // Two lengths, the checksum over both as 32-bit numbers, the bytes; the entry's checksum goes over the same.
  const std::uint32_t lengths[] = {2, 3};
  const auto of_lengths = extend_crc32c(0, {reinterpret_cast<const char*>(lengths), 8});
  const auto masked = mask_crc32c(of_lengths);
  const std::string checksum(reinterpret_cast<const char*>(&masked), 4);
  auto strings = entry(tf::DT_STRING, {2}, "\2\3" + checksum + "abcde");
  strings.set_crc32c(mask_crc32c(extend_crc32c(extend_crc32c(of_lengths, checksum), "abcde")));
  add("words", strings);
  auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  const auto read = checkpoint->read("words");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(read->strings, testing::ElementsAre("ab", "cde"));
}

TEST_F(CheckpointTest, PutsSlicesTogether) {
  tf::BundleEntryProto whole;
  whole.set_dtype(tf::DT_FLOAT);
  for (const auto size : {2, 3}) whole.mutable_shape()->add_dim()->set_size(size);
  for (const auto& [start, length] : {std::pair{0, 1}, std::pair{1, 2}}) {
    auto* slice = whole.add_slices();
    slice->add_extent();
    auto* columns = slice->add_extent();
    columns->set_start(start);
    columns->set_length(length);
  }
  add("w", whole);
  add(slice_key("w", {{0, -1}, {0, 1}}), entry(tf::DT_FLOAT, {2, 1}, floats({1, 4})));
  add(slice_key("w", {{0, -1}, {1, 2}}), entry(tf::DT_FLOAT, {2, 2}, floats({2, 3, 5, 6})));
  auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  const auto read = checkpoint->read("w");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->bytes, floats({1, 2, 3, 4, 5, 6}));
  entries_.erase(slice_key("w", {{0, -1}, {1, 2}}));
  EXPECT_THAT(error_of("w"), testing::HasSubstr("a slice that is not in the checkpoint"));
}

TEST_F(CheckpointTest, RefusesEntriesThatLie) {
  auto wrong = entry(tf::DT_FLOAT, {2}, floats({1, 2}));
  wrong.set_crc32c(0);
  add("checksum", wrong);
  auto past = entry(tf::DT_FLOAT, {2}, floats({1, 2}));
  past.set_offset(std::numeric_limits<std::int64_t>::max());
  add("past", past);
  auto short_entry = entry(tf::DT_FLOAT, {3}, floats({1, 2}));
  add("short", short_entry);
  auto shard = entry(tf::DT_FLOAT, {2}, floats({1, 2}));
  shard.set_shard_id(7);
  add("shard", shard);
  add("type", entry(tf::DT_VARIANT, {}, "x"));
  add("strings", entry(tf::DT_STRING, {1 << 20}, "\xff\xff"));
  add("negative", entry(tf::DT_FLOAT, {-1}, ""));
  EXPECT_THAT(error_of("checksum"), testing::HasSubstr("a checksum that does not hold"));
  EXPECT_THAT(error_of("past"), testing::HasSubstr("bytes past the end"));
  EXPECT_THAT(error_of("short"), testing::HasSubstr("8 bytes, expected 12 for shape [3]"));
  EXPECT_THAT(error_of("shard"), testing::HasSubstr("shard 7 of 1"));
  EXPECT_THAT(error_of("type"), testing::HasSubstr("of variant"));
  EXPECT_THAT(error_of("strings"), testing::HasSubstr("more strings than bytes"));
  EXPECT_THAT(error_of("negative"), testing::HasSubstr("negative dimension"));
  EXPECT_THAT(error_of("nothing"), testing::HasSubstr("not in the checkpoint"));
}

TEST_F(CheckpointTest, FollowsNoLinkOutOfTheModel) {
  add("w", entry(tf::DT_FLOAT, {1}, floats({1})));
  ASSERT_TRUE(open());
  std::filesystem::remove(folder_ / "variables/variables.data-00000-of-00001");
  std::filesystem::create_symlink("/etc/hostname", folder_ / "variables/variables.data-00000-of-00001");
  auto checkpoint = Checkpoint::open(folder_);
  ASSERT_TRUE(checkpoint);
  EXPECT_THAT(checkpoint->read("w").error().message, testing::HasSubstr("a symbolic link is on the way"));
}

TEST_F(CheckpointTest, RefusesBigEndianFilesAndNoShards) {
  for (const bool big : {true, false}) {
    tf::BundleHeaderProto header;
    if (big) header.set_endianness(tf::BundleHeaderProto::BIG);
    const auto index = write_table({{"", header.SerializeAsString()}}, {});
    const auto checkpoint = Checkpoint::from_index(index);
    ASSERT_FALSE(checkpoint);
    EXPECT_THAT(checkpoint.error().message, testing::HasSubstr(big ? "big-endian" : "0 shards"));
  }
}

}  // namespace
}  // namespace protean
