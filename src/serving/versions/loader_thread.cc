// SPDX-License-Identifier: Apache-2.0
// Linux applies nice values and SCHED_BATCH thread by thread; without rights either call fails and nothing is lost.
#include "serving/versions/loader_thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace protean {
namespace {

constexpr int kNice = 10;

}  // namespace

void lower_this_threads_priority(const char* name) noexcept {
  ::pthread_setname_np(::pthread_self(), name);
  const sched_param parameter{};
  ::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &parameter);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
}

LoaderThreads::LoaderThreads(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
}

LoaderThreads::~LoaderThreads() { stop(); }

void LoaderThreads::add(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void LoaderThreads::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void LoaderThreads::run() {
  lower_this_threads_priority("protean-loader");
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace protean
