// SPDX-License-Identifier: Apache-2.0
// Loops that run until something is not as expected. The bytes behind the body end each of them: they hold a zero
// within what may be read, and a body that seems to go on behind its end is given up.
#include "protocols/tensorflow_serving/json_predict_fast.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/checked_math.h"
#include "protocols/tensorflow_serving/base64.h"
#include "protocols/tensorflow_serving/json_numbers.h"
#include "protocols/tensorflow_serving/json_wide_numbers.h"

namespace protean::tfserving {
namespace {

constexpr std::size_t kRankMax = 32;
/// The body's object, the list of rows and a row: what may be around a tensor.
constexpr std::size_t kAroundTensor = 3;

inline const char* skip_space(const char* at) noexcept {
  if (static_cast<unsigned char>(*at) > ' ') return at;
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') ++at;
  return at;
}

inline const char* expect(const char* at, char c) noexcept {
  at = skip_space(at);
  return *at == c ? at + 1 : nullptr;
}

/// A text without escapes; `at` is behind its opening quote. nullptr: not so, or no end before `end`.
const char* read_plain_text(const char* at, const char* end, std::string_view& out) noexcept {
  if (at >= end) return nullptr;
  const auto* const quote = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
  if (quote == nullptr) return nullptr;
  bool plain = true;
  for (const char* c = at; c != quote; ++c) plain = plain && static_cast<unsigned char>(*c) >= 0x20 && *c != '\\';
  if (!plain) return nullptr;
  out = {at, static_cast<std::size_t>(quote - at)};
  return quote + 1;
}

const char* read_key(const char* at, const char* end, std::string_view& out) noexcept {
  at = expect(at, '"');
  if (at != nullptr) at = read_plain_text(at, end, out);
  return at == nullptr ? nullptr : expect(at, ':');
}

/// False: the exact way must judge.  `text`: the number without its sign.
template <typename T>
inline bool to_value(const Magnitude& magnitude, bool minus, std::string_view text, T& out) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    double value = 0;
    if (!(std::is_same_v<T, float> && float_value(magnitude, value)) && !exact_value(magnitude, value) &&
        !rounded_value(magnitude, text.data(), text.data() + text.size(), value))
      return false;
    // A whole -0 is the number 0.
    out = static_cast<T>(with_sign(value, minus & !(magnitude.whole & (magnitude.digits == 0))));
    return true;
  } else {
    // The narrow types take what fits 32 bits and keep its lower bits.
    using Token = std::conditional_t<(sizeof(T) < 4), std::int32_t, T>;
    const auto limit = static_cast<std::uint64_t>(std::numeric_limits<Token>::max());
    const std::uint64_t largest = minus ? (std::is_signed_v<Token> ? limit + 1 : 0) : limit;
    if (!magnitude.whole || magnitude.many || magnitude.digits > largest) return false;
    out = static_cast<T>(minus ? 0 - magnitude.digits : magnitude.digits);
    return true;
  }
}

template <typename T>
inline const char* read_number(const char* at, T& out) noexcept {
  const bool minus = *at == '-';
  const char* const start = minus ? at + 1 : at;
  Magnitude magnitude;
  at = read_magnitude(start, magnitude);
  if (at == nullptr) return nullptr;
  return to_value(magnitude, minus, {start, static_cast<std::size_t>(at - start)}, out) ? at : nullptr;
}

template <typename T>
[[gnu::noinline]] const char* read_number_slowly(const char* at, T& out) noexcept {
  return read_number(at, out);
}

/// One input on its way. Rows of it may be read one after another.
class FastTensor {
 public:
  /// `wide`: has_wide_numbers() where true.
  FastTensor(const TensorSpec& spec, const char* end, bool wide) : spec_(spec), end_(end), wide_(wide) {
    dims_.fill(-1);
  }

