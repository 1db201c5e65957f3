// SPDX-License-Identifier: Apache-2.0
// The walk over the folder: two levels deep, names that start with a dot left out, symbolic links of the
// operator followed (Kubernetes mounts models through them).
#include "serving/versions/repository_scan.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "base/text.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 4096;  // in one version's folder
constexpr std::size_t kNameBytesMax = 200;

struct Files {
  std::uint64_t bytes = 0;
  std::uint64_t fingerprint = 1469598103934665603ULL;  // FNV-1a
};

void mix(std::uint64_t& hash, std::uint64_t value) noexcept {
  for (int i = 0; i < 8; ++i) {
    hash = (hash ^ (value & 0xFF)) * 1099511628211ULL;
    value >>= 8;
  }
}

void add_file(Files& files, const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  files.bytes += S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  mix(files.fingerprint, std::hash<std::string>{}(path.native()));
  mix(files.fingerprint, static_cast<std::uint64_t>(status.st_ino));
  mix(files.fingerprint, static_cast<std::uint64_t>(status.st_size));
  mix(files.fingerprint, static_cast<std::uint64_t>(status.st_mtim.tv_sec));
  mix(files.fingerprint, static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
}

/// `folder_counts`: the other files beside the model belong to it (its weights), so they count as well.
Files examine(const fs::path& path, const fs::path& folder, bool folder_counts) {
  Files files;
  if (!folder_counts) {
    add_file(files, path);
    return files;
  }
  std::vector<fs::path> all;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end && all.size() < kFilesMax;
       it.increment(error)) {
    if (!it->is_directory(error)) all.push_back(it->path());
  }
  std::sort(all.begin(), all.end());
  for (const auto& file : all) add_file(files, file);
  return files;
}

/// Leading zeros are as good as none.
std::optional<std::uint64_t> version_number(const std::string& name) {
  const auto number = parse_uint64(name);
  if (!number || *number == 0) return std::nullopt;
  return number;
}

bool is_hidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

bool is_usable_name(const std::string& name) {
  return !name.empty() && name.size() <= kNameBytesMax && is_utf8(name) && printable(name, name.size()) == name;
}

std::vector<fs::directory_entry> sorted_entries(const fs::path& folder, std::error_code& error) {
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!is_hidden(it->path())) entries.push_back(*it);
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::string model_name(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_directory(error) ? entry.path().filename().string() : entry.path().stem().string();
}

/// Of the model's configuration file, if it has one.
std::uint64_t config_fingerprint(const fs::path& root_entry, bool is_folder) {
  Files files;
  fs::path path = root_entry;
  add_file(files, is_folder ? path / "protean.toml" : path.replace_extension(".toml"));
  return files.fingerprint;
}

}  // namespace

std::uint64_t files_fingerprint(const FoundVersion& version) {
  return examine(version.path, version.folder, version.own_folder).fingerprint;
}

Result<Scan> RepositoryScanner::scan(const std::set<std::string>* only) {
  taken_.clear();
  for (auto& [path, known] : known_) known.seen = only != nullptr;
  Scan scan;
  if (!root_.empty()) TRY_STATUS(scan_root(only, scan));
  for (const auto& entry : entries_) {
    if (only == nullptr || only->contains(entry.name)) scan_named(entry, scan);
  }
  std::erase_if(known_, [](const auto& item) { return !item.second.seen; });
  std::sort(scan.versions.begin(), scan.versions.end(),
            [](const auto& a, const auto& b) { return std::tie(a.model, a.version) < std::tie(b.model, b.version); });
  return scan;
}

Status RepositoryScanner::scan_root(const std::set<std::string>* only, Scan& scan) {
  std::error_code error;
  const auto status = fs::status(root_, error);
  if (!fs::exists(status)) {
    return fail(Code::kNotFound, fmt::format("model folder '{}' does not exist", root_.string()));
  }
  if (fs::is_regular_file(status)) {
    scan_entry(fs::directory_entry(root_), scan);
  } else if (recognise_folder(root_) != nullptr) {  // the folder of one model
    scan_model_folder(root_, fs::weakly_canonical(root_, error).filename().string(), scan);
  } else {
    const auto entries = sorted_entries(root_, error);
    if (error) {
      return fail(Code::kPermissionDenied,
                  fmt::format("model folder '{}' cannot be read: {}", root_.string(), error.message()));
    }
    for (const auto& entry : entries) {
      if (only == nullptr || only->contains(model_name(entry))) scan_entry(entry, scan);
    }
  }
  return {};
}

void RepositoryScanner::scan_named(const ModelEntry& entry, Scan& scan) {
  const auto ignore = [&](std::string reason) {
    scan.ignored.push_back(
        {fmt::format("{} (model {})", printable(entry.path.string()), printable(entry.name)), std::move(reason)});
  };
  std::error_code error;
  if (!is_usable_name(entry.name)) return ignore("its name is not printable UTF-8 of at most 200 bytes");
  if (taken_.contains(entry.name)) return ignore("a model of that name was already found in the model folder");
  if (fs::is_directory(entry.path, error)) return scan_model_folder(entry.path, entry.name, scan);
  if (!fs::is_regular_file(entry.path, error)) return ignore("there is no such file or folder");
  Backend* backend = recognise(entry.path);
  if (backend == nullptr) return ignore("no backend recognises its content");
  add({entry.name, 1}, {entry.path, backend, {}}, {entry.path.parent_path(), entry.path, false}, scan);
}

