// SPDX-License-Identifier: Apache-2.0
// A whole file as the backend takes it, decompression included: what loads also answers a row.
#include <cstddef>
#include <cstdint>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/object_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace protean::sklearn;
  protean::Buffer bytes;
  bytes.append(data, size);
  const auto file = ObjectFile::read(std::move(bytes));
  if (!file) return 0;
  LoadContext context((*file)->bytes());
  const auto estimator = make_estimator((*file)->root(), context);
  if (!estimator || (*estimator)->facts().inputs > 1000) return 0;
  for (const auto& column : (*estimator)->columns()) {
    if (column.kind == ColumnKind::kText) return 0;
  }
  Frame row;
  row.numbers.reset(1, (*estimator)->facts().inputs);
  Matrix answer;
  Frame transformed;
  static_cast<void>((*estimator)->predict(row, answer));
  static_cast<void>((*estimator)->probabilities(row, answer));
  static_cast<void>((*estimator)->decision(row, answer));
  static_cast<void>((*estimator)->transform(row, transformed));
  return 0;
}
