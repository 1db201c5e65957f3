// SPDX-License-Identifier: Apache-2.0
// .npy headers as numpy.save writes them, and elements of every type.
#include "backends/scikit_learn/numpy_array.h"

#include <gmock/gmock.h>

#include <cmath>

#include "backends/scikit_learn/npy_header.h"

namespace protean::sklearn {
namespace {

using std::string_literals::operator""s;

std::string npy(const std::string& header, const std::string& data) {
  return "\x93NUMPY\x01\0"s + static_cast<char>(header.size()) + '\0' + header + data;
}

struct Npy {
  explicit Npy(std::string given) : bytes(std::move(given)), pool(1000) {
    const auto ref = pool.add_text(Kind::kNpy, bytes);
    array = read_array(pool.value(ref.value()));
  }
  std::string bytes;
  ValuePool pool;
  Result<ArrayView> array = ArrayView{};
};

TEST(NumpyArray, ReadsElementsInCOrderWhateverTheFilesOrderIs) {
  const Npy c(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", "\1\2\3\4\5\6"));
  const Npy f(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", "\1\4\2\5\3\6"));
  ASSERT_TRUE(c.array && f.array);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(number_at(*c.array, i).value(), static_cast<double>(i + 1));
    EXPECT_EQ(number_at(*f.array, i).value(), static_cast<double>(i + 1));
  }
}

TEST(NumpyArray, ReadsNumbersOfEveryKind) {
  const auto one = [](const char* type, const std::string& data) {
    const Npy npy_file(npy("{'descr': '"s + type + "', 'fortran_order': False, 'shape': (1,), }", data));
    return number_at(npy_file.array.value(), 0).value();
  };
  EXPECT_EQ(one("|b1", "\1"), 1);
  EXPECT_EQ(one("|i1", "\xff"), -1);
  EXPECT_EQ(one("<i2", "\xfe\xff"), -2);
  EXPECT_EQ(one(">i4", "\0\0\1\0"s), 256);
  EXPECT_EQ(one("<u8", "\xff\xff\xff\xff\xff\xff\xff\xff"), 18446744073709551615.0);
  EXPECT_EQ(one("<f2", "\0\x3e"s), 1.5);
  EXPECT_EQ(one("<f4", "\0\0\xc0\x3f"s), 1.5);
  EXPECT_EQ(one(">f8", "\x3f\xf8\0\0\0\0\0\0"s), 1.5);
}

TEST(NumpyArray, ReadsTexts) {
  const Npy texts(
      npy("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }", "a\0\0\0\0\0\0\0\xfc\0\0\0z\0\0\0"s));
  EXPECT_EQ(text_at(texts.array.value(), 0).value(), "a");
  EXPECT_EQ(text_at(texts.array.value(), 1).value(), "üz");
}

TEST(NumpyArray, RefusesBytesThatAreNotAsManyAsTheShapeSays) {
  const Npy few(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", "12345678"));
  ASSERT_FALSE(few.array);
  EXPECT_EQ(few.array.error().message, "array: 8 bytes, expected 2 elements of 8");
  EXPECT_FALSE(Npy(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "")).array);
  EXPECT_FALSE(Npy(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "12345678")).array);
  EXPECT_FALSE(Npy("\x93NUMPY\x01\0\xff\xff"s).array);
}

}  // namespace
}  // namespace protean::sklearn
