// SPDX-License-Identifier: Apache-2.0
// Walks the model once and notes what to replace where; each replacement changes the lengths of the messages
// around it, which are noted as well. The new bytes are then put together in one pass, external data read
// straight into place. A model with nothing to replace is not copied.
#include "backends/onnxruntime/prepare_model.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backends/onnxruntime/external_data.h"
#include "backends/onnxruntime/onnx_format.h"
#include "backends/onnxruntime/onnx_wire.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

/// Messages within messages. protobuf's own default, so nothing that it reads is lost.
constexpr int kDepthMax = 100;
/// Depth of the fields of model.graph.
constexpr int kMainGraphDepth = 1;

struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// [begin, end) of the file becomes `text` and then `content_bytes` of another file.
struct Edit {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
  const ModelFile* content = nullptr;
  std::uint64_t content_offset = 0;
  std::uint64_t content_bytes = 0;
};

class Preparer {
 public:
  Preparer(std::string_view file, const ModelFolder& folder, const ModelFacts& facts) noexcept
      : file_(file), folder_(folder), facts_(facts) {}

  /// By how many bytes the message in `span` grows (negative: shrinks). Notes the edits.
  /// Errors: kInvalidArgument, kAborted, kUnavailable.
  Result<std::int64_t> walk(onnx::Message message, Span span, int depth);
  /// The file with the edits made. `growth`: what walk() returned for all of it.
  Result<Buffer> assemble(std::int64_t growth);

  [[nodiscard]] bool unchanged() const noexcept { return edits_.empty(); }
  [[nodiscard]] std::uint64_t external_bytes() const noexcept { return external_bytes_; }
  [[nodiscard]] std::vector<SeenFile> external_files() const;

 private:
  Result<std::int64_t> walk_child(const WireField& field, onnx::Message child, int depth);
  Result<std::int64_t> take_inside(Span tensor);
  Result<const ModelFile*> open(const ExternalTensor& tensor);
  std::optional<std::int64_t> replace_labelled(const WireField& field);
  std::int64_t replace(Edit edit);

  std::string_view file_;
  const ModelFolder& folder_;
  const ModelFacts& facts_;
  std::vector<Edit> edits_;
  std::map<std::string, ModelFile, std::less<>> files_;  // by location
  std::uint64_t external_bytes_ = 0;
};

std::int64_t Preparer::replace(Edit edit) {
  const auto growth = static_cast<std::int64_t>(edit.text.size() + edit.content_bytes) -
                      static_cast<std::int64_t>(edit.end - edit.begin);
  edits_.push_back(std::move(edit));
  return growth;
}

Result<const ModelFile*> Preparer::open(const ExternalTensor& tensor) {
  if (const auto found = files_.find(tensor.location); found != files_.end()) return &found->second;
  auto opened = folder_.open_file(tensor.location);
  if (!opened) {
    return fail(opened.error().code, "tensor '" + printable(tensor.name) + "': " + opened.error().message);
  }
  return &files_.emplace(tensor.location, *std::move(opened)).first->second;
}

std::vector<SeenFile> Preparer::external_files() const {
  std::vector<SeenFile> files;
  for (const auto& [location, file] : files_) files.push_back({location, file.stamp()});
  return files;
}

Result<std::int64_t> Preparer::take_inside(Span span) {
  TRY(const auto tensor, read_external_tensor(file_, span.begin, span.end));
  if (!tensor) return 0;
  TRY(const auto* content, open(*tensor));
  const auto end = checked_add(tensor->offset, tensor->bytes);
  if (!end || *end > content->size()) {
    return fail(Code::kInvalidArgument, "tensor '" + printable(tensor->name) + "': external data '" +
                                            printable(tensor->location) + "' has " + std::to_string(content->size()) +
                                            " bytes, expected at least " + std::to_string(tensor->bytes) +
                                            " from byte " + std::to_string(tensor->offset) + " on; copy it again");
  }
  // Bounds the sums below: each addition is at most 2^63, and the first that passes the limit ends it.
  if (tensor->bytes > kModelBytesMax - std::min(kModelBytesMax, external_bytes_)) {
    return fail(
        Code::kInvalidArgument,
        "the model and its external data have more than 2^31-1 bytes; export it with smaller types, or in parts");
  }
  external_bytes_ += tensor->bytes;
  std::int64_t growth = 0;
  for (const auto& cut : tensor->cuts) growth += replace({cut.begin, cut.end, "", nullptr, 0, 0});
  Edit insert{span.end, span.end, "", content, tensor->offset, tensor->bytes};
  append_length_header(insert.text, onnx::tensor::kRawData, tensor->bytes);
  return growth + replace(std::move(insert));
}

