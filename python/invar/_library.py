# SPDX-License-Identifier: Apache-2.0
"""libinvar by ctypes: its structs, its errors as exceptions, arrays without copies where they lie as it reads them."""

import contextlib
import ctypes
import itertools
import os
import pathlib
import signal

try:
    import numpy as np
except ImportError as error:
    raise ImportError(f"invar needs NumPy ({error}): install it (pip install numpy), or where it is there already use one "
                      "interpreter in a process, as NumPy asks for") from None

from ._progress import Bar
from ._version import __version__


class Error(Exception):
    """What libinvar refused or failed at, in its own sentence."""


class UsageError(Error, ValueError):
    """An argument, option or value that is not allowed."""


class DataError(Error, ValueError):
    """Data that do not fit, or are not finite."""


class FileError(Error, OSError):
    """A file that cannot be read or written, or is not what it should be."""


_KINDS = {1: UsageError, 2: FileError, 3: FileError, 4: DataError, 7: DataError}


class InvarError(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1024)]


class Array(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("rank", ctypes.c_int), ("shape", ctypes.c_int64 * 6),
                ("data", ctypes.c_void_p)]


class Progress(ctypes.Structure):
    _fields_ = [("what", ctypes.c_char_p), ("unit", ctypes.c_char_p), ("done", ctypes.c_int64),
                ("total", ctypes.c_int64), ("note", ctypes.c_char_p)]


TOLD = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(Progress))


class Watch(ctypes.Structure):
    _fields_ = [("told", TOLD), ("user", ctypes.c_void_p)]


Texts = ctypes.POINTER(ctypes.c_char_p)


class PretrainRequest(ctypes.Structure):
    _fields_ = [("recipe", ctypes.c_char_p), ("settings", Texts), ("setting_count", ctypes.c_int),
                ("folder", ctypes.c_char_p), ("resume", ctypes.c_bool), ("accept_data", ctypes.c_bool),
                ("threads", ctypes.c_int64), ("watch", ctypes.POINTER(Watch))]


class Run(ctypes.Structure):
    _fields_ = [("folder", ctypes.c_char_p), ("encoder", ctypes.c_void_p), ("device", ctypes.c_void_p),
                ("dataset", ctypes.c_void_p), ("test", ctypes.c_void_p), ("trained_in", ctypes.c_int),
                ("windows", ctypes.c_bool), ("bfloat16", ctypes.c_bool), ("watch", ctypes.POINTER(Watch)),
                ("share", ctypes.c_void_p)]


class PlainView(ctypes.Structure):
    _fields_ = [("resize", ctypes.c_int64), ("interpolation", ctypes.c_int)]


class RunOptions(ctypes.Structure):
    _fields_ = [("source", ctypes.c_char_p), ("undivided", ctypes.c_bool), ("settings", Texts),
                ("setting_count", ctypes.c_int), ("threads", ctypes.c_int64), ("plain", PlainView),
                ("watch", ctypes.POINTER(Watch)), ("ranks", ctypes.c_void_p)]


class Embedded(ctypes.Structure):
    _fields_ = [("features", Array), ("labels", Array), ("index", Array), ("pooled", ctypes.c_int64)]


class ProbeRequest(ctypes.Structure):
    _fields_ = [("method", ctypes.c_char_p), ("preset", ctypes.c_char_p), ("label", ctypes.c_char_p),
                ("hold_out", ctypes.c_char_p), ("test", ctypes.c_char_p), ("test_labels", ctypes.c_char_p),
                ("drop_unknown", ctypes.c_bool),
                ("compete", ctypes.c_char_p), ("class_map", ctypes.c_char_p), ("groups", ctypes.c_char_p),
                ("baselines", Texts), ("baseline_count", ctypes.c_int), ("labels", Texts), ("label_count", ctypes.c_int),
                ("draws", ctypes.c_int64), ("settings", Texts), ("setting_count", ctypes.c_int)]


class TermPart(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_double)]


