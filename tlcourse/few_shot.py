"""Few-shot learning by prototypes: a class is the mean of its examples' features, and the nearest mean wins.

Prototypical networks, Snell et al. 2017, arXiv 1703.05175. With f an encoder and S_k the support examples of class k,

    c_k = 1 / |S_k| sum_{x in S_k} f(x)                    the prototype, eq. 1
    p(y = k | x) = softmax_k(-d(f(x), c_k))                the classifier, eq. 2
    loss = -log p(y | x), mean over the query examples

with d the squared Euclidean distance. Trained by episodes that look like the test: N classes, K examples of each.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from .training import evaluation_mode


def class_prototypes(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each class, c_k = 1 / |S_k| sum_{i: y_i = k} z_i.

    Args:
        features: z, floats (n, D).
        labels: y, any integers (n,), in any order.

    Returns:
        The prototypes (N, D) and their labels (N,), which rise.

    Raises:
        ValueError: shapes or labels that do not fit.
    """
    _check_support(features, labels)
    classes, index, counts = labels.to(features.device).unique(return_inverse=True, return_counts=True)
    sums = features.new_zeros(len(classes), features.shape[1]).index_add(0, index, features)
    return sums / counts[:, None], classes


def squared_euclidean_distance(x: Tensor, y: Tensor) -> Tensor:
    """||x_i - y_j||² = ||x_i||² - 2 <x_i, y_j> + ||y_j||², for x (M, D) and y (N, D): (M, N).

    One product of matrices, where the differences x_i - y_j would take M N D numbers. So that little is lost when large
    numbers cancel, both are first shifted by the mean of y, which changes no distance.
    """
    centre = y.mean(0)
    x, y = x - centre, y - centre
    return (x.square().sum(1)[:, None] - 2 * x @ y.T + y.square().sum(1)).clamp(min=0)


def cosine_distance(x: Tensor, y: Tensor) -> Tensor:
    """1 - <x_i, y_j> / (||x_i|| ||y_j||), for x (M, D) and y (N, D): (M, N), from 0 to 2."""
    return 1 - F.normalize(x, dim=1) @ F.normalize(y, dim=1).T


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": squared_euclidean_distance,
    "cosine": cosine_distance,
}


class PrototypicalNetwork(nn.Module):
    """An encoder and the nearest prototype; nothing but the encoder has parameters.

    Args:
        encoder: inputs (B, …) to features (B, D): a network; or `nn.Identity()`, when features are given, such as those
            of `FeatureExtractor`: a strong baseline (Chen et al. 2019, arXiv 1904.04232).
        distance: `"euclidean"`, squared, or `"cosine"`.
        scale: what the distances are multiplied by before the softmax. The cosine distance lies between 0 and 2, so its
            softmax is never sure with a scale of 1; 10 is common.

    Raises:
        ValueError: an unknown distance, or a scale that is no finite number above 0.
    """

    def __init__(self, encoder: nn.Module, distance: str = "euclidean", scale: float = 1.0):
        super().__init__()
        if distance not in DISTANCES:
            raise ValueError(f"distance is {distance!r}; give one of {', '.join(map(repr, DISTANCES))}")
        if not 0 < scale < math.inf:  # also true of NaN
            raise ValueError(f"scale is {scale}; give a finite number above 0")
        self.encoder, self.distance, self.scale = encoder, distance, scale

    def forward(self, support: Tensor, *args, **kwargs) -> Tensor:
        """Log-probabilities of the query examples, (M, N), in two ways:

            forward(support, query, n_way, n_support)    the support is sorted: n_support of each class, class by class
            forward(support, support_labels, query)      any integers as labels, any order, any number of each class

        The columns are the classes as they come, or in the order of `support_labels.unique()`.

        Args:
            support: (n, …), n_way · n_support of them in the first form.
            query: (M, …). Support and query pass through the encoder together, so that a batch normalisation in
                training mode sees one batch.
            support_labels: (n,).

        Raises:
            TypeError: arguments of neither form.
            ValueError: shapes, labels or numbers that do not fit.
        """
        names = {2: ("support_labels", "query"), 3: ("query", "n_way", "n_support")}.get(len(args) + len(kwargs), ())
        given = dict(zip(names, args, strict=False)) | kwargs
        tensors = support, given.get("query"), given.get("support_labels", support)
        if not names or set(given) != set(names) or not all(isinstance(part, Tensor) for part in tensors):
            kinds = [type(part).__name__ for part in (support, *args)]
            kinds += [f"{name}: {type(part).__name__}" for name, part in kwargs.items()]
            raise TypeError(
                f"the arguments are ({', '.join(kinds)}); give (support, query, n_way, n_support) or (support, "
                "support_labels, query), where support, query and support_labels are tensors"
            )
        return (self._by_labels if len(names) == 2 else self._class_by_class)(support, **given)

    def _class_by_class(self, support: Tensor, query: Tensor, n_way: int, n_support: int) -> Tensor:
        _check_counts(1, n_way=n_way, n_support=n_support)
        if len(support) != n_way * n_support:
            raise ValueError(
                f"support has {len(support)} examples, but n_way · n_support is {n_way} · {n_support}; "
                "give them class by class, or give (support, support_labels, query)"
            )
        labels = torch.arange(n_way, device=support.device).repeat_interleave(n_support)
        return self._by_labels(support, labels, query)

    def _by_labels(self, support: Tensor, support_labels: Tensor, query: Tensor) -> Tensor:
        if support.shape[1:] != query.shape[1:] or len(query) == 0:
            raise ValueError(
                f"support is {tuple(support.shape)} and query {tuple(query.shape)}; one kind of examples is needed, "
                "and one query example at least"
            )
        features = self.encoder(torch.cat([support, query]))
        prototypes, _ = class_prototypes(features[: len(support)], support_labels)
        distances = DISTANCES[self.distance](features[len(support) :], prototypes)
        return (-self.scale * distances).log_softmax(1)


