"""Continual learning: Fisher information and springs against closed forms, memory against chance, and the metrics."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.continual import (
    EWC,
    Reservoir,
    average_accuracy,
    backward_transfer,
    compete,
    ewc_penalty,
    fisher_diagonal,
    forgetting,
    forward_transfer,
    lwf_loss,
    task_accuracy,
    train_jointly,
    train_stream,
)


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def softmax_regression(features=4, classes=3, scale=1.0, seed=1):
    model = nn.Linear(features, classes).double()
    with torch.no_grad():
        model.weight.copy_(scale * normal(classes, features, seed=seed))
        model.bias.copy_(scale * normal(classes, seed=seed + 1))
    return model


def perceptron(inputs=3, outputs=4, seed=0):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, outputs)).double()


def moved(model, by=0.1, seed=5):
    """The model, its parameters shifted at random in place."""
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.add_(by * normal(*parameter.shape, seed=seed + number))
    return model


def values(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


# The Fisher information


def analytic_fisher(model, inputs):
    """Of softmax regression: F_ci = mean of p_c (1 - p_c) x_i², with x = 1 for the bias; exact in the labels."""
    p = model(inputs).softmax(1).detach()
    variance = p * (1 - p)
    return {"weight": variance.T @ inputs.square() / len(inputs), "bias": variance.mean(0)}


def test_averaged_over_the_labels_it_is_the_analytic_fisher_of_softmax_regression():
    model, inputs = softmax_regression(), normal(20, 4)
    p, total = model(inputs).softmax(1).detach(), {}
    for x, p_x in zip(inputs, p, strict=True):
        for label in range(3):
            for name, squares in fisher_diagonal(model, x[None], torch.tensor([label])).items():
                total[name] = total.get(name, 0) + p_x[label] * squares / len(inputs)
    torch.testing.assert_close(total, analytic_fisher(model, inputs))


def test_labels_drawn_from_the_model_estimate_the_analytic_fisher():
    model, few = softmax_regression(), normal(10, 4)
    inputs = few.repeat(2000, 1)
    estimate, exact = fisher_diagonal(model, inputs, batch_size=5000), analytic_fisher(model, few)
    # The square that one draw gives is (p_c - [y = c])² x_i²; its variance over y gives the standard error.
    p = model(few).softmax(1).detach()
    spread = p * (1 - p) ** 4 + (1 - p) * p**4 - (p * (1 - p)) ** 2
    error = {"weight": (spread.T @ few**4 / 10 / 20_000).sqrt(), "bias": (spread.mean(0) / 20_000).sqrt()}
    for name in exact:
        assert ((estimate[name] - exact[name]).abs() < 4.5 * error[name]).all()
        assert (error[name] < 0.05 * exact[name].max()).all(), "the test is sharp"


class LogisticRegression(nn.Module):
    """p(1 | x) = sigmoid(w·x), as two logits, 0 and w·x."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        score = x @ self.weight
        return torch.stack([torch.zeros_like(score), score], 1)


def test_of_a_binary_logistic_regression_it_is_p_1_minus_p_x_squared():
    model, x = LogisticRegression(normal(3)), normal(1, 3, seed=1)
    p = torch.sigmoid(x[0] @ model.weight.detach())
    of = [fisher_diagonal(model, x, torch.tensor([label]))["weight"] for label in (0, 1)]
    torch.testing.assert_close((1 - p) * of[0] + p * of[1], p * (1 - p) * x[0].square())


def convolutional():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        norm = nn.BatchNorm2d(3)
        nn.init.normal_(norm.weight)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        return nn.Sequential(nn.Conv2d(1, 3, 3), norm, nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(12, 4)).double()


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize(
    ("model", "size"), [(perceptron(), (3,)), (convolutional(), (1, 4, 4))], ids=["perceptron", "convolutional"]
)
def test_it_is_the_mean_of_the_squared_gradients_one_by_one(model, size, batch_size):
    inputs, labels = normal(10, *size), torch.arange(10) % 4
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    found = fisher_diagonal(model.train(), inputs, labels, batch_size=batch_size)
    assert model.training and all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
    expected = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    model.eval()
    for x, y in zip(inputs, labels, strict=True):
        gradients = torch.autograd.grad(F.cross_entropy(model(x[None]), y[None]), model.parameters())
        for name, gradient in zip(expected, gradients, strict=True):
            expected[name] += gradient.square() / len(inputs)
    torch.testing.assert_close(found, expected)
    assert not any(tensor.requires_grad for tensor in found.values()), "a weight, not part of a graph"
    assert all(p.grad is None for p in model.parameters())


