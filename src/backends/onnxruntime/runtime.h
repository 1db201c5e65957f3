// SPDX-License-Identifier: Apache-2.0
// The library itself: found and opened at run time, so that the server builds and starts without it, and any
// version from 1.21 on serves.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_c_api.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backends/onnxruntime/backend.h"
#include "backends/onnxruntime/thread_maker.h"
#include "base/result.h"

namespace protean {

/// Places to look for the library, in order. `explicit_path`, or the environment's
/// PROTEAN_ONNXRUNTIME_LIBRARY when that is empty, is the only one when set.
/// `executable_folder`: where the running program is.
[[nodiscard]] std::vector<std::string> library_candidates(const std::string& explicit_path,
                                                          const char* from_environment,
                                                          const std::filesystem::path& executable_folder);

/// What this thread holds of the library's registered allocator since the object was made: bytes taken less bytes
/// given back. Objects nest; the inner one counts alone.
class AllocationCount {
 public:
  AllocationCount() noexcept;
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_ > 0 ? static_cast<std::uint64_t>(bytes_) : 0; }
  /// Adds to the innermost object of this thread, if there is one.
  static void add(std::int64_t bytes) noexcept;

 private:
  std::int64_t bytes_ = 0;
  AllocationCount* outer_;
};

/// The loaded library and the process's OrtEnv.  Thread-safe after construction; the library and its
/// environment stay until the process ends.
class OnnxRuntime {
 public:
  /// Errors: kFailedPrecondition; the message names every place that was tried and what was wrong with it.
  static Result<std::shared_ptr<const OnnxRuntime>> load(const OnnxRuntimeOptions& options);
  ~OnnxRuntime();
  OnnxRuntime(const OnnxRuntime&) = delete;
  OnnxRuntime& operator=(const OnnxRuntime&) = delete;

  [[nodiscard]] const OrtApi& api() const noexcept { return *api_; }
  [[nodiscard]] const OrtEnv* env() const noexcept { return env_; }
  /// `1.27.0`
  [[nodiscard]] const std::string& version() const noexcept { return version_; }
  [[nodiscard]] const OrtMemoryInfo* cpu_memory() const noexcept { return cpu_memory_; }
  [[nodiscard]] OrtAllocator* allocator() const noexcept { return allocator_; }
  [[nodiscard]] const OnnxRuntimeOptions& options() const noexcept { return options_; }

  /// Makes the threads of sessions that have a pool of their own.
  [[nodiscard]] ThreadMaker& thread_maker() const noexcept { return *thread_maker_; }
  /// Threads of a run in the pool that models share, the caller included; 1: there is no such pool.
  [[nodiscard]] std::uint32_t pool_threads() const noexcept;

  /// Gives what lies unused in the pool of blocks, and in the process's allocator, back to the system.
  void give_back_memory() const noexcept;

  /// Ends the life of `status`. Errors: kInternal with the runtime's own words, when it is one.
  [[nodiscard]] Status check(OrtStatus* status) const;

 private:
  OnnxRuntime(const OrtApi* api, std::string version, OnnxRuntimeOptions options)
      : api_(api), version_(std::move(version)), options_(std::move(options)) {}
  Status make_environment();
  Status register_allocator();

  const OrtApi* api_;
  std::string version_;
  OnnxRuntimeOptions options_;
  std::unique_ptr<ThreadMaker> thread_maker_ = std::make_unique<ThreadMaker>();
  OrtEnv* env_ = nullptr;
  OrtMemoryInfo* cpu_memory_ = nullptr;
  OrtAllocator* allocator_ = nullptr;  // the library's own, lives for ever
};

}  // namespace protean
