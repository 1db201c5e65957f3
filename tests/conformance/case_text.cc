// SPDX-License-Identifier: Apache-2.0
// Printing for comparison and a small line parser for outcomes.
#include "conformance/case_text.h"

#include <fmt/format.h>

#include <cstring>
#include <sstream>
#include <stdexcept>

#include "base/text.h"
#include "conformance/case_file.h"
#include "core/error_reason.h"
#include "protocols/open_inference/json_request.h"

namespace protean::conformance {
namespace {

std::string format_parameter(const std::string& name, const Parameter& value) {
  return std::visit(
      [&](const auto& one) {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, std::string>) {
          return fmt::format("parameter {} \"{}\"", name, escape(one));
        } else {
          return fmt::format("parameter {} {}", name, one);
        }
      },
      value);
}

template <typename T>
void append_elements(std::string& out, const Tensor& tensor, const char* format) {
  const auto data = tensor.data.bytes;
  for (std::size_t at = 0; at + sizeof(T) <= data.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, data.data() + at, sizeof(T));
    out += fmt::format(fmt::runtime(format), value);
  }
}

std::string format_elements(const Tensor& tensor) {
  std::string out;
  switch (tensor.type) {
    case DataType::kBool:
    case DataType::kUint8: append_elements<std::uint8_t>(out, tensor, " {}"); break;
    case DataType::kUint16: append_elements<std::uint16_t>(out, tensor, " {}"); break;
    case DataType::kUint32: append_elements<std::uint32_t>(out, tensor, " {}"); break;
    case DataType::kUint64: append_elements<std::uint64_t>(out, tensor, " {}"); break;
    case DataType::kInt8: append_elements<std::int8_t>(out, tensor, " {}"); break;
    case DataType::kInt16: append_elements<std::int16_t>(out, tensor, " {}"); break;
    case DataType::kInt32: append_elements<std::int32_t>(out, tensor, " {}"); break;
    case DataType::kInt64: append_elements<std::int64_t>(out, tensor, " {}"); break;
    case DataType::kFp16:
    case DataType::kBf16: append_elements<std::uint16_t>(out, tensor, " {:04x}"); break;
    case DataType::kFp32: append_elements<float>(out, tensor, " {}"); break;
    case DataType::kFp64: append_elements<double>(out, tensor, " {}"); break;
    case DataType::kBytes:
      for (BytesReader reader(tensor.data.bytes); !reader.done();) out += fmt::format(" \"{}\"", escape(reader.next()));
  }
  return out;
}

std::string format_input(std::string_view what, const InferInput& input) {
  std::string out = fmt::format("\n{} {} {} {}{}", what, input.name, data_type_name(input.tensor.type),
                                format_shape(input.tensor.shape), format_elements(input.tensor));
  if (!input.nulls.empty()) out += fmt::format(" null {}", fmt::join(input.nulls, " "));
  if (input.untyped) out += " untyped";
  for (const auto& [name, value] : input.parameters) out += "\n  " + format_parameter(name, value);
  return out;
}

std::string format_infer(const InferRequest& request, std::string_view verb = "infer") {
  std::string out = fmt::format("{} {}", verb, request.model);
  if (!request.version.empty()) out += "/" + request.version;
  if (!request.function.empty()) out += " function " + request.function;
  if (!request.id.empty()) out += fmt::format(" id \"{}\"", escape(request.id));
  for (const auto& [name, value] : request.parameters) out += "\n" + format_parameter(name, value);
  for (const auto& input : request.inputs) out += format_input("input", input);
  for (const auto& output : request.outputs) {
    out += "\noutput " + output.name;
    for (const auto& [name, value] : output.parameters) out += "\n  " + format_parameter(name, value);
  }
  return out;
}

template <typename Query>
std::string format_query(std::string_view what, const Query& query) {
  return fmt::format("{} {}{}{}", what, query.model, query.version.empty() ? "" : "/", query.version);
}

std::string by(const std::string& actor) { return actor.empty() ? "" : fmt::format(" by {}", actor); }

