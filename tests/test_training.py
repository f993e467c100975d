"""The training loop: it learns, it repeats itself by the seed, and a killed run ends with the same numbers."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from torch import nn

from tlcourse.training import History, evaluate, evaluation_mode, fit, predict

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


def blobs(n=96, seed=0):
    """Three well separated clouds of points in the plane."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    centres = torch.tensor([[0.0, 4.0], [4.0, 0.0], [-4.0, -4.0]])
    return centres[labels] + torch.randn(n, 2, generator=generator), labels


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))


def adam(model, lr=0.01):
    return torch.optim.Adam(model.parameters(), lr)


@pytest.mark.parametrize("device", DEVICES)
def test_it_learns(device):
    model = network()
    history = fit(model, blobs(), blobs(seed=1), optimizer=adam(model), epochs=20, device=device, progress=False)
    assert evaluate(model, blobs(seed=2), device=device)["accuracy"] > 0.97
    assert history.train_loss[-1] < history.train_loss[0] / 2
    assert len(history.validation_accuracy) == len(history.seconds) == 20


@pytest.mark.parametrize("device", DEVICES)
def test_a_seed_gives_the_same_numbers_and_leaves_the_global_ones_alone(device):
    def run(seed):
        model = network()
        torch.manual_seed(123)
        losses = fit(
            model, blobs(), optimizer=adam(model), epochs=3, seed=seed, device=device, progress=False
        ).train_loss
        return losses, torch.rand(1).item()

    (first, after), (second, _), (other, _) = run(5), run(5), run(6)
    assert first == second != other
    torch.manual_seed(123)
    assert after == torch.rand(1).item()


def test_one_step_is_gradient_descent():
    """Independent derivation: one full batch, one epoch, theta' = theta - alpha * grad J(theta)."""
    inputs, labels = blobs(12)
    model = nn.Linear(2, 3)
    weight, bias = (p.detach().clone().requires_grad_() for p in model.parameters())
    loss = -torch.log_softmax(inputs @ weight.T + bias, 1)[torch.arange(12), labels].mean()
    gradients = torch.autograd.grad(loss, [weight, bias])
    fit(
        model,
        (inputs, labels),
        optimizer=torch.optim.SGD(model.parameters(), 0.3),
        epochs=1,
        batch_size=12,
        device="cpu",
        progress=False,
    )
    torch.testing.assert_close(model.weight, weight - 0.3 * gradients[0])
    torch.testing.assert_close(model.bias, bias - 0.3 * gradients[1])


def test_early_stopping_gives_the_best_weights_back():
    model = network()
    inputs, labels = blobs(24)
    noise = inputs, labels[torch.randperm(24, generator=torch.Generator().manual_seed(0))]
    history = fit(
        model,
        (inputs, labels),
        noise,
        optimizer=adam(model),
        epochs=100,
        patience=3,
        progress=False,
        device="cpu",
    )
    assert len(history.seconds) == history.best_epoch + 4 < 100
    assert evaluate(model, noise, device="cpu")["loss"] == pytest.approx(history.validation_loss[history.best_epoch])


def test_the_scheduler_is_stepped_once_a_batch_and_augmentation_sees_training_only():
    model, seen = network(), []
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)

    def augment(x):
        seen.append(len(x))
        return x

    fit(
        model,
        blobs(96),
        blobs(30),
        optimizer=optimizer,
        scheduler=schedule,
        augment=augment,
        epochs=2,
        progress=False,
    )
    assert schedule.last_epoch == 6 and sum(seen) == 2 * 96


def test_on_epoch_sees_the_model_after_each_epoch():
    model, seen = network(), []

    def note(history):
        seen.append((len(history.train_loss), len(history.validation_loss), model[0].weight.detach().clone()))

    fit(model, blobs(), blobs(seed=1), optimizer=adam(model), epochs=3, on_epoch=note, progress=False)
    assert [epochs for epochs, _, _ in seen] == [validated for _, validated, _ in seen] == [1, 2, 3]
    assert torch.equal(seen[-1][2], model[0].weight) and not torch.equal(seen[0][2], seen[1][2])


