// SPDX-License-Identifier: Apache-2.0
//
// The loopback round trip and nothing else: answers every `--request-bytes` bytes received with `--reply-bytes` bytes.
// Single-threaded epoll, no parsing, so that its latency is the floor that a server's latency is measured from.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr int kReceiveBytes = 1 << 16;

int listen_on(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 256) != 0) {
    std::perror("tcp_echo: bind");
    std::exit(1);
  }
  return listener;
}

void watch(int epoll, int socket) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket;
  epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

void serve(int port, long request_bytes, const std::string& reply) {
  const int listener = listen_on(port);
  const int epoll = epoll_create1(0);
  watch(epoll, listener);
  std::map<int, long> received;
  std::vector<char> buffer(kReceiveBytes);
  for (;;) {
    epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, -1);
    if (count < 0 && errno != EINTR) std::exit(1);
    for (int i = 0; i < count; ++i) {
      const int socket = events[i].data.fd;
      if (socket == listener) {
        const int accepted = accept(listener, nullptr, nullptr);
        const int on = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        received[accepted] = 0;
        watch(epoll, accepted);
        continue;
      }
      const ssize_t got = recv(socket, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        received.erase(socket);
        close(socket);
        continue;
      }
      long& total = received[socket];
      for (total += got; total >= request_bytes; total -= request_bytes) {
        if (send(socket, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, long> options{{"--port", 0}, {"--request-bytes", 1}, {"--reply-bytes", 1}};
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = std::strtol(argv[i + 1], nullptr, 10);
  serve(static_cast<int>(options["--port"]), options["--request-bytes"],
        std::string(static_cast<size_t>(options["--reply-bytes"]), 'x'));
}
