// SPDX-License-Identifier: Apache-2.0
// Files written here byte by byte, by the rules of FlatBuffers: what they say, and what is broken about them.
#include "backends/tensorflow_lite/lite_facts.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace protean {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Lays tables and vectors out one after another; offsets point forwards, as the format asks.
class FlatWriter {
 public:
  using Field = std::function<std::size_t(FlatWriter&)>;

  static std::string file(const Field& root) {
    FlatWriter writer;
    writer.bytes_ = std::string("\0\0\0\0TFL3", 8);
    writer.link(0, root(writer));
    return writer.bytes_;
  }

  /// A vtable and a table of one word a field; empty functions are absent fields.
  static Field table(std::vector<Field> fields) {
    return [fields](FlatWriter& writer) {
      const std::size_t vtable = writer.bytes_.size();
      writer.number16(static_cast<std::uint16_t>(4 + 2 * fields.size()));
      writer.number16(static_cast<std::uint16_t>(4 + 4 * fields.size()));
      for (std::size_t i = 0; i < fields.size(); ++i) {
        writer.number16(fields[i] ? static_cast<std::uint16_t>(4 + 4 * i) : std::uint16_t{0});
      }
      const std::size_t place = writer.bytes_.size();
      writer.number32(static_cast<std::uint32_t>(place - vtable));
      writer.bytes_.append(4 * fields.size(), '\0');
      for (std::size_t i = 0; i < fields.size(); ++i) {
        if (!fields[i]) continue;
        writer.here_ = place + 4 + 4 * i;
        const std::size_t target = fields[i](writer);
        if (target != 0) writer.link(place + 4 + 4 * i, target);
      }
      return place;
    };
  }
  /// A number in the table itself.
  static Field number(std::uint32_t value) {
    return [value](FlatWriter& writer) {
      std::memcpy(writer.bytes_.data() + writer.here_, &value, sizeof value);
      return std::size_t{0};
    };
  }
  static Field text(const std::string& value) {
    return [value](FlatWriter& writer) {
      const std::size_t place = writer.bytes_.size();
      writer.number32(static_cast<std::uint32_t>(value.size()));
      writer.bytes_ += value;
      return place;
    };
  }
  static Field numbers(const std::vector<std::int32_t>& values) {
    return [values](FlatWriter& writer) {
      const std::size_t place = writer.bytes_.size();
      writer.number32(static_cast<std::uint32_t>(values.size()));
      for (const auto value : values) writer.number32(static_cast<std::uint32_t>(value));
      return place;
    };
  }
  static Field tables(std::vector<Field> items) {
    return [items](FlatWriter& writer) {
      const std::size_t place = writer.bytes_.size();
      writer.number32(static_cast<std::uint32_t>(items.size()));
      writer.bytes_.append(4 * items.size(), '\0');
      for (std::size_t i = 0; i < items.size(); ++i) writer.link(place + 4 + 4 * i, items[i](writer));
      return place;
    };
  }

 private:
  void number16(std::uint16_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void number32(std::uint32_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void link(std::size_t from, std::size_t to) {
    const auto offset = static_cast<std::uint32_t>(to - from);
    std::memcpy(bytes_.data() + from, &offset, sizeof offset);
  }

  std::string bytes_;
  std::size_t here_ = 0;
};

using W = FlatWriter;

W::Field tensor(const std::string& name, const std::vector<std::int32_t>& shape,
                const std::vector<std::int32_t>& open = {}) {
  return W::table({W::numbers(shape), {}, {}, W::text(name), {}, {}, {}, open.empty() ? W::Field() : W::numbers(open)});
}

W::Field signature(const std::string& key, const std::vector<std::pair<std::string, std::uint32_t>>& inputs,
                   const std::vector<std::pair<std::string, std::uint32_t>>& outputs, std::uint32_t graph) {
  const auto map = [](const auto& names) {
    std::vector<W::Field> maps;
    for (const auto& [name, index] : names) maps.push_back(W::table({W::text(name), W::number(index)}));
    return W::tables(maps);
  };
  return W::table({map(inputs), map(outputs), W::text(key), {}, W::number(graph)});
}

std::string lite_file(const std::vector<std::int32_t>& inputs, const std::vector<W::Field>& signatures) {
  const auto tensors = W::tables({tensor("b:0", {1, 2}, {-1, 2}), tensor("a:0", {3}), tensor("sum", {1, 2}, {-1, 2})});
  const auto graph = W::table({tensors, W::numbers(inputs), W::numbers({2})});
  return W::file(W::table(
      {W::number(3), {}, W::tables({graph}), {}, {}, {}, {}, signatures.empty() ? W::Field() : W::tables(signatures)}));
}

TEST(LiteFacts, TensorsHaveTheirOwnNamesWithoutASignature) {
  const auto facts = read_lite_facts(lite_file({0, 1}, {}));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->signature, "");
  ASSERT_EQ(facts->inputs.size(), 2U);
  EXPECT_EQ(facts->inputs[0].name, "b:0");
  EXPECT_THAT(facts->inputs[0].shape, ElementsAre(-1, 2));
  EXPECT_THAT(facts->inputs[1].shape, ElementsAre(3));
  EXPECT_EQ(facts->outputs.at(0).name, "sum");
}

TEST(LiteFacts, ASignatureNamesAndOrdersThem) {
  const auto facts =
      read_lite_facts(lite_file({0, 1}, {signature("other", {{"x", 0}, {"y", 1}}, {{"z", 2}}, 0),
                                         signature("serving_default", {{"second", 0}, {"first", 1}}, {{"total", 2}}, 0),
                                         signature("elsewhere", {}, {}, 1)}));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->signature, "serving_default");
  EXPECT_EQ(facts->inputs.at(0).name, "first");
  EXPECT_EQ(facts->inputs.at(0).place, 1);
  EXPECT_EQ(facts->inputs.at(1).name, "second");
  EXPECT_EQ(facts->inputs.at(1).place, 0);
  EXPECT_EQ(facts->outputs.at(0).name, "total");
  EXPECT_THAT(facts->notes, ElementsAre(HasSubstr("signature 'elsewhere' is left out")));
}

TEST(LiteFacts, IndicesOutsideTheGraphAreRefused) {
  for (const std::int32_t index : {3, -1, INT32_MAX}) {
    const auto facts = read_lite_facts(lite_file({index}, {}));
    ASSERT_FALSE(facts);
    EXPECT_EQ(facts.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(read_lite_facts(lite_file({0, 1}, {signature("s", {{"x", 7}, {"y", 1}}, {}, 0)})));
}

TEST(LiteFacts, TensorsOfOneNameAreRefused) { EXPECT_FALSE(read_lite_facts(lite_file({0, 0}, {}))); }

TEST(LiteFacts, AFileThatEndsAnywhereIsRefusedOrRead) {
  const auto whole = lite_file({0, 1}, {signature("s", {{"x", 0}, {"y", 1}}, {{"z", 2}}, 0)});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of exactly that size: the sanitizers see a byte read beyond it.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    static_cast<void>(read_lite_facts({cut.data(), cut.size()}));
  }
  EXPECT_FALSE(read_lite_facts(std::string_view(whole).substr(0, 40)));
}

TEST(LiteFacts, FilesAreKnownByTheirFifthToEighthByte) {
  EXPECT_TRUE(looks_like_lite_model(lite_file({0}, {})));
  EXPECT_FALSE(looks_like_lite_model("TFL3TFL2"));
  EXPECT_FALSE(looks_like_lite_model("    TFL"));
}

}  // namespace
}  // namespace protean
