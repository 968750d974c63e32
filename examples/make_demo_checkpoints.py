"""Train the demo's two checkpoints, and measure over several seeds how far their story holds.

python examples/make_demo_checkpoints.py                        trains seed 0 of both recipes into oodkit/demo/
python examples/make_demo_checkpoints.py --seeds 0 1 2 3 4      trains all of them, saves nothing, prints a Markdown table
python examples/make_demo_checkpoints.py --seeds 0 1 --mixup 1  the same with stronger mixup in v2 than the 0.2 that ships
"""

import argparse
import json
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

import oodkit
from oodkit import demo
from oodkit.metrics import accuracy

RECIPES = {"v1": {"label_smoothing": 0.0, "mixup": 0.0}, "v2": {"label_smoothing": 0.1, "mixup": 0.2}}
ARCHITECTURE = "test_resnet"
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY, SHIFT = 60, 64, 3e-3, 0.05, 4


def tensors(spec: str) -> tuple[Tensor, Tensor]:
    """Pixels (N, 3, 32, 32) in [−1, 1] and labels (N,)."""
    images = oodkit.open_images(spec)
    pixels = np.stack([np.asarray(images.load(index)) for index in range(len(images))])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1, torch.from_numpy(images.labels)


def shifted(images: Tensor) -> Tensor:
    """Every image moved by up to SHIFT pixels either way; what comes in is black, as a digit's background is."""
    size, rows = images.shape[-1], torch.arange(len(images))[:, None, None]
    padded = functional.pad(images, (SHIFT,) * 4, value=-1.0)
    down, right = torch.randint(2 * SHIFT + 1, (2, len(images), 1)) + torch.arange(size)
    return padded.permute(0, 2, 3, 1)[rows, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)


def train(recipe: str, seed: int) -> nn.Module:
    smoothing, alpha = RECIPES[recipe]["label_smoothing"], RECIPES[recipe]["mixup"]
    torch.manual_seed(seed)
    images, labels = tensors("demo:digits:train")
    net = timm.create_model(ARCHITECTURE, num_classes=8)
    batches = len(images) // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=EPOCHS * batches)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH)[:batches]:
            batch, targets = shifted(images[rows]), labels[rows]
            # Mixup by hand: timm's Mixup smooths labels by 0.1 unless told otherwise, and here smoothing is a setting beside it.
            share = float(torch.distributions.Beta(alpha, alpha).sample()) if alpha else 1.0
            partner = torch.randperm(BATCH) if alpha else torch.arange(BATCH)
            logits = net(share * batch + (1 - share) * batch[partner])
            own, other = (functional.cross_entropy(logits, y, label_smoothing=smoothing) for y in (targets, targets[partner]))
            optimizer.zero_grad()
            (share * own + (1 - share) * other).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def save(net: nn.Module, recipe: str, seed: int) -> None:
    facts = {
        "architecture": ARCHITECTURE,
        "model_args": json.dumps({"num_classes": 8}),
        "input_size": json.dumps([3, 32, 32]),
        "mean": json.dumps([0.5, 0.5, 0.5]),
        "std": json.dumps([0.5, 0.5, 0.5]),
        "interpolation": "bilinear",
        "crop_pct": "1.0",
        "class_names": json.dumps(oodkit.open_images("demo:digits").class_names),
        "recipe": json.dumps({"loss": "ce", **RECIPES[recipe], "cutmix": 0.0, "seed": seed, "epochs": EPOCHS}),
    }
    path = Path(demo.__path__[0]) / f"digits-{recipe}.safetensors"
    save_file(net.state_dict(), path, facts)
    print(f"wrote {path.name}: {path.stat().st_size / 1e6:.2f} MB")


@torch.no_grad()
def outputs(net: nn.Module, spec: str) -> oodkit.Outputs:
    images, labels = tensors(spec)
    features = net.forward_head(net.forward_features(images), pre_logits=True)
    return oodkit.Outputs(features, labels, head=oodkit.Head(net.fc.weight.detach(), net.fc.bias.detach()))


def refitted_head(train_set: oodkit.Outputs) -> oodkit.Head:
    """The head that plain cross-entropy finds on the cached training features (scikit-learn's defaults: L2 penalty, C = 1)."""
    fit = LogisticRegression(max_iter=10_000).fit(train_set.features.numpy(), train_set.labels.numpy())
    return oodkit.Head(torch.from_numpy(fit.coef_).float(), torch.from_numpy(fit.intercept_).float())


def measure(seed: int) -> dict[str, float]:
    """One seed of both recipes: every figure of the table. Accuracies and AUROC in percent, shifts as fractions."""
    figures: dict[str, float] = {}
    baseline = None
    for recipe in RECIPES:
        net = train(recipe, seed)
        bank, val, test = (outputs(net, f"demo:digits:{split}") for split in ("train", "val", "test"))
        ood = {"near": outputs(net, "demo:digits-unseen"), "far": outputs(net, "demo:photo-patches")}
        found = oodkit.diagnose(recipe, test, ood, fit=bank, scorers=["mls", "knn:k=50"], baseline=baseline)
        figures[f"{recipe} accuracy, val"] = 100 * accuracy(val.predictions(), val.labels).value
        figures[f"{recipe} accuracy, test"] = 100 * found.accuracy.value
        head, mls = refitted_head(bank), oodkit.make_scorer("mls")
        for group, some in ood.items():
            for scorer in ("mls", "knn"):
                figures[f"{recipe} AUROC {group}, {scorer}"] = 100 * found.row(scorer, group).auroc.value
            after = oodkit.auroc(mls.score(test.with_head(head)), mls.score(some.with_head(head)))
            figures[f"{recipe} AUROC {group}, mls, head refitted"] = 100 * after
        baseline = found
    for shift in found.shifts:
        figures |= {
            "r_id": shift.r_id.value,
            f"r_{shift.ood_set}": shift.r_ood.value,
            f"shift ratio {shift.ood_set}": shift.ratio.value,
        }
    return figures


def print_table(seeds: list[int]) -> None:
    columns = [measure(seed) for seed in seeds]
    print("| figure | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean ± sd |")
    print("|---|" + "---:|" * (len(seeds) + 1))
    for name in columns[0]:
        values = torch.tensor([column[name] for column in columns])
        digits = 2 if name.startswith("v") else 3
        spread = f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"
        print(f"| {name} | " + " | ".join(f"{value:.{digits}f}" for value in values) + f" | {spread} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--mixup", type=float, help="alpha of v2's mixup, for the table only")
    arguments = parser.parse_args()
    if arguments.seeds and arguments.mixup is not None:
        RECIPES["v2"]["mixup"] = arguments.mixup
    torch.set_num_threads(1)  # the order of sums, and with it the weights, would depend on the number of threads
    torch.use_deterministic_algorithms(True)
    if arguments.seeds:
        print_table(arguments.seeds)
    else:
        for recipe in RECIPES:
            save(train(recipe, 0), recipe, 0)
