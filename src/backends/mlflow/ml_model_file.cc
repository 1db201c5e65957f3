// SPDX-License-Identifier: Apache-2.0
// Only what is served is read: the rest of the file is for people and for MLflow.
#include "backends/mlflow/ml_model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

#include "backends/mlflow/yaml_tree.h"
#include "base/text.h"

namespace protean {
namespace {

namespace fs = std::filesystem;

/// Where a flavor says which file is its own, the first that is there.
constexpr std::array<std::string_view, 3> kFileKeys = {"data", "pickled_model", "model_path"};

tl::unexpected<Error> refuse(std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("MLmodel: {}", what));
}

}  // namespace

Result<MlModelFile> parse_ml_model(std::string_view text) {
  auto root = parse_yaml(text);
  if (!root) return refuse(root.error().message);
  const YamlNode* flavors = root->find("flavors");
  if (flavors == nullptr || flavors->kind != YamlNode::Kind::kMap) return refuse("no map 'flavors'");
  MlModelFile file;
  file.mlflow_version = root->text_of("mlflow_version");
  for (const auto& [name, flavor] : flavors->members) {
    Flavor& one = file.flavors.emplace_back();
    one.name = name;
    for (const auto key : kFileKeys) {
      if (one.file.empty()) one.file = flavor.text_of(key);
    }
  }
  if (file.flavors.empty()) return refuse("'flavors' is empty");
  if (const YamlNode* signature = root->find("signature")) {
    auto schema = parse_schema(signature->text_of("inputs"), signature->text_of("params"));
    if (!schema) return refuse(schema.error().message);
    file.schema = *std::move(schema);
  }
  if (const YamlNode* example = root->find("saved_input_example_info")) {
    file.example_file = example->text_of("artifact_path");
    file.example_type = example->text_of("type");
  }
  return file;
}

Result<fs::path> inner_path(const fs::path& folder, const std::string& file) {
  const fs::path relative(file);
  const bool climbs = std::ranges::any_of(relative, [](const fs::path& part) { return part == ".."; });
  if (file.empty() || relative.is_absolute() || climbs || file.find('\0') != std::string::npos) {
    return refuse(fmt::format("'{}' is not a path within the model's folder", printable(file)));
  }
  std::error_code error;
  const fs::path real = fs::canonical(folder / relative, error);
  if (error) return refuse(fmt::format("'{}' cannot be found: {}", printable(file), error.message()));
  const fs::path home = fs::canonical(folder, error);
  const bool inside = !error && std::mismatch(home.begin(), home.end(), real.begin(), real.end()).first == home.end();
  if (!inside) return refuse(fmt::format("'{}' leads out of the model's folder", printable(file)));
  return folder / relative;
}

Result<std::string> read_text(const fs::path& folder, const std::string& file, std::size_t bytes_max) {
  TRY(const fs::path path, inner_path(folder, file));
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return refuse(fmt::format("'{}' is no file", printable(file)));
  std::ifstream in(path, std::ios::binary);
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || !in.is_open()) return fail(Code::kUnavailable, fmt::format("'{}' cannot be read", printable(file)));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > bytes_max) {
    return refuse(fmt::format("'{}' has more than {} bytes", printable(file), bytes_max));
  }
  return text;
}

}  // namespace protean
