// SPDX-License-Identifier: Apache-2.0
// How threads rank on a busy machine: sockets first, then runs of models, then loading
// (serving/versions/loader_thread).
#pragma once

namespace protean {

/// Nice value of threads that run models, over the process's own: the threads that read and write sockets go first.
inline constexpr int kRunThreadNice = 5;

/// Names the calling thread (at most 15 bytes) and moves it behind those that read and write sockets. Its policy
/// becomes the usual one. Failing is harmless: the thread then competes on equal terms.
void become_run_thread(const char* name) noexcept;

}  // namespace protean
