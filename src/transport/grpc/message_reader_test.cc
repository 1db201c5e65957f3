// SPDX-License-Identifier: Apache-2.0
// Messages out of byte streams, cut at every place.
#include "transport/grpc/message_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace protean::grpc {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string framed(std::string_view text) {
  const auto prefix = encode_prefix({false, static_cast<std::uint32_t>(text.size())});
  return std::string(reinterpret_cast<const char*>(prefix.data()), prefix.size()).append(text);
}

struct Fixture {
  MemoryBudget memory{1 << 20};
  MessageReader reader{{std::nullopt, 1000, &memory}};
};

TEST(GrpcMessageReader, FindsMessagesHoweverTheBytesAreCut) {
  const std::string stream = framed("one") + framed("") + framed(std::string(300, 'x'));
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    Fixture f;
    std::string found;
    f.reader.ask();
    for (std::size_t at = 0; at < stream.size(); at += step) {
      f.reader.feed(bytes(std::string_view(stream).substr(at, step)));
      while (f.reader.ready()) {
        found += std::string(f.reader.take().value().text()) + ";";
        f.reader.ask();
      }
    }
    EXPECT_EQ(found, "one;;" + std::string(300, 'x') + ";") << step;
    EXPECT_TRUE(f.reader.at_boundary());
  }
}

TEST(GrpcMessageReader, KeepsWhatNobodyAskedFor) {
  Fixture f;
  f.reader.feed(bytes(framed("one") + framed("two")));
  EXPECT_FALSE(f.reader.ready());
  EXPECT_EQ(f.reader.unasked_bytes(), 16U);
  f.reader.ask();
  EXPECT_EQ(f.reader.unasked_bytes(), 8U);
  ASSERT_TRUE(f.reader.ready());
  EXPECT_EQ(f.reader.take().value().text(), "one");
  EXPECT_FALSE(f.reader.ready());
  EXPECT_FALSE(f.reader.at_boundary());
}

TEST(GrpcMessageReader, HandsOutPaddedAlignedMessages) {
  Fixture f;
  f.reader.ask();
  f.reader.feed(bytes(framed("abc")));
  const Slice message = f.reader.take().value();
  EXPECT_GE(message.padding, kBufferPadding);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(message.data()) % kBufferAlignment, 0U);
}

TEST(GrpcMessageReader, RefusesAMessageFromItsPrefix) {
  Fixture f;
  f.reader.ask();
  f.reader.feed(bytes(std::string("\0\0\0\3\xE9", 5)));
  ASSERT_TRUE(f.reader.ready());
  EXPECT_EQ(f.reader.take().error().code, Code::kResourceExhausted);
  EXPECT_EQ(f.memory.held(), 0U);
}

TEST(GrpcMessageReader, RefusesWhatTheBudgetDoesNotHold) {
  MemoryBudget memory(10);
  MessageReader reader({std::nullopt, 1000, &memory});
  reader.feed(bytes(framed("more than ten bytes")));
  ASSERT_TRUE(reader.ready());
  EXPECT_EQ(reader.take().error().code, Code::kUnavailable);
}

TEST(GrpcMessageReader, GivesMemoryBackWithItsMessages) {
  Fixture f;
  f.reader.ask();
  f.reader.feed(bytes(framed(std::string(1000, 'x'))));
  {
    const Slice message = f.reader.take().value();
    EXPECT_EQ(f.memory.held(), 1000U);
  }
  EXPECT_EQ(f.memory.held(), 0U);
}

}  // namespace
}  // namespace protean::grpc
