// SPDX-License-Identifier: Apache-2.0
// Rows of all types go into a run and come back to their requests, padded or not.
#include "serving/scheduling/batch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "serving/scheduling/batch_tensors.h"
#include "serving/scheduling/simulated_model_test_support.h"
#include "serving/scheduling/tensor_rows.h"

namespace protean {
namespace {

/// Answers its inputs, or what `reshape` makes of them; remembers the shapes it was given.
class MirrorModel final : public Model {
 public:
  explicit MirrorModel(Signature signature) : signature_(std::move(signature)) {}
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    std::vector<Tensor> outputs;
    seen.clear();
    for (const std::size_t i : request.outputs) {
      seen.push_back(request.inputs[i]->shape);
      outputs.push_back(*request.inputs[i]);
      if (reshape) reshape(outputs.back());
    }
    return outputs;
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

  std::vector<Shape> seen;
  std::function<void(Tensor&)> reshape;

 private:
  Signature signature_;
};

struct PlainCall final : InferCall {
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
  void on_cancel(std::function<void()>) override {}
  void done(Result<InferResult>, RunTimes) override {}
  InferRequest own;
};

class BatchTest : public ::testing::Test {
 protected:
  void use(DataType type, Shape shape, BatchConfig config = {}) {
    Signature signature;
    signature.inputs = {{"x", type, shape, {}, false, false}};
    signature.outputs = {{"y", type, shape, {}, false, false}};
    version_->model_name = "m";
    version_->version_text = "1";
    version_->signature = std::make_shared<const Signature>(signature);
    auto model = std::make_unique<MirrorModel>(signature);
    model_ = model.get();
    version_->model = std::move(model);
    auto whole = std::make_shared<ModelConfig>();
    whole->batch = std::move(config);
    version_->config = whole;
    version_->batch.batchable = true;
  }
  void add(Tensor tensor) {
    auto call = std::make_shared<PlainCall>();
    call->own.inputs.push_back({"x", std::move(tensor), {}});
    call->request = &call->own;
    call->version = version_;
    call->ticket.checked = check_request(call->own, *version_->signature, "m").value();
    call->ticket.group = 1;
    batch_.version = version_.get();
    const std::uint64_t rows = call->ticket.checked.rows;
    batch_.pieces.push_back({call, 0, rows, 0});
    batch_.rows += rows;
    batch_.rows_run = batch_.rows;
  }
  static Tensor numbers(DataType type, Shape shape, std::string_view bytes) {
    return {type, std::move(shape), Slice::of(std::string(bytes))};
  }
  static Tensor strings(Shape shape, const std::vector<std::string>& elements) {
    Buffer data;
    for (const auto& element : elements) append_bytes_element(data, element);
    return {DataType::kBytes, std::move(shape), std::move(data).share()};
  }
  const Tensor& given(std::size_t i) const { return batch_.pieces[i].call->request->inputs[0].tensor; }
  void expect_own_answers() {
    ASSERT_EQ(batch_.results.size(), batch_.pieces.size());
    for (std::size_t i = 0; i < batch_.pieces.size(); ++i) {
      ASSERT_TRUE(batch_.results[i]) << batch_.results[i].error().message;
      EXPECT_EQ(batch_.results[i]->at(0).shape, given(i).shape);
      EXPECT_EQ(batch_.results[i]->at(0).data.text(), given(i).data.text());
    }
  }

