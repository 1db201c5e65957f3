# SPDX-License-Identifier: Apache-2.0
"""Two scikit-learn models that are served without Python: wine_table, a pipeline over named columns of numbers and
texts, saved with joblib; and iris_notes, a classifier of short texts, saved with skops.

wine_table: the cultivar of a wine from three of its measurements, with gaps, and two columns that a person could have
noted down: the colour and the strength, made from two other measurements. iris_notes: the species of an iris from a
sentence about its petals, made from the measurements. Needs requirements_tables.txt beside requirements.txt.
"""

import joblib
import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from common import MODELS, case, write_reference

MEASURED = ["alcohol", "flavanoids", "proline"]
NOTED = ["colour", "strength"]


def wine_frame():
    data = load_wine(as_frame=True)
    frame = data.frame[MEASURED].copy()
    for name, source, words in [
        ("colour", "color_intensity", ["pale", "ruby", "deep"]),
        ("strength", "total_phenols", ["light", "medium", "full"]),
    ]:
        bins = np.quantile(data.frame[source], [1 / 3, 2 / 3])
        frame[name] = np.array(words, dtype=object)[np.searchsorted(bins, data.frame[source])]
    return frame.astype({name: object for name in NOTED}), data.target_names[data.target]


def train_wine():
    frame, cultivar = wine_frame()
    rng = np.random.default_rng(7)
    frame.loc[rng.random(len(frame)) < 0.1, "flavanoids"] = np.nan
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [("measured", numbers, MEASURED), ("noted", OneHotEncoder(handle_unknown="ignore"), NOTED)]
    )
    model = make_pipeline(columns, LogisticRegression(random_state=7)).fit(frame, cultivar)
    print(f"wine_table: accuracy {model.score(frame, cultivar):.3f}")
    path = MODELS / "wine_table" / "1" / "model.joblib"
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, path, compress=("zlib", 3))

    cases = []
    known = frame.dropna()
    for rows in (known.iloc[:1], known.iloc[::29]):
        inputs = {name: rows[name].to_numpy() for name in frame.columns}
        cases.append(case(inputs, answers(model, rows), tolerance=1e-6))
    write_reference("wine_table", "1", cases, trained_with="scikit-learn")


def sentence(row):
    length, width = row[2], row[3]
    size = "tiny" if length < 2.5 else "long" if length > 4.9 else "middling"
    shape = "narrow" if width < 1 else "broad" if width > 1.7 else "slender"
    return f"The petals are {size} and {shape}, {'well' if row[1] > 3 else 'hardly'} matched by the sepals"


def train_notes():
    data = load_iris()
    notes = np.array([sentence(row) for row in data.data], dtype=object)
    species = data.target_names[data.target]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(random_state=7)).fit(notes, species)
    print(f"iris_notes: accuracy {model.score(notes, species):.3f}")
    path = MODELS / "iris_notes" / "1" / "model.skops"
    path.parent.mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, path)

    asked = np.array([notes[0], notes[70], "Broad, long petals!", "Grüne Blätter, nothing known"], dtype=object)
    cases = [case({"text": rows}, answers(model, rows), tolerance=1e-6) for rows in (asked[:1], asked)]
    write_reference("iris_notes", "1", cases, trained_with="scikit-learn")


def answers(model, rows):
    rows = rows if isinstance(rows, pd.DataFrame) else list(rows)
    return {"prediction": model.predict(rows), "probabilities": model.predict_proba(rows)}


def main():
    train_wine()
    train_notes()


if __name__ == "__main__":
    main()
