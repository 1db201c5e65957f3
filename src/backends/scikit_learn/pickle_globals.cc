// SPDX-License-Identifier: Apache-2.0
// The allow-list. Public classes of scikit-learn are let through by their form (the factory of estimators has the
// list of those that are served); everything else is listed one by one.
#include "backends/scikit_learn/pickle_globals.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "base/text.h"

namespace protean::sklearn {
namespace {

/// Classes and functions as `module.name`, sorted by hand into groups. `numpy.core` is what NumPy 1 calls
/// `numpy._core`.
constexpr std::string_view kAllowed[] = {
    "builtins.set",
    "builtins.frozenset",
    "builtins.dict",
    "builtins.list",
    "builtins.tuple",
    "builtins.slice",
    "builtins.range",
    "builtins.bytes",
    "builtins.bytearray",
    "builtins.object",
    "builtins.int",
    "builtins.float",
    "builtins.str",
    "builtins.bool",
    "builtins.complex",
    "builtins.type",
    "builtins.Ellipsis",
    "copyreg._reconstructor",
    "copyreg.__newobj__",
    "_codecs.encode",
    "collections.OrderedDict",
    "collections.defaultdict",
    "functools.partial",
    "numpy.ndarray",
    "numpy.dtype",
    "numpy.matrix",
    "numpy.nan",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.ma.MaskedArray",
    "numpy.ma.core.MaskedArray",
    "numpy.ma._mareconstruct",
    "numpy.ma.core._mareconstruct",
    "numpy._core._internal._reconstruct",
    "numpy._core._ufunc_reconstruct",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._pickle.__generator_ctor",
    "numpy.random.mtrand.RandomState",
    "numpy.random.RandomState",
    "numpy.random._generator.Generator",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    "numpy.random._mt19937.MT19937",
    "numpy.random._pcg64.PCG64",
    "numpy.random._pcg64.PCG64DXSM",
    "numpy.random._philox.Philox",
    "numpy.random._sfc64.SFC64",
    "scipy.sparse._csr.csr_matrix",
    "scipy.sparse._csr.csr_array",
    "scipy.sparse._csc.csc_matrix",
    "scipy.sparse._csc.csc_array",
    "scipy.sparse.csr.csr_matrix",
    "scipy.sparse.csc.csc_matrix",
    "scipy.sparse._dia.dia_matrix",
    "scipy.sparse._dia.dia_array",
    "scipy.sparse.dia.dia_matrix",
    "joblib.numpy_pickle.NumpyArrayWrapper",
};

/// Of `numpy`: element types, and the functions that a FunctionTransformer may name.
constexpr std::string_view kNumpyNames[] = {
    "bool_",   "bool",    "int8",     "int16",   "int32",      "int64",    "uint8", "uint16", "uint32",
    "uint64",  "float16", "float32",  "float64", "longlong",   "intc",     "str_",  "bytes_", "object_",
    "generic", "number",  "floating", "integer", "log",        "log1p",    "log2",  "log10",  "exp",
    "exp2",    "expm1",   "sqrt",     "cbrt",    "square",     "absolute", "abs",   "sign",   "sin",
    "cos",     "tan",     "tanh",     "arcsinh", "reciprocal", "negative", "rint",  "floor",  "ceil",
};

template <typename List>
bool listed(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool is_identifier(std::string_view text, bool dots) {
  if (text.empty() || text.size() > 200) return false;
  return std::all_of(text.begin(), text.end(), [dots](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (dots && c == '.');
  });
}

bool is_class_name(std::string_view name) {
  const auto start = name.find_first_not_of('_');
  return start != std::string_view::npos && start <= 1 && name[start] >= 'A' && name[start] <= 'Z';
}

/// Score and kernel functions that estimators keep as parameters, without being called for an answer.
bool is_known_function(std::string_view module, std::string_view name) {
  if (module == "sklearn.feature_selection._univariate_selection") {
    return name == "f_classif" || name == "f_regression" || name == "chi2" || name == "r_regression" ||
           name == "f_oneway";
  }
  if (module == "sklearn.feature_selection._mutual_info") return name.starts_with("mutual_info_");
  // What HistGradientBoosting passes numbers through on their way to its trees.
  if (module == "sklearn.utils.validation") return name == "check_array";
  if (module.starts_with("sklearn.metrics.") && name != "newObj") return name.find('_') != std::string_view::npos;
  return false;
}

/// Cython's way to an instance, and that of the neighbour trees.
bool is_constructor(std::string_view name) { return name.starts_with("__pyx_unpickle_") || name == "newObj"; }

bool from_scikit_learn(std::string_view module, std::string_view name) {
  if (module != "sklearn" && !module.starts_with("sklearn.") && module != "_loss") return false;
  return is_class_name(name) || is_constructor(name) || is_known_function(module, name);
}

/// One spelling for what NumPy 1, Python 2 and SciPy's public modules spell in another way.
std::string canonical(std::string_view module, std::string_view name) {
  std::string text(module);
  if (text == "__builtin__") text = "builtins";
  if (text == "copy_reg") text = "copyreg";
  if (text == "numpy.core" || text.starts_with("numpy.core.")) text.replace(0, 10, "numpy._core");
  if (text == "numpy._core._multiarray_umath") text = "numpy";
  return text + "." + std::string(name);
}

tl::unexpected<Error> refusal(std::string_view module, std::string_view name, std::string_view what) {
  return fail(Code::kInvalidArgument, "the file names '" + printable(name, 100) + "' of module '" +
                                          printable(module, 100) + "', " + std::string(what) +
                                          "; no code of the file was run. If the file can be trusted, " +
                                          std::string(kWayOut));
}

}  // namespace

Status check_global(std::string_view module, std::string_view name) {
  if (!is_identifier(module, true) || !is_identifier(name, false)) {
    return refusal(module, name, "which is not the plain name of a class");
  }
  const auto full = canonical(module, name);
  if (listed(kAllowed, full)) return {};
  if (full == "numpy." + std::string(name) && listed(kNumpyNames, name)) return {};
  if (full.starts_with("numpy.dtypes.") && name.ends_with("DType")) return {};
  if (full.starts_with("scipy.special.") && (name == "expit" || name == "logit")) return {};
  if (from_scikit_learn(module, name)) return {};
  return refusal(module, name, "which is not known here as a part of a scikit-learn model");
}

Status check_call(std::string_view module, std::string_view name) {
  const auto full = canonical(module, name);
  const bool element_type = full.starts_with("builtins.");
  constexpr std::string_view kData[] = {"builtins.set",       "builtins.frozenset", "builtins.dict",  "builtins.list",
                                        "builtins.tuple",     "builtins.slice",     "builtins.range", "builtins.bytes",
                                        "builtins.bytearray", "builtins.complex"};
  if (element_type) {
    if (listed(kData, full)) return {};
    return refusal(module, name, "and asks for a call of it, which no scikit-learn model needs");
  }
  if (full == "numpy." + std::string(name) && listed(kNumpyNames, name)) {
    return refusal(module, name, "and asks for a call of it, which no scikit-learn model needs");
  }
  if (module.starts_with("sklearn") && !is_class_name(name) && !is_constructor(name)) {
    return refusal(module, name, "and asks for a call of it, which no scikit-learn model needs");
  }
  return {};
}

}  // namespace protean::sklearn
