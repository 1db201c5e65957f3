// SPDX-License-Identifier: Apache-2.0
// Everything about connections happens on its worker's thread, so that nothing here is locked.
#include "cli/migrate/upstream_pool.h"

#include <algorithm>
#include <utility>

#include "cli/migrate/upstream_messages.h"

namespace protean {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(20);

TimePoint now() noexcept { return Clock::system().now(); }

Error cancelled() { return {Code::kCancelled, "the relay is stopping", {}, {}}; }

ClientReply failed(Error error) {
  ClientReply reply;
  reply.error = std::move(error);
  return reply;
}

}  // namespace

void ConnectionPool::send(std::shared_ptr<const ClientRequest> request, TimePoint deadline, Done done) {
  if (closed_) return done(failed(cancelled()), {});
  waiting_.push_back({std::move(request), deadline, std::move(done), false});
  pump();
}

void ConnectionPool::pump() {
  while (!closed_ && !waiting_.empty()) {
    Lane* lane = free_lane();
    if (lane == nullptr) break;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    start(*lane, std::move(job));
  }
  if (closed_ || waiting_.empty()) return;
  const auto connecting = static_cast<std::size_t>(
      std::count_if(lanes_.begin(), lanes_.end(), [](const auto& l) { return l->connecting; }));
  const std::size_t wanted = http2_ ? 1 : waiting_.size();
  if (connecting < wanted && lanes_.size() < options_.connections_max) open_lane();
}

ConnectionPool::Lane* ConnectionPool::free_lane() {
  // The one used last is the warmest, and idle ones at the front may end.
  for (auto lane = lanes_.rbegin(); lane != lanes_.rend(); ++lane) {
    if (!(*lane)->connecting && (*lane)->connection->room() > 0) return lane->get();
  }
  return nullptr;
}

void ConnectionPool::open_lane() {
  auto lane = std::make_unique<Lane>();
  lane->connection = http2_ ? make_http2_client(loop_, options_.streams_max) : make_http1_client(loop_);
  const auto connection = lane->connection;
  lanes_.push_back(std::move(lane));
  connection->connect(target_.address, now() + options_.connect_timeout,
                      [this, connection](const Status& status) { on_connected(connection, status); });
}

void ConnectionPool::on_connected(const std::shared_ptr<ClientConnection>& connection, const Status& status) {
  const auto at =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& lane) { return lane->connection == connection; });
  if (at == lanes_.end()) return;
  (*at)->connecting = false;
  if (status) return pump();
  lanes_.erase(at);
  // Whoever waits for this connection alone need not wait any longer; others may still be served.
  const bool others = std::any_of(lanes_.begin(), lanes_.end(),
                                  [](const auto& lane) { return lane->connecting || lane->connection->usable(); });
  if (!others) fail_waiting(status.error());
}

void ConnectionPool::fail_waiting(const Error& error) {
  for (Job& job : std::exchange(waiting_, {})) job.done(failed(error), {});
}

void ConnectionPool::start(Lane& lane, Job job) {
  SendOptions options;
  options.deadline = job.deadline;
  options.keep_max = options_.answer_bytes_max;
  options.keep_fields = true;
  options.memory = options_.memory;
  const auto connection = lane.connection;  // the lane may be forgotten before the answer comes
  const bool used = lane.used;
  const TimePoint begin = now();
  auto shared = std::make_shared<Job>(std::move(job));
  connection->send(shared->request, options, [this, shared, connection, used, begin](ClientReply reply) {
    const bool stale = reply.error && reply.error->code == Code::kUnavailable && used && !shared->again;
    if (stale && !closed_) {
      shared->again = true;
      waiting_.push_front(std::move(*shared));
      return loop_.post([this] { pump(); });
    }
    if (reply.error && closed_) reply.error = cancelled();
    // The server ended this request alone: somebody else may be asked, but it is there.
    if (reply.error && reply.error->code == Code::kUnavailable && connection->usable()) {
      reply.error->code = Code::kInternal;
    }
    for (auto& each : lanes_) {
      if (each->connection == connection && !reply.error) each->used = true;
    }
    shared->done(std::move(reply), now() - begin);
    pump();
  });
}

