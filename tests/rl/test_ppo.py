"""PPO: its parts against sums and cases worked out by hand, and that it learns, the same from the same seed."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tlcourse.rl.policies import ActorCritic
from tlcourse.rl.ppo import _gather, clipped_loss, gae, train_ppo


class Target(VectorEnv):
    """The reward is high where the action is half the observation; every third step cuts the episode off."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n=16, action=None, observation=None, terminates=False):
        self.num_envs, self.terminates = n, terminates
        self.single_observation_space = observation or Box(-np.inf, np.inf, (1,), np.float64)
        self.single_action_space = action or Box(-2, 2, (1,))
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.seen = 0, self.np_random.normal(3, 2, (self.num_envs, 1))
        return self.seen, {}

    def step(self, actions):
        rewards = 1 - np.abs(actions - self.seen.clip(-4, 4) / 2)[:, 0]
        self.t, self.seen = self.t + 1, self.np_random.normal(3, 2, (self.num_envs, 1))
        ends = np.full(self.num_envs, self.t % 3 == 0)
        infos = {"final_obs": self.seen.copy(), "_final_obs": ends} if ends.any() else {}
        never = np.zeros_like(ends)
        return self.seen, rewards, *((ends, never) if self.terminates else (never, ends)), infos


def brute_force_advantages(rewards, values, next_values, terminated, ended, gamma, lam):
    """The definition: (1 - lambda) times the sum of lambda^(k-1) times the k-step advantages, the longest one taking
    all the weight that is left.
    """
    advantages = torch.zeros_like(rewards)
    for i in range(rewards.shape[1]):
        for t in range(len(rewards)):
            k_step, discounted = [], 0.0
            for s in range(t, len(rewards)):
                discounted += gamma ** (s - t) * rewards[s, i]
                after = 0 if terminated[s, i] else next_values[s, i]
                k_step.append(discounted + gamma ** (s - t + 1) * after - values[t, i])
                if ended[s, i]:
                    break
            weights = [(1 - lam) * lam**k for k in range(len(k_step) - 1)] + [lam ** (len(k_step) - 1)]
            advantages[t, i] = sum(w * a for w, a in zip(weights, k_step, strict=True))
    return advantages


@pytest.mark.parametrize("lam", [0.0, 0.7, 1.0])
def test_gae_is_the_weighted_sum_of_the_k_step_advantages(lam):
    generator = torch.Generator().manual_seed(0)
    rewards, values, after_the_end = torch.randn(3, 12, 4, generator=generator, dtype=torch.float64)
    terminated = torch.rand(12, 4, generator=generator) < 0.15
    ended = terminated | (torch.rand(12, 4, generator=generator) < 0.15)
    assert terminated.any() and (ended & ~terminated).any()
    # Within an episode, the state that a step leads to is the next one; after the last row, the batch ends.
    next_values = torch.where(ended, after_the_end, torch.cat([values[1:], after_the_end[-1:]]))
    arguments = rewards, values, next_values, terminated, ended, 0.9, lam
    torch.testing.assert_close(gae(*arguments), brute_force_advantages(*arguments))


def test_a_time_limit_is_worth_the_value_of_what_would_have_come_and_a_fall_is_not():
    one = torch.ones(1, 1)
    for terminated, expected in ((True, 1 - 5), (False, 1 + 0.9 * 10 - 5)):
        flag = torch.tensor([[terminated]])
        assert gae(one, 5 * one, 10 * one, flag, torch.tensor([[True]]), 0.9, 0.95).item() == pytest.approx(expected)


