// SPDX-License-Identifier: Apache-2.0
// One function for each kind of estimator: from the state in the file to what runs. The factory knows which class
// needs which; each family has a file of its own name.
#pragma once

#include <span>

#include "backends/scikit_learn/estimator.h"
#include "backends/scikit_learn/state.h"
#include "base/result.h"

namespace protean::sklearn {

/// The estimator that `object` describes, by its class.
/// Errors: kInvalidArgument: a class that is not served (named, with the way out), or a broken state.
[[nodiscard]] Result<EstimatorPtr> make_estimator(const Value& object, LoadContext& context);
/// Public names of all classes that are served, sorted.
[[nodiscard]] std::span<const std::string_view> served_classes();

// Each below: errors as make_estimator().
// scaling.cc
[[nodiscard]] Result<EstimatorPtr> make_scaler(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_normalizer(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_binarizer(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_function(const State& state);
// imputing.cc
[[nodiscard]] Result<EstimatorPtr> make_imputer(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_missing_indicator(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_neighbour_imputer(const State& state);
// distributions.cc
[[nodiscard]] Result<EstimatorPtr> make_power(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_quantile(const State& state);
// encoding.cc
[[nodiscard]] Result<EstimatorPtr> make_one_hot_encoder(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_ordinal_encoder(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_label_encoder(const State& state);
// features.cc
[[nodiscard]] Result<EstimatorPtr> make_polynomial(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_bins(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_decomposition(const State& state);
// selection.cc
[[nodiscard]] Result<EstimatorPtr> make_selection(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_selection_from_model(const State& state);
// text_vectors.cc (text_analyzer.h)
[[nodiscard]] Result<EstimatorPtr> make_vectorizer(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_tfidf(const State& state);
// compose.cc, column_transformer.cc
[[nodiscard]] Result<EstimatorPtr> make_pipeline(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_column_transformer(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_union(const State& state);
[[nodiscard]] EstimatorPtr make_passthrough(std::size_t inputs);
// linear.cc
[[nodiscard]] Result<EstimatorPtr> make_linear_regressor(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_linear_classifier(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_linear_outliers(const State& state);
// kernel_machines.cc
[[nodiscard]] Result<EstimatorPtr> make_kernel_machine(const State& state);
// tree_models.cc
[[nodiscard]] Result<EstimatorPtr> make_tree(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_forest(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_isolation_forest(const State& state);
// boosting.cc
[[nodiscard]] Result<EstimatorPtr> make_gradient_boosting(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_histogram_boosting(const State& state);
// committees.cc
[[nodiscard]] Result<EstimatorPtr> make_adaboost(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_bagging(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_voting(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_stacking(const State& state);
// wrappers.cc
[[nodiscard]] Result<EstimatorPtr> make_search(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_calibrated(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_transformed_target(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_dummy(const State& state);
// binary.cc
[[nodiscard]] Result<EstimatorPtr> make_threshold(const State& state);
[[nodiscard]] Result<EstimatorPtr> make_one_against_rest(const State& state);
// neighbours.cc
[[nodiscard]] Result<EstimatorPtr> make_neighbours(const State& state);
// naive_bayes.cc
[[nodiscard]] Result<EstimatorPtr> make_naive_bayes(const State& state);
// networks.cc
[[nodiscard]] Result<EstimatorPtr> make_network(const State& state);
// clusters.cc
[[nodiscard]] Result<EstimatorPtr> make_clusters(const State& state);

}  // namespace protean::sklearn
