// SPDX-License-Identifier: Apache-2.0
// One walk over the places where tensors can be.
#include "backends/onnxruntime/weights_check.h"

#include <string>

#include "backends/onnxruntime/external_data.h"
#include "backends/onnxruntime/onnx_format.h"
#include "backends/onnxruntime/onnx_wire.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr int kDepthMax = 100;
constexpr std::string_view kPackedKey = "prepacked_";

class WeightsCheck {
 public:
  WeightsCheck(std::string_view graph, std::string_view file, std::uint64_t bytes) noexcept
      : graph_(graph), file_(file), bytes_(bytes) {}

  Status walk(onnx::Message message, std::size_t begin, std::size_t end, int depth) const;

 private:
  Status check_tensor(std::size_t begin, std::size_t end) const;
  Status check_packed(std::string_view entry) const;
  [[nodiscard]] bool inside(std::uint64_t offset, std::uint64_t size) const noexcept {
    const auto end = checked_add(offset, size);
    return end && *end <= bytes_ && offset % kWeightsAlignment == 0;
  }

  std::string_view graph_;
  std::string_view file_;
  std::uint64_t bytes_;
};

/// The library writes `operator+hash|offset;length;alignment|offset;...`, one part a buffer.
Status WeightsCheck::check_packed(std::string_view entry) const {
  WireReader reader(entry);
  WireField field;
  std::string_view key;
  std::string_view value;
  while (reader.next(field) == WireState::kGood) {
    if (field.type != WireType::kLength) continue;
    if (field.number == onnx::key_value::kKey) key = reader.content(field);
    if (field.number == onnx::key_value::kValue) value = reader.content(field);
  }
  if (key.substr(0, kPackedKey.size()) != kPackedKey) return {};
  const auto parts = split(value, '|');
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto numbers = split(parts[i], ';');
    const auto offset = numbers.size() < 2 ? std::nullopt : parse_uint64(numbers[0]);
    const auto size = numbers.size() < 2 ? std::nullopt : parse_uint64(numbers[1]);
    if (!offset || !size || !inside(*offset, *size)) {
      return fail(Code::kDataLoss, "packed weights '" + printable(value) + "' are not aligned or not in the " +
                                       std::to_string(bytes_) + " bytes of their file");
    }
  }
  return {};
}

Status WeightsCheck::check_tensor(std::size_t begin, std::size_t end) const {
  TRY(const auto tensor, read_external_tensor(graph_, begin, end));
  if (!tensor) return {};
  if (tensor->location != file_ || !inside(tensor->offset, tensor->bytes)) {
    return fail(Code::kDataLoss, "tensor '" + printable(tensor->name) + "': " + std::to_string(tensor->bytes) +
                                     " bytes from byte " + std::to_string(tensor->offset) + " on of '" +
                                     printable(tensor->location) + "', expected them aligned and in the " +
                                     std::to_string(bytes_) + " bytes of '" + std::string(file_) + "'");
  }
  for (const auto& cut : tensor->cuts) {
    WireReader reader(graph_, cut.begin, cut.end);
    WireField field;
    if (reader.next(field) != WireState::kGood || field.number != onnx::tensor::kExternalData) continue;
    TRY_STATUS(check_packed(reader.content(field)));
  }
  return {};
}

Status WeightsCheck::walk(onnx::Message message, std::size_t begin, std::size_t end, int depth) const {
  if (message == onnx::Message::kTensor) return check_tensor(begin, end);
  if (depth > kDepthMax) return fail(Code::kDataLoss, "the graph nests deeper than 100 messages");
  WireReader reader(graph_, begin, end);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    const auto child = onnx::child_of(message, field.number);
    if (child.message == onnx::Message::kNone || field.type != WireType::kLength) continue;
    TRY_STATUS(walk(child.message, field.body, field.end, depth + 1));
  }
  if (state == WireState::kEnd) return {};
  return fail(Code::kDataLoss, "the graph is cut off at byte " + std::to_string(field.begin));
}

}  // namespace

Status check_weights(std::string_view graph, std::string_view file, std::uint64_t bytes) {
  if (graph.empty()) return fail(Code::kDataLoss, "the graph is empty");
  return WeightsCheck(graph, file, bytes).walk(onnx::Message::kModel, 0, graph.size(), 0);
}

}  // namespace protean
