// SPDX-License-Identifier: Apache-2.0
// Real workers behind the backend's contract: what a model may return, and what becomes of one that misbehaves.
#include "backends/python/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "backends/python/worker_test_support.h"

namespace protean {
namespace {

using python::counting;
using python::floats;
using python::ModelsFolder;
using python::run_one;
using testing::ElementsAre;
using testing::HasSubstr;

class PythonBackendTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Model>> load(std::string_view body, PythonOptions options = python::test_options()) {
    backend_ = *make_python_backend(options);
    return backend_->load(folder_.add("tested", body), {});
  }
  std::unique_ptr<Model> loaded(std::string_view body, PythonOptions options = python::test_options()) {
    auto model = load(body, std::move(options));
    EXPECT_TRUE(model) << (model ? "" : model.error().message);
    return model ? std::move(*model) : nullptr;
  }

  ModelsFolder folder_;
  std::unique_ptr<PythonBackend> backend_;
};

TEST_F(PythonBackendTest, RunsTheModelAndReturnsItsArrays) {
  const auto model = loaded("    def predict(self, inputs): return {'y': inputs['x'] * 2}");
  const auto answer = run_one(*model, counting(2));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->front().shape, (Shape{2, 2}));
  EXPECT_THAT(floats(answer->front()), ElementsAre(0, 2, 4, 6));
  EXPECT_EQ(model->signature().platform, "python");
  EXPECT_EQ(model->remote_runs(), 1U);
}

TEST_F(PythonBackendTest, CallsPreprocessPredictAndPostprocessInThatOrder) {
  const auto model = loaded(
      "    def preprocess(self, inputs): return inputs['x'] + 1\n"
      "    async def predict(self, x): return x * 10\n"
      "    def postprocess(self, result): return [result - 1]");
  EXPECT_THAT(floats(run_one(*model, counting(1))->front()), ElementsAre(9, 19));
}

