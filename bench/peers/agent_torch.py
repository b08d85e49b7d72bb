# SPDX-License-Identifier: Apache-2.0
"""A DQN as single files of PyTorch have it: AtariPreprocessing and a stack of 4 frames, a replay of NumPy arrays, the
net of Nature (2015), Adam. Prints environment steps and updates a second: START steps, then so many updates."""
import json
import sys
import time

import ale_py
import gymnasium
import numpy as np
import torch
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from torch import nn


class Replay:
    """Observations once each; the next one is what follows."""

    def __init__(self, size, shape):
        self.seen = np.zeros((size, *shape), np.uint8)
        self.action, self.reward = np.zeros(size, np.int64), np.zeros(size, np.float32)
        self.done, self.count = np.zeros(size, np.float32), 0

    def add(self, seen, action, reward, done):
        i = self.count
        self.seen[i], self.action[i], self.reward[i], self.done[i] = seen, action, reward, done
        self.count += 1

    def sample(self, batch):
        i = np.random.randint(0, self.count - 1, batch)
        return (torch.from_numpy(self.seen[i]), torch.from_numpy(self.action[i]), torch.from_numpy(self.reward[i]),
                torch.from_numpy(self.seen[i + 1]), torch.from_numpy(self.done[i]))


def network(actions):
    return nn.Sequential(nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 1),
                         nn.ReLU(), nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, actions))


def main():
    start, updates = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    gymnasium.register_envs(ale_py)
    env = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0)
    env = FrameStackObservation(AtariPreprocessing(env, noop_max=0), 4)
    q, target = network(env.action_space.n), network(env.action_space.n)
    optimiser = torch.optim.Adam(q.parameters(), lr=1e-4)
    replay = Replay(start + updates + 2, (4, 84, 84))
    seen, _ = env.reset(seed=0)
    acts, learns = 0.0, 0.0
    for step in range(start + updates):
        action = env.action_space.sample()
        begun = time.perf_counter()
        after, reward, terminated, truncated, _ = env.step(action)
        acts += time.perf_counter() - begun
        replay.add(seen, action, reward, terminated)
        seen = env.reset()[0] if terminated or truncated else after
        if step < start:
            continue
        begun = time.perf_counter()
        now, done_what, gained, later, done = replay.sample(32)
        with torch.no_grad():
            best, _ = target(later.float() / 255.0).max(1)
            wanted = gained + 0.99 * best * (1 - done)
        loss = nn.functional.mse_loss(wanted, q(now.float() / 255.0).gather(1, done_what[:, None])[:, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        learns += time.perf_counter() - begun
    print(json.dumps({"environment": (start + updates) / acts, "update": updates / learns}))


main()
