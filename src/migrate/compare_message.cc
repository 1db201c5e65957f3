// SPDX-License-Identifier: Apache-2.0
// Reflection over both messages at once. Repeated fields are compared in order, maps by key.
#include "migrate/compare_message.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <map>
#include <string>

namespace protean::migrate {
namespace {

namespace pb = google::protobuf;
using Cpp = pb::FieldDescriptor::CppType;

DifferenceKind kind_of(const Path& path) {
  if (path.name == "error_message") return DifferenceKind::kText;
  for (const Path* step = &path; step != nullptr; step = step->up) {
    if (step->name == "version") return DifferenceKind::kVersion;
  }
  return DifferenceKind::kValue;
}

/// One field of both messages.
struct Pair {
  const pb::Message& from;
  const pb::Message& to;
  const pb::FieldDescriptor& field;
};

struct Scalar {
  std::string text;
  double number = 0;
  bool inexact = false;
};

/// `at`: which element; below 0 for a singular field.
Scalar scalar_of(const pb::Message& message, const pb::FieldDescriptor& field, int at) {
  const pb::Reflection& r = *message.GetReflection();
  const auto* f = &field;
  const auto whole = [](auto value) { return Scalar{fmt::format("{}", value), 0, false}; };
  const auto inexact = [](auto value) { return Scalar{fmt::format("{}", value), value, true}; };
  switch (field.cpp_type()) {
    case Cpp::CPPTYPE_INT32: return whole(at < 0 ? r.GetInt32(message, f) : r.GetRepeatedInt32(message, f, at));
    case Cpp::CPPTYPE_INT64: return whole(at < 0 ? r.GetInt64(message, f) : r.GetRepeatedInt64(message, f, at));
    case Cpp::CPPTYPE_UINT32: return whole(at < 0 ? r.GetUInt32(message, f) : r.GetRepeatedUInt32(message, f, at));
    case Cpp::CPPTYPE_UINT64: return whole(at < 0 ? r.GetUInt64(message, f) : r.GetRepeatedUInt64(message, f, at));
    case Cpp::CPPTYPE_BOOL: return whole(at < 0 ? r.GetBool(message, f) : r.GetRepeatedBool(message, f, at));
    case Cpp::CPPTYPE_FLOAT: return inexact(at < 0 ? r.GetFloat(message, f) : r.GetRepeatedFloat(message, f, at));
    case Cpp::CPPTYPE_DOUBLE: return inexact(at < 0 ? r.GetDouble(message, f) : r.GetRepeatedDouble(message, f, at));
    case Cpp::CPPTYPE_STRING: return {at < 0 ? r.GetString(message, f) : r.GetRepeatedString(message, f, at), 0, false};
    case Cpp::CPPTYPE_ENUM: {
      const int number = at < 0 ? r.GetEnumValue(message, f) : r.GetRepeatedEnumValue(message, f, at);
      const auto* value = field.enum_type()->FindValueByNumber(number);
      return {value != nullptr ? value->name() : fmt::format("{}", number), 0, false};
    }
    case Cpp::CPPTYPE_MESSAGE: break;
  }
  return {};
}

const pb::Message& message_at(const pb::Message& message, const pb::FieldDescriptor& field, int at) {
  const pb::Reflection& r = *message.GetReflection();
  return at < 0 ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, at);
}

std::string summary(const pb::Message& message) {
  std::string text = message.ShortDebugString();
  return text.empty() ? "{}" : text;
}

/// What is not declared in our files, by field number.
std::map<int, std::string> unknown_fields(const pb::Message& message) {
  std::map<int, std::string> fields;
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    pb::UnknownFieldSet one;
    one.AddField(unknown.field(i));
    std::string bytes;
    one.SerializeToString(&bytes);
    fields[unknown.field(i).number()] += bytes;
  }
  return fields;
}

void compare_unknown(Comparison& out, const Path& path, const pb::Message& from, const pb::Message& to) {
  const auto a = unknown_fields(from);
  const auto b = unknown_fields(to);
  const auto name = [](int number) { return fmt::format("(field {})", number); };
  const auto size = [](const std::string& bytes) { return fmt::format("{} bytes", bytes.size()); };
  for (const auto& [number, bytes] : a) {
    const auto there = b.find(number);
    if (there == b.end()) {
      out.differ(DifferenceKind::kMissing, path.member(name(number)), size(bytes), "");
    } else if (there->second != bytes) {
      out.differ(DifferenceKind::kValue, path.member(name(number)), size(bytes), size(there->second));
    }
  }
  for (const auto& [number, bytes] : b) {
    if (!a.contains(number)) out.differ(DifferenceKind::kExtra, path.member(name(number)), "", size(bytes));
  }
}

