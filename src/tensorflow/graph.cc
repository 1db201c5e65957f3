// SPDX-License-Identifier: Apache-2.0
// Names are followed one step at a time, with a bound on the steps: a graph from outside may go in circles.
#include "tensorflow/graph.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>

#include "base/text.h"
#include "tensorflow/literal.h"

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr int kDepthMax = 64;
constexpr std::size_t kScopesMax = 200'000;
constexpr int kStepsMax = 1'000'000;
/// Nodes looked at for all conditions of TF1 together.
constexpr std::size_t kWalkedMax = 5'000'000;

struct OutputArguments {
  std::string_view operation;
  std::string_view arguments;  // in their order, each one tensor
};

constexpr std::array kSeveralOutputs = std::to_array<OutputArguments>({
    {"TopKV2", "values indices"},
    {"TopK", "values indices"},
    {"FusedBatchNorm", "y batch_mean batch_variance reserve_space_1 reserve_space_2"},
    {"FusedBatchNormV2", "y batch_mean batch_variance reserve_space_1 reserve_space_2"},
    {"FusedBatchNormV3", "y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3"},
    {"Unique", "y idx"},
    {"UniqueV2", "y idx"},
    {"UniqueWithCounts", "y idx count"},
    {"ListDiff", "out idx"},
    {"Switch", "output_false output_true"},
    {"RefSwitch", "output_false output_true"},
    {"Merge", "output value_index"},
    {"RefMerge", "output value_index"},
    {"Moments", "mean variance"},
    {"MaxPoolWithArgmax", "output argmax"},
    {"LookupTableExportV2", "keys values"},
    {"TensorListPopBack", "output_handle tensor"},
    {"TensorListConcatV2", "tensor lengths"},
    {"TensorListConcat", "tensor lengths"},
    {"StringSplit", "indices values shape"},
    {"StringSplitV2", "indices values shape"},
    {"SparseFillEmptyRows", "output_indices output_values empty_row_indicator reverse_index_map"},
    {"SparseReshape", "output_indices output_shape"},
    {"SparseToSparseSetOperation", "result_indices result_values result_shape"},
    {"LSTMBlockCell", "i cs f o ci co h"},
    {"Svd", "s u v"},
    {"Qr", "q r"},
    {"SelfAdjointEigV2", "e v"},
    {"BroadcastGradientArgs", "r0 r1"},
    {"NonMaxSuppressionV4", "selected_indices valid_outputs"},
    {"NonMaxSuppressionV5", "selected_indices selected_scores valid_outputs"},
    {"CombinedNonMaxSuppression", "nmsed_boxes nmsed_scores nmsed_classes valid_detections"},
    {"CTCGreedyDecoder", "decoded_indices decoded_values decoded_shape log_probability"},
});

tl::unexpected<Error> names_nothing(const Scope& scope, const tf::NodeDef& node, std::string_view text) {
  return fail(Code::kInvalidArgument, "node '" + printable(scope.path_of(node)) + "' has the input '" +
                                          printable(text) + "', which is not in the graph");
}

/// Splits "name:argument:index" or "name:index"; false for anything else.
struct TensorName {
  std::string_view node;
  std::string_view argument;
  int index = 0;
};

bool parse_tensor_name(std::string_view text, TensorName& name) {
  const auto parts = split(text, ':');
  if (parts.empty() || parts.size() > 3) return false;
  name.node = parts[0];
  if (parts.size() == 1) return true;
  const auto index = parse_uint64(parts.back());
  if (!index || *index > 1'000'000) return false;
  name.index = static_cast<int>(*index);
  if (parts.size() == 3) name.argument = parts[1];
  return true;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

void add_node(GraphBody& body, const tf::NodeDef& node) {
  body.nodes.push_back(&node);
  body.by_name.emplace(node.name(), &node);
}

}  // namespace

