"""The generator of BigGAN-deep: noise and a class to an image, in one forward pass.

Brock, Donahue, Simonyan: Large Scale GAN Training for High Fidelity Natural Image Synthesis, arXiv:1809.11096, appendix B,
figure 16; the layout of the weights is that of the conversion which Hugging Face published in 2019.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from oodkit.errors import CheckpointError, UsageError
from oodkit.models.state import misfits
from oodkit.synth.biggan_weights import Sizes, read_biggan

NARROWING = 4  # of a block's input to the channels between its convolutions


class Statistics(nn.Module):
    """Mean and variance of each channel for truncations from 0 to 1, measured after training; never of the batch at hand."""

    running_means: Tensor
    running_vars: Tensor

    def __init__(self, channels: int, sizes: Sizes) -> None:
        super().__init__()
        self.eps = sizes.eps
        self.register_buffer("running_means", torch.zeros(sizes.n_stats, channels))
        self.register_buffer("running_vars", torch.ones(sizes.n_stats, channels))

    def at(self, truncation: float) -> tuple[Tensor, Tensor]:
        """Mean and 1 / standard deviation, (C,) each; linear between the two nearest truncations that were measured."""
        position = truncation * (len(self.running_means) - 1)
        low = min(int(position), len(self.running_means) - 2)
        mean, variance = (torch.lerp(rows[low], rows[low + 1], position - low) for rows in (self.running_means, self.running_vars))
        return mean, (variance + self.eps).rsqrt()


class ConditionalNorm(Statistics):
    """(x − mean) / √(variance + eps) · (1 + scale(c)) + offset(c), c the noise and the class."""

    def __init__(self, channels: int, sizes: Sizes) -> None:
        super().__init__(channels, sizes)
        self.scale = nn.Linear(sizes.condition, channels, bias=False)
        self.offset = nn.Linear(sizes.condition, channels, bias=False)

    def forward(self, x: Tensor, condition: Tensor, truncation: float) -> Tensor:
        mean, inverse = self.at(truncation)
        gain = (1 + self.scale(condition)) * inverse
        return _scaled(x, gain, self.offset(condition) - mean * gain)


class FinalNorm(Statistics):
    """(x − mean) / √(variance + eps) · weight + bias."""

    def __init__(self, channels: int, sizes: Sizes) -> None:
        super().__init__(channels, sizes)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, truncation: float) -> Tensor:
        mean, inverse = self.at(truncation)
        gain = self.weight * inverse
        return _scaled(x, gain[None], (self.bias - mean * gain)[None])


def _scaled(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """X · gain + shift, these (N or 1, C), in one pass over x and in its precision."""
    return torch.addcmul(shift[:, :, None, None].to(x.dtype), x, gain[:, :, None, None].to(x.dtype))


class Block(nn.Module):
    """Four convolutions beside a path that skips them, which keeps the first channels where there are fewer behind."""

    def __init__(self, before: int, after: int, sizes: Sizes, *, upsamples: bool) -> None:
        super().__init__()
        between = before // NARROWING
        self.after, self.upsamples = after, upsamples
        self.bn_0, self.conv_0 = ConditionalNorm(before, sizes), nn.Conv2d(before, between, 1)
        self.bn_1, self.conv_1 = ConditionalNorm(between, sizes), nn.Conv2d(between, between, 3, padding=1)
        self.bn_2, self.conv_2 = ConditionalNorm(between, sizes), nn.Conv2d(between, between, 3, padding=1)
        self.bn_3, self.conv_3 = ConditionalNorm(between, sizes), nn.Conv2d(between, after, 1)

    def forward(self, x: Tensor, condition: Tensor, truncation: float) -> Tensor:
        main: Tensor = self.conv_0(self.bn_0(x, condition, truncation).relu_())
        main = self.bn_1(main, condition, truncation).relu_()
        main = self.conv_1(_doubled(main) if self.upsamples else main)
        main = self.conv_2(self.bn_2(main, condition, truncation).relu_())
        main = self.conv_3(self.bn_3(main, condition, truncation).relu_())
        skip = x[:, : self.after]
        return main.add_(_doubled(skip) if self.upsamples else skip)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


class SelfAttention(nn.Module):
    """Every pixel looks at the image at half its height and width; Zhang et al., arXiv:1805.08318, section 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snconv1x1_theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.snconv1x1_o_conv = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        query = self.snconv1x1_theta(x)
        key, value = (functional.max_pool2d(conv(x), 2) for conv in (self.snconv1x1_phi, self.snconv1x1_g))
        query, key, value = (one.flatten(2).mT[:, None] for one in (query, key, value))  # (N, 1, pixels, channels)
        # Zeros change no product, and with as many channels everywhere the fused kernel runs: 2 to 11 times as fast on a CPU.
        query, key = (functional.pad(one, (0, value.shape[3] - one.shape[3])) for one in (query, key))
        found = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        attended: Tensor = self.snconv1x1_o_conv(found[:, 0].mT.reshape(len(x), -1, *x.shape[2:]))
        return x + self.gamma.to(x.dtype) * attended


