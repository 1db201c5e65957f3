// SPDX-License-Identifier: Apache-2.0
// Fields by their numbers in the schema.
#include "backends/tensorflow_lite/lite_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "backends/tensorflow_lite/flat_reader.h"
#include "base/text.h"

namespace protean {
namespace {

namespace model {
constexpr unsigned kOperatorCodes = 1, kSubgraphs = 2, kSignatures = 7;
}
namespace subgraph {
constexpr unsigned kTensors = 0, kInputs = 1, kOutputs = 2, kOperators = 3;
}
namespace operator_code {
constexpr unsigned kDeprecatedCode = 0, kCode = 3;
}
namespace operation {
constexpr unsigned kCodeIndex = 0, kInputs = 1;
}
namespace quantization {
constexpr unsigned kScales = 2;
}
namespace tensor {
constexpr unsigned kShape = 0, kType = 1, kName = 3, kQuantization = 4, kShapeSignature = 7;
}
namespace signature {
constexpr unsigned kInputs = 0, kOutputs = 1, kKey = 2, kSubgraph = 4;
}
namespace tensor_map {
constexpr unsigned kName = 0, kTensor = 1;
}

constexpr std::string_view kMagic = "TFL3";
constexpr std::int32_t kFullyConnected = 9;
constexpr std::size_t kWeights = 1;        // which input of it
constexpr std::size_t kTensorsMax = 1024;  // in and out; a file can name as many as it likes
constexpr std::size_t kSignaturesMax = 1024;

tl::unexpected<Error> broken(std::string_view what) {
  return fail(Code::kInvalidArgument,
              fmt::format("the TensorFlow Lite file is damaged ({}): copy the model again", what));
}

Result<LiteTensorFacts> read_tensor(const FlatVector& tensors, std::int32_t index, std::size_t place) {
  if (index < 0 || static_cast<std::size_t>(index) >= tensors.size()) return broken("an index of a tensor");
  const auto table = tensors.table(static_cast<std::size_t>(index));
  if (!table) return broken("a tensor");
  LiteTensorFacts facts;
  facts.place = static_cast<std::int32_t>(place);
  facts.name = table->text(tensor::kName).value_or("");
  facts.type = table->int8(tensor::kType).value_or(0);
  auto shape = table->vector(tensor::kShapeSignature);
  if (!shape || shape->size() == 0) shape = table->vector(tensor::kShape);
  for (std::size_t i = 0; shape && i < shape->size(); ++i) {
    if (i == kTensorsMax) return broken("a shape");
    facts.shape.push_back(std::max(shape->int32(i), -1));
  }
  return facts;
}

Result<std::vector<LiteTensorFacts>> read_list(const FlatTable& graph, unsigned field, const FlatVector& tensors) {
  std::vector<LiteTensorFacts> found;
  const auto list = graph.vector(field);
  for (std::size_t i = 0; list && i < list->size(); ++i) {
    if (i == kTensorsMax) return broken("more than 1024 inputs or outputs");
    TRY(found.emplace_back(), read_tensor(tensors, list->int32(i), i));
  }
  return found;
}

/// Names that a signature gives to tensors, sorted by name: {name, index}.
std::optional<std::vector<std::pair<std::string, std::uint32_t>>> read_names(const FlatTable& table, unsigned field) {
  std::vector<std::pair<std::string, std::uint32_t>> names;
  const auto maps = table.vector(field);
  for (std::size_t i = 0; maps && i < maps->size(); ++i) {
    const auto map = maps->table(i);
    if (!map || i == kTensorsMax) return std::nullopt;
    names.emplace_back(map->text(tensor_map::kName).value_or(""), map->uint32(tensor_map::kTensor).value_or(0));
  }
  std::ranges::sort(names);
  return names;
}

/// The tensors in the order of their names in the signature; those that it does not name stay out.
Result<std::vector<LiteTensorFacts>> rename(const std::vector<LiteTensorFacts>& found, const FlatVector& list,
                                            const std::vector<std::pair<std::string, std::uint32_t>>& names) {
  std::vector<LiteTensorFacts> named;
  for (const auto& [name, index] : names) {
    std::size_t place = 0;
    while (place < found.size() && static_cast<std::uint32_t>(list.int32(place)) != index) ++place;
    if (place == found.size()) return broken("a tensor of its signature");
    named.push_back(found[place]);
    named.back().name = name;
  }
  return named;
}

Status check_names(const std::vector<LiteTensorFacts>& tensors) {
  std::set<std::string_view> names;
  for (const auto& each : tensors) {
    if (each.name.empty() || !names.insert(each.name).second) return broken("names of inputs or outputs");
  }
  return {};
}

bool is_fully_connected(const std::optional<FlatVector>& codes, std::uint32_t index) {
  const auto code = codes && index < codes->size() ? codes->table(index) : std::nullopt;
  if (!code) return false;
  const auto number = static_cast<std::int32_t>(code->uint32(operator_code::kCode).value_or(0));
  return std::max<std::int32_t>(number, code->int8(operator_code::kDeprecatedCode).value_or(0)) == kFullyConnected;
}

std::size_t scale_count(const std::optional<FlatVector>& tensors, std::int32_t index) {
  if (!tensors || index < 0 || static_cast<std::size_t>(index) >= tensors->size()) return 0;
  const auto table = tensors->table(static_cast<std::size_t>(index));
  const auto quantized = table ? table->table(tensor::kQuantization) : std::nullopt;
  const auto scales = quantized ? quantized->vector(quantization::kScales) : std::nullopt;
  return scales ? scales->size() : 0;
}

bool has_dense_by_channel(const FlatTable& root, const FlatTable& graph) {
  const auto codes = root.vector(model::kOperatorCodes);
  const auto tensors = graph.vector(subgraph::kTensors);
  const auto operators = graph.vector(subgraph::kOperators);
  for (std::size_t i = 0; operators && i < operators->size(); ++i) {
    const auto table = operators->table(i);
    if (!table || !is_fully_connected(codes, table->uint32(operation::kCodeIndex).value_or(0))) continue;
    const auto inputs = table->vector(operation::kInputs);
    if (inputs && inputs->size() > kWeights && scale_count(tensors, inputs->int32(kWeights)) > 1) return true;
  }
  return false;
}

/// The signature for the main subgraph: `serving_default` before others.
std::optional<FlatTable> choose_signature(const FlatTable& root, LiteFacts& facts) {
  std::optional<FlatTable> chosen;
  const auto signatures = root.vector(model::kSignatures);
  for (std::size_t i = 0; signatures && i < std::min(signatures->size(), kSignaturesMax); ++i) {
    const auto table = signatures->table(i);
    if (!table) continue;
    const std::string key(table->text(signature::kKey).value_or(""));
    if (table->uint32(signature::kSubgraph).value_or(0) != 0) {
      facts.notes.push_back(fmt::format(
          "signature '{}' is left out: only those of the file's first subgraph can be reached", printable(key)));
    } else if (!chosen || key == "serving_default") {
      chosen = table;
      facts.signature = key;
    }
  }
  return chosen;
}

}  // namespace

bool looks_like_lite_model(std::string_view head) noexcept { return head.size() >= 8 && head.substr(4, 4) == kMagic; }

Result<LiteFacts> read_lite_facts(std::string_view file) {
  if (!looks_like_lite_model(file)) return broken("no TFL3 at byte 4");
  const auto root = FlatTable::root(file);
  const auto graphs = root ? root->vector(model::kSubgraphs) : std::nullopt;
  const auto graph = graphs && graphs->size() > 0 ? graphs->table(0) : std::nullopt;
  const auto tensors = graph ? graph->vector(subgraph::kTensors) : std::nullopt;
  if (!tensors) return broken("no subgraph");
  LiteFacts facts;
  facts.dense_by_channel = has_dense_by_channel(*root, *graph);
  TRY(facts.inputs, read_list(*graph, subgraph::kInputs, *tensors));
  TRY(facts.outputs, read_list(*graph, subgraph::kOutputs, *tensors));
  if (const auto chosen = choose_signature(*root, facts)) {
    const auto inputs = read_names(*chosen, signature::kInputs);
    const auto outputs = read_names(*chosen, signature::kOutputs);
    if (!inputs || !outputs) return broken("a signature");
    const auto input_list = graph->vector(subgraph::kInputs);
    const auto output_list = graph->vector(subgraph::kOutputs);
    if (input_list && inputs->size() == facts.inputs.size()) {
      TRY(facts.inputs, rename(facts.inputs, *input_list, *inputs));
    }
    if (output_list && !outputs->empty()) {
      TRY(facts.outputs, rename(facts.outputs, *output_list, *outputs));
    }
  }
  TRY_STATUS(check_names(facts.inputs));
  TRY_STATUS(check_names(facts.outputs));
  return facts;
}

}  // namespace protean
