// SPDX-License-Identifier: Apache-2.0
// Expected values by hand: for a linear model KernelSHAP is w * (x - mean of the background), for a product of two
// features each gets half of the interaction.
#include "explain/explain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "explain/coalitions.h"

namespace protean {
namespace {

using Function = std::function<double(std::span<const double>)>;

Tensor matrix(std::size_t columns, const std::vector<double>& values) {
  Buffer data;
  data.append(values.data(), values.size() * sizeof(double));
  return {DataType::kFp64,
          {static_cast<std::int64_t>(values.size() / columns), static_cast<std::int64_t>(columns)},
          std::move(data).share()};
}

std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> out(tensor.data.size() / sizeof(double));
  std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

/// Any function of a row; says how large its runs were.
class FunctionModel final : public Model {
 public:
  FunctionModel(std::size_t columns, Function function) : columns_(columns), function_(std::move(function)) {
    signature_.inputs = {{"x", DataType::kFp64, {-1, static_cast<std::int64_t>(columns)}, {}}};
    signature_.outputs = {{"label", DataType::kBytes, {-1}, {}}, {"y", DataType::kFp64, {-1}, {}}};
  }
  [[nodiscard]] const Signature& signature() const noexcept override { return signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    const auto values = values_of(*request.inputs[0]);
    const std::size_t rows = values.size() / columns_;
    rows_largest = std::max(rows_largest, rows);
    ++runs;
    std::vector<double> out;
    for (std::size_t row = 0; row < rows; ++row) {
      out.push_back(function_(std::span(values).subspan(row * columns_, columns_)));
    }
    Tensor y = matrix(1, out);
    y.shape = {static_cast<std::int64_t>(rows)};
    return std::vector<Tensor>{y};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }
  void be_stateful() { signature_.stateful = true; }

  std::size_t rows_largest = 0;
  std::size_t runs = 0;

