"""Domain adaptation: labels in a source domain, none in the target, and features that look alike in both.

Ben-David et al. 2010 (Machine Learning 79, 151-175) bound the target error by the source error, the distance of the
domains and the error of the best common classifier. Here are four ways to make that distance small:

    DANN    Ganin et al. 2016, arXiv 1505.07818: features that fool a domain classifier, by gradient reversal
    CORAL   Sun and Saenko 2016, arXiv 1607.01719: equal covariances
    MMD     Long et al. 2015, arXiv 1502.02791: equal means in the feature space of a kernel
    AdaBN   Li et al. 2016, arXiv 1603.04779: batch normalisation with the target's statistics

and a measure of it, the proxy A-distance.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm.auto import tqdm

from .runtime import pick_device
from .training import check_data

Alignment = Callable[[Tensor, Tensor], Tensor]
"""A loss of source features (n, d) and target features (m, d)."""


def adaptation_strength(progress: float, gamma: float = 10.0) -> float:
    """The strength of adaptation in the course of training, from 0 at its start to almost 1 at its end.

        lambda(p) = 2 / (1 + exp(-gamma p)) - 1

    So the noisy gradients of a domain classifier that knows nothing yet do no harm.

    Args:
        progress: p, the share of the training that is done, 0 to 1.
        gamma: how fast it rises.

    Raises:
        ValueError: progress outside of [0, 1].

    Paper: Ganin et al. 2016, arXiv 1505.07818, section 5.2.2.
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"progress is {progress}; give the share of training that is done, from 0 to 1")
    return 2 / (1 + math.exp(-gamma * progress)) - 1


class ReverseGradient(torch.autograd.Function):
    """The autograd function of `GradientReversal`: R(x) = x forwards, dR/dx = -lambda I backwards."""

    @staticmethod
    def forward(ctx, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)  # another tensor: a function that returns its input is left out of the graph

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradient, None


class GradientReversal(nn.Module):
    """Passes features on unchanged, and their gradient back times -strength.

    What follows it learns to lower its loss; what precedes it learns to raise that same loss. `strength` may be set
    anew at every step, for instance to `adaptation_strength(step / steps)`.

    Papers: Ganin and Lempitsky 2015, arXiv 1409.7495, with the strength; Ganin et al. 2016, arXiv 1505.07818.
    """

    def __init__(self, strength: float = 1.0):
        super().__init__()
        self.strength = strength

    def forward(self, features: Tensor) -> Tensor:
        return ReverseGradient.apply(features, self.strength)

    def extra_repr(self) -> str:
        return f"strength={self.strength:.3g}"


def domain_adversarial_loss(source_logits: Tensor, target_logits: Tensor) -> Tensor:
    """How badly a domain classifier tells target (1) from source (0): binary cross-entropy, a scalar, in nats.

        L_d = -1/2 mean_s log(1 - sigmoid(logit_s)) - 1/2 mean_t log(sigmoid(logit_t))

    Both domains weigh the same, however many examples each has. Who guesses has the loss log 2. (Ganin et al. 2016,
    arXiv 1505.07818, add the two means; with the half, a strength of 1 is half of theirs.)

    Args:
        source_logits: (n,) or (n, 1), one number for each source example.
        target_logits: (m,) or (m, 1).

    Raises:
        ValueError: other shapes, for instance one logit for each of two classes, or no examples.
    """
    for name, logits in (("source_logits", source_logits), ("target_logits", target_logits)):
        if logits.numel() != len(logits) or len(logits) == 0:
            raise ValueError(
                f"{name} has shape {tuple(logits.shape)}; one logit for each example is needed, (B,) or (B, 1): "
                "let the domain classifier end in one output, without a sigmoid or softmax"
            )
    return (F.softplus(source_logits).mean() + F.softplus(-target_logits).mean()) / 2


def coral_loss(source: Tensor, target: Tensor) -> Tensor:
    """The squared distance of the two covariance matrices, a scalar.

        L = ||C_S - C_T||_F^2 / (4 d^2)

    Args:
        source: features (n, d).
        target: features (m, d).

    Raises:
        ValueError: shapes that do not fit, or fewer than two examples in a domain.

    Paper: Sun and Saenko 2016, arXiv 1607.01719, equations 1 to 3.
    """
    _check_features(source, target)
    return (source.T.cov() - target.T.cov()).square().sum() / (4 * source.shape[1] ** 2)


