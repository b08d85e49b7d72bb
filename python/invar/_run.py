# SPDX-License-Identifier: Apache-2.0
"""Training, and what a run is asked."""

import ctypes
import html
import json
import os
import pathlib
import shutil
import tempfile
import weakref

import numpy as np

from . import _library as lib


class _Source:
    """Data as libinvar finds them: a source by its name, or arrays of memory; keeps those alive."""

    def __init__(self, data, labels=None, folder=None):
        self.settings, self.kept = [], []
        if isinstance(data, (str, os.PathLike)):
            text = os.fspath(data)
            self.name = text if ":" in text or text == "fashion-mnist" else _guess(text)
        elif hasattr(data, "to_csv"):  # a data frame, whose texts are categories
            file = tempfile.NamedTemporaryFile("w", suffix=".csv", dir=folder)
            data.to_csv(file.name, index=False)
            self.kept.append(file)
            self.name = f"csv:{file.name}"
        else:
            self.kept.append(lib.Offered(lib.as_array(data)))
            self.name = f"npy:{self.kept[-1].name}"
        if labels is not None:
            self.label(labels)

    def label(self, labels):
        if isinstance(labels, str):
            self.settings.append(f"label={labels}")
            return
        if not self.name.startswith("npy:"):
            raise lib.UsageError("labels in an array are for data in an array; name the column of other data")
        self.kept.append(lib.Offered(lib.as_labels(labels)))
        self.settings.append(f"labels={self.kept[-1].name}")


