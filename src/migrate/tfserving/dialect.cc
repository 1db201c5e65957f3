// SPDX-License-Identifier: Apache-2.0
// TensorFlow Serving: predictions, metadata and status may be asked twice, reloading the configuration may not. Answers
// over REST are JSON, those over gRPC one of five messages.
#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "migrate/compare_json.h"
#include "migrate/compare_message.h"
#include "migrate/dialect.h"
#include "migrate/tfserving/calls.h"
#include "migrate/tfserving/compare_tensors.h"
#include "proto/tensorflow_serving.pb.h"

namespace protean::migrate {
namespace {

namespace pb = google::protobuf;
using MakeMessage = std::unique_ptr<pb::Message> (*)();

template <typename M>
std::unique_ptr<pb::Message> make_message() {
  return std::make_unique<M>();
}

struct Method {
  std::string_view name;
  MakeMessage request;
  MakeMessage answer;
};

namespace tfs = tensorflow::serving;
constexpr std::array<Method, 7> kMethods = {{
    {"Predict", make_message<tfs::PredictRequest>, make_message<tfs::PredictResponse>},
    {"Classify", make_message<tfs::ClassificationRequest>, make_message<tfs::ClassificationResponse>},
    {"Regress", make_message<tfs::RegressionRequest>, make_message<tfs::RegressionResponse>},
    {"MultiInference", make_message<tfs::MultiInferenceRequest>, make_message<tfs::MultiInferenceResponse>},
    {"GetModelMetadata", make_message<tfs::GetModelMetadataRequest>, make_message<tfs::GetModelMetadataResponse>},
    {"GetModelStatus", make_message<tfs::GetModelStatusRequest>, make_message<tfs::GetModelStatusResponse>},
    {"HandleReloadConfigRequest", make_message<tfs::ReloadConfigRequest>, make_message<tfs::ReloadConfigResponse>},
}};

/// Headers that clients act upon.
constexpr std::array<std::string_view, 7> kHeaders = {
    "content-type",
    "location",
    "allow",
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
};

const Method* find_method(const RequestHead& head) {
  const std::string_view path = head.path;
  if (head.wire != Wire::kGrpc || !path.starts_with("/tensorflow.serving.")) return nullptr;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto* found = std::find_if(kMethods.begin(), kMethods.end(), [&](const auto& m) { return m.name == name; });
  return found == kMethods.end() ? nullptr : found;
}

bool parse(pb::Message& message, std::string_view bytes) {
  return bytes.size() <= INT32_MAX && message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool own_rule(MessageWalk& walk, const Path& path, const pb::Message& from, const pb::Message& to) {
  if (const auto* tensor = dynamic_cast<const tensorflow::TensorProto*>(&from)) {
    compare_tensors(walk.out(), path, *tensor, dynamic_cast<const tensorflow::TensorProto&>(to), walk.tolerance());
    return true;
  }
  const auto* any = dynamic_cast<const pb::Any*>(&from);
  if (any == nullptr) return false;
  const auto& there = dynamic_cast<const pb::Any&>(to);
  tfs::SignatureDefMap a;
  tfs::SignatureDefMap b;
  if (!any->UnpackTo(&a) || !there.UnpackTo(&b)) return false;
  walk.compare(path, a, b);
  return true;
}

std::string header(const Fields& fields, std::string_view name) {
  std::string value;
  for (const auto& [key, text] : fields) {
    if (equals_ignore_case(key, name)) value += value.empty() ? text : ", " + text;
  }
  return value;
}

void compare_headers(Comparison& out, const Answer& from, const Answer& to) {
  const Path headers{nullptr, "header", 0};
  for (const std::string_view name : kHeaders) {
    const std::string a = header(from.headers, name);
    const std::string b = header(to.headers, name);
    if (!equals_ignore_case(a, b)) out.differ(DifferenceKind::kHeader, headers.member(name), a, b);
  }
}

void compare_rest(Comparison& out, const Answer& from, const Answer& to, double tolerance) {
  if (from.status != to.status) {
    const Path status{nullptr, "status", 0};
    out.differ(DifferenceKind::kStatus, status, fmt::format("{}", from.status), fmt::format("{}", to.status));
  }
  compare_headers(out, from, to);
  compare_json(out, Path{nullptr, "body", 0}, from.body.text(), to.body.text(), tolerance);
}

std::string status_text(const Answer& answer) {
  const bool known = answer.grpc_status >= 1 && answer.grpc_status <= 16;
  return known ? fmt::format("{} {}", answer.grpc_status, code_name(static_cast<Code>(answer.grpc_status)))
               : fmt::format("{}{}", answer.grpc_status, answer.grpc_status == 0 ? " OK" : "");
}

void compare_grpc_body(Comparison& out, const Method* method, const Answer& from, const Answer& to, double tolerance) {
  const std::string_view a = from.body.text();
  const std::string_view b = to.body.text();
  if (a == b) return;
  const Path path{nullptr, "message", 0};
  const auto size = [](std::string_view bytes) { return fmt::format("{} bytes", bytes.size()); };
  if (method == nullptr) return out.differ(DifferenceKind::kUnreadable, path, size(a), size(b));
  const auto first = method->answer();
  const auto second = method->answer();
  const bool first_read = parse(*first, a);
  const bool second_read = parse(*second, b);
  if (!first_read || !second_read) {
    const auto text = [&](bool read, std::string_view bytes) {
      return fmt::format("{}{}", size(bytes), read ? "" : ", not a " + first->GetTypeName());
    };
    return out.differ(DifferenceKind::kUnreadable, path, text(first_read, a), text(second_read, b));
  }
  static const OwnRule kRule = own_rule;
  MessageWalk(out, tolerance, kRule).compare(path, *first, *second);
}

class TfservingDialect final : public DialectRules {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "tfserving"; }

  [[nodiscard]] CallName name_call(const RequestHead& head, const Slice& body) const override {
    if (head.wire == Wire::kGrpc) return name_grpc_call(head.path, body.text());
    return name_rest_call(head.method, head.path);
  }

  [[nodiscard]] bool may_repeat(const RequestHead& head) const override {
    return head.wire != Wire::kGrpc || !head.path.ends_with("/HandleReloadConfigRequest");
  }

  void compare(Comparison& out, const RequestHead& request, const Answer& from, const Answer& to,
               double tolerance) const override {
    if (request.wire != Wire::kGrpc) return compare_rest(out, from, to, tolerance);
    const Path status{nullptr, "grpc-status", 0};
    const Path message{nullptr, "grpc-message", 0};
    if (from.grpc_status != to.grpc_status) {
      out.differ(DifferenceKind::kStatus, status, status_text(from), status_text(to));
    }
    if (from.grpc_message != to.grpc_message) {
      out.differ(DifferenceKind::kText, message, from.grpc_message, to.grpc_message);
    }
    compare_grpc_body(out, find_method(request), from, to, tolerance);
  }

  [[nodiscard]] std::string describe(const RequestHead& head, const Slice& body, std::size_t bytes_max) const override {
    if (bytes_max == 0) return {};
    const Method* method = find_method(head);
    if (method == nullptr) return printable_lines(body.text(), bytes_max);
    const auto request = method->request();
    if (!parse(*request, body.text())) return fmt::format("({} bytes that are no request)", body.size());
    std::string text;
    pb::TextFormat::Printer printer;
    printer.SetTruncateStringFieldLongerThan(static_cast<std::int64_t>(bytes_max));
    printer.PrintToString(*request, &text);
    return printable_lines(text, bytes_max);
  }

  [[nodiscard]] std::string error_body(std::string_view message) const override {
    std::string body = "{\n    \"error\": ";
    append_json_string(body, message);
    return body + "\n}";
  }

 private:
  /// printable(), but lines stay lines.
  static std::string printable_lines(std::string_view text, std::size_t bytes_max) {
    std::string out;
    for (std::size_t begin = 0; begin <= text.size() && out.size() < bytes_max;) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (begin != 0) out += '\n';
      out += printable(text.substr(begin, end - begin), bytes_max - std::min(out.size(), bytes_max - 1));
      begin = end + 1;
    }
    return out.size() > bytes_max + 4 ? out.substr(0, bytes_max) : out;
  }
};

}  // namespace

std::unique_ptr<DialectRules> make_tfserving_dialect() { return std::make_unique<TfservingDialect>(); }

std::unique_ptr<DialectRules> make_dialect(std::string_view name) {
  return name == "tfserving" ? make_tfserving_dialect() : nullptr;
}

}  // namespace protean::migrate
