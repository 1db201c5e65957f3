// SPDX-License-Identifier: Apache-2.0
// The backend without TensorFlow: which models are its, what it says, and where it looks for the library.
// What TensorFlow answers is tested from Python (tests/backends/test_tensorflow.py).
#include "backends/tensorflow/backend.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "backends/tensorflow/library.h"

namespace protean {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TensorflowBackendTest : public testing::Test {
 protected:
  TensorflowBackendTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~TensorflowBackendTest() override { fs::remove_all(folder_); }
  void write(const std::string& name) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "x";
  }
  const fs::path folder_ = fs::temp_directory_path() / ("tensorflow-test-" + std::to_string(::getpid()));
  const fs::path example_ = fs::path(PROTEAN_SOURCE_DIR) / "examples/models/iris_keras/1";
};

TEST_F(TensorflowBackendTest, RecognisesFoldersWithASavedModel) {
  const auto backend = make_tensorflow_backend({.library_path = "/nowhere.so"});
  EXPECT_TRUE(*backend->recognises(example_));
  EXPECT_FALSE(*backend->recognises(example_ / "saved_model.pb"));
  EXPECT_FALSE(*backend->recognises(example_ / "variables"));
}

TEST_F(TensorflowBackendTest, SaysWhatIsMissingAndHowToMendIt) {
  const auto backend = make_tensorflow_backend({.library_path = "/nowhere.so"});
  EXPECT_THAT(backend->description(), HasSubstr("Looked in: /nowhere.so (no such file)"));
  LoadOptions options;
  options.tensorflow.engine = TensorflowEngine::kTensorflow;
  const auto model = backend->load({"iris", "1", example_, example_}, options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(model.error().message, HasSubstr("set --tensorflow-library"));
  EXPECT_THAT(model.error().message, HasSubstr("(model iris, version 1)"));
}

TEST_F(TensorflowBackendTest, TheLibraryOfThePythonEnvironmentIsFoundWithItsVersion) {
  write("env/lib/python3.11/site-packages/tensorflow/libtensorflow_cc.so.2");
  write("env/lib/python3.11/site-packages/tensorflow_serving_api-2.19.0.dist-info/METADATA");
  write("env/lib/python3.11/site-packages/tensorflow_cpu-2.20.0.dist-info/METADATA");
  TensorflowSearch search;
  search.python = folder_ / "env";
  const auto found = find_tensorflow(search);
  EXPECT_EQ(found.path, folder_ / "env/lib/python3.11/site-packages/tensorflow/libtensorflow_cc.so.2");
  EXPECT_EQ(found.version, "2.20.0");
}

TEST_F(TensorflowBackendTest, WhatIsSaidComesBeforeWhatIsFound) {
  write("lib/libtensorflow.so.2.18.0");
  fs::create_symlink("libtensorflow.so.2.18.0", folder_ / "lib/libtensorflow.so.2");
  write("other/libtensorflow_cc.so.2");
  TensorflowSearch search;
  search.library_folders = {folder_ / "other"};
  EXPECT_EQ(find_tensorflow(search).path, folder_ / "other/libtensorflow_cc.so.2");
  search.from_environment = folder_ / "lib";
  EXPECT_EQ(find_tensorflow(search).path, folder_ / "lib/libtensorflow.so.2");
  EXPECT_EQ(find_tensorflow(search).version, "2.18.0");
  search.library_path = folder_ / "nothing.so";
  EXPECT_TRUE(find_tensorflow(search).path.empty());
}

TEST_F(TensorflowBackendTest, AFileThatIsNoLibraryDisablesItAndNothingElse) {
  write("libtensorflow.so.2");
  const auto backend = make_tensorflow_backend({.library_path = folder_ / "libtensorflow.so.2"});
  LoadOptions options;
  options.tensorflow.engine = TensorflowEngine::kTensorflow;
  const auto model = backend->load({"iris", "1", example_, example_}, options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(model.error().message, HasSubstr("libtensorflow.so.2"));
}

}  // namespace
}  // namespace protean
