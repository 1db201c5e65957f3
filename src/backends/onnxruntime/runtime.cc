// SPDX-License-Identifier: Apache-2.0
// Finding, opening and setting up the library. docs/decisions/0002-onnxruntime.md says why so.
#include "backends/onnxruntime/runtime.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include "backends/onnxruntime/block_pool.h"
#include "backends/onnxruntime/failure.h"
#include "base/log.h"
#include "base/unused_memory.h"

namespace protean {
namespace {

constexpr const char* kLibraryVariable = "PROTEAN_ONNXRUNTIME_LIBRARY";
constexpr const char* kOldestVersion = "1.21";

/// What fails comes back as a status as well, so the log would say everything twice, and a client that sends
/// nonsense would fill it: below a fatal error these lines are for debugging.
void ORT_API_CALL log_line(void*, OrtLoggingLevel severity, const char* category, const char*, const char* place,
                           const char* message) {
  const auto level = severity >= ORT_LOGGING_LEVEL_FATAL ? log::Level::kError : log::Level::kDebug;
  if (!log::enabled(level)) return;
  log::write(level, "onnxruntime",
             {{"message", message == nullptr ? "" : message},
              {"category", category == nullptr ? "" : category},
              {"place", place == nullptr ? "" : place}});
}

/// What ONNX Runtime allocates tensors with. Tensors may outlive everything else, so this lives for ever.
struct PoolAllocator : OrtAllocator {
  BlockPool pool;
  OrtMemoryInfo* memory = nullptr;
};

/// The library does not look whether it got nullptr; it does catch this, as its own allocators throw it.
void* or_throw(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

thread_local AllocationCount* counting = nullptr;

void* counted(void* block) {
  if (counting != nullptr) AllocationCount::add(static_cast<std::int64_t>(BlockPool::size_of(block)));
  return block;
}

void* ORT_API_CALL pool_allocate(OrtAllocator* self, size_t size) {
  return counted(or_throw(static_cast<PoolAllocator*>(self)->pool.allocate(size)));
}
void* ORT_API_CALL pool_reserve(OrtAllocator* self, size_t size) {
  return counted(or_throw(static_cast<PoolAllocator*>(self)->pool.reserve(size)));
}
void ORT_API_CALL pool_release(OrtAllocator* self, void* block) {
  if (counting != nullptr) AllocationCount::add(-static_cast<std::int64_t>(BlockPool::size_of(block)));
  static_cast<PoolAllocator*>(self)->pool.release(block);
}
const OrtMemoryInfo* ORT_API_CALL pool_memory(const OrtAllocator* self) {
  return static_cast<const PoolAllocator*>(self)->memory;
}

PoolAllocator& pool_allocator() {
  static auto* const instance = [] {
    auto* allocator = new PoolAllocator{};
    allocator->version = ORT_API_VERSION;
    allocator->Alloc = pool_allocate;
    allocator->Free = pool_release;
    allocator->Info = pool_memory;
    allocator->Reserve = pool_reserve;
    return allocator;
  }();
  return *instance;
}

std::filesystem::path executable_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

/// The interface of the library at `path`.  Errors: kFailedPrecondition.
Result<const OrtApiBase*> open_library(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    const std::string_view text = reason == nullptr ? "cannot be opened" : reason;
    const bool about_path = text.substr(0, path.size()) == path;  // else about a library that it needs
    if (about_path && text.find("No such file or directory") != std::string_view::npos) {
      return fail(Code::kFailedPrecondition, path + " (no such file)");
    }
    return fail(Code::kFailedPrecondition, (about_path ? "" : path + ": ") + std::string(text));
  }
  using GetBase = const OrtApiBase*(ORT_API_CALL*)();
  const auto get_base = reinterpret_cast<GetBase>(::dlsym(library, "OrtGetApiBase"));
  if (get_base == nullptr) {
    ::dlclose(library);
    return fail(Code::kFailedPrecondition, path + ": not ONNX Runtime (no OrtGetApiBase)");
  }
  return get_base();
}

}  // namespace

AllocationCount::AllocationCount() noexcept : outer_(std::exchange(counting, this)) {}
AllocationCount::~AllocationCount() { counting = outer_; }
void AllocationCount::add(std::int64_t bytes) noexcept {
  if (counting != nullptr) counting->bytes_ += bytes;
}

void OnnxRuntime::give_back_memory() const noexcept {
  pool_allocator().pool.trim();
  give_back_unused_memory();
}

std::vector<std::string> library_candidates(const std::string& explicit_path, const char* from_environment,
                                            const std::filesystem::path& executable_folder) {
  if (!explicit_path.empty()) return {explicit_path};
  if (from_environment != nullptr && *from_environment != '\0') return {from_environment};
  std::vector<std::string> candidates;
  if (!executable_folder.empty()) {
    for (const auto& folder : {executable_folder / "lib", executable_folder.parent_path() / "lib"}) {
      for (const char* name : {"libonnxruntime.so.1", "libonnxruntime.so"}) candidates.push_back(folder / name);
    }
  }
  candidates.insert(candidates.end(), {"libonnxruntime.so.1", "libonnxruntime.so"});
  return candidates;
}

Result<std::shared_ptr<const OnnxRuntime>> OnnxRuntime::load(const OnnxRuntimeOptions& options) {
  // Whatever the version: 1.29 and later report home unless this is set before the environment is made.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  std::string tried;
  const auto add = [&](std::string_view what) {
    if (!tried.empty()) tried += ", ";
    tried += what;
  };
  for (const auto& path :
       library_candidates(options.library_path, std::getenv(kLibraryVariable), executable_folder())) {
    const auto base = open_library(path);
    if (!base) {
      add(base.error().message);
      continue;
    }
    const std::string version = (*base)->GetVersionString();
    const OrtApi* api = (*base)->GetApi(ORT_API_VERSION);
    if (api == nullptr) {
      add(path + " (version " + version + ")");
      continue;
    }
    std::shared_ptr<OnnxRuntime> runtime(new OnnxRuntime(api, version, options));
    TRY_STATUS(runtime->make_environment());
    log::debug("onnxruntime loaded", {{"path", path}, {"version", version}});
    return runtime;
  }
  return fail(Code::kFailedPrecondition, "ONNX Runtime's library is missing; set " + std::string(kLibraryVariable) +
                                             " to a libonnxruntime.so of version " + kOldestVersion +
                                             " or later. Tried: " + tried);
}

std::uint32_t OnnxRuntime::pool_threads() const noexcept {
  const int asked = options_.pool_threads > 0 ? options_.pool_threads : options_.intra_op_threads;
  return static_cast<std::uint32_t>(std::max(1, asked));
}

Status OnnxRuntime::make_environment() {
  const auto level = log::enabled(log::Level::kDebug) ? ORT_LOGGING_LEVEL_WARNING : ORT_LOGGING_LEVEL_FATAL;
  if (pool_threads() > 1) {
    OrtThreadingOptions* threading = nullptr;
    TRY_STATUS(check(api_->CreateThreadingOptions(&threading)));
    const std::unique_ptr<OrtThreadingOptions, void (*)(OrtThreadingOptions*)> owner(threading,
                                                                                     api_->ReleaseThreadingOptions);
    TRY_STATUS(check(api_->SetGlobalIntraOpNumThreads(threading, static_cast<int>(pool_threads()))));
    TRY_STATUS(check(api_->SetGlobalInterOpNumThreads(threading, 1)));
    // A pool that spins between requests takes the cores that the next request needs.
    TRY_STATUS(check(api_->SetGlobalSpinControl(threading, 0)));
    TRY_STATUS(check(api_->SetGlobalCustomCreateThreadFn(threading, ThreadMaker::create)));
    TRY_STATUS(check(api_->SetGlobalCustomThreadCreationOptions(threading, thread_maker_.get())));
    TRY_STATUS(check(api_->SetGlobalCustomJoinThreadFn(threading, ThreadMaker::join)));
    TRY_STATUS(check(
        api_->CreateEnvWithCustomLoggerAndGlobalThreadPools(log_line, nullptr, level, "protean", threading, &env_)));
  } else {
    TRY_STATUS(check(api_->CreateEnvWithCustomLogger(log_line, nullptr, level, "protean", &env_)));
  }
  TRY_STATUS(check(api_->DisableTelemetryEvents(env_)));
  TRY_STATUS(check(api_->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &cpu_memory_)));
  TRY_STATUS(check(api_->GetAllocatorWithDefaultOptions(&allocator_)));
  return register_allocator();
}

Status OnnxRuntime::register_allocator() {
  auto& allocator = pool_allocator();
  allocator.pool.keep_at_most(options_.memory_arena ? options_.kept_bytes_max : 0);
  // The library has one environment for a process, which keeps the first allocator it is given.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (allocator.memory != nullptr) return {};
  TRY_STATUS(check(api_->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &allocator.memory)));
  return check(api_->RegisterAllocator(env_, &allocator));
}

OnnxRuntime::~OnnxRuntime() {
  if (cpu_memory_ != nullptr) api_->ReleaseMemoryInfo(cpu_memory_);
  // The environment stays: tensors and its registered allocator may be in use until the process ends.
}

Status OnnxRuntime::check(OrtStatus* status) const {
  if (status == nullptr) return {};
  const std::string message = clean_message(api_->GetErrorMessage(status));
  api_->ReleaseStatus(status);
  return fail(Code::kInternal, message);
}

}  // namespace protean
