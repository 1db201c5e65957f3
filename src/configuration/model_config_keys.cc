// SPDX-License-Identifier: Apache-2.0
// Every key of a model's configuration, once.
#include "configuration/model_config_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "configuration/value_text.h"

namespace protean {
namespace {

using C = ModelConfig;
using F = ModelField;
using K = ModelKeyKind;

constexpr std::uint64_t kDayUs = 86'400'000'000;
constexpr std::uint64_t kThreadsMax = 1024;
constexpr std::uint64_t kRowsMax = 1 << 20;
constexpr std::uint64_t kCountMax = 1'000'000'000;
constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 50;
constexpr std::uint64_t kDimensionMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kTextMax = 200;
constexpr std::uint64_t kVersionMax = INT64_MAX;  // TOML has no larger numbers

constexpr std::array kKeys = {
    ModelKey{"", "instances", K::kUint, [](C& c) { return F(&c.instances); }, 0, kThreadsMax},
    ModelKey{"", "intra_op_threads", K::kUint, [](C& c) { return F(&c.intra_op_threads); }, 0, kThreadsMax},
    ModelKey{"", "weight", K::kUint, [](C& c) { return F(&c.weight); }, 1, 1000},
    ModelKey{"", "priority", K::kUint, [](C& c) { return F(&c.priority); }, kPriorityFirst, kPriorityLast},
    ModelKey{"", "deadline", K::kTime, [](C& c) { return F(&c.deadline); }, 0, kDayUs},
    ModelKey{"", "queue_max", K::kUint, [](C& c) { return F(&c.queue_max); }, 0, kCountMax},

    ModelKey{"versions", "choice", K::kChoice, [](C& c) { return F(&c.versions.choice); }, 0, 0, "all|latest|listed"},
    ModelKey{"versions", "latest", K::kUint, [](C& c) { return F(&c.versions.latest); }, 1, kCountMax},
    ModelKey{"versions", "listed", K::kNumbers, [](C& c) { return F(&c.versions.listed); }, 0, kVersionMax},
    ModelKey{"versions", "availability_preserving", K::kBool,
             [](C& c) { return F(&c.versions.availability_preserving); }},
    ModelKey{"versions", "keep_previous", K::kTime, [](C& c) { return F(&c.versions.keep_previous); }, 0, 30 * kDayUs},

    ModelKey{"load", "attempts_max", K::kUint, [](C& c) { return F(&c.retries.attempts_max); }, 1, 1000},
    ModelKey{"load", "wait_first", K::kTime, [](C& c) { return F(&c.retries.wait_first); }, 1000, kDayUs},
    ModelKey{"load", "wait_max", K::kTime, [](C& c) { return F(&c.retries.wait_max); }, 1000, kDayUs},

    ModelKey{"warm_up", "generated_runs", K::kUint, [](C& c) { return F(&c.warm_up.generated_runs); }, 0, 1000},
    ModelKey{"warm_up", "recorded", K::kBool, [](C& c) { return F(&c.warm_up.recorded); }},
    ModelKey{"warm_up", "recorded_runs", K::kUint, [](C& c) { return F(&c.warm_up.recorded_runs); }, 1, 1000},
    ModelKey{"warm_up", "replayed_max", K::kUint, [](C& c) { return F(&c.warm_up.replayed_max); }, 0, 1000},
    ModelKey{"warm_up", "time_max", K::kTime, [](C& c) { return F(&c.warm_up.time_max); }, 0, kDayUs},

    ModelKey{"batch", "mode", K::kChoice, [](C& c) { return F(&c.batch.mode); }, 0, 0, "auto|on|off"},
    ModelKey{"batch", "rows_max", K::kUint, [](C& c) { return F(&c.batch.rows_max); }, 1, kRowsMax},
    ModelKey{"batch", "rows_preferred", K::kNumbers, [](C& c) { return F(&c.batch.rows_preferred); }, 1, kRowsMax},
    ModelKey{"batch", "pad_rows", K::kBool, [](C& c) { return F(&c.batch.pad_rows); }},
    ModelKey{"batch", "delay", K::kTime, [](C& c) { return F(&c.batch.delay); }, 0, 60'000'000},
    ModelKey{"batch", "split", K::kBool, [](C& c) { return F(&c.batch.split); }},
    ModelKey{"batch", "preserve_order", K::kBool, [](C& c) { return F(&c.batch.preserve_order); }},
    ModelKey{"batch", "pad_dims", K::kBool, [](C& c) { return F(&c.batch.pad_dims); }},
    ModelKey{"batch", "dim_buckets", K::kNumbers, [](C& c) { return F(&c.batch.dim_buckets); }, 1, kDimensionMax},

    ModelKey{"residency", "on_demand", K::kBool, [](C& c) { return F(&c.residency.on_demand); }},
    ModelKey{"residency", "pinned", K::kBool, [](C& c) { return F(&c.residency.pinned); }},
    ModelKey{"residency", "idle_unload", K::kTime, [](C& c) { return F(&c.residency.idle_unload); }, 0, 30 * kDayUs},

    ModelKey{"cache", "bytes_max", K::kBytes, [](C& c) { return F(&c.cache_bytes_max); }, 0, kSizeMax},

    ModelKey{"python", "environment", K::kText, [](C& c) { return F(&c.python.environment); }, 0, kTextMax},
    ModelKey{"python", "workers", K::kUint, [](C& c) { return F(&c.python.workers); }, 0, kThreadsMax},
    ModelKey{"python", "cpu_cores_max", K::kUint, [](C& c) { return F(&c.python.cpu_cores_max); }, 0, kThreadsMax},
    ModelKey{"python", "memory_max", K::kBytes, [](C& c) { return F(&c.python.memory_bytes_max); }, 0, kSizeMax},
    ModelKey{"python", "run_timeout", K::kTime, [](C& c) { return F(&c.python.run_time_max); }, 0, kDayUs},
    ModelKey{"python", "load_timeout", K::kTime, [](C& c) { return F(&c.python.load_time_max); }, 0, kDayUs},

    ModelKey{"tensorflow", "engine", K::kChoice, [](C& c) { return F(&c.tensorflow.engine); }, 0, 0,
             "auto|tensorflow|onnx"},
    ModelKey{"tensorflow", "tags", K::kTexts, [](C& c) { return F(&c.tensorflow.tags); }, 0, kTextMax},
};

std::string format_bound(const ModelKey& key, std::uint64_t bound) {
  switch (key.kind) {
    case K::kBytes: return format_bytes_exactly(bound);
    case K::kTime: return format_fine_duration(std::chrono::microseconds(bound));
    default: return fmt::format("{}", bound);
  }
}

std::string expectation(const ModelKey& key) {
  const std::string bounds = fmt::format("from {} to {}", format_bound(key, key.least), format_bound(key, key.most));
  switch (key.kind) {
    case K::kBool: return "true or false without quotes";
    case K::kUint: return "a whole number without quotes, " + bounds;
    case K::kBytes: return fmt::format("a size in quotes such as \"64MiB\", or a number of bytes, {}", bounds);
    case K::kTime: return fmt::format("a time in quotes such as \"250us\", \"20ms\" or \"5s\", {}", bounds);
    case K::kChoice: return fmt::format("one of \"{}\"", fmt::join(split(key.choices, '|'), "\", \""));
    case K::kText: return fmt::format("a text in quotes of at most {} bytes", key.most);
    case K::kTexts:
      return fmt::format("an array of at most {} texts in quotes of at most {} bytes", kModelTextsMax, key.most);
    case K::kNumbers: return fmt::format("an array of at most {} whole numbers, each {}", kModelNumbersMax, bounds);
  }
  return {};
}

std::string describe(const TomlValue& value) {
  if (const auto* text = value.as<std::string>()) return fmt::format("\"{}\"", printable(*text));
  if (const auto* number = value.as<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto* truth = value.as<bool>()) return *truth ? "true" : "false";
  return std::string(toml_type_name(value));
}

std::optional<std::uint64_t> number_in(const TomlValue& value) noexcept {
  const auto* number = value.as<std::int64_t>();
  if (number == nullptr || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

bool within(const ModelKey& key, std::optional<std::uint64_t> value) noexcept {
  return value && *value >= key.least && *value <= key.most;
}

/// Stores one value into whichever field the key has; false when it does not fit.
struct Storer {
  const ModelKey& key;
  const TomlValue& value;

  bool operator()(bool* field) const noexcept {
    const auto* truth = value.as<bool>();
    if (truth != nullptr) *field = *truth;
    return truth != nullptr;
  }
  bool operator()(std::uint32_t* field) const noexcept {
    const auto number = number_in(value);
    if (!within(key, number) || *number > UINT32_MAX) return false;
    *field = static_cast<std::uint32_t>(*number);
    return true;
  }
  bool operator()(std::uint64_t* field) const noexcept {
    const auto* text = value.as<std::string>();
    const auto number = text != nullptr && key.kind == K::kBytes ? parse_bytes(*text) : number_in(value);
    if (!within(key, number)) return false;
    *field = *number;
    return true;
  }
  bool operator()(Duration* field) const noexcept {
    const auto* text = value.as<std::string>();
    if (text == nullptr) return false;
    const auto time = parse_fine_duration(*text);
    if (!time || !within(key, static_cast<std::uint64_t>(time->count()) / 1000)) return false;
    *field = *time;
    return true;
  }
  bool operator()(std::string* field) const { return operator()(field, value); }
  bool operator()(std::string* field, const TomlValue& from) const {
    const auto* text = from.as<std::string>();
    if (text == nullptr || text->size() > key.most) return false;
    *field = *text;
    return true;
  }
  template <typename E>
  requires std::is_enum_v<E>
  bool operator()(E* field) const {
    const auto* text = value.as<std::string>();
    if (text == nullptr) return false;
    const auto names = split(key.choices, '|');
    const auto found = std::ranges::find(names, *text);
    if (found == names.end()) return false;
    *field = static_cast<E>(found - names.begin());
    return true;
  }
  bool operator()(std::vector<std::string>* field) const {
    const auto* array = value.as<TomlArray>();
    if (array == nullptr || array->size() > kModelTextsMax) return false;
    std::vector<std::string> texts;
    for (const auto& element : *array) {
      if (!operator()(&texts.emplace_back(), element)) return false;
    }
    *field = std::move(texts);
    return true;
  }
  template <typename T>
  bool operator()(std::vector<T>* field) const {
    const auto* array = value.as<TomlArray>();
    if (array == nullptr || array->size() > kModelNumbersMax) return false;
    std::vector<T> numbers;
    for (const auto& element : *array) {
      const auto number = number_in(element);
      if (!within(key, number)) return false;
      numbers.push_back(static_cast<T>(*number));
    }
    *field = std::move(numbers);
    return true;
  }
};

struct Formatter {
  const ModelKey& key;

  std::string operator()(const bool* field) const { return *field ? "true" : "false"; }
  std::string operator()(const std::uint32_t* field) const { return fmt::format("{}", *field); }
  std::string operator()(const std::uint64_t* field) const {
    return key.kind == K::kBytes ? toml_text(format_bytes_exactly(*field)) : fmt::format("{}", *field);
  }
  std::string operator()(const Duration* field) const { return toml_text(format_fine_duration(*field)); }
  std::string operator()(const std::string* field) const { return toml_text(*field); }
  template <typename E>
  requires std::is_enum_v<E> std::string operator()(const E* field) const {
    return toml_text(split(key.choices, '|').at(static_cast<std::size_t>(*field)));
  }
  std::string operator()(const std::vector<std::string>* field) const {
    std::vector<std::string> texts;
    for (const auto& text : *field) texts.push_back(toml_text(text));
    return fmt::format("[{}]", fmt::join(texts, ", "));
  }
  template <typename T>
  std::string operator()(const std::vector<T>* field) const {
    return fmt::format("[{}]", fmt::join(*field, ", "));
  }
};

}  // namespace

std::string ModelKey::full_name() const {
  return table.empty() ? std::string(name) : fmt::format("{}.{}", table, name);
}

std::span<const ModelKey> model_keys() noexcept { return kKeys; }

const ModelKey* find_model_key(std::string_view table, std::string_view name) noexcept {
  const auto found =
      std::ranges::find_if(kKeys, [&](const ModelKey& key) { return key.table == table && key.name == name; });
  return found == kKeys.end() ? nullptr : &*found;
}

Status store_model_key(const ModelKey& key, const TomlValue& value, ModelConfig& config) {
  if (std::visit(Storer{key, value}, key.field(config))) return {};
  return fail(Code::kInvalidArgument, fmt::format("found {}, expected {}", describe(value), expectation(key)));
}

std::string format_model_key(const ModelKey& key, const ModelConfig& config) {
  // The table hands out pointers to change; nothing is changed through this one.
  const ModelField field = key.field(const_cast<ModelConfig&>(config));
  return std::visit([&](const auto* pointer) { return Formatter{key}(pointer); }, field);
}

}  // namespace protean
