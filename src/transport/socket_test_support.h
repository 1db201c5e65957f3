// SPDX-License-Identifier: Apache-2.0
// A blocking TCP client for tests: every wait is bounded, and what goes wrong is a failed expectation.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace protean::testing {

class TestClient {
 public:
  explicit TestClient(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  TestClient(TestClient&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  TestClient& operator=(TestClient&&) = delete;
  ~TestClient() { close(); }

  /// False when the server has closed.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  /// Until what was received ends with `end`, or the server closes, or patience ends.
  std::string receive_until(std::string_view end) const {
    std::string all;
    std::array<char, 65536> block;
    while (!all.ends_with(end) || end.empty()) {
      const ssize_t count = ::recv(descriptor_, block.data(), block.size(), 0);
      if (count <= 0) break;
      all.append(block.data(), static_cast<std::size_t>(count));
    }
    return all;
  }
  /// Until the server closes.
  std::string receive_all() const { return receive_until(""); }
  std::string receive_bytes(std::size_t count) const {
    std::string all(count, '\0');
    const ssize_t received = ::recv(descriptor_, all.data(), count, MSG_WAITALL);
    all.resize(received > 0 ? static_cast<std::size_t>(received) : 0);
    return all;
  }
  void finish_sending() const { ::shutdown(descriptor_, SHUT_WR); }
  /// Closes with a reset instead of a FIN.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close();
  }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  /// Waits, without reading, until the connection is broken.
  bool wait_for_reset() const {
    pollfd state{descriptor_, 0, 0};
    return ::poll(&state, 1, 10'000) == 1;
  }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace protean::testing