  std::shared_ptr<LoadedVersion> version_ = std::make_shared<LoadedVersion>();
  MirrorModel* model_ = nullptr;
  Batch batch_;
};

TEST_F(BatchTest, ReturnsEachRowToItsRequestForEveryFixedType) {
  for (int i = 0; i < static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    const std::size_t size = element_size(type);
    batch_.pieces.clear();
    batch_.rows = 0;
    use(type, {-1, 3});
    const char a = '\0', b = '\1';
    add(numbers(type, {1, 3}, std::string(3 * size, a)));
    add(numbers(type, {2, 3}, std::string(6 * size, b)));
    add(numbers(type, {1, 3}, std::string(3 * size, a)));
    run_batch(batch_, Clock::system());
    EXPECT_EQ(model_->seen.at(0), (Shape{4, 3}));
    expect_own_answers();
  }
}

TEST_F(BatchTest, ReturnsStringsOfAllLengthsToTheirRequests) {
  use(DataType::kBytes, {-1, 2});
  add(strings({1, 2}, {"", "one"}));
  add(strings({2, 2}, {"two", "", "three hundred", std::string("\0z", 2)}));
  add(strings({1, 2}, {"four", "five"}));
  run_batch(batch_, Clock::system());
  EXPECT_EQ(model_->seen.at(0), (Shape{4, 2}));
  expect_own_answers();
}

TEST_F(BatchTest, CopiesNothingForOneWholeRequest) {
  use(DataType::kUint8, {-1});
  add(numbers(DataType::kUint8, {3}, "abc"));
  run_batch(batch_, Clock::system());
  expect_own_answers();
  EXPECT_EQ(batch_.results[0]->at(0).data.data(), given(0).data.data());
}

TEST_F(BatchTest, HandsOutputsOutAsViewsOfOneMemory) {
  use(DataType::kUint8, {-1});
  add(numbers(DataType::kUint8, {3}, "abc"));
  add(numbers(DataType::kUint8, {2}, "de"));
  run_batch(batch_, Clock::system());
  EXPECT_EQ(batch_.results[0]->at(0).data.owner, batch_.results[1]->at(0).data.owner);
  EXPECT_EQ(batch_.results[0]->at(0).data.data() + 3, batch_.results[1]->at(0).data.data());
}

TEST_F(BatchTest, RunsAPieceOfARequestAsAView) {
  use(DataType::kBytes, {-1});
  add(strings({4}, {"a", "bb", "ccc", "dddd"}));
  batch_.pieces[0].row_begin = 1;
  batch_.pieces[0].rows = batch_.rows = batch_.rows_run = 2;
  run_batch(batch_, Clock::system());
  ASSERT_TRUE(batch_.results.at(0));
  EXPECT_EQ(batch_.results[0]->at(0).data.text(), strings({2}, {"bb", "ccc"}).data.text());
  EXPECT_EQ(batch_.results[0]->at(0).data.owner, given(0).data.owner);
}

TEST_F(BatchTest, FillsUpWithCopiesOfTheLastRow) {
  use(DataType::kUint8, {-1, 2});
  add(numbers(DataType::kUint8, {2, 2}, "abcd"));
  batch_.rows_run = 4;
  const auto inputs = assemble_inputs(batch_);
  ASSERT_TRUE(inputs);
  EXPECT_EQ(inputs->tensors[0].data.text(), "abcdcdcd");
  run_batch(batch_, Clock::system());
  expect_own_answers();
}

TEST_F(BatchTest, PadsOtherDimensionsWithZerosAndCutsThemBack) {
  BatchConfig config;
  config.pad_dims = true;
  use(DataType::kUint8, {-1, -1}, config);
  add(numbers(DataType::kUint8, {1, 2}, "ab"));
  add(numbers(DataType::kUint8, {2, 3}, "cdefgh"));
  const auto inputs = assemble_inputs(batch_);
  ASSERT_TRUE(inputs);
  EXPECT_EQ(inputs->tensors[0].shape, (Shape{3, 3}));
  EXPECT_EQ(inputs->tensors[0].data.text(), std::string_view("ab\0cdefgh", 9));
  run_batch(batch_, Clock::system());
  expect_own_answers();
}

TEST_F(BatchTest, PadsInnerAndOuterDimensionsToTheirBuckets) {
  BatchConfig config;
  config.pad_dims = true;
  config.dim_buckets = {2, 4};
  use(DataType::kUint8, {-1, -1, -1}, config);
  add(numbers(DataType::kUint8, {1, 1, 3}, "abc"));
  add(numbers(DataType::kUint8, {1, 2, 2}, "defg"));
  const auto inputs = assemble_inputs(batch_);
  ASSERT_TRUE(inputs);
  EXPECT_EQ(inputs->tensors[0].shape, (Shape{2, 2, 4}));
  EXPECT_EQ(inputs->tensors[0].data.text(), std::string_view("abc\0\0\0\0\0de\0\0fg\0\0", 16));
  run_batch(batch_, Clock::system());
  ASSERT_TRUE(batch_.results.at(1));
  EXPECT_EQ(batch_.results[1]->at(0).data.text(), "defg");
  EXPECT_EQ(batch_.results[0]->at(0).data.text(), "abc");
}

TEST_F(BatchTest, PadsStringsWithEmptyOnes) {
  BatchConfig config;
  config.pad_dims = true;
  use(DataType::kBytes, {-1, -1}, config);
  add(strings({1, 1}, {"a"}));
  add(strings({1, 3}, {"b", "", "c"}));
  const auto inputs = assemble_inputs(batch_);
  ASSERT_TRUE(inputs);
  EXPECT_EQ(inputs->tensors[0].data.text(), strings({2, 3}, {"a", "", "", "b", "", "c"}).data.text());
  run_batch(batch_, Clock::system());
  expect_own_answers();
}

TEST_F(BatchTest, NamesTheOutputThatHasNotOneRowForEach) {
  use(DataType::kUint8, {-1, 2});
  model_->reshape = [](Tensor& tensor) { tensor.shape = {1, static_cast<std::int64_t>(tensor.data.size())}; };
  add(numbers(DataType::kUint8, {1, 2}, "ab"));
  add(numbers(DataType::kUint8, {1, 2}, "cd"));
  run_batch(batch_, Clock::system());
  for (const auto& result : batch_.results) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kInternal);
    EXPECT_EQ(result.error().message,
              "output 'y': shape [1,4], expected 2 rows, one for each of the run's (model m, version 1)");
  }
}

