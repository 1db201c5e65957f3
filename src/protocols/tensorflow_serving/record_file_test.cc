// SPDX-License-Identifier: Apache-2.0
// Records as tf.io.TFRecordWriter wrote them, and what may be wrong with a file.
#include "protocols/tensorflow_serving/record_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace protean::tfserving {
namespace {

using testing::HasSubstr;

/// TFRecordWriter("f").write(b"abc"), of TensorFlow 2.20.
const std::string kAbc(
    "\x03\x00\x00\x00\x00\x00\x00\x00\xb0\x99\x49\x0e"
    "abc\x6e\x57\xf1\x21",
    19);

RecordFile file_of(const std::string& bytes) {
  FileDescriptor fd(::memfd_create("records", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(fd.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return RecordFile(*ModelFile::adopt(std::move(fd), "records"));
}

std::string error_of(const std::string& bytes) {
  auto file = file_of(bytes);
  const auto record = file.next();
  return record ? "read" : record.error().message;
}

TEST(RecordFile, ReadsOneRecordAfterAnother) {
  auto file = file_of(kAbc + kAbc);
  for (int i = 0; i < 2; ++i) {
    const auto record = file.next();
    ASSERT_TRUE(record) << record.error().message;
    ASSERT_TRUE(*record);
    EXPECT_EQ((**record).text(), "abc");
  }
  const auto end = file.next();
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
  EXPECT_EQ(file.read(), 2U);
}

TEST(RecordFile, SaysAtWhichByteAFileIsBroken) {
  auto file = file_of(kAbc + kAbc.substr(0, 18));
  ASSERT_TRUE(file.next());
  EXPECT_EQ(file.next().error().message, "byte 19: the file ends within a record");
}

TEST(RecordFile, RefusesWrongChecksums) {
  std::string bytes = kAbc;
  bytes[8] = '\0';
  EXPECT_EQ(error_of(bytes), "byte 0: the checksum of a record's length is wrong");
  bytes = kAbc;
  bytes[12] = 'A';
  EXPECT_EQ(error_of(bytes), "byte 0: the checksum of a record is wrong");
  bytes = kAbc;
  bytes[0] = 2;
  EXPECT_THAT(error_of(bytes), HasSubstr("checksum of a record's length"));
}

TEST(RecordFile, RefusesAFileThatEndsInsideARecord) {
  for (const std::size_t size : {1, 12, 15, 18}) {
    EXPECT_THAT(error_of(kAbc.substr(0, size)), HasSubstr("ends within a record")) << size;
  }
}

}  // namespace
}  // namespace protean::tfserving
