# SPDX-License-Identifier: Apache-2.0
"""What src/env/worker.py uses of Gymnasium, for tests without it: environments that are good, and that are not."""
import os
import subprocess
import time
from types import SimpleNamespace

import numpy as np

__version__ = "0.0 of the tests"


class Error(Exception):
    pass


class Box:
    def __init__(self, shape, dtype, low=0, high=255):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.low, self.high = np.full(shape, low), np.full(shape, high)

    def __repr__(self):
        return f"Box{self.shape}"


class Discrete:
    def __init__(self, n, start=0):
        self.n, self.start = n, start

    def __repr__(self):
        return f"Discrete({self.n})"


spaces = SimpleNamespace(Box=Box, Discrete=Discrete)
error = SimpleNamespace(Error=Error)
total = 0  # what Forgets-v0 keeps outside of itself


class Walk:
    """A walk on the line from a seeded place; it ends beyond 5."""

    observation_space, action_space = Box((2,), np.float64), Discrete(2, start=1)
    steps = 20

    def __init__(self):
        self.at = 0

    @property
    def unwrapped(self):
        return self

    def seen(self):
        return np.array([self.at, self.at ** 2])

    def reset(self, seed=None):
        self.draw = np.random.default_rng(seed)
        self.at = int(self.draw.integers(-3, 4))
        return self.seen(), {}

    def close(self):
        pass

    def step(self, action):
        self.at += (2 * action - 3) * int(self.draw.integers(1, 3))
        return self.seen(), float(self.at), abs(self.at) > 5, False, {"lives": 2}


class Boxing(Walk):
    """Called as a game of Atari is, and none."""


class Endless(Walk):
    steps = None

    def step(self, action):
        return self.seen(), 0.0, False, False, {}


class Slow(Endless):
    """Says that it is at its 15th step, which is none of those that it is tried with."""

    made = 0

    def step(self, action):
        time.sleep(0.3)
        self.made += 1
        if self.made == 15:
            with open(os.environ["FAKE_PID"], "w") as file:
                file.write(str(os.getpid()))
        return super().step(action)


class Late(Walk):
    """Draws from what all share, from its tenth step on."""

    def reset(self, seed=None):
        self.t = 0
        return super().reset(seed)

    def step(self, action):
        self.t += 1
        return self.seen(), float(np.random.random()) if self.t > 9 else 0.0, False, False, {}


class Rich(Walk):
    """Whose returns are large, and differ by little."""

    def step(self, action):
        return self.seen(), 1e9 + int(self.draw.integers(0, 2)), True, False, {}


class Wrapper:
    """Ends an episode after ten steps, as it counts itself."""

    def __init__(self, env):
        self.env, self.unwrapped, self.t = env, env.unwrapped, 0
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def reset(self, seed=None):
        self.t = 0
        return self.env.reset(seed)

    def step(self, action):
        self.t += 1
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated or self.t == 10, info

    def close(self):
        self.env.close()


class Wrapped(Endless):
    """A wrapper is what makes it end; what a lambda has cannot be saved."""

    def wrap(self):
        return Wrapper(self)


class Unsaved(Wrapped):
    def wrap(self):
        wrapper = super().wrap()
        wrapper.rule = lambda t: t
        return wrapper


class Helper(Walk):
    """Starts a process of its own session, and one that is not, and ends the first when it is closed."""

    def __init__(self):
        super().__init__()
        self.helpers = [subprocess.Popen(["sleep", "100"], start_new_session=alone) for alone in (True, False)]
        with open(os.environ["FAKE_PID"], "w") as file:
            print(*(helper.pid for helper in self.helpers), file=file)

    def close(self):
        self.helpers[0].kill()


class Paint(Walk):
    observation_space = Box((6, 5, 3), np.uint8)

    def seen(self):
        return np.full((6, 5, 3), 100 + self.at, np.uint8)

    def get_action_meanings(self):
        return ["WEST", "EAST"]


class Numbers(Paint):
    """The same picture, as numbers from 50 to 150."""

    observation_space = Box((6, 5, 3), np.float64, 50, 150)

    def seen(self):
        return super().seen().astype(np.float64)


class Bits(Numbers):
    """One of its bits, as bytes of 0 and 1."""

    observation_space = Box((6, 5, 3), np.uint8, 0, 1)

    def seen(self):
        return super().seen().astype(np.uint8) & 1


class Shares(Bits):
    """The same, as numbers from 0 to 1."""

    observation_space = Box((6, 5, 3), np.float32, 0, 1)

    def seen(self):
        return super().seen().astype(np.float32)


class Levels(Paint):
    observation_space = Box((6, 5, 3), np.uint8, 0, 200)


class Wide(Numbers):
    observation_space = Box((6, 5, 3), np.float64, -np.inf, np.inf)


class Vast(Numbers):
    observation_space = Box((6, 5, 3), np.float32, -3.4028235e38, 3.4028235e38)


class Thin(Paint):
    observation_space = Box((4, 12, 12), np.uint8)

    def seen(self):
        return np.full((4, 12, 12), self.at, np.uint8)


class Whole(Paint):
    observation_space = Box((6, 5, 3), np.int64)

    def seen(self):
        return super().seen().astype(np.int64)


class Planes(Paint):
    observation_space = Box((3, 20, 17), np.uint8)

    def seen(self):
        return np.stack([np.full((20, 17), 10 * c + self.at + 100, np.uint8) for c in range(3)])


class Shared(Walk):
    """Draws from what all share."""

    def step(self, action):
        return self.seen(), float(np.random.random()), False, False, {}


class Grows(Paint):
    def step(self, action):
        return np.zeros((7, 5, 3), np.uint8), 0.0, False, False, {}


class Changes(Paint):
    def step(self, action):
        return np.zeros((6, 5, 3)), 0.0, False, False, {}


class Nan(Walk):
    def step(self, action):
        return self.seen(), float("nan"), False, False, {}


class Continuous(Walk):
    action_space = Box((1,), np.float32)


class Deep(Walk):
    observation_space = Discrete(7)


class Raises(Walk):
    def step(self, action):
        raise ValueError("the board\nis on fire")


class Exits(Walk):
    def step(self, action):
        os.write(2, b"Fatal: out of coins\n")
        os._exit(4)


class Forgets(Walk):
    def seen(self):
        global total
        total += 1
        return np.array([self.at, total])


class Lives(Walk):
    """Loses a life with every third step; the return tells which actions were taken."""

    action_space = Discrete(50)

    def reset(self, seed=None):
        self.at = 0
        return self.seen(), {}

    def step(self, action):
        self.at += 1
        return self.seen() / 400, float(action * self.at), False, False, {"lives": 7 - self.at // 3}


class Hangs(Walk):
    def reset(self, seed=None):
        with open(os.environ["FAKE_PID"], "w") as file:
            file.write(str(os.getpid()))
        print("this goes nowhere", flush=True)
        time.sleep(1000)


def kinds(kind):
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds(narrower)


def find(name):
    for kind in kinds(Walk):
        if name == kind.__name__ + "-v0":
            return kind
    raise Error(f"Environment `{name}` doesn't exist.")


def spec(name):
    return SimpleNamespace(entry_point="tests", max_episode_steps=find(name).steps)


def make(name, max_episode_steps=None, disable_env_checker=False):
    assert max_episode_steps == -1
    env = find(name)()
    return env.wrap() if hasattr(env, "wrap") else env
