// SPDX-License-Identifier: Apache-2.0
// Transformers that treat each column (or each row) by itself with a formula: scalers, normaliser, binariser,
// functions by name.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/scikit_learn/families.h"

namespace protean::sklearn {
namespace {

/// (x - shift) / scale, or x * scale + shift for MinMaxScaler; then clipped.
class Scaler final : public Estimator {
 public:
  struct Parameters {
    std::vector<double> shift;
    std::vector<double> scale;
    bool multiplies = false;
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
  };
  Scaler(EstimatorFacts facts, Parameters parameters) : Estimator(std::move(facts)), p_(std::move(parameters)) {}

  bool affine(std::vector<double>& scale, std::vector<double>& offset) const override {
    if (std::isfinite(p_.low) || std::isfinite(p_.high)) return false;
    for (std::size_t j = 0; j < facts().inputs; ++j) {
      scale.push_back(p_.multiplies ? p_.scale[j] : 1 / p_.scale[j]);
      offset.push_back(p_.multiplies ? p_.shift[j] : -p_.shift[j] / p_.scale[j]);
    }
    return true;
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out.numbers.reset(in.rows(), in.cols());
    for (std::size_t i = 0; i < in.rows(); ++i) {
      const double* x = in.numbers.row(i);
      double* y = out.numbers.row(i);
      for (std::size_t j = 0; j < in.cols(); ++j) {
        y[j] = p_.multiplies ? x[j] * p_.scale[j] + p_.shift[j] : (x[j] - p_.shift[j]) / p_.scale[j];
        if (!std::isnan(y[j])) y[j] = std::clamp(y[j], p_.low, p_.high);
      }
    }
    return {};
  }
  const Parameters p_;
};

enum class Norm : unsigned char { kL1, kL2, kMax };

class Normalizer final : public Estimator {
 public:
  Normalizer(EstimatorFacts facts, Norm norm) : Estimator(std::move(facts)), norm_(norm) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out = in;
    for (std::size_t i = 0; i < in.rows(); ++i) {
      double length = 0;
      for (const double x : in.numbers.row_span(i)) {
        if (norm_ == Norm::kMax) length = std::max(length, std::abs(x));
        if (norm_ == Norm::kL1) length += std::abs(x);
        if (norm_ == Norm::kL2) length += x * x;
      }
      if (norm_ == Norm::kL2) length = std::sqrt(length);
      if (length == 0) continue;
      for (std::size_t j = 0; j < in.cols(); ++j) out.numbers.at(i, j) /= length;
    }
    return {};
  }
  const Norm norm_;
};

class Binarizer final : public Estimator {
 public:
  Binarizer(EstimatorFacts facts, double threshold) : Estimator(std::move(facts)), threshold_(threshold) {}

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out = in;
    for (auto& x : out.numbers.values) x = x > threshold_ ? 1 : 0;
    return {};
  }
  const double threshold_;
};

using Function = double (*)(double);

/// `functools.partial(check_array, ...)`, which HistGradientBoosting puts where numbers only pass through.
bool only_checks(const Value& function) {
  return function.global_name() == "partial" && function.args().item(0).global_name() == "check_array";
}

/// `function`: nullptr passes everything through, texts too.
class FunctionStep final : public Estimator {
 public:
  FunctionStep(EstimatorFacts facts, Function function) : Estimator(std::move(facts)), function_(function) {}
  std::vector<ColumnFacts> columns() const override {
    if (function_ != nullptr) return Estimator::columns();
    return std::vector<ColumnFacts>(facts().inputs);
  }
  bool affine(std::vector<double>& scale, std::vector<double>& offset) const override {
    if (function_ != nullptr) return false;
    scale.assign(facts().inputs, 1);
    offset.assign(facts().inputs, 0);
    return true;
  }

 private:
  Status do_transform(const Frame& in, Frame& out) const override {
    out = in;
    if (function_ == nullptr) return {};
    for (auto& x : out.numbers.values) x = function_(x);
    return {};
  }
  const Function function_;
};

struct NamedFunction {
  std::string_view name;
  Function function;
};

constexpr NamedFunction kFunctions[] = {
    {"log", [](double x) { return std::log(x); }},
    {"log1p", [](double x) { return std::log1p(x); }},
    {"log2", [](double x) { return std::log2(x); }},
    {"log10", [](double x) { return std::log10(x); }},
    {"exp", [](double x) { return std::exp(x); }},
    {"exp2", [](double x) { return std::exp2(x); }},
    {"expm1", [](double x) { return std::expm1(x); }},
    {"sqrt", [](double x) { return std::sqrt(x); }},
    {"cbrt", [](double x) { return std::cbrt(x); }},
    {"square", [](double x) { return x * x; }},
    {"absolute", [](double x) { return std::abs(x); }},
    {"abs", [](double x) { return std::abs(x); }},
    {"sin", [](double x) { return std::sin(x); }},
    {"cos", [](double x) { return std::cos(x); }},
    {"tan", [](double x) { return std::tan(x); }},
    {"tanh", [](double x) { return std::tanh(x); }},
    {"arcsinh", [](double x) { return std::asinh(x); }},
    {"reciprocal", [](double x) { return 1 / x; }},
    {"negative", [](double x) { return -x; }},
    {"rint", [](double x) { return std::nearbyint(x); }},
    {"floor", [](double x) { return std::floor(x); }},
    {"ceil", [](double x) { return std::ceil(x); }},
    {"sign", [](double x) { return std::isnan(x) ? x : static_cast<double>((x > 0) - (x < 0)); }},
};