def test_the_square_of_the_mean_gradient_would_be_as_many_times_too_small_as_there_are_examples():
    """Σ_n g_n² against (Σ_n g_n)²: equal in expectation when the gradients are independent with mean 0."""
    model, inputs = softmax_regression(), normal(2000, 4)
    labels = torch.distributions.Categorical(logits=model(inputs)).probs.multinomial(
        1, generator=torch.Generator().manual_seed(0)
    )[:, 0]
    right = fisher_diagonal(model, inputs, labels, batch_size=2000)["weight"]
    ratios = []
    for x, y in zip(inputs.split(50), labels.split(50), strict=True):
        (mean,) = torch.autograd.grad(F.cross_entropy(model(x), y), model.weight)
        ratios.append(right.sum() / mean.square().sum())
    assert 35 < 1 / torch.stack(ratios).reciprocal().mean() < 70, "about 50"


def test_the_empirical_fisher_of_a_model_that_is_sure_and_right_vanishes_before_the_true_one():
    """With p the chance of the true label: (1 - p)² x² against p (1 - p) x²."""
    model, x = LogisticRegression(torch.tensor([4.0]).double()), torch.ones(4000, 1).double()
    p = torch.sigmoid(torch.tensor(4.0).double())
    empirical = fisher_diagonal(model, x, torch.ones(4000, dtype=torch.long))["weight"]
    torch.testing.assert_close(empirical, (1 - p).square()[None])
    drawn = fisher_diagonal(model, x, batch_size=4000)["weight"]
    assert drawn.item() == pytest.approx((p * (1 - p)).item(), rel=0.5) and drawn > 25 * empirical


def test_classes_that_do_not_compete_have_no_part_in_it():
    model, inputs = softmax_regression(), normal(30, 4)
    fisher = fisher_diagonal(model, inputs, classes=(0, 2))
    assert fisher["weight"][1].eq(0).all() and fisher["bias"][1] == 0
    assert fisher["weight"][[0, 2]].gt(0).all()
    two = nn.Linear(4, 2).double()
    two.load_state_dict({name: tensor[[0, 2]] for name, tensor in model.state_dict().items()})
    labels = torch.arange(30) % 2
    expected = fisher_diagonal(two, inputs, labels)["weight"]
    torch.testing.assert_close(fisher_diagonal(model, inputs, 2 * labels, classes=(0, 2))["weight"][[0, 2]], expected)


def test_frozen_parameters_are_left_out():
    model = perceptron()
    model[0].requires_grad_(False)
    assert fisher_diagonal(model, normal(5, 3)).keys() == {"2.weight", "2.bias"}


def test_the_labels_follow_the_seed_and_nothing_else():
    model, inputs = perceptron(), normal(20, 3)
    before = torch.get_rng_state()
    first, again, other = (fisher_diagonal(model, inputs, seed=seed)["0.weight"] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("inputs", "labels"), [(0, None), (5, 4), (0, 0)])
def test_no_inputs_or_another_number_of_labels_is_refused(inputs, labels):
    told = None if labels is None else torch.zeros(labels, dtype=torch.long)
    with pytest.raises(ValueError, match=f"there are {inputs} inputs and .* labels; give one input or more"):
        fisher_diagonal(perceptron(), torch.zeros(inputs, 3).double(), told)


def test_labels_that_do_not_compete_are_refused():
    with pytest.raises(ValueError, match=r"the labels \[1, 3\] are none of the classes \(0, 2\)"):
        fisher_diagonal(perceptron(), normal(4, 3), torch.arange(4), classes=(0, 2))


def test_compete_leaves_the_given_classes_as_they_are():
    logits = normal(5, 4)
    assert compete(logits, None) is logits
    among = compete(logits, (3, 1))
    assert torch.equal(among[:, [1, 3]], logits[:, [1, 3]]) and among[:, [0, 2]].eq(-torch.inf).all()
    torch.testing.assert_close(among.softmax(1)[:, [1, 3]], logits[:, [1, 3]].softmax(1))


# The springs


