# SPDX-License-Identifier: Apache-2.0
"""Which iris it is, by two thresholds that anybody can read: a Python model with pre- and post-processing."""

from pathlib import Path

import numpy as np

from protean_worker import Input, InvalidInput, Model, Output


class IrisRules(Model):
    inputs = [Input("measurements", "FP32", [-1, 4])]
    outputs = [Output("species", "BYTES", [-1]), Output("petal_area", "FP32", [-1])]

    def load(self, folder: Path) -> None:
        self._species = np.array((folder / "species.txt").read_text().split(), dtype=object)

    def preprocess(self, inputs):
        measurements = inputs["measurements"]
        if np.isnan(measurements).any():
            raise InvalidInput("input 'measurements': NaN, expected centimetres")
        return measurements[:, 2], measurements[:, 3]

    def predict(self, petals):
        length, width = petals
        return (length > 2.45).astype(int) + ((length > 2.45) & (width > 1.75)), length * width

    def postprocess(self, result):
        kind, area = result
        return {"species": self._species[kind], "petal_area": area}
