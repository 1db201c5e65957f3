// SPDX-License-Identifier: Apache-2.0
// Destroys versions away from requests: whoever drops the last handle may be an I/O thread, and taking a
// model apart takes milliseconds.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "serving/loaded_version.h"

namespace protean {

/// Owns one thread.  Handles may outlive it: they then destroy in place.
class Reaper {
 public:
  static std::shared_ptr<Reaper> make();
  ~Reaper();

  /// A handle whose last release queues the version for destruction on the reaper's thread.
  /// `destroyed`: called after that, on the reaper's thread (or, when that has ended, on the releasing one).
  [[nodiscard]] VersionHandle adopt(std::unique_ptr<LoadedVersion> version, std::function<void()> destroyed = {});

 private:
  struct Dead {
    std::unique_ptr<LoadedVersion> version;
    std::function<void()> destroyed;
  };
  struct Shared {
    std::mutex mutex;
    std::condition_variable wake;
    std::vector<Dead> dead;  // guarded by mutex
    bool stopping = false;   // guarded by mutex
  };

  Reaper();
  static void run(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::thread thread_;
};

}  // namespace protean
