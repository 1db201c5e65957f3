// SPDX-License-Identifier: Apache-2.0
// Ways out of a model's folder, on both ways of opening, and files that change while they are read.
#include "core/model_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "backends/onnxruntime/onnx_test_support.h"

namespace protean {
namespace {

namespace fs = std::filesystem;
using onnx_test::TemporaryFolder;
using ::testing::HasSubstr;

/// root/secret.bin outside, root/model/ with weights.bin, sub/deep.bin and links of all kinds.
class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() {
    root_.write("secret.bin", "secret");
    root_.write("model/weights.bin", "weights");
    root_.write("model/sub/deep.bin", "deep");
    const auto model = root_.path() / "model";
    fs::create_symlink("../secret.bin", model / "link.bin");
    fs::create_symlink("weights.bin", model / "inside_link.bin");
    fs::create_directory_symlink("..", model / "up");
    fs::create_symlink("loop.bin", model / "loop.bin");
    fs::create_hard_link(root_.path() / "secret.bin", model / "hard.bin");
    EXPECT_EQ(::mkfifo((model / "fifo.bin").c_str(), 0600), 0);
  }

  std::string refusal(std::string_view location) const {
    const auto folder = ModelFolder::open(root_.path() / "model");
    EXPECT_TRUE(folder);
    const auto file = folder->open_file(location);
    if (file) return "";
    EXPECT_EQ(file.error().code, Code::kInvalidArgument);
    return file.error().message;
  }

  TemporaryFolder root_;
};

TEST_F(ModelFolderTest, OpensFilesInsideAtAnyDepth) {
  EXPECT_EQ(refusal("weights.bin"), "");
  EXPECT_EQ(refusal("./weights.bin"), "");
  EXPECT_EQ(refusal("sub/deep.bin"), "");
  const auto folder = ModelFolder::open(root_.path() / "model");
  const auto file = folder->open_file("sub/deep.bin");
  ASSERT_TRUE(file);
  const auto bytes = file->read_all();
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->text(), "deep");
}

TEST_F(ModelFolderTest, RefusesEveryWayOut) {
  EXPECT_THAT(refusal("../secret.bin"), HasSubstr("leads upwards"));
  EXPECT_THAT(refusal("sub/../weights.bin"), HasSubstr("leads upwards"));
  EXPECT_THAT(refusal("/etc/passwd"), HasSubstr("absolute"));
  EXPECT_THAT(refusal("link.bin"), HasSubstr("symbolic link"));
  EXPECT_THAT(refusal("inside_link.bin"), HasSubstr("symbolic link"));
  EXPECT_THAT(refusal("up/secret.bin"), HasSubstr("symbolic link"));
  EXPECT_THAT(refusal("loop.bin"), HasSubstr("symbolic link"));
  EXPECT_THAT(refusal("hard.bin"), HasSubstr("2 names (hard links)"));
  EXPECT_THAT(refusal("fifo.bin"), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal("sub"), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(""), HasSubstr("no location"));
  EXPECT_THAT(refusal(std::string_view("weights.bin\0x", 13)), HasSubstr("NUL"));
  EXPECT_THAT(refusal("missing.bin"), HasSubstr("no such file"));
  EXPECT_THAT(refusal("*/_ORT_MEM_ADDR_/*"), HasSubstr("no such file"));
  EXPECT_THAT(refusal(std::string(2000, 'a')), HasSubstr("longer than 1024"));
}

TEST_F(ModelFolderTest, WalkingFollowsNothingEither) {
  const FileDescriptor folder(::open((root_.path() / "model").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto opens = [&](std::string_view location) {
    return FileDescriptor(open_beneath_by_walking(folder.get(), location)).valid();
  };
  EXPECT_TRUE(opens("weights.bin"));
  EXPECT_TRUE(opens("./sub//deep.bin"));
  for (const char* location : {"../secret.bin", "link.bin", "inside_link.bin", "up/secret.bin", "loop.bin",
                               "missing.bin", "weights.bin/x", "", "/"}) {
    EXPECT_FALSE(opens(location)) << location;
  }
}

TEST(ModelFile, TellsWhatCannotBeRead) {
  const TemporaryFolder folder;
  const auto missing = ModelFile::open(folder.path() / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  const auto directory = ModelFile::open(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, Code::kInvalidArgument);
}

TEST(ModelFile, NoticesAFileThatGrew) {
  const TemporaryFolder folder;
  const auto path = folder.write("a", "1234");
  const auto file = ModelFile::open(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->check_unchanged());
  std::ofstream(path, std::ios::app) << "5";
  const auto bytes = file->read_all();
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::kAborted);
}

TEST(ModelFile, NoticesAFileThatShrank) {
  const TemporaryFolder folder;
  const auto path = folder.write("a", "1234");
  const auto file = ModelFile::open(path);
  ASSERT_TRUE(file);
  fs::resize_file(path, 2);
  const auto bytes = file->read_all();
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::kAborted);
  EXPECT_THAT(bytes.error().message, HasSubstr("became shorter"));
}

TEST(ModelFile, NoticesAChangeThatKeepsTheSize) {
  const TemporaryFolder folder;
  const auto path = folder.write("a", "1234");
  const timespec before[2] = {{1'000'000, 0}, {1'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), before, 0), 0);
  const auto file = ModelFile::open(path);
  ASSERT_TRUE(file);
  std::ofstream(path, std::ios::in | std::ios::out) << "5";
  const auto bytes = file->read_all();
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::kAborted);
}

TEST(ModelFile, AFileReplacedByRenameIsReadToItsEnd) {
  const TemporaryFolder folder;
  const auto path = folder.write("a", "old");
  const auto file = ModelFile::open(path);
  ASSERT_TRUE(file);
  fs::rename(folder.write("b", "new one"), path);
  const auto bytes = file->read_all();
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(bytes->text(), "old");
}

}  // namespace
}  // namespace protean
