// SPDX-License-Identifier: Apache-2.0
// Keys are contents, so that a file is never out of date; a change of the lowering changes kLowering.
#include "backends/tensorflow/lowered_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/replace_file.h"
#include "base/sha256.h"
#include "base/text.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

/// A new one for every change of src/tensorflow that changes what comes out.
constexpr std::string_view kLowering = "protean lowering 2";
constexpr unsigned kMode = 0600;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kFilesMax = 10'000;

Status add_file(Sha256& digest, const fs::path& path) {
  TRY(const auto file, ModelFile::open(path));
  digest.add_part(path.filename().native());
  digest.add_part(std::to_string(file.size()));
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, file.size())));
  for (std::uint64_t at = 0; at < file.size(); at += piece.size()) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), file.size() - at));
    TRY_STATUS(file.read(at, std::span(piece).first(count)));
    digest.add(std::span<const std::byte>(piece).first(count));
  }
  return file.check_unchanged();
}

Result<std::vector<fs::path>> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (fs::is_regular_file(it->path(), ignored)) files.push_back(it->path());
    if (files.size() > kFilesMax) {
      return fail(Code::kInvalidArgument, "'" + printable(folder.native()) + "' has more than 10000 files");
    }
  }
  std::ranges::sort(files);
  return files;
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(Code::kResourceExhausted, "no memory left for the lowered model");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<LoweredFile> in_memory(LoweredModel model) {
  LoweredFile file;
  file.memory = FileDescriptor(::memfd_create("protean-lowered", MFD_CLOEXEC));
  if (!file.memory.valid()) return fail(Code::kResourceExhausted, "no memory left for the lowered model");
  TRY_STATUS(write_all(file.memory.get(), model.onnx));
  file.path = "/proc/self/fd/" + std::to_string(file.memory.get());
  file.notes = std::move(model.notes);
  file.features = std::move(model.features);
  return file;
}

/// Errors: those of read_features(), and kUnavailable for a file that cannot be read.
Result<std::vector<ParsedFeature>> features_in(const fs::path& path) {
  std::error_code missing;
  if (!fs::exists(path, missing)) return std::vector<ParsedFeature>();
  TRY(const auto file, ModelFile::open(path));
  TRY(const auto bytes, file.read_all());
  return read_features(bytes.text());
}

std::string joined(const std::vector<std::string>& notes) {
  std::string text;
  for (const auto& note : notes) text += printable(note, 4096) + "\n";
  return text;
}

}  // namespace

Result<std::string> lowered_key(const fs::path& folder, const std::vector<std::string>& tags,
                                const std::string& signature, InputShapes shapes) {
  Sha256 digest;
  digest.add_part(kLowering);
  for (const auto& tag : tags) digest.add_part(tag);
  digest.add_part(signature);
  if (shapes == InputShapes::kFree) digest.add_part("free");
  TRY_STATUS(add_file(digest, folder / "saved_model.pb"));
  for (const char* part : {"variables", "assets"}) {
    TRY(const auto files, files_in(folder / part));
    digest.add_part(part);
    for (const auto& file : files) TRY_STATUS(add_file(digest, file));
  }
  return digest.hex();
}

LoweredFiles::LoweredFiles(const std::string& cache_folder, std::uint64_t bytes_max)
    : folder_(cache_folder.empty() ? fs::path() : fs::path(cache_folder) / "savedmodels"), bytes_max_(bytes_max) {}

fs::path LoweredFiles::place_of(const std::string& key, const char* ending) const { return folder_ / (key + ending); }

void LoweredFiles::discard(const std::string& key) const {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove(place_of(key, ".onnx"), ignored);
}

Status LoweredFiles::keep(const std::string& key, const LoweredModel& model) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  struct stat status {};
  if (::stat(folder_.c_str(), &status) != 0 || status.st_uid != ::geteuid() || ::chmod(folder_.c_str(), S_IRWXU) != 0) {
    return fail(Code::kUnavailable, "'" + printable(folder_.native()) + "' is no folder of this user");
  }
  if (model.onnx.size() > bytes_max_) return fail(Code::kResourceExhausted, "it is larger than the cache may be");
  TRY_STATUS(replace_file(place_of(key, ".notes"), joined(model.notes), kMode));
  if (!model.features.empty()) {
    TRY_STATUS(replace_file(place_of(key, ".features"), write_features(model.features), kMode));
  }
  TRY_STATUS(replace_file(place_of(key, ".onnx"), model.onnx, kMode));
  trim(place_of(key, ".onnx"));
  return {};
}

void LoweredFiles::trim(const fs::path& newest) const {
  std::vector<std::pair<fs::file_time_type, fs::path>> kept;
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const auto size = it->file_size(gone);
    if (gone || it->path().extension() != ".onnx") continue;
    bytes += size;
    if (it->path() != newest) kept.emplace_back(it->last_write_time(gone), it->path());
  }
  std::ranges::sort(kept);
  for (auto& [time, path] : kept) {
    if (bytes <= bytes_max_) return;
    std::error_code ignored;
    bytes -= std::min<std::uint64_t>(bytes, fs::file_size(path, ignored));
    fs::remove(path, ignored);
    for (const char* ending : {".notes", ".features"}) fs::remove(path.replace_extension(ending), ignored);
  }
}

Result<LoweredFile> LoweredFiles::get(const std::string& key,
                                      const std::function<Result<LoweredModel>()>& lower) const {
  if (folder_.empty()) return lower().and_then(in_memory);
  LoweredFile file;
  file.path = place_of(key, ".onnx");
  std::error_code missing;
  fs::last_write_time(file.path, fs::file_time_type::clock::now(), missing);
  if (auto features = features_in(place_of(key, ".features")); !missing && features) {
    file.features = *std::move(features);
    file.from_cache = true;
    std::ifstream notes(place_of(key, ".notes"));
    for (std::string line; std::getline(notes, line);) file.notes.push_back(line);
    return file;
  }
  TRY(auto model, lower());
  const auto kept = keep(key, model);
  if (kept) {
    file.notes = std::move(model.notes);
    file.features = std::move(model.features);
    return file;
  }
  TRY(file, in_memory(std::move(model)));
  file.notes.push_back("not cached: " + kept.error().message);
  return file;
}

}  // namespace protean
