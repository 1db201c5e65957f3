// SPDX-License-Identifier: Apache-2.0
// Inline execution and the executor's threads.
#include "serving/scheduling/scheduler.h"

#include <fmt/format.h>

#include <utility>

namespace protean {
namespace {

std::string label_of(const LoadedVersion& version) {
  return fmt::format("model {}, version {}", version.model_name, version.version_text);
}

InferResult make_result(const InferCall& call, const CheckedRequest& checked, std::vector<Tensor> tensors) {
  const auto& specs = call.version->signature->outputs;
  InferResult result;
  result.model = call.version->model_name;
  result.version = call.version->version_text;
  result.id = call.request->id;
  result.outputs.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& spec = specs[checked.outputs[i]];
    result.outputs.push_back({spec.name, std::move(tensors[i]), {}});
  }
  return result;
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, const Clock& clock) : options_(options), clock_(clock) {
  for (std::size_t i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { run_executor(); });
  }
}

Scheduler::~Scheduler() { stop(); }

void Scheduler::submit(std::shared_ptr<InferCall> call) {
  LoadedVersion& version = *call->version;
  auto checked = check_request(*call->request, *version.signature, "");
  if (!checked) {  // said again with the model's name, which only the rare failure pays for
    checked = check_request(*call->request, *version.signature, label_of(version));
    return call->done(tl::unexpected(std::move(checked).error()), {});
  }
  call->checked_ = std::move(*checked);
  const TimePoint now = clock_.now();
  call->submitted_at_ = now;
  if (auto admitted = admit(*call, now); !admitted) {
    return call->done(tl::unexpected(std::move(admitted).error()), {});
  }
  if (version.waiting.load(std::memory_order_relaxed) == 0 && version.cost.runs_inline(call->checked_.input_bytes)) {
    return run(*call, now);
  }
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    stopping = stopping_;
    if (!stopping) {
      version.waiting.fetch_add(1, std::memory_order_relaxed);
      queue_.push_back(call);
    }
  }
  if (stopping) return call->done(fail(Code::kUnavailable, "the server is stopping"), {});
  wake_.notify_one();
}

Status Scheduler::admit(const InferCall& call, TimePoint now) const {
  if (stopped_.load(std::memory_order_acquire)) return fail(Code::kUnavailable, "the server is stopping");
  if (now >= call.request->deadline) {
    return fail(Code::kDeadlineExceeded, "the deadline passed before the model could run");
  }
  if (call.version->waiting.load(std::memory_order_relaxed) >= options_.queue_max) {
    return fail(Code::kResourceExhausted, fmt::format("{} requests already wait for {}; try again later",
                                                      options_.queue_max, label_of(*call.version)));
  }
  return {};
}

void Scheduler::run_executor() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto call = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    call->version->waiting.fetch_sub(1, std::memory_order_relaxed);
    const TimePoint now = clock_.now();
    if (call->cancelled()) {
      call->done(fail(Code::kCancelled, "the client left before the model ran"), {now - call->submitted_at_, {}});
    } else if (now >= call->request->deadline) {
      call->done(fail(Code::kDeadlineExceeded, "the deadline passed while the request waited"),
                 {now - call->submitted_at_, {}});
    } else {
      run(*call, now);
    }
    lock.lock();
  }
}

void Scheduler::run(InferCall& call, TimePoint started_at) {
  LoadedVersion& version = *call.version;
  auto tensors = version.model->run({call.checked_.inputs, call.checked_.outputs});
  const RunTimes times{started_at - call.submitted_at_, clock_.now() - started_at};
  version.cost.observe(times.run, call.checked_.input_bytes);
  version.metrics->batch_rows->observe(call.checked_.rows);
  if (!tensors) {
    auto error = std::move(tensors).error();
    error.message += fmt::format(" ({})", label_of(version));
    return call.done(tl::unexpected(std::move(error)), times);
  }
  call.done(make_result(call, call.checked_, std::move(*tensors)), times);
}

void Scheduler::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stopped_.store(true, std::memory_order_release);
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace protean
