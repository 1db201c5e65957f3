// SPDX-License-Identifier: Apache-2.0
// libprotobuf's text format, whose complaints become one error with a place, and its reflection.
#include "protocols/tensorflow_serving/config_text.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "base/text.h"

namespace protean::tfserving {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kNestingMax = 64;
constexpr std::size_t kValueBytesMax = 120;

/// Keeps the first complaint; lines and columns count from 1 for people.
class FirstComplaint final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("{}:{}: {}", line + 1, column + 1, printable(message, 400));
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

std::string value_of(const Message& message, const FieldDescriptor& field, int index) {
  if (field.containing_type()->name() == "SSLConfig" && field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return "(PEM)";
  }
  std::string text;
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.PrintFieldValueToString(message, &field, index, &text);
  return printable(trim(text), kValueBytesMax);
}

class Walk {
 public:
  explicit Walk(const std::function<bool(std::string_view)>& whole) : whole_(whole) {}

  void message(const Message& message, const std::string& prefix, int depth) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const auto* field : fields) {
      if (!field->is_repeated()) {
        one(message, *field, -1, prefix + field->name(), depth);
        continue;
      }
      const int count = message.GetReflection()->FieldSize(message, field);
      for (int i = 0; i < count; ++i) one(message, *field, i, fmt::format("{}{}[{}]", prefix, field->name(), i), depth);
    }
  }
  [[nodiscard]] std::vector<ConfigField> take() { return std::move(out_); }

 private:
  void one(const Message& message, const FieldDescriptor& field, int index, const std::string& path, int depth) {
    std::string name = field.containing_type()->name() + "." + field.name();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth < kNestingMax && !whole_(name)) {
      const auto* reflection = message.GetReflection();
      const std::size_t before = out_.size();
      this->message(
          index < 0 ? reflection->GetMessage(message, &field) : reflection->GetRepeatedMessage(message, &field, index),
          path + ".", depth + 1);
      if (out_.size() > before) return;
    }
    out_.push_back({std::move(name), path, value_of(message, field, index)});
  }

  const std::function<bool(std::string_view)>& whole_;
  std::vector<ConfigField> out_;
};

}  // namespace

Status parse_config_text(std::string_view text, std::string_view name, Message& message) {
  if (text.size() > kConfigTextBytesMax) {
    return fail(Code::kResourceExhausted,
                fmt::format("{}: {} bytes, expected at most {}", printable(name), text.size(), kConfigTextBytesMax));
  }
  FirstComplaint complaint;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&complaint);
  parser.SetRecursionLimit(kNestingMax);
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&input, &message)) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("{}:{}", printable(name),
                          complaint.text().empty() ? " is not a message in text format" : complaint.text()));
}

std::vector<ConfigField> config_fields(const Message& message, const std::function<bool(std::string_view)>& whole) {
  Walk walk(whole);
  walk.message(message, "", 0);
  return walk.take();
}

}  // namespace protean::tfserving
