// SPDX-License-Identifier: Apache-2.0
// libyaml stays in this file: its events are put together on a stack of our own, so that depth and size are ours to
// bound.
#include "backends/mlflow/yaml_tree.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

#include "base/text.h"

namespace protean {
namespace {

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";
constexpr std::array<std::string_view, 9> kTags = {"str", "int", "float",     "bool",  "null",
                                                   "map", "seq", "timestamp", "binary"};

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

std::size_t count_nodes(const YamlNode& node) {
  std::size_t count = 1;
  for (const auto& item : node.items) count += count_nodes(item);
  for (const auto& member : node.members) count += count_nodes(member.second);
  return count;
}

/// One list or map that is still open.
struct Frame {
  YamlNode node;
  std::string anchor;
  std::optional<std::string> key;
};

class TreeReader {
 public:
  TreeReader(std::string_view text, const YamlLimits& limits) : limits_(limits) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  TreeReader(const TreeReader&) = delete;
  TreeReader& operator=(const TreeReader&) = delete;
  ~TreeReader() { yaml_parser_delete(&parser_); }

  Result<YamlNode> read() {
    while (!ended_) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0) {
        line_ = parser_.problem_mark.line;
        return refuse(parser_.problem == nullptr ? "malformed" : parser_.problem);
      }
      const std::unique_ptr<yaml_event_t, void (*)(yaml_event_t*)> owner(&event, yaml_event_delete);
      line_ = event.start_mark.line;
      TRY_STATUS(take(event));
    }
    if (!root_) return refuse("no document");
    return *std::move(root_);
  }

 private:
  Status take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_STREAM_END_EVENT: ended_ = true; return {};
      case YAML_DOCUMENT_START_EVENT: return root_ ? Status(refuse("a second document, expected one")) : Status{};
      case YAML_SCALAR_EVENT: return scalar(event);
      case YAML_ALIAS_EVENT: return alias(view(event.data.alias.anchor));
      case YAML_SEQUENCE_START_EVENT:
        return open(YamlNode::Kind::kList, event.data.sequence_start.anchor, event.data.sequence_start.tag);
      case YAML_MAPPING_START_EVENT:
        return open(YamlNode::Kind::kMap, event.data.mapping_start.anchor, event.data.mapping_start.tag);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: return close();
      default: return {};
    }
  }

  Status scalar(const yaml_event_t& event) {
    const auto& from = event.data.scalar;
    TRY_STATUS(check_tag(from.tag));
    std::string text(reinterpret_cast<const char*>(from.value), from.length);
    if (!frames_.empty() && frames_.back().node.kind == YamlNode::Kind::kMap && !frames_.back().key) {
      const auto& members = frames_.back().node.members;
      const bool repeated = std::ranges::any_of(members, [&](const auto& member) { return member.first == text; });
      if (repeated) return refuse(fmt::format("the key '{}' appears twice", printable(text)));
      frames_.back().key = std::move(text);
      return {};
    }
    YamlNode node;
    node.text = std::move(text);
    node.quoted = from.style != YAML_PLAIN_SCALAR_STYLE;
    return add(std::move(node), view(from.anchor));
  }

  Status alias(std::string_view name) {
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) return refuse(fmt::format("unknown alias '*{}'", printable(name)));
    const std::size_t count = count_nodes(found->second);
    if (count > limits_.nodes_max - nodes_) return too_large();
    nodes_ += count - 1;
    return add(YamlNode(found->second), {});
  }

  Status open(YamlNode::Kind kind, const yaml_char_t* anchor, const yaml_char_t* tag) {
    TRY_STATUS(check_tag(tag));
    if (!frames_.empty() && frames_.back().node.kind == YamlNode::Kind::kMap && !frames_.back().key) {
      return refuse("a key is a list or a map, expected a text");
    }
    if (frames_.size() == limits_.depth_max) return refuse(fmt::format("nested deeper than {}", limits_.depth_max));
    frames_.push_back({{}, std::string(view(anchor)), {}});
    frames_.back().node.kind = kind;
    return {};
  }

  Status close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    return add(std::move(frame.node), frame.anchor);
  }

  Status add(YamlNode node, std::string_view anchor) {
    if (nodes_ >= limits_.nodes_max) return too_large();
    ++nodes_;
    if (!anchor.empty()) {
      const std::size_t count = count_nodes(node);
      if (count > limits_.nodes_max - nodes_) return too_large();
      nodes_ += count;  // the copy that the anchor keeps
      anchors_.insert_or_assign(std::string(anchor), node);
    }
    if (frames_.empty()) {
      root_ = std::move(node);
      return {};
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == YamlNode::Kind::kList) {
      frame.node.items.push_back(std::move(node));
      return {};
    }
    if (!frame.key) return refuse("a key is an alias, expected a text");
    frame.node.members.emplace_back(*std::move(frame.key), std::move(node));
    frame.key.reset();
    return {};
  }

  [[nodiscard]] Status check_tag(const yaml_char_t* tag) const {
    std::string_view name = view(tag);
    if (name.empty() || name == "!") return {};
    const bool known =
        name.starts_with(kTagPrefix) && std::ranges::find(kTags, name.substr(kTagPrefix.size())) != kTags.end();
    if (known) return {};
    return refuse(fmt::format("the tag '{}': objects are not constructed", printable(name)));
  }

  [[nodiscard]] tl::unexpected<Error> too_large() const {
    return refuse(fmt::format("more than {} values", limits_.nodes_max));
  }
  [[nodiscard]] tl::unexpected<Error> refuse(std::string_view what) const {
    return fail(Code::kInvalidArgument, fmt::format("line {}: {}", line_ + 1, what));
  }

  const YamlLimits& limits_;
  yaml_parser_t parser_;
  std::vector<Frame> frames_;
  std::map<std::string, YamlNode, std::less<>> anchors_;
  std::optional<YamlNode> root_;
  std::size_t nodes_ = 0;
  std::size_t line_ = 0;
  bool ended_ = false;
};

std::optional<std::uint32_t> hex4(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : text.substr(2, 4)) {
    const auto digit = std::string_view("0123456789abcdef").find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
    if (digit == std::string_view::npos) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return value;
}

/// `\ud83d\ude00` becomes `\U0001f600`.
std::string join_surrogates(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto high = hex4(text.substr(at));
    const auto low = high && *high >= 0xD800 && *high < 0xDC00 ? hex4(text.substr(at + 6)) : std::nullopt;
    if (low && *low >= 0xDC00 && *low < 0xE000) {
      out += fmt::format("\\U{:08x}", 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00));
      at += 12;
      continue;
    }
    const std::size_t count = text[at] == '\\' && at + 1 < text.size() ? 2 : 1;  // an escaped backslash opens nothing
    out += text.substr(at, count);
    at += count;
  }
  return out;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view YamlNode::text_of(std::string_view name) const noexcept {
  const YamlNode* member = find(name);
  return member == nullptr || member->kind != Kind::kScalar || member->is_null() ? std::string_view() : member->text;
}

bool YamlNode::is_null() const noexcept {
  return kind == Kind::kScalar && !quoted && (text.empty() || text == "null" || text == "~");
}

Result<YamlNode> parse_yaml(std::string_view text, const YamlLimits& limits) { return TreeReader(text, limits).read(); }

Result<YamlNode> parse_json_as_yaml(std::string_view text, const YamlLimits& limits) {
  return TreeReader(join_surrogates(text), limits).read();
}

}  // namespace protean