bool passes_through(std::string_view operation) {
  return operation == "Identity" || operation == "IdentityN" || operation == "StopGradient" ||
         operation == "PreventGradient" || operation == "Snapshot" || operation == "CheckNumerics" ||
         operation == "EnsureShape" || operation == "CheckNumericsV2";
}

int output_number(std::string_view operation, std::string_view argument, int index) {
  const auto* const found = std::find_if(kSeveralOutputs.begin(), kSeveralOutputs.end(),
                                         [&](const auto& entry) { return entry.operation == operation; });
  if (found == kSeveralOutputs.end()) return index;
  int position = 0;
  for (const auto name : split(found->arguments, ' ')) {
    if (name == argument) return position + index;
    ++position;
  }
  return index;
}

std::string Scope::path_of(const tf::NodeDef& node) const {
  std::string path = node.name();
  for (const auto* scope = this; scope->parent_ != nullptr; scope = scope->parent_) {
    path = scope->call_->name() + "/" + path;
  }
  return path;
}

GraphView::GraphView(const tf::GraphDef& graph) : graph_(graph), root_(std::make_unique<Scope>()) {
  for (const auto& function : graph.library().function()) functions_.emplace(function.signature().name(), &function);
  for (const auto& node : graph_.node()) add_node(root_body_, node);
  root_->body_ = &root_body_;
}

const tf::FunctionDef* GraphView::find_function(const std::string& name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : found->second;
}

const GraphBody& GraphView::body_of(const tf::FunctionDef& function) {
  auto& body = bodies_[&function];
  if (body != nullptr) return *body;
  body = std::make_unique<GraphBody>();
  body->function = &function;
  for (const auto& node : function.node_def()) add_node(*body, node);
  for (int i = 0; i < function.signature().input_arg_size(); ++i) {
    body->arguments.emplace(function.signature().input_arg(i).name(), i);
  }
  for (const auto& result : function.signature().output_arg()) {
    const auto found = function.ret().find(result.name());
    body->results.push_back(found == function.ret().end() ? std::string() : found->second);
  }
  return *body;
}

Result<const Scope*> GraphView::add_scope(const Scope& parent, const tf::NodeDef& call, const std::string& function,
                                          bool bound) {
  const auto* const definition = find_function(function);
  if (definition == nullptr) {
    return fail(Code::kInvalidArgument, "node '" + printable(parent.path_of(call)) + "' calls the function '" +
                                            printable(function) + "', which the model does not have");
  }
  if (parent.depth() >= kDepthMax || scopes_.size() >= kScopesMax) {
    return fail(Code::kUnimplemented, "functions nest deeper than " + std::to_string(kDepthMax) +
                                          " or call themselves, at '" + printable(call.name()) + "'");
  }
  auto scope = std::make_unique<Scope>();
  scope->body_ = &body_of(*definition);
  scope->parent_ = &parent;
  scope->call_ = &call;
  scope->depth_ = parent.depth() + 1;
  scope->bound_ = bound;
  scopes_.push_back(std::move(scope));
  return scopes_.back().get();
}

Result<const Scope*> GraphView::instantiate(const Scope& scope, const tf::NodeDef& node, const std::string& function) {
  return add_scope(scope, node, function, false);
}

Result<const Scope*> GraphView::called(const Scope& scope, const tf::NodeDef& node) {
  const std::pair<const Scope*, const tf::NodeDef*> place{&scope, &node};
  if (const auto known = calls_.find(place); known != calls_.end()) return known->second;
  std::string function;
  if (node.op() == "PartitionedCall" || node.op() == "StatefulPartitionedCall") {
    const auto attribute = node.attr().find("f");
    if (attribute != node.attr().end()) function = attribute->second.func().name();
  } else if (find_function(node.op()) != nullptr) {
    function = node.op();
  } else {
    return nullptr;
  }
  TRY(const auto* made, add_scope(scope, node, function, true));
  return calls_[place] = made;
}

