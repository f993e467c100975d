"""The exercises of lesson 10."""

import math

import torch
from torch import Tensor

from ..exercises import Exercise, Mistake


def _loss_and_gradient(function, student: Tensor, teacher_q: Tensor, *tau: float) -> tuple:
    """The loss, and what the student is told by it."""
    student = student.requires_grad_()
    loss, gradient = function(student, teacher_q, *tau), None
    if loss.requires_grad:
        (gradient,) = torch.autograd.grad(loss, student, allow_unused=True)
    return loss.detach(), torch.zeros_like(student) if gradient is None else gradient


def _logits_values_temperature(generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    logits, q = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    return logits, q, 0.2 + 0.5 * float(torch.rand((), generator=generator))


def _terms(student_logits: Tensor, teacher_q: Tensor, tau: float, dim: int = 1) -> Tensor:
    """What each state and action contributes to the divergence, (B, A)."""
    teacher = (teacher_q / tau).log_softmax(dim)
    return teacher.exp() * (teacher - student_logits.log_softmax(1))


def _divergence(student_logits: Tensor, teacher_q: Tensor, tau: float) -> Tensor:
    return _terms(student_logits, teacher_q, tau).sum(1).mean()


def _swapped(student_logits: Tensor, teacher_q: Tensor, tau: float) -> Tensor:
    student, teacher = student_logits.log_softmax(1), (teacher_q / tau).log_softmax(1)
    return (student.exp() * (student - teacher)).sum(1).mean()


def _gaps_and_probability(generator: torch.Generator) -> tuple[Tensor, float]:
    gaps = 0.01 + torch.rand(4, generator=generator, dtype=torch.float64)
    return gaps, 0.6 + 0.39 * float(torch.rand((), generator=generator))


def _values(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two networks' values of 6 states and 4 actions, which differ in their levels more than in their preferences."""
    teacher, student, level = (torch.randn(6, n, generator=generator, dtype=torch.float64) for n in (4, 4, 1))
    return student, teacher + 2 * level + 1


def _squares(error: Tensor) -> Tensor:
    """Summed over the actions, averaged over the states."""
    return error.square().sum(1).mean()


def _centred(q: Tensor) -> Tensor:
    return q - q.mean(1, keepdim=True)


EXERCISES = {
    "kl_loss": Exercise(
        reference=_divergence,
        inputs=_logits_values_temperature,
        call=_loss_and_gradient,
        mistakes=[
            Mistake(
                lambda logits, q, tau: _divergence(logits / tau, q, tau),
                (
                    "You divide the student's logits by `tau`, too; only the teacher's values are.",
                    "Dzielisz przez `tau` także logity ucznia; dzieli się tylko wartości nauczyciela.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _divergence(logits, q * tau, 1.0),
                (
                    "You multiply by `tau`; divide, so that a small temperature sharpens.",
                    "Mnożysz przez `tau`; podziel, żeby mała temperatura wyostrzała.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _divergence(logits, q, 1.0),
                ("`tau` is not used.", "Nie używasz `tau`."),
            ),
            Mistake(
                lambda logits, q, tau: _terms(logits, q, tau).mean(),
                (
                    "You average over the actions, too, as `F.kl_div` does by default: add them up, and average over "
                    "the states only (`reduction=\"batchmean\"`).",
                    "Uśredniasz także po akcjach, jak domyślnie robi `F.kl_div`: zsumuj po akcjach, a uśrednij tylko "
                    "po stanach (`reduction=\"batchmean\"`).",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _terms(logits, q, tau).sum(),
                ("You add up the states; average over them.", "Sumujesz po stanach; weź ich średnią."),
            ),
            Mistake(
                _swapped,
                (
                    "Teacher and student have changed places: the divergence is not symmetric, and the weights must "
                    "be the teacher's probabilities.",
                    "Nauczyciel i uczeń zamienili się miejscami: dywergencja nie jest symetryczna, a wagami mają być "
                    "prawdopodobieństwa nauczyciela.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _terms(logits, q, tau, dim=0).sum(1).mean(),
                (
                    "The teacher's softmax runs over the states; it must run over the actions, dim 1.",
                    "Softmax nauczyciela biegnie po stanach; ma biec po akcjach, czyli po wymiarze 1.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: -((q / tau).softmax(1) * logits.log_softmax(1)).sum(1).mean(),
                (
                    "This is the cross-entropy: its gradient is right, but it is larger than the divergence by the "
                    "teacher's own entropy, and does not become 0 for a perfect student.",
                    "To entropia krzyżowa: gradient się zgadza, ale jest większa od dywergencji o entropię samego "
                    "nauczyciela i nie spada do 0 u doskonałego ucznia.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: -_divergence(logits, q, tau),
                (
                    "The sign is wrong: the divergence is never negative, and it is to fall.",
                    "Zły znak: dywergencja nigdy nie jest ujemna i ma maleć.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: torch.nn.functional.cross_entropy(logits, q.argmax(1)),
                (
                    "This imitates only the teacher's best action: it is the nll loss, the limit for `tau` towards 0.",
                    "To naśladuje tylko najlepszą akcję nauczyciela: to strata nll, granica dla `tau` dążącego do 0.",
                ),
            ),
            Mistake(
                lambda logits, q, tau: _divergence(logits.detach(), q, tau),
                (
                    "The number is right, but no gradient comes back to the student's logits.",
                    "Liczba się zgadza, ale do logitów ucznia nie wraca żaden gradient.",
                ),
            ),
        ],
    ),
    "temperature": Exercise(
        reference=lambda gap, p: gap / math.log(p / (1 - p)),
        inputs=_gaps_and_probability,
        mistakes=[
            Mistake(
                lambda gap, p: math.log(p / (1 - p)) / gap,
                (
                    "This is $1/\\tau$: the larger the gap, the larger the temperature that gives the same probability.",
                    "To jest $1/\\tau$: im większa różnica, tym większa temperatura daje to samo prawdopodobieństwo.",
                ),
            ),
            Mistake(
                lambda gap, p: gap * math.log(p / (1 - p)),
                ("You multiply by the logarithm; divide by it.", "Mnożysz przez logarytm; podziel przez niego."),
            ),
            Mistake(
                lambda gap, p: gap / math.log((1 - p) / p),
                (
                    "The temperature comes out negative: the odds are $p / (1 - p)$, not the other way round.",
                    "Temperatura wychodzi ujemna: szanse to $p / (1 - p)$, a nie odwrotnie.",
                ),
            ),
            Mistake(
                lambda gap, p: -gap / math.log(p),
                (
                    "You take $p$ for $e^{-g/\\tau}$ and forget the sum in the softmax: $p / (1 - p) = e^{g/\\tau}$.",
                    "Bierzesz $p$ za $e^{-g/\\tau}$ i zapominasz o sumie w softmaksie: $p / (1 - p) = e^{g/\\tau}$.",
                ),
            ),
            Mistake(
                lambda gap, p: -gap / math.log(1 - p),
                (
                    "You take $1 - p$ for $e^{-g/\\tau}$; that holds only nearly, and only where $p$ is close to 1.",
                    "Bierzesz $1 - p$ za $e^{-g/\\tau}$; to prawda tylko w przybliżeniu, i tylko gdy $p$ jest bliskie 1.",
                ),
            ),
            Mistake(
                lambda gap, p: gap / (p / (1 - p)),
                ("The logarithm of the odds is missing.", "Brakuje logarytmu szans."),
            ),
            Mistake(
                lambda gap, p: gap / math.log2(p / (1 - p)),
                (
                    "The softmax has the base $e$: take the natural logarithm.",
                    "Softmax ma podstawę $e$: weź logarytm naturalny.",
                ),
            ),
            Mistake(
                lambda gap, p: gap / math.log10(p / (1 - p)),
                (
                    "The softmax has the base $e$: take the natural logarithm.",
                    "Softmax ma podstawę $e$: weź logarytm naturalny.",
                ),
            ),
        ],
    ),
    "without_level": Exercise(
        reference=lambda student, teacher: _squares(_centred(student - teacher)),
        inputs=_values,
        call=_loss_and_gradient,
        mistakes=[
            Mistake(
                lambda student, teacher: _squares(student - teacher),
                (
                    "This is the whole squared error, with the level: subtract from each state's differences their "
                    "mean over the actions.",
                    "To cały błąd kwadratowy, razem z poziomem: od różnic w każdym stanie odejmij ich średnią po "
                    "akcjach.",
                ),
            ),
            Mistake(
                lambda student, teacher: 4 * (student - teacher).mean(1).square().mean(),
                ("This is the level, the part to leave out.", "To poziom, czyli część, którą trzeba pominąć."),
            ),
            Mistake(
                lambda student, teacher: (student - teacher).mean(1).square().mean(),
                ("This is the level, the part to leave out.", "To poziom, czyli część, którą trzeba pominąć."),
            ),
            Mistake(
                lambda student, teacher: (student - teacher) - (student - teacher).mean(1),
                (
                    "The means have shape (B,), and `torch` takes them for one number per action; keep the dimension "
                    "with `keepdim=True`.",
                    "Średnie mają kształt (B,), a `torch` bierze je za po jednej liczbie na akcję; zachowaj wymiar "
                    "przez `keepdim=True`.",
                ),
            ),
            Mistake(
                lambda student, teacher: _squares(student - teacher - (student - teacher).mean(0)),
                (
                    "You average over the states; the level of a state is the mean over its actions, dim 1.",
                    "Uśredniasz po stanach; poziom stanu to średnia po jego akcjach, czyli po wymiarze 1.",
                ),
            ),
            Mistake(
                lambda student, teacher: _squares(student - teacher - (student - teacher).mean()),
                (
                    "You subtract one level from all states; each state has a mean of its own, over dim 1.",
                    "Odejmujesz jeden poziom od wszystkich stanów; każdy stan ma własną średnią, po wymiarze 1.",
                ),
            ),
            Mistake(
                lambda student, teacher: _squares(student - _centred(teacher)),
                (
                    "You centre only the teacher's values: the student would still have to learn the level 0.",
                    "Odejmujesz średnią tylko od wartości nauczyciela: uczeń nadal musiałby się uczyć poziomu 0.",
                ),
            ),
            Mistake(
                lambda student, teacher: _squares(_centred(student) - teacher),
                (
                    "You centre only the student's values: the teacher's level is still in the error.",
                    "Odejmujesz średnią tylko od wartości ucznia: poziom nauczyciela zostaje w błędzie.",
                ),
            ),
            Mistake(
                lambda student, teacher: _centred(student - teacher).square().mean(),
                (
                    "You average over the actions, too: add them up, and average over the states only.",
                    "Uśredniasz także po akcjach: zsumuj po akcjach, a uśrednij tylko po stanach.",
                ),
            ),
            Mistake(
                lambda student, teacher: _centred(student - teacher).square().sum(),
                ("You add up the states; average over them.", "Sumujesz po stanach; weź ich średnią."),
            ),
            Mistake(
                lambda student, teacher: _centred(student - teacher).norm(dim=1).mean(),
                ("Leave the root out: it is the squared error.", "Bez pierwiastka: to błąd kwadratowy."),
            ),
            Mistake(
                lambda student, teacher: _squares(_centred(student.detach() - teacher)),
                (
                    "The number is right, but no gradient comes back to the student's values.",
                    "Liczba się zgadza, ale do wartości ucznia nie wraca żaden gradient.",
                ),
            ),
        ],
    ),
}