  /// `at`: the value's first byte.  Returns what is behind it; nullptr to give up.
  const char* read(const char* at, std::size_t depth_max) {
    switch (spec_.type) {
      case DataType::kFp32: return read_as<float>(at, depth_max);
      case DataType::kFp64: return read_as<double>(at, depth_max);
      case DataType::kInt8: return read_as<std::int8_t>(at, depth_max);
      case DataType::kInt16: return read_as<std::int16_t>(at, depth_max);
      case DataType::kInt32: return read_as<std::int32_t>(at, depth_max);
      case DataType::kInt64: return read_as<std::int64_t>(at, depth_max);
      case DataType::kUint8: return read_as<std::uint8_t>(at, depth_max);
      case DataType::kUint32: return read_as<std::uint32_t>(at, depth_max);
      case DataType::kUint64: return read_as<std::uint64_t>(at, depth_max);
      case DataType::kBool: return read_as<bool>(at, depth_max);
      case DataType::kBytes: return read_as<std::string_view>(at, depth_max);
      default: return nullptr;
    }
  }

  /// `rows`: read so far, each by itself; nullopt: one value that is the whole tensor.
  InferInput finish(std::optional<std::size_t> rows) && {
    InferInput input;
    input.name = spec_.name;
    input.tensor.type = spec_.type;
    if (rows) input.tensor.shape.push_back(static_cast<std::int64_t>(*rows));
    input.tensor.shape.insert(input.tensor.shape.end(), dims_.begin(), dims_.begin() + static_cast<long>(rank_));
    data_.resize(used_);
    input.tensor.data = std::move(data_).share();
    return input;
  }

 private:
  template <typename T>
  const char* read_as(const char* at, std::size_t depth_max) {
#if defined(__x86_64__)
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      if (wide_) return read_wide_lists<T>(at, depth_max);
    }
#endif
    return read_lists<T, false>(at, depth_max);
  }

  template <typename T, bool kWide>
  const char* read_lists(const char* at, std::size_t depth_max) {
    std::array<std::int64_t, kRankMax> counts;
    std::size_t depth = 0;
    while (true) {
      at = skip_space(at);
      if (*at == '[') {
        if (depth == std::min(kRankMax, depth_max) || (rank_known_ && depth == rank_)) return nullptr;
        counts[depth++] = 0;
        ++at;
        continue;
      }
      if (!rank_known_) rank_ = depth;
      rank_known_ = true;
      if (depth != rank_) return nullptr;
      std::int64_t count = 0;
      at = depth == 0 ? read_single<T>(at) : read_run<T, kWide>(at, count);
      if (at == nullptr || depth == 0) return at;
      counts[depth - 1] = count;
      at = close(at, counts, depth);
      if (at == nullptr || depth == 0) return at;
    }
  }

  /// Behind the closing brackets, up to the comma before the next list; `depth` follows.
  const char* close(const char* at, std::array<std::int64_t, kRankMax>& counts, std::size_t& depth) noexcept {
    while (*at == ']') {
      std::int64_t& size = dims_[depth - 1];
      if (size < 0) size = counts[depth - 1];
      if (size != counts[depth - 1]) return nullptr;
      ++at;
      if (--depth == 0) return at;
      ++counts[depth - 1];
      at = skip_space(at);
    }
    return *at == ',' && at < end_ ? at + 1 : nullptr;
  }

#if defined(__x86_64__)
  template <typename T>
  [[gnu::flatten]] PROTEAN_WIDE const char* read_wide_lists(const char* at, std::size_t depth_max) {
    return read_lists<T, true>(at, depth_max);
  }

  /// Several numbers for each look at the text: the later ones do not wait for the ends of those before.
  template <typename T>
  PROTEAN_WIDE const char* read_wide_run(const char* at, std::int64_t& count) {
    constexpr std::ptrdiff_t kSeen = 32;  // a number that starts before it ends within the look
    count = 0;
    while (true) {
      const char* const look = at;
      std::uint64_t others = find_others(look);
      do {
        at = read_wide_one<T>(at, others);
        if (at == nullptr || at >= end_) return nullptr;
        ++count;
        if (*at != ',') {
          others = 0;
          at = skip_space(at);
          if (*at == ']') return at;
          if (*at != ',') return nullptr;
        }
        const std::size_t step = at[1] == ' ' ? 2 : 1;
        at += step;
        others >>= step;
        if (static_cast<unsigned char>(*at) <= ' ') others = 0;
      } while (others != 0 && at - look < kSeen);
      at = skip_space(at);
    }
  }

  /// `others`: becomes 0 where it is of no further use.
  template <typename T>
  PROTEAN_WIDE const char* read_wide_one(const char* at, std::uint64_t& others) {
    T* const place = room<T>(at);
    bool minus = false;
    Magnitude magnitude;
    const char* const end = read_wide(at, others, minus, magnitude);
    if (end == nullptr) {
      others = 0;
      return read_number_slowly(at, *place);
    }
    const char* const start = at + (minus ? 1 : 0);
    return to_value(magnitude, minus, {start, static_cast<std::size_t>(end - start)}, *place) ? end : nullptr;
  }
