# SPDX-License-Identifier: Apache-2.0
"""Each class that backends/scikit_learn serves, by its name, with random options: what estimator_cases.py leaves to
chance is here for certain. A maker is a function of a random generator that gives (fitted, rows)."""

import numpy as np
from sklearn import (
    cluster,
    decomposition,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    impute,
    linear_model,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)

from estimator_makers import (
    flag,
    one_of,
    several_targets,
    sgd,
    logistic,
    binary_liblinear,
    sparse_linear,
    lda,
    kernel_options,
    svr,
    neighbour_options,
    hist_frame,
    imputed,
    impute_texts,
    impute_marks,
    categorical_bayes,
    bayes,
    labelled,
    ordinal,
    one_hot,
    table_of,
    committee_of_tables,
    searched,
    selected,
    union,
    texts,
    tfidf,
    thresholded,
    calibrated,
    transformed_target,
    power,
    quantile,
    one_against,
    columns,
    digits,
)
from random_estimators import (
    booster,
    classifier,
    network,
    pick,
    regressor,
    seed,
    some_classifiers,
    some_regressors,
    stack_options,
    svc,
    transformer,
    tree_options,
    vectorizer,
    without_ties,
)


def tree_of(kind, missing=True):
    make = classifier if kind.__name__.endswith("Classifier") else regressor
    return make(
        lambda rng: kind(
            criterion=pick(rng, "gini", "entropy", "log_loss") if make is classifier else "squared_error",
            **tree_options(rng),
        ),
        missing=missing,
    )


def forest_of(kind):
    make = classifier if kind.__name__.endswith("Classifier") else regressor
    return make(lambda rng: kind(n_estimators=int(rng.integers(1, 12)), **tree_options(rng)), missing=True)


def cross_validated(kind, **options):
    return regressor(lambda rng: kind(cv=3, fit_intercept=flag(rng), **options))


def plain(kind, **options):
    return regressor(lambda rng: kind(fit_intercept=flag(rng), **options))


