// SPDX-License-Identifier: Apache-2.0
// Folders on disk, with backends that read nothing: which flavor goes to whom, and what is refused.
#include "backends/mlflow/backend.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <fstream>

namespace protean {
namespace {

namespace fs = std::filesystem;

/// Takes FP32 [-1,2] and gives it back.
class EchoModel final : public Model {
 public:
  EchoModel() {
    signature_.inputs = {{"x", DataType::kFp32, {-1, 2}, {}}};
    signature_.outputs = {{"y", DataType::kFp32, {-1, 2}, {}}};
  }
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    return std::vector<Tensor>{*request.inputs[0]};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

 private:
  Signature signature_;
};

/// Recognises files that begin with its id; of folders, whatever it is handed.
class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(std::string id) : id_(std::move(id)) {}
  [[nodiscard]] std::string_view id() const noexcept override { return id_; }
  [[nodiscard]] std::string description() const override { return id_; }
  [[nodiscard]] Result<bool> recognises(const fs::path& path) const override {
    std::ifstream in(path, std::ios::binary);
    std::string head(id_.size(), '\0');
    in.read(head.data(), static_cast<std::streamsize>(head.size()));
    return head == id_;
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions&) override {
    loaded = files.path;
    if (refuses) return fail(Code::kInvalidArgument, "class Nobody is not known");
    return std::make_unique<EchoModel>();
  }

  fs::path loaded;
  bool refuses = false;

 private:
  const std::string id_;
};

class MlflowBackendTest : public ::testing::Test {
 protected:
  MlflowBackendTest() {
    std::string pattern = (fs::temp_directory_path() / "protean-mlflow-XXXXXX").string();
    folder_ = fs::path(::mkdtemp(pattern.data())) / "m";
    fs::create_directory(folder_);
  }
  ~MlflowBackendTest() override { fs::remove_all(folder_.parent_path()); }

  void put(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  Result<std::unique_ptr<Model>> load() { return backend_->load({"m", "1", folder_, folder_}, {}); }
  std::string error() {
    const auto model = load();
    return model ? "loaded" : model.error().message;
  }

  fs::path folder_;
  FakeBackend onnx_{"onnxruntime"};
  FakeBackend python_{"python"};
  std::unique_ptr<Backend> backend_ = make_mlflow_backend(
      {&onnx_}, [this](const ModelFiles& files, const LoadOptions& options) { return python_.load(files, options); });
};

constexpr const char* kOnnx =
    "flavors:\n  onnx:\n    data: model.onnx\n  python_function:\n    loader_module: mlflow.onnx\n"
    "mlflow_version: 3.17.2\n";

TEST_F(MlflowBackendTest, RecognisesAFolderByItsFile) {
  EXPECT_FALSE(*backend_->recognises(folder_));
  put("MLmodel", "notes: none\n");
  EXPECT_FALSE(*backend_->recognises(folder_));
  put("MLmodel", kOnnx);
  EXPECT_TRUE(*backend_->recognises(folder_));
  EXPECT_FALSE(*backend_->recognises(folder_ / "MLmodel"));
}

TEST_F(MlflowBackendTest, HandsTheFlavorsFileToWhomeverKnowsIt) {
  put("MLmodel", kOnnx);
  put("model.onnx", "onnxruntime...");
  const auto model = load();
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(onnx_.loaded, folder_ / "model.onnx");
  EXPECT_EQ((*model)->load_notes().front(), "flavor onnx by onnxruntime, MLflow 3.17.2");
}

TEST_F(MlflowBackendTest, GivesPythonTheFolderWhenNobodyElseTakesAFlavor) {
  put("MLmodel", kOnnx);
  put("model.onnx", "onnxruntime...");
  onnx_.refuses = true;
  ASSERT_TRUE(load());
  EXPECT_EQ(python_.loaded, folder_);
  python_.refuses = true;
  EXPECT_EQ(error(),
            "MLmodel: no flavor can be served: onnx: class Nobody is not known; python_function: class Nobody "
            "is not known (model m, version 1)");
}

TEST_F(MlflowBackendTest, CastsTensorsToWhatTheModelTakes) {
  put("MLmodel", std::string(kOnnx) +
                     "signature:\n  inputs: '[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"float64\", "
                     "\"shape\": [-1, 2]}}]'\n");
  put("model.onnx", "onnxruntime...");
  const auto model = load();
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->signature().inputs[0].type, DataType::kFp64);
  const double values[] = {0.1, 2};
  Buffer data;
  data.append(values, sizeof values);
  const Tensor input{DataType::kFp64, {1, 2}, std::move(data).share()};
  const Tensor* inputs[] = {&input};
  const std::size_t outputs[] = {0};
  const auto answer = (*model)->run({inputs, outputs, {}});
  ASSERT_TRUE(answer);
  float found[2];
  ASSERT_EQ(answer->front().data.size(), sizeof found);
  std::memcpy(found, answer->front().data.data(), sizeof found);
  EXPECT_EQ(found[0], 0.1F);
}

TEST_F(MlflowBackendTest, BringsTheInputExampleAsARequest) {
  put("MLmodel",
      std::string(kOnnx) + "saved_input_example_info:\n  artifact_path: input_example.json\n  type: ndarray\n");
  put("model.onnx", "onnxruntime...");
  put("input_example.json", "[[1.5, 2.0]]");
  const auto model = load();
  ASSERT_TRUE(model);
  EXPECT_EQ((*model)->signature().example,
            R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.5,2.0]}]})");
}

TEST_F(MlflowBackendTest, ReadsNothingOutsideTheFolder) {
  const auto with_data = [](const std::string& path) { return "flavors:\n  onnx:\n    data: " + path + "\n"; };
  put("MLmodel", with_data("../secret"));
  EXPECT_EQ(error(),
            "MLmodel: no flavor can be served: onnx: MLmodel: '../secret' is not a path within the model's "
            "folder (model m, version 1)");
  put("MLmodel", with_data("/etc/passwd"));
  EXPECT_NE(error().find("is not a path within"), std::string::npos) << error();
  std::ofstream(folder_.parent_path() / "outside") << "onnxruntime";
  fs::create_symlink(folder_.parent_path() / "outside", folder_ / "link");
  put("MLmodel", with_data("link"));
  EXPECT_NE(error().find("leads out of the model's folder"), std::string::npos) << error();
}

TEST_F(MlflowBackendTest, SaysWhichFlavorsItFoundAndTakes) {
  put("MLmodel", "flavors:\n  pytorch:\n    data: data\n");
  EXPECT_EQ(error(),
            "MLmodel: found the flavors pytorch, expected one of onnx, xgboost, lightgbm, catboost, sklearn or "
            "python_function (model m, version 1)");
}

}  // namespace
}  // namespace protean
