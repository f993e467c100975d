"""MAML: gradients against closed forms, finite differences and learn2learn, and what each variant is for."""

import contextlib
import copy
import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.maml import MAML, VARIANTS, adapt, autograd_grad_and_value, meta_gradient

DIFFERENTIATE = pytest.mark.parametrize("differentiate", [torch.func.grad_and_value, autograd_grad_and_value])


def normal(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def convolutional(norm=lambda width: nn.BatchNorm2d(width, track_running_stats=False)):
    torch.manual_seed(0)
    blocks = [
        nn.Conv2d(1, 4, 3, padding=1),
        norm(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1),
        norm(4),
        nn.ReLU(),
    ]
    model = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(36, 3)).double()
    with torch.no_grad():  # affine parameters that matter
        for parameter in model.parameters():
            parameter.add_(0.1 * normal(*parameter.shape, seed=1))
    return model


def tasks_for(model, count=3, shots=6, query=5, seed=0):
    size = (2,) if isinstance(model[0], nn.Linear) else (1, 6, 6)
    labels = lambda n: (torch.arange(n) % 3).expand(count, n)  # noqa: E731
    return {
        "train": (normal(count, shots, *size, seed=seed), labels(shots)),
        "query": (normal(count, query, *size, seed=seed + 1), labels(query)),
    }


MODELS = {
    "perceptron": perceptron,
    "group normalisation": lambda: convolutional(lambda width: nn.GroupNorm(2, width)),
    "batch normalisation": convolutional,
}


def flat(gradient):
    return torch.cat([tensor.flatten() for tensor in gradient.values()])


# The gradients where they are known


def quadratics():
    """Train loss 1/2 (θ - a)' A (θ - a), query loss 1/2 (θ - b)' B (θ - b), and a start, in four dimensions."""
    matrices = [normal(4, 4, seed=seed) for seed in (0, 1)]
    a, b, start = normal(4, seed=2), normal(4, seed=3), normal(4, seed=4)
    return (matrices[0] @ matrices[0].T, a), (matrices[1] @ matrices[1].T, b), start


def quadratic(params, data):
    matrix, centre = data
    offset = torch.cat([params["body"], params["head"]]) - centre
    return offset @ matrix @ offset / 2


def parts(theta):
    return {"body": theta[:2], "head": theta[2:]}


@DIFFERENTIATE
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_every_variant_on_a_quadratic_is_its_closed_form(differentiate, steps):
    """θ_k - a = M^k (θ - a) with M = I - lr A, where ANIL has P A in the place of A, P the projection on the head."""
    (A, a), (B, b), start = quadratics()
    lr, identity = 0.1, torch.eye(4, dtype=torch.float64)
    powers = {}
    for name, projection in (("all", identity), ("head", torch.diag(torch.tensor([0.0, 0, 1, 1]).double()))):
        powers[name] = torch.linalg.matrix_power(identity - lr * projection @ A, steps)
    end = {name: a + power @ (start - a) for name, power in powers.items()}
    expected = {
        "second order": powers["all"].T @ B @ (end["all"] - b),
        "first order": B @ (end["all"] - b),
        "ANIL": powers["head"].T @ B @ (end["head"] - b),
        "Reptile": (start - end["all"]) / lr,
    }
    assert set(expected) == set(VARIANTS)
    for variant, gradient in expected.items():
        settings = dict(head=["head"], differentiate=differentiate)
        found, loss = meta_gradient(quadratic, parts(start), (A, a), (B, b), lr, steps, variant, **settings)
        torch.testing.assert_close(flat(found), gradient)
        torch.testing.assert_close(loss, quadratic(parts(end["head" if variant == "ANIL" else "all"]), (B, b)))
        assert not loss.requires_grad and not flat(found).requires_grad


def test_first_order_is_right_to_first_order_in_the_rate():
    """Second minus first order is -lr A grad L_Q(θ') for one step: in proportion to the rate, and 0 at its limit."""
    (A, a), (B, b), start = quadratics()

    def difference(lr):
        run = lambda variant: meta_gradient(quadratic, parts(start), (A, a), (B, b), lr, 1, variant)[0]  # noqa: E731
        return flat(run("second order")) - flat(run("first order"))

    end = start - 0.01 * A @ (start - a)
    torch.testing.assert_close(difference(0.01), -0.01 * A @ B @ (end - b))
    assert difference(1e-6).norm() < 1e-3


