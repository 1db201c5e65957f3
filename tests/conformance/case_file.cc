// SPDX-License-Identifier: Apache-2.0
// Splitting files into cases and first sections into requests.
#include "conformance/case_file.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "base/text.h"

namespace protean::conformance {
namespace {

namespace protobuf = google::protobuf;

std::vector<std::string> split_lines_by(const std::string& text, std::string_view separator) {
  std::vector<std::string> pieces(1);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == separator) {
      pieces.emplace_back();
    } else {
      pieces.back() += line + "\n";
    }
  }
  for (auto& piece : pieces) {
    while (!piece.empty() && piece.back() == '\n') piece.pop_back();
  }
  return pieces;
}

Case parse_case(const std::filesystem::path& path, std::string text) {
  Case result;
  result.protocol = path.parent_path().filename();
  result.file = path.filename();
  while (text.starts_with('\n')) text.erase(0, 1);
  while (text.starts_with("# ")) {
    const auto end = std::min(text.find('\n'), text.size());
    if (result.title.empty()) result.title = text.substr(2, end - 2);
    text.erase(0, std::min(end + 1, text.size()));
  }
  if (const auto bracket = result.title.rfind(" ["); bracket != std::string::npos && result.title.ends_with(']')) {
    result.settings = result.title.substr(bracket + 2, result.title.size() - bracket - 3);
  }
  result.sections = split_lines_by(text, "----");
  if (result.sections.size() > 2 && result.sections[1].starts_with("signature")) {
    result.signature = result.sections[1];
    result.sections.erase(result.sections.begin() + 1);
  }
  if (result.title.empty() || (result.sections.size() != 2 && result.sections.size() != 4)) {
    throw std::runtime_error(
        fmt::format("{}: case '{}' needs a title and two or four sections", path.string(), result.title));
  }
  return result;
}

const protobuf::MethodDescriptor& find_method(std::string_view path) {
  std::string name(path.substr(1));
  std::ranges::replace(name, '/', '.');
  const auto* method = protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  if (method == nullptr) throw std::runtime_error("no method " + name);
  return *method;
}

std::unique_ptr<protobuf::Message> make_message(const protobuf::Descriptor* type) {
  return std::unique_ptr<protobuf::Message>(protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

std::string parse_hex(std::string_view text) {
  std::string bytes;
  for (const auto word : split(text, ' ')) bytes += static_cast<char>(std::stoi(std::string(word), nullptr, 16));
  return bytes;
}

Slice padded(std::string_view bytes) {
  Buffer buffer;
  buffer.append(bytes);
  return std::move(buffer).share();
}

}  // namespace

std::vector<Case> read_cases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Case> cases;
  for (const auto& path : files) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    for (auto& one : split_lines_by(text.str(), "====")) cases.push_back(parse_case(path, std::move(one)));
  }
  if (cases.empty()) throw std::runtime_error("no cases below " + folder.string());
  return cases;
}

CaseRequest parse_request(const std::string& section) {
  CaseRequest request;
  const auto head_end = std::min(section.find("\n\n"), section.size());
  std::string body = head_end == section.size() ? "" : unescape(section.substr(head_end + 2));
  std::istringstream head(section.substr(0, head_end));
  std::string line;
  std::getline(head, line);
  const auto space = line.find(' ');
  request.head.method = line.substr(0, space);
  request.head.path = line.substr(space + 1);
  if (request.head.method == "GRPC") {
    request.head.wire = Wire::kGrpc;
    request.head.method = "POST";
    request.head.path = "/" + request.head.path;
    const std::string rest = section.substr(std::min(line.size() + 1, section.size()));
    request.body =
        padded(rest.starts_with("hex") ? parse_hex(rest.substr(3)) : message_from_text(request.head.path, rest));
    return request;
  }
  if (const auto query = request.head.path.find('?'); query != std::string::npos) {
    request.head.query = request.head.path.substr(query + 1);
    request.head.path.resize(query);
  }
  const auto mark = body.find("<<<");
  if (mark != std::string::npos) body.erase(mark, 3);
  while (std::getline(head, line)) {
    const auto colon = line.find(':');
    const std::string value(trim(std::string_view(line).substr(colon + 1)));
    request.head.headers.add(line.substr(0, colon), value == "auto" ? std::to_string(mark) : value);
  }
  request.body = padded(body);
  return request;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\\x" && text.size() - i >= 4) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 2, 2)), nullptr, 16));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string escape(std::string_view bytes) {
  const bool text = is_utf8(bytes);
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = c == '\n' || (byte >= 0x20 && byte < 0x7F) || (byte >= 0x80 && text);
    out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out;
}

std::string message_from_text(std::string_view path, std::string_view text) {
  const auto message = make_message(find_method(path).input_type());
  if (!protobuf::TextFormat::ParseFromString(std::string(text), message.get())) {
    throw std::runtime_error("cannot parse the message in text format");
  }
  return message->SerializeAsString();
}

std::string message_to_text(std::string_view path, const std::string& bytes) {
  const auto message = make_message(find_method(path).output_type());
  if (!message->ParseFromString(bytes)) return "not a " + message->GetTypeName();
  protobuf::TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  printer.SetExpandAny(true);
  std::string text;
  printer.PrintToString(*message, &text);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace protean::conformance
