#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gym:ALE/.. against AtariPreprocessing and FrameStackObservation of Gymnasium: observations, rewards and ends of random
steps, bit for bit, over the ends of episodes too; and a saved state that another process restores."""
import argparse
import ctypes
import os
import sys

try:
    import ale_py
    import cv2  # noqa: F401, which AtariPreprocessing needs
    import gymnasium
    import numpy as np
except ImportError as error:
    print(f"skipped: {error} (pip install ale-py gymnasium opencv-python-headless)")
    sys.exit(77)


class Info(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("version", ctypes.c_char_p), ("settings", ctypes.c_char_p), ("dtype", ctypes.c_int),
                ("rank", ctypes.c_int), ("shape", ctypes.c_int64 * 3), ("stack", ctypes.c_int), ("frame_size", ctypes.c_int64),
                ("size", ctypes.c_int64), ("actions", ctypes.c_int), ("names", ctypes.c_void_p), ("lives", ctypes.c_int)]


class Step(ctypes.Structure):
    _fields_ = [("reward", ctypes.c_double), ("terminated", ctypes.c_bool), ("truncated", ctypes.c_bool),
                ("lives", ctypes.c_int), ("frames", ctypes.c_int), ("observation", ctypes.c_void_p),
                ("frame", ctypes.c_void_p)]


class Bytes(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1024)]


class Env:
    """One environment of libinvar."""

    def __init__(self, library, name, settings):
        self.invar, self.error, self.last = library, Error(), Step()
        text = settings.encode()
        library.invar_node_parse.restype = library.invar_env_create.restype = ctypes.c_void_p
        library.invar_env_info.restype = ctypes.POINTER(Info)
        node = library.invar_node_parse(text, ctypes.c_size_t(len(text)), b"settings", ctypes.byref(self.error))
        self.env = ctypes.c_void_p(library.invar_env_create(name.encode(), ctypes.c_void_p(node), ctypes.byref(self.error)))
        library.invar_node_free(ctypes.c_void_p(node))
        self.check(self.env.value)
        self.info = library.invar_env_info(self.env).contents

    def check(self, done):
        if not done:
            raise RuntimeError(self.error.message.decode())

    def seen(self):
        data = ctypes.string_at(self.last.observation, self.info.size)
        return np.frombuffer(data, np.uint8).reshape(list(self.info.shape))

    def reset(self, seed, episode):
        self.check(self.invar.invar_env_reset(self.env, ctypes.c_uint64(seed), 0, ctypes.c_uint64(episode),
                                                ctypes.byref(self.last), ctypes.byref(self.error)))
        return self.seen()

    def step(self, action):
        self.check(self.invar.invar_env_step(self.env, action, ctypes.byref(self.last), ctypes.byref(self.error)))
        return self.seen()

    def save(self):
        out = Bytes()
        self.check(self.invar.invar_env_save(self.env, ctypes.byref(out), ctypes.byref(self.error)))
        data = ctypes.string_at(out.data, out.size)
        self.invar.invar_bytes_free(ctypes.byref(out))
        return data

    def restore(self, data):
        self.check(self.invar.invar_env_restore(self.env, data, ctypes.c_size_t(len(data)), ctypes.byref(self.last),
                                                  ctypes.byref(self.error)))
        return self.seen()

    def close(self):
        self.invar.invar_env_free(self.env)


def seed_of(library, seed, episode):
    """What the environment hands to reset(seed=): the first draw of the episode's stream."""
    class Random(ctypes.Structure):
        _fields_ = [("words", ctypes.c_uint32 * 11)]
    library.invar_random_stream.restype = Random
    library.invar_random_bits.restype = ctypes.c_uint32
    random = library.invar_random_stream(ctypes.c_uint64(seed), 9, ctypes.c_uint64(0), ctypes.c_uint64(episode), 0)
    return library.invar_random_bits(ctypes.byref(random)) >> 1


def compare(library, game, steps):
    ours = Env(library, f"gym:ALE/{game}-v5", "{}")
    theirs = gymnasium.make(f"ALE/{game}-v5", frameskip=1, repeat_action_probability=0.0)
    theirs = gymnasium.wrappers.AtariPreprocessing(theirs, noop_max=0, frame_skip=4, screen_size=84)
    theirs = gymnasium.wrappers.FrameStackObservation(theirs, 4)
    draw = np.random.default_rng(7)
    wrong = differ = episode = 0
    done = True
    for _ in range(steps):
        if done:
            mine, (other, _) = ours.reset(3, episode), theirs.reset(seed=seed_of(library, 3, episode))
            episode, done = episode + 1, False
        else:
            action = int(draw.integers(ours.info.actions))
            mine, (other, reward, terminated, truncated, info) = ours.step(action), theirs.step(action)
            wrong += (ours.last.reward != reward) + (ours.last.terminated != terminated) + (ours.last.lives != info["lives"])
            done = terminated or truncated
        differ += int((mine != other).sum())
    ours.close()
    print(f"{game:14} {steps} steps, {episode} episodes: {differ} pixels and {wrong} rewards, ends or lives differ")
    return differ + wrong


def resume(library, game, steps):
    """A state that was saved in one process goes on in another with the same bits, sticky actions included."""
    one, other = (Env(library, f"gym:ALE/{game}-v5", "{sticky: 0.25}") for _ in range(2))
    draw = np.random.default_rng(5)
    actions = [int(draw.integers(one.info.actions)) for _ in range(2 * steps)]
    one.reset(1, 0)
    for action in actions[:steps]:
        one.step(action)
    now, restored = one.seen(), other.restore(one.save())
    differ = int((now != restored).sum())
    for action in actions[steps:]:
        if one.last.terminated:
            break
        differ += int((one.step(action) != other.step(action)).sum()) + (one.last.reward != other.last.reward)
    one.close()
    other.close()
    print(f"{game:14} saved after {steps} steps and restored elsewhere: {differ} differ")
    return differ


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", dest="shared_object", required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("games", nargs="*", default=["Pong", "Breakout", "MsPacman", "SpaceInvaders", "Assault"])
    given = parser.parse_args()
    os.environ["INVAR_PYTHON"] = sys.executable
    library = ctypes.CDLL(given.shared_object)
    wrong = sum(compare(library, game, given.steps) for game in given.games)
    wrong += sum(resume(library, game, steps) for game in given.games for steps in (50, 100))
    sys.exit(1 if wrong else 0)


main()
