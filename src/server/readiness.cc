// SPDX-License-Identifier: Apache-2.0
// Readiness and its watchers; the lock is held while they are told, so that no change overtakes another.
#include "server/readiness.h"

#include <utility>

namespace protean {

void Readiness::set(bool ready) {
  const std::lock_guard lock(mutex_);
  if (ready_.exchange(ready, std::memory_order_acq_rel) == ready) return;
  std::erase_if(watchers_, [&](const Watcher& watcher) { return !watcher(ready); });
}

void Readiness::watch(Watcher watcher) {
  const std::lock_guard lock(mutex_);
  if (watcher(ready())) watchers_.push_back(std::move(watcher));
}

}  // namespace protean
