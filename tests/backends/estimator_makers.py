# SPDX-License-Identifier: Apache-2.0
"""Random fitted estimators whose options and data need more than a line, for estimators_by_class.py."""

import numpy as np
from sklearn import (
    calibration,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_extraction,
    impute,
    linear_model,
    model_selection,
    naive_bayes,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

from random_estimators import (
    TEXTS,
    classification,
    hist_options,
    mixed_frame,
    pick,
    regression,
    scaler,
    seed,
    table_pipeline,
    transformer,
    with_missing,
)


def flag(rng):
    return bool(rng.integers(2))


def one_of(*makers):
    return lambda rng: makers[rng.integers(len(makers))](rng)


def several_targets(make):
    def case(rng):
        x, y = regression(rng, targets=2)
        return make(rng).fit(x, y), x

    return case


def sgd(rng):
    return dict(
        penalty=pick(rng, "l2", "l1", "elasticnet", None), average=flag(rng), random_state=seed(rng), max_iter=200
    )


def logistic(rng):
    solver = pick(rng, "lbfgs", "saga", "newton-cg", "newton-cholesky")
    options = dict(C=float(rng.choice([0.1, 1, 10])), solver=solver, max_iter=60, fit_intercept=flag(rng))
    if solver == "saga":
        options |= dict(l1_ratio=float(rng.random()), random_state=seed(rng))
    return linear_model.LogisticRegression(class_weight=pick(rng, None, "balanced"), **options)


def binary_liblinear(rng):
    x, y = classification(rng)
    y = y == y[0]
    return linear_model.LogisticRegression(solver="liblinear", l1_ratio=pick(rng, 0, 1)).fit(x, y), x


def sparse_linear(rng):
    """Weights as a sparse matrix."""
    x, y = classification(rng)
    model = linear_model.SGDClassifier(penalty="l1", alpha=0.05, random_state=seed(rng)).fit(x, y)
    return model.sparsify(), x


def lda(rng):
    solver = pick(rng, "svd", "lsqr", "eigen")
    shrinkage = None if solver == "svd" else pick(rng, None, "auto", 0.3)
    return discriminant_analysis.LinearDiscriminantAnalysis(solver=solver, shrinkage=shrinkage)


def kernel_options(rng):
    return dict(
        kernel=pick(rng, "rbf", "poly", "linear", "sigmoid"),
        gamma=pick(rng, "scale", "auto", 0.02),
        degree=int(rng.integers(1, 4)),
        coef0=float(rng.choice([0.0, 0.5])),
    )


def svr(rng):
    return svm.SVR(C=float(rng.choice([0.5, 5])), epsilon=0.1, **kernel_options(rng))


def neighbour_options(rng):
    metric = pick(rng, "minkowski", "euclidean", "manhattan", "chebyshev", "cosine")
    return dict(
        n_neighbors=int(rng.integers(1, 12)),
        weights=pick(rng, "uniform", "distance"),
        algorithm="brute" if metric == "cosine" else pick(rng, "auto", "brute", "kd_tree", "ball_tree"),
        metric=metric,
        p=pick(rng, 1, 2, 3, 1.5),
    )


def hist_frame(regress):
    """A data frame with text categories, some missing, taken by dtype."""

    def case(rng):
        frame, target = mixed_frame(rng)
        frame = frame[["age", "city", "rooms", "grade"]].copy()
        frame.loc[rng.random(len(frame)) < 0.1, "city"] = np.nan
        frame = frame.astype({"city": "category", "grade": "category"})
        kind = ensemble.HistGradientBoostingRegressor if regress else ensemble.HistGradientBoostingClassifier
        y = target + frame["age"].fillna(40).to_numpy() / 50 if regress else target
        return kind(categorical_features="from_dtype", **hist_options(rng)).fit(frame, y), frame

    return case


def imputed(rng):
    x, _ = classification(rng)
    # Without ties, where any of the equally near rows may be taken.
    x = with_missing(rng, x + rng.normal(0, 0.01, x.shape), 0.2)
    return impute.KNNImputer(
        n_neighbors=int(rng.integers(1, 7)), weights=pick(rng, "uniform", "distance"), add_indicator=flag(rng)
    ).fit(x), x


def impute_texts(rng):
    frame, _ = mixed_frame(rng)
    table = frame[["city", "grade"]].to_numpy(dtype=object)
    missing = pick(rng, None, np.nan)
    table[::6, 0] = missing
    strategy = pick(rng, "most_frequent", "constant")
    imputer = impute.SimpleImputer(missing_values=missing, strategy=strategy, fill_value=pick(rng, "none", None))
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    return pipeline.make_pipeline(imputer, encoder).fit(table), table


def impute_marks(rng):
    """A number stands for missing."""
    x = rng.integers(-1, 5, size=(50, 4)).astype(float)
    imputer = impute.SimpleImputer(
        missing_values=-1, strategy=pick(rng, "mean", "median", "most_frequent"), add_indicator=flag(rng)
    )
    return imputer.fit(x), x


def counts(rng):
    return rng.integers(0, 5, size=(90, 4)), rng.integers(0, 3, size=90)


def categorical_bayes(rng):
    x, y = counts(rng)
    model = naive_bayes.CategoricalNB(
        alpha=pick(rng, 0.5, 1.0), fit_prior=flag(rng), min_categories=pick(rng, None, 7)
    )
    return model.fit(x, y), x


def bayes(make):
    def case(rng):
        x, y = counts(rng)
        return make(rng).fit(x, y), x

    return case


def labelled(make, binary=False):
    """Encoders of labels take one column."""

    def case(rng):
        known = pick(rng, np.array(["b", "a", "c", "ü"], dtype=object), np.array([4, -2, 9, 11]), np.array([0.0, 2.0, 9.0]))
        if flag(rng):
            known = known[:2]
        y = known[rng.integers(0, len(known), 40)]
        return make(rng).fit(y), y

    return case


def ordinal(rng):
    frame, _ = mixed_frame(rng)
    table = frame[["city", "grade"]].to_numpy(dtype=object)
    order = [["Wien", "Roma", "Paris, FR", "Köln", "Berlin"], ["low", "mid", "high"]]
    if flag(rng):
        encoder = preprocessing.OrdinalEncoder(categories=order)
        return encoder.fit(table), table
    encoder = preprocessing.OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=pick(rng, -1, np.nan), max_categories=pick(rng, None, 3)
    ).fit(table)
    rows = table.copy()
    rows[::5, 1] = "unheard"
    return encoder, rows