def test_the_penalty_is_half_the_weighted_square_and_its_gradient_the_pull():
    model = perceptron()
    anchor, fisher = values(model), {name: normal(*p.shape).square() for name, p in model.named_parameters()}
    at_anchor = ewc_penalty(model, anchor, fisher)
    assert at_anchor == 0
    assert all(gradient.eq(0).all() for gradient in torch.autograd.grad(at_anchor, model.parameters()))
    moved(model)
    away = ewc_penalty(model, anchor, fisher)
    offset = {name: p.detach() - anchor[name] for name, p in model.named_parameters()}
    torch.testing.assert_close(away, sum(0.5 * (fisher[name] * offset[name] ** 2).sum() for name in offset))
    gradients = torch.autograd.grad(away, model.parameters())
    for (name, d), gradient in zip(offset.items(), gradients, strict=True):
        torch.testing.assert_close(gradient, fisher[name] * d)


def test_the_penalty_is_half_the_second_order_term_of_the_divergence_from_the_old_model():
    """KL(p_θ* ‖ p_θ) ≈ ½ δ² F for a step δ along one parameter: what makes F the right stiffness."""
    model, inputs, step = softmax_regression(), normal(50, 4), 1e-3
    exact, old = analytic_fisher(model, inputs), model(inputs).log_softmax(1).detach()
    for c, i in ((0, 0), (1, 3), (2, 2)):
        other = softmax_regression()
        with torch.no_grad():
            other.weight[c, i] += step
            divergence = F.kl_div(other(inputs).log_softmax(1), old, log_target=True, reduction="batchmean")
        torch.testing.assert_close(divergence, ewc_penalty(other, values(model), exact).detach(), rtol=2e-3, atol=0)


def test_a_model_without_the_anchor_s_parameters_is_refused():
    model = perceptron()
    with pytest.raises(ValueError, match="no parameter '0.weight'"):
        ewc_penalty(model[2], values(model), values(model))


def consolidated(ewc, model, tasks=3):
    """The model moves from task to task; returns each task's own spring."""
    springs = []
    for task in range(tasks):
        inputs = normal(12, 3, seed=task)
        if task == 1:
            inputs[:, 0] = 0  # parameters that this task has no use for
        springs.append((values(moved(model, seed=20 * task)), fisher_diagonal(model, inputs, seed=task)))
        ewc.consolidate(model, inputs, seed=task)
    return springs


def test_springs_side_by_side_are_one_spring():
    model, ewc = perceptron(), EWC()
    springs = consolidated(ewc, model)
    for seed in range(3):
        moved(model, 0.5, seed)
        apart = sum(ewc_penalty(model, *spring) for spring in springs)
        torch.testing.assert_close(ewc.penalty(model), apart)
        for one, all_of_them in zip(
            torch.autograd.grad(ewc.penalty(model), model.parameters()),
            torch.autograd.grad(apart, model.parameters()),
            strict=True,
        ):
            torch.testing.assert_close(one, all_of_them)


def test_a_parameter_that_no_task_needs_is_free():
    """The second input is always 0, so the weights that read it may go anywhere, and nothing becomes NaN."""
    model, ewc = softmax_regression(2), EWC()
    for task in range(2):
        inputs = normal(10, 2, seed=task)
        inputs[:, 1] = 0
        ewc.consolidate(moved(model), inputs)
    before = ewc.penalty(model).item()
    with torch.no_grad():
        model.weight[:, 1] += 100
    assert ewc.penalty(model).item() == before
    with torch.no_grad():
        model.weight[:, 0] += 1
    assert ewc.penalty(model).item() > before


@pytest.mark.parametrize("decay", [0.0, 0.7, 1.0])
def test_online_ewc_forgets_by_its_recursion(decay):
    model, ewc = perceptron(), EWC(decay)
    springs = consolidated(ewc, model)
    fisher = {
        name: decay**2 * springs[0][1][name] + decay * springs[1][1][name] + f for name, f in springs[2][1].items()
    }
    torch.testing.assert_close(ewc.fisher, fisher)
    assert ewc.penalty(model) == 0, "the anchor is where the last task left the parameters"
    moved(model)
    torch.testing.assert_close(ewc.penalty(model), ewc_penalty(model, springs[2][0], fisher))


def test_with_one_task_online_ewc_is_ewc():
    kept, online, model = EWC(), EWC(0.5), perceptron()
    for ewc in (kept, online):
        ewc.consolidate(model, normal(10, 3))
    moved(model)
    assert torch.equal(kept.penalty(model), online.penalty(model))


def test_before_the_first_task_nothing_is_held():
    assert EWC().penalty(perceptron()) == 0


