// SPDX-License-Identifier: Apache-2.0
// The loop of the machine, and the opcodes that name classes and make objects of them.
#include "backends/scikit_learn/pickle_reader.h"

#include <cstring>
#include <string>

#include "backends/scikit_learn/numpy_array.h"
#include "backends/scikit_learn/pickle_globals.h"
#include "backends/scikit_learn/pickle_machine.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean::sklearn {

tl::unexpected<Error> PickleMachine::broken(const std::string& what) const {
  return fail(Code::kInvalidArgument, "pickle, byte " + std::to_string(at_) + ": " + what);
}

Result<std::string_view> PickleMachine::take(std::uint64_t count) {
  if (count > bytes_.size() - at_) {
    return broken(std::to_string(count) + " bytes expected, " + std::to_string(bytes_.size() - at_) + " are left");
  }
  const auto part = bytes_.substr(at_, count);
  at_ += count;
  return part;
}

Result<std::string_view> PickleMachine::take_line() {
  const auto end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) return broken("a line that does not end");
  const auto line = bytes_.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

Result<std::uint64_t> PickleMachine::take_number(std::size_t width) {
  TRY(const auto part, take(width));
  std::uint64_t number = 0;
  std::memcpy(&number, part.data(), width);
  return number;
}

Status PickleMachine::push(Result<Ref> made) {
  TRY(const auto ref, std::move(made));
  stack_.push_back(ref);
  return {};
}

Result<Ref> PickleMachine::top() const {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) return broken("the stack is empty");
  return stack_.back();
}

Result<Ref> PickleMachine::pop() {
  TRY(const auto ref, top());
  stack_.pop_back();
  return ref;
}

Result<std::vector<Ref>> PickleMachine::pop_to_mark() {
  if (marks_.empty()) return broken("no mark on the stack");
  const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Ref> items(from, stack_.end());
  stack_.erase(from, stack_.end());
  marks_.pop_back();
  return items;
}

Status PickleMachine::push_global(std::string_view module, std::string_view name) {
  TRY_STATUS(check_global(module, name));
  return push(pool_.add_global(module, name));
}

Status PickleMachine::make_object(Ref callable, Ref args) {
  if (pool_.node(callable).kind != Kind::kGlobal) {
    return broken("a call of " + pool_.value(callable).describe() + ", expected that of a named class");
  }
  Node node;
  node.kind = Kind::kObject;
  node.callable = callable;
  node.args = args;
  return push(pool_.add(node));
}

/// Calls that are nothing but another spelling of a plain value become that value.
Result<bool> PickleMachine::reduce_known(std::string_view name, Ref args) {
  const auto arguments = pool_.value(args);
  if (name == "_codecs.encode") {
    if (!arguments.item(0).is(Kind::kText) || !arguments.item(1).equals("latin1")) {
      return broken("_codecs.encode of anything but Latin-1 text");
    }
    std::string bytes;
    const auto text = arguments.item(0).text();
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      const bool pair = (c == 0xc2 || c == 0xc3) && i + 1 < text.size();
      if (c >= 0x80 && !pair) return broken("_codecs.encode of a character beyond Latin-1");
      bytes += pair ? static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 63)) : text[i];
    }
    TRY(const auto kept, pool_.keep(std::move(bytes)));
    TRY_STATUS(push(pool_.add_text(Kind::kBytes, kept)));
    return true;
  }
  const bool bytes = name == "builtins.bytearray" || name == "builtins.bytes" || name == "__builtin__.bytearray" ||
                     name == "__builtin__.bytes";
  if (bytes && (arguments.size() == 0 || arguments.item(0).is(Kind::kBytes))) {
    TRY_STATUS(push(pool_.add_text(Kind::kBytes, arguments.item(0).text())));
    return true;
  }
  const bool set = name == "builtins.set" || name == "__builtin__.set" || name == "builtins.frozenset" ||
                   name == "__builtin__.frozenset";
  if (set && arguments.item(0).is_sequence()) {
    Node node;
    node.kind = Kind::kSet;
    node.items = pool_.node(arguments.item(0).ref()).items;  // shared: copies could be asked for without end
    TRY_STATUS(push(pool_.add(node)));
    return true;
  }
  if (name == "collections.OrderedDict" && arguments.size() == 0) {
    TRY_STATUS(push_sequence(Kind::kDict, {}));
    return true;
  }
  return false;
}

Status PickleMachine::reduce() {
  TRY(const auto args, pop());
  TRY(const auto callable, pop());
  const auto& node = pool_.node(callable);
  if (node.kind == Kind::kGlobal) {
    const auto called = pool_.value(callable);
    TRY_STATUS(check_call(called.global_module(), called.global_name()));
    if (pool_.node(args).kind != Kind::kTuple) return broken("a call with " + pool_.value(args).describe());
    TRY(const bool done, reduce_known(node.text, args));
    if (done) return {};
  }
  return make_object(callable, args);
}