#endif

  /// Values with commas between them, up to the bracket that closes their list.
  template <typename T, bool kWide>
  const char* read_run(const char* at, std::int64_t& count) {
    if constexpr (kWide) return read_wide_run<T>(at, count);
    while (true) {
      at = read_one<T>(at);
      if (at == nullptr || at >= end_) return nullptr;
      ++count;
      if (*at != ',') {
        at = skip_space(at);
        if (*at == ']') return at;
        if (*at != ',') return nullptr;
      }
      at = skip_space(at + 1);
    }
  }

  template <typename T>
  [[gnu::noinline]] const char* read_single(const char* at) {
    return read_one<T>(at);
  }

  template <typename T>
  const char* read_one(const char* at) {
    if constexpr (std::is_same_v<T, std::string_view>) {
      return read_text(at);
    } else if constexpr (std::is_same_v<T, bool>) {
      const bool truth = std::memcmp(at, "true", 4) == 0;
      if (!truth && std::memcmp(at, "false", 5) != 0) return nullptr;
      *room<std::uint8_t>(at) = truth ? 1 : 0;
      return at + (truth ? 4 : 5);
    } else {
      return read_number(at, *room<T>(at));
    }
  }

  const char* read_text(const char* at) {
    std::string_view text;
    if (*at == '"') {
      at = read_plain_text(at + 1, end_, text);
      if (at == nullptr || text.size() > std::numeric_limits<std::uint32_t>::max()) return nullptr;
      append_bytes_element(data_, text);
      used_ = data_.size();
      return at;
    }
    std::string_view key;
    at = expect(at, '{');
    if (at != nullptr) at = read_key(at, end_, key);
    if (at == nullptr || key != "b64") return nullptr;
    at = expect(at, '"');
    if (at != nullptr) at = read_plain_text(at, end_, text);
    if (at != nullptr) at = expect(at, '}');
    if (at == nullptr) return nullptr;
    const auto bytes = decode_base64(text);
    if (!bytes || bytes->size() > std::numeric_limits<std::uint32_t>::max()) return nullptr;
    append_bytes_element(data_, *bytes);
    used_ = data_.size();
    return at;
  }

  /// Memory for one more element. The text's rest says how many there can be at most.
  template <typename T>
  T* room(const char* at) {
    if (used_ + sizeof(T) > data_.size())
      grow(sizeof(T), static_cast<std::size_t>(std::max<std::ptrdiff_t>(end_ - at, 0)));
    auto* const place = reinterpret_cast<T*>(data_.data() + used_);
    used_ += sizeof(T);
    return place;
  }

  [[gnu::noinline]] void grow(std::size_t size, std::size_t text_left) {
    const std::size_t most = used_ + (text_left / 2 + 2) * size;
    std::size_t wanted = std::max<std::size_t>(2 * used_, 256);
    if (used_ == 0) {
      std::size_t row = size;
      for (const std::int64_t dim : spec_.shape) {
        row = checked_mul(row, static_cast<std::size_t>(std::max<std::int64_t>(dim, 1))).value_or(most);
      }
      wanted = std::max(wanted, row);
    }
    data_.resize(std::max(std::min(wanted, most), used_ + size));
  }

  const TensorSpec& spec_;
  const char* const end_;
  const bool wide_;
  Buffer data_;
  std::size_t used_ = 0;
  std::array<std::int64_t, kRankMax> dims_;
  std::size_t rank_ = 0;
  bool rank_known_ = false;
};

class Reader {
 public:
  Reader(std::string_view body, std::size_t depth_max, const Signature& signature, InferRequest& request, bool wide)
      : end_(body.data() + body.size()),
        depth_max_(depth_max - kAroundTensor),
        signature_(signature),
        request_(request),
        wide_(wide) {}

