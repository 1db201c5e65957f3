// SPDX-License-Identifier: Apache-2.0
// Layouts the scanner accepts, and the reasons it gives for what it leaves out.
#include "serving/versions/repository_scan.h"

#include <gtest/gtest.h>

#include "serving/fake_backend.h"
#include "serving/temporary_folder.h"

namespace protean {
namespace {

using testing::FakeBackend;
using testing::TemporaryFolder;

class RepositoryScan : public ::testing::Test {
 protected:
  Scan scan() {
    auto result = scanner_.scan();
    EXPECT_TRUE(result);
    return std::move(*result);
  }
  std::vector<std::string> found() {
    std::vector<std::string> names;
    for (const auto& version : scan().versions) {
      names.push_back(version.model + ":" + std::to_string(version.version));
    }
    return names;
  }
  std::string reason(const std::string& path) {
    for (const auto& ignored : scan().ignored) {
      if (ignored.path == path) return ignored.reason;
    }
    return "(not ignored)";
  }

  FakeBackend backend_;
  TemporaryFolder folder_;
  RepositoryScanner scanner_{folder_.path(), {&backend_}};
};

using Names = std::vector<std::string>;

TEST_F(RepositoryScan, FindsTheThreeLayouts) {
  folder_.write("flat.onnx", "MODEL");
  folder_.write("folder/model.onnx", "MODEL");
  folder_.write("versioned/1/model.onnx", "MODEL");
  folder_.write("versioned/10/model.onnx", "MODEL");
  folder_.write("versioned/9/model.onnx", "MODEL");
  EXPECT_EQ(found(), (Names{"flat:1", "folder:1", "versioned:1", "versioned:9", "versioned:10"}));
}

/// Recognises folders that hold a file FOLDER.
class FolderBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view id() const noexcept override { return "folders"; }
  [[nodiscard]] std::string description() const override { return "folders 1.0"; }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override {
    return std::filesystem::exists(path / "FOLDER");
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles&, const LoadOptions&) override {
    return fail(Code::kUnimplemented, "not here");
  }
};

TEST_F(RepositoryScan, TakesAWholeFolderForABackendThatRecognisesIt) {
  FolderBackend folders;
  RepositoryScanner scanner(folder_.path(), {&backend_, &folders});
  folder_.write("bare/FOLDER", "");
  folder_.write("bare/model.onnx", "MODEL");
  folder_.write("versioned/2/FOLDER", "");
  folder_.write("plain/model.onnx", "MODEL");
  const auto found = scanner.scan();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->versions.size(), 3U);
  EXPECT_EQ(found->versions[0].path, folder_.path() / "bare");
  EXPECT_EQ(found->versions[0].backend, &folders);
  EXPECT_EQ(found->versions[1].backend, &backend_);
  EXPECT_EQ(found->versions[2].path, folder_.path() / "versioned" / "2");
  EXPECT_EQ(found->versions[2].version, 2U);
  RepositoryScanner alone(folder_.path() / "bare", {&backend_, &folders});
  const auto one = alone.scan();
  ASSERT_TRUE(one);
  ASSERT_EQ(one->versions.size(), 1U);
  EXPECT_EQ(one->versions[0].model, "bare");
  EXPECT_EQ(one->versions[0].path, folder_.path() / "bare");
}

TEST_F(RepositoryScan, JudgesByContentNotByExtension) {
  folder_.write("text.onnx", "just text");
  folder_.write("odd.bin", "MODEL");
  EXPECT_EQ(found(), (Names{"odd:1"}));
  EXPECT_EQ(reason("text.onnx"), "no backend recognises its content");
}

TEST_F(RepositoryScan, TakesWeightsBesideTheModelAsPartOfIt) {
  folder_.write("big/1/model.onnx", "MODEL");
  folder_.write("big/1/weights.bin", "12345");
  const auto before = scan().versions.at(0);
  EXPECT_EQ(before.files_bytes, 10U);
  folder_.write("big/1/weights.bin", "123456");
  EXPECT_NE(scan().versions.at(0).fingerprint, before.fingerprint);
}

