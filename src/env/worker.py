# SPDX-License-Identifier: Apache-2.0
"""One environment of Gymnasium for the process that started this program (src/env/gym.c has the other side): socket 3
brings commands and takes answers, with bytes behind them where they say so; memory 4 holds two frames and a picture.
The program ends when the other side of the socket does, whatever it is at, and with it what it started."""
import contextlib
import io
import json
import mmap
import os
import pickle
import random
import select
import signal
import socket
import struct
import sys
import threading
import time

PROTOCOL = 1
GRACE = 3.0  # seconds for an environment to close
COMMAND = struct.Struct("<IiQ")  # what, argument, value
ANSWER = struct.Struct("<IIiidQ")  # failed, flags, lives, frames, reward, bytes behind it
HELLO, MAP, RESET, STEP, SAVE, RESTORE, PICTURE = range(1, 8)


class Refused(Exception):
    """What is wrong, as a sentence for people."""


def missing(module, packages="ale-py==0.12.1 gymnasium==1.4.0"):
    python = sys.executable if sys.prefix != sys.base_prefix else "$HOME/invar-gym/bin/python3"
    first, then = ("", "") if python == sys.executable else (
        "python3 -m venv $HOME/invar-gym && ", f", and name {python} by INVAR_PYTHON or env.python")
    return Refused(f"{sys.executable} has no module {module}: type {first}{python} -m pip install {packages}{then}")


try:
    import gymnasium
    import numpy as np
except ImportError as error:
    gymnasium, absent = None, error.name
try:
    import ale_py
    gymnasium.register_envs(ale_py)
except (ImportError, AttributeError):
    ale_py = None


class Guarded(pickle.Unpickler):
    """Reads a saved state, which may have been tampered with: only what states are made of is made."""

    roots = ("numpy.core.multiarray.", "numpy._core.multiarray.", "numpy._core.numeric.", "numpy.random.",
             "numpy.ndarray", "numpy.dtype", "collections.deque", "gymnasium.spaces.",
             "gymnasium.envs.registration.EnvSpec", "gymnasium.envs.registration.WrapperSpec", "ale_py.")

    def __init__(self, data, layers):
        super().__init__(io.BytesIO(data))
        self.layers, self.roots = layers, (*self.roots, *(f"{type(layer).__module__}." for layer in layers))

    def persistent_load(self, number):
        return self.layers[number]

    def find_class(self, module, name):
        if "." not in name and f"{module}.{name}".startswith(self.roots):
            return super().find_class(module, name)
        raise Refused(f"the saved state has a {module}.{name}, which is no part of a state")


class Saver(pickle.Pickler):
    """Writes a state; the environment and its wrappers, which are there already where it is read, by their number."""

    def __init__(self, file, layers):
        super().__init__(file)
        self.number = {id(layer): i for i, layer in enumerate(layers)}

    def persistent_id(self, what):
        return self.number.get(id(what))