int GraphView::input_count(const tf::NodeDef& node) {
  return static_cast<int>(std::count_if(node.input().begin(), node.input().end(),
                                        [](const auto& input) { return input.empty() || input[0] != '^'; }));
}

Result<Output> GraphView::parse_input(const Scope& scope, std::string_view text) const {
  TensorName name;
  const auto nothing = [&] { return fail(Code::kInvalidArgument, "'" + printable(text) + "' is not in the graph"); };
  if (!parse_tensor_name(text, name)) return nothing();
  const auto& body = scope.body();
  if (const auto argument = body.arguments.find(name.node); argument != body.arguments.end()) {
    return Output{&scope, nullptr, argument->second};
  }
  const auto node = body.by_name.find(name.node);
  if (node == body.by_name.end()) return nothing();
  if (name.argument.empty()) return Output{&scope, node->second, name.index};
  int index = output_number(node->second->op(), name.argument, name.index);
  if (const auto* function = find_function(node->second->op()); function != nullptr) {
    for (int i = 0; i < function->signature().output_arg_size(); ++i) {
      if (function->signature().output_arg(i).name() == name.argument) index = i + name.index;
    }
  }
  return Output{&scope, node->second, index};
}

Result<Output> GraphView::find(std::string_view tensor) const { return parse_input(*root_, tensor); }

Result<Output> GraphView::input(const Scope& scope, const tf::NodeDef& node, int index) {
  int data = 0;
  for (const auto& text : node.input()) {
    if (!text.empty() && text[0] == '^') continue;
    if (data++ != index) continue;
    auto found = parse_input(scope, text);
    if (!found) return names_nothing(scope, node, text);
    return found;
  }
  return fail(Code::kInvalidArgument, "node '" + printable(scope.path_of(node)) + "' (" + printable(node.op()) +
                                          ") has no input " + std::to_string(index));
}

Result<Output> GraphView::step(const Output& output, bool& moved) {
  moved = true;
  const auto& scope = *output.scope;
  if (output.node == nullptr) {
    if (scope.bound()) return input(*scope.parent(), *scope.call(), output.index);
    moved = false;
    return output;
  }
  if (passes_through(output.node->op())) return input(scope, *output.node, output.index);
  // A Switch hands its input to both sides; which of them counts is decided where they meet.
  if (is_one_of(output.node->op(), {"Switch", "RefSwitch", "PlaceholderWithDefault"})) {
    return input(scope, *output.node, 0);
  }
  if (output.node->op() == "Merge" && output.index == 0) {
    TRY(const int live, live_input(scope, *output.node));
    if (live >= 0) return input(scope, *output.node, live);
  }
  TRY(const auto* callee, called(scope, *output.node));
  if (callee == nullptr) {
    moved = false;
    return output;
  }
  const auto& results = callee->body().results;
  if (output.index < 0 || static_cast<std::size_t>(output.index) >= results.size()) {
    return fail(Code::kInvalidArgument,
                "node '" + printable(scope.path_of(*output.node)) + "' has no output " + std::to_string(output.index));
  }
  return parse_input(*callee, results[static_cast<std::size_t>(output.index)]);
}

Result<Output> GraphView::resolve(Output output) {
  for (int steps = 0; steps < kStepsMax; ++steps) {
    if (std::find(stops_.begin(), stops_.end(), output) != stops_.end()) return output;
    bool moved = false;
    TRY(output, step(output, moved));
    if (!moved) return output;
  }
  return fail(Code::kInvalidArgument, "the graph goes in circles");
}

Result<Output> GraphView::resolved_input(const Scope& scope, const tf::NodeDef& node, int index) {
  TRY(const auto found, input(scope, node, index));
  return resolve(found);
}