TEST_F(BatchTest, MakesWhatAModelThrowsTheErrorOfItsRequests) {
  use(DataType::kUint8, {-1});
  model_->reshape = [](Tensor&) { throw 7; };
  add(numbers(DataType::kUint8, {1}, "a"));
  add(numbers(DataType::kUint8, {1}, "b"));
  run_batch(batch_, Clock::system());
  ASSERT_EQ(batch_.results.size(), 2U);
  EXPECT_EQ(batch_.results[1].error().message, "the model threw: something unknown (model m, version 1)");
}

TEST_F(BatchTest, KeepsTheErrorOfOneRequestFromThoseThatShareItsRun) {
  use(DataType::kUint8, {-1});
  model_->reshape = [](Tensor& tensor) {
    if (tensor.data.text().find('x') != std::string_view::npos) throw std::runtime_error("found an x");
  };
  add(numbers(DataType::kUint8, {1}, "a"));
  add(numbers(DataType::kUint8, {2}, "xy"));
  add(numbers(DataType::kUint8, {1}, "b"));
  run_batch(batch_, Clock::system());
  ASSERT_EQ(batch_.results.size(), 3U);
  ASSERT_TRUE(batch_.results[0] && batch_.results[2]);
  EXPECT_EQ(batch_.results[0]->at(0).data.text(), "a");
  EXPECT_EQ(batch_.results[2]->at(0).data.text(), "b");
  ASSERT_FALSE(batch_.results[1]);
  EXPECT_EQ(batch_.results[1].error().message, "the model threw: found an x (model m, version 1)");
}

TEST_F(BatchTest, JoinsPiecesInOrderAndRefusesDifferentShapes) {
  use(DataType::kUint8, {-1, -1});
  const auto a = numbers(DataType::kUint8, {1, 2}, "ab");
  const auto joined = join_parts({{a}, {numbers(DataType::kUint8, {2, 2}, "cdef")}}, *version_);
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->at(0).shape, (Shape{3, 2}));
  EXPECT_EQ(joined->at(0).data.text(), "abcdef");
  EXPECT_FALSE(join_parts({{a}, {numbers(DataType::kUint8, {1, 3}, "cde")}}, *version_));
}

}  // namespace
}  // namespace protean