class TermValue(ctypes.Structure):
    _fields_ = [("loss", ctypes.c_double), ("count", ctypes.c_int), ("part", TermPart * 16)]


class LossRequest(ctypes.Structure):
    _fields_ = [("term", ctypes.c_char_p), ("inputs", Texts), ("input_count", ctypes.c_int), ("settings", Texts),
                ("setting_count", ctypes.c_int), ("float64", ctypes.c_bool), ("gradients", ctypes.c_bool),
                ("threads", ctypes.c_int64)]


class LossGradient(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 32), ("array", Array)]


class LossResult(ctypes.Structure):
    _fields_ = [("value", TermValue), ("count", ctypes.c_int), ("gradient", LossGradient * 64)]


class ReportOptions(ctypes.Structure):
    _fields_ = [("source", ctypes.c_char_p), ("settings", Texts), ("setting_count", ctypes.c_int),
                ("samples", ctypes.c_int64), ("seed", ctypes.c_uint64), ("threads", ctypes.c_int64),
                ("watch", ctypes.POINTER(Watch))]


#: Structs that both sides know, by their names in C; python/tests compares sizes and offsets with the headers.
STRUCTS = {"invar_error": InvarError, "invar_array": Array, "invar_progress": Progress, "invar_watch": Watch,
           "invar_pretrain_request": PretrainRequest, "invar_run": Run, "invar_plain_view": PlainView,
           "invar_run_options": RunOptions,
           "invar_embedded": Embedded, "invar_probe_request": ProbeRequest, "invar_term_value": TermValue,
           "invar_loss_request": LossRequest, "invar_loss_result": LossResult, "invar_report_options": ReportOptions}

_POINTERS = ["invar_probe_create", "invar_inspect_run", "invar_report_create", "invar_encoder_read", "invar_version"]
_BOOLS = ["invar_pretrain", "invar_run_open", "invar_run_embed", "invar_probe_run", "invar_loss", "invar_npy_offer",
          "invar_report_write", "invar_export", "invar_options_set"]


def _open():
    here = pathlib.Path(__file__).parent / "_native"
    named = os.environ.get("INVAR_LIBRARY")
    inside = sorted(here.glob("libinvar.so*"))
    path = named or (str(inside[0]) if inside else "libinvar.so.0")
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"libinvar cannot be loaded ({error}): install libinvar0, or name the library with "
                          "INVAR_LIBRARY=FILE") from None
    for name in _POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    for name in _BOOLS:
        getattr(library, name).restype = ctypes.c_bool
    library.invar_version.restype = ctypes.c_char_p
    found = library.invar_version().decode()
    if found != __version__:
        raise ImportError(f"{path} is libinvar {found}, and this is the Python package of {__version__}: install both "
                          "of one version, or name another library with INVAR_LIBRARY=FILE")
    return library


libinvar = _open()


def call(name, *arguments):
    """Calls a function whose last argument is the error; what it gives, or its sentence as an exception."""
    error = InvarError()
    result = getattr(libinvar, name)(*arguments, ctypes.byref(error))
    if not result:
        sentence = error.message.decode(errors="replace")
        if error.code == 5:
            raise MemoryError(sentence)
        raise _KINDS.get(error.code, Error)(sentence)
    return result


def texts(items):
    """Strings as an array of C, and their number."""
    made = (ctypes.c_char_p * max(len(items), 1))(*[str(item).encode() for item in items])
    return ctypes.cast(made, Texts), len(items), made


def value_text(value):
    """A value of Python as KEY=VALUE has it."""
    if value is None:
        return "null"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    return repr(float(value)) if isinstance(value, np.floating) else str(value)


def settings(overrides, prefix=""):
    """{"training": {"steps": 5}, "encoder.kind": "mlp"} as ["training.steps=5", "encoder.kind=mlp"]."""
    out = []
    for key, value in overrides.items():
        out += settings(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}={value_text(value)}"]
    return out


