// SPDX-License-Identifier: Apache-2.0
// One lock for the queues; requests are sent and answers compared outside of it.
#include "migrate/mirror.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace protean::migrate {
namespace {

std::string coding_of(const Fields& fields) {
  for (const auto& [name, value] : fields) {
    if (equals_ignore_case(name, "content-encoding") && !equals_ignore_case(value, "identity")) return value;
  }
  return {};
}

Result<Slice> decoded(const BodyDecoder& decode, std::string_view coding, const Slice& body) {
  if (!decode || coding.empty() || body.empty()) return body;
  return decode(coding, body);
}

}  // namespace

Mirror::Mirror(Migration& migration, Upstreams upstreams)
    : migration_(migration), upstreams_(upstreams), share_(migration.options().mirror_share) {
  comparer_ = std::thread([this] { compare_loop(); });
}

Mirror::~Mirror() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  comparer_.join();
}

void Mirror::offer(Sample sample) {
  if (!share_.next()) return;
  const MigrationOptions& options = migration_.options();
  const std::size_t bytes = sample.exchange->body().size() + sample.answer.body.size();
  auto job = std::make_shared<Job>();
  {
    const std::lock_guard lock(mutex_);
    const bool full = under_way_ >= options.mirror_waiting_max || bytes > options.mirror_bytes_max - bytes_;
    if (full || stopping_) {
      job.reset();
    } else {
      job->sample = std::move(sample);
      job->bytes = bytes;
      ++under_way_;
      bytes_ += bytes;
      if (in_flight_ >= options.mirror_in_flight_max) return waiting_.push_back(std::move(job));
      ++in_flight_;
    }
  }
  if (!job) return migration_.statistics().dropped(sample.call);
  send(job);
}

void Mirror::send(const JobPtr& job) {
  const Side side = other(job->sample.answered_by);
  const TimePoint now = Clock::system().now();
  if (!migration_.health(side).may_try(now)) {
    Answer none;
    none.error = Error{Code::kUnavailable, "did not answer before and is left alone for a while", {}, {}};
    return on_answer(job, std::move(none));
  }
  upstreams_[index_of(side)]->send(job->sample.exchange, now + migration_.options().timeout,
                                   [this, job, side, now](Answer answer) {
                                     if (!answer.error) migration_.side_answered(side);
                                     if (answer.error && (answer.error->code == Code::kUnavailable)) {
                                       migration_.side_failed(side, *answer.error, now);
                                     }
                                     on_answer(job, std::move(answer));
                                   });
}

void Mirror::on_answer(const JobPtr& job, Answer answer) {
  JobPtr next;
  {
    const std::lock_guard lock(mutex_);
    job->mirrored = std::move(answer);
    to_compare_.push_back(job);
    if (waiting_.empty()) {
      --in_flight_;
    } else {
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }
  changed_.notify_all();
  if (next) send(next);
}

bool Mirror::drain(TimePoint until) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, until, [this] { return under_way_ == 0; });
}

void Mirror::compare_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !to_compare_.empty(); });
    if (to_compare_.empty()) return;
    JobPtr job = std::move(to_compare_.front());
    to_compare_.pop_front();
    lock.unlock();
    compare(*job);
    const std::size_t bytes = job->bytes;
    job.reset();  // the request's memory is given back outside the lock
    lock.lock();
    --under_way_;
    bytes_ -= bytes;
    if (under_way_ == 0) changed_.notify_all();
  }
}

void Mirror::compare(const Job& job) {
  const Sample& sample = job.sample;
  const bool mirrored_to = sample.answered_by == Side::kFrom;
  Comparison comparison;
  if (job.mirrored.error && job.mirrored.error->code == Code::kCancelled) {
    return migration_.statistics().dropped(sample.call);  // we are stopping, the side is not to blame
  }
  if (job.mirrored.error) {
    const Path path{nullptr, "connection", 0};
    const std::string& why = job.mirrored.error->message;
    comparison.differ(DifferenceKind::kStatus, path, mirrored_to ? "answered" : why, mirrored_to ? why : "answered");
    comparison.fail(mirrored_to ? Verdict::kToFailed : Verdict::kFromFailed);
  } else {
    const Answer& from = mirrored_to ? sample.answer : job.mirrored;
    const Answer& to = mirrored_to ? job.mirrored : sample.answer;
    migration_.statistics().mirrored(sample.call, other(sample.answered_by), job.mirrored.took);
    compare_answers(comparison, sample.exchange->head(), from, to);
  }
  if (migration_.statistics().compared(sample.call, comparison)) keep_example(job, comparison);
  if (!job.mirrored.error) migration_.observe_comparison(comparison.verdict() == Verdict::kDifferent);
}

void Mirror::compare_answers(Comparison& out, const RequestHead& request, const Answer& from, const Answer& to) const {
  const std::string from_coding = coding_of(from.headers);
  const std::string to_coding = coding_of(to.headers);
  if (request.wire == Wire::kGrpc || !migration_.body_decoder() || (from_coding.empty() && to_coding.empty())) {
    return migration_.dialect().compare(out, request, from, to, migration_.options().tolerance);
  }
  const Path header{nullptr, "header", 0};
  const Path coding = header.member("content-encoding");
  // The client has asked for it, one way or the other: the same thing, written differently.
  if (from_coding != to_coding) out.differ(DifferenceKind::kFormat, coding, from_coding, to_coding);
  Answer plain_from = from;
  Answer plain_to = to;
  for (Answer* each : {&plain_from, &plain_to}) {
    auto body = decoded(migration_.body_decoder(), coding_of(each->headers), each->body);
    if (!body) return out.differ(DifferenceKind::kUnreadable, coding, from_coding, body.error().message);
    each->body = *std::move(body);
  }
  migration_.dialect().compare(out, request, plain_from, plain_to, migration_.options().tolerance);
}

void Mirror::keep_example(const Job& job, const Comparison& comparison) {
  const RequestHead& head = job.sample.exchange->head();
  Example example;
  example.call = job.sample.call;
  example.verdict = comparison.verdict();
  example.line =
      printable(fmt::format("{} {}{}{}", head.method, head.path, head.query.empty() ? "" : "?", head.query), 300);
  const Slice& sent = job.sample.exchange->body();
  const std::string_view coding = head.wire == Wire::kGrpc ? "" : head.headers.find("content-encoding").value_or("");
  example.request = migration_.dialect().describe(head, decoded(migration_.body_decoder(), coding, sent).value_or(sent),
                                                  migration_.options().example_bytes_max);
  example.differences = comparison.differences();
  example.at = std::chrono::system_clock::now();
  migration_.statistics().add_example(std::move(example));
}

}  // namespace protean::migrate
