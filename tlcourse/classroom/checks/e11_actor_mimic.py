"""The exercises of lesson 11."""

import torch
from scipy import stats
from torch import Tensor

from ..exercises import Exercise, Mistake


def _loss_and_gradient(function, student_logits: Tensor, expert_q: Tensor, tau: float) -> tuple:
    """The loss, and what the student is told by it."""
    student_logits = student_logits.requires_grad_()
    loss, gradient = function(student_logits, expert_q, tau), None
    if loss.requires_grad:
        (gradient,) = torch.autograd.grad(loss, student_logits, allow_unused=True)
    return loss.detach(), torch.zeros_like(student_logits) if gradient is None else gradient


def _cross_entropy(student_logits: Tensor, expert_q: Tensor, tau: float) -> Tensor:
    return -((expert_q / tau).softmax(1) * student_logits.log_softmax(1)).sum(1).mean()


def _logits_values_temperature(generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    logits, q = (torch.randn(5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    return logits, q, 0.2 + 0.5 * float(torch.rand((), generator=generator))


def _divergence(student_logits: Tensor, expert_q: Tensor, tau: float) -> Tensor:
    expert = (expert_q / tau).softmax(1)
    return (expert * (expert.log() - student_logits.log_softmax(1))).sum(1).mean()


def _explained(student: Tensor, expert: Tensor, bias: bool = True, center: bool = True) -> Tensor:
    """How much of the expert's features the best map from the student's leaves out, summed over all of them."""
    inputs = torch.cat([student, torch.ones(len(student), 1, dtype=student.dtype)], 1) if bias else student
    residual = expert - inputs @ torch.linalg.lstsq(inputs, expert, driver="gelsd").solution
    total = expert - expert.mean(0) if center else expert
    return 1 - residual.square().sum() / total.square().sum()


def _each_feature(student: Tensor, expert: Tensor) -> Tensor:
    return torch.stack([_explained(student, feature[:, None]) for feature in expert.T]).mean()


def _features(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Features of 30 states, (30, 3) and (30, 2), with means that are not zero; the second partly follow the first."""
    student, noise = (torch.randn(30, n, generator=generator, dtype=torch.float64) + 1 for n in (3, 2))
    mixing = torch.randn(3, 2, generator=generator, dtype=torch.float64)
    return student, student @ mixing * torch.tensor([1.0, 4.0], dtype=torch.float64) + noise + 1


def _curves(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Six seeds of two learning curves that have much of a seed in common, measured at unequal distances."""
    updates = torch.tensor([0.0, 100.0, 200.0, 400.0, 800.0, 1600.0], dtype=torch.float64)
    height = torch.randn(6, 1, generator=generator, dtype=torch.float64) * 2
    rise = torch.linspace(0, 5, 6, dtype=torch.float64)
    two = [height + rise + torch.randn(6, 6, generator=generator, dtype=torch.float64) for _ in range(2)]
    return two[0] + 3 * (1 - rise / 5), two[1], updates


def _area(curves: Tensor, updates: Tensor) -> Tensor:
    return torch.trapezoid(curves, updates, dim=1) / (updates[-1] - updates[0])


def _interval(values: Tensor, width: float | None = None, ddof: int = 1) -> tuple[float, float]:
    width = stats.t.ppf(0.975, len(values) - 1) if width is None else width
    return float(values.mean()), float(width * values.std(correction=ddof) / len(values) ** 0.5)


def _gap(new: Tensor, old: Tensor, updates: Tensor, **how) -> tuple[float, float]:
    return _interval(_area(new, updates) - _area(old, updates), **how)


def _unpaired(new: Tensor, old: Tensor, updates: Tensor) -> tuple[float, float]:
    (one, a), (two, b) = (_interval(_area(curves, updates)) for curves in (new, old))
    return one - two, (a**2 + b**2) ** 0.5


def _spread(new: Tensor, old: Tensor, updates: Tensor) -> tuple[float, float]:
    mean, half = _gap(new, old, updates)
    return mean, half * len(new) ** 0.5


EXERCISES = {
    "policy_loss": Exercise(
        reference=_cross_entropy,
        inputs=_logits_values_temperature,
        call=_loss_and_gradient,
        mistakes=[
            Mistake(
                lambda logits, q, tau: _cross_entropy(logits / tau, q, tau),
                (
                    "You divide the student's logits by `tau`, too; only the expert's values are.",
                    "Dzielisz przez `tau` także wyjścia ucznia; dzieli się tylko wartości eksperta.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _cross_entropy(logits, q * tau, 1.0),
                (
                    "You multiply by `tau`; divide, so that a small temperature sharpens.",
                    "Mnożysz przez `tau`; podziel, żeby mała temperatura wyostrzała.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _cross_entropy(logits, q, 1.0),
                ("`tau` is not used.", "Nie używasz `tau`."),
            ),
            Mistake(
                _divergence,
                (
                    "This is the Kullback–Leibler divergence: its gradient is right, but the cross-entropy is larger "
                    "by the expert's own entropy.",
                    "To dywergencja Kullbacka–Leiblera: gradient się zgadza, ale entropia krzyżowa jest większa "
                    "o entropię samego eksperta.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: -(logits.softmax(1) * (q / tau).log_softmax(1)).sum(1).mean(),
                (
                    "Expert and student have changed places: the expert's probabilities are the weights, the logarithm "
                    "is of the student's.",
                    "Ekspert i uczeń zamienili się miejscami: wagami są prawdopodobieństwa eksperta, a logarytm "
                    "bierze się z prawdopodobieństw ucznia.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: -_cross_entropy(logits, q, tau),
                (
                    "The minus sign is missing: logarithms of probabilities are negative, and a loss is to fall.",
                    "Brakuje minusa: logarytmy prawdopodobieństw są ujemne, a strata ma maleć.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _cross_entropy(logits, q, tau) / logits.shape[1],
                (
                    "You average over the actions, too: add them up, and average over the states only.",
                    "Uśredniasz także po akcjach: zsumuj po akcjach, a uśrednij tylko po stanach.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _cross_entropy(logits, q, tau) * len(logits),
                ("You add up the states; average over them.", "Sumujesz po stanach; weź ich średnią."),
            ),
            Mistake(
                lambda logits, q, tau: -((q / tau).softmax(0) * logits.log_softmax(1)).sum(1).mean(),
                (
                    "The expert's softmax runs over the states; it must run over the actions, dim 1.",
                    "Softmax eksperta biegnie po stanach; ma biec po akcjach, czyli po wymiarze 1.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: torch.nn.functional.cross_entropy(logits, q.argmax(1)),
                (
                    "This imitates only the expert's best action, which is the limit of a temperature of 0.",
                    "To naśladuje tylko najlepszą akcję eksperta, czyli granicę temperatury dążącej do 0.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _cross_entropy(logits.detach(), q, tau),
                (
                    "The number is right, but no gradient comes back to the student's logits.",
                    "Liczba się zgadza, ale do wyjść ucznia nie wraca żaden gradient.",
                ),
            ),
        ],
    ),
    "readable": Exercise(
        reference=_explained,
        inputs=_features,
        mistakes=[
            Mistake(
                lambda student, expert: _explained(student, expert, bias=False),
                (
                    "The map has no bias: add a column of ones to the student's features.",
                    "Odwzorowanie nie ma wyrazu wolnego: dodaj do cech ucznia kolumnę jedynek.",
                ),
            ),
            Mistake(
                lambda student, expert: _explained(student, expert, center=False),
                (
                    "You divide by the sum of the squares themselves; divide by that of the deviations from the mean.",
                    "Dzielisz przez sumę samych kwadratów; podziel przez sumę kwadratów odchyleń od średniej.",
                ),
            ),
            Mistake(
                lambda student, expert: _explained(student, expert, bias=False, center=False),
                (
                    "Neither has the map a bias, nor do you subtract the mean of the expert's features.",
                    "Odwzorowanie nie ma wyrazu wolnego i nie odejmujesz średniej cech eksperta.",
                ),
            ),
            Mistake(
                lambda student, expert: _explained(expert, student),
                (
                    "You predict the student's features from the expert's; it must be the other way round.",
                    "Przewidujesz cechy ucznia z cech eksperta; ma być odwrotnie.",
                ),
            ),
            Mistake(
                lambda student, expert: 1 - _explained(student, expert),
                (
                    "This is the share that is left unexplained; subtract it from 1.",
                    "To część niewyjaśniona; odejmij ją od 1.",
                ),
            ),
            Mistake(
                _each_feature,
                (
                    "You average the shares of single features; add up the squares of all features first.",
                    "Uśredniasz udziały pojedynczych cech; najpierw zsumuj kwadraty po wszystkich cechach.",
                ),
            ),
        ],
    ),
    "head_start": Exercise(
        reference=_gap,
        inputs=_curves,
        mistakes=[
            Mistake(
                lambda new, old, updates: _interval((new - old).mean(1)),
                (
                    "The plain mean counts crowded points too much: take the area, by `torch.trapezoid`.",
                    "Zwykła średnia za mocno liczy gęsto położone punkty: weź pole, przez `torch.trapezoid`.",
                ),
            ),
            Mistake(
                lambda new, old, updates: tuple(float(updates[-1] - updates[0]) * x for x in _gap(new, old, updates)),
                (
                    "This is the area itself; divide it by the number of updates from the first point to the last.",
                    "To samo pole; podziel je przez liczbę aktualizacji od pierwszego punktu do ostatniego.",
                ),
            ),
            Mistake(
                lambda new, old, updates: _gap(old, new, updates),
                (
                    "The sign is wrong: what is gained is new minus old.",
                    "Zły znak: zysk to nowa krzywa minus stara.",
                ),
            ),
            Mistake(
                _unpaired,
                (
                    "You take the two methods for independent. Runs of one seed belong together: subtract them first, "
                    "and take the interval of the differences.",
                    "Traktujesz obie metody jak niezależne. Przebiegi o tym samym ziarnie losowości należą do siebie: "
                    "najpierw je odejmij, a potem policz przedział różnic.",
                ),
            ),
            Mistake(
                lambda new, old, updates: _gap(new, old, updates, width=1.96),
                (
                    "1.96 is for many seeds; for n of them take Student's t with n − 1 degrees of freedom.",
                    "1,96 jest dla wielu ziaren; dla n ziaren weź rozkład t Studenta o n − 1 stopniach swobody.",
                ),
            ),
            Mistake(
                lambda new, old, updates: _gap(new, old, updates, width=1.0),
                (
                    "This is the standard error; times Student's t it becomes the half-width of the interval.",
                    "To błąd standardowy; pomnożony przez kwantyl rozkładu t Studenta da połowę szerokości przedziału.",
                ),
            ),
            Mistake(
                lambda new, old, updates: _gap(new, old, updates, ddof=0),
                (
                    "The standard deviation divides by n; for an estimate from n runs divide by n − 1.",
                    "W odchyleniu standardowym dzielisz przez n; szacując z n przebiegów, podziel przez n − 1.",
                ),
            ),
            Mistake(
                _spread,
                (
                    "This is the spread of single runs; the mean of n runs varies less, by the factor √n.",
                    "To rozrzut pojedynczych przebiegów; średnia z n przebiegów waha się √n razy mniej.",
                ),
            ),
        ],
    ),
}
