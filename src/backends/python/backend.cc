// SPDX-License-Identifier: Apache-2.0
// The backend's contract: from files and settings to a plan for workers.
#include "backends/python/backend.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

#include "backends/python/environments.h"
#include "backends/python/interpreter.h"
#include "backends/python/package.h"
#include "backends/python/python_model.h"
#include "backends/python/recognise.h"
#include "backends/python/sandbox.h"
#include "backends/python/shared_process.h"
#include "base/log.h"
#include "base/text.h"

namespace protean {
namespace {

using namespace python;  // NOLINT(google-build-using-namespace): this file is the way into it

/// What a Python program needs of the system to start, and what NumPy and its kin look at.
constexpr const char* kSystemPaths[] = {"/usr/lib",
                                        "/usr/lib32",
                                        "/usr/lib64",
                                        "/usr/libexec",
                                        "/usr/share/zoneinfo",
                                        "/usr/local/lib",
                                        "/lib",
                                        "/lib64",
                                        "/etc/ld.so.cache",
                                        "/etc/ld.so.conf",
                                        "/etc/ld.so.conf.d",
                                        "/etc/localtime",
                                        "/proc/cpuinfo",
                                        "/proc/meminfo",
                                        "/proc/stat",
                                        "/proc/sys/vm/overcommit_memory",
                                        "/sys/devices/system/cpu",
                                        "/sys/kernel/mm/transparent_hugepage"};
/// And of name resolution and TLS, where the network is open.
constexpr const char* kNetworkPaths[] = {"/etc/resolv.conf",
                                         "/etc/hosts",
                                         "/etc/nsswitch.conf",
                                         "/etc/host.conf",
                                         "/etc/gai.conf",
                                         "/etc/services",
                                         "/etc/ssl",
                                         "/etc/pki",
                                         "/usr/share/ca-certificates",
                                         "/usr/lib/ssl",
                                         "/run/systemd/resolve"};
/// The dynamic linker, which the kernel starts for the interpreter.
constexpr const char* kLinkers[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
                                    "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"};

/// A whole folder that holds one model's files; a file in the common folder has none of its own.
bool is_own_folder(const ModelFiles& files) {
  const auto name = files.folder.filename();
  return name == files.model || (name == files.version && files.folder.parent_path().filename() == files.model);
}

FileRules file_rules(const std::filesystem::path& own, const PythonEnvironment& settings,
                     const Interpreter& interpreter) {
  FileRules rules;
  rules.network = settings.network;
  rules.readable.assign(std::begin(kSystemPaths), std::end(kSystemPaths));
  if (settings.network) rules.readable.insert(rules.readable.end(), std::begin(kNetworkPaths), std::end(kNetworkPaths));
  rules.readable.insert(rules.readable.end(), interpreter.folders.begin(), interpreter.folders.end());
  rules.readable.insert(rules.readable.end(), settings.readable.begin(), settings.readable.end());
  if (!own.empty()) rules.readable.push_back(own);
  rules.writable = settings.scratch;
  rules.executable.assign(std::begin(kLinkers), std::end(kLinkers));
  rules.executable.push_back(interpreter.program);
  return rules;
}

bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder) {
  std::error_code error;
  const auto inner = std::filesystem::weakly_canonical(path, error);
  const auto outer = std::filesystem::weakly_canonical(folder, error);
  if (error || outer.empty()) return false;
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

/// A fence cannot be opened further for a process that runs.
Status check_covered(const ModelFiles& files, const PythonEnvironment& settings, const std::filesystem::path& models) {
  const auto& own = is_own_folder(files) ? files.folder : files.path;
  if (!models.empty() && lies_in(own, models)) return {};
  if (std::ranges::any_of(settings.readable, [&](const auto& open) { return lies_in(own, open); })) return {};
  return fail(Code::kFailedPrecondition, "'" + printable(own.string(), 512) + "' is not among what the shared " +
                                             describe(settings) + " may read: name it in its readable = [...]");
}

std::vector<std::string> environment_of(const PythonEnvironment& settings, const std::string& folder,
                                        std::uint32_t threads) {
  const std::string count = std::to_string(std::max(threads, 1U));
  std::vector<std::string> environment = {"LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + folder,
                                          "PYTHONUNBUFFERED=1"};
  for (const auto* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"}) {
    environment.push_back(std::string(name) + "=" + count);
  }
  if (!settings.scratch.empty()) environment.push_back("TMPDIR=" + settings.scratch);
  environment.insert(environment.end(), settings.variables.begin(), settings.variables.end());
  return environment;
}

WorkerLog::Sink log_sink(const ModelFiles& files) {
  return [model = files.model, version = files.version](const WorkerLine& line) {
    if (line.request.empty()) {
      log::write(line.level, "Python model", {{"model", model}, {"version", version}, {"line", line.text}});
    } else {
      log::write(line.level, "Python model",
                 {{"model", model}, {"version", version}, {"request_id", line.request}, {"line", line.text}});
    }
  };
}

std::string pack_settings(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string packed;
  for (const auto& [key, value] : pairs) {
    if (!packed.empty()) packed += '\0';
    packed += key + '\0' + value;
  }
  return packed;
}

/// Without its sandbox.
WorkerPlan worker_plan(const PythonEnvironment& settings, const Interpreter& interpreter, const std::string& folder,
                       std::uint32_t threads) {
  WorkerPlan plan;
  auto& process = plan.process;
  process.program = interpreter.program.string();
  process.arguments = {process.program, "-I", "-B", "-X", "utf8", "-c", std::string(kStartCode)};
  process.folder = folder;
  process.environment = environment_of(settings, folder, threads);
  plan.bundle = worker_bundle();
  plan.memory_bytes_max = settings.memory_bytes_max;
  return plan;
}

/// The process that all models of an environment share, about to start.
Result<std::shared_ptr<SharedProcess>> start_shared(const PythonEnvironment& settings, const Interpreter& interpreter,
                                                    const std::filesystem::path& models) {
  TRY(auto sandbox, Sandbox::make({file_rules(models, settings, interpreter), settings.network,
                                   settings.memory_bytes_max, settings.cpu_cores_max}));
  SharedPlan plan;
  plan.environment = settings.name;
  plan.sandbox = std::make_shared<Sandbox>(std::move(sandbox));
  const auto folder = models.empty() ? std::string("/") : models.string();
  plan.worker = worker_plan(settings, interpreter, folder, settings.cpu_cores_max);
  plan.worker.process.arguments.emplace_back("shared");
  plan.worker.process.sandbox = plan.sandbox.get();
  return std::make_shared<SharedProcess>(std::move(plan));
}

/// One load: everything that is the same for all workers of a version. `sandboxes` outlive the workers.
class LoadPlan {
 public:
  LoadPlan(const ModelFiles& files, const PythonEnvironment& settings, Interpreter interpreter, std::uint32_t threads)
      : files_(files), settings_(settings), interpreter_(std::move(interpreter)), threads_(threads) {}

  [[nodiscard]] Result<SlotPlan> slot(const std::string& model_settings) {
    TRY(auto sandbox,
        Sandbox::make({file_rules(is_own_folder(files_) ? files_.folder : files_.path, settings_, interpreter_),
                       settings_.network, settings_.memory_bytes_max, settings_.cpu_cores_max}));
    missing_ = sandbox.missing();
    auto plan = shared_slot(model_settings, nullptr);
    plan.sandbox = std::make_shared<Sandbox>(std::move(sandbox));
    const auto folder = std::filesystem::absolute(files_.folder).string();
    plan.worker = worker_plan(settings_, interpreter_, folder, threads_);
    plan.worker.process.sandbox = plan.sandbox.get();
    return plan;
  }
  /// `shared`: the process that it joins.
  [[nodiscard]] SlotPlan shared_slot(const std::string& model_settings, std::shared_ptr<SharedProcess> shared) const {
    SlotPlan plan;
    plan.shared = std::move(shared);
    plan.settings = model_settings;
    plan.load_time_max = settings_.load_time_max;
    plan.log = log_sink(files_);
    plan.model = files_.model;
    plan.version = files_.version;
    return plan;
  }

  [[nodiscard]] const std::string& missing() const noexcept { return missing_; }

 private:
  const ModelFiles& files_;
  const PythonEnvironment& settings_;
  const Interpreter interpreter_;
  const std::uint32_t threads_;
  std::string missing_;
};

class Python final : public PythonBackend {
 public:
  explicit Python(PythonOptions options)
      : options_(std::move(options)),
        models_(options_.models.empty() ? options_.models : std::filesystem::absolute(options_.models)) {}

  [[nodiscard]] std::string_view id() const noexcept override { return "python"; }
  [[nodiscard]] std::string description() const override {
    const auto found = find(options_.all.interpreter);
    return found ? "python (" + found->string() + ")" : found.error().message;
  }
  [[nodiscard]] Result<bool> recognises(const std::filesystem::path& path) const override {
    return is_python_model(path);
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load(const ModelFiles& files, const LoadOptions& options) override {
    return load_adapter(files, options, {{}, files.path});
  }
  [[nodiscard]] Result<std::unique_ptr<Model>> load_adapter(const ModelFiles& files, const LoadOptions& options,
                                                            const PythonAdapter& adapter) override;

 private:
  static Result<std::filesystem::path> find(const std::string& configured) {
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return find_interpreter(configured, path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  }
  Result<Interpreter> interpreter_for(const PythonEnvironment& settings);
  /// nullptr where the environment has no shared process.
  Result<std::shared_ptr<SharedProcess>> shared_process(const PythonEnvironment& settings,
                                                        const Interpreter& interpreter);
  Result<std::unique_ptr<Model>> load_checked(const ModelFiles& files, const LoadOptions& options,
                                              const PythonAdapter& adapter);

  const PythonOptions options_;
  const std::filesystem::path models_;  // absolute
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SharedProcess>> shared_;  // by environment; guarded by mutex_
  std::map<std::filesystem::path, Interpreter> asked_;          // guarded by mutex_
};

Result<Interpreter> Python::interpreter_for(const PythonEnvironment& settings) {
  TRY(const auto program, find(settings.interpreter));
  const std::lock_guard lock(mutex_);
  if (const auto known = asked_.find(program); known != asked_.end()) return known->second;
  TRY(auto interpreter, ask_interpreter(program));
  log::info("Python found", {{"program", interpreter.program.string()}, {"version", interpreter.version}});
  return asked_.emplace(program, std::move(interpreter)).first->second;
}

Result<std::shared_ptr<SharedProcess>> Python::shared_process(const PythonEnvironment& settings,
                                                              const Interpreter& interpreter) {
  if (!settings.shared) return nullptr;
  const std::lock_guard lock(mutex_);
  auto& known = shared_[settings.name];
  if (auto running = known.lock()) return running;
  TRY(auto process, start_shared(settings, interpreter, models_));
  known = process;
  return process;
}

Result<std::unique_ptr<Model>> Python::load_checked(const ModelFiles& files, const LoadOptions& options,
                                                    const PythonAdapter& adapter) {
  TRY(const PythonEnvironment settings, choose_environment(options_, options.python));
  if (settings.shared) TRY_STATUS(check_covered(files, settings, models_));
  TRY(auto interpreter, interpreter_for(settings));
  TRY(const auto shared, shared_process(settings, interpreter));
  const std::string where = describe(settings) + ": " + interpreter.program.string();
  LoadPlan plan(files, settings, std::move(interpreter), options.intra_op_threads);
  const std::string told = pack_settings({{"adapter", adapter.name},
                                          {"path", std::filesystem::absolute(adapter.path).string()},
                                          {"folder", std::filesystem::absolute(files.folder).string()}});
  TRY(auto pool, WorkerPool::start(settings.workers, [&] {
        return shared ? Result<SlotPlan>(plan.shared_slot(told, shared)) : plan.slot(told);
      }));
  auto notes = pool->facts().notes;
  notes.push_back(where);
  notes.push_back(shared ? "shares the worker process of " + describe(settings) + " with every model that chooses it"
                         : std::to_string(settings.workers) +
                               (settings.workers == 1 ? " worker process" : " worker processes"));
  if (settings.network) notes.emplace_back("may use the network");
  if (!settings.scratch.empty()) notes.push_back("may write to " + settings.scratch);
  if (const auto& missing = shared ? shared->missing() : plan.missing(); !missing.empty()) {
    notes.push_back(missing);
    log::warning("Python model is not fully fenced in",
                 {{"model", files.model}, {"version", files.version}, {"reason", missing}});
  }
  return std::make_unique<PythonModel>(std::move(pool), settings.run_time_max, std::move(notes));
}

Result<std::unique_ptr<Model>> Python::load_adapter(const ModelFiles& files, const LoadOptions& options,
                                                    const PythonAdapter& adapter) {
  auto model = [&]() -> Result<std::unique_ptr<Model>> {
    if (!adapter.name.empty() && !options_.unpickle) {
      return fail(Code::kFailedPrecondition,
                  "only Python can run this model, and unpickling runs code: allow it with --python-unpickle");
    }
    return load_checked(files, options, adapter);
  }();
  if (model) return model;
  auto error = std::move(model).error();
  // What a model raises while it loads will be raised again: the repository need not try.
  if (error.code == Code::kInternal) error.code = Code::kInvalidArgument;
  error.message += " (model " + printable(files.model) + ", version " + printable(files.version) + ")";
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Result<std::unique_ptr<PythonBackend>> make_python_backend(const PythonOptions& options) {
  TRY_STATUS(check_environment(options.all));
  for (const auto& environment : options.environments) TRY_STATUS(check_environment(environment));
  return std::make_unique<Python>(options);
}

}  // namespace protean
