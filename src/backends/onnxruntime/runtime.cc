// SPDX-License-Identifier: Apache-2.0
// Finding, opening and setting up the library. docs/decisions/loading-onnxruntime.md says why so.
#include "backends/onnxruntime/runtime.h"

#include <dlfcn.h>

#include <cstdlib>
#include <system_error>

#include "backends/onnxruntime/failure.h"
#include "base/log.h"

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
    if (text.find("No such file or directory") != std::string_view::npos) {
      return fail(Code::kFailedPrecondition, path + " (no such file)");
    }
    return fail(Code::kFailedPrecondition, text.substr(0, path.size()) == path ? std::string(text) : path + ": " + std::string(text));
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

Result<std::shared_ptr<const Runtime>> Runtime::load(const OnnxRuntimeOptions& options) {
  // Whatever the version: 1.29 and later report home unless this is set before the environment is made.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  std::string tried;
  for (const auto& path : library_candidates(options.library_path, std::getenv(kLibraryVariable), executable_folder())) {
    const auto base = open_library(path);
    if (!base) {
      tried += (tried.empty() ? "" : ", ") + base.error().message;
      continue;
    }
    const std::string version = (*base)->GetVersionString();
    const OrtApi* api = (*base)->GetApi(ORT_API_VERSION);
    if (api == nullptr) {
      tried += (tried.empty() ? "" : ", ") + path + " (version " + version + ")";
      continue;
    }
    std::shared_ptr<Runtime> runtime(new Runtime(api, version, options));
    TRY_STATUS(runtime->make_environment());
    log::debug("onnxruntime loaded", {{"path", path}, {"version", version}});
    return runtime;
  }
  return fail(Code::kFailedPrecondition,
              "ONNX Runtime's library is missing; set " + std::string(kLibraryVariable) +
                  " to a libonnxruntime.so of version " + kOldestVersion + " or later. Tried: " + tried);
}

Status Runtime::make_environment() {
  const auto level = log::enabled(log::Level::kDebug) ? ORT_LOGGING_LEVEL_WARNING : ORT_LOGGING_LEVEL_FATAL;
  if (options_.intra_op_threads > 1) {
    OrtThreadingOptions* threading = nullptr;
    TRY_STATUS(check(api_->CreateThreadingOptions(&threading)));
    const std::unique_ptr<OrtThreadingOptions, void (*)(OrtThreadingOptions*)> owner(threading,
                                                                                     api_->ReleaseThreadingOptions);
    TRY_STATUS(check(api_->SetGlobalIntraOpNumThreads(threading, options_.intra_op_threads)));
    TRY_STATUS(check(api_->SetGlobalInterOpNumThreads(threading, 1)));
    // A pool that spins between requests takes the cores that the next request needs.
    TRY_STATUS(check(api_->SetGlobalSpinControl(threading, 0)));
    TRY_STATUS(check(api_->CreateEnvWithCustomLoggerAndGlobalThreadPools(log_line, nullptr, level, "protean", threading,
                                                                         &env_)));
  } else {
    TRY_STATUS(check(api_->CreateEnvWithCustomLogger(log_line, nullptr, level, "protean", &env_)));
  }
  TRY_STATUS(check(api_->DisableTelemetryEvents(env_)));
  TRY_STATUS(check(api_->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &cpu_memory_)));
  return check(api_->GetAllocatorWithDefaultOptions(&allocator_));
}

Runtime::~Runtime() {
  if (cpu_memory_ != nullptr) api_->ReleaseMemoryInfo(cpu_memory_);
  if (env_ != nullptr) api_->ReleaseEnv(env_);
}

Status Runtime::check(OrtStatus* status) const {
  if (status == nullptr) return {};
  const std::string message = clean_message(api_->GetErrorMessage(status));
  api_->ReleaseStatus(status);
  return fail(Code::kInternal, message);
}

}  // namespace protean