void RepositoryScanner::scan_entry(const fs::directory_entry& entry, Scan& scan) {
  std::error_code error;
  const bool is_folder = entry.is_directory(error);
  const std::string model = model_name(entry);
  const std::string shown = printable(entry.path().filename().string());
  const auto ignore = [&](std::string reason) { scan.ignored.push_back({shown, std::move(reason)}); };
  if (!is_folder && entry.path().extension() == ".toml") return;  // the configuration of the model beside it
  if (!is_usable_name(model)) return ignore("its name is not printable UTF-8 of at most 200 bytes");
  if (taken_.contains(model)) return ignore(fmt::format("a model named '{}' was already found beside it", model));
  if (is_folder) return scan_model_folder(entry.path(), model, scan);
  if (!entry.is_regular_file(error)) return ignore("neither a file nor a folder");
  Backend* backend = recognise(entry.path());
  if (backend == nullptr) return ignore("no backend recognises its content");
  add({model, 1}, {entry.path(), backend, {}}, {entry.path().parent_path(), entry.path(), false}, scan);
}

void RepositoryScanner::scan_model_folder(const fs::path& folder, const std::string& model, Scan& scan) {
  std::error_code error;
  const auto entries = sorted_entries(folder, error);
  const std::string shown = printable(folder.filename().string());
  if (error) {
    scan.ignored.push_back({shown, fmt::format("cannot be read: {}", error.message())});
    return;
  }
  std::set<std::uint64_t> numbers;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory(error)) continue;
    const auto version = version_number(name);
    if (!version) continue;
    const auto ignore = [&](std::string reason) {
      scan.ignored.push_back({fmt::format("{}/{}", shown, printable(name)), std::move(reason)});
    };
    if (!numbers.insert(*version).second) {
      ignore(fmt::format("another folder beside it is version {} as well", *version));
      continue;
    }
    const Choice choice = choose_model_file(entry.path());
    if (choice.backend == nullptr) {
      ignore(choice.problem);
    } else {
      add({model, *version}, choice, {entry.path(), folder, true}, scan);
    }
  }
  if (!numbers.empty()) return;
  const Choice choice = choose_model_file(folder);
  if (choice.backend == nullptr) {
    scan.ignored.push_back({shown, choice.problem});
  } else {
    add({model, 1}, choice, {folder, folder, true}, scan);
  }
}

RepositoryScanner::Choice RepositoryScanner::choose_model_file(const fs::path& folder) {
  if (Backend* backend = recognise_folder(folder)) return {folder, backend, {}};
  std::error_code error;
  std::vector<Choice> choices;
  for (const auto& entry : sorted_entries(folder, error)) {
    std::error_code broken_link;
    if (!entry.is_regular_file(broken_link)) continue;
    if (Backend* backend = recognise(entry.path())) choices.push_back({entry.path(), backend, {}});
  }
  if (error) return {{}, nullptr, fmt::format("cannot be read: {}", error.message())};
  if (choices.empty()) {
    return {{}, nullptr, "holds no model file and no version folder (a positive number) with one"};
  }
  if (choices.size() == 1) return choices.front();
  // Code comes before what it loads: model.py before a model.joblib beside it.
  const auto code = std::find_if(choices.begin(), choices.end(),
                                 [](const auto& choice) { return choice.path.filename() == "model.py"; });
  if (code != choices.end()) return *code;
  const auto named =
      std::find_if(choices.begin(), choices.end(), [](const auto& choice) { return choice.path.stem() == "model"; });
  if (named != choices.end()) return *named;
  return {{}, nullptr, fmt::format("holds {} model files; name the one to serve 'model'", choices.size())};
}

void RepositoryScanner::add(const VersionName& name, const Choice& choice, const Place& place, Scan& scan) {
  const Files files = examine(choice.path, place.folder, place.own_folder);
  std::uint64_t fingerprint = files.fingerprint;
  mix(fingerprint, config_fingerprint(place.base, place.own_folder));
  scan.versions.push_back({name.model, name.version, choice.path, place.folder, place.base, choice.backend, files.bytes,
                           fingerprint, files.fingerprint, place.own_folder});
  taken_.insert(name.model);
}

/// Asked anew each time: what a folder's own time says about its files is little.
Backend* RepositoryScanner::recognise_folder(const fs::path& folder) const {
  for (Backend* backend : backends_) {
    const auto answer = backend->recognises(folder);
    if (answer && *answer) return backend;
  }
  return nullptr;
}

Backend* RepositoryScanner::recognise(const fs::path& path) {
  Files files;
  add_file(files, path);
  auto& known = known_[path];
  known.seen = true;
  if (known.fingerprint == files.fingerprint) return known.backend;
  known = {files.fingerprint, nullptr, true};
  for (Backend* backend : backends_) {
    const auto answer = backend->recognises(path);
    if (answer && *answer) {
      known.backend = backend;
      break;
    }
  }
  return known.backend;
}

}  // namespace protean
