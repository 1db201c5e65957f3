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

VersionHandle Reaper::adopt(std::unique_ptr<LoadedVersion> version, std::function<void()> destroyed) {
  return VersionHandle(version.release(), [shared = shared_, destroyed = std::move(destroyed)](LoadedVersion* last) {
    Dead dead{std::unique_ptr<LoadedVersion>(last), destroyed};
    {
      const std::lock_guard lock(shared->mutex);
      if (!shared->stopping) shared->dead.push_back(std::move(dead));
    }
    shared->wake.notify_one();
    if (!dead.version) return;
    dead.version.reset();
    if (dead.destroyed) dead.destroyed();
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
    for (auto& each : dead) each.version.reset();
    ::malloc_trim(0);
    for (const auto& each : dead) {
      if (each.destroyed) each.destroyed();
    }
    dead.clear();
    lock.lock();
  }
}

}  // namespace protean
