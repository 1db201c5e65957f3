# SPDX-License-Identifier: Apache-2.0
"""Random scikit-learn estimators of every kind that backends/scikit_learn serves, fitted on data sets that ship with
scikit-learn. A case is a function of a random generator that gives (fitted, rows); estimator_cases.py names them."""

import numpy as np
import pandas as pd
from sklearn import (
    compose,
    datasets,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_extraction,
    feature_selection,
    impute,
    linear_model,
    naive_bayes,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.base import is_regressor

TEXTS = [
    "the quick brown fox jumps over the lazy dog",
    "Grüße aus Köln, naïve café au lait",
    "one two three two one, two too many",
    "a b cc DDD ee_ee 123 4",
    "Москва и Санкт-Петербург не спят",
    "",
    "   many   spaces\tand\nlines  ",
    "dog days of the brown summer fox",
    "ΑΒΓ αβγ 東京 タワー",
    "which of these are stop words and which are not",
]


def pick(rng, *options):
    return options[rng.integers(len(options))]


def labels(rng, y):
    """The same classes as numbers, texts, flags or floats."""
    kind = rng.integers(4)
    if kind == 1:
        return np.array(["alpha", "beta", "gamma", "delta"])[y % 4]
    if kind == 2 and set(y) <= {0, 1}:
        return y.astype(bool)
    if kind == 3:
        return y.astype(float)
    return y * 10 - 5


def classification(rng, nonnegative=False):
    name = rng.integers(3)
    if name == 0:
        x, y = datasets.load_iris(return_X_y=True)
    elif name == 1:
        x, y = datasets.load_wine(return_X_y=True)
    else:
        x, y = datasets.load_breast_cancer(return_X_y=True)
        x = x[:, :10]
    if not nonnegative:
        x = (x - x.mean(0)) / x.std(0)
    rows = rng.permutation(len(x))[:120]
    return x[rows], labels(rng, y[rows])


def regression(rng, positive=False, targets=1):
    x, y = datasets.load_diabetes(return_X_y=True)
    rows = rng.permutation(len(x))[:150]
    x, y = x[rows] * 20, y[rows] / 50 + (0.1 if positive else -2)
    return x, y if targets == 1 else np.stack([y, -y * 2], axis=1)


def with_missing(rng, x, share=0.1):
    x = x.copy()
    x[rng.random(x.shape) < share] = np.nan
    return x


def classifier(make, nonnegative=False, missing=False):
    def case(rng):
        x, y = classification(rng, nonnegative)
        if missing:
            x = with_missing(rng, x)
        return make(rng).fit(x, y), x

    return case


def regressor(make, positive=False, multi=False, missing=False):
    def case(rng):
        x, y = regression(rng, positive, 2 if multi and rng.random() < 0.4 else 1)
        if missing:
            x = with_missing(rng, x)
        return make(rng).fit(x, y), x

    return case


def transformer(make, nonnegative=False, missing=False):
    def case(rng):
        x, y = classification(rng, nonnegative)
        if missing:
            x = with_missing(rng, x)
        return make(rng).fit(x, y), x

    return case


def seed(rng):
    return int(rng.integers(1 << 30))


def glm(rng):
    alpha = float(rng.choice([0.1, 1.0]))
    return pick(
        rng,
        linear_model.PoissonRegressor(alpha=alpha),
        linear_model.GammaRegressor(alpha=alpha),
        linear_model.TweedieRegressor(power=float(rng.choice([0, 1, 1.5, 2])), alpha=alpha),
    )


def linear(rng):
    return pick(
        rng,
        linear_model.LinearRegression(fit_intercept=bool(rng.integers(2))),
        linear_model.Ridge(alpha=0.3),
        linear_model.RidgeCV(),
        linear_model.Lasso(alpha=0.05),
        linear_model.ElasticNet(alpha=0.05),
        linear_model.Lars(),
        linear_model.OrthogonalMatchingPursuit(),
    )


def linear_flat(rng):
    return pick(
        rng,
        linear_model.LassoCV(cv=3),
        linear_model.ElasticNetCV(cv=3),
        linear_model.HuberRegressor(max_iter=500),
        linear_model.BayesianRidge(),
        linear_model.ARDRegression(),
        linear_model.SGDRegressor(random_state=seed(rng)),
        linear_model.LassoLarsIC(),
        linear_model.TheilSenRegressor(random_state=seed(rng), max_subpopulation=100),
        svm.LinearSVR(random_state=seed(rng)),
    )


def linear_classifier(rng):
    return pick(
        rng,
        linear_model.LogisticRegression(C=float(rng.choice([0.1, 1, 10])), fit_intercept=bool(rng.integers(2))),
        linear_model.LogisticRegressionCV(Cs=3, cv=3),
        linear_model.RidgeClassifier(),
        linear_model.RidgeClassifierCV(),
        linear_model.SGDClassifier(loss=pick(rng, "hinge", "log_loss", "modified_huber"), random_state=seed(rng)),
        linear_model.Perceptron(random_state=seed(rng)),
        svm.LinearSVC(random_state=seed(rng)),
        discriminant_analysis.LinearDiscriminantAnalysis(),
    )


def svc(rng):
    kernel = pick(rng, "rbf", "poly", "linear", "sigmoid")
    common = dict(
        kernel=kernel,
        gamma=pick(rng, "scale", "auto", 0.05),
        coef0=0.3,
        decision_function_shape=pick(rng, "ovr", "ovo"),
        probability=bool(rng.integers(2)),
        random_state=seed(rng),
    )
    if common["decision_function_shape"] == "ovr":
        common["break_ties"] = bool(rng.integers(2))
    return pick(rng, svm.SVC(**common), svm.NuSVC(nu=0.1, **common))


def tree_options(rng):
    return dict(
        max_depth=pick(rng, None, 2, 5),
        min_samples_leaf=int(rng.integers(1, 5)),
        max_features=pick(rng, None, "sqrt", 0.5),
        random_state=seed(rng),
    )


def booster(rng):
    return dict(
        n_estimators=int(rng.integers(1, 12)),
        learning_rate=float(rng.choice([0.1, 0.5])),
        max_depth=int(rng.integers(1, 4)),
        subsample=float(rng.choice([0.7, 1.0])),
        random_state=seed(rng),
    )


def hist_options(rng):
    return dict(
        max_iter=int(rng.integers(1, 10)),
        max_leaf_nodes=pick(rng, 5, 31),
        min_samples_leaf=5,
        random_state=seed(rng),
        early_stopping=False,
    )


def hist_with_categories(rng, regress):
    x, y = regression(rng) if regress else classification(rng)
    x = x[:, :4].copy()
    codes = rng.integers(0, 6, size=len(x))
    x[:, 1] = codes
    x = with_missing(rng, x)
    kind = ensemble.HistGradientBoostingRegressor if regress else ensemble.HistGradientBoostingClassifier
    fitted = kind(categorical_features=[1], **hist_options(rng)).fit(x, y)
    rows = x.copy()
    rows[: len(rows) // 4, 1] = rng.integers(0, 9, size=len(rows) // 4)  # some that were not seen
    return fitted, rows


def weights(rng):
    return dict(
        n_neighbors=int(rng.integers(1, 9)),
        weights=pick(rng, "uniform", "distance"),
        metric=pick(rng, "minkowski", "euclidean", "manhattan", "cosine"),
    )


def without_ties(make):
    """Measurements are apart from each other: of equally near rows scikit-learn may take any."""

    def case(rng):
        model = make(rng)
        x, y = regression(rng, targets=int(rng.integers(1, 3))) if is_regressor(model) else classification(rng)
        x = x + rng.normal(0, 0.01, x.shape)
        return model.fit(x, y), x

    return case


def network(rng):
    return dict(
        hidden_layer_sizes=pick(rng, (5,), (8, 4)),
        activation=pick(rng, "relu", "tanh", "logistic", "identity"),
        max_iter=30,
        random_state=seed(rng),
    )


def some_classifiers(rng):
    return [
        ("tree", tree.DecisionTreeClassifier(max_depth=3, random_state=seed(rng))),
        ("bayes", naive_bayes.GaussianNB()),
        ("linear", linear_model.LogisticRegression()),
    ][: int(rng.integers(2, 4))]


def some_regressors(rng):
    return [
        ("tree", tree.DecisionTreeRegressor(max_depth=3, random_state=seed(rng))),
        ("ridge", linear_model.Ridge()),
    ]


def selector(rng):
    return pick(
        rng,
        feature_selection.SelectKBest(k=2),
        feature_selection.SelectPercentile(percentile=40),
        feature_selection.SelectFpr(),
        feature_selection.SelectFdr(),
        feature_selection.SelectFwe(),
        feature_selection.VarianceThreshold(0.5),
        feature_selection.GenericUnivariateSelect(mode="k_best", param=3),
        feature_selection.RFE(linear_model.LogisticRegression(), n_features_to_select=2),
        feature_selection.SelectFromModel(
            ensemble.RandomForestClassifier(n_estimators=5, random_state=seed(rng)),
            threshold=pick(rng, None, "median", "0.8*mean"),
        ),
        feature_selection.SelectFromModel(linear_model.LogisticRegression(), max_features=2),
        feature_selection.SelectFromModel(
            ensemble.GradientBoostingClassifier(n_estimators=3, random_state=seed(rng))
        ),
    )


def scaler(rng):
    return pick(
        rng,
        preprocessing.StandardScaler(with_mean=bool(rng.integers(2)), with_std=bool(rng.integers(2))),
        preprocessing.MinMaxScaler(feature_range=(-1, 2), clip=bool(rng.integers(2))),
        preprocessing.MaxAbsScaler(),
        preprocessing.RobustScaler(with_centering=bool(rng.integers(2))),
        preprocessing.FunctionTransformer(),
    )


def feature_maker(rng):
    return pick(
        rng,
        preprocessing.Normalizer(norm=pick(rng, "l1", "l2", "max")),
        preprocessing.Binarizer(threshold=0.2),
        preprocessing.PolynomialFeatures(
            degree=pick(rng, 2, 3, (2, 3)),
            interaction_only=bool(rng.integers(2)),
            include_bias=bool(rng.integers(2)),
        ),
        preprocessing.KBinsDiscretizer(
            n_bins=4,
            encode=pick(rng, "onehot", "onehot-dense", "ordinal"),
            strategy=pick(rng, "uniform", "quantile"),
            quantile_method="averaged_inverted_cdf",
        ),
        decomposition.PCA(n_components=3, whiten=bool(rng.integers(2))),
        decomposition.TruncatedSVD(n_components=2, random_state=seed(rng)),
        preprocessing.FunctionTransformer(pick(rng, np.square, np.expm1, np.tanh, np.abs)),
    )


def mixed_frame(rng, rows=80, missing=True):
    """Numbers, texts and labels as a data frame."""
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, rows),
            "city": np.array(["Berlin", "Roma", "Köln", "", "Paris, FR"], dtype=object)[rng.integers(0, 5, rows)],
            "grade": np.array(["low", "mid", "high"], dtype=object)[rng.integers(0, 3, rows)],
            "rooms": rng.integers(1, 6, rows).astype(float),
            "notes": np.array(TEXTS, dtype=object)[rng.integers(0, len(TEXTS), rows)],
        }
    )
    frame["city"] = frame["city"].replace("", "Wien")
    if missing:
        frame.loc[rng.random(rows) < 0.1, "age"] = np.nan
    target = (frame["rooms"] + (frame["grade"] == "high") * 2 + rng.normal(0, 0.5, rows) > 4).astype(int)
    return frame.astype({"city": object, "grade": object, "notes": object}), target.to_numpy()