BY_CLASS = {
    "ARDRegression": plain(linear_model.ARDRegression),
    "AdaBoostClassifier": classifier(
        lambda rng: ensemble.AdaBoostClassifier(
            pick(rng, None, linear_model.LogisticRegression(), naive_bayes.GaussianNB()),
            n_estimators=int(rng.integers(1, 8)),
            learning_rate=float(rng.choice([0.3, 1.0])),
            random_state=seed(rng),
        )
    ),
    "AdaBoostRegressor": regressor(
        lambda rng: ensemble.AdaBoostRegressor(
            pick(rng, None, linear_model.Ridge()), n_estimators=5, loss=pick(rng, "linear", "square", "exponential")
        )
    ),
    "BaggingClassifier": classifier(
        lambda rng: ensemble.BaggingClassifier(
            pick(rng, None, naive_bayes.GaussianNB(), linear_model.Perceptron()),
            n_estimators=4,
            max_features=float(rng.choice([0.5, 1.0])),
            bootstrap_features=flag(rng),
            random_state=seed(rng),
        )
    ),
    "BaggingRegressor": regressor(
        lambda rng: ensemble.BaggingRegressor(
            pick(rng, None, linear_model.Ridge()), n_estimators=4, bootstrap_features=flag(rng), random_state=seed(rng)
        ),
        multi=True,
    ),
    "BayesianRidge": plain(linear_model.BayesianRidge),
    "BernoulliNB": bayes(lambda rng: naive_bayes.BernoulliNB(alpha=0.3, binarize=pick(rng, 0.0, 1.5), fit_prior=flag(rng))),
    "Binarizer": transformer(lambda rng: preprocessing.Binarizer(threshold=float(rng.normal()))),
    "CalibratedClassifierCV": classifier(calibrated),
    "CategoricalNB": categorical_bayes,
    "ColumnTransformer": columns,
    "ComplementNB": bayes(lambda rng: naive_bayes.ComplementNB(alpha=0.7, norm=flag(rng), fit_prior=flag(rng))),
    "CountVectorizer": texts(
        lambda rng: feature_extraction.text.CountVectorizer(
            token_pattern=pick(rng, r"(?u)\b\w\w+\b", r"(?u)\b\w+\b"), binary=flag(rng), max_features=pick(rng, None, 9)
        )
    ),
    "DecisionTreeClassifier": tree_of(tree.DecisionTreeClassifier),
    "DecisionTreeRegressor": tree_of(tree.DecisionTreeRegressor),
    "DummyClassifier": classifier(lambda rng: dummy.DummyClassifier(strategy=pick(rng, "prior", "most_frequent"))),
    "DummyRegressor": regressor(
        lambda rng: pick(
            rng, dummy.DummyRegressor(), dummy.DummyRegressor(strategy="quantile", quantile=0.2)
        )
    ),
    "ElasticNet": regressor(
        lambda rng: linear_model.ElasticNet(alpha=0.05, l1_ratio=float(rng.random()), positive=flag(rng)), multi=True
    ),
    "ElasticNetCV": cross_validated(linear_model.ElasticNetCV),
    "ExtraTreeClassifier": tree_of(tree.ExtraTreeClassifier),
    "ExtraTreeRegressor": tree_of(tree.ExtraTreeRegressor),
    "ExtraTreesClassifier": forest_of(ensemble.ExtraTreesClassifier),
    "ExtraTreesRegressor": forest_of(ensemble.ExtraTreesRegressor),
    "FeatureUnion": union,
    "FixedThresholdClassifier": thresholded,
    "FunctionTransformer": transformer(
        lambda rng: preprocessing.FunctionTransformer(
            pick(rng, None, np.square, np.expm1, np.tanh, np.abs, np.sign, np.floor, np.cbrt, np.arcsinh, np.sin),
            validate=flag(rng),
        )
    ),
    "GammaRegressor": regressor(lambda rng: linear_model.GammaRegressor(alpha=0.3), positive=True),
    "GaussianNB": classifier(
        lambda rng: naive_bayes.GaussianNB(var_smoothing=float(rng.choice([1e-9, 0.1])))
    ),
    "GenericUnivariateSelect": selected(
        lambda rng: feature_selection.GenericUnivariateSelect(
            feature_selection.chi2, mode=pick(rng, "k_best", "percentile", "fpr", "fdr", "fwe"), param=1
        )
    ),
    "GradientBoostingClassifier": classifier(
        lambda rng: ensemble.GradientBoostingClassifier(criterion=pick(rng, "friedman_mse", "squared_error"), **booster(rng))
    ),
    "GradientBoostingRegressor": regressor(
        lambda rng: ensemble.GradientBoostingRegressor(
            loss=pick(rng, "squared_error", "absolute_error", "huber", "quantile"),
            init=pick(rng, None, "zero"),
            **booster(rng),
        )
    ),
    "GridSearchCV": table_of(committee_of_tables),
    "HalvingGridSearchCV": searched,
    "HistGradientBoostingClassifier": hist_frame(False),
    "HistGradientBoostingRegressor": hist_frame(True),
    "HuberRegressor": plain(linear_model.HuberRegressor, max_iter=500),
    "IncrementalPCA": transformer(lambda rng: decomposition.IncrementalPCA(3, whiten=flag(rng))),
    "IsolationForest": transformer(
        lambda rng: ensemble.IsolationForest(
            n_estimators=6,
            max_samples=pick(rng, "auto", 0.5, 20),
            bootstrap=flag(rng),
            contamination=pick(rng, "auto", 0.2),
            random_state=seed(rng),
        ),
        missing=True,
    ),
    "KBinsDiscretizer": transformer(
        lambda rng: preprocessing.KBinsDiscretizer(
            n_bins=int(rng.integers(2, 7)),
            encode=pick(rng, "onehot", "onehot-dense", "ordinal"),
            strategy=pick(rng, "uniform", "quantile", "kmeans"),
            quantile_method="averaged_inverted_cdf",
        )
    ),
    "KMeans": transformer(lambda rng: cluster.KMeans(int(rng.integers(1, 6)), n_init=1, random_state=seed(rng))),
    "KNNImputer": imputed,
    "KNeighborsClassifier": without_ties(lambda rng: neighbors.KNeighborsClassifier(**neighbour_options(rng))),
    "KNeighborsRegressor": without_ties(lambda rng: neighbors.KNeighborsRegressor(**neighbour_options(rng))),
    "LabelBinarizer": labelled(
        lambda rng: preprocessing.LabelBinarizer(neg_label=pick(rng, 0, -1), pos_label=pick(rng, 1, 3))
    ),
    "LabelEncoder": labelled(lambda rng: preprocessing.LabelEncoder()),
    "Lars": plain(linear_model.Lars),
    "LarsCV": cross_validated(linear_model.LarsCV),
    "Lasso": plain(linear_model.Lasso, alpha=0.05),
    "LassoCV": cross_validated(linear_model.LassoCV),
    "LassoLars": plain(linear_model.LassoLars, alpha=0.01),
    "LassoLarsCV": cross_validated(linear_model.LassoLarsCV),
    "LassoLarsIC": plain(linear_model.LassoLarsIC),
    "LinearDiscriminantAnalysis": classifier(lda),
    "LinearRegression": regressor(
        lambda rng: linear_model.LinearRegression(positive=flag(rng), fit_intercept=flag(rng)), multi=True
    ),
    "LinearSVC": classifier(
        lambda rng: svm.LinearSVC(
            penalty="l2", multi_class=pick(rng, "ovr", "crammer_singer"), fit_intercept=flag(rng), random_state=seed(rng)
        )
    ),
    "LinearSVR": plain(svm.LinearSVR),
    "LogisticRegression": one_of(classifier(logistic), binary_liblinear),
    "LogisticRegressionCV": classifier(lambda rng: linear_model.LogisticRegressionCV(Cs=2, cv=2, fit_intercept=flag(rng))),
    "MLPClassifier": classifier(lambda rng: neural_network.MLPClassifier(solver="lbfgs", **network(rng))),
    "MLPRegressor": regressor(lambda rng: neural_network.MLPRegressor(solver="lbfgs", **network(rng)), multi=True),
    "MaxAbsScaler": transformer(lambda rng: preprocessing.MaxAbsScaler(), missing=True),
    "MinMaxScaler": transformer(lambda rng: preprocessing.MinMaxScaler(clip=flag(rng)), missing=True),
    "MiniBatchKMeans": transformer(lambda rng: cluster.MiniBatchKMeans(3, n_init=1, random_state=seed(rng))),
    "MissingIndicator": transformer(lambda rng: impute.MissingIndicator(error_on_new=False), missing=True),
    "MultiTaskElasticNet": several_targets(lambda rng: linear_model.MultiTaskElasticNet(alpha=0.1)),
    "MultiTaskElasticNetCV": several_targets(lambda rng: linear_model.MultiTaskElasticNetCV(cv=3)),
    "MultiTaskLasso": several_targets(lambda rng: linear_model.MultiTaskLasso(alpha=0.1)),
    "MultiTaskLassoCV": several_targets(lambda rng: linear_model.MultiTaskLassoCV(cv=3)),
    "MultinomialNB": bayes(lambda rng: naive_bayes.MultinomialNB(alpha=0.2, fit_prior=flag(rng))),
    "Normalizer": transformer(lambda rng: preprocessing.Normalizer(norm=pick(rng, "l1", "l2", "max"))),
    "NuSVC": classifier(lambda rng: svm.NuSVC(nu=0.15, **kernel_options(rng))),
    "NuSVR": regressor(lambda rng: svm.NuSVR(nu=0.4, **kernel_options(rng))),
    "OneClassSVM": transformer(lambda rng: svm.OneClassSVM(nu=0.3, **kernel_options(rng))),
    "OneHotEncoder": one_hot,
    "OneVsRestClassifier": one_against,
    "OrdinalEncoder": ordinal,
    "OrthogonalMatchingPursuit": regressor(
        lambda rng: linear_model.OrthogonalMatchingPursuit(n_nonzero_coefs=4, fit_intercept=flag(rng)), multi=True
    ),
    "OrthogonalMatchingPursuitCV": cross_validated(linear_model.OrthogonalMatchingPursuitCV),
    "PCA": digits,
    "PassiveAggressiveClassifier": classifier(
        lambda rng: linear_model.PassiveAggressiveClassifier(C=0.5, random_state=seed(rng))
    ),
    "PassiveAggressiveRegressor": regressor(
        lambda rng: linear_model.PassiveAggressiveRegressor(C=0.5, random_state=seed(rng))
    ),
    "Perceptron": classifier(lambda rng: linear_model.Perceptron(penalty=pick(rng, None, "l2"), random_state=seed(rng))),
    "Pipeline": table_of(
        lambda rng: pick(
            rng,
            linear_model.LogisticRegression(),
            ensemble.GradientBoostingClassifier(n_estimators=4),
            naive_bayes.BernoulliNB(),
            svm.SVC(kernel="linear"),
        )
    ),
    "PoissonRegressor": regressor(lambda rng: linear_model.PoissonRegressor(alpha=0.3), positive=True),
    "PolynomialFeatures": transformer(
        lambda rng: preprocessing.PolynomialFeatures(
            degree=pick(rng, 1, 2, 3, (1, 2), (0, 2), (3, 3)), interaction_only=flag(rng), include_bias=flag(rng)
        )
    ),
    "PowerTransformer": power,
    "QuantileRegressor": plain(linear_model.QuantileRegressor, quantile=0.7, alpha=0.01),
    "QuantileTransformer": quantile,
    "RFE": selected(lambda rng: feature_selection.RFE(linear_model.RidgeClassifier(), step=2)),
    "RFECV": selected(lambda rng: feature_selection.RFECV(linear_model.RidgeClassifier(), cv=2)),
    "RandomForestClassifier": forest_of(ensemble.RandomForestClassifier),
    "RandomForestRegressor": forest_of(ensemble.RandomForestRegressor),
    "RandomizedSearchCV": classifier(
        lambda rng: model_selection.RandomizedSearchCV(svm.SVC(), {"C": [1, 5]}, n_iter=2, cv=2, random_state=1)
    ),
    "Ridge": regressor(
        lambda rng: linear_model.Ridge(solver=pick(rng, "auto", "svd", "lsqr", "sag", "lbfgs"), positive=False)
        if flag(rng)
        else linear_model.Ridge(positive=True),
    ),
    "RidgeCV": regressor(lambda rng: linear_model.RidgeCV(fit_intercept=flag(rng)), multi=True),
    "RidgeClassifier": classifier(lambda rng: linear_model.RidgeClassifier(class_weight=pick(rng, None, "balanced"))),
    "RidgeClassifierCV": classifier(lambda rng: linear_model.RidgeClassifierCV()),
    "RobustScaler": transformer(
        lambda rng: preprocessing.RobustScaler(
            with_scaling=flag(rng), with_centering=flag(rng), quantile_range=(10, 80), unit_variance=flag(rng)
        ),
        missing=True,
    ),
    "SGDClassifier": one_of(
        sparse_linear,
        classifier(
            lambda rng: linear_model.SGDClassifier(
                loss=pick(rng, "hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "huber"), **sgd(rng)
            )
        ),
    ),
    "SGDOneClassSVM": transformer(lambda rng: linear_model.SGDOneClassSVM(nu=0.2, random_state=seed(rng))),
    "SGDRegressor": regressor(
        lambda rng: linear_model.SGDRegressor(loss=pick(rng, "squared_error", "huber", "epsilon_insensitive"), **sgd(rng))
    ),
    "SVC": classifier(svc),
    "SVR": regressor(svr),
    "SelectFdr": selected(lambda rng: feature_selection.SelectFdr(feature_selection.f_classif, alpha=0.01)),
    "SelectFpr": selected(lambda rng: feature_selection.SelectFpr(feature_selection.chi2, alpha=0.2)),
    "SelectFromModel": selected(
        lambda rng: feature_selection.SelectFromModel(
            pick(rng, svm.LinearSVC(), ensemble.ExtraTreesClassifier(8, random_state=1), tree.DecisionTreeClassifier()),
            threshold=pick(rng, "mean", "median", 0.1, "1.2*median"),
        )
    ),
    "SelectFwe": selected(lambda rng: feature_selection.SelectFwe(alpha=0.2)),
    "SelectKBest": selected(lambda rng: feature_selection.SelectKBest(pick(rng, feature_selection.chi2, feature_selection.f_classif), k=pick(rng, 1, 3, "all"))),
    "SelectPercentile": selected(lambda rng: feature_selection.SelectPercentile(percentile=int(rng.integers(15, 100)))),
    "SequentialFeatureSelector": selected(
        lambda rng: feature_selection.SequentialFeatureSelector(
            naive_bayes.GaussianNB(), n_features_to_select=2, cv=2, direction=pick(rng, "forward", "backward")
        )
    ),
    "SimpleImputer": one_of(impute_texts, impute_marks),
    "StackingClassifier": classifier(
        lambda rng: ensemble.StackingClassifier(
            some_classifiers(rng),
            final_estimator=pick(rng, None, ensemble.RandomForestClassifier(4), naive_bayes.GaussianNB()),
            stack_method=pick(rng, "auto", "predict"),
            **stack_options(rng),
        )
    ),
    "StackingRegressor": regressor(
        lambda rng: ensemble.StackingRegressor(some_regressors(rng), final_estimator=svm.SVR(), **stack_options(rng))
    ),
    "StandardScaler": transformer(
        lambda rng: preprocessing.StandardScaler(with_mean=flag(rng), with_std=flag(rng)), missing=True
    ),
    "TfidfTransformer": tfidf,
    "TfidfVectorizer": texts(vectorizer),
    "TheilSenRegressor": plain(linear_model.TheilSenRegressor, max_subpopulation=100),
    "TransformedTargetRegressor": transformed_target,
    "TruncatedSVD": transformer(
        lambda rng: decomposition.TruncatedSVD(3, algorithm=pick(rng, "arpack", "randomized"), random_state=seed(rng))
    ),
    "TunedThresholdClassifierCV": thresholded,
    "TweedieRegressor": regressor(
        lambda rng: linear_model.TweedieRegressor(
            power=float(rng.choice([0, 1, 1.3, 2, 3])), link=pick(rng, "auto", "log"), alpha=0.5
        ),
        positive=True,
    ),
    "VarianceThreshold": selected(lambda rng: feature_selection.VarianceThreshold(float(rng.choice([0.0, 0.3])))),
    "VotingClassifier": classifier(
        lambda rng: ensemble.VotingClassifier(
            [*some_classifiers(rng), ("none", "drop")], voting=pick(rng, "soft", "hard"), weights=None
        )
    ),
    "VotingRegressor": regressor(
        lambda rng: ensemble.VotingRegressor(some_regressors(rng), weights=pick(rng, None, [0.2, 3]))
    ),
}
BY_CLASS["HalvingRandomSearchCV"] = BY_CLASS["HalvingGridSearchCV"]
