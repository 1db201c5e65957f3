// SPDX-License-Identifier: Apache-2.0
// One function for each family of skops nodes.
#include "backends/scikit_learn/skops_reader.h"

#include <charconv>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/scikit_learn/json_value.h"
#include "backends/scikit_learn/numpy_array.h"
#include "backends/scikit_learn/pickle_globals.h"
#include "base/text.h"

namespace protean::sklearn {
namespace {

/// Of the schema's JSON; a node takes two levels, so nodes nest to half of it.
constexpr unsigned kDepthMax = 256;

class SkopsReader {
 public:
  SkopsReader(ZipArchive& archive, std::deque<ZipArchive>& archives, ValuePool& pool)
      : archive_(archive), archives_(archives), pool_(pool) {}

  /// Recurses as deep as the JSON did, which is bounded.
  Result<Ref> read(const Value& node);

 private:
  tl::unexpected<Error> broken(const std::string& what) const {
    return fail(Code::kInvalidArgument, "skops schema: " + what);
  }
  Result<Ref> make(const Value& node, std::string_view loader);
  Result<Ref> container(const Value& node, Kind kind);
  Result<Ref> dict(const Value& node);
  Result<Ref> dict_key(std::string_view key, std::string_view type);
  Result<Ref> global(const Value& node);
  Result<Ref> object(Ref callable, Ref args, Ref state);
  Result<Ref> array(const Value& node);
  Status flatten(const Value& items, std::size_t levels, std::vector<Ref>& out);
  Result<Ref> sparse(const Value& node);
  Result<Ref> slice(const Value& content);
  Result<Ref> tuple_of(std::vector<Ref> items);

  ZipArchive& archive_;
  std::deque<ZipArchive>& archives_;
  ValuePool& pool_;
  std::unordered_map<std::int64_t, Ref> by_id_;
};

Result<Ref> SkopsReader::tuple_of(std::vector<Ref> items) {
  TRY(const auto ref, pool_.add_container(Kind::kTuple));
  pool_.items_of(ref) = std::move(items);
  return ref;
}

Result<Ref> SkopsReader::container(const Value& node, Kind kind) {
  const auto content = node.key("content");
  if (!content.is(Kind::kList)) return broken("a list without items");
  TRY(const auto ref, pool_.add_container(kind));
  for (std::size_t i = 0; i < content.size(); ++i) {
    TRY(const auto item, read(content.item(i)));
    pool_.items_of(ref).push_back(item);
  }
  return ref;
}

/// JSON keys are texts; beside them stands what they were.
Result<Ref> SkopsReader::dict_key(std::string_view key, std::string_view type) {
  Node node;
  if (type.starts_with("int") || type.starts_with("uint")) {
    node.kind = Kind::kInt;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), node.integer);
    if (error == std::errc() && end == key.data() + key.size()) return pool_.add(node);
  } else if (type.starts_with("float")) {
    node.kind = Kind::kFloat;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), node.real);
    if (error == std::errc() && end == key.data() + key.size()) return pool_.add(node);
  }
  return pool_.add_text(Kind::kText, key);
}

Result<Ref> SkopsReader::dict(const Value& node) {
  const auto content = node.key("content");
  const auto types = node.key("key_types").key("content");
  if (!content.is(Kind::kDict)) return broken("a dict without items");
  TRY(const auto ref, pool_.add_container(Kind::kDict));
  for (std::size_t i = 0; i + 1 < content.size(); i += 2) {
    TRY(const auto key, dict_key(content.item(i).text(), types.item(i / 2).key("__class__").text()));
    TRY(const auto value, read(content.item(i + 1)));
    auto& items = pool_.items_of(ref);
    items.push_back(key);
    items.push_back(value);
  }
  return ref;
}

Result<Ref> SkopsReader::global(const Value& node) {
  const auto module = node.key("__module__").text();
  const auto name = node.key("__class__").text();
  TRY_STATUS(check_global(module, name));
  return pool_.add_global(module, name);
}

Result<Ref> SkopsReader::object(Ref callable, Ref args, Ref state) {
  Node node;
  node.kind = Kind::kObject;
  node.callable = callable;
  node.args = args;
  node.state = state;
  return pool_.add(node);
}

/// Object arrays of two dimensions stand as lists of lists.
Status SkopsReader::flatten(const Value& items, std::size_t levels, std::vector<Ref>& out) {
  if (!items.is(Kind::kList)) return broken("an array without items");
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (levels > 1) {
      TRY_STATUS(flatten(items.item(i).key("content"), levels - 1, out));
    } else {
      TRY(out.emplace_back(), read(items.item(i)));
    }
  }
  return {};
}

Result<Ref> SkopsReader::array(const Value& node) {
  if (node.key("type").equals("numpy")) {
    TRY(const auto bytes, archive_.read(node.key("file").text()));
    return pool_.add_text(Kind::kNpy, bytes);
  }
  TRY(const auto shape, read(node.key("shape")));
  TRY(const auto dimensions, read_dimensions(pool_.value(shape)));
  std::vector<Ref> items;
  TRY_STATUS(flatten(node.key("content"), dimensions.size(), items));
  TRY(const auto list, pool_.add_container(Kind::kList));
  pool_.items_of(list) = std::move(items);
  TRY(const auto callable, pool_.add_global("numpy", "ndarray"));
  return object(callable, shape, list);
}