def test_what_was_consolidated_does_not_follow_the_model():
    model, ewc = perceptron(), EWC()
    ewc.consolidate(model, normal(10, 3))
    anchor = values(model)
    moved(model)
    torch.testing.assert_close(ewc.anchor, anchor, rtol=0, atol=0)


def test_another_model_s_parameters_are_refused():
    model, ewc = perceptron(), EWC()
    ewc.consolidate(model, normal(10, 3))
    model[0].requires_grad_(False)
    with pytest.raises(ValueError, match="trainable parameters are not those of the tasks before"):
        ewc.consolidate(model, normal(10, 3))
    with pytest.raises(ValueError, match="no parameter"):
        ewc.penalty(nn.Linear(3, 4))


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_a_decay_that_is_no_share_is_refused(decay):
    with pytest.raises(ValueError, match="decay is .* give a number from 0 to 1, or None"):
        EWC(decay)


# Learning without forgetting


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 10.0])
def test_lwf_is_the_divergence_up_to_the_old_answers_entropy(temperature):
    logits, old = normal(6, 4).requires_grad_(), normal(6, 4, seed=1)
    p, q = (old / temperature).softmax(1), (logits / temperature).log_softmax(1)
    loss = lwf_loss(logits, old, temperature)
    entropy = -(p * p.log()).sum(1).mean()
    torch.testing.assert_close(loss, F.kl_div(q, p, reduction="batchmean") + entropy)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient, (q.exp() - p).detach() / temperature / 6)


def test_lwf_softens_as_the_paper_says():
    """p'_c = p_c^(1/T) / Σ p^(1/T), and T is 2."""
    logits, old = normal(6, 4), normal(6, 4, seed=1)
    p, q = ((x.softmax(1) ** (1 / 2)) for x in (old, logits))
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    torch.testing.assert_close(lwf_loss(logits, old), -(p * q.log()).sum(1).mean())


def test_hot_lwf_draws_the_centred_logits_together():
    """T² ∂L/∂z → (z - z_old, both less their means) / C / B (Hinton et al. 2015, arXiv 1503.02531, eq. 4)."""
    logits, old, hot = normal(6, 4).requires_grad_(), normal(6, 4, seed=1), 1e4
    (gradient,) = torch.autograd.grad(lwf_loss(logits, old, hot), logits)
    apart = (logits - old).detach()
    torch.testing.assert_close(gradient * hot**2, (apart - apart.mean(1, keepdim=True)) / 4 / 6, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match="it must be above 0"):
        lwf_loss(normal(2, 3), normal(2, 3), temperature)


@pytest.mark.parametrize(("one", "other"), [((2, 3), (2, 4)), ((3,), (3,))])
def test_logits_that_do_not_fit_are_refused(one, other):
    with pytest.raises(ValueError, match="must both be"):
        lwf_loss(normal(*one), normal(*other))


# The memory


def test_every_example_is_kept_with_the_same_chance():
    """Counts over many runs; χ², scaled for samples without replacement, has n - 1 degrees of freedom."""
    n, capacity, runs = 24, 6, 1500
    counts, pairs = torch.zeros(n), 0
    for seed in range(runs):
        memory = Reservoir(capacity, seed)
        memory.add(torch.arange(n))
        kept = [int(example) for (example,) in memory.examples]
        assert len(set(kept)) == capacity, "none is kept twice"
        counts[kept] += 1
        pairs += {0, 1} <= set(kept)
    share = capacity / n
    chi_square = (counts - runs * share).square().sum() / (runs * share * (1 - share)) * (n - 1) / n
    assert 7.5 < chi_square < 49.7, "0.1 and 99.9 % of χ² with 23 degrees of freedom"
    chance = share * (capacity - 1) / (n - 1)
    assert abs(pairs - runs * chance) < 4 * (runs * chance) ** 0.5, "pairs, too: it is a simple random sample"


def test_what_fits_is_all_kept_in_order():
    memory = Reservoir(10)
    memory.add(torch.arange(7))
    assert [int(x) for (x,) in memory.examples] == list(range(7)) and len(memory) == memory.seen == 7


def test_it_does_not_matter_how_the_stream_is_cut():
    whole, cut = Reservoir(5, seed=3), Reservoir(5, seed=3)
    whole.add(torch.arange(40))
    for part in torch.arange(40).split(7):
        cut.add(part)
    assert whole.examples == cut.examples and whole.seen == cut.seen == 40 and len(cut) == 5


