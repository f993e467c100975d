"""beta-VAE: an autoencoder whose latent variables are pressed to be few and independent.

Kingma & Welling 2014, arXiv 1312.6114, for beta = 1; Higgins et al. 2017 (International Conference on Learning
Representations), for beta > 1. With the perceptual loss of DARLA, Higgins et al. 2017, arXiv 1707.08475.
`disentanglement` measures what came of it.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

Perception = Callable[[Tensor], Tensor]  # images (B, C, H, W) to features (B, …)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mu, diag(sigma²)) || N(0, I)) of each image, (B,), summed over the latent variables:

        KL = 1/2 sum_j (mu_j² + sigma_j² - log sigma_j² - 1)

    Args:
        mean, log_variance: mu and log sigma², (B, Z).
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


def reconstruction_error(output: Tensor, wanted: Tensor, variance: float = 0.02) -> Tensor:
    """-log p(x|z) of each image but for a constant, (B,), summed over pixels and channels:

        ||x - x'||² / (2 sigma²),   p(x|z) = N(x; x'(z), sigma² I)

    It is a sum like the KL term: a mean over pixels would change beta by their number.

    Args:
        output, wanted: x' and x, or features of both, (B, …).
        variance: sigma² of a pixel or feature.
    """
    if output.shape != wanted.shape:
        raise ValueError(f"the output has shape {tuple(output.shape)}, what is wanted {tuple(wanted.shape)}")
    return (output - wanted).square().flatten(1).sum(1) / (2 * variance)


def beta_vae_loss(error: Tensor, kl: Tensor, beta: float) -> Tensor:
    """The negative evidence lower bound with a weight on its second term, the mean over a batch (B,):

        L = E[-log p(x|z)] + beta KL(q(z|x) || p(z))

    With beta = 1 it bounds -log p(x) from above, but for the constant that `reconstruction_error` leaves out (Kingma &
    Welling); a larger beta leaves less room for what z says
    about x, and the room goes to independent factors first (Higgins et al.).
    """
    return (error + beta * kl).mean()


class BetaVAE(nn.Module):
    """Fully connected encoder and decoder of small images.

        q(z|x) = N(mu(x), diag(sigma²(x))),   x'(z) = decoder(z) in [0, 1]

    Args:
        shape: (C, H, W) of an image.
        latents: how many latent variables, Z.
        units: in each of the two hidden layers of both.
    """

    def __init__(self, shape: tuple[int, int, int], latents: int = 6, units: int = 256):
        super().__init__()
        self.shape, self.latents, self.units = tuple(shape), latents, units
        pixels = math.prod(shape)
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU()
        )
        self.posterior = nn.Linear(units, 2 * latents)
        self.decoder = nn.Sequential(
            nn.Linear(latents, units), nn.Tanh(), nn.Linear(units, units), nn.Tanh(), nn.Linear(units, pixels)
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma² of images (B, C, H, W), bytes or floats in [0, 1]: (B, Z) each."""
        mean, log_variance = self.posterior(self.encoder(as_floats(images, self.shape))).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)  # beyond, the exponential takes the training along

    def decode(self, z: Tensor) -> Tensor:
        """The images x' that latent variables (B, Z) stand for: (B, C, H, W), floats in [0, 1]."""
        return self.decoder(z).sigmoid().unflatten(1, self.shape)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x' of one draw of z, mu and log sigma². The draw is z = mu + sigma epsilon, epsilon ~ N(0, I), so that a
        gradient passes through mu and sigma."""
        mean, log_variance = self.encode(images)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return self.decode(z), mean, log_variance


class DenoisingAutoencoder(nn.Module):
    """Fills in what is hidden in an image; its features tell images apart as a picture, not pixel by pixel.

    DARLA compares an image and its reconstruction by them. (Vincent et al. 2010, Journal of Machine Learning Research
    11; Pathak et al. 2016, arXiv 1604.07379, hide patches.)
    """

    def __init__(self, shape: tuple[int, int, int], features: int = 64, units: int = 256):
        super().__init__()
        self.shape, pixels = tuple(shape), math.prod(shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, units), nn.ReLU(), nn.Linear(units, features))
        self.decoder = nn.Sequential(nn.ReLU(), nn.Linear(features, units), nn.ReLU(), nn.Linear(units, pixels))

    def features(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), bytes or floats in [0, 1], to features (B, features)."""
        return self.encoder(as_floats(images, self.shape))

    def forward(self, images: Tensor) -> Tensor:
        """The whole images, (B, C, H, W), as guessed from images of which a part is hidden."""
        return self.decoder(self.features(images)).sigmoid().unflatten(1, self.shape)


