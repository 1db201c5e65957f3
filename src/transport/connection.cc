// SPDX-License-Identifier: Apache-2.0
// The turn of a connection. Nothing here closes or destroys a session while one of its methods runs: closing happens
// at the ends of turns only.
#include "transport/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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
      phase_(socket.tls != nullptr ? Phase::kHandshake : Phase::kSniffing) {}

Connection::~Connection() = default;

void Connection::start() {
  if (phase_ == Phase::kHandshake && tls_ == nullptr) return close();
  phase_deadline_ =
      loop_.now() + (phase_ == Phase::kHandshake ? context_.limits.header_time_max : context_.limits.idle_time_max);
  if (!loop_.poller().watch(descriptor_, this)) close();  // the kernel watches no more descriptors for us
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

void Connection::on_ready(std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) readable_ = true;
  if ((events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) ending_ = true;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) broken_ = true;
  if ((events & EPOLLOUT) != 0 && stuck_since_ != kNever) stuck_since_ = loop_.now();
  take_turn();
}

void Connection::take_turn() {
  turn_queued_ = false;
  if (phase_ == Phase::kClosed) return;
  in_turn_ = true;
  if (phase_ == Phase::kHandshake) {
    shake_hands();
  } else if (phase_ == Phase::kLingering) {
    discard();
  } else if (reads()) {
    read_turn();
  }
  in_turn_ = false;
  flush_soon();
}

void Connection::shake_hands() {
  const IoResult outcome = tls_->handshake();
  if (outcome.kind == IoResult::Kind::kFailed || outcome.kind == IoResult::Kind::kEnd) {
    context_.metrics->tls_handshake_failures->add();
    return close();
  }
  if (outcome.kind == IoResult::Kind::kWouldBlock) {
    readable_ = false;
    return;
  }
  phase_ = Phase::kSniffing;
  phase_deadline_ = loop_.now() + context_.limits.idle_time_max;
  if (tls_->protocol() == "h2") {
    open(make_http2_session(*this));
  } else if (tls_->protocol() == "http/1.1") {
    open(make_http1_session(*this));
  }
}

void Connection::read_turn() {
  std::size_t budget = kTurnBytesMax;
  while (readable() && read_once(budget)) {
    if (budget == 0 || (session_ != nullptr && !session_->wants_read())) return;
  }
}

/// True when it is worth trying again at once.
bool Connection::read_once(std::size_t& budget) {
  const std::span<std::byte> target = session_ != nullptr ? session_->read_target() : std::span<std::byte>{};
  const std::span<std::byte> scratch = loop_.scratch();
  const std::size_t worth = session_ != nullptr ? session_->scratch_bytes_max() : scratch.size();
  const std::span<std::byte> into = target.empty() ? scratch.first(std::min(scratch.size(), worth)) : target;
  const IoResult outcome = read_some(into);
  // The end of the stream was announced together with its last bytes and will not be again.
  if (outcome.drained && (!ending_ || outcome.kind == IoResult::Kind::kWouldBlock)) readable_ = false;
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
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      readable_ = false;
      return;
    }
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
  if (phase_ != Phase::kClosed) plan_next_turn();
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
    if (count > 0) {
      const auto read = static_cast<std::size_t>(count);
      return {IoResult::Kind::kMoved, read, read < into.size()};
    }
    if (count == 0) return {IoResult::Kind::kEnd, 0};
    if (errno == EAGAIN) return {IoResult::Kind::kWouldBlock, 0, true};
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

bool Connection::reads() const noexcept {
  return phase_ == Phase::kLingering || (!peer_finished_ && (session_ == nullptr || session_->wants_read()));
}

bool Connection::readable() const noexcept {
  return readable_ || (tls_ != nullptr && phase_ != Phase::kLingering && tls_->has_pending());
}

void Connection::plan_next_turn() {
  if (!reads()) {
    if (broken_) close();  // nobody reads, so a reset would pass unnoticed
  } else if (!turn_queued_ && readable()) {
    turn_queued_ = true;
    loop_.turn_later(*this);
  }
  // Output that a session keeps producing gets its next turn after everybody else's.
  if (stuck_since_ == kNever && !output_.empty()) flush_soon();
}

void Connection::drain() {
  draining_ = true;
  if (phase_ == Phase::kLingering || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kHandshake) return close();
  // What has arrived but was not looked at yet is in flight as well, whether the kernel has told of it or not.
  readable_ = true;
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
  readable_ = true;
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
  ::close(descriptor_);
  // A method of the session may be running: session and connection go when nothing of them is on the stack.
  loop_.bury_later(*this);
}

void Connection::bury() {
  drop_session();
  tls_.reset();
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