def one_hot(rng):
    return preprocessing.OneHotEncoder(
        drop=pick(rng, None, "first", "if_binary"),
        handle_unknown=pick(rng, "ignore", "infrequent_if_exist", "error"),
        min_frequency=pick(rng, None, 0.2, 15),
        max_categories=pick(rng, None, 3),
        sparse_output=bool(rng.integers(2)),
    )


def ordinal(rng):
    if rng.integers(2):
        return preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return preprocessing.OrdinalEncoder(min_frequency=pick(rng, None, 10))


def encoder_case(rng):
    frame, _ = mixed_frame(rng)
    table = frame[["city", "grade"]].to_numpy(dtype=object)
    encoder = pick(rng, one_hot(rng), ordinal(rng)).fit(table)
    rows = table.copy()
    if encoder.handle_unknown != "error":
        rows[::7, 0] = "Nowhere"
    return encoder, rows


def missing_category_case(rng):
    frame, _ = mixed_frame(rng)
    table = frame[["city", "grade"]].to_numpy(dtype=object)
    table[::5, 0] = pick(rng, None, np.nan)
    encoder = pick(
        rng,
        preprocessing.OneHotEncoder(min_frequency=pick(rng, None, 15)),
        preprocessing.OrdinalEncoder(encoded_missing_value=-7, min_frequency=pick(rng, None, 15)),
    )
    return encoder.fit(table), table


