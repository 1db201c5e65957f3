// SPDX-License-Identifier: Apache-2.0
// Trees against libxgboost's C API, LightGBM's C API and ONNX Runtime's tree operator: one model, one thread, one
// process, contestants taking turns. Libraries are opened at run time; nothing of theirs is needed to build this.
// Usage: trees_bench rounds=N rows=ROWS.f32 columns=F [protean=M.json|M.txt] [xgboost=LIB,M.json] [lightgbm=LIB,M.txt]
//        [onnxruntime=LIB,M.onnx]
// Prints {"single": {contestant: [microseconds a call, one a round]}, "batch": ..., "explain": ...} and what of
// `single` is the largest difference of the predictions from ours. `protean`: the trees alone; `protean model`: what
// the server calls, with its tensors.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "backends/trees/backend.h"
#include "backends/trees/tree_file.h"
#include "onnx_session.h"
#include "trees/predict.h"
#include "trees/tree_shap.h"

namespace {

using namespace protean;  // NOLINT(google-build-using-namespace): a program of its own

constexpr std::size_t kExplained = 64;

/// One call over `count` rows from the row `first` on; the first prediction of the call.
using Call = std::function<double(std::size_t first, std::size_t count)>;
struct Contestant {
  Call predict;
  Call explain;  // of kExplained rows; empty: it cannot
};

[[noreturn]] void give_up(const std::string& why) { throw std::runtime_error(why); }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The rows of all calls.
struct Rows {
  std::vector<float> floats;
  std::vector<double> doubles;
  std::size_t columns = 0;
  std::size_t count = 0;
};

template <typename Function>
Function symbol(void* library, const char* name) {
  void* found = ::dlsym(library, name);
  if (found == nullptr) give_up(std::string("no symbol ") + name);
  return reinterpret_cast<Function>(found);
}

void* open_library(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) give_up(::dlerror());
  return library;
}

void add_ours(std::map<std::string, Contestant>& contestants, const std::string& path, const Rows& rows) {
  const std::string bytes = read_file(path);
  const auto format = recognise_tree_file(bytes.substr(0, kTreeHeadBytes),
                                          bytes.substr(bytes.size() - std::min(bytes.size(), kTreeTailBytes)));
  if (!format) give_up(path + ": not recognised");
  auto spec = read_tree_file(*format, bytes);
  if (!spec) give_up(spec.error().message);
  auto made = make_ensemble(std::move(spec->ensemble));
  if (!made) give_up(made.error().message);
  const auto ensemble = std::make_shared<TreeEnsemble>(*std::move(made));
  auto explainer = TreeShap::make(*ensemble);
  if (!explainer) give_up(explainer.error().message);
  const auto shap = std::make_shared<TreeShap>(*std::move(explainer));
  const auto out = std::make_shared<std::vector<double>>(rows.count * ensemble->outputs() * (rows.columns + 1));
  const bool wide = ensemble->rows() == RowType::kFloat64;
  const auto part = [&rows](const auto& all, std::size_t first, std::size_t count) {
    return std::span(all.data() + first * rows.columns, count * rows.columns);
  };
  auto& ours = contestants["protean"];
  ours.predict = [=, &rows](std::size_t first, std::size_t count) {
    const std::span results(out->data(), count * ensemble->outputs());
    wide ? predict_margins(*ensemble, part(rows.doubles, first, count), results)
         : predict_margins(*ensemble, part(rows.floats, first, count), results);
    return out->front();
  };
  ours.explain = [=, &rows](std::size_t first, std::size_t count) {
    const std::span results(out->data(), count * ensemble->outputs() * (rows.columns + 1));
    wide ? shap->explain(part(rows.doubles, first, count), results)
         : shap->explain(part(rows.floats, first, count), results);
    return out->front();
  };
}