TEST_F(RepositoryScan, PrefersTheFileNamedModel) {
  folder_.write("two/a.onnx", "MODEL");
  folder_.write("two/b.onnx", "MODEL");
  EXPECT_EQ(reason("two"), "holds 2 model files; name the one to serve 'model'");
  folder_.write("two/model.onnx", "MODEL");
  EXPECT_EQ(scan().versions.at(0).path.filename(), "model.onnx");
}

TEST_F(RepositoryScan, PrefersTheCodeToWhatItLoads) {
  for (const char* other : {"model.joblib", "model.onnx", "weights.onnx"}) {
    folder_.write("coded/1/model.py", "MODEL");
    folder_.write(std::string("coded/1/") + other, "MODEL");
    RepositoryScanner scanner(folder_.path(), {&backend_});
    const auto scan = scanner.scan();
    ASSERT_TRUE(scan);
    ASSERT_EQ(scan->versions.size(), 1U);
    EXPECT_EQ(scan->versions[0].path.filename(), "model.py") << other;
  }
}

TEST_F(RepositoryScan, IgnoresFoldersThatAreNotPositiveNumbers) {
  folder_.write("m/1/model.onnx", "MODEL");
  folder_.write("m/0/model.onnx", "MODEL");
  folder_.write("m/01/model.onnx", "MODEL");
  folder_.write("m/new/model.onnx", "MODEL");
  folder_.write("m/99999999999999999999999/model.onnx", "MODEL");
  EXPECT_EQ(found(), (Names{"m:1"}));
}

TEST_F(RepositoryScan, SaysWhyAFolderHoldsNoModel) {
  folder_.write("empty/readme.txt", "nothing here");
  EXPECT_EQ(reason("empty"), "holds no model file and no version folder (a positive number) with one");
  folder_.write("partly/1/readme.txt", "nothing here");
  EXPECT_EQ(reason("partly/1"), "holds no model file and no version folder (a positive number) with one");
}

TEST_F(RepositoryScan, LeavesHiddenNamesOut) {
  folder_.write(".git/model.onnx", "MODEL");
  EXPECT_TRUE(scan().versions.empty());
  EXPECT_TRUE(scan().ignored.empty());
}

TEST_F(RepositoryScan, NamesTheSecondModelOfOneName) {
  folder_.write("twin/model.onnx", "MODEL");
  folder_.write("twin.onnx", "MODEL");
  EXPECT_EQ(found(), (Names{"twin:1"}));
  EXPECT_EQ(reason("twin.onnx"), "a model named 'twin' was already found beside it");
}

TEST_F(RepositoryScan, FollowsTheOperatorsLinks) {
  folder_.write(".data/model.onnx", "MODEL");
  std::filesystem::create_directories(folder_.path() / "mounted");
  std::filesystem::create_symlink("../.data/model.onnx", folder_.path() / "mounted" / "model.onnx");
  EXPECT_EQ(found(), (Names{"mounted:1"}));
}

TEST_F(RepositoryScan, PassesOverALinkThatLeadsNowhere) {
  folder_.write("m/model.onnx", "MODEL");
  std::filesystem::create_symlink("gone.txt", folder_.path() / "m" / "notes.txt");
  EXPECT_EQ(found(), (Names{"m:1"}));
}

TEST_F(RepositoryScan, ServesASingleFile) {
  folder_.write("alone.onnx", "MODEL");
  RepositoryScanner scanner(folder_.path() / "alone.onnx", {&backend_});
  const auto scan = scanner.scan();
  ASSERT_TRUE(scan);
  EXPECT_EQ(scan->versions.at(0).model, "alone");
}

TEST_F(RepositoryScan, SaysThatTheFolderDoesNotExist) {
  RepositoryScanner scanner(folder_.path() / "nowhere", {&backend_});
  const auto scan = scanner.scan();
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace protean
