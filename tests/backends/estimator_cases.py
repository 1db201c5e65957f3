# SPDX-License-Identifier: Apache-2.0
"""Every kind of estimator that backends/scikit_learn serves, by name, as random_estimators.py makes them."""

from sklearn import (
    calibration,
    cluster,
    dummy,
    ensemble,
    linear_model,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    svm,
    tree,
)
from random_estimators import (
    booster,
    classifier,
    encoder_case,
    feature_maker,
    glm,
    hist_options,
    hist_with_categories,
    imputer_case,
    indicator_case,
    linear,
    linear_classifier,
    linear_flat,
    missing_category_case,
    network,
    numbers_encoder_case,
    passthrough_table,
    pick,
    regressor,
    scaler,
    seed,
    selector,
    some_classifiers,
    some_regressors,
    stack_options,
    svc,
    table_pipeline,
    target_case,
    text_case,
    transformer,
    tree_options,
    weights,
    without_ties,
)

CASES = {
    "linear regression": regressor(linear, multi=True),
    "linear regression, flat": regressor(linear_flat),
    "generalised linear": regressor(glm, positive=True),
    "linear classifier": classifier(linear_classifier),
    "kernel svc": classifier(svc),
    "kernel svr": regressor(lambda rng: pick(rng, svm.SVR(C=3), svm.NuSVR(kernel="poly"), svm.SVR(kernel="linear"))),
    "one class svm": transformer(lambda rng: svm.OneClassSVM(nu=0.2)),
    "decision tree": classifier(lambda rng: tree.DecisionTreeClassifier(**tree_options(rng)), missing=True),
    "decision tree regression": regressor(lambda rng: tree.DecisionTreeRegressor(**tree_options(rng)), multi=True),
    "extra tree": classifier(lambda rng: tree.ExtraTreeClassifier(**tree_options(rng))),
    "forest": classifier(
        lambda rng: pick(rng, ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier)(
            n_estimators=int(rng.integers(1, 9)), **tree_options(rng)
        ),
        missing=True,
    ),
    "forest regression": regressor(
        lambda rng: pick(rng, ensemble.RandomForestRegressor, ensemble.ExtraTreesRegressor)(
            n_estimators=int(rng.integers(1, 9)), **tree_options(rng)
        ),
        multi=True,
        missing=True,
    ),
    "gradient boosting": classifier(lambda rng: ensemble.GradientBoostingClassifier(**booster(rng))),
    "gradient boosting, zero": classifier(
        lambda rng: ensemble.GradientBoostingClassifier(init="zero", **booster(rng))
    ),
    "gradient boosting regression": regressor(
        lambda rng: ensemble.GradientBoostingRegressor(
            loss=pick(rng, "squared_error", "absolute_error", "huber", "quantile"), **booster(rng)
        )
    ),
    "histogram boosting": classifier(
        lambda rng: ensemble.HistGradientBoostingClassifier(**hist_options(rng)), missing=True
    ),
    "histogram boosting regression": regressor(
        lambda rng: ensemble.HistGradientBoostingRegressor(
            loss=pick(rng, "squared_error", "absolute_error", "poisson", "gamma"), **hist_options(rng)
        ),
        positive=True,
        missing=True,
    ),
    "histogram boosting, categories": lambda rng: hist_with_categories(rng, False),
    "histogram boosting regression, categories": lambda rng: hist_with_categories(rng, True),
    "adaboost": classifier(
        lambda rng: ensemble.AdaBoostClassifier(
            tree.DecisionTreeClassifier(max_depth=2), n_estimators=5, random_state=seed(rng)
        )
    ),
    "adaboost regression": regressor(
        lambda rng: ensemble.AdaBoostRegressor(n_estimators=6, random_state=seed(rng))
    ),
    "bagging": classifier(
        lambda rng: ensemble.BaggingClassifier(
            pick(rng, None, linear_model.LogisticRegression(), svm.LinearSVC()),
            n_estimators=4,
            max_features=0.6,
            random_state=seed(rng),
        )
    ),
    "bagging regression": regressor(
        lambda rng: ensemble.BaggingRegressor(n_estimators=4, max_features=0.7, random_state=seed(rng)), multi=True
    ),
    "voting": classifier(
        lambda rng: ensemble.VotingClassifier(some_classifiers(rng), voting=pick(rng, "soft", "hard"))
    ),
    "voting regression": regressor(
        lambda rng: ensemble.VotingRegressor(some_regressors(rng), weights=pick(rng, None, [1, 3]))
    ),
    "stacking": classifier(lambda rng: ensemble.StackingClassifier(some_classifiers(rng), **stack_options(rng))),
    "stacking regression": regressor(
        lambda rng: ensemble.StackingRegressor(some_regressors(rng), **stack_options(rng))
    ),
    "isolation forest": transformer(
        lambda rng: ensemble.IsolationForest(
            n_estimators=8,
            max_features=float(rng.choice([0.5, 1.0])),
            contamination=pick(rng, "auto", 0.1),
            random_state=seed(rng),
        )
    ),
    "neighbours": without_ties(lambda rng: neighbors.KNeighborsClassifier(**weights(rng))),
    "neighbours regression": without_ties(lambda rng: neighbors.KNeighborsRegressor(**weights(rng))),
    "gaussian bayes": classifier(lambda rng: naive_bayes.GaussianNB()),
    "counting bayes": classifier(
        lambda rng: pick(
            rng,
            naive_bayes.MultinomialNB(),
            naive_bayes.ComplementNB(norm=bool(rng.integers(2))),
            naive_bayes.BernoulliNB(binarize=2.0),
        ),
        nonnegative=True,
    ),
    "network": classifier(lambda rng: neural_network.MLPClassifier(**network(rng))),
    "network regression": regressor(lambda rng: neural_network.MLPRegressor(**network(rng)), multi=True),
    "k-means": transformer(
        lambda rng: pick(rng, cluster.KMeans, cluster.MiniBatchKMeans)(4, n_init=2, random_state=seed(rng))
    ),
    "dummy": classifier(lambda rng: dummy.DummyClassifier(strategy=pick(rng, "prior", "most_frequent"))),
    "dummy regression": regressor(lambda rng: dummy.DummyRegressor(strategy="median")),
    "calibrated": classifier(
        lambda rng: calibration.CalibratedClassifierCV(
            pick(rng, svm.LinearSVC(), naive_bayes.GaussianNB()), method=pick(rng, "sigmoid", "isotonic"), cv=3
        )
    ),
    "grid search": classifier(
        lambda rng: model_selection.GridSearchCV(linear_model.LogisticRegression(), {"C": [0.1, 1]}, cv=2)
    ),
    "random search": regressor(
        lambda rng: model_selection.RandomizedSearchCV(
            linear_model.Ridge(), {"alpha": [0.1, 1]}, n_iter=2, cv=2, random_state=1
        )
    ),
    "transformed target": target_case,
    "scaler": transformer(scaler, missing=True),
    "feature maker": transformer(feature_maker),
    "selection": transformer(selector, nonnegative=True),
    "imputer": imputer_case,
    "missing indicator": indicator_case,
    "encoder": encoder_case,
    "encoder, missing category": missing_category_case,
    "encoder of numbers": numbers_encoder_case,
    "table pipeline": table_pipeline,
    "composed": passthrough_table,
    "text": text_case,
}