struct OperationPrinter {
  std::string operator()(const InferRequest& request) const { return format_infer(request); }
  std::string operator()(const ExplainRequest& request) const {
    std::string out = format_infer(request.infer, "explain");
    out += fmt::format("\nsamples {} seed {}", request.samples, request.seed);
    for (const auto& input : request.background) out += format_input("background", input);
    return out;
  }
  std::string operator()(const InferManyRequest& many) const {
    std::string out = fmt::format("infer {} functions", many.requests.size());
    for (const auto& request : many.requests) out += "\n" + format_infer(request);
    return out;
  }
  std::string operator()(const ModelVersions& query) const { return format_query("model versions", query); }
  std::string operator()(const ReplaceModels& replace) const {
    std::string out = "replace models" + by(replace.actor);
    for (const auto& model : replace.models) out += fmt::format("\n{} {}", model.name, model.path.string());
    return out;
  }
  std::string operator()(const ServerLive&) const { return "server live"; }
  std::string operator()(const ServerReady&) const { return "server ready"; }
  std::string operator()(const WatchReady&) const { return "watch ready"; }
  std::string operator()(const ServerMetadata&) const { return "server metadata"; }
  std::string operator()(const ModelReady& query) const { return format_query("model ready", query); }
  std::string operator()(const ModelMetadata& query) const { return format_query("model metadata", query); }
  std::string operator()(const ListModels& list) const { return list.ready_only ? "models ready only" : "models"; }
  std::string operator()(const LoadModel& load) const { return "load " + load.model + by(load.actor); }
  std::string operator()(const UnloadModel& unload) const { return "unload " + unload.model + by(unload.actor); }
  std::string operator()(const ChangeAliases& change) const {
    std::string out = "change aliases" + by(change.actor);
    for (const auto& one : change.changes) {
      out += fmt::format("\n{} {} {}", one.model, one.alias, one.version ? std::to_string(*one.version) : "-");
    }
    return out;
  }
  std::string operator()(const ListAliases& list) const {
    return list.model.empty() ? "aliases" : "aliases " + list.model;
  }
  std::string operator()(const ReadHistory& read) const {
    return fmt::format("history {} before {} count {}", read.query.model.empty() ? "-" : read.query.model,
                       read.query.before, read.query.count_max);
  }
  std::string operator()(const Immediate&) const { return "immediate"; }
};

/// A line's words; the last one takes what is left.
std::vector<std::string> words(const std::string& line, std::size_t count_max) {
  std::vector<std::string> out;
  std::istringstream in(line);
  std::string word;
  while (out.size() + 1 < count_max && in >> word) out.push_back(word);
  if (std::getline(in >> std::ws, word) && !word.empty()) out.push_back(word);
  return out;
}

[[noreturn]] void bad_line(const std::string& line) {
  throw std::runtime_error("cannot read the outcome line: " + line);
}

/// Lets the JSON decoder read a tensor or a parameter of the outcome.
InferRequest from_json(const std::string& json) {
  auto request = decode_json_infer(Slice::of(json), std::nullopt, {});
  if (!request) throw std::runtime_error(request.error().message + " in " + json);
  return *std::move(request);
}

Slice parse_bytes(std::string_view hex) {
  Buffer bytes;
  for (const auto word : split(hex, ' ')) {
    const auto byte = static_cast<std::uint8_t>(std::stoi(std::string(word), nullptr, 16));
    bytes.append(&byte, 1);
  }
  return std::move(bytes).share();
}

Shape parse_shape(std::string_view text) {
  Shape shape;
  for (const auto dimension : split(text.substr(1, text.size() - 2), ','))
    shape.push_back(std::stoll(std::string(dimension)));
  return shape;
}

InferOutput parse_output(const std::string& line) {
  const auto parts = words(line, 5);
  if (parts.size() != 5) bad_line(line);
  const bool raw = parts[4].starts_with("hex");
  const std::string data = raw ? "[]" : parts[4];
  const std::string shape = raw ? "[0]" : parts[3];
  auto request = from_json(fmt::format(R"({{"inputs":[{{"name":"{}","shape":{},"datatype":"{}","data":{}}}]}})",
                                       parts[1], shape, parts[2], data));
  InferOutput output{parts[1], std::move(request.inputs[0].tensor), {}};
  if (raw) {
    output.tensor.shape = parse_shape(parts[3]);
    output.tensor.data = parse_bytes(std::string_view(parts[4]).substr(3));
  }
  return output;
}

InferResult parse_result(std::istringstream& lines, const std::vector<std::string>& head) {
  InferResult result{head.at(1), head.at(2), head.size() > 3 ? head[3] : "", {}, {}};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("output ")) {
      result.outputs.push_back(parse_output(line));
      continue;
    }
    const auto parts = words(line, 3);
    if (parts.size() != 3 || parts[0] != "parameter") bad_line(line);
    auto parameters =
        from_json(fmt::format(R"({{"inputs":[],"parameters":{{"{}":{}}}}})", parts[1], parts[2])).parameters;
    (result.outputs.empty() ? result.parameters : result.outputs.back().parameters).push_back(parameters.at(0));
  }
  return result;
}

