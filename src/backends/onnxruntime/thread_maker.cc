// SPDX-License-Identifier: Apache-2.0
// One job at a time, waited for by whoever asks: threads are made when models load, never while they run.
#include "backends/onnxruntime/thread_maker.h"

#include <memory>
#include <utility>

#include "base/thread_priority.h"

namespace protean {

ThreadMaker::ThreadMaker() : thread_([this] { serve(); }) {}

ThreadMaker::~ThreadMaker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ThreadMaker::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || job_; });
    if (stopping_) return;
    const auto job = std::exchange(job_, nullptr);
    lock.unlock();
    job();
    lock.lock();
  }
}

OrtCustomThreadHandle ThreadMaker::make(OrtThreadWorkerFn work, void* argument) {
  OrtCustomThreadHandle made = nullptr;
  int awaited = 2;  // that it is made, and that it has its priority
  const auto arrive = [&](int steps) {
    const std::lock_guard lock(mutex_);
    awaited -= steps;
    changed_.notify_all();
  };
  const auto job = [&, work, argument] {
    try {
      auto thread = std::make_unique<std::thread>([&arrive, work, argument] {
        become_run_thread("protean-intra");
        arrive(1);
        work(argument);
      });
      made = reinterpret_cast<OrtCustomThreadHandle>(thread.release());
      arrive(1);
    } catch (...) {  // no memory or no threads left: the caller gets nullptr
      arrive(2);
    }
  };
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !job_; });
  job_ = job;
  changed_.notify_all();
  changed_.wait(lock, [&] { return awaited == 0; });
  return made;
}

OrtCustomThreadHandle ThreadMaker::create(void* maker, OrtThreadWorkerFn work, void* argument) noexcept {
  try {
    return static_cast<ThreadMaker*>(maker)->make(work, argument);
  } catch (...) {  // an exception must not pass through the library
    return nullptr;
  }
}

void ThreadMaker::join(OrtCustomThreadHandle thread) noexcept {
  auto* const made = reinterpret_cast<std::thread*>(const_cast<OrtCustomHandleType*>(thread));
  made->join();
  delete made;
}

}  // namespace protean
