# SPDX-License-Identifier: Apache-2.0
"""What progress=True shows: a bar in a notebook, a line on standard error elsewhere."""

import html
import sys
import time


def _notebook():
    """IPython's display module, where this runs in a kernel that shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return ipython.display if getattr(shell, "kernel", None) else None


class Bar:
    """Called as progress(what, done, total, note), some ten times a second drawn; each `what` has a bar of its own."""

    def __init__(self):
        self._display, self._at, self._handle, self._drawn = _notebook(), (None, 0), None, 0.0

    def __call__(self, what, done, total, note):
        now, new = time.monotonic(), what != self._at[0]
        if self._at == (what, done) or (not new and done < total and now - self._drawn < 0.1):
            return
        self._at, self._drawn = (what, done), now
        text = f"{what} {done}" + (f" of {total}" if total else "") + (f": {note}" if note else "")
        if self._display:
            share = f'value="{done}" max="{total}"' if total else ""
            self._show(self._display.HTML(f"<progress {share}></progress> {html.escape(text)}"), new)
        else:
            sys.stderr.write(f"\r{text}\033[K" + ("\n" if done == total else ""))
            sys.stderr.flush()

    def _show(self, bar, new):
        if new:
            self._handle = self._display.display(bar, display_id=True)
        else:
            self._handle.update(bar)
