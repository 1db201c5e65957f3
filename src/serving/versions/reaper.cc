// SPDX-License-Identifier: Apache-2.0
// The reaper's thread sleeps until a version dies, destroys it, and hands freed memory back to the system.
#include "serving/versions/reaper.h"

#include <malloc.h>

namespace protean {

std::shared_ptr<Reaper> Reaper::make() { return std::shared_ptr<Reaper>(new Reaper); }

Reaper::Reaper() : thread_([shared = shared_] { run(shared); }) {}

Reaper::~Reaper() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
  }
  shared_->wake.notify_one();
  thread_.join();
}

VersionHandle Reaper::adopt(std::unique_ptr<LoadedVersion> version) {
  return VersionHandle(version.release(), [shared = shared_](LoadedVersion* dead) {
    {
      const std::lock_guard lock(shared->mutex);
      if (!shared->stopping) {
        shared->dead.emplace_back(dead);
        dead = nullptr;
      }
    }
    shared->wake.notify_one();
    delete dead;
  });
}

void Reaper::run(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->wake.wait(lock, [&] { return shared->stopping || !shared->dead.empty(); });
    if (shared->dead.empty()) return;
    auto dead = std::move(shared->dead);
    shared->dead.clear();
    lock.unlock();
    dead.clear();
    ::malloc_trim(0);
    lock.lock();
  }
}

}  // namespace protean