@DIFFERENTIATE
def test_without_steps_the_start_is_the_end(differentiate):
    (A, a), (B, b), start = quadratics()
    end = adapt(quadratic, parts(start), (A, a), 0.1, 0, differentiate=differentiate)
    assert torch.equal(flat(end), start)
    for variant in ("second order", "first order"):
        found, _ = meta_gradient(quadratic, parts(start), (A, a), (B, b), 0.1, 0, variant, differentiate=differentiate)
        torch.testing.assert_close(flat(found), B @ (start - b))


@DIFFERENTIATE
def test_only_the_parameters_that_are_named_move(differentiate):
    (A, a), _, start = quadratics()
    for only, moved in ((None, {"body", "head"}), (["head"], {"head"}), ([], set())):
        end = adapt(quadratic, parts(start), (A, a), 0.1, 2, only=only, differentiate=differentiate)
        assert {name for name in end if not torch.equal(end[name], parts(start)[name])} == moved


@DIFFERENTIATE
def test_a_gradient_of_the_gradient_where_one_parameter_is_frozen(differentiate):
    """The gradient is g = A (θ - a), so that of 1/2 |g|² for the head is the head's part of A' g."""
    (A, a), _, start = quadratics()
    params = parts(start.clone())
    params["head"].requires_grad_()
    gradient, value = differentiate(lambda at: quadratic(at, (A, a)))(params)
    expected = A @ (start - a)
    torch.testing.assert_close(flat(gradient).detach(), expected)
    torch.testing.assert_close(value.detach(), quadratic(parts(start), (A, a)))
    (nested,) = torch.autograd.grad(flat(gradient).square().sum() / 2, params["head"])
    torch.testing.assert_close(nested, (A.T @ expected)[2:])
    assert not params["body"].requires_grad


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("variant", ["second order", "ANIL"])
def test_the_meta_gradient_is_the_one_of_finite_differences(model, vectorized, variant):
    model = MODELS[model]()
    tasks, step = tasks_for(model), 1e-6
    maml = MAML(model, 0.3, inner_steps=2, variant=variant, vectorized=vectorized)
    gradient, loss = maml.meta_gradient(tasks)

    def query_loss():
        return F.cross_entropy(maml.outputs(tasks, 2)[:, -1].flatten(0, 1), tasks["query"][1].flatten()).item()

    assert loss == pytest.approx(query_loss())
    for name, parameter in model.named_parameters():
        index = tuple(torch.tensor(parameter.shape) // 2)
        with torch.no_grad():
            parameter[index] += step
            above = query_loss()
            parameter[index] -= 2 * step
            below = query_loss()
            parameter[index] += step
        assert gradient[name][index].item() == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-8), name


# learn2learn, and one after the other


def learn2learns_gradient(model, tasks, lr, steps, first_order):
    with contextlib.redirect_stderr(io.StringIO()):  # what it imports has advice to give
        algorithms = pytest.importorskip("learn2learn.algorithms")
    maml = algorithms.MAML(copy.deepcopy(model), lr=lr, first_order=first_order)
    (x, y), (x_query, y_query) = tasks["train"], tasks["query"]
    total = 0.0
    for i in range(len(x)):
        learner = maml.clone()
        for _ in range(steps):
            learner.adapt(F.cross_entropy(learner(x[i]), y[i]))
        total = total + F.cross_entropy(learner(x_query[i]), y_query[i])
    return torch.cat([g.flatten() for g in torch.autograd.grad(total / len(x), list(maml.parameters()))])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-10)])