class Game:
    """Any environment with observations of a Box and numbered actions."""

    def __init__(self, env, request):
        space, actions = env.observation_space, env.action_space
        if not isinstance(actions, gymnasium.spaces.Discrete):
            raise Refused(f"has actions {actions}, expected Discrete: only numbered actions can be played")
        if not isinstance(space, gymnasium.spaces.Box) or not 1 <= len(space.shape) <= 3:
            raise Refused(f"has observations {space}, expected a Box: numbers, or images [height, width(, channels)]")
        self.env, self.skip, self.limit = env, request["skip"] or 1, request["limit"]
        self.layers = [env]  # the wrappers, the outermost first, and the environment itself
        while self.layers[-1] is not env.unwrapped:
            self.layers.append(self.layers[-1].env)
        self.first, self.count, self.last, self.elapsed = int(actions.start), int(actions.n), 0, 0
        self.given, self.scale, self.note = tuple(int(side) for side in space.shape), None, ""
        self.dtype, shape = np.dtype("float32"), self.given
        if len(shape) > 1:
            self.see(space)
        if len(shape) == 3 and shape[0] <= 16 and shape[0] < min(shape[1:]):
            shape, self.note = shape[1:] + shape[:1], f"channels first, {self.note}" if self.note else "channels first"
        self.keep(shape)

    def see(self, space):
        """Images of whole numbers from 0 to 255 are bytes, others are brought to 0..1 by the bounds of their space. Where
        those are so far apart that a float32 does not hold steps of 1 between them, they stand for no bounds."""
        low, high = (float(bound) for bound in (np.min(space.low), np.max(space.high)))
        bounded = 0 < high - low <= 2**24
        if np.issubdtype(space.dtype, np.integer) and (low, high) == (0, 255):
            self.dtype = np.dtype("uint8")
        elif not bounded:
            self.note = f"handed on as they are, as their space is from {low:g} to {high:g}"
        elif (low, high) != (0, 1):
            self.note = f"brought from {low:g} .. {high:g} to 0 .. 1"
        self.scale = (low, 1 / (high - low)) if bounded else None

    def keep(self, shape):
        self.shape = tuple(int(side) for side in shape)
        self.frames = np.zeros((2, *self.shape), self.dtype)

    def share(self, size):
        memory, count = mmap.mmap(4, size), self.frames.size
        self.frames = np.frombuffer(memory, self.dtype, count).reshape(2, *self.shape)
        self.shown = np.frombuffer(memory, np.uint8, offset=self.frames.nbytes)

    def describe(self):
        base = self.env.unwrapped
        names = getattr(base, "get_action_meanings", lambda: range(self.count))()
        module = sys.modules[type(base).__module__.split(".")[0]]
        own = "" if module is gymnasium else f", {module.__name__} {getattr(module, '__version__', '')}"
        seen = self.scale and (len(self.shape) == 2 or self.shape[2] in (1, 3))
        return {"version": f"gymnasium {gymnasium.__version__}{own}", "names": [str(name) for name in names],
                "lives": 0, "saves": self.goes_on(), "limit": self.limit, "pool": False, "atari": False, "note": self.note,
                "picture": self.shape[:2] if seen else (0, 0)}

    def goes_on(self):
        """Whether a saved state goes on as what was saved did: tried, as some keep a part of their state elsewhere."""
        def some():
            return [(self.step(i % self.count, 0), self.frames[0].tobytes()) for i in range(5)]
        try:
            self.reset(0, 0)
            saved, first = self.save(), some()
            self.restore(saved)
            return some() == first
        except Exception:
            return False

    def put(self, observation):
        observation = np.asarray(observation)
        if observation.shape != self.given:
            raise Refused(f"gave an observation of shape {observation.shape}, and its space says {self.given}")
        if self.dtype == np.uint8 and observation.dtype != np.uint8 and (
                not np.issubdtype(observation.dtype, np.integer) or observation.min() < 0 or observation.max() > 255):
            raise Refused(f"gave an observation of {observation.dtype} that is none of its space")
        np.copyto(self.frames[0], observation if self.given == self.shape else np.moveaxis(observation, 0, -1),
                  casting="unsafe")
        if self.scale and self.dtype == np.float32:
            self.frames[0] -= self.scale[0]
            self.frames[0] *= self.scale[1]

    def reset(self, seed, noops):
        random.seed(seed)  # of those who draw from what all share
        np.random.seed(seed)
        observation, info = self.env.reset(seed=seed)
        self.last = self.elapsed = 0
        self.put(observation)
        return int(info.get("lives", 0))

    def step(self, action, repeats):
        """So many frames of an action, or of the one before where the bit of a frame says so."""
        total = 0.0
        for t in range(self.skip):
            self.last = self.last if repeats >> t & 1 else action
            reward, terminated, truncated, lives = self.act(self.last, t)
            total += float(reward)
            if terminated or truncated:
                break
        return total, bool(terminated), bool(truncated), lives, t + 1

    def act(self, action, frame):
        observation, reward, terminated, truncated, info = self.env.step(self.first + action)
        self.elapsed += 1
        self.put(observation)
        return reward, terminated, truncated or self.elapsed == self.limit, int(info.get("lives", 0))

    def save(self):
        data = io.BytesIO()
        Saver(data, self.layers).dump((self.last, self.elapsed, random.getstate(), np.random.get_state(),
                                       [layer.__dict__ for layer in self.layers]))
        return data.getvalue()

    def restore(self, data):
        self.last, self.elapsed, shared, numpys, states = Guarded(data, self.layers).load()
        random.setstate(shared)
        np.random.set_state(numpys)
        for layer, state in zip(self.layers, states, strict=True):
            layer.__dict__.clear()
            layer.__dict__.update(state)

    def picture(self, height):
        frame = self.frames[0] if len(self.shape) == 3 else self.frames[0][:, :, None]
        np.copyto(self.shown.reshape(height, -1, 3), frame if self.dtype == np.uint8 else np.clip(frame, 0, 1) * 255,
                  casting="unsafe")