  bool run(const char* at) {
    at = expect(at, '{');
    bool found = false;
    while (at != nullptr) {
      std::string_view key;
      at = read_key(at, end_, key);
      if (at == nullptr) return false;
      at = skip_space(at);
      if (key == "signature_name") {
        std::string_view name;
        at = *at == '"' ? read_plain_text(at + 1, end_, name) : nullptr;
      } else if (!found && (key == "instances" || key == "inputs")) {
        found = true;
        at = key == "instances" ? read_rows(at) : read_columns(at);
      } else {
        return false;
      }
      if (at == nullptr || at >= end_) return false;
      at = skip_space(at);
      if (*at == '}') return found && at < end_;
      at = expect(at, ',');
    }
    return false;
  }

 private:
  const char* read_whole(const char* at) {
    FastTensor tensor(signature_.inputs.front(), end_, wide_);
    at = tensor.read(at, depth_max_);
    if (at != nullptr) request_.inputs.push_back(std::move(tensor).finish(std::nullopt));
    return at;
  }

  const char* read_rows(const char* at) {
    const char* const first = skip_space(at + 1);
    if (*at != '[') return nullptr;
    if (*first != '{' || is_base64(first)) return signature_.inputs.size() == 1 ? read_whole(at) : nullptr;
    if (!signature_.columns.empty()) return nullptr;
    std::vector<FastTensor> tensors;
    for (const auto& spec : signature_.inputs) tensors.emplace_back(spec, end_, wide_);
    std::size_t rows = 0;
    at = first;
    do {
      at = expect(at, '{');
      if (at != nullptr) at = read_members(at, tensors);
      if (at == nullptr || at >= end_) return nullptr;
      ++rows;
      at = skip_space(at);
    } while (*at++ == ',');
    if (at[-1] != ']') return nullptr;
    for (auto& tensor : tensors) request_.inputs.push_back(std::move(tensor).finish(rows));
    return at;
  }

  const char* read_columns(const char* at) {
    if (*at != '{' || is_base64(at)) return signature_.inputs.size() == 1 ? read_whole(at) : nullptr;
    if (!signature_.columns.empty()) return nullptr;
    std::vector<FastTensor> tensors;
    for (const auto& spec : signature_.inputs) tensors.emplace_back(spec, end_, wide_);
    at = read_members(at + 1, tensors);
    if (at == nullptr) return nullptr;
    for (auto& tensor : tensors) request_.inputs.push_back(std::move(tensor).finish(std::nullopt));
    return at;
  }

  /// The members of one object, each input exactly once, up to behind its closing brace.
  const char* read_members(const char* at, std::vector<FastTensor>& tensors) {
    std::vector<bool> seen(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      std::string_view key;
      at = i == 0 ? at : expect(at, ',');
      if (at != nullptr) at = read_key(at, end_, key);
      if (at == nullptr) return nullptr;
      const auto spec = std::ranges::find(signature_.inputs, key, &TensorSpec::name);
      const auto index = static_cast<std::size_t>(spec - signature_.inputs.begin());
      if (index == tensors.size() || seen[index]) return nullptr;
      seen[index] = true;
      at = tensors[index].read(at, depth_max_);
      if (at == nullptr || at >= end_) return nullptr;
    }
    return expect(at, '}');
  }

  [[nodiscard]] bool is_base64(const char* object) const noexcept {
    std::string_view key;
    return read_key(object + 1, end_, key) != nullptr && key == "b64";
  }

  const char* const end_;
  const std::size_t depth_max_;
  const Signature& signature_;
  InferRequest& request_;
  const bool wide_;
};

}  // namespace

bool read_json_predict_fast(const Slice& body, std::size_t depth_max, const Signature& signature, InferRequest& request,
                            bool wide) {
  if (body.empty() || body.padding < kBufferPadding || signature.inputs.empty()) return false;
  if (depth_max <= kAroundTensor) return false;
  return Reader(body.text(), depth_max, signature, request, wide && has_wide_numbers()).run(body.text().data());
}

}  // namespace protean::tfserving
