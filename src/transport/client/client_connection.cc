// SPDX-License-Identifier: Apache-2.0
// The socket's side of a client connection. Writing is tried at once, without a round through the event loop.
#include "transport/client/client_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <utility>

namespace protean {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr std::size_t kGatherMax = 16;

Error broken(std::string_view what, const error_code& error) {
  return {Code::kUnavailable, fmt::format("{}: {}", what, error.message()), {}, {}};
}

}  // namespace

Result<ClientTarget> resolve_target(const std::string& host, std::uint16_t port) {
  asio::io_context io(1);
  asio::ip::tcp::resolver resolver(io);
  error_code error;
  const auto found = resolver.resolve(host, fmt::format("{}", port), error);
  if (error || found.empty()) {
    return fail(Code::kUnavailable, fmt::format("host '{}': {}", host, error ? error.message() : "no address"));
  }
  return ClientTarget{found.begin()->endpoint().address().to_string(), port};
}

ClientConnection::ClientConnection(ClientLoop& loop) : socket_(loop.io()) {}

ClientConnection::~ClientConnection() = default;

void ClientConnection::connect(const ClientTarget& target, TimePoint deadline, Connected connected) {
  state_ = State::kConnecting;
  connected_ = std::move(connected);
  connect_deadline_ = deadline;
  place_ = fmt::format("{}:{}", target.address, target.port);
  error_code error;
  const auto address = asio::ip::make_address(target.address, error);
  socket_.async_connect({address, target.port}, [this, self = shared_from_this()](const error_code& result) {
    if (state_ != State::kConnecting) return;
    if (result) return finish_connecting(tl::unexpected(broken("connecting to " + place_, result)));
    error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    finish_connecting({});
  });
}

void ClientConnection::finish_connecting(Status status) {
  const auto self = shared_from_this();
  const bool opened = status.has_value();
  state_ = opened ? State::kOpen : State::kClosed;
  error_code ignored;
  if (!opened) socket_.close(ignored);
  if (opened) {
    input_.resize(kReadBytes);
    on_open();
    read();
  }
  if (const auto connected = std::exchange(connected_, nullptr)) connected(std::move(status));
}

void ClientConnection::expire(TimePoint now) {
  if (state_ != State::kConnecting || now < connect_deadline_) return;
  finish_connecting(fail(Code::kDeadlineExceeded, "connecting to " + place_ + ": timed out"));
}

void ClientConnection::close() {
  if (state_ == State::kConnecting) return finish_connecting(fail(Code::kUnavailable, "closed before it was open"));
  break_off({Code::kUnavailable, "closed by the client", {}, {}});
}

void ClientConnection::break_off(const Error& error) {
  if (state_ != State::kOpen) return;
  const auto self = shared_from_this();
  state_ = State::kClosed;
  error_code ignored;
  socket_.close(ignored);
  output_.clear();
  on_broken(error);
}

void ClientConnection::read() {
  if (state_ != State::kOpen) return;
  socket_.async_read_some(asio::buffer(input_),
                          [this, self = shared_from_this()](const error_code& error, std::size_t count) {
                            if (state_ != State::kOpen) return;
                            if (error == asio::error::eof) return on_end();
                            if (error) return break_off(broken("reading", error));
                            on_bytes(std::span(input_).first(count));
                            read();
                          });
}

ClientReply ClientConnection::no_room() {
  ClientReply reply;
  reply.error = Error{Code::kUnavailable, "the connection takes no request now", {}, {}};
  return reply;
}

ClientReply ClientConnection::empty_reply(const SendOptions& options) {
  ClientReply reply;
  if (options.memory != nullptr) reply.memory = std::make_shared<Reservation>(*options.memory);
  return reply;
}

void ClientConnection::write(Slice bytes) { write(std::move(bytes), {}); }

void ClientConnection::write(Slice first, Slice second) {
  if (state_ != State::kOpen || !can_write_) return;
  if (!first.empty()) output_.push_back(std::move(first));
  if (!second.empty()) output_.push_back(std::move(second));
  flush();
}

void ClientConnection::flush() {
  while (state_ == State::kOpen && !waits_to_write_ && !output_.empty()) {
    std::array<asio::const_buffer, kGatherMax> parts;
    const std::size_t count = std::min(output_.size(), parts.size());
    for (std::size_t i = 0; i < count; ++i) parts[i] = asio::buffer(output_[i].data(), output_[i].size());
    error_code error;
    consume(socket_.write_some(std::span(parts).first(count), error));
    if (!error) continue;
    if (error != asio::error::would_block) {
      // The server hung up. What it said before, or why, is still to be read, and reading always goes on.
      can_write_ = false;
      return output_.clear();
    }
    waits_to_write_ = true;
    socket_.async_wait(asio::socket_base::wait_write, [this, self = shared_from_this()](const error_code&) {
      waits_to_write_ = false;
      flush();
    });
  }
}

void ClientConnection::consume(std::size_t bytes) {
  while (bytes != 0) {
    Slice& front = output_.front();
    const std::size_t used = std::min(bytes, front.size());
    bytes -= used;
    if (used == front.size()) {
      output_.pop_front();
    } else {
      front.bytes = front.bytes.subspan(used);
    }
  }
}

}  // namespace protean