class Clocks(VectorEnv):
    """Instance i shows 10 i + the steps of its episode, which ends after 2 + i of them: by the time limit, or with a
    fall where i is 1. The reward is 1.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
    num_envs = 3

    def reset(self, *, seed=None, options=None):
        self.age = np.zeros(3)
        return self.show(), {}

    def show(self):
        return (10 * np.arange(3) + self.age)[:, None]

    def step(self, actions):
        self.age += 1
        ended, falls = self.age == 2 + np.arange(3), np.arange(3) == 1
        infos = {"final_obs": self.show(), "_final_obs": ended} if ended.any() else {}
        self.age[ended] = 0
        return self.show(), np.ones(3), ended & falls, ended & ~falls, infos


def test_what_a_time_limit_cuts_off_is_worth_the_value_of_its_last_observation():
    """With V(s) = s and lambda = 0 the targets are r + gamma V(s'), s' from before any reset, and r after a fall."""
    policy, env = ActorCritic(1, -torch.ones(1), torch.ones(1)), Clocks()
    policy.normalize = lambda observations: torch.as_tensor(observations, dtype=torch.float32)
    policy.value = lambda x: x[..., 0]
    running = np.zeros(3)
    _, returns, _, batch = _gather(env, policy, env.reset()[0], running, 5, gamma=0.5, lam=0.0)
    values = np.array([[1, 11, 21], [2, 12, 22], [1, 0, 23], [2, 11, 24], [1, 12, 21]])  # V(s'), 0 after the fall
    np.testing.assert_allclose(batch[-1].reshape(5, 3), 1 + 0.5 * values, rtol=1e-6)
    assert returns == [2, 3, 2, 4] and running.tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.0, 2.0, -2.0, -2.0),  # where it was gathered: the plain policy gradient
        (1.1, 2.0, -2.2, -2.2),
        (1.5, 2.0, -2.4, 0.0),  # far enough: no more gradient
        (0.5, 2.0, -1.0, -1.0),  # a good action that has become rarer may come back
        (0.5, -2.0, 1.6, 0.0),
        (1.5, -2.0, 3.0, 3.0),
    ],
)
def test_the_loss_is_clipped_where_the_paper_clips_it(ratio, advantage, loss, slope):
    log_prob = torch.tensor([float(np.log(ratio))], requires_grad=True)
    value = clipped_loss(log_prob, torch.zeros(1), torch.tensor([advantage]), clip=0.2)
    value.backward()
    assert value.item() == pytest.approx(loss, rel=1e-5) and log_prob.grad.item() == pytest.approx(slope, rel=1e-5)


def test_it_learns_and_tells_how():
    told = []
    policy, curve = train_ppo(
        Target(), steps=24_000, rollout=30, on_iteration=lambda p, c: told.append(len(c.steps)), progress=False
    )
    assert told == list(range(1, 51)) and curve.steps[-1] == 24_000
    assert curve.returns[0] < 0.6 < 2.2 < curve.returns[-1]  # 3 is the most
    seen = np.array([[-2.0], [1.0], [3.0], [6.0]])
    np.testing.assert_allclose(policy.act(seen), [[-1.0], [0.5], [1.5], [2.0]], atol=0.45)


def test_the_value_function_knows_time_limits_from_ends():
    """With about 1 a step, V is near 1 / (1 - gamma) = 5 where a limit cuts, near 2 where every third step ends it."""
    values = {}
    for terminates in (False, True):
        policy, _ = train_ppo(Target(terminates=terminates), steps=9600, rollout=30, gamma=0.8, lr=1e-2, progress=False)
        with torch.no_grad():
            values[terminates] = policy.value(policy.normalize(np.array([[3.0]]))).item()
    assert 3.5 < values[False] < 5.2 and 0.8 < values[True] < 2.6


def test_the_same_seed_gives_the_same_numbers_and_leaves_torch_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(1)
    runs = []
    for seed, threads in ((0, 1), (0, 2), (1, 1)):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        torch.manual_seed(5)
        policy, curve = train_ppo(Target(), steps=1500, seed=seed, progress=False)
        assert torch.get_num_threads() == threads and torch.rand(1) == expected
        torch.set_num_threads(before)
        runs.append((torch.cat([p.flatten() for p in policy.state_dict().values()]), curve.returns))
    (first, returns), (again, same), (other, _) = runs
    assert torch.equal(first, again) and returns == same and not torch.equal(first, other)


def test_it_trains_gymnasium_s_environments():
    env = gymnasium.make_vec("Pendulum-v1", 3, vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP})
    _, curve = train_ppo(env, steps=1200, rollout=100, progress=False)
    assert np.isnan(curve.returns[0]) and curve.returns[1] == curve.returns[2] < -100 != curve.returns[3]


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (lambda: Target(action=Discrete(3)), r"the actions are Discrete\(3\); .* a Box with one axis"),
        (lambda: Target(observation=Dict(a=Discrete(2))), "the observations are Dict"),
        (lambda: Target(observation=Box(0, 1, (8, 8))), "a Box with one axis"),
        (lambda: Target(action=Box(-np.inf, np.inf, (1,))), "unbounded; give an environment that bounds them"),
        (lambda: gymnasium.make_vec("Pendulum-v1", 2), "make it with autoreset_mode SAME_STEP"),
        (lambda: gymnasium.make("Pendulum-v1"), "no vector environment; make it with gymnasium.make_vec"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(env, words):
    with pytest.raises(ValueError, match=words):
        train_ppo(env(), steps=100)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"steps": 0}, "steps is 0; give 1 or more"),
        ({"rollout": 0}, "rollout is 0"),
        ({"minibatches": 0}, "minibatches is 0"),
        ({"hidden": 0}, "hidden is 0"),
        ({"lr": 0.0}, "lr is 0.0; .* above 0"),
        ({"clip": -0.1}, "clip is -0.1"),
        ({"gamma": 1.1}, "gamma is 1.1; give a number from 0 to 1"),
        ({"lam": np.nan}, "lam is nan"),
        (
            {"minibatches": 9, "rollout": 1},
            "minibatches is 9, and 16 instances make 16 steps in a rollout of 1; give fewer",
        ),
    ],
)
def test_unusable_settings_are_refused(setting, words):
    with pytest.raises(ValueError, match=words):
        train_ppo(Target(), **({"steps": 100} | setting))


def test_a_loss_that_is_not_finite_is_an_error():
    env = Target()
    env.step = lambda actions: (env.seen, np.full(16, np.inf), np.zeros(16, bool), np.zeros(16, bool), {})
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        train_ppo(env, steps=1000, progress=False)
