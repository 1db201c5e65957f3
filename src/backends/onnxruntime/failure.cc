// SPDX-License-Identifier: Apache-2.0
// Patterns seen in versions 1.21 to 1.27. A message that matches none is passed on, cleaned.
#include "backends/onnxruntime/failure.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kMessageBytesMax = 512;

/// The text between `before` and `after`; nullopt when either is missing.
std::optional<std::string_view> between(std::string_view text, std::string_view before, std::string_view after) {
  const auto start = text.find(before);
  if (start == std::string_view::npos) return std::nullopt;
  text.remove_prefix(start + before.size());
  const auto end = text.find(after);
  if (end == std::string_view::npos) return std::nullopt;
  return text.substr(0, end);
}

/// The characters from `text`'s start on that can be part of a number.
std::string digits(std::string_view text) {
  const auto end = std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
  return {text.begin(), end};
}

/// Drops everything up to the last `[ONNXRuntimeError] : 1 : FAIL : `.
void drop_error_prefix(std::string& text) {
  constexpr std::string_view kMark = "[ONNXRuntimeError] : ";
  const auto mark = text.rfind(kMark);
  if (mark == std::string::npos) return;
  auto place = mark + kMark.size();
  for (int parts = 0; parts < 2; ++parts) {
    const auto next = text.find(" : ", place);
    if (next == std::string::npos) return;
    place = next + 3;
  }
  text.erase(0, place);
}

/// Where the parenthesis opened at `open` is closed, npos when it is not.
std::size_t closing(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

/// Drops `/a/b.cc:12 ` and the function's signature, or its bare name, that follows it.
void drop_source_place(std::string& text) {
  for (const std::string_view mark : {".cc:", ".h:"}) {
    const auto found = text.find(mark);
    if (found == std::string::npos || found + mark.size() >= text.size()) continue;
    if (std::isdigit(static_cast<unsigned char>(text[found + mark.size()])) == 0) continue;
    auto start = text.rfind(' ', found);
    start = start == std::string::npos ? 0 : start + 1;
    auto end = text.find(' ', found);
    if (end == std::string::npos) continue;
    const auto open = text.find('(', end);
    const auto close = open == std::string::npos ? open : closing(text, open);
    const bool signature = close != std::string::npos && text.find("::", end) < open;
    end = signature ? close : text.find(' ', end + 1);
    end = end == std::string::npos ? text.size() : end + 1;
    while (end < text.size() && text[end] == ' ') ++end;
    for (const std::string_view tail : {"const ", "noexcept "}) {
      if (std::string_view(text).substr(end, tail.size()) == tail) end += tail.size();
    }
    text.erase(start, end - start);
  }
}

std::string unknown_operator(std::string_view name, std::string_view domain, std::string_view version) {
  return "operator " + printable(name) + " of domain " + (domain.empty() ? "ai.onnx" : printable(domain)) +
         " is not in ONNX Runtime " + std::string(version) +
         "; export the model without it (custom operator libraries are not loaded)";
}

std::optional<std::string> explain_versions(std::string_view text, std::string_view version) {
  const std::string runtime = "ONNX Runtime " + std::string(version);
  if (const auto found = between(text, "Unsupported model IR version: ", ",")) {
    const auto most = text.find("max supported IR version: ");
    const auto limit = most == std::string_view::npos ? "" : digits(text.substr(most + 26));
    return "ONNX format (IR) version " + digits(*found) + ", " + runtime + " reads up to " + limit +
           "; export the model with an older onnx package, or set ir_version=" + limit + " and save it again";
  }
  const auto opset = between(text, "Opset ", " is under development");
  if (!opset) return std::nullopt;
  const auto domain = between(text, "Current official support for domain ", " is till opset ");
  const auto at = text.find(" is till opset ");
  const auto limit = at == std::string_view::npos ? "" : digits(text.substr(at + 15));
  return "operator set " + printable(*opset) + " of domain " + printable(domain.value_or("ai.onnx")) + ", " + runtime +
         " has up to " + limit + "; export the model again with opset " + limit + " or lower";
}

std::optional<std::string> explain_operator(std::string_view text, std::string_view version) {
  if (const auto found = between(text, "Fatal error: ", " is not a registered function/op")) {
    const auto colon = found->rfind(':');
    const auto domain = colon == std::string_view::npos ? "" : found->substr(0, colon);
    const auto name = colon == std::string_view::npos ? *found : found->substr(colon + 1);
    return unknown_operator(name.substr(0, name.find('(')), domain, version);
  }
  if (const auto name = between(text, "No Op registered for ", " with domain_version of ")) {
    const auto opset = digits(text.substr(text.find(" with domain_version of ") + 24));
    // The node is shown as ("name", Type, "domain", version).
    const auto domain = between(text, ", " + std::string(*name) + ", \"", "\"");
    return unknown_operator(*name, domain.value_or(""), version) + "; the model asks for operator set " + opset;
  }
  if (const auto found = between(text, "Could not find an implementation for ", " node with name")) {
    return "operator " + printable(*found) + " has no CPU implementation in ONNX Runtime " + std::string(version) +
           " for the element types it is used with; export the model with float32, or another operator set";
  }
  return std::nullopt;
}

}  // namespace

std::string clean_message(std::string_view message) {
  std::string text(message);
  drop_error_prefix(text);
  drop_source_place(text);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
  return printable(trim(text), kMessageBytesMax);
}

std::string explain_load_failure(std::string_view message, std::string_view version) {
  if (auto text = explain_versions(message, version)) return *text;
  if (auto text = explain_operator(message, version)) return *text;
  if (message.find("rotobuf parsing failed") != std::string_view::npos) {
    return "the file is truncated, damaged or not ONNX; copy or export it again";
  }
  return "ONNX Runtime " + std::string(version) + " refuses the model: " + clean_message(message);
}

Error explain_run_failure(std::string_view message, bool invalid_argument) {
  auto code = invalid_argument ? Code::kInvalidArgument : Code::kInternal;
  const bool memory = message.find("Failed to allocate memory") != std::string_view::npos ||
                      message.find("bad_alloc") != std::string_view::npos ||
                      message.find("Available memory of") != std::string_view::npos;
  if (memory) code = Code::kResourceExhausted;
  return Error{code, clean_message(message), std::source_location::current()};
}

}  // namespace protean