def numbers_encoder_case(rng):
    table = rng.integers(0, 5, size=(60, 3)).astype(float)
    table[::9, 1] = np.nan
    return pick(rng, preprocessing.OneHotEncoder(), preprocessing.OrdinalEncoder()).fit(table), table


def imputer_case(rng):
    x, _ = classification(rng)
    x = with_missing(rng, x)
    x[:, 0] = np.where(rng.random(len(x)) < 0.5, np.nan, 1.0)
    strategy = pick(rng, "mean", "median", "most_frequent", "constant")
    imputer = impute.SimpleImputer(strategy=strategy, add_indicator=bool(rng.integers(2)), fill_value=-3.5)
    if strategy != "constant" and rng.integers(2):
        x[:, 1] = np.nan
    return imputer.fit(x), x


def indicator_case(rng):
    x, _ = classification(rng)
    x = with_missing(rng, x)
    return impute.MissingIndicator(features=pick(rng, "all", "missing-only")).fit(x), x


def table_pipeline(rng):
    frame, target = mixed_frame(rng)
    numeric = pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), scaler(rng))
    categorical = one_hot(rng)
    parts = [("num", numeric, ["age", "rooms"]), ("cat", categorical, ["city", "grade"])]
    if rng.integers(2):
        parts.append(("text", vectorizer(rng), "notes"))
    if rng.integers(2):
        parts[1] = (
            "cat",
            pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent"), categorical),
            [1, 2],
        )
    last = pick(
        rng,
        linear_model.LogisticRegression(),
        ensemble.RandomForestClassifier(n_estimators=5, random_state=seed(rng)),
        svm.SVC(),
    )
    columns = compose.ColumnTransformer(parts, remainder="drop")
    fitted = pipeline.make_pipeline(columns, last).fit(frame, target)
    return fitted, frame