class Atari(Game):
    """A game of the Arcade Learning Environment, asked only for what is looked at: the last two screens of a step."""

    def __init__(self, env, request):
        super().__init__(env, request)
        self.ale, self.actions = env.unwrapped.ale, env.unwrapped._action_set
        self.skip = request["skip"] or 4
        gray = request["gray"] != "no"
        self.screen = self.ale.getScreenGrayscale if gray else self.ale.getScreenRGB
        self.keep(self.shape[:2] if gray else self.shape)

    def describe(self):
        self.reset(0, 0)
        return {"version": f"ale-py {ale_py.__version__}, gymnasium {gymnasium.__version__}",
                "names": self.env.unwrapped.get_action_meanings(), "lives": self.ale.lives(), "saves": True, "note": "",
                "limit": self.limit, "picture": self.ale.getScreenDims(), "pool": self.skip > 1, "atari": True}

    def reset(self, seed, noops):
        self.env.unwrapped.reset(seed=seed)
        for _ in range(noops):
            self.ale.act(self.actions[0])
            if self.ale.game_over():
                self.env.unwrapped.reset(seed=seed)
        self.last = 0
        self.screen(self.frames[0])
        self.frames[1].fill(0)
        return self.ale.lives()

    def act(self, action, frame):
        reward = self.ale.act(self.actions[action])
        terminated, truncated = self.ale.game_over(with_truncation=False), self.ale.game_truncated()
        if frame >= self.skip - 2 and not (terminated or truncated):
            self.screen(self.frames[self.skip - 1 - frame])
        return reward, terminated, truncated, self.ale.lives()

    def save(self):
        return pickle.dumps((self.last, self.ale.cloneState(include_rng=True)))

    def restore(self, data):
        self.last, state = Guarded(data, ()).load()
        self.ale.restoreState(state)

    def picture(self, height):
        self.ale.getScreenRGB(self.shown.reshape(height, -1, 3))


def greet(request):
    if gymnasium is None or (ale_py is None and request["id"].startswith("ALE/")):
        raise missing("ale_py" if gymnasium else absent)
    try:
        module, _, name = request["id"].rpartition(":")
        __import__(module or "gymnasium")
        spec = gymnasium.spec(name)
        atari, options = str(spec.entry_point).startswith("ale_py"), {}
        request["limit"] = request["limit"] or (108000 if atari else spec.max_episode_steps or 0)
        if atari:
            options = {"frameskip": 1, "repeat_action_probability": 0.0, "full_action_space": request["full_actions"],
                       "max_num_frames_per_episode": request["limit"]}
        env = gymnasium.make(name, max_episode_steps=-1, disable_env_checker=True, **options)
    except (gymnasium.error.Error, ModuleNotFoundError) as problem:
        raise Refused(f"gymnasium {gymnasium.__version__} says: {problem}") from problem
    game = (Atari if atari else Game)(env, request)
    about = dict(game.describe(), protocol=PROTOCOL, shape=game.shape, dtype=str(game.dtype), skip=game.skip)
    return game, json.dumps(about).encode()


def end():
    """Of this process and of all that it started: they are its group."""
    os.killpg(os.getpid(), signal.SIGKILL)


def watch(link):
    """Ends this process with the other, even from within an environment that hangs."""
    poll = select.poll()
    poll.register(link, select.POLLRDHUP)
    poll.poll()
    time.sleep(GRACE)
    end()


def main():
    link = socket.socket(fileno=3)
    stream, game = link.makefile("rb"), None
    threading.Thread(target=watch, args=(3,), daemon=True).start()
    with contextlib.suppress(OSError):  # of a link that is gone
        while len(command := stream.read(COMMAND.size)) == COMMAND.size:
            what, argument, value = COMMAND.unpack(command)
            data = stream.read(value) if what in (HELLO, RESTORE) else b""
            reward, terminated, truncated, lives, frames, behind = 0.0, False, False, 0, 0, b""
            try:
                if what == HELLO:
                    game, behind = greet(json.loads(data))
                elif what == MAP:
                    game.share(value)
                elif what == RESET:
                    lives = game.reset(value, argument)
                elif what == STEP:
                    reward, terminated, truncated, lives, frames = game.step(argument, value)
                elif what == SAVE:
                    behind = game.save()
                elif what == RESTORE:
                    game.restore(data)
                elif what == PICTURE:
                    game.picture(argument)
                answer = ANSWER.pack(0, terminated | truncated << 1, lives, frames, reward, len(behind))
            except Exception as problem:
                text = str(problem) if isinstance(problem, Refused) else f"failed: {type(problem).__name__}: {problem}"
                behind = " ".join(text.split()).encode()[:900]
                answer = ANSWER.pack(1, 0, 0, 0, 0.0, len(behind))
            link.sendall(answer + behind)
    try:
        if game:
            game.env.close()
    finally:
        end()


main()
