// SPDX-License-Identifier: Apache-2.0
// What a loop waits for in the kernel: its sockets, a tick, an alarm, and being woken by other threads. Sockets are
// registered once, edge-triggered: waiting again costs no system call, which is most of what a small request pays.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/clock.h"

namespace protean {

/// A file descriptor that is closed at the end of its life.
class OwnedDescriptor {
 public:
  explicit OwnedDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  ~OwnedDescriptor();
  OwnedDescriptor(const OwnedDescriptor&) = delete;
  OwnedDescriptor& operator=(const OwnedDescriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  const int descriptor_;
};

/// Loop-thread only, except wake().
class Poller {
 public:
  /// Throws std::system_error when the kernel has no descriptors left.
  Poller();

  /// Reports every change of the socket under `key`, until the descriptor is closed.  Source: epoll(7), EPOLLET.
  [[nodiscard]] bool watch(int socket, void* key) noexcept;
  /// Makes wait() return.  Thread-safe.
  void wake() noexcept;
  /// One tick, one alarm, after `delay` each; setting again replaces what was set.
  void set_tick(Duration delay) noexcept { set(tick_, delay); }
  void set_alarm(Duration delay) noexcept { set(alarm_, delay); }

  struct Ready {
    std::span<const epoll_event> sockets;  // data.ptr: the key; valid until the next wait()
    bool woken = false;
    bool tick = false;
    bool alarm = false;
  };
  /// What has happened since the last call; when nothing has and `block`, waits for it.
  [[nodiscard]] Ready wait(bool block) noexcept;
  /// Sleeps for `time` or until wake(), whatever the sockets do meanwhile.
  void look_away(Duration time) noexcept;

 private:
  static constexpr std::size_t kEventsMax = 64;

  void add(OwnedDescriptor& own);
  static void set(const OwnedDescriptor& timer, Duration delay) noexcept;

  OwnedDescriptor set_;
  OwnedDescriptor wake_;
  OwnedDescriptor tick_;
  OwnedDescriptor alarm_;
  bool woken_ = false;  // to be reported by the next wait()
  std::array<epoll_event, kEventsMax> events_{};
};

}  // namespace protean
