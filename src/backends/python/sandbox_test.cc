// SPDX-License-Identifier: Apache-2.0
// What a worker cannot do, tried by one.
#include "backends/python/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "backends/python/worker_test_support.h"

namespace protean::python {
namespace {

using testing::HasSubstr;

/// Runs `code` (an expression) inside a worker and returns what it raised, or `nothing`.
class SandboxTest : public testing::Test {
 protected:
  std::string raised_by(const std::string& code, PythonOptions options = test_options()) {
    const auto backend = *make_python_backend(options);
    const auto files =
        folder_.add("tested",
                    "    def predict(self, inputs):\n"
                    "        import ctypes, signal, socket, threading\n"
                    "        libc = ctypes.CDLL(None, use_errno=True)\n"
                    "        def call(*arguments):\n"
                    "            if libc.syscall(*arguments) < 0: raise OSError(ctypes.get_errno(), 'refused')\n"
                    "        result = " +
                        code +
                        "\n"
                        "        raise RuntimeError(f'nothing: {result!r}')");
    const auto model = backend->load(files, {});
    if (!model) return "load: " + model.error().message;
    const auto answer = run_one(**model, counting(1));
    return answer ? "an answer" : answer.error().message;
  }

  ModelsFolder folder_;
};

TEST_F(SandboxTest, ReadsItsOwnFolderAndLibraries) {
  EXPECT_THAT(raised_by("open('model.py').read(3)"), HasSubstr("nothing: 'imp'"));
  EXPECT_THAT(raised_by("__import__('json').loads('1')"), HasSubstr("nothing: 1"));
}

TEST_F(SandboxTest, ReadsItsOwnMappings) {
  EXPECT_THAT(raised_by("'python' in open('/proc/self/maps').read()"), HasSubstr("nothing: True"));
  EXPECT_THAT(raised_by("open(f'/proc/{os.getppid()}/maps')"), HasSubstr("PermissionError"));
}

TEST_F(SandboxTest, ReadsNoOtherFile) {
  if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  std::ofstream(folder_.path() / "secret") << "secret";
  for (const char* path : {"../secret", "/etc/passwd", "/proc/1/environ", "/proc/self/environ", "/root", "/tmp"}) {
    const auto raised = raised_by("os.listdir('" + std::string(path) + "') if os.path.isdir('" + path +
                                  "') else open('" + path + "').read()");
    EXPECT_THAT(raised, HasSubstr("PermissionError")) << path;
  }
  auto options = test_options();
  options.all.readable = {(folder_.path() / "secret").string()};
  EXPECT_THAT(raised_by("open('../secret').read()", options), HasSubstr("nothing: 'secret'"));
}

TEST_F(SandboxTest, WritesNoFile) {
  for (const char* code : {"open('new', 'w')", "open('model.py', 'a')", "open('/tmp/new', 'w')", "os.mkdir('new')",
                           "os.unlink('model.py')", "os.rename('model.py', 'other')", "os.symlink('a', 'b')",
                           "os.chmod('model.py', 0o777)", "os.truncate('model.py', 0)", "os.utime('model.py')"}) {
    EXPECT_THAT(raised_by(code), HasSubstr("PermissionError")) << code;
  }
  EXPECT_THAT(raised_by("open('/dev/null', 'w').write('x')"), HasSubstr("nothing: 1"));
}

TEST_F(SandboxTest, WritesToItsScratchFolderAndNowhereElse) {
  if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  auto options = test_options();
  const auto scratch = folder_.path() / "scratch";
  options.all.scratch = scratch.string();
  EXPECT_THAT(raised_by("0", options), HasSubstr("is no folder that exists"));
  std::filesystem::create_directory(scratch);
  const std::string in = "'" + scratch.string() + "/";
  EXPECT_THAT(raised_by("open(" + in + "a', 'w').write('abc'), os.rename(" + in + "a', " + in + "b'), os.mkdir(" + in +
                            "c'), open(" + in + "b', 'r+').truncate(2)",
                        options),
              HasSubstr("nothing: (3, None, None, 2)"));
  EXPECT_EQ(std::filesystem::file_size(scratch / "b"), 2U);
  EXPECT_THAT(raised_by("__import__('tempfile').TemporaryFile().write(b'abc')", options), HasSubstr("nothing: 3"));
  for (const auto& code : std::vector<std::string>{
           "os.rename(" + in + "b', 'model2.py')", "os.rename('model.py', " + in + "m')", "os.unlink('model.py')",
           "os.mkdir('../other')", "open('new', 'w')", "open('model.py', 'r+')",
           "os.symlink('/etc/passwd', " + in + "s')", "os.link('model.py', " + in + "l')", "os.mkfifo(" + in + "f')",
           "open(" + in + "../escaped', 'w')", "os.execv(" + in + "b', ['b'])"}) {
    EXPECT_THAT(raised_by(code, options), testing::AnyOf(HasSubstr("PermissionError"), HasSubstr("OSError"))) << code;
  }
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "tested" / "model.py"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "escaped"));
}

