// SPDX-License-Identifier: Apache-2.0
// The bare loops of backends/trees: one row, many rows, contributions. Loaded as a library by trees_bench.py, which
// measures it in turn with the libraries that it is compared to, in one process on one core.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/trees/tree_file.h"
#include "trees/predict.h"
#include "trees/tree_shap.h"

namespace {

struct Loaded {
  explicit Loaded(protean::TreeEnsemble made) : ensemble(std::move(made)) {}
  protean::TreeEnsemble ensemble;
  std::optional<protean::TreeShap> shap;
};

}  // namespace

/// Loads an XGBoost JSON file; null with a message on standard error when that fails.
extern "C" void* trees_bench_load(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto spec = protean::read_tree_file(protean::TreeFormat::kXgboostJson, bytes);
  if (!spec) {
    std::fprintf(stderr, "%s\n", spec.error().message.c_str());
    return nullptr;
  }
  auto made = protean::make_ensemble(std::move(spec->ensemble));
  if (!made) return nullptr;
  auto loaded = std::make_unique<Loaded>(*std::move(made));
  if (auto shap = protean::TreeShap::make(loaded->ensemble)) loaded->shap.emplace(*std::move(shap));
  return loaded.release();
}

/// Margins of `count` rows.
extern "C" void trees_bench_predict(const void* handle, const float* rows, std::size_t count, double* out) {
  const auto& ensemble = static_cast<const Loaded*>(handle)->ensemble;
  protean::predict_margins(ensemble, std::span(rows, count * ensemble.features()),
                           std::span(out, count * ensemble.outputs()));
}

/// Contributions of `count` rows.
extern "C" void trees_bench_explain(const void* handle, const float* rows, std::size_t count, double* out) {
  const auto& loaded = *static_cast<const Loaded*>(handle);
  const std::size_t width = loaded.ensemble.outputs() * (std::size_t{loaded.ensemble.features()} + 1);
  loaded.shap->explain(std::span(rows, count * loaded.ensemble.features()), std::span(out, count * width));
}