TEST_F(PythonBackendTest, JoinsThePartsOfAGenerator) {
  const auto model = loaded(
      "    async def predict(self, inputs):\n"
      "        for row in inputs['x']: yield row[None]");
  EXPECT_THAT(floats(run_one(*model, counting(3))->front()), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_F(PythonBackendTest, GivesTheModelNoMoreRowsThanItTakes) {
  const auto model = loaded(
      "    max_batch = 2\n"
      "    def predict(self, inputs): return np.full_like(inputs['x'], len(inputs['x']))");
  EXPECT_THAT(floats(run_one(*model, counting(3))->front()), ElementsAre(2, 2, 2, 2, 1, 1));
}

TEST_F(PythonBackendTest, MovesTensorsOfAnySize) {
  const auto model = loaded("    def predict(self, inputs): return np.concatenate([inputs['x']] * 3)");
  for (const std::int64_t rows : {0, 1, 1'000'000, 3, 4'000'000, 1}) {
    const auto answer = run_one(*model, counting(rows));
    ASSERT_TRUE(answer) << rows << ": " << answer.error().message;
    EXPECT_EQ(answer->front().shape, (Shape{3 * rows, 2}));
    const auto values = floats(answer->front());
    EXPECT_EQ(values.empty() ? -1 : values.back(), static_cast<float>(2 * rows - 1));
  }
}

TEST_F(PythonBackendTest, TakesAnswersThatWereMadeInPlace) {
  const auto model = loaded(
      "    outputs = [Output('y', 'FP32', [-1, 2]), Output('z', 'INT64', [-1])]\n"
      "    def predict(self, inputs):\n"
      "        x = inputs['x']\n"
      "        y, z = empty_output('y', x.shape), empty_output('z', [len(x)])\n"
      "        np.negative(x, out=y)\n"
      "        z[:] = len(x)\n"
      "        if len(x) == 5: return {'y': y[::-1], 'z': z}\n"  // in place, but in another order
      "        if len(x) == 6: return {'y': y + 1, 'z': z}\n"    // one of them is not
      "        if len(x) == 7: return {'y': z.astype('f4')[:, None] + y, 'z': z[:3]}\n"
      "        return {'y': y, 'z': z}");
  for (const std::int64_t rows : {1, 2, 5, 6, 7, 100'000, 100'001, 1'000'000, 999'999, 3, 0}) {
    const auto answer = run_one(*model, counting(rows));
    ASSERT_TRUE(answer) << rows << ": " << answer.error().message;
    const auto y = floats(answer->front());
    ASSERT_EQ(y.size(), static_cast<std::size_t>(2 * rows));
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto at = static_cast<float>(rows == 5 ? 2 * (4 - i / 2) + i % 2 : i);
      ASSERT_EQ(y[i], (rows == 6 ? 1 : rows == 7 ? 7 : 0) - at) << rows << " rows, " << i;
    }
    EXPECT_EQ(answer->at(1).shape, Shape{rows == 7 ? 3 : rows});
    const auto z = answer->at(1).data.bytes;
    EXPECT_EQ(z.empty() ? 0 : std::to_integer<std::int64_t>(z.front()), rows & 0xff);
  }
}

TEST_F(PythonBackendTest, TakesTheSamePlaceOnce) {
  const auto model = loaded(
      "    outputs = [Output(name, 'FP32', [-1]) for name in 'abc']\n"
      "    def predict(self, inputs):\n"
      "        a = empty_output('a', [200_000])\n"
      "        a[:] = 7\n"
      "        return [a, a, a]");
  for (int i = 0; i < 3; ++i) {
    const auto answer = run_one(*model, counting(1));
    ASSERT_TRUE(answer) << answer.error().message;
    for (const auto& tensor : *answer) EXPECT_EQ(floats(tensor), std::vector<float>(200'000, 7));
  }
  const auto wrong = loaded("    def predict(self, inputs): return empty_output('x', [1])");
  EXPECT_THAT(run_one(*wrong, counting(1)).error().message, HasSubstr("KeyError: 'x'"));
}

TEST_F(PythonBackendTest, CarriesText) {
  const auto model = loaded(
      "    inputs = [Input('x', 'BYTES', [-1])]\n"
      "    outputs = [Output('y', 'BYTES', [-1])]\n"
      "    def predict(self, inputs): return [[text.decode().upper() for text in inputs['x']]]");
  Buffer bytes;
  for (const char* text : {"", "grün", "a"}) append_bytes_element(bytes, text);
  const auto answer = run_one(*model, {DataType::kBytes, {3}, std::move(bytes).share()});
  ASSERT_TRUE(answer) << answer.error().message;
  BytesReader reader(answer->front().data.bytes);
  EXPECT_EQ(reader.next(), "");
  EXPECT_EQ(reader.next(), "GRÜN");
  EXPECT_EQ(reader.next(), "A");
}

TEST_F(PythonBackendTest, SaysWhatTheModelRaisedAndWhere) {
  const auto model = loaded(
      "    def predict(self, inputs):\n"
      "        if inputs['x'][0, 0] == 0: raise InvalidInput('zero is no good')\n"
      "        return 1 / 0");
  const auto refused = run_one(*model, counting(1));
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "zero is no good");
  Tensor ones = counting(2);
  ones = {DataType::kFp32, {1, 2}, ones.data.part(8, 8)};
  const auto raised = run_one(*model, ones);
  EXPECT_EQ(raised.error().code, Code::kInternal);
  EXPECT_EQ(raised.error().message,
            "the model raised ZeroDivisionError: division by zero (model.py, line 11, in predict)");
}

TEST_F(PythonBackendTest, HoldsAnswersAgainstTheSignature) {
  const auto model = loaded(
      "    def predict(self, inputs):\n"
      "        return [np.zeros((3, 3), 'f4'), np.zeros((1, 2), 'i8'), np.zeros((1, 2), complex), "
      "{}][len(inputs['x'])]");
  EXPECT_THAT(run_one(*model, counting(0)).error().message, HasSubstr("shape [3, 3], expected [-1, 2]"));
  EXPECT_TRUE(run_one(*model, counting(1)));  // whole numbers become floats
  EXPECT_THAT(run_one(*model, counting(2)).error().message, HasSubstr("an array of complex128"));
  EXPECT_THAT(run_one(*model, counting(3)).error().message, HasSubstr("expected an output 'y'"));
}

TEST_F(PythonBackendTest, RefusesModelsThatCannotBeLoaded) {
  const auto raised = load("    def load(self, folder): raise ValueError('no weights')");
  ASSERT_FALSE(raised);
  EXPECT_EQ(raised.error().code, Code::kInvalidArgument);
  EXPECT_THAT(raised.error().message,
              HasSubstr("loading it raised ValueError: no weights (model.py, line 9, in load)"));
  EXPECT_THAT(raised.error().message, HasSubstr("(model tested, version 1)"));
  const auto no_inputs = load("    inputs = []");
  EXPECT_THAT(no_inputs.error().message, HasSubstr("the model declares no inputs"));
  const auto ended = load("    def load(self, folder): print('so long'); sys.stdout.flush(); os._exit(3)");
  EXPECT_EQ(ended.error().code, Code::kUnavailable);
  EXPECT_THAT(ended.error().message, HasSubstr("ended with status 3; the last line of its log: so long"));
}

TEST_F(PythonBackendTest, EndsLoadingThatTakesTooLong) {
  auto options = python::test_options();
  options.all.load_time_max = std::chrono::seconds(1);
  const auto model = load("    def load(self, folder): time.sleep(3600)", options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kDeadlineExceeded);
}

TEST_F(PythonBackendTest, AnswersAtOnceWhenTheWorkerDiesAndStartsAnother) {
  const auto model = loaded(
      "    def predict(self, inputs):\n"
      "        if len(inputs['x']) == 2: os.kill(os.getpid(), 9)\n"
      "        return inputs['x']");
  ASSERT_TRUE(run_one(*model, counting(1)));
  const auto answer = run_one(*model, counting(2));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("its Python worker was ended by signal 9 (Killed)"));
  while (true) {
    const auto next = run_one(*model, counting(1));
    if (next) break;
    ASSERT_EQ(next.error().code, Code::kUnavailable) << next.error().message;
    EXPECT_GT(next.error().retry_after.count(), 0);
    std::this_thread::yield();
  }
}

TEST_F(PythonBackendTest, StopsARunThatTakesTooLongAndKeepsItsWorker) {
  auto options = python::test_options();
  options.all.run_time_max = std::chrono::milliseconds(200);
  for (const char* sleep : {"def predict(self, inputs):\n        if len(inputs['x']) == 2: time.sleep(3600)",
                            "async def predict(self, inputs):\n"
                            "        import asyncio\n"
                            "        if len(inputs['x']) == 2: await asyncio.sleep(3600)"}) {
    const auto model = loaded(std::string("    served = 0\n    ") + sleep + "\n        self.served += 1\n" +
                                  "        return np.full((1, 2), self.served, 'f4')",
                              options);
    EXPECT_THAT(floats(run_one(*model, counting(1))->front()), ElementsAre(1, 1));
    const auto answer = run_one(*model, counting(2));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
    EXPECT_EQ(answer.error().message, "the model took too long; its run was stopped after 200 ms");
    EXPECT_THAT(floats(run_one(*model, counting(1))->front()), ElementsAre(2, 2)) << "the same worker";
  }
}

TEST_F(PythonBackendTest, EndsARunThatTakesTooLongAndDoesNotStop) {
  auto options = python::test_options();
  options.all.run_time_max = std::chrono::milliseconds(200);
  const auto model = loaded(
      "    def predict(self, inputs):\n"
      "        while True:\n"
      "            try: time.sleep(3600)\n"
      "            except BaseException: pass",
      options);
  const auto answer = run_one(*model, counting(1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(answer.error().message, "the model took too long; its Python worker was ended after 200 ms");
}

TEST_F(PythonBackendTest, StopsARunThatNobodyWaitsForAndKeepsItsWorker) {
  const auto model = loaded(
      "    served = 0\n"
      "    def predict(self, inputs):\n"
      "        if len(inputs['x']) == 2: time.sleep(3600)\n"
      "        self.served += 1\n"
      "        return np.full((1, 2), self.served, 'f4')");
  const Tensor x = counting(2);
  const Tensor* inputs[] = {&x};
  const std::size_t outputs[] = {0};
  for (int i = 1; i < 20; ++i) {
    std::stop_source caller;
    // At the beginning, in the middle, and before.
    if (i % 3 == 0) caller.request_stop();
    std::jthread leaves([&] {
      for (int turn = 0; turn < i * i * 100; ++turn) std::this_thread::yield();
      caller.request_stop();
    });
    const auto answer = model->run({inputs, outputs, caller.get_token()});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kCancelled) << answer.error().message;
    EXPECT_THAT(floats(run_one(*model, counting(1))->front()), ElementsAre(i, i)) << "the same worker";
  }
}

TEST_F(PythonBackendTest, LimitsMemory) {
  const auto model = loaded(
      "    def predict(self, inputs):\n"
      "        return np.ones(1 << 31, 'u1')[:1] if len(inputs['x']) == 2 else inputs['x']");
  const auto answer = run_one(*model, counting(2));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("MemoryError"));
  EXPECT_EQ(answer.error().code, Code::kInternal);
  EXPECT_TRUE(run_one(*model, counting(1)));
}

TEST_F(PythonBackendTest, ExplainsWhereTheModelDoes) {
  const auto model = loaded(
      "    def predict(self, inputs): return inputs['x']\n"
      "    def explain(self, inputs):\n"
      "        x = inputs['x'].astype('f8')\n"
      "        return Explanation('linear', 'raw', ['a', 'b'], ['y'], [1], x[:, :, None], x.sum(1, keepdims=True) + "
      "1)");
  const Tensor x = counting(2);
  const Tensor* inputs[] = {&x};
  const auto answer = model->explain({inputs, {}, {}});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_THAT(answer->features, ElementsAre("a", "b"));
  EXPECT_EQ(answer->values.shape, (Shape{2, 2, 1}));
  const auto none = loaded("    def predict(self, inputs): return inputs['x']");
  EXPECT_EQ(none->explain({inputs, {}, {}}).error().code, Code::kUnimplemented);
}

TEST_F(PythonBackendTest, UnpicklesOnlyWhereThatIsAllowed) {
  backend_ = *make_python_backend(python::test_options());
  const auto model = backend_->load_adapter(folder_.add("pickled", ""), {}, {"sklearn", "model.pkl"});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(model.error().message, HasSubstr("--python-unpickle"));
}

TEST_F(PythonBackendTest, ServesAModelThatHasClosedItsOutput) {
  const auto model = loaded(
      "    def load(self, folder): os.close(1); os.close(2)\n"
      "    def predict(self, inputs): return inputs['x']");
  EXPECT_TRUE(run_one(*model, counting(1)));
}

TEST_F(PythonBackendTest, LeavesNothingBehind) {
  { ASSERT_TRUE(loaded("    def predict(self, inputs): return inputs['x']")); }  // opens what stays open for ever
  const auto descriptors = python::open_descriptors();
  for (int i = 0; i < 3; ++i) {
    const auto model = loaded("    def predict(self, inputs): os._exit(1)");
    static_cast<void>(run_one(*model, counting(1)));
  }
  EXPECT_EQ(python::open_descriptors(), descriptors);
  EXPECT_EQ(python::child_processes(), 0U);
}

TEST_F(PythonBackendTest, RunsAModelInTheEnvironmentThatItNames) {
  auto options = python::test_options();
  PythonEnvironment named = options.all;
  named.name = "named";
  named.workers = 2;
  named.variables = {"GREETING=hello"};
  options.environments = {named};
  options.all.interpreter = "/nowhere/python3";
  backend_ = *make_python_backend(options);
  const auto files = folder_.add("tested", "    def predict(self, inputs): raise InvalidInput(os.environ['GREETING'])");
  EXPECT_FALSE(backend_->load(files, {}));
  const auto unknown = backend_->load(files, {0, {"other"}});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("known are 'named' (model tested, version 1)"));
  const auto model = backend_->load(files, {0, {"named", 1}});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(run_one(**model, counting(1)).error().message, "hello");
  EXPECT_EQ((*model)->remote_runs(), 1U);
  EXPECT_THAT((*model)->load_notes(), testing::Contains(testing::StartsWith("environment 'named': ")));
}

TEST_F(PythonBackendTest, NamesAnInterpreterThatIsNotThere) {
  auto options = python::test_options();
  options.all.interpreter = "/nowhere/python3";
  const auto model = load("    pass", options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(model.error().message, HasSubstr("no Python at '/nowhere/python3'"));
}

}  // namespace
}  // namespace protean