def test_an_example_stays_together():
    memory = Reservoir(8, seed=1)
    y = torch.arange(50)
    memory.add(torch.stack([y, y.square()], 1).float(), y, -y)
    x, y, z = memory.sample(300)
    assert x.shape == (300, 2) and torch.equal(x, torch.stack([y, y.square()], 1).float()) and torch.equal(z, -y)
    assert len(y.unique()) == 8, "each of them is drawn at times"


def test_the_memory_keeps_copies_of_the_examples_and_nothing_else():
    """Both what is put in while there is room (2 rows) and what takes its place (of 1000)."""
    for rows in (2, 1000):
        memory, batch = Reservoir(2), torch.ones(rows, 8)
        memory.add(batch, batch[:, 0])
        batch.zero_()
        for column in memory.sample(20):
            assert column.eq(1).all(), "they do not change with the caller's batch"
        for x, y in memory.examples:
            assert x.untyped_storage().nbytes() == 8 * 4 and y.untyped_storage().nbytes() == 4, "no whole batch is kept"


def test_the_memory_follows_its_own_seed():
    before = torch.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        memory = Reservoir(5, seed)
        memory.add(torch.arange(100))
        drawn.append(memory.sample(20)[0])
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert torch.equal(before, torch.get_rng_state())


def test_memories_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="capacity is 0"):
        Reservoir(0)
    with pytest.raises(ValueError, match="memory is empty"):
        Reservoir(3).sample(2)
    with pytest.raises(ValueError, match=r"columns of lengths \[3, 4\]"):
        Reservoir(3).add(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match=r"columns of lengths \[\]"):
        Reservoir(3).add()


# The metrics

BY_HAND = torch.tensor([[0.9, 0.3, 0.2], [0.6, 0.8, 0.5], [0.7, 0.5, 1.0]])


def test_the_metrics_of_a_matrix_worked_by_hand():
    assert average_accuracy(BY_HAND) == pytest.approx((0.7 + 0.5 + 1.0) / 3)
    assert backward_transfer(BY_HAND) == pytest.approx(((0.7 - 0.9) + (0.5 - 0.8)) / 2)
    assert forgetting(BY_HAND) == pytest.approx(((0.9 - 0.7) + (0.8 - 0.5)) / 2)
    assert forward_transfer(BY_HAND, torch.tensor([0.1, 0.1, 0.3])) == pytest.approx(((0.3 - 0.1) + (0.5 - 0.3)) / 2)


def test_forgetting_is_measured_from_the_best_before_the_end():
    """The first task was at its best after the second, and is better still at the end: forgetting may be negative."""
    better_later = torch.tensor([[0.5, 0.0, 0.0], [0.9, 0.8, 0.0], [0.7, 0.85, 0.9]])
    assert forgetting(better_later) == pytest.approx(((0.9 - 0.7) + (0.8 - 0.85)) / 2)
    assert backward_transfer(better_later) == pytest.approx(((0.7 - 0.5) + (0.85 - 0.8)) / 2)


def test_where_each_task_is_best_when_learned_forgetting_is_minus_backward_transfer():
    falling = torch.rand(5, 5, generator=torch.Generator().manual_seed(0)).sort(0, descending=True).values.tril()
    assert forgetting(falling) == pytest.approx(-backward_transfer(falling))
    kept = torch.full((4, 4), 0.8)
    assert forgetting(kept) == backward_transfer(kept) == 0 and average_accuracy(kept) == pytest.approx(0.8)


def test_one_task_has_an_average_and_nothing_to_forget():
    one = torch.tensor([[0.7]])
    assert average_accuracy(one) == pytest.approx(0.7)
    for metric in (forgetting, backward_transfer, lambda matrix: forward_transfer(matrix, matrix[0])):
        with pytest.raises(ValueError, match=r"shape \(1, 1\).*T at least 2"):
            metric(one)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 3), (0, 0)])
def test_what_is_no_square_matrix_is_refused(shape):
    for metric in (average_accuracy, forgetting, backward_transfer):
        with pytest.raises(ValueError, match="a row after each task, a column for each"):
            metric(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"untrained has shape \(2,\); give an accuracy for each of 3"):
        forward_transfer(BY_HAND, torch.zeros(2))


# The stream