void ConnectionPool::tick(TimePoint at) {
  // Callbacks may change the list.
  std::vector<std::shared_ptr<ClientConnection>> all;
  for (const auto& lane : lanes_) all.push_back(lane->connection);
  for (const auto& connection : all) connection->expire(at);
  std::erase_if(lanes_, [](const auto& lane) { return !lane->connecting && !lane->connection->usable(); });
  std::vector<Job> late;
  for (auto job = waiting_.begin(); job != waiting_.end();) {
    if (at < job->deadline) {
      ++job;
      continue;
    }
    late.push_back(std::move(*job));
    job = waiting_.erase(job);
  }
  for (Job& job : late) job.done(failed({Code::kDeadlineExceeded, "no connection was free in time", {}, {}}), {});
  pump();
}

void ConnectionPool::close() {
  closed_ = true;
  fail_waiting(cancelled());
  for (auto& lane : std::exchange(lanes_, {})) lane->connection->close();
}

struct UpstreamPool::Worker {
  explicit Worker(const UpstreamPoolOptions& options) {
    if (options.http) http.emplace(loop, options, *options.http, false);
    if (options.grpc) grpc.emplace(loop, options, *options.grpc, true);
  }
  ClientLoop loop;
  std::optional<ConnectionPool> http;
  std::optional<ConnectionPool> grpc;
  std::thread thread;
};

UpstreamPool::UpstreamPool(UpstreamPoolOptions options) : options_(std::move(options)) {
  for (std::size_t i = 0; i < options_.threads; ++i) workers_.push_back(std::make_unique<Worker>(options_));
  for (auto& worker : workers_) worker->thread = std::thread([this, &each = *worker] { run(each); });
}

UpstreamPool::~UpstreamPool() { stop(); }

void UpstreamPool::run(Worker& worker) {
  std::function<void()> tick = [&] {
    if (worker.http) worker.http->tick(now());
    if (worker.grpc) worker.grpc->tick(now());
    worker.loop.run_at(now() + kTick, tick);
  };
  worker.loop.post(tick);
  while (!stopped_) worker.loop.run_until(kNever);
  if (worker.http) worker.http->close();
  if (worker.grpc) worker.grpc->close();
  worker.loop.run_until(now() + std::chrono::milliseconds(1));
}

void UpstreamPool::send(std::shared_ptr<const Exchange> exchange, TimePoint deadline, Done done) {
  const auto refuse = [&done](Code code, std::string message) {
    migrate::Answer answer;
    answer.error = Error{code, std::move(message), {}, {}};
    done(std::move(answer));
  };
  if (stopped_) return refuse(Code::kCancelled, "the relay is stopping");
  const bool grpc = exchange->head().wire == Wire::kGrpc;
  if (!(grpc ? options_.grpc : options_.http)) {
    return refuse(Code::kUnimplemented, grpc ? "no grpc:// URL was given" : "no http:// URL was given");
  }
  Worker& worker = *workers_[next_.fetch_add(1, std::memory_order_relaxed) % workers_.size()];
  worker.loop.post([this, &worker, grpc, exchange = std::move(exchange), deadline, done = std::move(done)] {
    const auto& target = grpc ? *options_.grpc : *options_.http;
    auto request = std::make_shared<const ClientRequest>(
        make_upstream_request(exchange->head(), exchange->body(), target.authority, deadline - now()));
    auto& pool = grpc ? *worker.grpc : *worker.http;
    // The exchange is kept: the request's body is its memory, and so is what is charged for it.
    pool.send(std::move(request), deadline, [done, exchange, grpc](ClientReply reply, Duration took) {
      migrate::Answer answer = read_upstream_reply(std::move(reply), grpc);
      answer.took = took;
      done(std::move(answer));
    });
  });
}

void UpstreamPool::stop() {
  if (stopped_.exchange(true)) return;
  for (auto& worker : workers_) worker->loop.stop();
  for (auto& worker : workers_) worker->thread.join();
}

}  // namespace protean
