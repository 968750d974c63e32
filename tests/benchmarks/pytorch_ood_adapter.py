"""pytorch-ood's detectors with the settings of oodkit's scorers, fed with features and logits. For peers.py."""

import logging
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from synthetic import Columns
from torch import Tensor, nn

from oodkit.head import Head

DICE_BYTES = (
    2**28
)  # its product of every image with every weight is made in slices of this size: whole, it needs N · C · D · 4 bytes


class PytorchOod:
    """Detectors are made anew for each run; ``fit_logits``, ``fit_features`` and their kin take the tensors as they are."""

    title, package = "pytorch-ood", "pytorch-ood"
    install = "pip install '.[bench]'"
    about = "tensors go in as its cache would hand them over."
    run = "fit by tensors, then Benchmark.evaluate(detectors, cache=True), dice in one slice"
    pairs: Mapping[str, str] = {
        "msp": "",
        "mls": "",
        "ebo": "",
        "entropy": "it clips p at 1e-7",
        "gen": "it clips p at 1e-7",
        "gradnorm": "it: one gradient an image; oodkit: the closed form",
        "temp_scaling": "it: one LBFGS call; oodkit: the optimum",
        "klm": "",
        "openmax": "it fits on all train images of a class, oodkit as the paper on the correct ones; it loops over images",
        "react": "",
        "vra:bounds=each": "",
        "ash-b": "",
        "ash-p": "",
        "ash-s": "",
        "scale": "",
        "dice": "it keeps features × weights for every image: sliced here, or memory runs out",
        "she": "",
        "fdbd": "",
        "nci": "",
        "knn": "it searches with scikit-learn",
        "nnguide:fraction=1.0": "",
        "vim:dim=256": "float32 eigenvectors",
        "mds": "adds 1e-6 to the diagonal, float32; a loop over classes",
        "rmds": "adds 1e-6 to the diagonal, float32; a loop over classes",
    }

    @staticmethod
    def absent() -> str:
        return "" if find_spec("pytorch_ood") else "no module pytorch_ood"

    def __init__(self, head: Head, sets: Mapping[str, Columns]) -> None:
        logging.getLogger("pytorch_ood").setLevel(logging.ERROR)
        import_module("pytorch_ood.detector")  # not to be part of the first time taken
        self.sets, self.head = sets, head
        self.linear = nn.Linear(head.num_features, head.num_classes).requires_grad_(False)
        self.linear.load_state_dict({"weight": head.weight, "bias": head.bias})

    def detector(self, spec: str):
        from pytorch_ood import detector as there

        linear, features = self.linear, nn.Identity()
        w, b = self.head.weight, self.head.bias
        maps = {"backbone": nn.Unflatten(1, (len(w[0]), 1, 1)), "head": nn.Sequential(nn.Flatten(), linear)}
        make = {
            "msp": lambda: there.MaxSoftmax(linear),
            "mls": lambda: there.MaxLogit(linear),
            "ebo": lambda: there.EnergyBased(linear),
            "entropy": lambda: there.Entropy(linear),
            "gen": lambda: there.GEN(linear, gamma=0.1, M=100),
            "gradnorm": lambda: there.GradNorm(linear, param_filter=lambda name: name == "weight", micro_batch_size=128),
            "temp_scaling": lambda: there.TemperatureScaling(linear),
            "klm": lambda: there.KLMatching(linear),
            "openmax": lambda: there.OpenMax(linear, tailsize=20, alpha=3),
            "react": lambda: there.ReAct(**maps, percentile=0.9),
            "vra:bounds=each": lambda: there.VRA(**maps, lower_percentile=0.1, upper_percentile=0.9),
            "ash-b": lambda: there.ASH(**maps, variant="ash-b", percentile=0.9),
            "ash-p": lambda: there.ASH(**maps, variant="ash-p", percentile=0.9),
            "ash-s": lambda: there.ASH(**maps, variant="ash-s", percentile=0.9),
            "scale": lambda: there.SCALE(**maps, percentile=0.85),
            "dice": lambda: there.DICE(features, w, b, p=0.9),
            "she": lambda: there.SHE(features, linear),
            "fdbd": lambda: there.fDBD(features, linear),
            "nci": lambda: there.NCI(features, linear, alpha=1e-4),
            "knn": lambda: there.KNN(features, k=50),
            "nnguide:fraction=1.0": lambda: there.NNGuide(features, linear, k=100),
            "vim:dim=256": lambda: there.ViM(features, d=256, w=w, b=b),
            "mds": lambda: there.Mahalanobis(features),
            "rmds": lambda: there.RMD(features),
        }
        return make[spec]()

    def scores(self, spec: str, fits_on: str | None) -> dict[str, np.ndarray]:
        """Fitted and scored; higher = more in-distribution, as oodkit's."""
        detector = self.fitted(spec, fits_on)
        rows = max(1, DICE_BYTES // (4 * self.head.weight.numel())) if spec == "dice" else None
        return {role: -self._scored(detector, self.sets[role], rows).detach().double().numpy() for role in ("id", "ood")}

    def fitted(self, spec: str, fits_on: str | None):
        from pytorch_ood.api import FeatureMapsDetector, FeaturesDetector, LogitsDetector

        detector = self.detector(spec)
        if fits_on and detector.requires_fit:
            columns = self.sets[{"train": "fit", "val": "val"}[fits_on]]
            if isinstance(detector, LogitsDetector):
                detector.fit_logits(columns["logits"], columns["labels"])
            elif isinstance(detector, FeatureMapsDetector):
                detector.fit_feature_maps(columns["features"][:, :, None, None], columns["labels"])
            elif isinstance(detector, FeaturesDetector):
                detector.fit_features(columns["features"], columns["labels"])
        return detector

    def _scored(self, detector, columns: Columns, rows: int | None) -> Tensor:
        from pytorch_ood.api import FeatureMapsDetector, FeaturesDetector, LogitsDetector

        if isinstance(detector, LogitsDetector):
            return detector.predict_logits(columns["logits"])
        if isinstance(detector, FeatureMapsDetector):
            return detector.predict_feature_maps(columns["features"][:, :, None, None])
        if isinstance(detector, FeaturesDetector):
            pieces = columns["features"].split(rows or len(columns["features"]))
            return torch.cat([detector.predict_features(piece) for piece in pieces])
        return detector.predict(columns["features"])

    def one_run(self, specs: list[str]) -> list:
        from pytorch_ood.benchmark import Benchmark

        from oodkit.scorers import parse_scorer

        sets = self.sets

        class Tensors(Benchmark):
            ood_names = ("ood",)

            def train_set(self):
                return [(sets["fit"]["features"], sets["fit"]["labels"])]

            def test_sets(self, known=True, unknown=True):
                both = [(sets[role]["features"].split(256), sets[role]["labels"].split(256)) for role in ("id", "ood")]
                return [[batch for features, labels in both for batch in zip(features, labels, strict=True)]]

        detectors = [self.fitted(spec, parse_scorer(spec).fits_on) for spec in specs]
        return Tensors().evaluate(detectors, loader_kwargs={"batch_size": None}, cache=True)

    @staticmethod
    def auroc(id_scores: np.ndarray, ood_scores: np.ndarray) -> float:
        from pytorch_ood.metrics import AUROC

        scores = torch.from_numpy(-np.concatenate([id_scores, ood_scores]))
        labels = torch.cat([torch.zeros(len(id_scores)), -torch.ones(len(ood_scores))]).long()
        return AUROC().update(scores, labels).compute()["AUROC"]