def hide_patches(images: Tensor, share: float = 0.3, patches: int = 2) -> Tensor:
    """A copy of images (B, C, H, W), floats, with square patches set to 0, each with sides of `share` of the image's,
    at random places that are the same for the whole batch."""
    hidden, (height, width) = images.clone(), images.shape[2:]
    tall, wide = max(1, round(share * height)), max(1, round(share * width))
    for _ in range(patches):
        top, left = (int(torch.randint(side - patch + 1, ())) for side, patch in ((height, tall), (width, wide)))
        hidden[:, :, top : top + tall, left : left + wide] = 0
    return hidden


def train_denoising_autoencoder(
    network: DenoisingAutoencoder,
    images: Tensor,
    *,
    steps: int = 2_000,
    seed: int = 0,
    lr: float = 1e-3,
    batch_size: int = 64,
    progress: bool = True,
) -> list[float]:
    """Train in place to fill in what `hide_patches` hides; returns the mean squared error of each step.

    Args, errors and reproducibility are those of `train_beta_vae`.
    """
    images = as_floats(images, network.shape)
    _check_range(images)

    def loss(batch: Tensor, _: float) -> Tensor:
        return F.mse_loss(network(hide_patches(batch)), batch)

    return _train(network, images, loss, steps, seed, lr, batch_size, progress)


def train_beta_vae(
    vae: BetaVAE,
    images: Tensor,
    *,
    beta: float,
    steps: int = 10_000,
    seed: int = 0,
    lr: float = 1e-3,
    batch_size: int = 64,
    variance: float = 0.02,
    warmup: float = 0.3,
    perceive: Perception | None = None,
    progress: bool = True,
) -> list[float]:
    """Train in place; returns the loss of each step. The same seed gives the same numbers on the same machine.

    Args:
        images: (N, C, H, W), bytes or floats in [0, 1], without labels.
        beta: the weight of the KL term at last; it rises from 0, or the latent variables would be given up at once.
        steps: of Adam, each on one batch.
        seed: of the batches and the draws of z; the weights come as they are.
        lr: learning rate of Adam, which falls linearly to a twentieth.
        batch_size: images in a batch.
        variance: see `reconstruction_error`.
        warmup: the share of the steps in which beta rises, linearly.
        perceive: compare the features that it gives of x and x', not the pixels: DARLA's perceptual loss. Give a frozen
            network; `variance` is then that of its features.
        progress: show a bar if it takes more than two seconds.

    Raises:
        ValueError: unusable settings, or images of another shape or range.
        FloatingPointError: the loss is no longer finite.
    """
    images = as_floats(images, vae.shape)
    _check_range(images)
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta is {beta}; give a finite number from 0 on")
    if not 0 <= warmup <= 1:
        raise ValueError(f"warmup is {warmup}; give a share of the steps, from 0 to 1")
    for name, value in dict(variance=variance, lr=lr).items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; give a finite number above 0")
    see = perceive or (lambda images: images)

    def loss(batch: Tensor, done: float) -> Tensor:
        output, mean, log_variance = vae(batch)
        with torch.no_grad():
            wanted = see(batch)
        error, kl = reconstruction_error(see(output), wanted, variance), kl_to_standard_normal(mean, log_variance)
        return beta_vae_loss(error, kl, beta * min(1.0, done / warmup if warmup else 1.0))

    return _train(vae, images, loss, steps, seed, lr, batch_size, progress)


def as_floats(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images (B, C, H, W), bytes or floats in [0, 1], as floats.

    Raises:
        ValueError: another shape than (B, *shape), or another number type.
    """
    if images.shape[1:] != shape:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"the images have shape {tuple(images.shape)}; give (B, {wanted})")
    if images.dtype == torch.uint8:
        return images / 255
    if not images.is_floating_point():
        raise ValueError(f"the images are {images.dtype}; give bytes (uint8), or floats in [0, 1]")
    return images


def _check_range(images: Tensor) -> None:
    """Refuse to train on no images, or on floats that are not in [0, 1]."""
    if not len(images):
        raise ValueError("there are no images; give one or more")
    low, high = (float(bound) for bound in images.aminmax())
    if not 0 <= low <= high <= 1:
        raise ValueError(f"the images have values from {low} to {high}; divide them by 255, or give bytes (uint8)")


def _train(network, images, loss_of, steps, seed, lr, batch_size, progress) -> list[float]:
    for name, value in dict(steps=steps, batch_size=batch_size).items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=lr), []
    device = images.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed all accelerators
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        for step in tqdm(range(steps), delay=2, leave=False, disable=not progress):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - 0.95 * step / steps)
            loss = loss_of(images[torch.randint(len(images), (batch_size,), device=device)], step / steps)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"the loss is {losses[-1]} in step {step}; try a lower learning rate")
    return losses
