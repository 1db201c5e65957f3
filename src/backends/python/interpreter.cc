// SPDX-License-Identifier: Apache-2.0
// One short run of the interpreter, whose answer is lines.
#include "backends/python/interpreter.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "backends/python/spawn.h"
#include "base/clock.h"
#include "base/text.h"

namespace protean::python {
namespace {

constexpr Duration kAnswerWithin = std::chrono::seconds(20);
constexpr std::size_t kAnswerBytesMax = 1 << 16;
constexpr std::string_view kMark = "protean-interpreter";
constexpr const char* kQuestion =
    "import sys, importlib.util as u\n"
    "print('protean-interpreter', *sys.version_info[:3], 1 if u.find_spec('numpy') else 0)\n"
    "print(sys.executable)\n"
    "print(*{p for p in [sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path] if p}, sep='\\n')\n";

bool is_program(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

tl::unexpected<Error> unusable(const std::filesystem::path& program, const std::string& why) {
  return fail(Code::kFailedPrecondition, "the Python interpreter '" + printable(program.string(), 512) + "' " + why);
}

/// What comes out of `pipe` until its end.
Result<std::string> read_all(int pipe, const std::filesystem::path& program) {
  const TimePoint until = Clock::system().now() + kAnswerWithin;
  std::string text;
  std::array<char, 4096> bytes;
  while (text.size() <= kAnswerBytesMax) {
    const auto left = std::max<Duration>(until - Clock::system().now(), Duration::zero());
    ::pollfd waiting{pipe, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left / std::chrono::milliseconds(1)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return unusable(program, "gave no answer within 20 s");
    const auto got = ::read(pipe, bytes.data(), bytes.size());
    if (got <= 0) return text;
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return unusable(program, "answered with more than expected");
}

Result<Interpreter> understand(const std::string& text, const std::filesystem::path& program) {
  const auto lines = split(text, '\n');
  const auto words = lines.empty() ? std::vector<std::string_view>() : split(lines[0], ' ');
  if (lines.size() < 3 || words.size() != 5 || words[0] != kMark) {
    return unusable(program, "does not answer as Python does: " + printable(text));
  }
  const auto major = parse_uint64(words[1]).value_or(0);
  const auto minor = parse_uint64(words[2]).value_or(0);
  Interpreter interpreter;
  interpreter.version = std::string(words[1]) + "." + std::string(words[2]) + "." + std::string(words[3]);
  if (major != 3 || minor < 10)
    return unusable(program, "is Python " + interpreter.version + ", expected 3.10 or newer");
  if (words[4] != "1") return unusable(program, "has no NumPy: " + std::string(lines[1]) + " -m pip install numpy");
  interpreter.program = lines[1];
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const std::filesystem::path folder(lines[i]);
    // An interpreter installed at the root would open everything.
    if (folder.is_absolute() && folder.has_relative_path()) interpreter.folders.push_back(folder);
  }
  return interpreter;
}

}  // namespace

Result<std::filesystem::path> find_interpreter(const std::string& configured, std::string_view search_path) {
  std::error_code error;
  if (!configured.empty()) {
    const std::filesystem::path path = std::filesystem::absolute(configured, error);
    if (is_program(path)) return path;
    const auto inside = path / "bin" / "python3";
    if (is_program(inside)) return inside;
    return fail(Code::kFailedPrecondition, "no Python at '" + printable(configured, 512) +
                                               "': expected a program, or a virtual environment with bin/python3");
  }
  for (const auto folder : split(search_path, ':')) {
    const auto path = std::filesystem::path(folder) / "python3";
    if (path.is_absolute() && is_program(path)) return path;
  }
  return fail(Code::kFailedPrecondition, "no python3 in PATH (" + printable(search_path, 512) +
                                             "): install one with NumPy, or name one with --python");
}

Result<Interpreter> ask_interpreter(const std::filesystem::path& program) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return unusable(program, "cannot be asked: no pipe");
  const Descriptor answer(ends[0]);
  Descriptor end(ends[1]);
  const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  SpawnPlan plan;
  plan.program = program.string();
  plan.arguments = {plan.program, "-I", "-B", "-c", kQuestion};
  plan.environment = {"LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"};
  plan.folder = "/";
  plan.descriptors = {nothing.get(), end.get(), nothing.get()};
  TRY(const auto process, spawn(plan));
  end.reset();
  TRY(const auto text, read_all(answer.get(), program));
  return understand(text, program);
}

}  // namespace protean::python
