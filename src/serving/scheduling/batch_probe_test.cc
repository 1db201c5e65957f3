// SPDX-License-Identifier: Apache-2.0
// Models that have a batch dimension, and models that only look as if.
#include "serving/scheduling/batch_probe.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <stdexcept>

namespace protean {
namespace {

using Floats = std::vector<float>;

/// FP32 [-1, 2] in; what `compute` makes of rows and values out.
class FloatModel final : public Model {
 public:
  using Compute = std::function<Tensor(std::int64_t rows, const Floats& values)>;
  FloatModel(Shape output, Compute compute) : compute_(std::move(compute)) {
    signature_.inputs = {{"x", DataType::kFp32, {-1, 2}, {}, false, false}};
    signature_.outputs = {{"y", DataType::kFp32, std::move(output), {}, false, false}};
  }
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    const Tensor& x = *request.inputs[0];
    Floats values(x.data.size() / sizeof(float));
    std::memcpy(values.data(), x.data.data(), x.data.size());
    return std::vector<Tensor>{compute_(x.shape[0], values)};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

  Signature signature_;

 private:
  Compute compute_;
};

Tensor floats(Shape shape, const Floats& values) {
  Buffer data;
  data.append(values.data(), values.size() * sizeof(float));
  return {DataType::kFp32, std::move(shape), std::move(data).share()};
}

Floats row_sums(std::int64_t rows, const Floats& values) {
  Floats sums;
  for (std::int64_t i = 0; i < rows; ++i) sums.push_back(values[2 * i] + values[2 * i + 1]);
  return sums;
}

TEST(BatchProbe, FindsRowsThatAreIndependentUpToRounding) {
  FloatModel model({-1}, [](std::int64_t rows, const Floats& values) {
    Floats sums = row_sums(rows, values);
    for (float& sum : sums) sum *= rows > 1 ? 1.0001F : 1.0F;
    return floats({rows}, sums);
  });
  const BatchFacts facts = probe_batching(model);
  EXPECT_TRUE(facts.batchable) << facts.reason;
  EXPECT_EQ(facts.reason, "rows are independent");
}

TEST(BatchProbe, FindsRowsThatDependOnTheirCompany) {
  FloatModel model({-1}, [](std::int64_t rows, const Floats& values) {
    Floats sums = row_sums(rows, values);
    float all = 0;
    for (const float sum : sums) all += sum;
    for (float& sum : sums) sum /= all;
    return floats({rows}, sums);
  });
  EXPECT_EQ(probe_batching(model).reason, "output 'y' of a row depends on the other rows");
}

TEST(BatchProbe, FindsRowsThatDependOnTheirPlace) {
  FloatModel model({-1}, [](std::int64_t rows, const Floats& values) {
    Floats sums = row_sums(rows, values);
    if (rows > 1) std::swap(sums[0], sums[1]);
    return floats({rows}, sums);
  });
  EXPECT_FALSE(probe_batching(model).batchable);
}

TEST(BatchProbe, FindsAnOutputThatIsFlattened) {
  FloatModel model({-1}, [](std::int64_t, const Floats& values) {
    return floats({static_cast<std::int64_t>(values.size())}, values);
  });
  EXPECT_EQ(probe_batching(model).reason, "output 'y' has no batch dimension: shape [2] for 1 rows");
}

TEST(BatchProbe, AsksTheSignatureFirst) {
  FloatModel model({1}, [](std::int64_t, const Floats&) -> Tensor { throw std::runtime_error("must not run"); });
  EXPECT_EQ(probe_batching(model).reason, "output 'y' has shape [1], no free first dimension");
  model.signature_.inputs[0].shape = {};
  EXPECT_EQ(probe_batching(model).reason, "input 'x' is a scalar");
  model.signature_.inputs[0].any_rank = true;
  EXPECT_EQ(probe_batching(model).reason, "input 'x' has any number of dimensions");
}

TEST(BatchProbe, SaysWhyAModelCannotBeProbed) {
  FloatModel model({-1}, [](std::int64_t, const Floats&) -> Tensor { throw std::runtime_error("no such table"); });
  const BatchFacts facts = probe_batching(model);
  EXPECT_FALSE(facts.batchable);
  EXPECT_EQ(facts.reason, "probing failed with one row: it threw: no such table");
}

TEST(BatchProbe, DoesNotAskForOutputsOnRequest) {
  FloatModel model({-1},
                   [](std::int64_t rows, const Floats& values) { return floats({rows}, row_sums(rows, values)); });
  TensorSpec costly{"costly", DataType::kFp32, {-1, 3}, {}, false, false};
  costly.on_request = true;
  model.signature_.outputs.insert(model.signature_.outputs.begin(), costly);  // the model answers `y` alone
  const BatchFacts facts = probe_batching(model);
  EXPECT_TRUE(facts.batchable) << facts.reason;
  model.signature_.outputs.pop_back();
  EXPECT_EQ(probe_batching(model).reason, "the model has no inputs or no outputs");
}

}  // namespace
}  // namespace protean