def clusters(task, count=60):
    """Two clusters at a right angle, seen from 0; the next task's lie opposite. Labels 0 and 1 in each."""
    generator = torch.Generator().manual_seed(task)
    y = torch.arange(count) % 2
    angle = (2 * task + y) * torch.pi / 2
    x = 3 * torch.stack([angle.cos(), angle.sin()], 1) + 0.4 * torch.randn(count, 2, generator=generator)
    half = count // 2
    return SimpleNamespace(train=(x[:half], y[:half]), test=(x[half:], y[half:]), classes=None)


def two_tasks(scenario):
    tasks = [clusters(0), clusters(1)]
    for number, task in enumerate(tasks):
        if scenario != "domain":
            task.train, task.test = ((x, y + 2 * number) for x, y in (task.train, task.test))
        task.classes = (2 * number, 2 * number + 1) if scenario == "task" else None
    return tasks


def small(outputs=4, seed=0):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, outputs))


def run(tasks, model=None, **options):
    model = model or small()
    options = {"epochs": 15, "lr": 0.02, "progress": False, "batch_size": 8, **options}
    return train_stream(model, tasks, **options), values(model)


def test_the_matrix_holds_the_accuracy_on_each_task_after_each():
    tasks, model = two_tasks("class"), small()
    matrix, _ = run(tasks, model)
    assert matrix.shape == (2, 2)
    first, _ = run(tasks[:1])
    assert torch.equal(first[0, 0], matrix[0, 0])
    for task, accuracy in zip(tasks, matrix[-1], strict=True):
        x, y = task.test
        assert (model(x).argmax(1) == y).float().mean() == accuracy == task_accuracy(model, task)


def test_what_later_tasks_contradict_is_forgotten_unless_a_spring_or_a_memory_keeps_it():
    tasks = two_tasks("domain")
    naive = run(tasks, small(2))[0]
    assert naive.diagonal().min() == 1 and naive[1, 0] < 0.6
    for method in ({"ewc": EWC(), "ewc_strength": 1e6}, {"memory": Reservoir(10)}):
        assert run(tasks, small(2), **method)[0][1].min() > 0.9, method


def test_joint_training_learns_all_of_it():
    for scenario in ("task", "domain", "class"):
        tasks, model = two_tasks(scenario), small(2 if scenario == "domain" else 4)
        accuracy = train_jointly(model, tasks, epochs=25, lr=0.02, batch_size=8, progress=False)
        assert accuracy.shape == (2,) and accuracy.min() > 0.9
        assert torch.equal(accuracy, torch.tensor([task_accuracy(model, task) for task in tasks]))


def test_the_stiffer_the_spring_the_less_moves_what_mattered():
    tasks, model, ewc = two_tasks("domain"), small(2), EWC()
    run(tasks[:1], model, ewc=ewc)
    anchor, fisher = ewc.anchor, ewc.fisher
    costs = []
    for strength in (0.0, 1e4, 1e6):
        model.load_state_dict(anchor)
        ewc.anchor, ewc.fisher = anchor, fisher
        run(tasks[1:], model, ewc=ewc, ewc_strength=strength)
        costs.append(ewc_penalty(model, anchor, fisher).item())
    assert costs[0] > 4 * costs[1] > 16 * costs[2]


def test_without_strength_every_method_is_naive_training():
    tasks = two_tasks("task")
    naive, parameters = run(tasks)
    for ewc in (EWC(), EWC(0.5)):
        matrix, same = run(tasks, ewc=ewc, ewc_strength=0.0, lwf_strength=0.0)
        assert torch.equal(matrix, naive) and ewc.fisher
        torch.testing.assert_close(same, parameters, rtol=0, atol=0)


def test_lwf_keeps_the_old_answers_where_the_task_is_told():
    """The old head's answers on the new inputs move less the stronger it is."""
    tasks = two_tasks("task")
    model = small()
    run(tasks[:1], model)
    old, x = model(tasks[1].train[0])[:, :2].softmax(1).detach(), tasks[1].train[0]
    drift = []
    for strength in (0.0, 1.0, 100.0):
        changed = small()
        run(tasks, changed, lwf_strength=strength)
        drift.append((changed(x)[:, :2].softmax(1) - old).abs().mean().item())
    assert drift[0] > 2 * drift[1] > 3 * drift[2]


