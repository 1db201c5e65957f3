// SPDX-License-Identifier: Apache-2.0
// What a Python model costs beyond the model: a run that does nothing, and 600 KB that cross to the worker or back,
// beside the same bytes through a Unix and a TCP socket into a NumPy array of another process. Prints one JSON object.
// Usage: python_bench [interpreter or virtual environment] [rounds]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "backends/python/backend.h"

namespace {

using namespace protean;  // NOLINT(google-build-using-namespace): a program of its own

constexpr std::size_t kLargeBytes = 600'000;
constexpr const char* kModel =
    "import numpy as np\n"
    "from protean_worker import Input, Model, Output, empty_output\n"
    "class NoOp(Model):\n"
    "    inputs = [Input('x', 'FP32', [-1])]\n"
    "    outputs = [Output('y', 'FP32', [-1])]\n"
    "    def load(self, folder): self.kept = np.ones(150_000, 'f4')\n"
    "    def predict(self, inputs):\n"
    "        x = inputs['x']\n"
    "        if x[0] == 0: return x[:1]\n"
    "        if x[0] == 1: return self.kept\n"
    "        return empty_output('y', [150_000])\n";
constexpr const char* kSocketPeer =
    "import socket, sys, numpy as np\n"
    "s = socket.socket(fileno=int(sys.argv[1]))\n"
    "if s.family == socket.AF_INET: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
    "kept = np.ones(600_000, 'u1')\n"
    "while head := s.recv(8):\n"
    "    a = np.empty(int.from_bytes(head, 'little'), 'u1'); m = memoryview(a); n = 0\n"
    "    while n < len(m): n += s.recv_into(m[n:])\n"
    "    s.sendall(kept if a[0] else bytes(8))\n";

struct Times {
  double median_us = 0;
  double p99_us = 0;
};

Times measure(std::size_t rounds, const std::function<void()>& once) {
  for (std::size_t i = 0; i < rounds / 10 + 10; ++i) once();
  std::vector<double> us(rounds);
  for (auto& value : us) {
    const auto begin = std::chrono::steady_clock::now();
    once();
    value = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  }
  std::sort(us.begin(), us.end());
  return {us[rounds / 2], us[rounds * 99 / 100]};
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "python_bench: %s\n", why.c_str());
  std::exit(1);
}

/// `first`: the first number, which says what the model answers.
Times measure_model(Model& model, std::size_t bytes, std::size_t rounds, float first = 0) {
  Buffer data(bytes);
  std::fill(data.span().begin(), data.span().end(), std::byte{0});
  std::memcpy(data.data(), &first, sizeof(first));
  const Tensor x{DataType::kFp32, {static_cast<std::int64_t>(bytes / 4)}, std::move(data).share()};
  const std::array<const Tensor*, 1> inputs = {&x};
  const std::array<std::size_t, 1> outputs = {0};
  return measure(rounds, [&] {
    if (const auto answer = model.run({inputs, outputs, {}}); !answer) give_up(answer.error().message);
  });
}

std::array<int, 2> tcp_pair() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1) != 0) {
    give_up("no loopback");
  }
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  if (::connect(client, reinterpret_cast<sockaddr*>(&address), size) != 0) give_up("no loopback");
  const int peer = ::accept(listener, nullptr, nullptr);
  ::close(listener);
  const int yes = 1;
  ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  return {client, peer};
}