/// A ZipMap node becomes an Identity, and its output's type a tensor of floats; others stay (nullopt).
std::optional<std::int64_t> Preparer::replace_labelled(const WireField& field) {
  namespace graph = onnx::graph;
  if (facts_.labelled.empty() || field.type != WireType::kLength) return std::nullopt;
  std::string text;
  if (field.number == graph::kNode) {
    const auto found = std::find_if(facts_.labelled.begin(), facts_.labelled.end(),
                                    [&](const auto& output) { return output.node_begin == field.begin; });
    if (found == facts_.labelled.end()) return std::nullopt;
    append_text_field(text, onnx::node::kInput, found->scores);
    append_text_field(text, onnx::node::kOutput, found->name);
    append_text_field(text, onnx::node::kOpType, "Identity");
  } else if (field.number == graph::kOutput || field.number == graph::kValueInfo) {
    WireReader reader(file_, field.body, field.end);
    WireField member;
    std::string_view name;
    while (reader.next(member) == WireState::kGood) {
      if (member.number == onnx::value_info::kName && member.type == WireType::kLength) name = reader.content(member);
    }
    if (facts_.find_labelled(name) == nullptr) return std::nullopt;
    std::string tensor_type;
    append_varint(tensor_type, onnx::tensor_type::kElementType << 3);
    append_varint(tensor_type, onnx::kFloat);
    std::string type;
    append_text_field(type, onnx::type::kTensor, tensor_type);
    append_text_field(text, onnx::value_info::kName, name);
    append_text_field(text, onnx::value_info::kType, type);
  } else {
    return std::nullopt;
  }
  std::string whole;
  append_text_field(whole, field.number, text);
  return replace({field.begin, field.end, std::move(whole), nullptr, 0, 0});
}

Result<std::int64_t> Preparer::walk_child(const WireField& field, onnx::Message child, int depth) {
  TRY(const auto growth, walk(child, {field.body, field.end}, depth));
  if (growth == 0) return 0;
  const auto size = static_cast<std::int64_t>(field.end - field.body) + growth;
  std::string length;
  append_varint(length, static_cast<std::uint64_t>(size));
  return growth + replace({field.length_at, field.body, std::move(length), nullptr, 0, 0});
}

Result<std::int64_t> Preparer::walk(onnx::Message message, Span span, int depth) {
  if (depth > kDepthMax) {
    return fail(Code::kInvalidArgument,
                "the model nests its graphs more than " + std::to_string(kDepthMax) + " messages deep; expected less");
  }
  if (message == onnx::Message::kTensor) return take_inside(span);
  std::int64_t growth = 0;
  std::uint64_t seen = 0;  // bit n: singular field n has been there
  WireReader reader(file_, span.begin, span.end);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    if (message == onnx::Message::kGraph && depth == kMainGraphDepth) {
      if (const auto change = replace_labelled(field)) {
        growth += *change;
        continue;
      }
    }
    const auto child = onnx::child_of(message, field.number);
    if (child.message == onnx::Message::kNone) continue;
    const auto bit = std::uint64_t{1} << field.number;  // below 64: the table's numbers are
    if (field.type != WireType::kLength || (child.singular && (seen & bit) != 0)) {
      // protobuf would merge the second into the first, and a tensor could be told in two halves.
      return fail(Code::kInvalidArgument, "the model is damaged at byte " + std::to_string(field.begin) +
                                              ": a second or mistyped field " + std::to_string(field.number));
    }
    seen |= bit;
    TRY(const auto change, walk_child(field, child.message, depth + 1));
    growth += change;
  }
  if (state == WireState::kEnd) return growth;
  return fail(Code::kInvalidArgument, "the model is damaged at byte " + std::to_string(field.begin) +
                                          ": no protobuf field there; copy or export it again");
}

Result<Buffer> Preparer::assemble(std::int64_t growth) {
  const auto size = static_cast<std::int64_t>(file_.size()) + growth;
  if (size < 0 || static_cast<std::uint64_t>(size) > kModelBytesMax) {
    return fail(Code::kInvalidArgument, "the model with its external data has " + std::to_string(size) +
                                            " bytes, expected at most 2^31-1; export it with smaller types");
  }
  // Stable: at one place, cuts were noted before the insertion that follows them.
  std::stable_sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  Buffer out;
  out.reserve(static_cast<std::size_t>(size));
  std::size_t place = 0;
  for (const auto& edit : edits_) {
    out.append(file_.substr(place, edit.begin - place));
    out.append(edit.text);
    place = edit.end;
    if (edit.content == nullptr) continue;
    const auto begin = out.size();
    out.resize(begin + static_cast<std::size_t>(edit.content_bytes));
    TRY_STATUS(edit.content->read(edit.content_offset, out.span().subspan(begin)));
  }
  out.append(file_.substr(place));
  for (const auto& [location, file] : files_) TRY_STATUS(file.check_unchanged());
  return out;
}

}  // namespace

Result<PreparedModel> prepare_model(Buffer file, const ModelFolder& folder) {
  const std::string_view text = file.text();
  TRY(auto facts, read_model_facts(text));
  Preparer preparer(text, folder, facts);
  TRY(const auto growth, preparer.walk(onnx::Message::kModel, {0, text.size()}, 0));
  PreparedModel model;
  if (preparer.unchanged()) {
    model.bytes = std::move(file);
  } else {
    TRY(model.bytes, preparer.assemble(growth));
  }
  model.facts = std::move(facts);
  model.external_bytes = preparer.external_bytes();
  model.external_files = preparer.external_files();
  return model;
}

}  // namespace protean
