// SPDX-License-Identifier: Apache-2.0
// Real models in one process behind the backend's contract.
#include "backends/python/shared_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "backends/python/worker_test_support.h"

namespace protean::python {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kProcess = "    def predict(self, inputs): raise InvalidInput(str(os.getpid()))";
constexpr const char* kDouble = "    def predict(self, inputs): return inputs['x'] * 2";

class SharedProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    auto options = test_options();
    PythonEnvironment pool = options.all;
    pool.name = "pool";
    pool.shared = true;
    options.environments = {pool};
    options.models = folder_.path();
    backend_ = *make_python_backend(options);
  }
  Result<std::unique_ptr<Model>> load(const std::string& name, std::string_view body, Duration run_time_max = {}) {
    return backend_->load(folder_.add(name, body), {0, {"pool", 0, 0, 0, run_time_max}});
  }
  std::unique_ptr<Model> loaded(const std::string& name, std::string_view body, Duration run_time_max = {}) {
    auto model = load(name, body, run_time_max);
    EXPECT_TRUE(model) << (model ? "" : model.error().message);
    return model ? std::move(*model) : nullptr;
  }

  ModelsFolder folder_;
  std::unique_ptr<PythonBackend> backend_;
};

TEST_F(SharedProcessTest, HoldsEveryModelThatChoosesIt) {
  const auto one = loaded("one", kProcess);
  auto two = loaded("two", kProcess);
  const auto process = run_one(*one, counting(1)).error().message;
  EXPECT_EQ(run_one(*two, counting(1)).error().message, process);
  EXPECT_EQ(child_processes(), 1U);
  EXPECT_THAT(one->load_notes(), Contains(HasSubstr("shares the worker process of environment 'pool'")));
  two.reset();
  EXPECT_EQ(run_one(*one, counting(1)).error().message, process) << "the other has left";
  EXPECT_EQ(run_one(*loaded("three", kProcess), counting(1)).error().message, process);
}

TEST_F(SharedProcessTest, MovesTensorsOfAnySizeForEach) {
  const auto one = loaded("one", "    def predict(self, inputs): return np.concatenate([inputs['x']] * 3)");
  const auto two = loaded("two",
                          "    def predict(self, inputs):\n"
                          "        y = empty_output('y', inputs['x'].shape)\n"
                          "        np.negative(inputs['x'], out=y)\n"
                          "        return y");
  for (const std::int64_t rows : {1, 1'000'000, 2}) {
    const auto tripled = run_one(*one, counting(rows));
    const auto negated = run_one(*two, counting(rows));
    ASSERT_TRUE(tripled) << tripled.error().message;
    ASSERT_TRUE(negated) << negated.error().message;
    EXPECT_EQ(floats(tripled->front()).back(), static_cast<float>(2 * rows - 1));
    EXPECT_EQ(floats(negated->front()).back(), static_cast<float>(1 - 2 * rows));
  }
}

TEST_F(SharedProcessTest, EndsForEverybodyAndServesEverybodyAgain) {
  const auto deaf = loaded("deaf",
                           "    def predict(self, inputs):\n"
                           "        if len(inputs['x']) == 1: time.sleep(3600)\n"
                           "        return inputs['x']",
                           std::chrono::milliseconds(300));
  const auto other = loaded("other",
                            "    def predict(self, inputs):\n"
                            "        if len(inputs['x']) == 1: time.sleep(3600)\n"
                            "        return inputs['x']");
  Result<std::vector<Tensor>> heard = std::vector<Tensor>();
  std::thread client([&] { heard = run_one(*other, counting(1)); });
  const auto late = run_one(*deaf, counting(1));
  client.join();
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(late.error().message, "the model took too long; its shared Python worker was ended after 300 ms");
  ASSERT_FALSE(heard);
  EXPECT_EQ(heard.error().code, Code::kUnavailable);
  EXPECT_THAT(heard.error().message,
              HasSubstr("its shared Python worker was ended because a run of model 'deaf', version 1, took too long"));
  for (auto* model : {deaf.get(), other.get()}) {
    Result<std::vector<Tensor>> answer = run_one(*model, counting(2));
    while (!answer && answer.error().code == Code::kUnavailable) {
      std::this_thread::yield();
      answer = run_one(*model, counting(2));
    }
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_THAT(floats(answer->front()), ElementsAre(0, 1, 2, 3));
  }
}

TEST_F(SharedProcessTest, LeavesTheOthersAloneWhenOneCannotBeLoaded) {
  const auto one = loaded("one", kProcess);
  const auto process = run_one(*one, counting(1)).error().message;
  const auto broken = load("broken", "    def load(self, folder): raise ValueError('no weights here')");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("ValueError: no weights here (model.py, line "));
  EXPECT_EQ(run_one(*one, counting(1)).error().message, process);
}

TEST_F(SharedProcessTest, RefusesWhatItsFenceDoesNotCover) {
  const ModelsFolder elsewhere;
  const auto outside = backend_->load(elsewhere.add("outside", kDouble), {0, {"pool"}});
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(outside.error().message,
              HasSubstr("is not among what the shared environment 'pool' may read: name it in its readable = [...]"));
  auto options = test_options();
  options.all.name = "pool";
  options.all.shared = true;
  options.all.readable = {elsewhere.path().string()};
  options.environments = {options.all};
  backend_ = *make_python_backend(options);
  EXPECT_TRUE(backend_->load(elsewhere.add("outside", kDouble), {0, {"pool"}}));
}

TEST_F(SharedProcessTest, LeavesNothingBehind) {
  { ASSERT_TRUE(loaded("first", kDouble)); }  // opens what stays open for ever
  const auto descriptors = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    const auto one = loaded("one", "    def predict(self, inputs): os._exit(1)");
    const auto two = loaded("two", kDouble);
    static_cast<void>(run_one(*one, counting(1)));
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(child_processes(), 0U);
}

}  // namespace
}  // namespace protean::python
