// SPDX-License-Identifier: Apache-2.0
// The order in which a file is looked at: zip, compressed, pickle.
#include "backends/scikit_learn/object_file.h"

#include <utility>

#include "backends/scikit_learn/decompress.h"
#include "backends/scikit_learn/pickle_reader.h"
#include "backends/scikit_learn/skops_reader.h"
#include "backends/scikit_learn/value_graph.h"

namespace protean::sklearn {

bool looks_like_pickle(std::string_view head) noexcept {
  if (head.size() < 4) return false;
  if (head[0] == '\x80') return head[1] >= 2 && head[1] <= 5;
  // Protocols 0 and 1 have no mark of their own; a model begins with the class of its root.
  return head.starts_with("ccopy_reg\n_reconstructor\n") || head.starts_with("ccopyreg\n_reconstructor\n") ||
         head.starts_with("csklearn");
}

bool mentions_scikit_learn(std::string_view head) noexcept {
  for (std::size_t at = head.find("sklearn."); at != std::string_view::npos; at = head.find("sklearn.", at + 1)) {
    const char before = at == 0 ? '\0' : head[at - 1];
    const bool part_of_a_name = before == '.' || before == '_' || (before >= 'a' && before <= 'z' && before != 'c');
    if (!part_of_a_name) return true;
  }
  return false;
}

Result<std::unique_ptr<ObjectFile>> ObjectFile::read(Buffer bytes) {
  std::unique_ptr<ObjectFile> file(new ObjectFile);
  if (bytes.text().starts_with("PK\x03\x04")) {
    file->bytes_ = std::move(bytes);
    file->format_ = "skops";
    TRY(auto archive, ZipArchive::open(file->bytes_.text()));
    auto& outer = file->archives_.emplace_back(std::move(archive));
    TRY(const auto schema, outer.read("schema.json"));
    file->pool_ = std::make_unique<ValuePool>(file->bytes_.size() + schema.size(), file->bytes_.size());
    TRY(file->root_, read_skops(outer, file->archives_, *file->pool_));
    TRY_STATUS(check_value_graph(*file->pool_, file->root_));
    return file;
  }
  const auto compression = detect_compression(bytes.text());
  const auto stored_bytes = bytes.size();
  file->format_ = "pickle or joblib";
  if (compression != Compression::kNone) {
    TRY(bytes, decompress(bytes.text(), compression));
    file->format_ = "joblib, " + std::string(compression_name(compression));
  }
  file->bytes_ = std::move(bytes);
  file->pool_ = std::make_unique<ValuePool>(file->bytes_.size(), stored_bytes);
  TRY(file->root_, read_pickle(file->bytes_.text(), *file->pool_));
  TRY_STATUS(check_value_graph(*file->pool_, file->root_));
  return file;
}

}  // namespace protean::sklearn