def mmd_loss(source: Tensor, target: Tensor, scales: Sequence[float] = (0.125, 0.25, 0.5, 1.0, 2.0)) -> Tensor:
    """The squared maximum mean discrepancy of the two samples under Gaussian kernels: a scalar, 0 or more.

        MMD^2 = mean k(s, s') + mean k(t, t') - 2 mean k(s, t),   k(x, y) = mean_c exp(-||x - y||^2 / (2 c sigma^2))

    sigma^2 is the median squared distance between two examples of the batch, whatever their domains (the median
    heuristic), or the mean where the median is 0; no gradient flows through it. The means include the pairs of an
    example with itself, so the loss of two small samples of one distribution is above 0.

    Args:
        source: features (n, d).
        target: features (m, d).
        scales: the factors c; several kernels see coarse and fine differences.

    Raises:
        ValueError: shapes that do not fit, fewer than two examples in a domain, or scales that are not positive.

    Papers: Gretton et al. 2012 (JMLR 13, 723-773), equation 5; several kernels: Long et al. 2015, arXiv 1502.02791.
    """
    _check_features(source, target)
    if not scales or min(scales) <= 0:
        raise ValueError(f"scales are {tuple(scales)}; one or more positive numbers are needed")
    both = torch.cat([source, target])
    both = both - both.detach().mean(0)  # distances stay; rounding errors shrink
    lengths = both.square().sum(1)
    distance = (lengths[:, None] + lengths - 2 * both @ both.T).clamp(min=0)
    pairs = torch.ones_like(distance, dtype=torch.bool).triu(1)
    apart = distance.detach()[pairs]
    variance = apart.median() if apart.median() > 0 else apart.mean()
    variance = variance.clamp(min=torch.finfo(distance.dtype).tiny)
    kernel = sum(torch.exp(-distance / (2 * scale * variance)) for scale in scales) / len(scales)
    n = len(source)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def adaptive_batch_norm(network: nn.Module, inputs: Tensor, batch_size: int = 500) -> None:
    """Re-estimate, in place, the statistics of every batch normalisation from unlabelled inputs of the target (AdaBN).

    Weights stay as they are, and so do the modes of all modules: dropout, for instance, stays off in evaluation. The
    statistics are the averages over random batches of nearly equal size. If the network fails, they stay, too.

    Args:
        network: a network with batch normalisation.
        inputs: (N, …), as the network takes them.
        batch_size: how many at a time, 2 or more.

    Raises:
        ValueError: a network without running statistics, fewer than two inputs, or a batch size below two.

    Paper: Li et al. 2016, arXiv 1603.04779, algorithm 1.
    """
    layers = _batch_norms(network)
    if not layers:
        raise ValueError("the network has no batch normalisation with running statistics, so AdaBN cannot change it")
    if len(inputs) < 2 or batch_size < 2:
        raise ValueError(f"there are {len(inputs)} inputs and batch_size is {batch_size}; statistics need 2 or more")
    modes = {module: module.training for module in network.modules()}
    momenta = [layer.momentum for layer in layers]
    before = [[buffer.clone() for buffer in layer.buffers()] for layer in layers]
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0)).to(inputs.device)
    parts = min(math.ceil(len(inputs) / batch_size), len(inputs) // 2)  # no part of one, which has no variance
    device = layers[0].running_mean.device
    try:
        network.eval()
        for layer in layers:
            layer.train()
            layer.reset_running_stats()
            layer.momentum = None  # the plain average over all batches
        with torch.no_grad():
            for batch in order.tensor_split(parts):
                network(inputs[batch].to(device))
    except BaseException:
        for layer, buffers in zip(layers, before, strict=True):
            for buffer, value in zip(layer.buffers(), buffers, strict=True):
                buffer.copy_(value)
        raise
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for module, training in modes.items():
            module.training = training


def _batch_norms(network: nn.Module) -> list[_BatchNorm]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]


