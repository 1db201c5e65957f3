// SPDX-License-Identifier: Apache-2.0
// Fields of the messages SavedModel (1: schema version, 2: meta graphs) and MetaGraphDef (1 to 8), read from the wire.
#include "backends/tensorflow/recognise.h"

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>

#include "core/model_file.h"

namespace protean {
namespace {

constexpr std::size_t kHeadBytes = 64;
constexpr std::uint64_t kSchemaVersionMax = 1000;
constexpr std::uint64_t kMetaGraphFieldMax = 8;
constexpr std::uint64_t kLengthDelimited = 2;
constexpr std::uint64_t kVarint = 0;

std::optional<std::uint64_t> read_varint(std::string_view& rest) noexcept {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

}  // namespace

bool looks_like_saved_model(std::string_view head, std::uint64_t size) noexcept {
  std::string_view rest = head;
  auto tag = read_varint(rest);
  if (tag == (1U << 3 | kVarint)) {
    const auto version = read_varint(rest);
    if (!version || *version > kSchemaVersionMax) return false;
    tag = read_varint(rest);
  }
  if (tag != (2U << 3 | kLengthDelimited)) return false;
  const auto length = read_varint(rest);
  const std::uint64_t begun = head.size() - rest.size();
  if (!length || *length == 0 || begun > size) return false;
  // A file that was cut off is a SavedModel as well: loading says what is wrong with it.
  const auto inner = read_varint(rest);
  return inner && *inner >> 3 >= 1 && *inner >> 3 <= kMetaGraphFieldMax && (*inner & 7) == kLengthDelimited;
}

Result<bool> is_saved_model(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return false;
  if (!std::filesystem::is_regular_file(path / "saved_model.pb", ignored)) return false;
  TRY(const auto file, ModelFile::open(path / "saved_model.pb"));
  std::array<std::byte, kHeadBytes> head{};
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), head.size()));
  TRY_STATUS(file.read(0, std::span(head).first(count)));
  return looks_like_saved_model({reinterpret_cast<const char*>(head.data()), count}, file.size());
}

}  // namespace protean