def one_hot(rng):
    frame, _ = mixed_frame(rng)
    table = frame[["city", "grade"]].to_numpy(dtype=object)
    drop = pick(rng, None, "first", ["Roma", "mid"])
    encoder = preprocessing.OneHotEncoder(drop=drop, dtype=pick(rng, np.float64, np.float32, np.int32))
    return encoder.fit(table), table


def table_of(make_last, frame_of=mixed_frame):
    """A data frame with texts and missing values as pandas has them by default, through a ColumnTransformer."""

    def case(rng):
        frame, target = frame_of(rng)
        frame = frame.astype({"city": "str", "grade": "str"})
        frame.loc[rng.random(len(frame)) < 0.15, "city"] = np.nan
        columns = compose.ColumnTransformer(
            [
                ("num", pipeline.make_pipeline(impute.SimpleImputer(add_indicator=True), scaler(rng)), ["rooms", "age"]),
                ("cat", preprocessing.OneHotEncoder(handle_unknown="ignore"), pick(rng, ["city", "grade"], ["grade"])),
                (
                    "filled",
                    pipeline.make_pipeline(
                        impute.SimpleImputer(strategy="constant", fill_value="?"),
                        preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                    ),
                    ["city"],
                ),
            ],
            remainder="drop",
            sparse_threshold=pick(rng, 0, 0.3, 1),
        )
        last = make_last(rng)
        steps = pipeline.Pipeline([("columns", columns), ("last", last)]) if not callable(last) else last(columns)
        return steps.fit(frame, target), frame

    return case


def committee_of_tables(rng):
    """Pipelines that read texts as members of a committee."""

    def make(columns):
        from sklearn.base import clone

        members = [
            ("one", pipeline.make_pipeline(clone(columns), linear_model.LogisticRegression())),
            ("two", pipeline.make_pipeline(clone(columns), tree.DecisionTreeClassifier(max_depth=3, random_state=1))),
        ]
        return pick(
            rng,
            lambda: ensemble.VotingClassifier(members, voting="soft"),
            lambda: ensemble.StackingClassifier(members, cv=2),
            lambda: calibration.CalibratedClassifierCV(members[0][1], cv=2),
            lambda: model_selection.GridSearchCV(members[0][1], {"logisticregression__C": [0.5, 1]}, cv=2),
        )()

    return make


