// SPDX-License-Identifier: Apache-2.0
// Vocabularies and files of columns.
#include "tensorflow/text_table.h"

#include <gmock/gmock.h>

namespace protean {
namespace {

namespace tf = tensorflow;

std::vector<std::int64_t> values_of(const LookupTable& table) {
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < table.values.elements(); ++i) values.push_back(*integer_at(table.values, i));
  return values;
}

TEST(TextTable, NumbersTheLinesOfAVocabulary) {
  const auto table = read_text_table_file("a\nb c\r\n\nlast", "v.txt", {});
  ASSERT_TRUE(table);
  EXPECT_THAT(table->keys.strings, testing::ElementsAre("a", "b c", "", "last"));
  EXPECT_THAT(values_of(*table), testing::ElementsAre(0, 1, 2, 3));
}

TEST(TextTable, TakesAsManyLinesAsItIsTold) {
  TextTableForm form;
  form.lines_max = 2;
  form.offset = 5;
  const auto table = read_text_table_file("a\nb\nc\n", "v.txt", form);
  ASSERT_TRUE(table);
  EXPECT_THAT(table->keys.strings, testing::ElementsAre("a", "b"));
  EXPECT_THAT(values_of(*table), testing::ElementsAre(5, 6));
}

TEST(TextTable, TakesColumns) {
  TextTableForm form;
  form.key_index = 1;
  form.value_index = 0;
  form.delimiter = ',';
  const auto table = read_text_table_file("10,x\n-7,y\n", "v.txt", form);
  ASSERT_TRUE(table);
  EXPECT_THAT(table->keys.strings, testing::ElementsAre("x", "y"));
  EXPECT_THAT(values_of(*table), testing::ElementsAre(10, -7));
}

TEST(TextTable, NamesTheLineThatDoesNotFit) {
  TextTableForm form;
  form.value_index = 1;
  form.key_index = 0;
  EXPECT_THAT(read_text_table_file("a\t1\nb\n", "v.txt", form).error().message,
              testing::HasSubstr("asset 'v.txt', line 2"));
  EXPECT_THAT(read_text_table_file("a\tx\n", "v.txt", form).error().message, testing::HasSubstr("line 1"));
}

}  // namespace
}  // namespace protean