/// What the server calls.
void add_our_model(std::map<std::string, Contestant>& contestants, const std::string& path, const Rows& rows) {
  auto loaded = make_trees_backend()->load({"bench", "1", path, std::filesystem::path(path).parent_path()}, {});
  if (!loaded) give_up(loaded.error().message);
  const std::shared_ptr<Model> model = std::move(*loaded);
  const auto type = model->signature().inputs[0].type;
  Buffer bytes;
  type == DataType::kFp64 ? bytes.append(rows.doubles.data(), rows.doubles.size() * sizeof(double))
                          : bytes.append(rows.floats.data(), rows.floats.size() * sizeof(float));
  const Slice all = std::move(bytes).share();
  const std::size_t row_bytes = rows.columns * element_size(type);
  contestants["protean model"].predict = [=, &rows](std::size_t first, std::size_t count) {
    const Tensor input{type,
                       {static_cast<std::int64_t>(count), static_cast<std::int64_t>(rows.columns)},
                       all.part(first * row_bytes, count * row_bytes)};
    const Tensor* inputs[] = {&input};
    const std::size_t outputs[] = {0};
    const auto answers = model->run({inputs, outputs, {}});
    if (!answers) give_up(answers.error().message);
    if (answers->front().type == DataType::kFp64) return *reinterpret_cast<const double*>(answers->front().data.data());
    return static_cast<double>(*reinterpret_cast<const float*>(answers->front().data.data()));
  };
}

/// Rows as XGBoost's array interface names them.
std::string array_interface(const Rows& rows, std::size_t first, std::size_t count) {
  const auto address = reinterpret_cast<std::uintptr_t>(rows.floats.data() + first * rows.columns);
  return "{\"data\":[" + std::to_string(address) + ",true],\"shape\":[" + std::to_string(count) + "," +
         std::to_string(rows.columns) + "],\"typestr\":\"<f4\",\"version\":3}";
}

void add_xgboost(std::map<std::string, Contestant>& contestants, const std::string& library_path,
                 const std::string& path, const Rows& rows) {
  using Handle = void*;
  void* library = open_library(library_path);
  const auto must = [](int status) {
    if (status != 0) give_up("libxgboost: a call failed");
  };
  Handle booster = nullptr;
  must(symbol<int (*)(const Handle*, std::uint64_t, Handle*)>(library, "XGBoosterCreate")(nullptr, 0, &booster));
  must(symbol<int (*)(Handle, const char*)>(library, "XGBoosterLoadModel")(booster, path.c_str()));
  must(symbol<int (*)(Handle, const char*, const char*)>(library, "XGBoosterSetParam")(booster, "nthread", "1"));
  using FromDense =
      int (*)(Handle, const char*, const char*, Handle, const std::uint64_t**, std::uint64_t*, const float**);
  using FromMatrix = int (*)(Handle, Handle, const char*, const std::uint64_t**, std::uint64_t*, const float**);
  const auto from_dense = symbol<FromDense>(library, "XGBoosterPredictFromDense");
  const auto from_matrix = symbol<FromMatrix>(library, "XGBoosterPredictFromDMatrix");
  const auto make_matrix = symbol<int (*)(const char*, const char*, Handle*)>(library, "XGDMatrixCreateFromDense");
  constexpr const char* kConfig =
      R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false,"missing":NaN})";
  constexpr const char* kExplain =
      R"({"type":2,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false})";
  // What a caller can prepare is prepared: the texts that name the rows, the matrix to explain.
  const auto singles = std::make_shared<std::vector<std::string>>();
  for (std::size_t i = 0; i < rows.count; ++i) singles->push_back(array_interface(rows, i, 1));
  const std::string everything = array_interface(rows, 0, rows.count);
  Handle proxy = nullptr;
  must(symbol<int (*)(Handle*)>(library, "XGProxyDMatrixCreate")(&proxy));
  Handle few = nullptr;
  must(make_matrix(array_interface(rows, 0, kExplained).c_str(), R"({"missing":NaN,"nthread":1})", &few));
  auto& theirs = contestants["xgboost"];
  theirs.predict = [=](std::size_t first, std::size_t count) {
    const std::uint64_t* shape = nullptr;
    std::uint64_t dimensions = 0;
    const float* result = nullptr;
    const auto& named = count == 1 ? (*singles)[first] : everything;
    must(from_dense(booster, named.c_str(), kConfig, proxy, &shape, &dimensions, &result));
    return static_cast<double>(result[0]);
  };
  theirs.explain = [=](std::size_t, std::size_t) {
    const std::uint64_t* shape = nullptr;
    std::uint64_t dimensions = 0;
    const float* result = nullptr;
    must(from_matrix(booster, few, kExplain, &shape, &dimensions, &result));
    return static_cast<double>(result[0]);
  };
}