def passthrough_table(rng):
    x, y = classification(rng)
    columns = compose.ColumnTransformer(
        [("a", preprocessing.StandardScaler(), slice(0, 2)), ("b", "passthrough", [-1])],
        remainder=pick(rng, "passthrough", "drop", preprocessing.MinMaxScaler()),
    )
    union = pipeline.FeatureUnion(
        [("pca", decomposition.PCA(2)), ("best", feature_selection.SelectKBest(k=1)), ("all", "passthrough")],
        transformer_weights={"pca": 0.5},
    )
    steps = [columns, union, pick(rng, "passthrough", preprocessing.MaxAbsScaler()), linear_model.LogisticRegression()]
    return pipeline.make_pipeline(*steps).fit(x, y), x


def vectorizer(rng):
    kind = pick(rng, feature_extraction.text.CountVectorizer, feature_extraction.text.TfidfVectorizer)
    analyzer = pick(rng, "word", "word", "char", "char_wb")
    options = dict(
        analyzer=analyzer,
        ngram_range=pick(rng, (1, 1), (1, 2), (2, 3)),
        lowercase=bool(rng.integers(4)),
        strip_accents=pick(rng, None, "unicode", "ascii"),
        binary=bool(rng.integers(2)),
        stop_words=pick(rng, None, "english", ["brown"]) if analyzer == "word" else None,
    )
    if kind is feature_extraction.text.TfidfVectorizer:
        options |= dict(
            norm=pick(rng, "l1", "l2", None), use_idf=bool(rng.integers(2)), sublinear_tf=bool(rng.integers(2))
        )
    return kind(**options)


def text_case(rng):
    texts = np.array([TEXTS[i] for i in rng.integers(0, len(TEXTS), 60)], dtype=object)
    target = np.array([len(text) % 3 for text in texts])
    last = pick(rng, linear_model.LogisticRegression(), naive_bayes.MultinomialNB(), linear_model.SGDClassifier())
    steps = [vectorizer(rng)]
    if isinstance(steps[0], feature_extraction.text.CountVectorizer) and rng.integers(2):
        steps.append(feature_extraction.text.TfidfTransformer())
    return pipeline.make_pipeline(*steps, last).fit(texts, target), texts


def target_case(rng):
    x, y = regression(rng, positive=True)
    options = pick(
        rng,
        dict(func=np.log1p, inverse_func=np.expm1),
        dict(transformer=preprocessing.StandardScaler()),
        dict(transformer=preprocessing.MinMaxScaler()),
    )
    return compose.TransformedTargetRegressor(linear_model.Ridge(), **options).fit(x, y), x


def stack_options(rng):
    return dict(cv=3, passthrough=bool(rng.integers(2)))
