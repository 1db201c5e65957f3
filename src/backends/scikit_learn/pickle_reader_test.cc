// SPDX-License-Identifier: Apache-2.0
// Pickles written down byte by byte, as pickletools.dis() shows them.
#include "backends/scikit_learn/pickle_reader.h"

#include <gmock/gmock.h>

#include <string>

#include "backends/scikit_learn/numpy_array.h"

namespace protean::sklearn {
namespace {

using std::string_literals::operator""s;
using ::testing::HasSubstr;

struct Read {
  explicit Read(std::string given) : bytes(std::move(given)), pool(bytes.size()), root(read_pickle(bytes, pool)) {}
  [[nodiscard]] Value value() const { return pool.value(*root); }
  [[nodiscard]] std::string error() const { return root ? "no error" : root.error().message; }

  std::string bytes;
  ValuePool pool;
  Result<Ref> root;
};

TEST(PickleReader, ReadsPlainValuesOfEveryProtocol) {
  EXPECT_EQ(Read("I42\n.").value().node().integer, 42);
  EXPECT_EQ(Read("I01\n.").value().kind(), Kind::kBool);
  EXPECT_EQ(Read("L-7L\n.").value().node().integer, -7);
  EXPECT_EQ(Read("F2.5\n.").value().node().real, 2.5);
  EXPECT_EQ(Read("S'a\\n\\x41'\n.").value().text(), "a\nA");
  EXPECT_EQ(Read("Vgr\\u00fc\xdf\n.").value().text(), "grüß");
  EXPECT_EQ(Read("\x80\x02K\x05."s).value().node().integer, 5);
  EXPECT_EQ(Read("J\xff\xff\xff\xff.").value().node().integer, -1);
  EXPECT_EQ(Read("G\x40\x04\0\0\0\0\0\0."s).value().node().real, 2.5);
  EXPECT_EQ(Read("\x8a\x02\x00\x80."s).value().node().integer, -32768);
  EXPECT_EQ(Read("\x8a\x00."s).value().node().integer, 0);
  EXPECT_EQ(Read("\x8a\x09\0\0\0\0\0\0\0\0\x01."s).value().kind(), Kind::kBigInt);
  EXPECT_EQ(Read("\x8c\x02hi."s).value().text(), "hi");
  EXPECT_TRUE(Read("N.").value().is_none());
}

TEST(PickleReader, PutsContainersTogetherAndKeepsTheMemo) {
  const Read read("\x80\x02}q\0(X\x01\0\0\0aK\x01X\x01\0\0\0b](K\x02h\0eu."s);
  ASSERT_TRUE(read.root.has_value()) << read.error();
  EXPECT_EQ(read.value().key("a").node().integer, 1);
  const auto list = read.value().key("b");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.item(1).ref(), read.value().ref());  // the dict holds itself
}

TEST(PickleReader, MakesInertObjectsOfClasses) {
  const Read read("\x80\x02"s + "csklearn.linear_model._base\nLinearRegression\n)\x81}X\x01\0\0\0aK\x03sb."s);
  ASSERT_TRUE(read.root.has_value()) << read.error();
  EXPECT_EQ(read.value().global_name(), "LinearRegression");
  EXPECT_EQ(read.value().global_module(), "sklearn.linear_model._base");
  EXPECT_EQ(read.value().state().key("a").node().integer, 3);
  EXPECT_EQ(read.value().describe(), "sklearn.linear_model._base.LinearRegression");
}

TEST(PickleReader, ReadsTheClassThatAReconstructorStandsFor) {
  const Read read("ccopy_reg\n_reconstructor\n(csklearn.svm._classes\nSVC\nc__builtin__\nobject\nNtR.");
  ASSERT_TRUE(read.root.has_value()) << read.error();
  EXPECT_EQ(read.value().global_name(), "SVC");
}

TEST(PickleReader, RefusesWhatIsNotOnTheListByName) {
  EXPECT_THAT(Read("cos\nsystem\n(S'id'\ntR.").error(), HasSubstr("'system' of module 'os'"));
  EXPECT_THAT(Read("cos\nsystem\n(S'id'\ntR.").error(), HasSubstr("enable the Python worker backend"));
  EXPECT_THAT(Read("cbuiltins\ngetattr\n.").error(), HasSubstr("'getattr' of module 'builtins'"));
  EXPECT_THAT(Read("csklearn.base\nos.system\n.").error(), HasSubstr("not the plain name of a class"));
  EXPECT_THAT(Read("cbuiltins\nint\n)R.").error(), HasSubstr("asks for a call of it"));
}

TEST(PickleReader, RefusesWhatWouldReachOutsideTheFile) {
  EXPECT_THAT(Read("Pid\n.").error(), HasSubstr("persistent id"));
  EXPECT_THAT(Read("\x82\x01.").error(), HasSubstr("extension code"));
  EXPECT_THAT(Read("\x97.").error(), HasSubstr("out-of-band buffer"));
}

TEST(PickleReader, SaysWhereAFileIsBroken) {
  EXPECT_EQ(Read("K").error(), "pickle, byte 1: 1 bytes expected, 0 are left");
  EXPECT_EQ(Read("0.").error(), "pickle, byte 1: the stack is empty");
  EXPECT_EQ(Read("h\x05.").error(), "pickle, byte 2: memo slot 5 is empty");
  EXPECT_EQ(Read("\xfe").error(), "pickle, byte 1: 0xfe is no opcode");
  EXPECT_THAT(Read("\x8b\xff\xff\xff\xff.").error(), HasSubstr("negative size"));
  EXPECT_THAT(Read("]r\xff\xff\xff\x7f.").error(), HasSubstr("far beyond those in use"));
}

TEST(PickleReader, SurvivesAnyDepth) {
  std::string deep = "]";
  for (int i = 0; i < 300'000; ++i) deep += "\x85";
  EXPECT_TRUE(Read(deep + ".").root.has_value());
}

TEST(PickleReader, ReadsArraysBehindAJoblibWrapper) {
  const std::string head =
      "\x80\x02"s + "cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}("s +
      "X\x05\0\0\0shapeK\x02\x85X\x05\0\0\0orderX\x01\0\0\0C"s +
      "X\x05\0\0\0dtypecnumpy\ndtype\nX\x02\0\0\0f4\x85RX\x1b\0\0\0numpy_array_alignment_bytesK\x10ub"s;
  const Read read(head + "\x03\xff\xff\xff"s + "\0\0\x80\x3f\0\0\0\x40"s + ".");
  ASSERT_TRUE(read.root.has_value()) << read.error();
  const auto array = read_array(read.value());
  ASSERT_TRUE(array.has_value()) << array.error().message;
  EXPECT_EQ(number_at(*array, 0).value(), 1);
  EXPECT_EQ(number_at(*array, 1).value(), 2);
  EXPECT_THAT(Read(head + "\x03\xff\xff\xff\0\0"s).error(), HasSubstr("8 bytes expected, 2 are left"));
}

}  // namespace
}  // namespace protean::sklearn
