"""What the tests of ``oodkit score`` share: how a detector of the demo is made, and how rows are read."""

import csv
import io

from oodkit.calibration import Calibration
from oodkit.classifier import load_classifier
from oodkit.detector import Detector
from oodkit.extraction import extract
from oodkit.images import open_images
from oodkit.scorers import make_scorer

HEADER = "path,class_name,class_index,score,p_value,status,reason"
HERE = ("--workers", "0", "--device", "cpu")
NET = """
import torch

def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 8))
"""


def make_detector(path, name="demo:digits-v2", scorer="mls", **options):
    model = load_classifier(name, **options)
    fitted = make_scorer(scorer)
    outputs = {
        split: extract(model, open_images(f"demo:digits:{split}"), cache=False, workers=0, device="cpu")
        for split in ("train", "val")
    }
    if fitted.fits_on:
        fitted.fit(outputs[fitted.fits_on])
    Detector(model, fitted, Calibration(fitted.score(outputs["val"]).numpy(), 0.05)).save(path)
    return path


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))
