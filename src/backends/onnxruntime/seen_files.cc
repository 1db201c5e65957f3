// SPDX-License-Identifier: Apache-2.0
// One small file a model: the key, the external files with their stamps, a checksum.
#include "backends/onnxruntime/seen_files.h"

#include <algorithm>

#include "backends/onnxruntime/cache_disk.h"
#include "backends/onnxruntime/facts_codec.h"
#include "backends/onnxruntime/onnx_wire.h"
#include "base/replace_file.h"
#include "base/sha256.h"

namespace protean {
namespace {

/// Longer than the step of any file system's clock (2 s on FAT).
constexpr unsigned kKeyFileMode = 0600;
constexpr std::int64_t kSettledNs = 2'000'000'000;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20;
constexpr std::uint32_t kExternal = 1, kLocation = 1, kStamp = 2;

std::string encode_stamp(const FileStamp& stamp) {
  std::string out;
  std::uint32_t number = 1;
  for (const auto value : {stamp.size, static_cast<std::uint64_t>(stamp.modified_ns),
                           static_cast<std::uint64_t>(stamp.changed_ns), stamp.device, stamp.inode}) {
    append_number_field(out, number++, value);
  }
  return out;
}

std::filesystem::path place_of(const std::filesystem::path& cache, std::string_view environment,
                               const FileStamp& model) {
  Sha256 name;
  name.add_part(environment);
  name.add_part(encode_stamp(model));
  return cache / ("seen-" + name.hex());
}

/// Whether the file that `message` describes is still there as it was.
bool same_file(std::string_view message, const ModelFolder& folder) {
  WireReader reader(message);
  WireField field;
  std::string location;
  std::string_view stamp;
  while (reader.next(field) == WireState::kGood) {
    if (field.type != WireType::kLength) return false;
    if (field.number == kLocation) location = reader.content(field);
    if (field.number == kStamp) stamp = reader.content(field);
  }
  const auto file = folder.open_file(location);
  return file && encode_stamp(file->stamp()) == stamp;
}

}  // namespace

Status remember_key(const std::filesystem::path& cache, std::string_view environment, const SeenModel& model,
                    const std::string& key) {
  auto changed = model.model.changed_ns;
  for (const auto& file : model.external) changed = std::max(changed, file.stamp.changed_ns);
  if (changed > model.read_at_ns - kSettledNs) return {};
  std::string out = key;
  for (const auto& file : model.external) {
    std::string message;
    append_text_field(message, kLocation, file.location);
    append_text_field(message, kStamp, encode_stamp(file.stamp));
    append_text_field(out, kExternal, message);
  }
  return replace_file(place_of(cache, environment, model.model), out + sha256_hex(out), kKeyFileMode);
}

std::optional<std::string> recall_key(const std::filesystem::path& cache, std::string_view environment,
                                      const FileStamp& model, const ModelFolder& folder) {
  const auto file = ModelFile::open(place_of(cache, environment, model));
  if (!file || file->size() > kFileBytesMax || file->size() < 2 * kSha256HexSize) return std::nullopt;
  const auto bytes = file->read_all();
  if (!bytes) return std::nullopt;
  const auto text = bytes->text();
  const auto body = text.substr(0, text.size() - kSha256HexSize);
  if (sha256_hex(body) != text.substr(body.size())) return std::nullopt;
  WireReader reader(body, kSha256HexSize, body.size());
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    if (field.type != WireType::kLength || !same_file(reader.content(field), folder)) return std::nullopt;
  }
  if (state != WireState::kEnd) return std::nullopt;
  return std::string(body.substr(0, kSha256HexSize));
}

}  // namespace protean