/// Results with a line `next` between them.
std::vector<InferResult> parse_results(std::istringstream& lines) {
  std::vector<std::string> pieces(1);
  for (std::string line; std::getline(lines, line);) {
    line == "next" ? pieces.emplace_back() : pieces.back() += line + "\n";
  }
  std::vector<InferResult> results;
  for (const auto& piece : pieces) {
    std::istringstream in(piece);
    std::string first;
    std::getline(in, first);
    results.push_back(parse_result(in, words(first, 10)));
  }
  return results;
}

std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> out;
  for (const auto piece : split(text, ',')) out.emplace_back(piece);
  return out;
}

/// One line of a signature: an input, an output or a column.
void parse_spec(const std::string& line, Signature& signature) {
  const auto parts = words(line, 5);
  const auto type = parts.size() >= 4 ? parse_data_type(parts[2]) : std::nullopt;
  if (!type) bad_line(line);
  const std::string last = parts.size() > 4 ? parts[4] : "";
  if (parts[0] == "column") {
    signature.columns.push_back({parts[1], *type, parts[3] == "true", parse_list(last)});
    return;
  }
  TensorSpec spec{parts[1], *type, {}, {}, last == "optional"};
  spec.any_rank = parts[3] == "[?]";
  if (!spec.any_rank) spec.shape = parse_shape(parts[3]);
  if (last.starts_with("class_labels ")) spec.parameters.emplace_back("class_labels", last.substr(13));
  (parts[0] == "input" ? signature.inputs : signature.outputs).push_back(std::move(spec));
}

ModelInfo parse_model(std::istringstream& lines, const std::vector<std::string>& head) {
  auto signature = std::make_shared<Signature>();
  signature->platform = head.at(3);
  for (std::string line; std::getline(lines, line);) parse_spec(line, *signature);
  const auto versions = parse_list(head.at(2));
  return {head.at(1), versions, std::move(signature), versions.back()};
}

Tensor parse_doubles(const std::vector<double>& values, Shape shape) {
  Buffer data;
  data.append(values.data(), values.size() * sizeof(double));
  return {DataType::kFp64, std::move(shape), std::move(data).share()};
}

/// One output: `features A,B`, `output NAME BASE`, then `row TOTAL CONTRIBUTION...`.
Explanation parse_explanation(std::istringstream& lines, const std::vector<std::string>& head) {
  Explanation out{head.at(1),
                  head.at(2),
                  head.size() > 6 ? head[6] : "",
                  {head.at(3), head.at(4), {}, {}, {}, {}, {}},
                  std::stod(head.at(5))};
  std::vector<double> base, totals, values;
  for (std::string line; std::getline(lines, line);) {
    const auto parts = words(line, 100);
    if (parts.at(0) == "features") {
      out.contributions.features = parse_list(parts.at(1));
    } else if (parts[0] == "output") {
      out.contributions.outputs.push_back(parts.at(1));
      base.push_back(std::stod(parts.at(2)));
    } else {
      totals.push_back(std::stod(parts.at(1)));
      for (std::size_t i = 2; i < parts.size(); ++i) values.push_back(std::stod(parts[i]));
    }
  }
  const auto rows = static_cast<std::int64_t>(totals.size());
  out.contributions.base = parse_doubles(base, {1});
  out.contributions.totals = parse_doubles(totals, {rows, 1});
  out.contributions.values =
      parse_doubles(values, {rows, static_cast<std::int64_t>(out.contributions.features.size()), 1});
  return out;
}

Error parse_error(const std::vector<std::string>& head, const std::string& line) {
  for (int code = 1; code <= 16; ++code) {
    if (code_name(static_cast<Code>(code)) != head.at(1)) continue;
    Error error{static_cast<Code>(code), line.substr(line.find(head[1]) + head[1].size() + 1), {}};
    for (const auto reason : {error_reason::kNoModel, error_reason::kNoVersion, error_reason::kNoAlias,
                              error_reason::kNoFunction, error_reason::kNotReady}) {
      const std::string mark = fmt::format("reason={} ", reason);
      if (!error.message.starts_with(mark)) continue;
      error.reason = reason;
      error.message.erase(0, mark.size());
    }
    return error;
  }
  bad_line(line);
}