void add_lightgbm(std::map<std::string, Contestant>& contestants, const std::string& library_path,
                  const std::string& path, const Rows& rows) {
  using Handle = void*;
  constexpr int kDouble = 1;   // C_API_DTYPE_FLOAT64
  constexpr int kNormal = 0;   // C_API_PREDICT_NORMAL
  constexpr int kContrib = 3;  // C_API_PREDICT_CONTRIB
  void* library = open_library(library_path);
  const auto must = [](int status) {
    if (status != 0) give_up("lib_lightgbm: a call failed");
  };
  Handle booster = nullptr;
  int rounds = 0;
  must(symbol<int (*)(const char*, int*, Handle*)>(library, "LGBM_BoosterCreateFromModelfile")(path.c_str(), &rounds,
                                                                                               &booster));
  Handle fast = nullptr;
  const int columns = static_cast<int>(rows.columns);
  must(symbol<int (*)(Handle, int, int, int, int, std::int32_t, const char*, Handle*)>(
      library, "LGBM_BoosterPredictForMatSingleRowFastInit")(booster, kNormal, 0, -1, kDouble, columns, "num_threads=1",
                                                             &fast));
  const auto single =
      symbol<int (*)(Handle, const void*, std::int64_t*, double*)>(library, "LGBM_BoosterPredictForMatSingleRowFast");
  const auto many = symbol<int (*)(Handle, const void*, int, std::int32_t, std::int32_t, int, int, int, int,
                                   const char*, std::int64_t*, double*)>(library, "LGBM_BoosterPredictForMat");
  const auto out = std::make_shared<std::vector<double>>(rows.count * (rows.columns + 1));
  auto& theirs = contestants["lightgbm"];
  theirs.predict = [=, &rows](std::size_t first, std::size_t count) {
    std::int64_t size = 0;
    const double* row = rows.doubles.data() + first * rows.columns;
    must(count == 1 ? single(fast, row, &size, out->data())
                    : many(booster, row, kDouble, static_cast<std::int32_t>(count), columns, 1, kNormal, 0, -1,
                           "num_threads=1", &size, out->data()));
    return out->front();
  };
  theirs.explain = [=, &rows](std::size_t, std::size_t count) {
    std::int64_t size = 0;
    must(many(booster, rows.doubles.data(), kDouble, static_cast<std::int32_t>(count), columns, 1, kContrib, 0, -1,
              "num_threads=1", &size, out->data()));
    return out->front();
  };
}

void add_onnxruntime(std::map<std::string, Contestant>& contestants, const std::string& library,
                     const std::string& path, Rows& rows) {
  const auto session = std::make_shared<bench::OnnxSession>(library, path);
  contestants["onnxruntime"].predict = [=, &rows](std::size_t first, std::size_t count) {
    std::vector<Ort::Value> inputs;
    const std::size_t width = rows.columns * sizeof(float);
    inputs.push_back(bench::OnnxSession::view(
        rows.floats.data() + first * rows.columns, count * width, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
        {static_cast<std::int64_t>(count), static_cast<std::int64_t>(rows.columns)}));
    return static_cast<double>(session->run(inputs)[0].GetTensorData<float>()[0]);
  };
}