@pytest.mark.parametrize("variant", ["second order", "first order"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("vectorized", [True, False])
def test_the_meta_gradient_is_the_one_of_learn2learn(model, variant, dtype, tolerance, vectorized):
    model = MODELS[model]().to(dtype)
    tasks = {part: (x.to(dtype), y) for part, (x, y) in tasks_for(model).items()}
    for steps in (1, 3):
        theirs = learn2learns_gradient(model, tasks, 0.1, steps, variant == "first order")
        ours, _ = MAML(model, 0.1, inner_steps=steps, variant=variant, vectorized=vectorized).meta_gradient(tasks)
        assert theirs.norm() > 0.1
        torch.testing.assert_close(flat(ours), theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("model", MODELS)
def test_all_tasks_at_once_are_one_after_the_other(model, variant):
    model = MODELS[model]()
    tasks = tasks_for(model)
    results = []
    for vectorized in (True, False):
        maml = MAML(model, 0.2, inner_steps=3, variant=variant, vectorized=vectorized)
        gradient, loss = maml.meta_gradient(tasks)
        results.append((flat(gradient), torch.tensor(loss), maml.outputs(tasks, 3), flat(maml.start)))
    for at_once, one_by_one in zip(*results, strict=True):
        torch.testing.assert_close(at_once, one_by_one)
        assert not at_once.requires_grad and not one_by_one.requires_grad


def test_a_parameter_that_the_loss_does_not_use_has_the_gradient_0():
    model = perceptron()
    model.spare = nn.Linear(2, 2).double()
    model.forward = lambda x: model[4](model[3](model[2](model[1](model[0](x)))))
    for vectorized in (True, False):
        gradient, _ = MAML(model, vectorized=vectorized).meta_gradient(tasks_for(model))
        assert not gradient["spare.weight"].any() and gradient["0.weight"].any()


# The inner loop


@pytest.mark.parametrize("vectorized", [True, False])
def test_the_inner_loop_is_gradient_descent_on_a_copy(vectorized):
    model = perceptron()
    (x, y), before = tasks_for(model)["train"], copy.deepcopy(model.state_dict())
    adapted = MAML(model, 0.2, vectorized=vectorized).inner_loop((x[0], y[0]), num_steps=4)
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(twin.parameters(), 0.2)
    for _ in range(4):
        optimizer.zero_grad()
        F.cross_entropy(twin(x[0]), y[0]).backward()
        optimizer.step()
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(adapted[name], parameter.data)
        assert not adapted[name].requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    for tensor in MAML(model, variant="ANIL", vectorized=vectorized).inner_loop((x[0], y[0])).values():
        tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_anil_adapts_the_last_module_or_the_one_it_is_told():
    model = perceptron()
    x, y = tasks_for(model)["train"]
    for head, moved in ((None, {"4.weight", "4.bias"}), ("2", {"2.weight", "2.bias"})):
        maml = MAML(model, variant="ANIL", head=head)
        adapted = maml.inner_loop((x[0], y[0]))
        assert {name for name in adapted if not torch.equal(adapted[name], maml.start[name])} == moved
        gradient, _ = maml.meta_gradient(tasks_for(model))
        assert all(gradient[name].any() for name in gradient), "the outer loop moves all"


def test_outputs_are_those_of_the_model_before_and_after_each_step():
    model = perceptron()
    tasks, maml = tasks_for(model), MAML(model, 0.5)
    outputs = maml.outputs(tasks, num_steps=2)
    assert outputs.shape == (3, 3, 5, 3)
    for i in range(3):
        x, y, query = tasks["train"][0][i], tasks["train"][1][i], tasks["query"][0][i]
        for steps in range(3):
            torch.testing.assert_close(outputs[i, steps], maml.predict(maml.inner_loop((x, y), steps), query))
    torch.testing.assert_close(outputs[:, 0], model(tasks["query"][0]))


# The outer loop


@pytest.mark.parametrize("vectorized", [True, False])
def test_the_outer_loop_is_a_step_of_adam_on_the_mean_gradient(vectorized):
    model = perceptron()
    twin, tasks = copy.deepcopy(model), tasks_for(model)
    maml = MAML(model, 0.2, 0.01, vectorized=vectorized)
    optimizer = torch.optim.Adam(twin.parameters(), 0.01)
    for _ in range(3):
        gradient, expected = MAML(twin, 0.2).meta_gradient(tasks)
        for name, parameter in twin.named_parameters():
            parameter.grad = gradient[name]
        optimizer.step()
        assert maml.outer_loop(tasks) == pytest.approx(expected)
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_learns_to_learn(variant):
    """Tasks are y = ±x: no function serves both, and no example but the task's own tells which it is."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    maml = MAML(model, 0.2, 0.03, loss=F.mse_loss, inner_steps=2, variant=variant)
    generator = torch.Generator().manual_seed(0)

    def draw():
        x = 2 * torch.rand(8, 10, 1, generator=generator) - 1
        y = x * torch.tensor([1.0, -1.0] * 4)[:, None, None]
        return {"train": (x[:, :5], y[:, :5]), "query": (x[:, 5:], y[:, 5:])}

    def errors(tasks):
        return (maml.outputs(tasks, 2) - tasks["query"][1][:, None]).square().mean((0, 2, 3))

    test = draw()
    untrained = errors(test)
    for _ in range(40):
        maml.outer_loop(draw())
    before, *_, after = errors(test)
    assert after < 0.5 * before and after < 0.5 * untrained[-1]


def test_a_list_of_tasks_is_the_tasks_stacked():
    model = perceptron()
    tasks, maml = tasks_for(model), MAML(model)
    listed = [{part: (x[i], y[i]) for part, (x, y) in tasks.items()} for i in range(3)]
    assert torch.equal(flat(maml.meta_gradient(tasks)[0]), flat(maml.meta_gradient(listed)[0]))


def test_frozen_parameters_stay_in_both_loops():
    model = perceptron()
    model[0].requires_grad_(False)
    before, maml, tasks = copy.deepcopy(model.state_dict()), MAML(model, 0.1, 0.1), tasks_for(model)
    assert set(maml.inner_loop((tasks["train"][0][0], tasks["train"][1][0]))) == {
        "2.weight", "2.bias", "4.weight", "4.bias",
    }  # fmt: skip
    maml.outer_loop(tasks)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"2.weight", "2.bias", "4.weight", "4.bias"}


@pytest.mark.parametrize("vectorized", [True, False])
def test_dropout_differs_between_tasks_and_follows_the_seed(vectorized):
    model = nn.Sequential(nn.Linear(2, 50), nn.Dropout(0.5), nn.Linear(50, 3)).double()
    one = tasks_for(model, count=1)
    twice = {part: (x.repeat(2, 1, 1), y.repeat(2, 1)) for part, (x, y) in one.items()}
    maml = MAML(model, vectorized=vectorized)

    def outputs():
        torch.manual_seed(7)
        return maml.outputs(twice, 1)

    assert torch.equal(outputs(), outputs()) and (outputs()[0] - outputs()[1]).abs().max() > 1e-3
    model.eval()
    torch.testing.assert_close(outputs()[0], outputs()[1])


# What is refused


@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_are_refused_by_the_name_of_the_layer(training):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2))).train(training)
    with pytest.raises(ValueError, match=r"layer '1.0' \(BatchNorm2d\).*track_running_stats=False"):
        MAML(model)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (dict(inner_lr=0.0), "inner_lr is 0.0"),
        (dict(inner_lr=float("nan")), "inner_lr is nan"),
        (dict(outer_lr=-1.0), "outer_lr -1.0"),
        (dict(inner_steps=0), "inner_steps is 0"),
        (dict(variant="third order"), "'third order'; give one of 'second order'"),
        (dict(variant="ANIL", head="7"), "head is '7', which has no trainable parameters; the model's are 0.weight"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        MAML(perceptron(), **settings)


def test_a_frozen_head_is_refused_for_anil_and_no_matter_for_the_others():
    model = perceptron()
    model[4].requires_grad_(False)
    with pytest.raises(ValueError, match="head is '4', which has no trainable parameters; .* 2.bias: name .*unfreeze"):
        MAML(model, variant="ANIL")
    assert MAML(model, variant="ANIL", head="2").head == ["2.weight", "2.bias"]
    for variant in set(VARIANTS) - {"ANIL"}:
        assert MAML(model, variant=variant).head is None


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(ValueError, match="every parameter of the model is frozen"):
        MAML(perceptron().requires_grad_(False))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda train, query: {"train": train}, "a query set is needed, a pair of tensors"),
        (lambda train, query: {"train": train[0], "query": query}, "a train set is needed"),
        (lambda train, query: [], "there are no tasks"),
        (lambda train, query: [train, query], "a train set is needed"),
        (
            lambda train, query: {"train": train, "query": (query[0][:2], query[1][:2])},
            "3 train sets and 2 query sets",
        ),
        (
            lambda train, query: {"train": (train[0], train[1][:, :4]), "query": query},
            r"\(3, 6, 2\) and their targets \(3, 4\)",
        ),
        (lambda train, query: {"train": train, "query": (query[0][:, :0], query[1][:, :0])}, "1 or more"),
        (lambda train, query: {"train": (train[0], torch.zeros(3)), "query": query}, r"targets \(3,\)"),
        (
            lambda train, query: [
                {"train": (train[0][0], train[1][0]), "query": (query[0][0], query[1][0])},
                {"train": (train[0][1, :4], train[1][1, :4]), "query": (query[0][1], query[1][1])},
            ],
            "train set of task 1 has shapes .* must be of equal size",
        ),
    ],
)
def test_unusable_tasks_are_refused(change, told):
    model = perceptron()
    with pytest.raises(ValueError, match=told):
        MAML(model).outer_loop(change(*tasks_for(model).values()))


@pytest.mark.parametrize("vectorized", [True, False])
def test_a_loss_that_is_no_scalar_is_refused(vectorized):
    model = perceptron()
    loss = lambda outputs, labels: F.cross_entropy(outputs, labels, reduction="none")  # noqa: E731
    with pytest.raises(ValueError, match=r"the loss has shape \(6,\)"):
        MAML(model, loss=loss, vectorized=vectorized).outer_loop(tasks_for(model))


@pytest.mark.parametrize("vectorized", [True, False])
def test_a_squared_error_that_would_broadcast_is_refused(vectorized):
    model = nn.Sequential(nn.Linear(2, 1)).double()
    maml = MAML(model, loss=F.mse_loss, vectorized=vectorized)
    tasks = {part: (x, x.sum(2)) for part, (x, _) in tasks_for(model).items()}
    told = r"outputs have shape \(6, 1\) and its targets \(6,\); F.mse_loss needs equal shapes: reshape"
    for call in (maml.outer_loop, maml.outputs):
        with pytest.raises(ValueError, match=told):
            call(tasks)
    with pytest.raises(ValueError, match=told):
        maml.inner_loop(tuple(part[0] for part in tasks["train"]))
    maml.outer_loop({part: (x, y[..., None]) for part, (x, y) in tasks.items()})


def test_a_loss_that_is_not_finite_leaves_the_model_as_it_was():
    model = perceptron()
    tasks, before = tasks_for(model), copy.deepcopy(model.state_dict())
    maml = MAML(model, 1e200, loss=lambda outputs, labels: outputs.square().mean(), inner_steps=3)
    with pytest.raises(FloatingPointError, match="lower inner_lr"):
        maml.outer_loop(tasks)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_other_unusable_calls_are_refused():
    model = perceptron()
    tasks, maml = tasks_for(model), MAML(model)
    with pytest.raises(ValueError, match="num_steps is -1"):
        maml.outputs(tasks, -1)
    with pytest.raises(ValueError, match="num_steps is -1"):
        maml.inner_loop((tasks["train"][0][0], tasks["train"][1][0]), -1)
    x, y = tasks["train"][0][0], tasks["train"][1][0]
    for data, told in (
        (x, r"task_data is of type Tensor; give a pair of tensors, \(inputs \(n, …\), targets \(n, …\)\)"),
        ((x, y, y), "task_data is of type tuple; give a pair"),
        ((x, y[:4]), r"inputs have shape \(6, 2\) and the targets \(4,\); give"),
        ((x[:0], y[:0]), r"inputs have shape \(0, 2\) and the targets \(0,\); .* 1 or more"),
        ((x, y[0]), r"inputs have shape \(6, 2\) and the targets \(\); give"),
    ):
        with pytest.raises(ValueError, match=told):
            maml.inner_loop(data)
    start = {"body": torch.zeros(2), "head": torch.zeros(2)}
    with pytest.raises(ValueError, match="steps is -1; give 0 or more"):
        adapt(quadratic, start, (), 0.1, -1)
    for variant in VARIANTS:
        with pytest.raises(ValueError, match="steps is -1; give 0 or more"):
            meta_gradient(quadratic, start, (), (), 0.1, -1, variant, head=["head"])
    with pytest.raises(ValueError, match="'ANIL 2'"):
        meta_gradient(quadratic, start, (), (), 0.1, 1, "ANIL 2")
    with pytest.raises(ValueError, match="ANIL adapts the head only"):
        meta_gradient(quadratic, start, (), (), 0.1, 1, "ANIL")
