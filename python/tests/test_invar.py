#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python package over a built library: INVAR_LIBRARY=build/libinvar.so python/tests/test_invar.py

INVAR_INSTALLED=1: the package that is installed, not that of this folder (scripts/wheel). Exit status 77 (skipped) without NumPy; what needs scikit-learn, pandas or a C compiler is skipped without them.
"""

import contextlib
import io
import json
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import types
import unittest
import unittest.mock

try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is needed (apt-get install python3-numpy)")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
if not os.environ.get("INVAR_INSTALLED"):
    sys.path.insert(0, str(ROOT / "python"))
import invar  # noqa: E402
from invar import _library as lib  # noqa: E402

PACKAGES = str(pathlib.Path(invar.__file__).parents[1])

SMALL = {"encoder.widths": [16, 8], "projector": {"hidden": [16], "output": 8}, "training.steps": 30,
         "training.batch": 32, "threads": 1}


def rows(count=150, seed=1):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return labels[:, None] * np.array([1.0, -2.0, 0.5, 3.0]) + rng.normal(0, 0.3, (count, 4)), labels


class Runs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.x, cls.y = rows()
        cls.steps = []
        cls.run_ = invar.pretrain("simclr-table", cls.x, cls.y, progress=lambda *a: cls.steps.append(a), **SMALL)

    def test_progress_and_files(self):
        self.assertEqual([step[1] for step in self.steps], list(range(1, 31)))
        self.assertTrue(all(what == "training" and total == 30 for what, _, total, _ in self.steps))
        self.assertEqual(self.run_.metrics[-1]["step"], 30)
        self.assertIn("widths: [16, 8]", self.run_.recipe)

    def test_embed(self):
        h = self.run_.embed(self.x, threads=1)
        self.assertEqual((h.shape, h.dtype), ((150, 8), np.float32))
        np.testing.assert_array_equal(h, self.run_.embed(np.asfortranarray(self.x), threads=1))
        frozen = self.x.copy()
        frozen.flags.writeable = False
        np.testing.assert_array_equal(h[::2], self.run_.embed(frozen[::2], threads=1))
        np.testing.assert_array_equal(h[:1], self.run_.embed(self.x[:1], threads=1))
        np.testing.assert_array_equal(h, self.run_.embed(self.x.astype(">f8"), threads=1))

    def test_embed_is_the_commands(self):
        invar_command = os.environ.get("INVAR_COMMAND")
        if not invar_command:
            self.skipTest("INVAR_COMMAND names no command")
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/x.npy", self.x)
            subprocess.run([invar_command, "embed", self.run_.folder, f"npy:{folder}/x.npy", "test_fraction=0",
                            "labels=", "-o", f"{folder}/h.npy", "--threads", "1"], check=True, capture_output=True)
            np.testing.assert_array_equal(np.load(f"{folder}/h.npy"), self.run_.embed(self.x, threads=1))

    def test_probe_and_inspect(self):
        found = self.run_.probe(threads=1)
        self.assertGreater(found["linear"]["top1"], 80)
        other = self.run_.probe(np.random.default_rng(4).permutation(self.y), threads=1, iterations=50)
        self.assertLess(other["linear"]["top1"], found["linear"]["top1"])
        self.assertTrue(self.run_.inspect(threads=1, samples=100))

    def test_report_and_export(self):
        self.assertIn("<html", self.run_.report(samples=0)[:400])
        self.assertTrue(self.run_._repr_html_().startswith("<iframe srcdoc="))
        with tempfile.TemporaryDirectory() as folder:
            self.run_.export(f"{folder}/e.safetensors")
            self.assertTrue(os.path.getsize(f"{folder}/e.safetensors"))

    def test_pickle(self):
        again = pickle.loads(pickle.dumps(self.run_))
        np.testing.assert_array_equal(again.embed(self.x, threads=1), self.run_.embed(self.x, threads=1))

    def test_bad_input(self):
        for data, words in ((np.array([["a"]]), "expected numbers"), (np.zeros((0, 4)), "empty"),
                            (np.zeros((3, 4), complex), "expected numbers"), (np.array([[None] * 4]), "expected numbers"),
                            (np.zeros((3, 4), "M8[s]"), "expected numbers"), (np.float64(3), "had 4 from"),
                            (np.zeros((2,) * 7), "7 axes"), (np.zeros((2,) * 5), "of the kind"),
                            (np.zeros((3, 5)), "x0 to x4"), (np.full((3, 4), np.inf), "expected finite")):
            with self.assertRaisesRegex(invar.DataError, words):
                self.run_.embed(data)
        for labels, words in ((np.zeros(5, int), "5 labels for the 150 rows"), (np.zeros((150, 2), int), "one a row"),
                              (np.zeros(150, complex), "expected numbers")):
            with self.assertRaisesRegex(invar.DataError, words):
                invar.pretrain("simclr-table", self.x, labels, **SMALL)
        for arguments, words in (({"training.stepz": 5}, "steps"), ({"encoder.kind": "mpl"}, "mlp")):
            with self.assertRaisesRegex(invar.UsageError, words):
                invar.pretrain("simclr-table", self.x, **arguments)
        with self.assertRaises(ValueError):
            invar.pretrain("simclr-tabel", self.x)
        with self.assertRaises(OSError):
            invar.Run("nowhere")
        with self.assertRaisesRegex(invar.FileError, "nowhere.csv"):
            self.run_.embed("nowhere.csv")

    def test_types_and_layouts(self):
        h = self.run_.embed(np.round(self.x * 8), threads=1)
        for kind in "i1", "<i4", ">i8", "f2", "<f4", ">f8":
            other = np.round(self.x * 8).astype(kind)
            np.testing.assert_array_equal(h, self.run_.embed(other, threads=1), kind)
            other.flags.writeable = False
            np.testing.assert_array_equal(h[::-3], self.run_.embed(np.asfortranarray(other)[::-3], threads=1), kind)
        np.testing.assert_array_equal(self.run_.embed(self.x > 0, threads=1),
                                      self.run_.embed((self.x > 0).astype(float), threads=1))

    def test_missing_values_are_data(self):
        x = self.x.copy()
        x[::9, 1] = np.nan
        run = invar.pretrain("simclr-table", x, **SMALL)
        self.assertTrue(np.isfinite(run.embed(x)).all())
        masked = np.ma.masked_array(self.x, mask=np.isnan(x))
        np.testing.assert_array_equal(run.embed(masked), run.embed(x))

    def test_texts_are_classes(self):
        found = [self.run_.probe(labels, threads=1)["linear"]["top1"] for labels in (self.y, np.array(list("uvw"))[self.y])]
        self.assertEqual(found[0], found[1])

    def test_a_bar(self):
        shown = []

        class Handle:
            def update(self, bar):
                shown.append(bar)

        ipython = types.ModuleType("IPython")
        ipython.get_ipython = lambda: types.SimpleNamespace(kernel=1)
        ipython.display = types.SimpleNamespace(HTML=str, display=lambda bar, display_id: shown.append(bar) or Handle())
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.run_.embed(self.x, progress=True)
            with unittest.mock.patch.dict(sys.modules, IPython=ipython):
                invar.pretrain("simclr-table", self.x, **SMALL, progress=True)
        self.assertRegex(said.getvalue(), r"^\rembedding.* 150 of 150.*\n$")
        self.assertRegex(shown[0], '<progress value="1" max="30"></progress> training 1 of 30')
        self.assertRegex(shown[-1], '<progress value="30" max="30"></progress> training 30 of 30')

    def test_interrupted(self):
        def stop(what, done, total, note):
            if done == 5:
                raise KeyboardInterrupt

        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(KeyboardInterrupt):
                invar.pretrain("simclr-table", self.x, run=f"{folder}/run", progress=stop, **SMALL)
            with self.assertRaisesRegex(invar.UsageError, "resume"):
                invar.pretrain("simclr-table", self.x, run=f"{folder}/run", **SMALL)

    def test_ctrl_c_leaves_a_checkpoint(self):
        """At whatever moment it is typed, most of which are inside the library; six times in one process."""
        code = ("import os, signal, sys, threading; sys.path.insert(0, sys.argv[1])\nimport invar, numpy as np\n"
                "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # background jobs of a shell ignore it
                "x = np.random.default_rng(0).normal(size=(200, 4))\n"
                "def told(what, done, total, note):\n"
                "    if done == 2:\n"
                "        threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
                "for i in range(6):\n"
                "    try:\n"
                "        invar.pretrain('simclr-table', x, run=f'run{i}', threads=1, progress=told,\n"
                "                       training={'steps': 100000, 'batch': 32})\n"
                "    except KeyboardInterrupt:\n"
                "        print('stopped')\n")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", code, PACKAGES], cwd=folder, capture_output=True, text=True, timeout=200)
            self.assertEqual((done.stdout, done.stderr), ("stopped\n" * 6, ""))
            for run in range(6):
                self.assertTrue(list(pathlib.Path(f"{folder}/run{run}").glob("checkpoint*")), run)

    def test_two_threads(self):
        found = {}

        def train(number):
            found[number] = invar.pretrain("simclr-table", self.x, **SMALL).embed(self.x, threads=1)

        threads = [threading.Thread(target=train, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        np.testing.assert_array_equal(found[0], found[1])

    def test_two_interpreters(self):
        """Of one process, each in a thread: where NumPy refuses the second, the import says so."""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-W", "ignore", ROOT / "python/tests/interpreters.py", PACKAGES],
                                  cwd=folder, capture_output=True, text=True)
            if done.returncode == 77:
                self.skipTest("this Python has no interpreters inside")
            self.assertEqual(done.returncode, 0, done.stderr)
            here, there = (pathlib.Path(f"{folder}/1-{place}").read_text() for place in ("main", "second"))
        self.assertTrue(here.startswith("["), here)
        self.assertTrue(here == there or "use one interpreter in a process" in there, there)

    def test_images(self):
        images = np.random.default_rng(2).integers(0, 256, (64, 12, 12), np.uint8)
        run = invar.pretrain("simclr-fashion-mnist", images, training={"steps": 3, "batch": 16},
                             encoder={"widths": [4, 8]}, threads=1)
        h = run.embed(images)
        self.assertEqual(len(h), 64)
        np.testing.assert_allclose(h, run.embed(images.astype("f4") / 255), rtol=1e-4, atol=1e-5)
        for data, words in ((np.full((2, 12, 12), np.nan), "NaN"), (images.astype("f4"), "from 0 to 1"),
                            (images[:0], "empty"), (images[:, :0], "empty"), (images.astype("i8"), "uint8")):
            with self.assertRaisesRegex(invar.DataError, words):
                run.embed(data)

    def test_data_frames(self):
        try:
            import pandas
        except ImportError:
            self.skipTest("pandas is missing")
        frame = pandas.DataFrame(self.x, columns=list("abcd")).assign(tag=np.where(self.y == 0, "u", "v"), kind=self.y)
        run = invar.pretrain("simclr-table", frame, "kind", **SMALL)
        self.assertEqual(run.embed(frame).shape, (150, 8))
        self.assertGreater(run.probe(threads=1)["linear"]["top1"], 80)


class Losses(unittest.TestCase):
    def test_gradient_is_a_difference_quotient(self):
        rng = np.random.default_rng(3)
        z1, z2 = rng.normal(size=(2, 6, 5))
        value, parts, gradients = invar.loss("relic", z1=z1, z2=z2, tau=0.5)
        self.assertEqual(sorted(gradients), ["z1", "z2"])
        self.assertTrue(parts)
        moved, step = z1.copy(), 1e-5
        moved[2, 3] += step
        up = invar.loss("relic", z1=moved, z2=z2, tau=0.5, gradient=False)[0]
        moved[2, 3] -= 2 * step
        down = invar.loss("relic", z1=moved, z2=z2, tau=0.5, gradient=False)[0]
        self.assertAlmostEqual((up - down) / (2 * step), gradients["z1"][2, 3], places=7)
        self.assertEqual(invar.loss("relic", z1=z1.astype("f4"), z2=z2.astype("f4"))[2]["z1"].dtype, np.float32)

    def test_bad_input(self):
        z = np.ones((4, 3))
        for arguments, words in (({"z1": z, "z3": z}, ""), ({"z1": z, "y": z}, "no input y"),
                                 ({"z1": z, "z2": z, "tauu": 1}, "tau"), ({"z1": z * np.nan, "z2": z}, "finite")):
            with self.assertRaisesRegex(invar.Error, words):
                invar.loss("relic", **arguments)
        with self.assertRaisesRegex(invar.UsageError, "did you mean"):
            invar.loss("relik", z1=z, z2=z)


class Library(unittest.TestCase):
    def test_structs_are_those_of_the_headers(self):
        if not shutil.which("cc"):
            self.skipTest("a C compiler is missing: apt-get install gcc")
        lines = ["#include <invar/invar.h>", "#include <invar/expert/objective.h>", "#include <stddef.h>",
                 "#include <stdio.h>", "int main(void) {"]
        expected = []
        for name, struct in lib.STRUCTS.items():
            lines.append(f'printf("%zu\\n", sizeof(struct {name}));')
            expected.append((name, __import__("ctypes").sizeof(struct)))
            for field, _ in struct._fields_:
                lines.append(f'printf("%zu\\n", offsetof(struct {name}, {field}));')
                expected.append((f"{name}.{field}", getattr(struct, field).offset))
        lines.append('return sizeof(struct invar_inspect_options) > 1 << 16; }')
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(f"{folder}/sizes.c").write_text("\n".join(lines))
            subprocess.run(["cc", f"-I{ROOT}/include", f"{folder}/sizes.c", "-o", f"{folder}/sizes"], check=True)
            found = subprocess.run([f"{folder}/sizes"], check=True, capture_output=True, text=True).stdout.split()
        self.assertEqual([int(number) for number in found], [size for _, size in expected])

    def test_another_version_is_refused(self):
        code = ("import sys, types; package = types.ModuleType('invar'); package.__path__ = [sys.argv[1] + '/invar']\n"
                "sys.modules['invar'] = package\n"
                "import invar._version; invar._version.__version__ = '9.9.9'\nimport invar._library")
        done = subprocess.run([sys.executable, "-c", code, PACKAGES], capture_output=True, text=True)
        self.assertIn("install both of one version", done.stderr)

    def test_the_encoder_stands_without_sklearn(self):
        code = ("import sys; sys.path.insert(0, sys.argv[1]); sys.modules['sklearn'] = None\n"
                "import invar, numpy as np; x = np.random.default_rng(0).normal(size=(40, 3))\n"
                "encoder = invar.Encoder(options={'training.steps': 2, 'encoder.widths': [4]}, threads=1)\n"
                "print(encoder.fit_transform(x).shape)")
        done = subprocess.run([sys.executable, "-c", code, PACKAGES], capture_output=True, text=True)
        self.assertEqual(done.stdout, "(40, 4)\n", done.stderr)

    def test_a_library_that_is_missing_is_named(self):
        code = f"import sys; sys.path.insert(0, {PACKAGES!r}); import invar"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "INVAR_LIBRARY": "/nowhere.so"})
        self.assertIn("INVAR_LIBRARY=FILE", done.stderr)


class Documents(unittest.TestCase):
    """What is printed in docs and examples is run: in a folder with what it reads."""

    def execute(self, source, name):
        here = os.getcwd()
        rng = np.random.default_rng(5)
        x, labels = rows(400)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                np.save("rows.npy", x)
                space = {"labels": labels, "z1": rng.normal(size=(8, 4)), "z2": rng.normal(size=(8, 4)), "x": x,
                         "y": labels}
                with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
                    exec(compile(source, name, "exec"), space)  # noqa: S102
            finally:
                os.chdir(here)
        return space, said.getvalue()

    def needs_sklearn(self):
        try:
            import sklearn  # noqa: F401
        except ImportError:
            self.skipTest("scikit-learn is missing: apt-get install python3-sklearn")

    def test_the_page(self):
        self.needs_sklearn()
        lines = (ROOT / "docs/python.md").read_text(encoding="utf-8").splitlines()
        source = "\n".join(line[4:] for line in lines if line.startswith("    "))
        imports = ("import invar\nfrom sklearn.linear_model import LogisticRegression\n"
                   "from sklearn.pipeline import make_pipeline\n")
        space, _ = self.execute(imports + source, "docs/python.md")
        self.assertEqual(space["h"].shape[0], 400)
        self.assertEqual(sorted(space["gradients"]), ["z1", "z2"])

    def test_six_lines_of_iris(self):
        self.needs_sklearn()
        source = (ROOT / "examples/iris.py").read_text(encoding="utf-8")
        self.assertLessEqual(sum(1 for line in source.splitlines() if line and not line.startswith("#")), 6)
        space, said = self.execute(source, "examples/iris.py")
        self.assertEqual(space["h"].shape, (150, 256))
        self.assertGreater(float(said.split(")")[1].split()[0]), 80)

    def test_the_notebook(self):
        cells = json.loads((ROOT / "docs/notebook.ipynb").read_text(encoding="utf-8"))["cells"]
        source = "\n".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code")
        space, said = self.execute(source, "docs/notebook.ipynb")
        self.assertGreater(space["found"]["linear"]["top1"], 90)
        self.assertIn("relic", said)


class Estimator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            import sklearn  # noqa: F401
        except ImportError:
            raise unittest.SkipTest("scikit-learn is missing: apt-get install python3-sklearn") from None

    def encoder(self):
        return invar.Encoder(options={"training.steps": 5, "encoder.widths": [8, 8], "projector.hidden": [8],
                                      "projector.output": 4}, threads=1)

    def test_pipeline_and_grid_search(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        x, y = rows(90)
        search = GridSearchCV(make_pipeline(self.encoder(), LogisticRegression(max_iter=500)),
                              {"encoder__random_state": [0, 1]}, cv=2)
        self.assertGreater(search.fit(x, y).best_score_, 0.9)

    def test_check_estimator(self):
        from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: F401
        from sklearn.utils import estimator_checks
        failed = []
        results = estimator_checks.check_estimator(self.encoder(), on_fail=None, on_skip=None)
        for result in results:
            if result["status"] == "failed":
                failed.append(f"{result['check_name']}: {result['exception']}")
        self.assertGreater(sum(result["status"] == "passed" for result in results), 30)
        self.assertEqual(failed, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
