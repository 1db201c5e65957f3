// SPDX-License-Identifier: Apache-2.0
// What the serving core alone costs, without models that compute: looking a version up; queueing, taking and finishing
// a request; both together; and a request run inline from submission to answer. Built with the main build only:
// scheduler_bench --benchmark_filter=...
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "serving/fake_backend.h"
#include "serving/scheduling/dispatcher.h"
#include "serving/scheduling/scheduler.h"
#include "serving/temporary_folder.h"
#include "serving/versions/repository.h"

namespace {

using namespace protean;

std::shared_ptr<const Signature> signature() {
  Signature made;
  made.inputs = {{"x", DataType::kFp32, {-1, 4}, {}, false, false}};
  made.outputs = {{"y", DataType::kFp32, {-1, 4}, {}, false, false}};
  return std::make_shared<const Signature>(std::move(made));
}

/// Answers what it is given, at once.
class EchoModel final : public Model {
 public:
  [[nodiscard]] const Signature& signature() const noexcept override { return *signature_; }
  [[nodiscard]] Result<std::vector<Tensor>> run(const RunRequest& request) override {
    return std::vector<Tensor>{*request.inputs.front()};
  }
  [[nodiscard]] ModelMemory memory() const noexcept override { return {}; }

 private:
  std::shared_ptr<const Signature> signature_ = ::signature();
};

constexpr char kZeros[16] = {};

class EmptyCall final : public InferCall {
 public:
  explicit EmptyCall(VersionHandle handle) {
    own_.inputs.push_back({"x", {DataType::kFp32, {1, 4}, Slice::of_static(std::string_view(kZeros, 16))}, {}});
    request = &own_;
    version = std::move(handle);
  }
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
  void on_cancel(std::function<void()> /*leave*/) override {}
  void done(Result<InferResult> result, RunTimes) override { benchmark::DoNotOptimize(result); }
  void set_deadline(TimePoint deadline) { own_.deadline = deadline; }

 private:
  InferRequest own_;
};

VersionHandle make_version() {
  static metrics::Registry registry;
  auto version = std::make_shared<LoadedVersion>();
  version->model_name = "m";
  version->version = 1;
  version->version_text = "1";
  version->signature = signature();
  version->model = std::make_unique<EchoModel>();
  version->metrics = std::make_shared<ModelMetrics>(registry, "m", "1");
  version->config = std::make_shared<const ModelConfig>();
  version->batch = {true, "rows are independent"};
  return version;
}

/// Requests come in bursts of range(0) with a deadline, are queued, and run in batches of at most 64; range(1)
/// versions take turns.
void queue_take_finish(benchmark::State& state) {
  const auto burst = static_cast<std::size_t>(state.range(0));
  std::vector<VersionHandle> versions;
  for (std::int64_t i = 0; i < state.range(1); ++i) versions.push_back(make_version());
  Dispatcher dispatcher({1, 1024});
  std::vector<std::shared_ptr<EmptyCall>> calls;
  for (std::size_t i = 0; i < burst; ++i) {
    calls.push_back(std::make_shared<EmptyCall>(versions[i % versions.size()]));
    calls.back()->ticket.checked = check_request(*calls.back()->request, *signature(), "").value();
  }
  Aftermath after;
  TimePoint now{std::chrono::seconds(1)};
  for (auto _ : state) {
    for (auto& call : calls) {
      now += std::chrono::nanoseconds(100);
      call->set_deadline(now + std::chrono::seconds(1));
      Dispatcher::stamp(*call, now);
      if (!dispatcher.enqueue(call, now, after)) state.SkipWithError("refused");
    }
    while (Batch* batch = dispatcher.take(now, after)) {
      now += std::chrono::microseconds(20 + batch->rows);
      batch->run_time = std::chrono::microseconds(20 + batch->rows);
      batch->results.assign(batch->pieces.size(), PieceResult(std::vector<Tensor>()));
      Dispatcher::measured(*batch);
      dispatcher.finished(*batch, now, after);
      after.clear();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * burst));
}
BENCHMARK(queue_take_finish)->Args({1, 1})->Args({16, 1})->Args({64, 1})->Args({64, 8})->Args({512, 1});

/// A repository that serves `models` small models of one version each.
class Served {
 public:
  explicit Served(std::int64_t models) {
    log::configure(log::Level::kError, log::Format::kText);
    for (std::int64_t i = 0; i < models; ++i) {
      names.push_back("model-" + std::to_string(i));
      folder_.write(names.back() + "/1/model", "MODEL");
    }
    if (!repository.start()) std::abort();
  }

 private:
  testing::TemporaryFolder folder_;
  testing::FakeBackend backend_;
  metrics::Registry registry_;

 public:
  std::vector<std::string> names;
  Repository repository{{folder_.path(), false}, {{&backend_}, registry_, nullptr, {}, {}, {}}};
};

/// A look-up that finds the version, from its name to the handle and back, among range(0) models in turn.
void acquire_hit(benchmark::State& state) {
  Served served(state.range(0));
  std::size_t next = 0;
  for (auto _ : state) {
    auto version = served.repository.acquire(served.names[next], "");
    if (!version || !*version) state.SkipWithError("not found");
    benchmark::DoNotOptimize(version);
    if (++next == served.names.size()) next = 0;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(acquire_hit)->Arg(1)->Arg(1000);

/// The whole way but for the model: look-up, queue, take, finish; bursts of range(0) for one of range(1) models.
void acquire_queue_take_finish(benchmark::State& state) {
  const auto burst = static_cast<std::size_t>(state.range(0));
  Served served(state.range(1));
  Dispatcher dispatcher({1, 1024});
  std::vector<std::shared_ptr<EmptyCall>> calls;
  for (std::size_t i = 0; i < burst; ++i) {
    calls.push_back(std::make_shared<EmptyCall>(nullptr));
    calls.back()->ticket.checked = check_request(*calls.back()->request, *signature(), "").value();
  }
  Aftermath after;
  TimePoint now{std::chrono::seconds(1)};
  std::size_t next = 0;
  for (auto _ : state) {
    for (auto& call : calls) {
      now += std::chrono::nanoseconds(100);
      auto version = served.repository.acquire(served.names[next], "");
      if (!version || !*version) return state.SkipWithError("not found");
      call->version = **std::move(version);
      call->set_deadline(now + std::chrono::seconds(1));
      Dispatcher::stamp(*call, now);
      if (!dispatcher.enqueue(call, now, after)) state.SkipWithError("refused");
    }
    if (++next == served.names.size()) next = 0;
    while (Batch* batch = dispatcher.take(now, after)) {
      now += std::chrono::microseconds(20 + batch->rows);
      batch->run_time = std::chrono::microseconds(20 + batch->rows);
      batch->results.assign(batch->pieces.size(), PieceResult(std::vector<Tensor>()));
      Dispatcher::measured(*batch);
      dispatcher.finished(*batch, now, after);
      after.clear();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * burst));
}
BENCHMARK(acquire_queue_take_finish)->Args({1, 1})->Args({16, 1})->Args({64, 1})->Args({64, 8});

/// Submission to answer on one thread, the model answering at once; making the request is part of it.
void run_inline(benchmark::State& state) {
  Scheduler scheduler({1, 1024});
  const auto version = make_version();
  version->batch = {};
  version->cost.observe(std::chrono::microseconds(1), 16);
  for (auto _ : state) scheduler.submit(std::make_shared<EmptyCall>(version));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(run_inline);

}  // namespace

BENCHMARK_MAIN();
