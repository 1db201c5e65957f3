// SPDX-License-Identifier: Apache-2.0
// Linux keeps nice values thread by thread, and a new thread has those of the one that made it.
#include "base/thread_priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace protean {

void become_run_thread(const char* name) noexcept {
  ::pthread_setname_np(::pthread_self(), name);
  const sched_param parameter{};
  ::pthread_setschedparam(::pthread_self(), SCHED_OTHER, &parameter);
  const auto process = static_cast<::id_t>(::getpid());  // its first thread, which is never moved
  (void)::setpriority(PRIO_PROCESS, static_cast<::id_t>(::gettid()),
                      ::getpriority(PRIO_PROCESS, process) + kRunThreadNice);
}

}  // namespace protean