class _Folder:
    """A temporary folder that goes with this object."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="invar-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _guess(path):
    for ending, source in ((".npy", "npy"), (".csv", "csv"), (".tsv", "csv"), (".csv.gz", "csv")):
        if path.endswith(ending):
            return f"{source}:{path}"
    return f"images:{path}"


def pretrain(recipe, data=None, labels=None, run=None, *, resume=False, threads=0, progress=None, **overrides):
    """Trains an encoder and returns its Run.

    recipe: a name that `invar recipes` lists, or a path. data: an array ([N, d] numbers, NaN where one is missing;
    [N, C, H, W] or [N, H, W] images, uint8 or 0 to 1), a pandas data frame, a path or a source ("csv:FILE"); None: as
    the recipe has it. labels: an array, or the name of a column; only probes read them. run: the folder; None: one that
    goes with the Run. progress(what, done, total, note) is called every step; True shows a bar. Others are options
    of the recipe: training={"steps": 100}, or **{"encoder.kind": "mlp"}. Ctrl-C leaves a checkpoint, which resume=True
    goes on from.
    """
    temporary = None
    if run is None:
        if resume:
            raise lib.UsageError("resume goes on with a run that is there: name its folder")
        temporary = _Folder()
        run = temporary.path / "run"
    source = _Source(data, labels) if data is not None else None
    changes = lib.settings(overrides)
    if source:
        changes = [f"data.source={source.name}", *(f"data.{item}" for item in source.settings), *changes]
    array, count, kept = lib.texts(changes)
    with lib.watching(progress) as watch:
        request = lib.PretrainRequest(os.fspath(recipe).encode() if recipe else None, array, count,
                                      os.fspath(run).encode(), resume, False, threads, watch)
        lib.call("invar_pretrain", ctypes.byref(request))
    del kept
    return Run(run, source=source, temporary=temporary)


class Run:
    """The folder of a run that has finished."""

    def __init__(self, folder, *, source=None, temporary=None):
        self.folder = pathlib.Path(folder)
        self._source, self._temporary = source, temporary
        if not (self.folder / "encoder.safetensors").exists():
            raise lib.FileError(f"{self.folder}: there is no encoder.safetensors; give the folder of a run that has "
                                "finished")

    def _open(self, source, settings, threads, watch, use):
        """use(struct invar_run) on the run with its data or others."""
        array, count, kept = lib.texts(settings)
        run = lib.Run()
        folder = os.fspath(self.folder).encode()
        options = lib.RunOptions(source=source.encode() if source else None, settings=array, setting_count=count,
                                 threads=threads, watch=watch)
        try:
            lib.call("invar_run_open", ctypes.byref(run), folder, ctypes.byref(options))
            return use(run)
        finally:
            lib.libinvar.invar_run_close(ctypes.byref(run))
            del kept

    def embed(self, data, *, threads=0, progress=None):
        """Representations of data (as pretrain takes them), float32 [N, D], row by row."""
        source = _Source(data)
        whole = ["test_fraction=0", "test=", "test_rows=", "labels="]
        whole += ["label="] if source.name.startswith("npy:") else []

        def use(run):
            out = lib.Embedded()
            lib.call("invar_run_embed", ctypes.byref(run), ctypes.c_void_p(run.encoder), 0, ctypes.byref(out))
            try:
                return lib.take(out.features)
            finally:
                lib.libinvar.invar_embedded_free(ctypes.byref(out))

        with lib.watching(progress) as watch:
            return self._open(source.name, whole, threads, watch, use)

    def probe(self, labels=None, data=None, *, method="linear", preset=None, baselines=(), few=(), threads=0,
              progress=None, **settings):
        """How well labels can be read from the representations, as `invar probe`; what probe.json then has.

        labels: of data, or of the data that the run was trained on where data is None. few: "20" a class, "1%".
        """
        source = _Source(data) if data is not None else self._source
        changes = []
        if labels is not None:
            if source is None:
                raise lib.UsageError("labels in an array belong to data in an array: give both")
            source = _Copy(source)
            source.label(labels)
        if source is not None:
            changes = source.settings
        arrays = [lib.texts(items) for items in (baselines, few, lib.settings(settings))]
        request = lib.ProbeRequest(method=method.encode(), preset=preset.encode() if preset else None,
                                   baselines=arrays[0][0], baseline_count=arrays[0][1], labels=arrays[1][0],
                                   label_count=arrays[1][1], settings=arrays[2][0], setting_count=arrays[2][1])

        def use(run):
            probe = ctypes.c_void_p(lib.call("invar_probe_create", ctypes.byref(request)))
            results = ctypes.c_void_p()
            try:
                lib.call("invar_probe_run", probe, ctypes.byref(run), ctypes.byref(results))
            finally:
                lib.libinvar.invar_probe_results_free(results)
                lib.libinvar.invar_probe_free(probe)
            return self._read("probe.json")

        with lib.watching(progress) as watch:
            return self._open(source.name if data is not None else None, changes, threads, watch, use)

    def inspect(self, *, split="test", threads=0, progress=None, **settings):
        """Numbers that explain what was learned, as `invar inspect`; what inspect.json then has."""
        table = ctypes.byref(ctypes.c_char.in_dll(lib.libinvar, "invar_inspect_option_table"))
        options = ctypes.create_string_buffer(1 << 16)
        lib.libinvar.invar_options_default(table, options)
        for item in lib.settings(settings):
            lib.call("invar_options_set", table, options, item.encode())

        def use(run):
            results = lib.call("invar_inspect_run", ctypes.byref(run), None, 1 if split == "test" else 0, options)
            lib.libinvar.invar_inspect_results_free(ctypes.c_void_p(results))
            return self._read("inspect.json")

        with lib.watching(progress) as watch:
            return self._open(None, [], threads, watch, use)

    def export(self, path, format=None):
        """The encoder as ONNX, safetensors or C (docs/export.md)."""
        encoder = lib.call("invar_encoder_read", os.fspath(self.folder / "encoder.safetensors").encode())
        try:
            lib.call("invar_export", ctypes.c_void_p(encoder), format.encode() if format else None,
                     os.fspath(path).encode())
        finally:
            lib.libinvar.invar_encoder_free(ctypes.c_void_p(encoder))

    def report(self, path=None, *, samples=1000, threads=0):
        """The page of `invar report`, as text, or in a file."""
        array, count, kept = lib.texts([os.fspath(self.folder)])
        options = lib.ReportOptions(samples=samples, threads=threads)
        with tempfile.TemporaryDirectory() as folder:
            target = os.fspath(path) if path else os.path.join(folder, "report.html")
            report = ctypes.c_void_p(lib.call("invar_report_create", array, count, ctypes.byref(options)))
            try:
                lib.call("invar_report_write", report, target.encode(), ctypes.c_int64(0))
            finally:
                lib.libinvar.invar_report_free(report)
            return None if path else pathlib.Path(target).read_text(encoding="utf-8")

    @property
    def recipe(self):
        """The resolved recipe, YAML."""
        return (self.folder / "recipe.yaml").read_text(encoding="utf-8")

    @property
    def metrics(self):
        """A dictionary for every logged step."""
        text = (self.folder / "metrics.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def _read(self, name):
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def __getstate__(self):
        names = ("encoder.safetensors", "projector.safetensors", "recipe.yaml", "metrics.jsonl")
        return {name: (self.folder / name).read_bytes() for name in names if (self.folder / name).exists()}

    def __setstate__(self, files):
        temporary = _Folder()
        for name, content in files.items():
            (temporary.path / name).write_bytes(content)
        self.__init__(temporary.path, temporary=temporary)

    def __repr__(self):
        return f"invar.Run({str(self.folder)!r})"

    def _repr_html_(self):
        page = html.escape(self.report(samples=0), quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 40em; border: 0"></iframe>'


class _Copy(_Source):
    """The same data with other labels."""

    def __init__(self, source):
        self.name, self.kept = source.name, list(source.kept)
        self.settings = [item for item in source.settings if not item.startswith(("labels=", "label="))]


def loss(term, *, float64=None, gradient=True, threads=0, **arguments):
    """A term of an objective on embeddings: (value, parts, gradients).

    Arrays are inputs as `invar loss` names them (z1=, z2=, q1=, t1=, labels=, ..), everything else options of the term:
    invar.loss("relic", z1=z1, z2=z2, tau=0.1). Computed in float64 where all matrices are, or as float64= says;
    gradients has an array for every input that has one.
    """
    kept, inputs, options, wide = [], [], [], []
    for key, value in arguments.items():
        if not isinstance(value, np.ndarray) and not (isinstance(value, (list, tuple)) and value and
                                                      isinstance(value[0], (list, tuple))):
            options.append(f"{key}={lib.value_text(value)}")
            continue
        array = lib.as_array(value, key, whole=np.asarray(value).dtype.kind in "iu" and np.asarray(value).ndim == 1)
        if array.ndim > 1:
            wide.append(array.dtype == np.float64)
            array = array if array.dtype.kind == "f" else array.astype("f8")
        kept.append(lib.Offered(array))
        inputs.append(f"{key}={kept[-1].name}")
    arrays = [lib.texts(items) for items in (inputs, options)]
    request = lib.LossRequest(term.encode(), arrays[0][0], arrays[0][1], arrays[1][0], arrays[1][1],
                              bool(wide and all(wide)) if float64 is None else float64, gradient, threads)
    result = lib.LossResult()
    try:
        lib.call("invar_loss", ctypes.byref(request), ctypes.byref(result))
        value = result.value
        parts = {value.part[i].name.decode(): value.part[i].value for i in range(value.count)}
        gradients = {result.gradient[i].name.decode(): lib.take(result.gradient[i].array) for i in range(result.count)}
        return value.loss, parts, gradients
    finally:
        lib.libinvar.invar_loss_result_free(ctypes.byref(result))