def long_run(checkpoint, kill_at=0):
    """Six epochs of three batches; the process kills itself in the middle of batch number `kill_at`."""
    model, batches = network(), 0

    def augment(x):
        nonlocal batches
        batches += 1
        if batches == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return x + 0.1 * torch.randn_like(x)

    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.8)
    history = fit(
        model,
        blobs(),
        blobs(seed=1),
        optimizer=optimizer,
        scheduler=schedule,
        epochs=6,
        patience=50,
        augment=augment,
        checkpoint=checkpoint,
        progress=False,
        device="cpu",
    )
    return history.train_loss, history.validation_loss, [p.sum().item() for p in model.parameters()], batches


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_run_killed_in_the_middle_of_an_epoch_ends_with_the_same_numbers(tmp_path):
    *whole, batches = long_run(tmp_path / "whole.pt")
    assert batches == 18
    code = f"import test_training; test_training.long_run({str(tmp_path / 'killed.pt')!r}, kill_at=8)"
    paths = os.pathsep.join([os.path.dirname(__file__), os.getcwd()])
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    *resumed, batches = long_run(tmp_path / "killed.pt")
    assert resumed == whole and batches == 12, "the last four epochs are trained again, no more"
    *finished, batches = long_run(tmp_path / "killed.pt")
    assert finished == whole and batches == 0, "a finished run trains no further"


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    file = tmp_path / "run.pt"
    model = network()
    fit(model, blobs(), optimizer=adam(model), epochs=1, seed=1, checkpoint=file, progress=False)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="another run.*seed 1 there, 2 here.*delete"):
        fit(model, blobs(), optimizer=adam(model), epochs=1, seed=2, checkpoint=file, progress=False)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 5}, "epochs 2 there, 5 here"),
        ({"validation": blobs(30), "patience": 1}, "patience None there, 1 here, validation images 0 there, 30 here"),
        ({"optimizer": torch.optim.SGD}, "optimizer Adam there, SGD here"),
        ({"model": nn.Linear(2, 3)}, "model"),
    ],
)
def test_a_changed_run_is_refused_before_anything_is_loaded(tmp_path, change, words):
    file = tmp_path / "folder that is not there" / "run.pt"

    def run(model, optimizer=torch.optim.Adam, **settings):
        settings = {"train": blobs(), "epochs": 2} | settings
        fit(model, **settings, optimizer=optimizer(model.parameters(), 0.01), checkpoint=file, progress=False)

    run(network())
    other = {"model": network(seed=1)} | change
    before = {name: tensor.clone() for name, tensor in other["model"].state_dict().items()}
    with pytest.raises(ValueError, match=words):
        run(**other)
    assert all(torch.equal(tensor, before[name]) for name, tensor in other["model"].state_dict().items())


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    file = tmp_path / "notes.pt"
    file.write_text("not a checkpoint")
    model = network()
    with pytest.raises(ValueError, match="not a checkpoint of fit"):
        fit(model, blobs(), optimizer=adam(model), epochs=1, checkpoint=file, progress=False)
    assert file.read_text() == "not a checkpoint"


def test_predict_keeps_order_and_mode():
    model = network().train()
    model[1].eval()  # a part of it is frozen
    inputs, _ = blobs(50)
    logits = predict(model, inputs, batch_size=7, device="cpu")
    with evaluation_mode(model):
        torch.testing.assert_close(logits, model(inputs))
    assert [module.training for module in model] == [True, False, True, True, True] and model.training
    assert not logits.requires_grad


def test_evaluate_counts():
    logits = torch.tensor([[2.0, 0], [0, 1], [3, 0], [0, 5]])
    scores = evaluate(nn.Identity(), (logits, torch.tensor([0, 1, 1, 1])), device="cpu")
    assert scores["accuracy"] == 0.75
    expected = -logits.log_softmax(1)[torch.arange(4), torch.tensor([0, 1, 1, 1])].mean().item()
    assert scores["loss"] == pytest.approx(expected)


X, Y = blobs(6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": (X, Y[:5])}, "6 inputs and 5 labels"),
        ({"train": (X[:0], Y[:0])}, "one or more"),
        ({"train": (X, Y.float())}, "torch.int64"),
        ({"train": (X, Y - 100)}, "class numbers from 0 on"),
        ({"train": [X, Y, X]}, "pair of tensors"),
        ({"validation": (X[:2], Y[:3])}, "validation has 2 inputs"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"patience": 2}, "needs validation data"),
        ({"device": "gpu"}, "'auto', 'cpu', 'cuda'"),
    ],
)
def test_unusable_arguments_are_refused(change, words):
    model = network()
    arguments = {"train": (X, Y), "optimizer": adam(model), "epochs": 1, "progress": False} | change
    with pytest.raises(ValueError, match=words):
        fit(model, **arguments)


def test_nothing_to_train_is_an_error():
    model, other = network(), network()
    with pytest.raises(ValueError, match="lacks 6 of the model's 6 trainable"):
        fit(model, (X, Y), optimizer=adam(other), epochs=1)
    with pytest.raises(ValueError, match="lacks 4 of the model's 6.*replace layers"):
        fit(model, (X, Y), optimizer=adam(model[0]), epochs=1)
    with pytest.raises(ValueError, match="no best epoch"):
        _ = History().best_epoch
    with pytest.raises(ValueError, match="data has 0 inputs"):
        evaluate(model, (X[:0], Y[:0]))
    optimizer = adam(model)
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="frozen"):
        fit(model, (X, Y), optimizer=optimizer, epochs=1)


def test_a_loss_that_explodes_is_an_error():
    model = nn.Linear(2, 3)
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        fit(
            model,
            blobs(),
            optimizer=torch.optim.SGD(model.parameters(), 1e38),
            epochs=3,
            device="cpu",
            progress=False,
        )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said():
    with pytest.raises(RuntimeError, match="no CUDA GPU"):
        predict(network(), X, device="cuda")