std::vector<VersionStatus> parse_versions(std::istringstream& lines) {
  std::vector<VersionStatus> versions;
  for (std::string line; std::getline(lines, line);) {
    const auto parts = words(line, 5);
    if (parts.size() < 4 || parts[0] != "version") bad_line(line);
    VersionStatus status;
    status.model = parts[1];
    status.version = parts[2] == "-" ? "" : parts[2];
    status.state = parts[3] == "READY" ? VersionState::kReady : VersionState::kUnavailable;
    for (const auto state : {VersionState::kLoading, VersionState::kUnloading, VersionState::kAsleep}) {
      if (version_state_name(state) == parts[3]) status.state = state;
    }
    status.reason = parts.size() > 4 ? parts[4] : "";
    status.was_loaded = true;
    if (status.reason.starts_with("error ")) {
      const Error error = parse_error(words(status.reason, 3), status.reason);
      status.error = error.code;
      status.reason = error.message;
    }
    versions.push_back(std::move(status));
  }
  return versions;
}

std::vector<Alias> parse_aliases(std::istringstream& lines) {
  std::vector<Alias> aliases;
  for (std::string line; std::getline(lines, line);) {
    const auto parts = words(line, 4);
    if (parts.size() != 4 || parts[0] != "alias") bad_line(line);
    aliases.push_back({parts[1], parts[2], std::stoull(parts[3])});
  }
  return aliases;
}

std::vector<HistoryRecord> parse_history(std::istringstream& lines) {
  std::vector<HistoryRecord> records;
  for (std::string line; std::getline(lines, line);) {
    const auto parts = words(line, 8);
    if (parts.size() != 8 || parts[0] != "record") bad_line(line);
    const std::chrono::system_clock::time_point at(std::chrono::milliseconds(std::stoll(parts[2])));
    records.push_back({std::stoull(parts[1]), at, parts[3], parts[4], parts[5], parts[7], parts[6]});
  }
  return records;
}

}  // namespace

std::shared_ptr<const Signature> parse_signature(const std::string& section) {
  std::istringstream lines(section);
  std::string first;
  std::getline(lines, first);
  const auto head = words(first, 3);
  if (first == "signature none") return nullptr;
  auto signature = std::make_shared<Signature>();
  if (head.size() > 1) signature->function = head[1];
  if (head.size() > 2) signature->method = head[2];
  for (std::string line; std::getline(lines, line);) parse_spec(line, *signature);
  return signature;
}

std::string format_operation(const Operation& operation) { return std::visit(OperationPrinter(), operation); }

std::variant<Outcome, Error> parse_outcome(const std::string& section) {
  std::istringstream lines(section);
  std::string first;
  std::getline(lines, first);
  const auto head = words(first, 10);
  if (head.empty()) bad_line(first);
  if (head[0] == "true" || head[0] == "false") return Outcome(head[0] == "true");
  if (head[0] == "done") return Outcome();
  if (head[0] == "error") return parse_error(head, first);
  if (head[0] == "result") return Outcome(parse_result(lines, head));
  if (head[0] == "results") return Outcome(parse_results(lines));
  if (head[0] == "explanation") return Outcome(parse_explanation(lines, head));
  if (head[0] == "model") return Outcome(parse_model(lines, head));
  if (head[0] == "versions") return Outcome(parse_versions(lines));
  if (head[0] == "aliases") return Outcome(parse_aliases(lines));
  if (head[0] == "history") return Outcome(parse_history(lines));
  if (head[0] != "server") bad_line(first);
  if (head.size() == 1) return Outcome(ServerInfo{});
  return Outcome(ServerInfo{head.at(1), head.at(2), parse_list(head.at(3))});
}

std::string format_response(const RequestHead& head, const Response& response) {
  std::string body;
  for (const auto& part : response.body) body += part.text();
  if (head.wire == Wire::kGrpc) {
    if (!response.grpc_code) return message_to_text(head.path, body);
    return fmt::format("{} {}", code_name(*response.grpc_code), response.grpc_message);
  }
  std::string out = std::to_string(response.status);
  std::string fields;
  for (const auto& [name, value] : response.headers) {
    if (name != "content-type") {
      fields += fmt::format("\n{}: {}", name, value);
    } else if (value != "application/json") {
      out += " " + value;
    }
  }
  return out + fields + "\n\n" + escape(body);
}

}  // namespace protean::conformance