/// The vector `name`, or `otherwise` for each input where the option that makes it is off.
Result<std::vector<double>> per_column(const State& state, std::string_view name, std::size_t count, double otherwise) {
  if (!state.has(name)) return std::vector<double>(count, otherwise);
  TRY(auto numbers, state.numbers(name));
  TRY_STATUS(state.expect(numbers.size(), count, name));
  return numbers;
}

}  // namespace

Result<EstimatorPtr> make_scaler(const State& state) {
  TRY(auto facts, state.facts());
  facts.outputs = facts.inputs;
  facts.missing = Missing::kNanAllowed;
  const auto count = facts.inputs;
  Scaler::Parameters p;
  const auto& name = state.class_name();
  if (name == "StandardScaler") {
    TRY(p.shift, per_column(state, state.flag_or("with_mean", true) ? "mean_" : "", count, 0));
    TRY(p.scale, per_column(state, state.flag_or("with_std", true) ? "scale_" : "", count, 1));
  } else if (name == "RobustScaler") {
    TRY(p.shift, per_column(state, state.flag_or("with_centering", true) ? "center_" : "", count, 0));
    TRY(p.scale, per_column(state, state.flag_or("with_scaling", true) ? "scale_" : "", count, 1));
  } else if (name == "MaxAbsScaler") {
    p.shift.assign(count, 0);
    TRY_STATUS(state.get("scale_"));
    TRY(p.scale, per_column(state, "scale_", count, 1));
    if (state.flag_or("clip", false)) p.low = -1, p.high = 1;
  } else {
    TRY_STATUS(state.get("scale_"));
    TRY(p.shift, per_column(state, "min_", count, 0));
    TRY(p.scale, per_column(state, "scale_", count, 1));
    p.multiplies = true;
    if (state.flag_or("clip", false)) {
      TRY(const auto range, state.numbers("feature_range"));
      TRY_STATUS(state.expect(range.size(), 2, "feature_range"));
      if (!(range[0] <= range[1])) return state.refuse("'feature_range' is out of order");
      p.low = range[0];
      p.high = range[1];
    }
  }
  return std::make_unique<Scaler>(std::move(facts), std::move(p));
}

Result<EstimatorPtr> make_normalizer(const State& state) {
  TRY(auto facts, state.facts());
  facts.outputs = facts.inputs;
  const auto norm = state.text_or("norm", "l2");
  if (norm != "l1" && norm != "l2" && norm != "max") return state.not_served("norm '" + norm + "' is not known");
  return std::make_unique<Normalizer>(std::move(facts), norm == "l1"   ? Norm::kL1
                                                        : norm == "l2" ? Norm::kL2
                                                                       : Norm::kMax);
}

Result<EstimatorPtr> make_binarizer(const State& state) {
  TRY(auto facts, state.facts());
  facts.outputs = facts.inputs;
  return std::make_unique<Binarizer>(std::move(facts), state.number_or("threshold", 0));
}

Result<EstimatorPtr> make_function(const State& state) {
  TRY(auto facts, state.facts());
  facts.outputs = facts.inputs;
  facts.missing = Missing::kAnything;
  if (state.flag_or("validate", false)) facts.missing = Missing::kRefused;
  const auto given = state.find("func");
  if (given.is_none() || only_checks(given)) return std::make_unique<FunctionStep>(std::move(facts), nullptr);
  if (!state.find("kw_args").is_none() && state.find("kw_args").size() > 0) {
    return state.not_served("a function with arguments ('kw_args') is not served natively");
  }
  for (const auto& known : kFunctions) {
    if (given.is(Kind::kGlobal) && given.global_module().starts_with("numpy") && given.global_name() == known.name) {
      return std::make_unique<FunctionStep>(std::move(facts), known.function);
    }
  }
  return state.not_served("the function " + given.describe() + " is not known here");
}

EstimatorPtr make_passthrough(std::size_t inputs) {
  EstimatorFacts facts;
  facts.class_name = "passthrough";
  facts.inputs = facts.outputs = inputs;
  facts.missing = Missing::kAnything;
  return std::make_unique<FunctionStep>(std::move(facts), nullptr);
}

}  // namespace protean::sklearn