/// save_npz() writes one .npy a part; the parts become the state that a pickle of the matrix has.
Result<Ref> SkopsReader::sparse(const Value& node) {
  TRY(const auto callable, global(node));
  TRY(const auto bytes, archive_.read(node.key("file").text()));
  if (archives_.size() > 64) return broken("more than 64 sparse matrices");
  TRY(auto opened, ZipArchive::open(bytes));
  auto& inner = archives_.emplace_back(std::move(opened));
  TRY(const auto state, pool_.add_container(Kind::kDict));
  for (const std::string_view part : {"data", "indices", "indptr", "offsets", "shape"}) {
    const auto member = std::string(part) + ".npy";
    if (!inner.has(member)) continue;
    TRY(const auto content, inner.read(member));
    TRY(const auto key, pool_.add_text(Kind::kText, part == "shape" ? std::string_view("_shape") : part));
    TRY(const auto value, pool_.add_text(Kind::kNpy, content));
    auto& items = pool_.items_of(state);
    items.push_back(key);
    items.push_back(value);
  }
  return object(callable, kNoRef, state);
}

Result<Ref> SkopsReader::slice(const Value& content) {
  std::vector<Ref> parts;
  for (const std::string_view part : {"start", "stop", "step"}) {
    const auto value = content.key(part);
    if (!value.is_none() && !value.is(Kind::kInt) && !value.is(Kind::kText)) return broken("a slice of objects");
    TRY(parts.emplace_back(), pool_.add(value.is_none() ? Node{} : value.node()));
  }
  TRY(const auto callable, pool_.add_global("builtins", "slice"));
  TRY(const auto args, tuple_of(std::move(parts)));
  return object(callable, args, kNoRef);
}

Result<Ref> SkopsReader::make(const Value& node, std::string_view loader) {
  const auto content = node.key("content");
  if (loader == "JsonNode") return read_json(content.text(), pool_, 32);
  if (loader == "DictNode" || loader == "OrderedDictNode") return dict(node);
  if (loader == "DefaultDictNode") return read(content.key("main"));
  if (loader == "ListNode") return container(node, Kind::kList);
  if (loader == "TupleNode") return container(node, Kind::kTuple);
  if (loader == "SetNode") return container(node, Kind::kSet);
  if (loader == "NdArrayNode") return array(node);
  if (loader == "SparseMatrixNode") return sparse(node);
  if (loader == "SliceNode") return slice(content);
  if (loader == "TypeNode" || loader == "FunctionNode") return global(node);
  if (loader == "DTypeNode") return read(content);
  // Where estimators keep random numbers and masks, no answer depends on them.
  if (loader == "RandomStateNode" || loader == "RandomGeneratorNode" || loader == "MaskedArrayNode") {
    return pool_.add(Node{});
  }
  if (loader == "BytesNode" || loader == "BytearrayNode") {
    TRY(const auto bytes, archive_.read(node.key("file").text()));
    return pool_.add_text(Kind::kBytes, bytes);
  }
  if (loader == "PartialNode") {
    TRY(const auto callable, pool_.add_global("functools", "partial"));
    TRY(const auto function, read(content.key("func")));
    TRY(const auto args, tuple_of({function}));
    return object(callable, args, kNoRef);
  }
  if (loader == "ObjectNode") {
    TRY(const auto callable, global(node));
    if (content.is_none()) return object(callable, kNoRef, kNoRef);
    TRY(const auto state, read(content));
    return object(callable, kNoRef, state);
  }
  if (loader == "TreeNode" || loader == "LossNode" || loader == "ReduceNode") {
    TRY(const auto callable, global(node));
    TRY(const auto args, read(node.key("__reduce__").key("args")));
    TRY(const auto state, read(content));
    return object(callable, args, state);
  }
  return broken("a node of kind '" + printable(loader, 64) + "' (" + printable(node.key("__module__").text(), 64) +
                "." + printable(node.key("__class__").text(), 64) + ") is not known; " + std::string(kWayOut));
}

Result<Ref> SkopsReader::read(const Value& node) {
  if (!node.is(Kind::kDict)) return broken("a node is " + node.describe());
  const auto loader = node.key("__loader__").text();
  const auto id = read_integer(node.key("__id__"));
  if (loader == "CachedNode") {
    const auto known = id ? by_id_.find(*id) : by_id_.end();
    if (known == by_id_.end()) return broken("a node refers to another that has not been seen");
    return known->second;
  }
  TRY(const auto ref, make(node, loader));
  if (id) by_id_.emplace(*id, ref);
  return ref;
}

}  // namespace

Result<Ref> read_skops(ZipArchive& archive, std::deque<ZipArchive>& archives, ValuePool& pool) {
  TRY(const auto text, archive.read("schema.json"));
  TRY(const auto schema, read_json(text, pool, kDepthMax));
  const auto protocol = read_integer(pool.value(schema).key("protocol"));
  if (!protocol || *protocol < 0 || *protocol > 3) {
    return fail(Code::kInvalidArgument,
                "skops schema: protocol " + pool.value(schema).key("protocol").describe() + ", expected 0 to 3");
  }
  return SkopsReader(archive, archives, pool).read(pool.value(schema));
}

}  // namespace protean::sklearn
