// SPDX-License-Identifier: Apache-2.0
// A thread that waits for signals synchronously, so that no code ever runs inside a signal handler.
#include "cli/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"

namespace protean {
namespace {

constexpr int kWakeUp = SIGUSR2;  // from the destructor to the thread

sigset_t stop_set() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, kWakeUp);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = stop_set();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { run(); });
}

StopSignals::~StopSignals() {
  ::pthread_kill(thread_.native_handle(), kWakeUp);
  thread_.join();
}

void StopSignals::run() {
  const sigset_t set = stop_set();
  bool asked = false;
  int signal = 0;
  while (::sigwait(&set, &signal) == 0 && signal != kWakeUp) {
    if (asked) ::_exit(128 + signal);
    asked = true;
    log::info("stopping; a second signal ends at once", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
    asked_.request_stop();
    first_.release();
  }
}

}  // namespace protean
