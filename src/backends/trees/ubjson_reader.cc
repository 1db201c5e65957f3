// SPDX-License-Identifier: Apache-2.0
// UBJSON (draft 12) to a Document: big-endian numbers, typed arrays, sizes that are never believed before the bytes
// that they speak of are seen to be there.
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <optional>

#include "backends/trees/document.h"

namespace protean {
namespace {

/// Bytes that a number of this type takes; 0 for anything else.
std::size_t number_bytes(char type) noexcept {
  switch (type) {
    case 'i':
    case 'U': return 1;
    case 'I': return 2;
    case 'l':
    case 'd': return 4;
    case 'L':
    case 'D': return 8;
    default: return 0;
  }
}

std::uint64_t big_endian(std::string_view bytes) noexcept {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8U | static_cast<unsigned char>(byte);
  return value;
}

double number_of(char type, std::string_view bytes) noexcept {
  const auto bits = big_endian(bytes);
  switch (type) {
    case 'i': return static_cast<std::int8_t>(bits);
    case 'U': return static_cast<std::uint8_t>(bits);
    case 'I': return static_cast<std::int16_t>(bits);
    case 'l': return static_cast<std::int32_t>(bits);
    case 'd': return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    case 'L': return static_cast<double>(static_cast<std::int64_t>(bits));
    default: return std::bit_cast<double>(bits);
  }
}

class UbjsonReader {
 public:
  explicit UbjsonReader(std::string_view bytes) : bytes_(bytes) {}

  Result<Document> read() {
    TRY(const char type, byte());
    TRY(auto document, value(type, 1));
    if (at_ != bytes_.size()) return malformed("bytes after the end");
    return document;
  }

 private:
  [[nodiscard]] tl::unexpected<Error> malformed(std::string_view what) const {
    return fail(Code::kInvalidArgument, fmt::format("malformed UBJSON at byte {}: {}", at_, what));
  }
  Result<char> byte() {
    if (at_ == bytes_.size()) return malformed("it ends too early");
    return bytes_[at_++];
  }
  bool take(char c) noexcept {
    if (at_ >= bytes_.size() || bytes_[at_] != c) return false;
    ++at_;
    return true;
  }
  Result<std::string_view> take_bytes(std::uint64_t count) {
    if (count > bytes_.size() - at_)
      return malformed(fmt::format("{} bytes expected, {} left", count, bytes_.size() - at_));
    const auto taken = bytes_.substr(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
  }
  Result<std::uint64_t> length();
  Result<std::string> text();
  Result<Document> value(char type, std::size_t depth);
  Result<Document> array(std::size_t depth);
  Result<Document> typed_array(char type, std::uint64_t count, std::size_t depth);
  Result<Document> object(std::size_t depth);

  const std::string_view bytes_;
  std::size_t at_ = 0;
};

Result<std::uint64_t> UbjsonReader::length() {
  TRY(const char type, byte());
  const auto size = number_bytes(type);
  if (size == 0 || type == 'd' || type == 'D') return malformed("expected a length");
  TRY(const auto bytes, take_bytes(size));
  const double number = number_of(type, bytes);
  if (number < 0 || number > 9e15) return malformed("a length out of range");
  return static_cast<std::uint64_t>(number);
}

Result<std::string> UbjsonReader::text() {
  TRY(const auto size, length());
  TRY(const auto bytes, take_bytes(size));
  return std::string(bytes);
}

Result<Document> UbjsonReader::value(char type, std::size_t depth) {
  if (depth > kDocumentDepthMax) return malformed(fmt::format("nested deeper than {} levels", kDocumentDepthMax));
  if (const auto size = number_bytes(type); size != 0) {
    TRY(const auto bytes, take_bytes(size));
    return Document(number_of(type, bytes));
  }
  switch (type) {
    case '{': return object(depth);
    case '[': return array(depth);
    case 'T': return Document(true);
    case 'F': return Document(false);
    case 'Z': return Document();
    case 'C': {
      TRY(const auto bytes, take_bytes(1));
      return Document(std::string(bytes));
    }
    case 'S': {
      TRY(auto string, text());
      return Document(std::move(string));
    }
    default: return malformed("an unknown type");
  }
}

Result<Document> UbjsonReader::array(std::size_t depth) {
  char type = 0;
  if (take('$')) {
    TRY(type, byte());
  }
  std::optional<std::uint64_t> count;
  if (take('#')) {
    TRY(count, length());
  }
  if (type != 0) {
    if (!count) return malformed("a type without a count");
    return typed_array(type, *count, depth);
  }
  Document::Array items;
  Document::Numbers numbers;
  while (count ? items.size() + numbers.size() < *count : !take(']')) {
    TRY(const char item_type, byte());
    TRY(auto item, value(item_type, depth + 1));
    const bool plain = items.empty() && (item.number() != nullptr || item.boolean() != nullptr);
    if (plain) {
      numbers.push_back(item.number() != nullptr ? *item.number() : static_cast<double>(*item.boolean()));
      continue;
    }
    for (const double one : numbers) items.emplace_back(one);
    numbers.clear();
    items.push_back(std::move(item));
  }
  if (!numbers.empty()) return Document(std::move(numbers));
  return Document(std::move(items));
}

Result<Document> UbjsonReader::typed_array(char type, std::uint64_t count, std::size_t depth) {
  const auto size = number_bytes(type);
  if (size == 0) {
    // Anything else takes at least one byte; T, F and Z would take none, so they could claim any count.
    if (type != 'S' && type != '{' && type != '[' && type != 'C') return malformed("a typed array of this type");
    if (count > bytes_.size() - at_) return malformed("an array longer than the file");
    Document::Array items;
    for (std::uint64_t i = 0; i < count; ++i) {
      TRY(auto item, value(type, depth + 1));
      items.push_back(std::move(item));
    }
    return Document(std::move(items));
  }
  if (count > (bytes_.size() - at_) / size) return malformed("an array longer than the file");
  if (count == 0) return Document(Document::Array{});
  TRY(const auto bytes, take_bytes(count * size));
  Document::Numbers numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = number_of(type, bytes.substr(i * size, size));
  return Document(std::move(numbers));
}

Result<Document> UbjsonReader::object(std::size_t depth) {
  if (take('$')) return malformed("an object of one type");
  std::optional<std::uint64_t> count;
  if (take('#')) {
    TRY(count, length());
  }
  Document::Members members;
  while (count ? members.size() < *count : !take('}')) {
    TRY(auto name, text());
    TRY(const char type, byte());
    TRY(auto item, value(type, depth + 1));
    members.emplace_back(std::move(name), std::move(item));
  }
  return Document(std::move(members));
}

}  // namespace

Result<Document> parse_ubjson(std::string_view bytes) { return UbjsonReader(bytes).read(); }

}  // namespace protean
