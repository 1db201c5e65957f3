// SPDX-License-Identifier: Apache-2.0
// Layouts: Python's site module and virtual environments (PEP 405), Debian's dist-packages, the loader's folders.
#include "core/library_search.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "base/text.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLinesMax = 64;

fs::path first_python(std::string_view path_variable) {
  for (const std::string_view folder : split(path_variable, ':')) {
    const fs::path program = fs::path(folder) / "python3";
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

/// The folder that `bin/` and `lib/` are in.
fs::path prefix_of(const std::string& interpreter, std::string_view path_variable) {
  std::error_code ignored;
  if (!interpreter.empty() && fs::is_directory(interpreter, ignored)) return interpreter;
  fs::path program = interpreter;
  if (program.empty() || !program.has_parent_path()) program = first_python(path_variable);
  // Not through links: a virtual environment's interpreter is one to the base's.
  if (program.empty()) return {};
  return fs::absolute(program, ignored).parent_path().parent_path();
}

struct VirtualEnvironment {
  bool is_one = false;
  fs::path base;  // empty: packages of the base interpreter are not to be used
};

VirtualEnvironment read_environment(const fs::path& prefix) {
  std::ifstream file(prefix / "pyvenv.cfg");
  VirtualEnvironment found;
  fs::path home;
  bool with_system = false;
  std::string line;
  for (std::size_t i = 0; i < kLinesMax && std::getline(file, line); ++i) {
    found.is_one = true;
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    const auto key = trim(std::string_view(line).substr(0, equals));
    const auto value = trim(std::string_view(line).substr(equals + 1));
    if (key == "home") home = value;
    if (key == "include-system-site-packages") with_system = equals_ignore_case(value, "true");
  }
  if (with_system && !home.empty()) found.base = home.parent_path();
  return found;
}

void add_packages(const fs::path& prefix, std::vector<fs::path>& found) {
  std::error_code error;
  std::vector<fs::path> versions;
  for (fs::directory_iterator it(prefix / "lib", error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with("python3")) versions.push_back(it->path());
  }
  std::ranges::sort(versions);
  for (const auto& version : versions) {
    for (const char* name : {"site-packages", "dist-packages"}) {
      if (fs::is_directory(version / name, error)) found.push_back(version / name);
    }
  }
}

}  // namespace

std::vector<fs::path> python_package_folders(const std::string& interpreter, std::string_view path_variable) {
  std::vector<fs::path> found;
  const fs::path prefix = prefix_of(interpreter, path_variable);
  if (prefix.empty()) return found;
  const auto environment = read_environment(prefix);
  add_packages(prefix, found);
  const fs::path& base = environment.is_one ? environment.base : prefix;
  if (environment.is_one && !base.empty()) add_packages(base, found);
  // Debian's own interpreter takes what pip installs from there.
  if (base == "/usr") add_packages("/usr/local", found);
  return found;
}

std::vector<fs::path> system_library_folders(std::string_view library_path) {
  std::vector<fs::path> folders;
  for (const std::string_view folder : split(library_path, ':')) folders.emplace_back(folder);
  for (const char* folder : {"/usr/local/lib", "/usr/local/lib/x86_64-linux-gnu", "/usr/local/lib/aarch64-linux-gnu",
                             "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/lib"}) {
    folders.emplace_back(folder);
  }
  return folders;
}

std::string environment_text(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<void*> open_library(const fs::path& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  const char* reason = ::dlerror();
  return fail(Code::kFailedPrecondition, reason == nullptr ? path.string() + " cannot be opened" : reason);
}

void* find_symbol(void* library, const char* name) noexcept { return ::dlsym(library, name); }

}  // namespace protean
