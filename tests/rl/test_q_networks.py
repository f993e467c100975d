"""Q-networks: shapes, scaling, heads, and files that hold what was saved."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from tlcourse.rl.q_networks import QNetwork, conv_trunk, load_q_network, mlp_trunk, save_q_network

PIXELS = Box(0, 255, (3, 8, 8), np.uint8)


def test_shapes_of_features_values_and_actions():
    for trunk in (mlp_trunk(PIXELS, (20, 6)), conv_trunk(PIXELS, 6)):
        network = QNetwork(trunk, actions=4, heads=3)
        images = np.stack([PIXELS.sample() for _ in range(5)])
        assert network.width == 6 and network.features(torch.from_numpy(images)).shape == (5, 6)
        assert network(torch.from_numpy(images), head=2).shape == (5, 4)
        assert network.act(images).shape == (5,) and network.act(images).max() < 4


def test_a_head_is_a_linear_map_of_the_shared_features():
    network = QNetwork(mlp_trunk(PIXELS, (6,)), 2, heads=2)
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    for k, head in enumerate(network.heads):
        expected = network.features(images) @ head.weight.T + head.bias
        torch.testing.assert_close(network(images, k), expected)
        assert (network.act(images.numpy(), k) == expected.argmax(1).numpy()).all()


def test_observations_are_scaled_to_their_bounds():
    scale = mlp_trunk(Box(np.float32([-2, 0, -np.inf]), np.float32([2, 255, np.inf])))[0]
    torch.testing.assert_close(scale(torch.tensor([[1.0, 51.0, 7.0]])), torch.tensor([[0.75, 0.2, 7.0]]))
    assert mlp_trunk(PIXELS)[0](torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)).unique().tolist() == [1.0]


def test_what_is_saved_is_loaded_with_its_notes(tmp_path):
    network, file = QNetwork(mlp_trunk(PIXELS, (7, 5)), 4, heads=2), tmp_path / "folder" / "q.safetensors"
    save_q_network(network, file, seed=3, script="benchmarks/teachers.py")
    loaded, images = load_q_network(file), torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    assert loaded.notes == {"seed": 3, "script": "benchmarks/teachers.py"}
    assert all(torch.equal(network(images, k), loaded(images, k)) for k in range(2))


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"observations have shape \(1, 8, 8\); give \(B, 3, 8, 8\)"):
        QNetwork(mlp_trunk(PIXELS), 4)(torch.zeros(1, 8, 8))
    with pytest.raises(ValueError, match="hidden is"):
        mlp_trunk(PIXELS, ())
    with pytest.raises(ValueError, match="take mlp_trunk"):
        conv_trunk(Box(0, 1, (5,)))
    with pytest.raises(ValueError, match="no linear layer"):
        QNetwork(torch.nn.Flatten(), 4)
    with pytest.raises(ValueError, match="heads is 0"):
        QNetwork(mlp_trunk(PIXELS), 4, heads=0)
    with pytest.raises(ValueError, match="the trunk has Conv2d"):
        save_q_network(QNetwork(conv_trunk(PIXELS), 4), tmp_path / "q.safetensors")
    with pytest.raises(FileNotFoundError, match="save_q_network"):
        load_q_network(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of that kind")
    with pytest.raises(ValueError, match="damaged"):
        load_q_network(tmp_path / "bad.safetensors")