def searched(rng):
    kind = pick(rng, model_selection.HalvingGridSearchCV, model_selection.HalvingRandomSearchCV)
    x, y = classification(rng)
    search = kind(linear_model.LogisticRegression(), {"C": [0.1, 1, 10]}, cv=2, random_state=seed(rng))
    return search.fit(x, y), x


def selected(make):
    return transformer(make, nonnegative=True)


def union(rng):
    x, y = classification(rng)
    parts = [("pca", decomposition.PCA(2)), ("scaled", preprocessing.StandardScaler()), ("same", "passthrough")]
    weights = pick(rng, None, {"pca": 2.0, "same": 0.25})
    return pipeline.FeatureUnion(parts, transformer_weights=weights).fit(x, y), x


def texts(make):
    def case(rng):
        rows = np.array([TEXTS[i] for i in rng.integers(0, len(TEXTS), 40)], dtype=object)
        return make(rng).fit(rows), rows

    return case


def tfidf(rng):
    rows = rng.integers(0, 4, size=(40, 6)).astype(float)
    return feature_extraction.text.TfidfTransformer(
        norm=pick(rng, "l1", "l2", None), use_idf=flag(rng), smooth_idf=flag(rng), sublinear_tf=flag(rng)
    ).fit(rows), rows


def thresholded(rng):
    x, y = classification(rng)
    y = np.array(["no", "yes"])[(y == y[0]).astype(int)]
    base = pick(rng, linear_model.LogisticRegression(), svm.SVC())
    return pick(
        rng,
        model_selection.FixedThresholdClassifier(
            base, threshold=pick(rng, "auto", 0.3), pos_label=pick(rng, "no", "yes")
        ),
        model_selection.TunedThresholdClassifierCV(base, cv=3, scoring="accuracy"),
    ).fit(x, y), x


def calibrated(rng):
    method = pick(rng, "sigmoid", "isotonic", "temperature")
    base = pick(rng, svm.LinearSVC(), naive_bayes.GaussianNB(), tree.DecisionTreeClassifier(max_depth=3, random_state=1))
    if method == "temperature":  # scikit-learn cannot fit one to probabilities of exactly 0 and 1, as trees may have
        base = svm.LinearSVC(random_state=1)
    return calibration.CalibratedClassifierCV(base, method=method, cv=3, ensemble=flag(rng))


def transformed_target(rng):
    x, y = regression(rng, positive=True)
    options = pick(
        rng,
        dict(func=np.sqrt, inverse_func=np.square),
        dict(func=np.log, inverse_func=np.exp),
        dict(transformer=preprocessing.RobustScaler()),
    )
    return compose.TransformedTargetRegressor(pick(rng, linear_model.Ridge(), svm.SVR()), **options).fit(x, y), x


def power(rng):
    x, _ = classification(rng, nonnegative=True)
    x = with_missing(rng, x + 0.1)
    method = pick(rng, "yeo-johnson", "box-cox")
    model = preprocessing.PowerTransformer(method=method, standardize=flag(rng)).fit(x)
    return model, x if method == "box-cox" else np.where(rng.random(x.shape) < 0.2, -x, x)


def quantile(rng):
    x, _ = classification(rng)
    x = with_missing(rng, x)
    model = preprocessing.QuantileTransformer(
        n_quantiles=int(rng.integers(5, 60)), output_distribution=pick(rng, "uniform", "normal")
    )
    return model.fit(x), x * float(rng.choice([1.0, 1.7]))


def one_against(rng):
    x, y = classification(rng)
    base = pick(rng, svm.LinearSVC(), linear_model.LogisticRegression(), ensemble.RandomForestClassifier(5))
    from sklearn import multiclass

    return multiclass.OneVsRestClassifier(base).fit(x, y), x


def columns(rng):
    fitted, frame = table_pipeline(rng)
    return fitted[:-1], frame


def digits(rng):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rows = rng.permutation(len(x))[:300]
    steps = [decomposition.PCA(20, random_state=1), svm.SVC(C=10, probability=False)]
    return pipeline.make_pipeline(*steps).fit(x[rows], y[rows]), x[rows]
