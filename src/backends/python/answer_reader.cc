// SPDX-License-Identifier: Apache-2.0
// One pass over the records, each copied once; then one copy of the bytes.
#include "backends/python/answer_reader.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "backends/python/wire.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean::python {
namespace {

tl::unexpected<Error> broken(const std::string& what) {
  return fail(Code::kInternal, "its Python worker wrote an answer that cannot be right: " + what);
}

std::size_t padded(std::size_t size) noexcept { return (size + kTensorAlignment - 1) & ~(kTensorAlignment - 1); }

Result<Tensor> shape_of(const TensorRecord& record) {
  if (record.type > static_cast<std::uint8_t>(DataType::kBytes)) return broken("type " + std::to_string(record.type));
  if (record.rank > kRankMax) return broken(std::to_string(record.rank) + " dimensions");
  Tensor tensor;
  tensor.type = static_cast<DataType>(record.type);
  tensor.shape.assign(record.shape, record.shape + record.rank);
  if (tensor.type == DataType::kBytes) return tensor;
  const auto size = byte_count(tensor.type, tensor.shape);
  if (!size) return broken(size.error().message);
  if (*size == record.bytes) return tensor;
  return broken(std::to_string(record.bytes) + " bytes for shape " + format_shape(tensor.shape));
}

/// `total`: bytes that the copies take so far.
Result<AnswerTensor> check_record(const TensorRecord& record, std::size_t region_bytes, std::size_t& total) {
  TRY(auto tensor, shape_of(record));
  const auto end = checked_add(record.offset, record.bytes);
  if (!end || *end > region_bytes) {
    return broken("bytes " + std::to_string(record.offset) + " + " + std::to_string(record.bytes) + " of " +
                  std::to_string(region_bytes));
  }
  total += padded(record.bytes);  // each is at most the region, and there are at most kTensorsMax
  if (total > region_bytes) return broken("tensors that overlap");
  return AnswerTensor{record.index, std::move(tensor)};
}

Result<WorkerAnswer> read_tensors(std::span<const std::byte> control, std::span<const std::byte> region,
                                  std::uint32_t count) {
  if (count > kTensorsMax) return broken(std::to_string(count) + " tensors");
  WorkerAnswer answer;
  std::vector<TensorRecord> records(count);
  if (count > 0) std::memcpy(records.data(), control.data() + kAnswerRecordsAt, count * sizeof(TensorRecord));
  std::size_t total = 0;
  for (const auto& record : records) {
    TRY(answer.tensors.emplace_back(), check_record(record, region.size(), total));
  }
  Buffer copy(total);
  std::size_t at = 0;
  for (const auto& record : records) {
    if (record.bytes > 0) std::memcpy(copy.data() + at, region.data() + record.offset, record.bytes);
    at += padded(record.bytes);
  }
  const Slice all = std::move(copy).share();
  at = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto& tensor = answer.tensors[i].tensor;
    tensor.data = all.part(at, records[i].bytes);
    at += padded(records[i].bytes);
    if (tensor.type != DataType::kBytes && tensor.type != DataType::kBool) continue;
    if (const auto sound = check_data(tensor, std::to_string(records[i].index)); !sound) {
      return broken(sound.error().message);
    }
  }
  return answer;
}

WorkerAnswer read_refusal(std::span<const std::byte> control, const AnswerHeader& header) {
  const auto size = std::min<std::size_t>(header.message_bytes, kMessageBytesMax);
  const std::string text(reinterpret_cast<const char*>(control.data() + kMessageAt), size);
  const bool known = header.code >= 1 && header.code <= 16;
  WorkerAnswer answer;
  answer.refusal =
      fail(known ? static_cast<Code>(header.code) : Code::kInternal, printable(text, kMessageBytesMax)).value();
  return answer;
}

}  // namespace

Result<WorkerAnswer> read_answer(std::span<const std::byte> control, std::span<const std::byte> region,
                                 std::uint64_t sequence) {
  AnswerHeader header{};
  std::memcpy(&header, control.data(), sizeof(header));
  if (header.sequence != sequence) {
    return broken("to request " + std::to_string(header.sequence) + ", expected " + std::to_string(sequence));
  }
  switch (header.status) {
    case AnswerStatus::kOk:
    case AnswerStatus::kPart:
      try {
        TRY(auto answer, read_tensors(control, region, header.tensors));
        answer.more = header.status == AnswerStatus::kPart;
        return answer;
      } catch (const std::bad_alloc&) {
        return fail(Code::kResourceExhausted, "no memory left for the model's outputs");
      }
    case AnswerStatus::kError: return read_refusal(control, header);
    case AnswerStatus::kNeedsSpace: {
      WorkerAnswer answer;
      answer.bytes_needed = header.bytes_needed;
      return answer;
    }
  }
  return broken("status " + std::to_string(static_cast<std::uint32_t>(header.status)));
}

}  // namespace protean::python