TEST_F(SandboxTest, OpensNoSocketUnlessAllowed) {
  for (const char* family : {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}) {
    EXPECT_THAT(raised_by(std::string("socket.socket(socket.") + family + ")"), HasSubstr("PermissionError"));
  }
  auto options = test_options();
  options.all.network = true;
  EXPECT_THAT(raised_by("socket.socket(socket.AF_INET).close()", options), HasSubstr("nothing"));
  EXPECT_THAT(raised_by("socket.socket(17, socket.SOCK_RAW)", options), HasSubstr("PermissionError"));
}

TEST_F(SandboxTest, StartsNoProcessButThreads) {
  for (const char* code : {"os.fork()", "os.posix_spawn('/bin/true', ['true'], {})",
                           "__import__('subprocess').run(['true'])", "os.execv('/bin/true', ['true'])"}) {
    EXPECT_THAT(raised_by(code), testing::AnyOf(HasSubstr("PermissionError"), HasSubstr("Operation not permitted")))
        << code;
  }
  EXPECT_THAT(raised_by("[t.start() or t.join() for t in [threading.Thread(target=print)]]"), HasSubstr("nothing"));
}

TEST_F(SandboxTest, ReachesNoOtherProcess) {
  const std::string server = std::to_string(::getpid());
  for (const std::string& code :
       std::vector<std::string>{"os.kill(" + server + ", 0)", "os.kill(os.getppid(), 0)", "os.kill(-1, 0)",
                                "call(101, 16, " + server + ", 0, 0)", "open('/proc/" + server + "/mem')",
                                "__import__('resource').prlimit(" + server + ", 7, (0, 0))",
                                "signal.pidfd_send_signal(os.pidfd_open(" + server + "), 0)",
                                "os.setpriority(0, " + server + ", 19)", "os.sched_setaffinity(" + server + ", [0])"}) {
    EXPECT_THAT(raised_by(code), HasSubstr("PermissionError")) << code;
  }
  EXPECT_THAT(raised_by("os.kill(os.getpid(), 0)"), HasSubstr("nothing"));
}

#if defined(__x86_64__)
TEST_F(SandboxTest, MakesNoCallThatReachesTheKernelsConfiguration) {
  // mount, unshare, bpf, io_uring_setup, userfaultfd, perf_event_open, memfd_create, kexec_load, prctl(PDEATHSIG, 0)
  for (const char* call : {"165", "272, 0x10000000", "321", "425", "323", "298", "319", "246", "157, 1, 0"}) {
    EXPECT_THAT(raised_by(std::string("call(") + call + ")"), HasSubstr("PermissionError")) << call;
  }
}
#endif

TEST_F(SandboxTest, KeepsNothingOfTheServersEnvironment) {
  ::setenv("SANDBOX_TEST_SECRET", "secret", 1);
  EXPECT_THAT(raised_by("os.environ.get('SANDBOX_TEST_SECRET')"), HasSubstr("nothing: None"));
}

}  // namespace
}  // namespace protean::python
