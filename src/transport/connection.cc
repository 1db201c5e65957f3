// SPDX-License-Identifier: Apache-2.0
// The turn of a connection. Nothing here closes or destroys a session while one of its methods runs: closing happens
// at the ends of turns only.
#include "transport/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "transport/session_factories.h"
#include "transport/transport_metrics.h"

namespace protean {
namespace {

/// What one connection may read in one turn while others wait.
constexpr std::size_t kTurnBytesMax = std::size_t{1} << 20;
/// Bytes in scratch memory weigh more than those of a body: they may be many requests, each with its work.
constexpr std::size_t kScratchWeight = 16;
constexpr std::size_t kVectorsMax = 64;
/// Rounds of "everything is sent, have you more?" in one turn.
constexpr int kDrainedRoundsMax = 8;
/// How long a client may take to notice that we are done; what it still sends is read and dropped, because a
/// close with unread bytes would destroy the answer on its way (RFC 9112 9.6).
constexpr std::chrono::seconds kLingerMax{2};
/// RFC 9113 3.4.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

Connection::Connection(IoLoop& loop, AcceptedSocket socket, std::size_t index)
    : loop_(loop),
      context_(loop.context()),
      mailbox_(loop.mailbox()),
      descriptor_(socket.descriptor),
      peer_(std::move(socket.peer)),
      dialect_(socket.dialect),
      tls_(socket.tls != nullptr ? socket.tls->accept(socket.descriptor) : nullptr),
      index_(index),
      phase_(socket.tls != nullptr ? Phase::kHandshake : Phase::kSniffing) {
  socket_.emplace(loop.io());
}

Connection::~Connection() = default;

void Connection::start() {
  const TimePoint now = loop_.now();
  boost::system::error_code error;
  socket_->assign(descriptor_, error);
  if (error) ::close(descriptor_);  // the kernel watches no more descriptors for us
  if (error || (phase_ == Phase::kHandshake && tls_ == nullptr)) return close();
  phase_deadline_ =
      now + (phase_ == Phase::kHandshake ? context_.limits.header_time_max : context_.limits.idle_time_max);
  arm(Wait::kRead);
}

void Connection::on_tick(TimePoint now) {
  if (phase_ == Phase::kClosed) return;
  if (now >= phase_deadline_) {
    if (phase_ == Phase::kHandshake) context_.metrics->tls_handshake_failures->add();
    return close();
  }
  if (stuck_since_ != kNever && now - stuck_since_ >= context_.limits.body_idle_max) {
    context_.metrics->refused("timeout");
    return close();
  }
  if (session_ != nullptr && now >= session_->deadline()) {
    session_->on_deadline(now);
    end_turn();
  }
}

void Connection::on_event(Wait wait, bool aborted) {
  waits_ = static_cast<unsigned char>(waits_ & ~(1U << static_cast<unsigned>(wait)));
  if (phase_ == Phase::kClosed) {
    drop_session();
    tls_.reset();
    if (waits_ != 0) return;
    socket_.reset();      // here and not in the destructor, which may run on any thread and outlive the loop
    loop_.forget(*this);  // destroys this object, unless an exchange still holds it
    return;
  }
  if (aborted) return;
  if (wait == Wait::kError) return on_socket_error();
  if (wait == Wait::kWrite && stuck_since_ != kNever) stuck_since_ = loop_.now();
  in_turn_ = true;
  if (phase_ == Phase::kHandshake) {
    shake_hands();
  } else if (phase_ == Phase::kLingering) {
    discard();
  } else if (wait == Wait::kRead && (session_ == nullptr || session_->wants_read())) {
    read_turn();
  }
  in_turn_ = false;
  end_turn();
}

void Connection::on_socket_error() {
  pollfd state{descriptor_, 0, 0};
  // Urgent data wakes this wait as well; it is nobody's business here.
  if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0) close();
}

void Connection::shake_hands() {
  const IoResult outcome = tls_->handshake();
  if (outcome.kind == IoResult::Kind::kFailed || outcome.kind == IoResult::Kind::kEnd) {
    context_.metrics->tls_handshake_failures->add();
    return close();
  }
  if (outcome.kind == IoResult::Kind::kWouldBlock) return;
  phase_ = Phase::kSniffing;
  phase_deadline_ = loop_.now() + context_.limits.idle_time_max;
  if (tls_->protocol() == "h2") {
    open(make_http2_session(*this));
  } else if (tls_->protocol() == "http/1.1") {
    open(make_http1_session(*this));
  }
  if (tls_->has_pending()) read_turn();
}

void Connection::read_turn() {
  std::size_t budget = kTurnBytesMax;
  while (read_once(budget)) {
    if (budget == 0 || (session_ != nullptr && !session_->wants_read())) return;
  }
}

/// True when there may be more to read.
bool Connection::read_once(std::size_t& budget) {
  const std::span<std::byte> target = session_ != nullptr ? session_->read_target() : std::span<std::byte>{};
  const std::span<std::byte> scratch = loop_.scratch();
  const std::size_t worth = session_ != nullptr ? session_->scratch_bytes_max() : scratch.size();
  const std::span<std::byte> into = target.empty() ? scratch.first(std::min(scratch.size(), worth)) : target;
  const IoResult outcome = read_some(into);
  if (outcome.kind == IoResult::Kind::kWouldBlock) return false;
  if (outcome.kind != IoResult::Kind::kMoved) {
    outcome.kind == IoResult::Kind::kEnd ? on_peer_finished() : close();
    return false;
  }
  context_.metrics->received_bytes->add(outcome.count);
  budget -= std::min(budget, target.empty() ? outcome.count * kScratchWeight : outcome.count);
  if (target.empty()) {
    deliver(into.first(outcome.count));
    return outcome.count == into.size();
  }
  session_->on_target_filled(outcome.count);
  // A body that is complete is most likely all that the client has sent: no try to read more in vain.
  return outcome.count == into.size() && !session_->read_target().empty();
}

void Connection::deliver(std::span<const std::byte> bytes) {
  if (session_ != nullptr) {
    session_->on_bytes(bytes);
  } else {
    sniff(bytes);
  }
}

void Connection::sniff(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t wanted = kPreface.size() - sniffed_.size();
  const bool alike = kPreface.substr(sniffed_.size()).starts_with(text.substr(0, wanted));
  if (alike && text.size() < wanted) {
    if (sniffed_.empty()) phase_deadline_ = loop_.now() + context_.limits.header_time_max;
    sniffed_ += text;
    return;
  }
  open(alike ? make_http2_session(*this) : make_http1_session(*this));
  if (!sniffed_.empty()) {
    const std::string first = std::exchange(sniffed_, {});
    session_->on_bytes(std::as_bytes(std::span(first)));
  }
  session_->on_bytes(bytes);
}

void Connection::open(std::unique_ptr<Session> session) {
  session_ = std::move(session);
  phase_ = Phase::kOpen;
  phase_deadline_ = kNever;
  if (draining_) session_->drain();
}

void Connection::on_peer_finished() {
  peer_finished_ = true;
  if (session_ == nullptr) return close();
  session_->on_peer_finished();
}

void Connection::discard() {
  for (std::size_t read = 0; read < kTurnBytesMax;) {
    const ssize_t count = ::recv(descriptor_, loop_.scratch().data(), loop_.scratch().size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return close();
    read += static_cast<std::size_t>(count);
  }
}

void Connection::end_turn() {
  flush_queued_ = false;
  if (phase_ == Phase::kClosed || in_turn_) return;
  in_turn_ = true;
  flush();
  in_turn_ = false;
  if (phase_ == Phase::kClosed) return;
  const bool sent = output_.empty() && (tls_ == nullptr || !tls_->wants_write());
  if (phase_ == Phase::kOpen && sent && session_->wants_close()) linger();
  if (phase_ != Phase::kClosed) wait_for_more();
}

void Connection::flush() {
  if (tls_ != nullptr && tls_->wants_write()) {
    if (!tls_->flush()) return close();
    if (tls_->wants_write()) {
      if (stuck_since_ == kNever) stuck_since_ = loop_.now();
      return;
    }
  }
  for (int round = 0; round < kDrainedRoundsMax; ++round) {
    while (!output_.empty()) {
      if (!flush_once()) return;
    }
    stuck_since_ = kNever;
    if (session_ == nullptr) return;
    session_->on_output_drained();
    if (output_.empty()) return;
  }
}

bool Connection::flush_once() {
  std::array<iovec, kVectorsMax> vectors;
  const std::size_t used = output_.gather(vectors);
  const IoResult outcome = write_some(std::span(vectors).first(used));
  if (outcome.kind == IoResult::Kind::kFailed) {
    context_.metrics->refused("client_left");
    close();
    return false;
  }
  std::size_t offered = 0;
  for (std::size_t i = 0; i < used; ++i) offered += vectors[i].iov_len;
  if (outcome.count > 0) {
    context_.metrics->sent_bytes->add(outcome.count);
    output_.consume(outcome.count, output_.observing() ? loop_.now() : TimePoint{});
  }
  const bool blocked = tls_ != nullptr ? tls_->wants_write() : outcome.count < offered;
  if (blocked && stuck_since_ == kNever) stuck_since_ = loop_.now();
  return !blocked;
}

IoResult Connection::read_some(std::span<std::byte> into) {
  if (tls_ != nullptr) return tls_->read(into);
  while (true) {
    const ssize_t count = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
    if (count > 0) return {IoResult::Kind::kMoved, static_cast<std::size_t>(count)};
    if (count == 0) return {IoResult::Kind::kEnd, 0};
    if (errno == EAGAIN) return {IoResult::Kind::kWouldBlock, 0};
    if (errno != EINTR) return {IoResult::Kind::kFailed, 0};
  }
}

IoResult Connection::write_some(std::span<const iovec> vectors) {
  if (tls_ != nullptr) return tls_->write(vectors);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors.data());  // sendmsg() only reads it
  message.msg_iovlen = vectors.size();
  while (true) {
    const ssize_t count =
        vectors.size() == 1 ? ::send(descriptor_, vectors[0].iov_base, vectors[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                            : ::sendmsg(descriptor_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return {IoResult::Kind::kMoved, static_cast<std::size_t>(count)};
    if (errno == EAGAIN) return {IoResult::Kind::kWouldBlock, 0};
    if (errno != EINTR) return {IoResult::Kind::kFailed, 0};
  }
}

void Connection::wait_for_more() {
  const bool blocked = stuck_since_ != kNever;
  if (blocked && !waiting(Wait::kWrite)) arm(Wait::kWrite);
  const bool reads =
      phase_ == Phase::kLingering || (!peer_finished_ && (session_ == nullptr || session_->wants_read()));
  if (reads) {
    if (!waiting(Wait::kRead)) arm(Wait::kRead);
  } else if (!waiting(Wait::kRead) && !waiting(Wait::kError)) {
    arm(Wait::kError);  // nobody reads, so a reset would pass unnoticed
  }
  // Output that a session keeps producing gets its next turn after everybody else's.
  if (!blocked && !output_.empty()) flush_soon();
}

void Connection::arm(Wait wait) {
  using boost::asio::posix::descriptor_base;
  waits_ = static_cast<unsigned char>(waits_ | 1U << static_cast<unsigned>(wait));
  // The loop keeps this object until no wait is pending, so the handlers need no share of it.
  if (wait == Wait::kRead && tls_ != nullptr && phase_ != Phase::kLingering && tls_->has_pending()) {
    boost::asio::post(loop_.io(), [this] { on_event(Wait::kRead, false); });
    return;
  }
  const auto kind = wait == Wait::kRead    ? descriptor_base::wait_read
                    : wait == Wait::kWrite ? descriptor_base::wait_write
                                           : descriptor_base::wait_error;
  socket_->async_wait(kind, [this, wait](const boost::system::error_code& error) {
    on_event(wait, error == boost::asio::error::operation_aborted);
  });
}

void Connection::drain() {
  draining_ = true;
  if (phase_ == Phase::kLingering || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kHandshake) return close();
  // What has arrived but was not looked at yet is in flight as well.
  in_turn_ = true;
  if (!peer_finished_ && (session_ == nullptr || session_->wants_read())) read_turn();
  in_turn_ = false;
  if (phase_ == Phase::kClosed) return;
  if (session_ == nullptr) return close();
  session_->drain();
  end_turn();
}

void Connection::linger() {
  drop_session();
  leave_count();
  if (peer_finished_) return close();
  if (tls_ != nullptr) tls_->finish();
  ::shutdown(descriptor_, SHUT_WR);
  phase_ = Phase::kLingering;
  phase_deadline_ = loop_.now() + kLingerMax;
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  leave_count();
  if (timers_) loop_.cancel_timers_of(*this);
  if (stuck_since_ != kNever) {
    // What the client does not read must not stay in the kernel either.
    const ::linger reset{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  boost::system::error_code ignored;
  socket_->close(ignored);
  // A method of the session may be running: session and connection go when nothing of them is on the stack.
  waits_ = static_cast<unsigned char>(waits_ | 1U << static_cast<unsigned>(Wait::kGone));
  boost::asio::post(loop_.io(), [this] { on_event(Wait::kGone, false); });
}

void Connection::drop_session() {
  if (session_ == nullptr) return;
  session_->on_closed();
  session_.reset();
  output_ = OutputQueue();
}

void Connection::leave_count() {
  if (std::exchange(counted_, false)) loop_.count_out();
}

void Connection::flush_soon() {
  if (in_turn_ || flush_queued_ || phase_ == Phase::kClosed) return;
  flush_queued_ = true;
  loop_.flush_later(*this);
}

void Connection::post(std::function<void()> task) { mailbox_->post({shared_from_this(), std::move(task)}); }

bool Connection::in_loop() const noexcept { return IoLoop::current() == &loop_; }

std::uint64_t Connection::run_at(TimePoint when, std::function<void()> task) {
  timers_ = true;
  return loop_.run_at(when, *this, std::move(task));
}

void Connection::cancel_timer(std::uint64_t id) { loop_.cancel_timer(id); }

}  // namespace protean
