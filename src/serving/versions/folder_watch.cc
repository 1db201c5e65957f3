// SPDX-License-Identifier: Apache-2.0
// inotify over the folder and its two levels of subfolders; the queue may overflow or miss a folder made a
// moment ago, which is why polling goes on beside it.
#include "serving/versions/folder_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <system_error>

#include "base/log.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kEvents = IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kDepthMax = 2;

/// `..data` and the like, where Kubernetes keeps what the visible links lead to.
bool is_link_store(const std::string& entry) { return entry.starts_with(".."); }

}  // namespace

FolderWatch::FolderWatch(fs::path root, std::chrono::milliseconds poll_interval, OnChange on_change,
                         std::size_t watches_max)
    : root_(std::move(root)),
      poll_interval_(poll_interval),
      on_change_(std::move(on_change)),
      watches_max_(watches_max) {
  inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (inotify_ < 0) {
    log::warning("folder watch polls only", {{"folder", root_.native()}, {"reason", std::strerror(errno)}});
  }
  watch_all();
  thread_ = std::thread([this] { run(); });
}

FolderWatch::~FolderWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_, &one, sizeof one);
  thread_.join();
  if (inotify_ >= 0) ::close(inotify_);
  ::close(stop_event_);
}

void FolderWatch::watch_all() {
  watch(root_, 0);
  watch_below(root_, 0);
}

void FolderWatch::watch_below(const fs::path& folder, int depth) {
  if (depth >= kDepthMax || inotify_ < 0 || limited_) return;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_directory(ignored)) continue;
    watch(it->path(), depth + 1);
    watch_below(it->path(), depth + 1);
  }
}

void FolderWatch::watch(const fs::path& folder, int depth) {
  if (inotify_ < 0 || limited_) return;
  const bool allowed = watched_.size() < watches_max_;
  const int descriptor = allowed ? ::inotify_add_watch(inotify_, folder.c_str(), kEvents) : -1;
  if (descriptor >= 0) {
    watched_[descriptor] = {folder, depth};
  } else if (!allowed || errno == ENOSPC || errno == ENOMEM) {
    limited_ = true;
    log::warning("not every model folder can be watched; the others are polled",
                 {{"watched", watched_.size()},
                  {"poll_ms", poll_interval_.count()},
                  {"reason", "limit of inotify watches, see /proc/sys/fs/inotify/max_user_watches"}});
  }
}

void FolderWatch::see(int descriptor, std::uint32_t mask, std::string_view name, std::set<std::string>& entries) {
  const auto found = watched_.find(descriptor);
  if (found == watched_.end()) return;
  const Watched watched = found->second;
  if ((mask & IN_IGNORED) != 0) {
    watched_.erase(found);
    return;
  }
  const fs::path path = name.empty() ? watched.path : watched.path / name;
  const fs::path below = path.lexically_relative(root_);
  entries.insert(below.empty() ? "." : below.begin()->string());
  std::error_code error;
  const bool may_be_new_folder = (mask & (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)) != 0 && !name.empty();
  if (may_be_new_folder && watched.depth < kDepthMax && fs::is_directory(path, error)) {
    watch(path, watched.depth + 1);
    watch_below(path, watched.depth + 1);
  }
}

bool FolderWatch::read_events(std::set<std::string>& entries) {
  alignas(inotify_event) std::array<char, 16384> bytes;
  bool whole = true;
  while (true) {
    const ssize_t count = ::read(inotify_, bytes.data(), bytes.size());
    if (count <= 0) return whole;
    for (ssize_t at = 0; at < count;) {
      inotify_event event;
      std::memcpy(&event, bytes.data() + at, sizeof event);
      const char* name = bytes.data() + at + sizeof event;
      if ((event.mask & IN_Q_OVERFLOW) != 0) whole = false;
      see(event.wd, event.mask, {name, ::strnlen(name, event.len)}, entries);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

void FolderWatch::run() {
  using Time = std::chrono::steady_clock;
  auto poll_at = Time::now() + poll_interval_;
  while (true) {
    // Not from the last event on: where some folder changes all the time, the others are polled still.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(poll_at - Time::now()).count();
    const int wait_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
    std::array<pollfd, 2> waits{{{stop_event_, POLLIN, 0}, {inotify_, POLLIN, 0}}};
    const int ready = ::poll(waits.data(), inotify_ >= 0 ? 2 : 1, wait_ms);
    if (ready < 0 && errno != EINTR) {
      log::error("folder watch ended", {{"reason", std::strerror(errno)}});
      return;
    }
    if ((waits[0].revents & POLLIN) != 0) return;
    std::set<std::string> entries;
    if ((waits[1].revents & POLLIN) != 0 && !read_events(entries)) {
      entries.clear();
      watch_all();
    }
    const bool due = Time::now() >= poll_at;
    if (due) poll_at = Time::now() + poll_interval_;
    if (due) entries.clear();
    if (!entries.empty()) {
      const bool anything = entries.contains(".") || std::any_of(entries.begin(), entries.end(), is_link_store);
      std::erase_if(entries, [](const std::string& entry) { return entry.starts_with('.'); });
      if (entries.empty() && !anything) continue;  // hidden files are nobody's models
      if (anything) entries.clear();
    }
    on_change_(std::move(entries));
  }
}

}  // namespace protean