@contextlib.contextmanager
def _held_signal():
    """A function that raises what Ctrl-C does, if it was typed. An exception at the very beginning of a callback, where
    Python looks for signals, would leave C with a result that nobody has set."""
    waiting, before = [], signal.getsignal(signal.SIGINT)
    try:
        held = callable(before) and signal.signal(signal.SIGINT, lambda *at: waiting.append(at)) is not None
    except ValueError:  # another thread than the main one, which hears of no signals
        held = False

    def deliver():
        while waiting:
            before(*waiting.pop())

    try:
        yield deliver
    finally:
        if held:
            signal.signal(signal.SIGINT, before)
        deliver()


@contextlib.contextmanager
def watching(progress):
    """A watch that tells progress(what, done, total, note), or shows it where that is True; Ctrl-C, and whatever it
    raises, end the call."""
    raised = []
    progress = Bar() if progress is True else progress

    def told(_, at):
        try:
            deliver()
            if progress:
                p = at.contents
                progress(p.what.decode(), p.done, p.total, p.note.decode() if p.note else "")
        except BaseException as error:  # of any kind: C cannot pass it on
            raised.append(error)
        return not raised

    watch = Watch(TOLD(told), None)
    try:
        with _held_signal() as deliver:
            yield ctypes.pointer(watch)
    except Error:
        if raised:
            raise raised[0] from None
        raise
    if raised:
        raise raised[0]


# ---- arrays ----

_TYPES = {np.dtype("f4"): 0, np.dtype("f8"): 1, np.dtype("i8"): 2, np.dtype("u1"): 3, np.dtype("u2"): 5}
_NUMBERS = itertools.count()
_HERE = id(_NUMBERS)  # interpreters of one process share the library


def as_array(data, what="the data", whole=False):
    """The array itself where libinvar reads such, else a copy: C order, a type that it has. whole: of integers."""
    array = np.ma.filled(data.astype("f8"), np.nan) if isinstance(data, np.ma.MaskedArray) else np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what}: an array of {array.dtype} was given; expected numbers (of a table with texts a "
                        "pandas data frame, or the path of a CSV file)")
    if array.size == 0:
        raise DataError(f"{what}: the array is empty, of shape {array.shape}; expected at least one number")
    if whole:
        kind = "i8"
    elif array.dtype.newbyteorder("=") in _TYPES:
        kind = array.dtype.newbyteorder("=")
    else:
        kind = "f4" if array.dtype == np.float16 else "f8"
    return np.ascontiguousarray(array, kind)


def as_labels(labels):
    """Whole numbers as classes, others as numbers; texts as classes in their alphabetical order."""
    array = np.asarray(labels)
    if array.dtype.kind in "US":
        array = np.unique(array, return_inverse=True)[1].reshape(array.shape)
    if array.ndim != 1:
        raise DataError(f"the labels have the shape {array.shape}; expected one a row")
    return as_array(array, "the labels", whole=array.dtype.kind in "iub")


class Offered:
    """An array that libinvar reads as a file, for as long as this lives."""

    def __init__(self, array):
        self.array = array
        self.name = f"memory:python-{_HERE:x}-{next(_NUMBERS)}.npy"
        self._struct = c_array(array)
        call("invar_npy_offer", self.name.encode(), ctypes.byref(self._struct))

    def __del__(self):
        if libinvar:
            libinvar.invar_npy_withdraw(self.name.encode())


def c_array(array):
    if array.ndim > 6:
        raise DataError(f"an array of {array.ndim} axes was given; expected at most 4")
    shape = (ctypes.c_int64 * 6)(*array.shape)
    return Array(_TYPES[array.dtype], array.ndim, shape, array.ctypes.data)


def take(array):
    """The numbers of an array that libinvar made, copied; it stays the library's."""
    shape = tuple(array.shape[:array.rank])
    kind = {code: dtype for dtype, code in _TYPES.items()}[array.dtype]
    count = int(np.prod(shape, dtype=np.int64))
    buffer = (ctypes.c_char * (count * kind.itemsize)).from_address(array.data)
    return np.frombuffer(buffer, kind).reshape(shape).copy()