 private:
  const std::size_t columns_;
  const Function function_;
  Signature signature_;
};

struct Asked {
  Tensor rows;
  Tensor background;
  ExplainOptions options = {};
  std::stop_token cancel = {};
};

Result<Explained> ask(FunctionModel& model, const Asked& asked) {
  const std::vector<const Tensor*> inputs = {&asked.rows};
  const std::vector<const Tensor*> background = {&asked.background};
  const std::vector<std::size_t> outputs = {0, 1};
  return explain(model, {inputs, outputs, asked.cancel, background}, asked.options);
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

TEST(Explain, OfALinearModelIsWeightTimesDistanceFromTheMean) {
  FunctionModel model(3, [](auto x) { return 2 * x[0] - 3 * x[1] + 0.5 * x[2] + 7; });
  const auto explained = ask(model, {matrix(3, {1, 2, 3, 0, 0, 4}), matrix(3, {0, 0, 0, 2, 4, 6})});
  ASSERT_TRUE(explained) << explained.error().message;
  const Contributions& found = explained->contributions;
  EXPECT_EQ(found.method, "kernel_shap");
  EXPECT_EQ(found.features, (std::vector<std::string>{"x[0]", "x[1]", "x[2]"}));
  EXPECT_EQ(found.outputs, std::vector<std::string>{"y"});
  expect_near(values_of(found.base), {2 * 1 - 3 * 2 + 0.5 * 3 + 7}, 1e-12);
  expect_near(values_of(found.values), {0, 0, 0, -2, 6, 0.5}, 1e-9);
  expect_near(values_of(found.totals), {4.5, 9}, 1e-12);
  EXPECT_LT(explained->additivity_error, 1e-9);
}

TEST(Explain, SharesAnInteractionEqually) {
  FunctionModel model(3, [](auto x) { return x[0] * x[1]; });
  const auto explained = ask(model, {matrix(3, {3, 5, 9}), matrix(3, {1, 2, 0})});
  ASSERT_TRUE(explained);
  // v({})=2, v({0})=6, v({1})=5, v({0,1})=15: ((6-2)+(15-5))/2 and ((5-2)+(15-6))/2
  expect_near(values_of(explained->contributions.values), {7, 6, 0}, 1e-9);
}

TEST(Explain, RecoversALinearModelFromSamplesOfManyFeatures) {
  constexpr std::size_t kFeatures = 70;
  FunctionModel model(kFeatures, [](auto x) {
    double sum = 1;
    for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(i) * x[i];
    return sum;
  });
  const auto explained = ask(model, {matrix(kFeatures, std::vector<double>(kFeatures, 1)),
                                     matrix(kFeatures, std::vector<double>(kFeatures, 0)),
                                     {.samples = 400, .seed = 9}});
  ASSERT_TRUE(explained);
  const auto values = values_of(explained->contributions.values);
  for (std::size_t i = 0; i < kFeatures; ++i) EXPECT_NEAR(values[i], static_cast<double>(i), 1e-6);
  EXPECT_LT(explained->additivity_error, 1e-6);
}

TEST(Explain, IsTheSameForTheSameSeed) {
  const auto values = [](std::uint64_t seed) {
    FunctionModel model(14, [](auto x) { return x[0] * x[1] * x[2] + std::sin(x[3] * x[9]) + x[13]; });
    const auto explained = ask(model, {matrix(14, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}),
                                       matrix(14, std::vector<double>(14, 0.5)),
                                       {.samples = 100, .seed = seed}});
    return values_of(explained->contributions.values);
  };
  EXPECT_EQ(values(1), values(1));
  EXPECT_NE(values(1), values(2));
}

TEST(Explain, RunsTheModelInBoundedPieces) {
  FunctionModel model(8, [](auto x) { return x[0] + x[7] * x[1]; });
  const Asked asked{matrix(8, {1, 2, 3, 4, 5, 6, 7, 8}), matrix(8, std::vector<double>(8 * 5, 0)), {.rows_max = 17}};
  const auto explained = ask(model, asked);
  ASSERT_TRUE(explained);
  EXPECT_EQ(model.rows_largest, 17U);
  // 254 sets times 5 background rows, and one run each for rows and background.
  EXPECT_EQ(model.runs, (254U * 5 + 16) / 17 + 2);
  expect_near(values_of(explained->contributions.values), {1, 8, 0, 0, 0, 0, 0, 8}, 1e-9);
}

TEST(Explain, WhatDoesNotDifferFromTheBackgroundContributesNothing) {
  FunctionModel model(2, [](auto x) { return x[0] * x[1]; });
  const auto explained = ask(model, {matrix(2, {3, 4, 2, 4}), matrix(2, {2, 4})});
  ASSERT_TRUE(explained);
  EXPECT_EQ(values_of(explained->contributions.values), (std::vector<double>{4, 0, 0, 0}));
}

TEST(Explain, NeedsABackgroundOfTheSameForm) {
  FunctionModel model(2, [](auto x) { return x[0]; });
  const Tensor rows = matrix(2, {1, 2});
  const std::vector<const Tensor*> inputs = {&rows};
  const std::vector<std::size_t> outputs = {1};
  EXPECT_EQ(explain(model, {inputs, outputs, {}, {}}, {}).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(ask(model, {matrix(2, {1, 2}), matrix(1, {1})}).error().message,
            "the background has other inputs or columns than the rows");
}

TEST(Explain, MakesUpNoRunsOfAStatefulModel) {
  FunctionModel model(2, [](auto x) { return x[0]; });
  model.be_stateful();
  const auto explained = ask(model, {matrix(2, {1, 2}), matrix(2, {0, 0})});
  ASSERT_FALSE(explained);
  EXPECT_EQ(explained.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(model.runs, 0U);
}

TEST(Explain, StopsWhenNobodyWaitsOrTheDeadlineIsOver) {
  std::stop_source stop;
  FunctionModel model(4, [&](auto x) {
    stop.request_stop();
    return x[0];
  });
  const auto cancelled = ask(model, {matrix(4, {1, 2, 3, 4}), matrix(4, {0, 0, 0, 0}), {}, stop.get_token()});
  EXPECT_EQ(cancelled.error().code, Code::kCancelled);
  EXPECT_EQ(model.runs, 1U);
  const auto late = ask(model, {matrix(4, {1, 2, 3, 4}), matrix(4, {0, 0, 0, 0}), {.deadline = TimePoint{}}});
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
}

TEST(Explain, RefusesWorkWithoutEnd) {
  FunctionModel model(20, [](auto x) { return x[0]; });
  const auto refused = ask(
      model,
      {matrix(20, std::vector<double>(20, 1)), matrix(20, std::vector<double>(20 * 1000, 0)), {.samples = 1'000'000}});
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
}

TEST(ChooseCoalitions, TakesAllSetsWhereTheyFitAndWeighsThemAsShapleyDoes) {
  const Coalitions sets = choose_coalitions(3, 8, 1);
  EXPECT_TRUE(sets.exact);
  ASSERT_EQ(sets.count(), 6U);
  // (3 - 1) / (C(3, s) s (3 - s)) is 1/3 for every set of 1 and of 2: equal after scaling.
  for (const double weight : sets.weights) EXPECT_NEAR(weight, 1.0 / 6, 1e-15);
}

TEST(ChooseCoalitions, DrawsTheRestInPairs) {
  const Coalitions sets = choose_coalitions(65, 300, 1);
  EXPECT_FALSE(sets.exact);
  EXPECT_LE(sets.count(), 300U);
  EXPECT_GE(sets.count(), 130U);
  double sum = 0;
  for (const double weight : sets.weights) sum += weight;
  EXPECT_NEAR(sum, 1, 1e-12);
  std::size_t present = 0;
  for (std::size_t c = 0; c < sets.count(); ++c) {
    for (std::size_t f = 0; f < 65; ++f) present += sets.has(c, f) ? 1 : 0;
  }
  EXPECT_EQ(present, sets.count() * 65 / 2);
}

}  // namespace
}  // namespace protean