Result<Output> GraphView::result(const Scope& scope, int index) {
  const auto& results = scope.body().results;
  if (index < 0 || static_cast<std::size_t>(index) >= results.size()) {
    return fail(Code::kInvalidArgument, "function '" + printable(scope.body().function->signature().name()) +
                                            "' has no result " + std::to_string(index));
  }
  TRY(const auto found, parse_input(scope, results[static_cast<std::size_t>(index)]));
  return resolve(found);
}

/// The Switch that guards `node`, and whether it is on its true side. Walks back, control inputs included; conditions
/// inside of the condition are passed over, from their Merge to their Switch.
std::optional<std::pair<Output, bool>> GraphView::find_switch(const Scope& scope, const tf::NodeDef& node) {
  struct Place {
    const tf::NodeDef* node;
    int index;
    int level;
  };
  std::vector<Place> pending{{&node, 0, 0}};
  std::set<std::pair<const tf::NodeDef*, int>> seen;
  while (!pending.empty() && ++walked_ < kWalkedMax) {
    const auto [here, index, level] = pending.back();
    pending.pop_back();
    const bool is_switch = is_one_of(here->op(), {"Switch", "RefSwitch"});
    if (is_switch && level == 0 && here->input_size() > 1) {
      if (const auto predicate = parse_input(scope, here->input(1))) return std::pair(*predicate, index == 1);
    }
    if (level > kDepthMax || !seen.emplace(here, level).second) continue;
    const int next = level + (here->op() == "Merge" ? 1 : 0) - (is_switch ? 1 : 0);
    for (const auto& text : here->input()) {
      const auto found = parse_input(scope, std::string_view(text).substr(!text.empty() && text[0] == '^' ? 1 : 0));
      if (found && found->node != nullptr) pending.push_back({found->node, found->index, std::max(next, 0)});
    }
  }
  return std::nullopt;
}

Result<std::optional<MergeChoice>> GraphView::choice_of(const Scope& scope, const tf::NodeDef& merge) {
  if (input_count(merge) != 2) return std::nullopt;
  std::optional<MergeChoice> choice;
  for (int i = 0; i < 2; ++i) {
    TRY(const auto from, input(scope, merge, i));
    if (from.node == nullptr || is_one_of(from.node->op(), {"NextIteration", "Enter", "RefEnter"})) return std::nullopt;
    // The node itself may be the Switch: which of its outputs is meant is known here only.
    auto found = find_switch(scope, *from.node);
    if (found && is_one_of(from.node->op(), {"Switch", "RefSwitch"})) found->second = from.index == 1;
    if (found && !choice) choice = MergeChoice{found->first, found->second ? i : 1 - i};
  }
  return choice;
}

/// The input of a Merge whose condition is constant; -1 when it is not.
Result<int> GraphView::live_input(const Scope& scope, const tf::NodeDef& merge) {
  const auto key = std::pair(&scope, &merge);
  if (const auto known = live_inputs_.find(key); known != live_inputs_.end()) return known->second;
  live_inputs_[key] = -1;  // while its own condition is followed
  // Conditions that choose conditions nest in calls.
  if (choosing_ >= kDepthMax) return -1;
  ++choosing_;
  auto live = constant_choice(scope, merge);
  --choosing_;
  if (live) live_inputs_[key] = *live;
  return live;
}

Result<int> GraphView::constant_choice(const Scope& scope, const tf::NodeDef& merge) {
  TRY(const auto choice, choice_of(scope, merge));
  if (!choice) return -1;
  TRY(const auto predicate, resolve(choice->predicate));
  if (predicate.node == nullptr || predicate.node->op() != "Const") return -1;
  const auto value = predicate.node->attr().find("value");
  if (value == predicate.node->attr().end()) return -1;
  TRY(const auto literal, read_literal(value->second.tensor(), predicate.node->name()));
  if (literal.dtype != tf::DT_BOOL || literal.elements() != 1) return -1;
  const bool truth = integer_at(literal, 0) == 1;
  return truth ? choice->input_if_true : 1 - choice->input_if_true;
}

}  // namespace protean
