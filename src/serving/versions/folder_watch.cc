// SPDX-License-Identifier: Apache-2.0
// inotify over the folder and its two levels of subfolders; the queue may overflow or miss a folder made a
// moment ago, which is why every event only means "look again" and polling goes on beside it.
#include "serving/versions/folder_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/log.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kEvents = IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kDepthMax = 2;

void drain(int descriptor) noexcept {
  std::array<std::byte, 16384> events;
  while (::read(descriptor, events.data(), events.size()) > 0) {
  }
}

}  // namespace

FolderWatch::FolderWatch(fs::path root, std::chrono::milliseconds poll_interval, std::function<void()> on_change)
    : root_(std::move(root)), poll_interval_(poll_interval), on_change_(std::move(on_change)) {
  inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (inotify_ < 0) {
    log::warning("folder watch polls only", {{"folder", root_.native()}, {"reason", std::strerror(errno)}});
  }
  watch_folders();
  thread_ = std::thread([this] { run(); });
}

FolderWatch::~FolderWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_, &one, sizeof one);
  thread_.join();
  if (inotify_ >= 0) ::close(inotify_);
  ::close(stop_event_);
}

void FolderWatch::watch_folders() noexcept {
  if (inotify_ < 0) return;
  ::inotify_add_watch(inotify_, root_.c_str(), kEvents);
  std::error_code error;
  for (fs::recursive_directory_iterator it(root_, fs::directory_options::follow_directory_symlink, error), end;
       !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const bool folder = it->is_directory(ignored);
    if (folder) ::inotify_add_watch(inotify_, it->path().c_str(), kEvents);
    if (folder && it.depth() + 1 >= kDepthMax) it.disable_recursion_pending();
  }
}

void FolderWatch::run() {
  while (true) {
    std::array<pollfd, 2> waits{{{stop_event_, POLLIN, 0}, {inotify_, POLLIN, 0}}};
    const int ready = ::poll(waits.data(), inotify_ >= 0 ? 2 : 1, static_cast<int>(poll_interval_.count()));
    if (ready < 0 && errno != EINTR) {
      log::error("folder watch ended", {{"reason", std::strerror(errno)}});
      return;
    }
    if ((waits[0].revents & POLLIN) != 0) return;
    if ((waits[1].revents & POLLIN) != 0) {
      drain(inotify_);
      watch_folders();
    }
    on_change_();
  }
}

}  // namespace protean
