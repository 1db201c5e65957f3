// SPDX-License-Identifier: Apache-2.0
//
// Closed-loop load over HTTP/1.1 keep-alive (or raw TCP, for the loopback floor): each of N connections sends the same
// bytes, waits for the whole answer, and sends again until the time is up; then in-flight requests finish, so that the
// server's CPU time divides by an exact count. Single-threaded epoll. h2load does this too, but costs twice the CPU for
// HTTP/1.1, which on two cores would make the client the limit of what is measured.
//
//   load_client --port P --connections N --seconds S --request FILE [--reply-bytes N]
//       FILE holds a whole request, header and body. With --reply-bytes the answer is N raw bytes, not HTTP.
//   prints {"requests", "seconds", "rps", "p50_us", "p99_us", "reply_bytes"}; a bad answer ends it with status 1.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kReceiveBytes = 1 << 18;
constexpr auto kLongestAnswer = std::chrono::seconds(20);

struct Connection {
  int socket = -1;
  size_t sent = 0;
  std::string received;
  bool waits_to_write = false;
  bool busy = false;
  Clock::time_point started;
};

/// Bytes of the first whole HTTP/1.1 answer in `text`, or 0 when more must arrive. Throws on anything but 200.
size_t answer_bytes(std::string_view text) {
  const size_t header_end = text.find("\r\n\r\n");
  if (header_end == std::string_view::npos) return 0;
  if (text.substr(0, 12) != "HTTP/1.1 200") throw std::runtime_error("answer: " + std::string(text.substr(0, 400)));
  for (size_t line = text.find("\r\n") + 2; line < header_end; line = text.find("\r\n", line) + 2) {
    constexpr std::string_view kLength = "content-length:";
    if (strncasecmp(text.data() + line, kLength.data(), kLength.size()) == 0) {
      const size_t body = std::strtoul(text.data() + line + kLength.size(), nullptr, 10);
      return text.size() >= header_end + 4 + body ? header_end + 4 + body : 0;
    }
  }
  // The servers compared send chunks only without inner trailers: the last chunk is the end.
  const size_t last_chunk = text.find("\r\n0\r\n\r\n", header_end + 2);
  return last_chunk == std::string_view::npos ? 0 : last_chunk + 7;
}

class LoadClient {
 public:
  LoadClient(std::string request, size_t reply_bytes)
      : request_(std::move(request)), reply_bytes_(reply_bytes), epoll_(epoll_create1(0)), buffer_(kReceiveBytes) {
    latencies_ns_.reserve(1 << 22);
  }

  void connect(int port, int count) {
    for (int i = 0; i < count; ++i) {
      auto connection = std::make_unique<Connection>();
      connection->socket = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::connect(connection->socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
      }
      const int on = 1;
      setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connection.get();
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->socket, &event);
      connections_.push_back(std::move(connection));
    }
  }

  void run(double seconds) {
    const auto begin = Clock::now();
    deadline_ = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (auto& connection : connections_) start_request(*connection, Clock::now());
    while (in_flight_ > 0) {
      epoll_event events[256];
      const int count = epoll_wait(epoll_, events, 256, 1000);
      if (count < 0 && errno != EINTR) throw std::runtime_error("epoll_wait");
      for (int i = 0; i < count; ++i) {
        auto& connection = *static_cast<Connection*>(events[i].data.ptr);
        if (connection.waits_to_write && (events[i].events & EPOLLOUT) != 0) send_more(connection);
        if ((events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) receive(connection);
      }
      if (Clock::now() > deadline_ + kLongestAnswer) throw std::runtime_error("an answer did not come");
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  }

  void print_report() {
    const double count = static_cast<double>(latencies_ns_.size());
    std::printf(
        "{\"requests\": %zu, \"seconds\": %.6f, \"rps\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
        "\"reply_bytes\": %zu}\n",
        latencies_ns_.size(), seconds_, count / seconds_, percentile_us(0.50), percentile_us(0.99), last_reply_bytes_);
  }

 private:
  double percentile_us(double quantile) {
    const auto index = static_cast<std::ptrdiff_t>(quantile * static_cast<double>(latencies_ns_.size() - 1));
    std::nth_element(latencies_ns_.begin(), latencies_ns_.begin() + index, latencies_ns_.end());
    return latencies_ns_[static_cast<size_t>(index)] / 1000.0;
  }

  void start_request(Connection& connection, Clock::time_point now) {
    connection.sent = 0;
    connection.started = now;
    connection.busy = true;
    ++in_flight_;
    send_more(connection);
  }

  void send_more(Connection& connection) {
    while (connection.sent < request_.size()) {
      const ssize_t sent = send(connection.socket, request_.data() + connection.sent, request_.size() - connection.sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) break;
      if (sent < 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
      connection.sent += static_cast<size_t>(sent);
    }
    const bool waits = connection.sent < request_.size();
    if (waits == connection.waits_to_write) return;
    connection.waits_to_write = waits;
    epoll_event event{};
    event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event);
  }

  void receive(Connection& connection) {
    const ssize_t got = recv(connection.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) throw std::runtime_error("the server closed a connection");
    std::string_view text(buffer_.data(), static_cast<size_t>(got));
    if (!connection.received.empty()) {
      connection.received.append(text);
      text = connection.received;
    }
    const size_t whole = reply_bytes_ > 0 ? (text.size() >= reply_bytes_ ? reply_bytes_ : 0) : answer_bytes(text);
    if (whole == 0) {
      if (connection.received.empty()) connection.received.assign(text);
      return;
    }
    if (whole != text.size() || connection.sent != request_.size()) throw std::runtime_error("bytes out of turn");
    last_reply_bytes_ = whole;
    connection.received.clear();
    connection.busy = false;
    --in_flight_;
    const auto now = Clock::now();
    const auto elapsed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - connection.started).count();
    latencies_ns_.push_back(static_cast<uint32_t>(std::min<int64_t>(elapsed, UINT32_MAX)));
    if (now < deadline_) start_request(connection, now);
  }

  const std::string request_;
  const size_t reply_bytes_;
  const int epoll_;
  std::vector<char> buffer_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> latencies_ns_;
  Clock::time_point deadline_;
  size_t in_flight_ = 0;
  size_t last_reply_bytes_ = 0;
  double seconds_ = 0;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::map<std::string, std::string> options{{"--connections", "1"}, {"--seconds", "1"}, {"--reply-bytes", "0"}};
    for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
    LoadClient client(read_file(options.at("--request")), std::stoul(options.at("--reply-bytes")));
    client.connect(std::stoi(options.at("--port")), std::stoi(options.at("--connections")));
    client.run(std::stod(options.at("--seconds")));
    client.print_report();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load_client: %s\n", error.what());
    return 1;
  }
}
