// SPDX-License-Identifier: Apache-2.0
// IMF-fixdate without locale: strftime's day and month names follow the process's locale.
#include "transport/http_date.h"

#include <ctime>

#include <array>
#include <cstdio>

namespace protean {
namespace {

constexpr std::size_t kDateBytes = 29;

struct Cached {
  std::time_t second = -1;
  std::array<char, 64> text{};
};

}  // namespace

std::string_view http_date_now() noexcept {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  thread_local Cached cached;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != cached.second) {
    std::tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    std::snprintf(cached.text.data(), cached.text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday],
                  parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                  parts.tm_sec);
    cached.second = now.tv_sec;
  }
  return {cached.text.data(), kDateBytes};
}

}  // namespace protean
