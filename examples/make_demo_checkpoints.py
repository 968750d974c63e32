"""Train the demo's two checkpoints, and measure over several seeds how far their story holds.

python examples/make_demo_checkpoints.py                        trains seed 0 of both recipes into oodkit/demo/
python examples/make_demo_checkpoints.py --seeds 0 1 2 3 4      trains all of them, saves nothing, prints a Markdown table
"""

import argparse
import json
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from oodkit import demo
from oodkit.demo.sets import DemoSet, open_demo_set
from oodkit.head import Head
from oodkit.outputs import Outputs

RECIPES = {"v1": {"label_smoothing": 0.0, "mixup": 0.0}, "v2": {"label_smoothing": 0.1, "mixup": 0.2}}
ARCHITECTURE = "test_resnet"
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY, SHIFT = 60, 64, 3e-3, 0.05, 4
NEIGHBOURS = 50
OOD = {"near": "digits-unseen", "far": "photo-patches"}


def tensors(images: DemoSet) -> tuple[Tensor, Tensor]:
    """Pixels (N, 3, 32, 32) in [−1, 1] and labels (N,)."""
    return torch.from_numpy(images.pixels).permute(0, 3, 1, 2) / 127.5 - 1, torch.from_numpy(images.labels)


def shifted(images: Tensor) -> Tensor:
    """Every image moved by up to SHIFT pixels either way; what comes in is black, as a digit's background is."""
    size, rows = images.shape[-1], torch.arange(len(images))[:, None, None]
    padded = functional.pad(images, (SHIFT,) * 4, value=-1.0)
    down, right = torch.randint(2 * SHIFT + 1, (2, len(images), 1)) + torch.arange(size)
    return padded.permute(0, 2, 3, 1)[rows, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)


def train(recipe: str, seed: int) -> nn.Module:
    smoothing, alpha = RECIPES[recipe]["label_smoothing"], RECIPES[recipe]["mixup"]
    torch.manual_seed(seed)
    images, labels = tensors(open_demo_set("digits:train"))
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
        "class_names": json.dumps(open_demo_set("digits").class_names),
        "recipe": json.dumps({"loss": "ce", **RECIPES[recipe], "cutmix": 0.0, "seed": seed, "epochs": EPOCHS}),
    }
    path = Path(demo.__path__[0]) / f"digits-{recipe}.safetensors"
    save_file(net.state_dict(), path, facts)
    print(f"wrote {path.name}: {path.stat().st_size / 1e6:.2f} MB")


@torch.no_grad()
def outputs(net: nn.Module, name: str) -> Outputs:
    images, labels = tensors(open_demo_set(name))
    features = net.forward_head(net.forward_features(images), pre_logits=True)
    return Outputs(features, labels, head=Head(net.fc.weight.detach(), net.fc.bias.detach()))


def refitted_head(train_set: Outputs) -> Head:
    """The head that plain cross-entropy finds on the cached training features (scikit-learn's defaults: L2 penalty, C = 1)."""
    fit = LogisticRegression(max_iter=10_000).fit(train_set.features.numpy(), train_set.labels.numpy())
    return Head(torch.from_numpy(fit.coef_).float(), torch.from_numpy(fit.intercept_).float())


def maximal_logits(some: Outputs) -> Tensor:
    return some.logits.max(1).values


def knn_scores(some: Outputs, bank: Outputs) -> Tensor:
    distances = torch.cdist(functional.normalize(some.features), functional.normalize(bank.features))
    return -distances.kthvalue(NEIGHBOURS, dim=1).values


def auroc(inside: Tensor, outside: Tensor) -> float:
    return 100 * float(roc_auc_score([1] * len(inside) + [0] * len(outside), torch.cat([inside, outside])))


def measure(seed: int) -> dict[str, float]:
    """One seed of both recipes: every figure of the table. Accuracies and AUROC in percent, shifts as fractions."""
    figures: dict[str, float] = {}
    means: dict[str, dict[str, float]] = {}
    for recipe in RECIPES:
        net = train(recipe, seed)
        bank, val, test = (outputs(net, f"digits:{split}") for split in ("train", "val", "test"))
        for split, some in {"val": val, "test": test}.items():
            figures[f"{recipe} accuracy, {split}"] = 100 * (some.predictions() == some.labels).double().mean().item()
        means[recipe] = {"id": maximal_logits(test).mean().item()}
        head = refitted_head(bank)
        for group, name in OOD.items():
            ood = outputs(net, name)
            means[recipe][group] = maximal_logits(ood).mean().item()
            figures[f"{recipe} AUROC {group}, maximal logit"] = auroc(maximal_logits(test), maximal_logits(ood))
            figures[f"{recipe} AUROC {group}, KNN"] = auroc(knn_scores(test, bank), knn_scores(ood, bank))
            after = auroc(maximal_logits(test.with_head(head)), maximal_logits(ood.with_head(head)))
            figures[f"{recipe} AUROC {group}, maximal logit, head refitted"] = after
    shift = {name: 1 - means["v2"][name] / mean for name, mean in means["v1"].items()}
    figures |= {f"r_{name}": value for name, value in shift.items()}
    figures |= {f"(r_id − r_{group}) / (1 − r_{group})": (shift["id"] - shift[group]) / (1 - shift[group]) for group in OOD}
    return figures


def print_table(seeds: list[int]) -> None:
    columns = [measure(seed) for seed in seeds]
    print("| figure | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean ± sd |")
    print("|---|" + "---:|" * (len(seeds) + 1))
    for name in columns[0]:
        values = torch.tensor([column[name] for column in columns])
        digits = 2 if "v" in name else 3
        spread = f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"
        print(f"| {name} | " + " | ".join(f"{value:.{digits}f}" for value in values) + f" | {spread} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the order of sums, and with it the weights, would depend on the number of threads
    torch.use_deterministic_algorithms(True)
    if arguments.seeds:
        print_table(arguments.seeds)
    else:
        for recipe in RECIPES:
            save(train(recipe, 0), recipe, 0)
