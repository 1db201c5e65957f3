// SPDX-License-Identifier: Apache-2.0
// epoll(7), eventfd(2) and timerfd_create(2). Edge-triggered, the counters of the last two need not be read.
#include "transport/poller.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace protean {
namespace {

int checked(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return descriptor;
}

int make_timer() { return checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create"); }

}  // namespace

OwnedDescriptor::~OwnedDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Poller::Poller()
    : set_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
      tick_(make_timer()),
      alarm_(make_timer()) {
  add(wake_);
  add(tick_);
  add(alarm_);
}

/// Its own address is the key: no socket's owner lies there.
void Poller::add(OwnedDescriptor& own) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = &own;
  checked(::epoll_ctl(set_.get(), EPOLL_CTL_ADD, own.get(), &event), "epoll_ctl");
}

bool Poller::watch(int socket, void* key) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = key;
  return ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, socket, &event) == 0;
}

void Poller::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake.
  static_cast<void>(!::write(wake_.get(), &one, sizeof(one)));
}

void Poller::set(const OwnedDescriptor& timer, Duration delay) noexcept {
  const auto ns = std::max<std::int64_t>(delay.count(), 1);  // 0 would disarm it
  constexpr std::int64_t kSecond = 1'000'000'000;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(ns / kSecond);
  when.it_value.tv_nsec = static_cast<long>(ns % kSecond);
  PROTEAN_CHECK(::timerfd_settime(timer.get(), 0, &when, nullptr) == 0);
}

Poller::Ready Poller::wait(bool block) noexcept {
  const int count =
      ::epoll_wait(set_.get(), events_.data(), static_cast<int>(events_.size()), block && !woken_ ? -1 : 0);
  PROTEAN_CHECK(count >= 0 || errno == EINTR);
  Ready ready;
  ready.woken = std::exchange(woken_, false);
  std::size_t sockets = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
    const void* key = events_[i].data.ptr;
    if (key == &wake_) {
      ready.woken = true;
    } else if (key == &tick_) {
      ready.tick = true;
    } else if (key == &alarm_) {
      ready.alarm = true;
    } else {
      events_[sockets++] = events_[i];
    }
  }
  ready.sockets = std::span(events_).first(sockets);
  return ready;
}

void Poller::look_away(Duration time) noexcept {
  // Whether the last wait() has seen what was counted since the last time cannot be told, so the next one reports it.
  std::uint64_t count = 0;
  woken_ = ::read(wake_.get(), &count, sizeof(count)) > 0;
  if (woken_) return;
  pollfd woken{wake_.get(), POLLIN, 0};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  const timespec wait{seconds.count(), (time - seconds).count()};
  ::ppoll(&woken, 1, &wait, nullptr);
}

}  // namespace protean