def prototype_classifier(prototypes: Tensor) -> nn.Linear:
    """The linear layer with the same softmax as prototypes (N, D) with the squared Euclidean distance.

        -||z - c_k||² = 2 <c_k, z> - ||c_k||² - ||z||²,   so   w_k = 2 c_k,   b_k = -||c_k||²

    as ||z||² is the same for every class (Snell et al. 2017, section 2.4).

    Raises:
        ValueError: prototypes of another shape.
    """
    if prototypes.ndim != 2:
        raise ValueError(f"prototypes have shape {tuple(prototypes.shape)}; (N, D) is needed")
    layer = nn.Linear(*reversed(prototypes.shape), dtype=prototypes.dtype, device=prototypes.device)
    with torch.no_grad():
        layer.weight.copy_(2 * prototypes)
        layer.bias.copy_(-prototypes.square().sum(1))
    return layer


class Episode(NamedTuple):
    """Which examples a task is made of, class by class: support (N · K,) and query (N · Q,), indices, and their labels.

    The labels are those of the episode, 0 to N - 1; `classes` (N,) has what they were.
    """

    support: Tensor
    support_labels: Tensor
    query: Tensor
    query_labels: Tensor
    classes: Tensor


class EpisodeSampler:
    """Draws N-way K-shot episodes: n_way classes, n_support examples of each to learn from and n_query to be tested on.

    No example is twice in an episode. To go through the sampler once more gives the same episodes.

    Args:
        labels: any integers (n,), in any order.
        n_way, n_support, n_query: N, K, and the number of query examples of a class.
        episodes: how many there are.
        groups: another label for each example (n,), such as the script of a character. All classes of an episode are
            then of one group, drawn in proportion to its number of classes; groups of fewer than n_way are left out,
            whatever the size of their classes.
        seed: of the draws.

    Raises:
        ValueError: a class is too small, classes are too few, or shapes and settings do not fit.
    """

    def __init__(
        self,
        labels: Tensor,
        n_way: int = 5,
        n_support: int = 1,
        n_query: int = 15,
        *,
        episodes: int = 600,
        groups: Tensor | None = None,
        seed: int = 0,
    ):
        _check_sampler(labels, n_way, n_support, n_query, episodes, groups)
        self.n_way, self.n_support, self.n_query, self.episodes, self.seed = n_way, n_support, n_query, episodes, seed
        self.examples = len(labels)
        labels = labels.cpu()
        self._classes, sizes = labels.unique(return_counts=True)
        members = labels.argsort(stable=True).split(sizes.tolist())
        self._members = pad_sequence(members, batch_first=True)  # (classes, size of the largest)
        self._missing = torch.arange(int(sizes.max())) >= sizes[:, None]
        group = torch.zeros_like(sizes) if groups is None else groups.cpu()[self._members[:, 0]]
        pools = [(group == one).nonzero()[:, 0] for one in group.unique()]
        self._pools = [pool for pool in pools if len(pool) >= n_way]
        if not self._pools:
            where = "there are" if groups is None else "the largest group has"
            raise ValueError(f"n_way is {n_way}, but {where} {max(map(len, pools))} classes; give a smaller n_way")
        kept = torch.cat(self._pools)
        smallest = kept[sizes[kept].argmin()]
        if sizes[smallest] < n_support + n_query:
            raise ValueError(
                f"class {self._classes[smallest]} has {sizes[smallest]} examples, but n_support + n_query is "
                f"{n_support} + {n_query}; give fewer, or leave out the classes that are too small"
            )

    def __len__(self) -> int:
        return self.episodes

    def __iter__(self) -> Iterator[Episode]:
        generator = torch.Generator().manual_seed(self.seed)
        sizes = torch.tensor([len(pool) for pool in self._pools], dtype=torch.float)
        numbers = torch.arange(self.n_way)
        for _ in range(self.episodes):
            pool = self._pools[int(torch.multinomial(sizes, 1, generator=generator))]
            chosen = pool[torch.randperm(len(pool), generator=generator)[: self.n_way]]
            examples = self._members[chosen].gather(1, self._shuffled(chosen, generator))
            support, query = examples.split([self.n_support, self.n_query], dim=1)
            yield Episode(
                support.flatten(),
                numbers.repeat_interleave(self.n_support),
                query.flatten(),
                numbers.repeat_interleave(self.n_query),
                self._classes[chosen],
            )

    def _shuffled(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """For each chosen class, which of its members are drawn: (N, K + Q). The order of random numbers is random."""
        keys = torch.rand(self._members[chosen].shape, generator=generator).masked_fill_(self._missing[chosen], 2)
        return keys.argsort(1)[:, : self.n_support + self.n_query]


@dataclass(frozen=True, eq=False)
class EpisodeScores:
    """The accuracy of each episode, (E,), from 0 to 1."""

    accuracies: Tensor

    @property
    def mean(self) -> float:
        return self.accuracies.mean().item()

    @property
    def interval(self) -> float:
        """Half the width of the mean's 95 % confidence interval, 1.96 s / sqrt(E), over the draw of the episodes.

        Raises:
            ValueError: there is one episode only.
        """
        if len(self.accuracies) < 2:
            raise ValueError("one accuracy has no interval; evaluate two episodes or more")
        return 1.96 * self.accuracies.std().item() / math.sqrt(len(self.accuracies))


@torch.no_grad()
def evaluate_episodes(
    classify: Callable[[Tensor, Tensor, Tensor], Tensor],
    inputs: Tensor,
    sampler: EpisodeSampler,
    *,
    progress: bool = True,
) -> EpisodeScores:
    """Accuracy over episodes; the field reports 600 or more, with the interval.

    Args:
        classify: support (n, …), support_labels (n,) and query (M, …) to scores (M, N), of which the largest is the
            answer, such as a `PrototypicalNetwork`. A module is put into evaluation mode and back.
        inputs: (n, …), those whose labels the sampler has, on the device of the classifier. An image is in many
            episodes, so it saves time to encode all of them once, and to classify features by
            `PrototypicalNetwork(nn.Identity())`.
        sampler: of the episodes.

    Raises:
        ValueError: inputs and the sampler's labels differ in number, or scores are not (M, N).
        FloatingPointError: a score is NaN.
    """
    if len(inputs) != sampler.examples:
        raise ValueError(
            f"there are {len(inputs)} inputs and {sampler.examples} labels; as many inputs as labels are needed"
        )
    accuracies = []
    with evaluation_mode(classify) if isinstance(classify, nn.Module) else contextlib.nullcontext():
        for episode in tqdm(sampler, desc="episodes", leave=False, delay=1, disable=not progress):
            support_labels = episode.support_labels.to(inputs.device)
            scores = classify(inputs[episode.support], support_labels, inputs[episode.query])
            _check_scores(scores, len(episode.query), sampler.n_way)
            accuracies.append((scores.argmax(1).cpu() == episode.query_labels).float().mean())
    return EpisodeScores(torch.stack(accuracies))


def _check_scores(scores: Tensor, queries: int, n_way: int) -> None:
    if scores.shape != (queries, n_way):
        raise ValueError(
            f"scores have shape {tuple(scores.shape)}; ({queries}, {n_way}) is needed, a row for each query example "
            "and a column for each class"
        )
    if scores.isnan().any():
        raise FloatingPointError("a score is NaN; look for NaN in the inputs and in the classifier's weights")


def _check_support(features: Tensor, labels: Tensor) -> None:
    if features.ndim != 2 or labels.shape != features.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"features have shape {tuple(features.shape)} and labels {tuple(labels.shape)}; (n, D) and (n,) are needed"
            + ("; end the encoder by nn.Flatten()" if features.ndim > 2 else "")
        )
    if not features.is_floating_point():  # bytes would overflow in the sum
        raise ValueError(f"features are {features.dtype}; floats are needed, such as features.float()")
    _check_integers("labels", labels)


def _check_integers(name: str, labels: Tensor) -> None:
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"{name} are {labels.dtype}; integers are needed")


def _check_counts(least: int, **counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < least:
            raise ValueError(f"{name} is {count!r}; give an integer of {least} or more")


def _check_sampler(
    labels: Tensor, n_way: int, n_support: int, n_query: int, episodes: int, groups: Tensor | None
) -> None:
    _check_counts(2, n_way=n_way)
    _check_counts(1, n_support=n_support, n_query=n_query, episodes=episodes)
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"labels have shape {tuple(labels.shape)}; one label for each example, (n,), is needed")
    _check_integers("labels", labels)
    if groups is not None:
        if groups.shape != labels.shape:
            raise ValueError(
                f"groups have shape {tuple(groups.shape)} and labels {tuple(labels.shape)}; give one for each"
            )
        _check_integers("groups", groups)
        pairs = torch.stack([labels.cpu().long(), groups.cpu().long()], 1).unique(dim=0)
        if len(pairs) > len(labels.unique()):
            raise ValueError("examples of one class are in several groups; a group must hold whole classes")
