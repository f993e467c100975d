"""The exercises of lesson 09."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import grad, jacrev

from ..exercises import Exercise, Mistake

Params = dict[str, Tensor]


def _network(generator: torch.Generator) -> tuple[Callable[[Params], Tensor], Params, float]:
    """A loss of the weights of a small network on four examples, the weights, and an inner rate."""
    x, y = (torch.randn(4, n, generator=generator, dtype=torch.float64) for n in (2, 1))
    shapes = {"hidden.weight": (2, 3), "hidden.bias": (3,), "head.weight": (3, 1)}
    params = {
        name: torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for name, shape in shapes.items()
    }

    def loss(params: Params) -> Tensor:
        hidden = torch.tanh(x @ params["hidden.weight"] + params["hidden.bias"])
        return (hidden @ params["head.weight"] - y).square().mean()

    return loss, params, 0.1 + 0.4 * float(torch.rand((), generator=generator))


def _adapted_and_what_comes_back(function, loss, params: Params, inner_lr: float) -> tuple[Params, Params]:
    """The adapted weights, and the gradient that a loss of them sends back to the initial ones."""
    adapted = function(loss, params, inner_lr)
    weights = torch.linspace(-1, 2, sum(p.numel() for p in params.values()), dtype=torch.float64)
    total = torch.cat([adapted[name].flatten() for name in params]) @ weights
    nothing = [torch.zeros_like(p) for p in params.values()]
    if total.requires_grad:
        gradients = torch.autograd.grad(total, list(params.values()), allow_unused=True)
        nothing = [zero if g is None else g for zero, g in zip(nothing, gradients, strict=True)]
    return {name: adapted[name].detach() for name in params}, dict(zip(params, nothing, strict=True))


def _step(loss, params: Params, inner_lr: float, sign: float = -1.0, graph: bool = True) -> Params:
    gradients = torch.autograd.grad(loss(params), list(params.values()), create_graph=graph)
    return {name: p + sign * inner_lr * g for (name, p), g in zip(params.items(), gradients, strict=True)}


def _detached(loss, params: Params, inner_lr: float) -> Params:
    return {name: p.detach() for name, p in _step(loss, params, inner_lr).items()}


def _head_only(loss, params: Params, inner_lr: float) -> Params:
    return params | {"head.weight": _step(loss, params, inner_lr)["head.weight"]}


def _curved(generator: torch.Generator) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor, float]:
    """A loss with a Hessian that is neither diagonal nor constant, a point, a vector, an inner rate."""
    mixing = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    theta, v = (torch.randn(3, generator=generator, dtype=torch.float64) for _ in range(2))

    def loss(theta: Tensor) -> Tensor:
        return torch.tanh(mixing @ theta).square().sum() + 0.5 * (mixing.T @ theta).square().sum()

    return loss, theta, v, 0.1 + 0.4 * float(torch.rand((), generator=generator))


def _hessian_vector(loss, theta: Tensor, v: Tensor) -> Tensor:
    return grad(lambda point: grad(loss)(point) @ v)(theta)


EXERCISES = {
    "inner_step": Exercise(
        reference=_step,
        inputs=_network,
        call=_adapted_and_what_comes_back,
        mistakes=[
            Mistake(
                lambda loss, params, inner_lr: _step(loss, params, inner_lr, graph=False),
                (
                    "The adapted weights are right, but the gradient that comes back through them lacks the Hessian: "
                    "this is the first order. `torch.autograd.grad` needs `create_graph=True`.",
                    "Dostosowane wagi się zgadzają, ale w gradiencie, który przez nie wraca, brakuje hesjanu: "
                    "to pierwszy rząd. `torch.autograd.grad` potrzebuje `create_graph=True`.",
                ),
            ),
            Mistake(
                _detached,
                (
                    "No gradient comes back to the initial weights at all: do not detach the result, and do not "
                    "compute it under `torch.no_grad()`.",
                    "Do wag początkowych nie wraca żaden gradient: nie odłączaj wyniku przez `detach` i nie licz go "
                    "pod `torch.no_grad()`.",
                ),
            ),
            Mistake(
                lambda loss, params, inner_lr: _step(loss, params, inner_lr, sign=+1.0),
                ("This climbs the loss: subtract the gradient.", "Tak strata rośnie: odejmij gradient."),
            ),
            Mistake(
                lambda loss, params, inner_lr: _step(loss, params, 1.0),
                ("The gradient is not multiplied by `inner_lr`.", "Gradient nie jest pomnożony przez `inner_lr`."),
            ),
            Mistake(
                _head_only,
                (
                    "Only the head changes here, which is ANIL; let every parameter take the step.",
                    "Zmienia się tu tylko głowica, a to jest ANIL; niech krok zrobi każdy parametr.",
                ),
            ),
        ],
    ),
    "meta_gradient": Exercise(
        reference=lambda loss, theta, v, inner_lr: v - inner_lr * _hessian_vector(loss, theta, v),
        inputs=_curved,
        mistakes=[
            Mistake(
                lambda loss, theta, v, inner_lr: v,
                (
                    "This is the first order: the Hessian term is missing.",
                    "To pierwszy rząd: brakuje składnika z hesjanem.",
                ),
            ),
            Mistake(
                lambda loss, theta, v, inner_lr: -inner_lr * _hessian_vector(loss, theta, v),
                (
                    "The identity is missing: $I v = v$ must be added.",
                    "Brakuje macierzy jednostkowej: trzeba dodać $I v = v$.",
                ),
            ),
            Mistake(
                lambda loss, theta, v, inner_lr: v + inner_lr * _hessian_vector(loss, theta, v),
                (
                    "The sign of the Hessian term is wrong: the inner step subtracts the gradient.",
                    "Zły znak przy hesjanie: krok wewnętrzny odejmuje gradient.",
                ),
            ),
            Mistake(
                lambda loss, theta, v, inner_lr: v - _hessian_vector(loss, theta, v),
                (
                    "The Hessian term is not multiplied by `inner_lr`.",
                    "Składnik z hesjanem nie jest pomnożony przez `inner_lr`.",
                ),
            ),
            Mistake(
                lambda loss, theta, v, inner_lr: v - inner_lr * _hessian_vector(loss, theta, grad(loss)(theta)),
                (
                    "The Hessian must act on `v`, not on the gradient of the support loss.",
                    "Hesjan ma działać na `v`, a nie na gradient straty na zbiorze wsparcia.",
                ),
            ),
            Mistake(
                lambda loss, theta, v, inner_lr: v - inner_lr * jacrev(grad(loss))(theta).diagonal() * v,
                (
                    "You use only the diagonal of the Hessian; its other entries count, too.",
                    "Używasz tylko przekątnej hesjanu; pozostałe wyrazy też się liczą.",
                ),
            ),
            Mistake(
                lambda loss, theta, v, inner_lr: v - inner_lr * grad(loss)(theta),
                (
                    "You subtract the gradient of the support loss; its derivative in the direction of `v` is needed.",
                    "Odejmujesz gradient straty na zbiorze wsparcia; potrzebna jest jego pochodna w kierunku `v`.",
                ),
            ),
        ],
    ),
}