class Generator(nn.Module):
    """The part of the network behind the embedding of the class; its names are those of the published weights."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.channel_width
        self.first = sizes.layers[0][1] * width
        self.gen_z = nn.Linear(sizes.condition, 4 * 4 * self.first)
        blocks: list[nn.Module] = [
            Block(before * width, after * width, sizes, upsamples=upsamples) for upsamples, before, after in sizes.layers
        ]
        place = sizes.attention_layer_position
        self.layers = nn.ModuleList([*blocks[:place], SelfAttention(sizes.layers[place][1] * width), *blocks[place:]])
        self.bn = FinalNorm(width, sizes)
        self.conv_to_rgb = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, condition: Tensor, truncation: float) -> Tensor:
        x = self.gen_z(condition).view(len(condition), 4, 4, self.first).permute(0, 3, 1, 2)
        x = x.to(self.conv_to_rgb.weight.dtype)
        for layer in self.layers:
            x = layer(x) if isinstance(layer, SelfAttention) else layer(x, condition, truncation)
        x = self.bn(x, truncation).relu_()
        weight, bias = self.conv_to_rgb.weight[:3], self.conv_to_rgb.bias
        assert bias is not None
        # All but the first three channels go unused; without them BigGAN-deep-512 takes half the time.
        return functional.conv2d(x, weight, bias[:3], padding=1).float().tanh()


class BigGAN(nn.Module):
    """BigGAN-deep's generator, without spectral norm: its weights are divided by their norms when they are read.

    The convolutions may be put into half precision; noise, classes and statistics stay in float32.
    """

    def __init__(self, sizes: Sizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or Sizes()
        self.embeddings = nn.Linear(self.sizes.num_classes, self.sizes.class_embed_dim, bias=False)
        self.generator = Generator(self.sizes)

    def forward(self, z: Tensor, labels: Tensor, truncation: float = 0.4) -> Tensor:
        """Images (N, 3, H, W), float32 in [−1, 1].

        z: (N, z_dim), drawn from a normal distribution cut off at ±2, times ``truncation``. labels: (N,) whole numbers, the
        classes; or (N, num_classes), how much of each class. truncation: in (0, 1]; the statistics are those of this truncation.
        Raises UsageError for other shapes and truncations.
        """
        self._require(z, labels, truncation)
        table = self.embeddings.weight
        embedded = functional.embedding(labels, table.T) if labels.ndim == 1 else labels.to(table.dtype) @ table.T
        images: Tensor = self.generator(torch.cat([z, embedded], dim=1), truncation)
        return images

    def _require(self, z: Tensor, labels: Tensor, truncation: float) -> None:
        if z.ndim != 2 or z.shape[1] != self.sizes.z_dim:
            raise UsageError(f"noise of shape {tuple(z.shape)}, expected (images, {self.sizes.z_dim})")
        if labels.shape not in {(len(z),), (len(z), self.sizes.num_classes)}:
            got = f"labels of shape {tuple(labels.shape)} for noise of {len(z)} images"
            raise UsageError(f"{got}, expected ({len(z)},), or ({len(z)}, {self.sizes.num_classes}) shares of the classes")
        if not 0 < truncation <= 1:
            raise UsageError(f"a truncation of {truncation}, expected above 0 and at most 1")


def load_biggan(path: str | Path) -> BigGAN:
    """The network with the weights of a file, or of a folder with config.json and pytorch_model.bin or *.safetensors.

    Published weights, with spectral norm, and a ``state_dict()`` of this network, without, are read alike. Where there is no
    config.json, the sizes follow from the weights. In evaluation mode, on the CPU, in float32.
    Raises ModelNotFoundError where there is no such file, CheckpointError where it is damaged or holds anything else.
    """
    sizes, state = read_biggan(Path(path))
    with torch.device("meta"):
        net = BigGAN(sizes)
    if problems := misfits(net, state):
        raise CheckpointError(f"{path} does not fit BigGAN-deep-{sizes.output_dim}: {'; '.join(problems)}")
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(False)
