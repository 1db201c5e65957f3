// SPDX-License-Identifier: Apache-2.0
// A record is its length (8 bytes, little-endian), the length's checksum (4), the bytes, the bytes' checksum (4).
#include "protocols/tensorflow_serving/record_file.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <string_view>

#include "base/crc32c.h"

namespace protean::tfserving {
namespace {

constexpr std::uint64_t kHeadBytes = 12;
constexpr std::uint64_t kFootBytes = 4;
constexpr std::uint64_t kRecordBytesMax = std::uint64_t{256} << 20;

template <typename T>
T little_endian(const std::byte* at) noexcept {
  T value = 0;
  for (std::size_t i = sizeof value; i > 0; --i) value = static_cast<T>(value << 8 | static_cast<T>(at[i - 1]));
  return value;
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::optional<Slice>> RecordFile::next() {
  const std::uint64_t left = file_.size() - at_;
  if (left == 0) return std::nullopt;
  const auto broken = [this](std::string_view what) {
    return fail(Code::kInvalidArgument, fmt::format("byte {}: {}", at_, what));
  };
  if (left < kHeadBytes + kFootBytes) return broken("the file ends within a record");
  std::array<std::byte, kHeadBytes> head{};
  TRY_STATUS(file_.read(at_, head));
  const auto size = little_endian<std::uint64_t>(head.data());
  const auto checked = little_endian<std::uint32_t>(head.data() + 8);
  if (mask_crc32c(extend_crc32c(0, text_of(std::span(head).first(8)))) != checked) {
    return broken("the checksum of a record's length is wrong");
  }
  if (size > left - kHeadBytes - kFootBytes) return broken("the file ends within a record");
  if (size > kRecordBytesMax) {
    return broken(fmt::format("a record of {} bytes, expected at most {}", size, kRecordBytesMax));
  }
  Buffer record(static_cast<std::size_t>(size));
  TRY_STATUS(file_.read(at_ + kHeadBytes, record.span()));
  std::array<std::byte, kFootBytes> foot{};
  TRY_STATUS(file_.read(at_ + kHeadBytes + size, foot));
  if (mask_crc32c(extend_crc32c(0, record.text())) != little_endian<std::uint32_t>(foot.data())) {
    return broken("the checksum of a record is wrong");
  }
  at_ += kHeadBytes + size + kFootBytes;
  ++read_;
  return std::move(record).share();
}

}  // namespace protean::tfserving
