// SPDX-License-Identifier: Apache-2.0
// The list of classes that are served, each with the function that makes it.
#include <algorithm>
#include <string>
#include <vector>

#include "backends/scikit_learn/families.h"
#include "backends/scikit_learn/pickle_globals.h"

namespace protean::sklearn {
namespace {

using Make = Result<EstimatorPtr> (*)(const State&);

struct Served {
  std::string_view name;
  Make make;
};

/// Estimators inside estimators.
constexpr unsigned kDepthMax = 16;

constexpr Served kServed[] = {
    {"ARDRegression", make_linear_regressor},
    {"AdaBoostClassifier", make_adaboost},
    {"AdaBoostRegressor", make_adaboost},
    {"BaggingClassifier", make_bagging},
    {"BaggingRegressor", make_bagging},
    {"BayesianRidge", make_linear_regressor},
    {"BernoulliNB", make_naive_bayes},
    {"Binarizer", make_binarizer},
    {"CalibratedClassifierCV", make_calibrated},
    {"CategoricalNB", make_naive_bayes},
    {"ColumnTransformer", make_column_transformer},
    {"ComplementNB", make_naive_bayes},
    {"CountVectorizer", make_vectorizer},
    {"DecisionTreeClassifier", make_tree},
    {"DecisionTreeRegressor", make_tree},
    {"DummyClassifier", make_dummy},
    {"DummyRegressor", make_dummy},
    {"ElasticNet", make_linear_regressor},
    {"ElasticNetCV", make_linear_regressor},
    {"ExtraTreeClassifier", make_tree},
    {"ExtraTreeRegressor", make_tree},
    {"ExtraTreesClassifier", make_forest},
    {"ExtraTreesRegressor", make_forest},
    {"FeatureUnion", make_union},
    {"FixedThresholdClassifier", make_threshold},
    {"FunctionTransformer", make_function},
    {"GammaRegressor", make_linear_regressor},
    {"GaussianNB", make_naive_bayes},
    {"GenericUnivariateSelect", make_selection},
    {"GradientBoostingClassifier", make_gradient_boosting},
    {"GradientBoostingRegressor", make_gradient_boosting},
    {"GridSearchCV", make_search},
    {"HalvingGridSearchCV", make_search},
    {"HalvingRandomSearchCV", make_search},
    {"HistGradientBoostingClassifier", make_histogram_boosting},
    {"HistGradientBoostingRegressor", make_histogram_boosting},
    {"HuberRegressor", make_linear_regressor},
    {"IncrementalPCA", make_decomposition},
    {"IsolationForest", make_isolation_forest},
    {"KBinsDiscretizer", make_bins},
    {"KMeans", make_clusters},
    {"KNNImputer", make_neighbour_imputer},
    {"KNeighborsClassifier", make_neighbours},
    {"KNeighborsRegressor", make_neighbours},
    {"LabelBinarizer", make_label_encoder},
    {"LabelEncoder", make_label_encoder},
    {"Lars", make_linear_regressor},
    {"LarsCV", make_linear_regressor},
    {"Lasso", make_linear_regressor},
    {"LassoCV", make_linear_regressor},
    {"LassoLars", make_linear_regressor},
    {"LassoLarsCV", make_linear_regressor},
    {"LassoLarsIC", make_linear_regressor},
    {"LinearDiscriminantAnalysis", make_linear_classifier},
    {"LinearRegression", make_linear_regressor},
    {"LinearSVC", make_linear_classifier},
    {"LinearSVR", make_linear_regressor},
    {"LogisticRegression", make_linear_classifier},
    {"LogisticRegressionCV", make_linear_classifier},
    {"MLPClassifier", make_network},
    {"MLPRegressor", make_network},
    {"MaxAbsScaler", make_scaler},
    {"MinMaxScaler", make_scaler},
    {"MiniBatchKMeans", make_clusters},
    {"MissingIndicator", make_missing_indicator},
    {"MultiTaskElasticNet", make_linear_regressor},
    {"MultiTaskElasticNetCV", make_linear_regressor},
    {"MultiTaskLasso", make_linear_regressor},
    {"MultiTaskLassoCV", make_linear_regressor},
    {"MultinomialNB", make_naive_bayes},
    {"Normalizer", make_normalizer},
    {"NuSVC", make_kernel_machine},
    {"NuSVR", make_kernel_machine},
    {"OneClassSVM", make_kernel_machine},
    {"OneHotEncoder", make_one_hot_encoder},
    {"OneVsRestClassifier", make_one_against_rest},
    {"OrdinalEncoder", make_ordinal_encoder},
    {"OrthogonalMatchingPursuit", make_linear_regressor},
    {"OrthogonalMatchingPursuitCV", make_linear_regressor},
    {"PCA", make_decomposition},
    {"PassiveAggressiveClassifier", make_linear_classifier},
    {"PassiveAggressiveRegressor", make_linear_regressor},
    {"Perceptron", make_linear_classifier},
    {"Pipeline", make_pipeline},
    {"PoissonRegressor", make_linear_regressor},
    {"PolynomialFeatures", make_polynomial},
    {"PowerTransformer", make_power},
    {"QuantileRegressor", make_linear_regressor},
    {"QuantileTransformer", make_quantile},
    {"RFE", make_selection},
    {"RFECV", make_selection},
    {"RandomForestClassifier", make_forest},
    {"RandomForestRegressor", make_forest},
    {"RandomizedSearchCV", make_search},
    {"Ridge", make_linear_regressor},
    {"RidgeCV", make_linear_regressor},
    {"RidgeClassifier", make_linear_classifier},
    {"RidgeClassifierCV", make_linear_classifier},
    {"RobustScaler", make_scaler},
    {"SGDClassifier", make_linear_classifier},
    {"SGDOneClassSVM", make_linear_outliers},
    {"SGDRegressor", make_linear_regressor},
    {"SVC", make_kernel_machine},
    {"SVR", make_kernel_machine},
    {"SelectFdr", make_selection},
    {"SelectFpr", make_selection},
    {"SelectFromModel", make_selection_from_model},
    {"SelectFwe", make_selection},
    {"SelectKBest", make_selection},
    {"SelectPercentile", make_selection},
    {"SequentialFeatureSelector", make_selection},
    {"SimpleImputer", make_imputer},
    {"StackingClassifier", make_stacking},
    {"StackingRegressor", make_stacking},
    {"StandardScaler", make_scaler},
    {"TfidfTransformer", make_tfidf},
    {"TfidfVectorizer", make_vectorizer},
    {"TheilSenRegressor", make_linear_regressor},
    {"TransformedTargetRegressor", make_transformed_target},
    {"TruncatedSVD", make_decomposition},
    {"TunedThresholdClassifierCV", make_threshold},
    {"TweedieRegressor", make_linear_regressor},
    {"VarianceThreshold", make_selection},
    {"VotingClassifier", make_voting},
    {"VotingRegressor", make_voting},
};

}  // namespace

std::span<const std::string_view> served_classes() {
  static const auto names = [] {
    std::vector<std::string_view> all;
    for (const auto& served : kServed) all.push_back(served.name);
    std::sort(all.begin(), all.end());
    return all;
  }();
  return names;
}

Result<EstimatorPtr> make_estimator(const Value& object, LoadContext& context) {
  if (!object.is(Kind::kObject)) {
    return fail(Code::kInvalidArgument, "found " + object.describe() + ", expected a scikit-learn estimator");
  }
  const auto module = object.global_module();
  const auto name = object.global_name();
  const auto* found =
      std::find_if(std::begin(kServed), std::end(kServed), [&](const Served& s) { return s.name == name; });
  if (found == std::end(kServed) || !module.starts_with("sklearn.")) {
    return fail(Code::kInvalidArgument,
                "class " + object.describe() + " is not served natively; " + std::string(kWayOut));
  }
  if (context.depth >= kDepthMax) {
    return fail(Code::kInvalidArgument,
                "estimators inside each other, more than " + std::to_string(kDepthMax) + " deep");
  }
  TRY(const auto state, State::of(object, context));
  ++context.depth;
  auto made = found->make(state);
  --context.depth;
  return made;
}

}  // namespace protean::sklearn