/// `answer_bytes`: 8, or kLargeBytes.
Times measure_socket(const std::string& interpreter, std::array<int, 2> ends, std::size_t bytes, std::size_t rounds,
                     std::size_t answer_bytes = 8) {
  const ::pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    const std::string number = std::to_string(ends[1]);
    ::execl(interpreter.c_str(), interpreter.c_str(), "-c", kSocketPeer, number.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  std::vector<char> message(8 + bytes);
  for (int i = 0; i < 8; ++i) message[static_cast<std::size_t>(i)] = static_cast<char>(bytes >> (8 * i));
  if (answer_bytes != 8) message[8] = 1;
  std::vector<char> reply(answer_bytes);
  const auto times = measure(rounds, [&] {
    for (std::size_t sent = 0; sent < message.size();) {
      const auto more = ::send(ends[0], message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
      if (more <= 0) give_up("the socket's peer is gone");
      sent += static_cast<std::size_t>(more);
    }
    for (std::size_t got = 0; got < reply.size();) {
      const auto more = ::recv(ends[0], reply.data() + got, reply.size() - got, 0);
      if (more <= 0) give_up("the socket's peer is gone");
      got += static_cast<std::size_t>(more);
    }
  });
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return times;
}

std::array<int, 2> unix_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) give_up("no socketpair");
  return ends;
}

void print(const char* name, Times times) {
  std::printf("  \"%s\": {\"median_us\": %.2f, \"p99_us\": %.2f},\n", name, times.median_us, times.p99_us);
}

}  // namespace

int main(int argc, char** argv) {
  std::string interpreter = argc > 1 ? argv[1] : "/usr/bin/python3";
  const std::size_t rounds = argc > 2 ? std::stoul(argv[2]) : 5000;
  if (std::filesystem::is_directory(interpreter)) interpreter += "/bin/python3";
  std::string pattern = (std::filesystem::temp_directory_path() / "python-bench-XXXXXX").string();
  const std::filesystem::path folder = std::filesystem::path(::mkdtemp(pattern.data())) / "noop";
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "model.py") << kModel;

  PythonOptions options;
  options.all.interpreter = interpreter;
  auto backend = make_python_backend(options);
  if (!backend) give_up(backend.error().message);
  auto model = (*backend)->load({"noop", "1", folder / "model.py", folder}, {});
  if (!model) give_up(model.error().message);
  const auto nothing = measure_model(**model, 16, rounds);
  const auto large = measure_model(**model, kLargeBytes, rounds);
  const auto answer = measure_model(**model, 16, rounds, 1);
  const auto in_place = measure_model(**model, 16, rounds, 2);
  const auto unix_answer = measure_socket(interpreter, unix_pair(), 16, rounds, kLargeBytes);
  const auto unix_nothing = measure_socket(interpreter, unix_pair(), 16, rounds);
  const auto unix_large = measure_socket(interpreter, unix_pair(), kLargeBytes, rounds);
  const auto tcp_nothing = measure_socket(interpreter, tcp_pair(), 16, rounds);
  const auto tcp_large = measure_socket(interpreter, tcp_pair(), kLargeBytes, rounds);
  const double crossing = large.median_us - nothing.median_us;
  std::printf("{\n");
  print("run_16_bytes", nothing);
  print("run_600_kb", large);
  print("answer_600_kb", answer);
  print("answer_600_kb_in_place", in_place);
  print("unix_socket_answer_600_kb", unix_answer);
  print("unix_socket_16_bytes", unix_nothing);
  print("unix_socket_600_kb", unix_large);
  print("tcp_socket_16_bytes", tcp_nothing);
  print("tcp_socket_600_kb", tcp_large);
  const auto of_socket = [&](double us) {
    return (us - nothing.median_us) / (unix_answer.median_us - unix_nothing.median_us);
  };
  std::printf("  \"answer_over_unix_socket\": %.3f,\n", of_socket(answer.median_us));
  std::printf("  \"answer_in_place_over_unix_socket\": %.3f,\n", of_socket(in_place.median_us));
  std::printf("  \"crossing_over_unix_socket\": %.3f,\n", crossing / (unix_large.median_us - unix_nothing.median_us));
  std::printf("  \"crossing_over_tcp_socket\": %.3f\n}\n", crossing / (tcp_large.median_us - tcp_nothing.median_us));
  model->reset();
  std::filesystem::remove_all(folder.parent_path());
  return 0;
}
