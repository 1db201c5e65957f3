// SPDX-License-Identifier: Apache-2.0
// Data that can only be reached while its mutex is held: forgetting to lock does not compile.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace protean {

/// `Locked<std::map<...>> table; table.with([](auto& map) { map.clear(); });`
/// Thread-safe. The callable must not call back into the same Locked.
template <typename T>
class Locked {
 public:
  template <typename... Args>
  explicit Locked(Args&&... args) : value_(std::forward<Args>(args)...) {}

  template <typename F>
  decltype(auto) with(F&& f) {
    const std::lock_guard lock(mutex_);
    return std::invoke(std::forward<F>(f), value_);
  }

  template <typename F>
  decltype(auto) with(F&& f) const {
    const std::lock_guard lock(mutex_);
    return std::invoke(std::forward<F>(f), std::as_const(value_));
  }

 private:
  mutable std::mutex mutex_;
  T value_;
};

}  // namespace protean
