// SPDX-License-Identifier: Apache-2.0
// Request bodies are views into buffers of the transport, which must not be kept from its pool: a sampled request is
// copied whole.
#include "serving/versions/recent_requests.h"

#include <new>

namespace protean {

void RecentRequests::offer(const InferRequest& request, TimePoint now) noexcept {
  if (count_max_ == 0 || now.time_since_epoch().count() < next_at_.load(std::memory_order_relaxed)) return;
  std::uint64_t bytes = 0;
  for (const auto& input : request.inputs) bytes += input.tensor.data.size();
  if (bytes > bytes_max_) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  try {
    kept_.push_back(copy(request, bytes));
  } catch (const std::bad_alloc&) {
    return;  // no memory: then no sample
  }
  bytes_ += bytes;
  while (kept_.size() > count_max_ || bytes_ > bytes_max_) {
    bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
  if (kept_.size() >= count_max_ || bytes_ > bytes_max_ / 2) {
    next_at_.store((now + kInterval).time_since_epoch().count(), std::memory_order_relaxed);
  }
}

RecentRequests::Kept RecentRequests::copy(const InferRequest& request, std::uint64_t bytes) {
  auto copied = std::make_shared<InferRequest>();
  copied->model = request.model;
  copied->outputs = request.outputs;
  copied->inputs.reserve(request.inputs.size());
  for (const auto& input : request.inputs) {
    Buffer buffer;
    buffer.append(input.tensor.data.bytes);
    copied->inputs.push_back(
        {input.name, {input.tensor.type, input.tensor.shape, std::move(buffer).share()}, input.parameters});
  }
  return {std::move(copied), bytes};
}

std::vector<std::shared_ptr<const InferRequest>> RecentRequests::sample() const {
  std::vector<std::shared_ptr<const InferRequest>> all;
  const std::lock_guard lock(mutex_);
  for (auto it = kept_.rbegin(); it != kept_.rend(); ++it) all.push_back(it->request);
  return all;
}

}  // namespace protean