Status PickleMachine::build() {
  TRY(const auto state, pop());
  TRY(const auto target, top());
  if (pool_.node(target).kind != Kind::kObject) return broken("a state for " + pool_.value(target).describe());
  pool_.node(target).state = state;
  if (!nested_ && pool_.value(target).global_name() == "NumpyArrayWrapper") return read_inline_array(target);
  return {};
}

/// joblib writes the bytes of an array behind the BUILD of its wrapper: a count of padding bytes and those bytes (since
/// joblib 1.2), then the elements; or, for objects, another pickle.
Status PickleMachine::read_inline_array(Ref wrapper) {
  const auto state = pool_.value(wrapper).state();
  auto type = read_element_type(state.key("dtype"));
  if (!type) return broken(type.error().message);
  if (type->kind == 'O') {
    PickleMachine inner(bytes_, at_, pool_, true);
    TRY(const auto array, inner.run());
    at_ = inner.at();
    pool_.node(wrapper).kind = Kind::kInline;
    pool_.node(wrapper).args = array;
    return {};
  }
  if (!state.key("numpy_array_alignment_bytes").is_none()) {
    TRY(const auto padding, take_number(1));
    TRY_STATUS(take(padding));
  }
  auto shape = read_dimensions(state.key("shape"));
  if (!shape) return broken(shape.error().message);
  auto count = dimensions_product(*shape);
  if (!count) return broken(count.error().message);
  const auto size = checked_mul(*count, type->size);
  if (!size) return broken("an array of more bytes than there can be");
  TRY(const auto data, take(*size));
  auto& node = pool_.node(wrapper);
  node.kind = Kind::kInline;
  node.text = data;
  return {};
}

Result<bool> PickleMachine::object(unsigned char op) {
  switch (op) {
    case 'c': {
      TRY(const auto module, take_line());
      TRY(const auto name, take_line());
      TRY_STATUS(push_global(module, name));
      return true;
    }
    case 0x93: {
      TRY(const auto name, pop());
      TRY(const auto module, pop());
      const auto& text = pool_.node(name);
      if (text.kind != Kind::kText || pool_.node(module).kind != Kind::kText) return broken("a class without a name");
      TRY_STATUS(push_global(pool_.node(module).text, text.text));
      return true;
    }
    case 'R': TRY_STATUS(reduce()); return true;
    case 'b': TRY_STATUS(build()); return true;
    case 0x81: {
      TRY(const auto args, pop());
      TRY(const auto named, pop());
      TRY_STATUS(make_object(named, args));
      return true;
    }
    case 0x92: {
      TRY_STATUS(pop());  // keyword arguments: no class of the allow-list needs them
      TRY(const auto args, pop());
      TRY(const auto named, pop());
      TRY_STATUS(make_object(named, args));
      return true;
    }
    case 'i':
    case 'o':
      return fail(Code::kInvalidArgument, "pickle, byte " + std::to_string(at_) +
                                              ": an instance of a Python 2 class, which no scikit-learn model has");
    default: return false;
  }
}

Status PickleMachine::refuse(unsigned char op) const {
  if (op == 'P' || op == 'Q') return broken("a persistent id: objects outside the file are not fetched");
  if (op == 0x82 || op == 0x83 || op == 0x84)
    return broken("an extension code: the registry it asks for does not exist");
  if (op == 0x97 || op == 0x98) return broken("an out-of-band buffer, which is not in the file");
  constexpr std::string_view kHex = "0123456789abcdef";
  return broken(std::string("0x") + kHex[op >> 4] + kHex[op & 15] + " is no opcode");
}

Result<Ref> PickleMachine::run() {
  while (true) {
    TRY(const auto byte, take_number(1));
    const auto op = static_cast<unsigned char>(byte);
    ++steps_;
    TRY_STATUS(pool_.count_step());
    if (op == '.') return pop();
    if (op == 0x80) {
      TRY(const auto protocol, take_number(1));
      if (protocol > 5) return broken("protocol " + std::to_string(protocol) + ", expected 0 to 5");
      continue;
    }
    if (op == 0x95) {
      TRY(const auto size, take_number(8));
      if (size > bytes_.size() - at_)
        return broken("a frame of " + std::to_string(size) + " bytes goes beyond the file");
      continue;
    }
    TRY(const bool literal_done, literal(op));
    if (literal_done) continue;
    TRY(const bool container_done, container(op));
    if (container_done) continue;
    TRY(const bool object_done, object(op));
    if (!object_done) TRY_STATUS(refuse(op));
  }
}

Result<Ref> read_pickle(std::string_view bytes, ValuePool& pool) { return PickleMachine(bytes, 0, pool, false).run(); }

}  // namespace protean::sklearn
