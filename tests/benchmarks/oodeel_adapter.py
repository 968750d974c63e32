"""oodeel's detectors with the settings of oodkit's scorers, fed with batches through a network of one layer. For peers.py."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from synthetic import Columns
from torch import nn
from torch.utils.data import DataLoader

from oodkit.head import Head

BATCH = 256
SMALL_BATCH = 32  # for what makes a B × B product for every class and keeps its diagonal


class Oodeel:
    """It takes a network and loaders: here the identity, whose output are the features, and the head."""

    title, package = "oodeel", "oodeel"
    install = "pip install '.[bench]' and then pip install --no-deps oodeel==0.4.0"
    about = f"batches of {BATCH} rows ({SMALL_BATCH} for mds and rmds), no collation, input noise off."
    run = "fit, score and bench_metrics for each"
    pairs: Mapping[str, str] = {
        "msp": "",
        "mls": "",
        "ebo": "",
        "entropy": "",
        "gen": "",
        "react": "",
        "ash-s": "it keeps what lies strictly above the row's interpolated percentile: one entry more at D = 512, fewer with ties",
        "scale": "it keeps what lies strictly above the row's interpolated percentile: fewer entries with ties",
        "she": "it takes the largest product over all classes, the paper and oodkit that of the predicted one",
        "knn": "faiss for both",
        "vim:dim=256": "its origin is the mean: pca_origin='pseudo' has no effect in 0.4.0",
        "mds": "a B × B product for every class",
        "rmds": "a B × B product for every class",
    }

    @staticmethod
    def absent() -> str:
        needed = [name for name in ("oodeel", "datasets") if not find_spec(name)]
        return f"no module {needed[0]}" if needed else ""

    def __init__(self, head: Head, sets: Mapping[str, Columns]) -> None:
        import_module("oodeel.methods")  # not to be part of the first time taken
        import_module("oodeel.datasets.torch_data_handler")
        self.head, self.sets = head, sets

    def network(self) -> nn.Sequential:
        """A new one each time: detectors leave hooks in it."""
        linear = nn.Linear(self.head.num_features, self.head.num_classes)
        linear.load_state_dict({"weight": self.head.weight, "bias": self.head.bias})
        return nn.Sequential(nn.Identity(), linear).eval()

    def loader(self, role: str, rows: int) -> DataLoader:
        columns = self.sets[role]
        batches = list(zip(columns["features"].split(rows), columns["labels"].split(rows), strict=True))
        return DataLoader(batches, batch_size=None)

    def detector(self, spec: str):
        from oodeel import methods as there

        make = {
            "msp": lambda: there.MLS(output_activation="softmax"),
            "mls": there.MLS,
            "ebo": there.Energy,
            "entropy": there.Entropy,
            "gen": lambda: there.GEN(gamma=0.1, k=100),
            "react": lambda: there.Energy(use_react=True, react_quantile=0.9),
            "ash-s": lambda: there.Energy(use_ash=True, ash_percentile=0.9),
            "scale": lambda: there.Energy(use_scale=True, scale_percentile=0.85),
            "she": lambda: there.SHE(eps=0),
            "knn": lambda: there.DKNN(nearest=50),
            "vim:dim=256": lambda: there.VIM(princ_dims=256, pca_origin="pseudo"),
            "mds": lambda: there.Mahalanobis(eps=0),
            "rmds": lambda: there.RMDS(eps=0),
        }
        return make[spec]()

    def scores(self, spec: str, fits_on: str | None) -> dict[str, np.ndarray]:
        """Fitted and scored; higher = more in-distribution, as oodkit's."""
        from oodeel.methods.base import FeatureBasedDetector

        detector = self.detector(spec)
        rows = SMALL_BATCH if spec in {"mds", "rmds"} else BATCH
        layers = {"feature_layers_id": [0]} if isinstance(detector, FeatureBasedDetector) else {}
        fit_set = self.loader({"train": "fit", "val": "val"}[fits_on], BATCH) if fits_on else None
        detector.fit(self.network(), fit_dataset=fit_set, **layers)
        return {role: -detector.score(self.loader(role, rows))[0].astype(np.float64) for role in ("id", "ood")}

    def one_run(self, specs: list[str]) -> list[float]:
        from oodkit.scorers import parse_scorer

        return [self.auroc(**{f"{role}_scores": one for role, one in self.scores(spec, parse_scorer(spec).fits_on).items()})
                for spec in specs]  # fmt: skip

    @staticmethod
    def auroc(id_scores: np.ndarray, ood_scores: np.ndarray) -> float:
        from oodeel.eval.metrics import bench_metrics

        return bench_metrics((-id_scores, -ood_scores), metrics=["auroc"])["auroc"]