def proxy_a_distance(source: Tensor, target: Tensor, seed: int = 0) -> float:
    """How well a linear classifier tells the domains apart, an estimate of their A-distance: 0 not at all, 2 always.

        d_A = 2 (1 - 2 error)

    The classifier is a logistic regression on standardised features (scikit-learn's, C = 1); it is fitted on a random
    half of each domain and its error is measured on the other half. The domains weigh the same. An estimate below 0 is
    chance; 0 is returned. Give examples that no training has aligned: on those that it has, the estimate is too low.

    Args:
        source: features (n, d).
        target: features (m, d).
        seed: of the halves.

    Raises:
        ValueError: shapes that do not fit, or fewer than four examples in a domain.

    Papers: Ben-David et al. 2010, section 4, for the distance; Ganin et al. 2016, arXiv 1505.07818, for the proxy.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _check_features(source, target, least=4)
    generator = torch.Generator().manual_seed(seed)
    fit, test = [], []
    for features in (source, target):
        order = torch.randperm(len(features), generator=generator)
        half = len(features) // 2
        features = features.detach().float().cpu()
        fit.append(features[order[:half]])
        test.append(features[order[half:]])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    classifier.fit(torch.cat(fit).numpy(), [0] * len(fit[0]) + [1] * len(fit[1]))
    errors = [(classifier.predict(features.numpy()) != domain).mean() for domain, features in enumerate(test)]
    return max(0.0, float(2 * (1 - sum(errors))))


class DomainAdaptationModel(nn.Module):
    """DANN: one feature extractor, a classifier of the task on it, and behind gradient reversal one of the domain.

    Args:
        feature_extractor: inputs (B, …) to features (B, d); any backbone of `load_backbone`, for instance.
        task_classifier: features to logits (B, classes).
        domain_classifier: features to one logit each, (B, 1) or (B,), for the target domain.

    Paper: Ganin et al. 2016, arXiv 1505.07818, figure 1.
    """

    def __init__(self, feature_extractor: nn.Module, task_classifier: nn.Module, domain_classifier: nn.Module):
        super().__init__()
        self.feature_extractor = feature_extractor
        self.task_classifier = task_classifier
        self.reversal = GradientReversal()
        self.domain_classifier = domain_classifier

    def forward(self, inputs: Tensor, strength: float | None = None) -> tuple[Tensor, Tensor]:
        """Task logits and domain logits of a batch; the latter's gradient reaches the features times -strength.

        Args:
            inputs: (B, …).
            strength: of the reversal, from now on; as it is by default.
        """
        if strength is not None:
            self.reversal.strength = strength
        features = self.feature_extractor(inputs)
        return self.task_classifier(features), self.domain_classifier(self.reversal(features))


def train_adaptation(
    model: DomainAdaptationModel,
    source: tuple[Tensor, Tensor],
    target: Tensor,
    *,
    align: Alignment | str = "adversarial",
    weight: float = 1.0,
    steps: int = 400,
    batch_size: int = 64,
    lr: float = 5e-3,
    apart: bool = True,
    seed: int = 0,
    device: str | torch.device = "auto",
    on_step: Callable[[int], None] | None = None,
    progress: bool = True,
) -> dict[str, list[float]]:
    """Train on labelled batches of the source and unlabelled ones of the target.

        L = cross-entropy(source) + lambda L_align(source, target),  lambda = weight * adaptation_strength(step / steps)

    By Adam with beta1 = 0.5, which suits two players that pull in opposite directions (Radford et al. 2015, arXiv
    1511.06434), at the rate lr sqrt(1 - step / steps). To choose a step by its accuracy would need labels of the
    target, so the last one counts.

    Args:
        model: trained in place, on `device`, and left there, in evaluation mode.
        source: inputs (N, …) and class numbers (N,).
        target: inputs (M, …).
        align: a loss of source and target features, `coral_loss` for instance; or `"adversarial"`, DANN, where lambda
            is the strength of the reversal, and the domain classifier itself learns at the full rate, as in section
            5.2.2 of Ganin et al. 2016; it sees both domains in one batch.
        weight: lambda at the end.
        steps, batch_size, lr: so many steps, on so many examples of each domain, at that rate to begin with.
        apart: normalise the batches of the two domains each by its own statistics, and end with those of the target
            (`adaptive_batch_norm`); else all as one batch, which is what concatenating them means. Without batch
            normalisation there is no difference.
        seed: of the order of the examples, and of dropout.
        device: `"auto"`, `"cpu"`, `"cuda"`.
        on_step: called after each step with its number, from 0; to look at a copy of the model while it learns. Where
            batches are normalised apart, its running statistics mix the domains until the end: `adaptive_batch_norm`.

    Returns:
        The losses of every step: `"task"` and `"alignment"`, the latter without its weight.

    Raises:
        ValueError: unusable data or settings.
        FloatingPointError: the loss is no longer finite.
    """
    check_data("source", source)
    _check_settings(source, target, align, weight, steps, batch_size)
    device = pick_device(device)
    model.to(device)
    (inputs, labels), target = (tensor.to(device) for tensor in source), target.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr, betas=(0.5, 0.999))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / steps) ** 0.5)
    losses = {"task": [], "alignment": []}
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        batches, target_batches = _batches(len(inputs), batch_size), _batches(len(target), batch_size)
        for step in tqdm(range(steps), disable=not progress, leave=False):
            model.train()
            batch = next(batches)
            x, y, u = inputs[batch], labels[batch], target[next(target_batches)]
            if apart:
                features = model.feature_extractor(x), model.feature_extractor(u)
            else:
                features = model.feature_extractor(torch.cat([x, u])).split(batch_size)
            task = F.cross_entropy(model.task_classifier(features[0]), y)
            strength = weight * adaptation_strength(step / steps)
            if align == "adversarial":
                model.reversal.strength = strength
                logits = model.domain_classifier(model.reversal(torch.cat(features)))
                alignment = domain_adversarial_loss(*logits.split(batch_size))
                loss = task + alignment
            else:
                alignment = align(*features)
                loss = task + strength * alignment
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} in step {step}; lower the learning rate or weight")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses["task"].append(task.item())
            losses["alignment"].append(alignment.item())
            if on_step:
                on_step(step)
    if apart and _batch_norms(model):
        adaptive_batch_norm(model, target)
    model.eval()  # a call in training mode would spoil the statistics of the target
    return losses


def _batches(count: int, size: int) -> Iterator[Tensor]:
    """Random batches without end, all of one size; each example once in a round, but for a rest."""
    while True:
        yield from torch.randperm(count)[: count // size * size].split(size)


def _check_settings(source, target, align, weight, steps, batch_size) -> None:
    if not isinstance(target, Tensor):
        raise ValueError(f"target is a {type(target).__name__}; give its inputs alone: none of its labels are used")
    if not (math.isfinite(weight) and weight >= 0):
        raise ValueError(f"weight is {weight}; give a finite number, 0 or more")
    if not (callable(align) or align == "adversarial"):
        raise ValueError(f"align is {align!r}; give 'adversarial' or a loss of two batches of features")
    if target.shape[1:] != source[0].shape[1:] or target.dtype != source[0].dtype:
        raise ValueError(
            f"source inputs are {source[0].dtype} {tuple(source[0].shape)} and target inputs {target.dtype} "
            f"{tuple(target.shape)}; one network takes both, so type and shape must agree but for the number"
        )
    fewest = min(len(source[0]), len(target))
    if steps < 1 or not 2 <= batch_size <= fewest:
        raise ValueError(
            f"steps is {steps} and batch_size {batch_size}; 1 step or more is needed, and batches of 2 to {fewest}, "
            "the number of examples in the smaller domain"
        )


def _check_features(source: Tensor, target: Tensor, least: int = 2) -> None:
    flat = source.ndim == target.ndim == 2 and source.shape[1] == target.shape[1]
    if not flat or min(len(source), len(target)) < least:
        raise ValueError(
            f"source has shape {tuple(source.shape)} and target {tuple(target.shape)}; features (n, d) and (m, d) of "
            f"equal d are needed, with at least {least} examples in each domain"
        )