def test_only_the_classes_of_the_task_compete():
    """A model that prefers the other task's classes is right all the same where the task is told."""
    task = two_tasks("task")[1]
    model = nn.Linear(2, 4)
    with torch.no_grad():
        model.bias.copy_(torch.tensor([50.0, 50.0, 1.0, 0.0]))
        model.weight.zero_()
    assert task_accuracy(model, task) == 0.5
    task.classes = None
    assert task_accuracy(model, task) == 0


def test_the_stream_follows_its_seed_and_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    runs = [run(two_tasks("task"), epochs=2, seed=seed, ewc=EWC(), memory=Reservoir(5, seed))[1] for seed in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(runs[0]["0.weight"], runs[1]["0.weight"])
    assert not torch.equal(runs[0]["0.weight"], runs[2]["0.weight"])


def test_the_memory_is_offered_each_example_once():
    memory = Reservoir(7)
    run(two_tasks("class"), memory=memory, epochs=3)
    assert memory.seen == 60 and len(memory) == 7
    x, y, of = memory.sample(200)
    assert torch.equal(y // 2, of), "each with the number of its task"


def test_a_memory_of_another_stream_is_refused():
    """It holds numbers of tasks: there would be other tasks behind them."""
    memory = Reservoir(5)
    run(two_tasks("task"), memory=memory, epochs=1)
    with pytest.raises(ValueError, match="the memory has seen 60 examples of another stream; give a new Reservoir"):
        run(two_tasks("task"), memory=memory)


@pytest.mark.parametrize("train", [train_stream, train_jointly])
def test_a_model_in_evaluation_mode_is_trained_in_training_mode(train):
    """Batch-norm's averages move, and the numbers are those of a model that was in training mode."""
    parameters = []
    for mode in (True, False):
        model = nn.Sequential(nn.BatchNorm1d(2), small()).train(mode)
        train(model, two_tasks("class"), epochs=2, progress=False)
        assert model.training and model[0].training and model[0].num_batches_tracked == 2 * 2
        parameters.append(values(model))
    torch.testing.assert_close(*parameters, rtol=0, atol=0)


def test_labels_that_nothing_answers_are_refused_by_task():
    tasks = two_tasks("task")
    for train in (train_stream, train_jointly):
        with pytest.raises(ValueError, match=r"task 2 has the labels \[2, 3\], .* the model's 3 outputs"):
            train(small(3), tasks, progress=False)
    tasks[1].classes = (0, 1)
    for train in (train_stream, train_jointly):
        with pytest.raises(ValueError, match=r"task 2 has the labels \[2, 3\], .* among its classes \(0, 1\)"):
            train(small(), tasks, progress=False)


def both(**wrong):
    return [(train, wrong) for train in (train_stream, train_jointly)]


@pytest.mark.parametrize(
    ("train", "wrong"),
    [
        *both(tasks=[]),
        *both(epochs=0),
        *both(batch_size=0),
        (train_stream, {"fisher_examples": 0}),
        (train_stream, {"fisher_examples": -1}),
    ],
)
def test_counts_below_one_are_refused(train, wrong):
    name, count = next(iter(wrong.items()))
    told = "there are 0 tasks" if name == "tasks" else f"{name} is {count}"
    with pytest.raises(ValueError, match=f"{told}.*; give 1 or more of each"):
        train(small(), **{"tasks": two_tasks("class"), "progress": False, **wrong})


@pytest.mark.parametrize("name", ["ewc_strength", "lwf_strength"])
@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_no_strength_is_refused(name, strength):
    with pytest.raises(ValueError, match=f"{name}.* {strength}.*; give finite strengths, not below 0"):
        run(two_tasks("class"), **{name: strength})


@pytest.mark.parametrize("train", [train_stream, train_jointly])
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(("inputs", "labels"), [(0, 0), (30, 20), (20, 30)])
def test_data_that_do_not_fit_are_refused_by_task(train, part, inputs, labels):
    tasks = two_tasks("class")
    x, y = getattr(tasks[1], part)
    setattr(tasks[1], part, (x[:inputs], y[:labels]))
    with pytest.raises(ValueError, match=f"task 2's {part} has {inputs} inputs and {labels} labels"):
        train(small(), tasks, progress=False)


@pytest.mark.parametrize(("train", "where"), [(train_stream, "task 2"), (train_jointly, "epoch 1")])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_loss_that_is_not_finite_is_refused_where_it_appears(train, where, value):
    tasks = two_tasks("class")
    tasks[1].train[0][0, 0] = value
    with pytest.raises(FloatingPointError, match=f"{where}; give finite inputs"):
        train(small(), tasks, progress=False)
