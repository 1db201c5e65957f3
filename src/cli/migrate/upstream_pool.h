// SPDX-License-Identifier: Apache-2.0
// The connections to one side: a few threads, each with connections of its own for HTTP/1.1 and for HTTP/2, opened when
// they are needed and kept. Requests wait here when all connections are taken.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "core/memory_budget.h"
#include "migrate/answer.h"
#include "transport/client/client_connection.h"

namespace protean {

struct UpstreamTarget {
  ClientTarget address;
  std::string authority;
};

/// `connections_max`: of each thread and kind.  `answer_bytes_max`: of one answer; all together are charged to
/// `memory`, which outlives the answers.
struct UpstreamPoolOptions {
  std::optional<UpstreamTarget> http;
  std::optional<UpstreamTarget> grpc;
  std::size_t threads = 1;
  std::size_t connections_max = 64;
  std::size_t streams_max = 100;
  std::size_t answer_bytes_max = std::size_t{1} << 30;
  Duration connect_timeout = std::chrono::seconds(3);
  MemoryBudget* memory = nullptr;
};

/// One kind of connection to one address.  Loop-thread only.
class ConnectionPool {
 public:
  /// `took`: see migrate::Answer.
  using Done = std::function<void(ClientReply reply, Duration took)>;

  ConnectionPool(ClientLoop& loop, const UpstreamPoolOptions& options, const UpstreamTarget& target, bool http2)
      : loop_(loop), options_(options), target_(target), http2_(http2) {}

  /// A connection that an earlier request has used may have been closed by the server in the meantime: then the request
  /// is sent once more, on a new one.
  void send(std::shared_ptr<const ClientRequest> request, TimePoint deadline, Done done);
  /// Gives up what is late and forgets broken connections.
  void tick(TimePoint now);
  /// Fails everything with kCancelled.
  void close();

 private:
  struct Job {
    std::shared_ptr<const ClientRequest> request;
    TimePoint deadline{};
    Done done;
    bool again = false;
  };
  struct Lane {
    std::shared_ptr<ClientConnection> connection;
    bool connecting = true;
    bool used = false;  // an answer has come over it
  };

  void pump();
  [[nodiscard]] Lane* free_lane();
  void open_lane();
  void start(Lane& lane, Job job);
  void on_connected(const std::shared_ptr<ClientConnection>& connection, const Status& status);
  void fail_waiting(const Error& error);

  ClientLoop& loop_;
  const UpstreamPoolOptions& options_;
  const UpstreamTarget& target_;
  const bool http2_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<Job> waiting_;
  bool closed_ = false;
};

/// Thread-safe; made and stopped by one thread.
class UpstreamPool final : public migrate::Upstream {
 public:
  explicit UpstreamPool(UpstreamPoolOptions options);
  ~UpstreamPool() override;
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  void send(std::shared_ptr<const Exchange> exchange, TimePoint deadline, Done done) override;
  /// What is under way fails with kCancelled; so does what comes later. Joins the threads.
  void stop();

 private:
  struct Worker;
  void run(Worker& worker);

  const UpstreamPoolOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace protean
