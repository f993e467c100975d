"""The exercises of lesson 07."""

import torch
from torch import Tensor

from ..exercises import Exercise, Mistake


def _commands(generator: torch.Generator) -> tuple:
    return torch.randn(8, 4, generator=generator), torch.randperm(5, generator=generator)[:4]


def _delayed(actions: Tensor, steps: Tensor) -> Tensor:
    arrived = torch.zeros_like(actions)
    for robot, k in enumerate(steps.tolist()):
        arrived[k:, robot] = actions[: len(actions) - k, robot]
    return arrived


def _rolled(actions: Tensor, steps: Tensor) -> Tensor:
    columns = [actions[:, i].roll(k) for i, k in enumerate(steps.tolist())]
    return torch.stack(columns, dim=1)


def _before_the_first(actions: Tensor, steps: Tensor) -> Tensor:
    time = (torch.arange(len(actions))[:, None] - steps).clamp(min=0)
    return actions.gather(0, time)


def _update(generator: torch.Generator) -> tuple:
    return (0.4 * torch.randn(64, generator=generator)).exp(), torch.randn(64, generator=generator), 0.2


def _clipped(ratio: Tensor, epsilon: float) -> Tensor:
    return ratio.clamp(1 - epsilon, 1 + epsilon)


EXERCISES = {
    "delayed": Exercise(
        reference=_delayed,
        inputs=_commands,
        mistakes=[
            Mistake(
                _rolled,
                (
                    "At the start the last actions come in, before they were given: `roll` wraps around. Nothing has "
                    "arrived yet there, so it must be 0.",
                    "Na początku pojawiają się ostatnie akcje, zanim je wydano: `roll` zawija tensor. Nic tam jeszcze "
                    "nie dotarło, więc mają być zera.",
                ),
            ),
            Mistake(
                lambda actions, steps: _delayed(actions.flip(0), steps).flip(0),
                (
                    "The actions arrive too early, before they were given: shift them the other way.",
                    "Akcje docierają za wcześnie, zanim je wydano: przesuń je w drugą stronę.",
                ),
            ),
            Mistake(
                lambda actions, steps: _delayed(actions, steps + 1),
                (
                    "Everything arrives one step too late: with latency 0 an action acts at once.",
                    "Wszystko dociera o krok za późno: przy opóźnieniu 0 akcja działa od razu.",
                ),
            ),
            Mistake(
                lambda actions, steps: _delayed(actions, steps[:1].expand(len(steps))),
                (
                    "All robots have the latency of the first one here; each has its own.",
                    "Wszystkie roboty mają tu opóźnienie pierwszego; każdy ma własne.",
                ),
            ),
            Mistake(
                _before_the_first,
                (
                    "Before the first action has arrived you repeat it; nothing is there yet, so it must be 0.",
                    "Zanim pierwsza akcja dotrze, już ją powtarzasz; nic tam jeszcze nie ma, więc mają być zera.",
                ),
            ),
        ],
    ),
    "ppo_loss": Exercise(
        reference=lambda ratio, advantage, epsilon: (
            -torch.minimum(ratio * advantage, _clipped(ratio, epsilon) * advantage).mean()
        ),
        inputs=_update,
        mistakes=[
            Mistake(
                lambda ratio, advantage, epsilon: (
                    torch.minimum(ratio * advantage, _clipped(ratio, epsilon) * advantage).mean()
                ),
                (
                    "The sign is wrong: this is the objective, which is to grow; a loss is to fall.",
                    "Zły znak: to funkcja celu, która ma rosnąć; strata ma maleć.",
                ),
            ),
            Mistake(
                lambda ratio, advantage, epsilon: -(_clipped(ratio, epsilon) * advantage).mean(),
                (
                    "Without the minimum nothing corrects an action that became too likely although it was bad: take "
                    "the smaller of the product with and without clipping.",
                    "Bez minimum nic nie koryguje złej akcji, która stała się zbyt prawdopodobna: weź mniejszy z iloczynów, "
                    "z obcięciem i bez.",
                ),
            ),
            Mistake(
                lambda ratio, advantage, epsilon: -(ratio * advantage).mean(),
                (
                    "This is not clipped: one batch could move the policy as far as it likes.",
                    "Brakuje obcięcia: jedna paczka mogłaby przesunąć politykę dowolnie daleko.",
                ),
            ),
            Mistake(
                lambda ratio, advantage, epsilon: (
                    -torch.maximum(ratio * advantage, _clipped(ratio, epsilon) * advantage).mean()
                ),
                (
                    "Take the minimum: the maximum rewards exactly the large steps that are to be prevented.",
                    "Weź minimum: maksimum nagradza właśnie te duże kroki, którym trzeba zapobiec.",
                ),
            ),
            Mistake(
                lambda ratio, advantage, epsilon: -(torch.minimum(ratio, _clipped(ratio, epsilon)) * advantage).mean(),
                (
                    "The minimum is taken of the two products. Where the advantage is negative, the order of the "
                    "products is the opposite of that of the ratios.",
                    "Minimum bierze się z dwóch iloczynów. Gdy przewaga jest ujemna, ich kolejność jest odwrotna niż "
                    "kolejność samych stosunków.",
                ),
            ),
        ],
    ),
}