/// Microseconds a call of one round.
double measure(const Call& call, const Rows& rows, std::size_t count, std::size_t calls) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < calls; ++i) call(count == 1 ? i % rows.count : 0, count);
  const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / static_cast<double>(calls);
}

void print_case(const char* name, const std::map<std::string, std::vector<double>>& times) {
  std::printf("  \"%s\": {", name);
  const char* comma = "";
  for (const auto& [contestant, list] : times) {
    std::printf("%s\"%s\": [", comma, contestant.c_str());
    for (std::size_t i = 0; i < list.size(); ++i) std::printf("%s%.3f", i == 0 ? "" : ", ", list[i]);
    std::printf("]");
    comma = ", ";
  }
  std::printf("},\n");
}

void run_case(const char* name, const std::map<std::string, Contestant>& contestants, const Rows& rows,
              std::array<std::size_t, 3> rounds_count_calls) {
  const auto [rounds, count, calls] = rounds_count_calls;
  std::map<std::string, std::vector<double>> times;
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (const auto& [contestant, entry] : contestants) {
      const bool explains = std::strcmp(name, "explain") == 0;
      const Call& call = explains ? entry.explain : entry.predict;
      if (!call) continue;
      const double us = measure(call, rows, count, calls);
      if (round != 0) times[contestant].push_back(us);  // the first is the warm-up
    }
  }
  print_case(name, times);
}

/// The largest difference of each contestant's predictions from those of what the server would answer.
void print_differences(const std::map<std::string, Contestant>& contestants, const Rows& rows) {
  std::printf("  \"difference\": {");
  const char* comma = "";
  for (const auto& [name, contestant] : contestants) {
    double largest = 0;
    for (std::size_t i = 0; i < rows.count; ++i) {
      largest = std::max(largest, std::fabs(contestant.predict(i, 1) - contestants.at("protean model").predict(i, 1)));
    }
    std::printf("%s\"%s\": %.3g", comma, name.c_str(), largest);
    comma = ", ";
  }
  std::printf("}\n");
}

void run_program(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    options[argument.substr(0, argument.find('='))] = argument.substr(argument.find('=') + 1);
  }
  Rows rows;
  rows.columns = std::stoul(options.at("columns"));
  const std::string bytes = read_file(options.at("rows"));
  rows.floats.resize(bytes.size() / sizeof(float));
  std::memcpy(rows.floats.data(), bytes.data(), bytes.size());
  rows.doubles.assign(rows.floats.begin(), rows.floats.end());
  rows.count = rows.floats.size() / rows.columns;
  std::map<std::string, Contestant> contestants;
  add_ours(contestants, options.at("protean"), rows);
  add_our_model(contestants, options.at("protean"), rows);
  const auto peer = [&](const char* name) -> std::optional<std::array<std::string, 2>> {
    if (!options.contains(name)) return std::nullopt;
    const auto& value = options[name];
    return std::array{value.substr(0, value.find(',')), value.substr(value.find(',') + 1)};
  };
  if (const auto given = peer("xgboost")) add_xgboost(contestants, (*given)[0], (*given)[1], rows);
  if (const auto given = peer("lightgbm")) add_lightgbm(contestants, (*given)[0], (*given)[1], rows);
  if (const auto given = peer("onnxruntime")) add_onnxruntime(contestants, (*given)[0], (*given)[1], rows);
  const std::size_t rounds = std::stoul(options.at("rounds"));
  std::printf("{\n");
  run_case("single", contestants, rows, {rounds, 1, 2 * rows.count});
  run_case("batch", contestants, rows, {rounds, rows.count, 8});
  run_case("explain", contestants, rows, {rounds, kExplained, 1});
  print_differences(contestants, rows);
  std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run_program(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "trees_bench: %s\n", error.what());
    return 1;
  }
}