class FieldWalk {
 public:
  FieldWalk(MessageWalk& walk, const Path& path) : walk_(walk), path_(path) {}

  void compare(const Pair& pair) {
    if (pair.field.is_map()) return compare_map(pair);
    if (pair.field.is_repeated()) return compare_repeated(pair);
    const Path here = path_.member(pair.field.name());
    const bool a = is_there(pair.from, pair.field);
    const bool b = is_there(pair.to, pair.field);
    if (a != b) return one_sided(here, pair, -1, a);
    if (a) compare_one(here, pair, {-1, -1});
  }

 private:
  /// Fields without presence are always there: zero is a value of theirs.
  static bool is_there(const pb::Message& message, const pb::FieldDescriptor& field) {
    return !field.has_presence() || message.GetReflection()->HasField(message, &field);
  }

  static std::string text_of(const pb::Message& message, const pb::FieldDescriptor& field, int at) {
    const bool nested = field.cpp_type() == Cpp::CPPTYPE_MESSAGE;
    return nested ? summary(message_at(message, field, at)) : scalar_of(message, field, at).text;
  }

  void one_sided(const Path& here, const Pair& pair, int at, bool in_from) {
    if (in_from) return walk_.out().differ(DifferenceKind::kMissing, here, text_of(pair.from, pair.field, at), "");
    walk_.out().differ(DifferenceKind::kExtra, here, "", text_of(pair.to, pair.field, at));
  }

  void compare_one(const Path& here, const Pair& pair, std::pair<int, int> at) {
    if (pair.field.cpp_type() == Cpp::CPPTYPE_MESSAGE) {
      return walk_.compare(here, message_at(pair.from, pair.field, at.first),
                           message_at(pair.to, pair.field, at.second));
    }
    const Scalar a = scalar_of(pair.from, pair.field, at.first);
    const Scalar b = scalar_of(pair.to, pair.field, at.second);
    if (a.inexact) return compare_numbers(walk_.out(), here, a.number, b.number, walk_.tolerance());
    if (a.text != b.text) walk_.out().differ(kind_of(here), here, a.text, b.text);
  }

  void compare_repeated(const Pair& pair) {
    const Path here = path_.member(pair.field.name());
    const int a = pair.from.GetReflection()->FieldSize(pair.from, &pair.field);
    const int b = pair.to.GetReflection()->FieldSize(pair.to, &pair.field);
    if (a != b) {
      walk_.out().differ(DifferenceKind::kShape, here, fmt::format("{} elements", a), fmt::format("{} elements", b));
    }
    for (int i = 0; i < std::min(a, b); ++i) compare_one(here.element(static_cast<std::size_t>(i)), pair, {i, i});
  }

  static std::map<std::string, int> keys_of(const pb::Message& message, const pb::FieldDescriptor& field) {
    std::map<std::string, int> keys;
    const pb::FieldDescriptor& key = *field.message_type()->map_key();
    const int count = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < count; ++i) keys[scalar_of(message_at(message, field, i), key, -1).text] = i;
    return keys;
  }

  void compare_map(const Pair& pair) {
    const Path here = path_.member(pair.field.name());
    const auto a = keys_of(pair.from, pair.field);
    const auto b = keys_of(pair.to, pair.field);
    const pb::FieldDescriptor& value = *pair.field.message_type()->map_value();
    for (const auto& [key, at] : a) {
      const auto there = b.find(key);
      if (there == b.end()) {
        const pb::Message& entry = message_at(pair.from, pair.field, at);
        one_sided(here.member(key), {entry, entry, value}, -1, true);
        continue;
      }
      const pb::Message& from = message_at(pair.from, pair.field, at);
      const pb::Message& to = message_at(pair.to, pair.field, there->second);
      compare_one(here.member(key), {from, to, value}, {-1, -1});
    }
    for (const auto& [key, at] : b) {
      if (a.contains(key)) continue;
      const pb::Message& entry = message_at(pair.to, pair.field, at);
      one_sided(here.member(key), {entry, entry, value}, -1, false);
    }
  }

  MessageWalk& walk_;
  const Path& path_;
};

}  // namespace

void MessageWalk::compare(const Path& path, const pb::Message& from, const pb::Message& to) {
  if (rule_ && rule_(*this, path, from, to)) return;
  FieldWalk fields(*this, path);
  const pb::Descriptor& type = *from.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) fields.compare({from, to, *type.field(i)});
  compare_unknown(out_, path, from, to);
}

}  // namespace protean::migrate
