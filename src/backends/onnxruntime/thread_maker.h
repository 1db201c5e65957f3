// SPDX-License-Identifier: Apache-2.0
// Where the library's threads come from. A thread has the priority of the one that made it, and sessions are made by
// loader threads, which stand behind everybody else; raising a priority again takes rights that a server lacks. So one
// thread, as old as the backend, makes all of them.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_c_api.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace protean {

/// Thread-safe. Outlives every session that was given its callbacks while it is made; threads it made may outlive it.
class ThreadMaker {
 public:
  /// To be called by a thread of the process's usual priority.
  ThreadMaker();
  ~ThreadMaker();
  ThreadMaker(const ThreadMaker&) = delete;
  ThreadMaker& operator=(const ThreadMaker&) = delete;

  /// Source: OrtCustomCreateThreadFn and OrtCustomJoinThreadFn, onnxruntime_c_api.h.  `maker`: a ThreadMaker.
  /// nullptr when the system gives no more threads, which the library reports as an error of the load.
  static OrtCustomThreadHandle create(void* maker, OrtThreadWorkerFn work, void* argument) noexcept;
  static void join(OrtCustomThreadHandle thread) noexcept;

 private:
  OrtCustomThreadHandle make(OrtThreadWorkerFn work, void* argument);
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;  // empty: none; guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  std::thread thread_;
};

}  // namespace protean
