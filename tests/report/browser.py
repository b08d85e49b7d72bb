#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the pages of `invar report` in Debian's Chromium, from file://, and looks: charts drawn, a card under the
pointer and under the arrow keys, no error on the console, no request to anywhere, names as text.

    browser.py FILE.html [--runs N] [--charts N] [--map] [--sections "ID .."] [--text WORDS] [--no-text WORDS]
               [--width N] [--height N] [--dark] [--shot FILE.png [--scroll ID] [--hover] [--whole]] [--print FILE.pdf]

Speaks the DevTools protocol through Chromium's own pipe; needs nothing but Python. Exit status 77: no Chromium."""
import argparse
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time


class Browser:
    def __init__(self, folder):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            print("browser: there is no Chromium here; apt install chromium")
            sys.exit(77)
        to_read, self.to = os.pipe()
        self.source, from_write = os.pipe()
        os.set_inheritable(to_read, True)
        os.set_inheritable(from_write, True)

        def place():  # Chromium reads commands from 3 and answers on 4
            a, b = os.dup(to_read), os.dup(from_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
             "--disable-extensions", "--user-data-dir=" + folder, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=place,
            close_fds=False, env=dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder, XDG_CACHE_HOME=folder))
        os.close(to_read)
        os.close(from_write)
        self.buffer = b""
        self.events = []
        self.number = 0
        self.session = None

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.source], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("Chromium does not answer")
            piece = os.read(self.source, 1 << 20)
            if not piece:
                raise EOFError("Chromium has ended")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, timeout=60, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def go(self, path):
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        deadline = time.monotonic() + 60
        while self.look("document.readyState") != "complete":
            if time.monotonic() > deadline:
                raise TimeoutError("the page does not come to an end")
            time.sleep(0.05)

    def look(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def close(self):
        try:
            self.session = None
            self.call("Browser.close", timeout=10)
        except (EOFError, TimeoutError, RuntimeError, OSError):
            self.process.kill()
        self.process.wait(20)


failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)


def look_at_requests(browser, path):
    own = "file://" + os.path.abspath(path)
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            expect(url == own or url.startswith("data:") or url == "about:blank", f"a request to {url[:200]}")
        elif method == "Runtime.exceptionThrown":
            failures.append("an exception: " + json.dumps(parameters["exceptionDetails"])[:600])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            failures.append("the log says: " + parameters["entry"]["text"][:400])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            failures.append("the console says: " + json.dumps(parameters["args"])[:400])


BLANK = """[...document.querySelectorAll("canvas")].map(c => {
  const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  const seen = new Set();
  for (let i = 0; i < d.length; i += 4) seen.add(d[i] << 24 | d[i + 1] << 16 | d[i + 2] << 8 | d[i + 3]);
  return [c.getAttribute("aria-label"), seen.size, Boolean(c.closest("details:not([open])"))];
}).filter(x => !x[2] && x[1] < 8).map(x => x[0])"""

# Where a point of the first map is, on the screen.
POINT = """(() => {
  const canvas = document.querySelector(".plot.map canvas");
  if (!canvas) return null;
  canvas.scrollIntoView({block: "center", behavior: "instant"});
  const chart = Chart.getChart(canvas), box = canvas.getBoundingClientRect();
  const point = chart.getDatasetMeta(0).data[0];
  return {x: box.left + point.x, y: box.top + point.y};
})()"""

CARD = """(() => { const c = document.getElementById("card"), p = c.querySelector(".picture");
  return c.hidden ? null : {text: c.textContent, picture: p ? getComputedStyle(p).backgroundImage.slice(0, 21) : "",
    rows: c.querySelectorAll("tr").length}; })()"""


def look_at_map(browser):
    point = browser.look(POINT)
    if not point:
        return False
    for x, y in ((point["x"] - 40, point["y"] - 40), (point["x"], point["y"])):
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    card = browser.look(CARD)
    expect(card is not None, "no card under the pointer")
    if card:
        expect("sample" in card["text"], f"the card does not name its sample: {card['text']}")
        expect(card["picture"].startswith('url("data:image/png') or card["rows"] > 0,
               "the card shows neither a picture nor a row")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    expect(browser.look(CARD) is None, "the card stays when the pointer leaves")
    browser.look('document.querySelector(".plot.map canvas").focus({preventScroll: true})')
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    expect(browser.look(CARD) is not None, "no card under the arrow keys")
    expect("sample" in browser.look('document.getElementById("spoken").textContent'), "the arrow keys say nothing")
    browser.look('document.activeElement.blur()')
    before = browser.look('document.querySelector(".plot.map canvas").toDataURL().length')
    browser.look('document.querySelector("input[name=projection][value=pca]").click()')
    after = browser.look('document.querySelector(".plot.map canvas").toDataURL().length')
    expect(before != after, "the other projection draws the same")
    browser.look('document.querySelector("input[name=projection][value=tsne]").click()')
    return True


def look_at_order(browser):
    wrong = browser.look("""(() => {
      const levels = [...document.querySelectorAll("h1,h2,h3")].map(h => Number(h.tagName[1]));
      const bad = [];
      levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) bad.push("a heading of level " + l + " follows one of " + levels[i - 1]); });
      if (document.querySelectorAll("main,nav,header,footer").length !== 4) bad.push("landmarks");
      if (document.querySelectorAll("h1").length !== 1) bad.push("more than one h1");
      document.querySelectorAll("img").forEach(i => { if (!i.alt) bad.push("an image without alt text"); });
      document.querySelectorAll("canvas").forEach(c => { if (!c.getAttribute("aria-label")) bad.push("a canvas without a text"); });
      document.querySelectorAll("section").forEach(s => { if (!document.getElementById(s.getAttribute("aria-labelledby"))) bad.push("a section without a name"); });
      const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
      if (new Set(ids).size !== ids.length) bad.push("an id twice");
      if (document.documentElement.scrollWidth > document.documentElement.clientWidth + 1) bad.push("the page is wider than the screen");
      return [...new Set(bad)]; })()""")
    failures.extend(wrong)


# Contrast of text with what is behind it, WCAG 2: 4.5 for text, 3 for large text.
CONTRAST = """(() => {
  const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number);
  const over = (top, under) => { const a = top[3] === undefined ? 1 : top[3]; return [0, 1, 2].map(k => top[k] * a + under[k] * (1 - a)); };
  const light = c => { const v = c.map(x => { x /= 255; return x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; }); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const behind = e => { const layers = []; for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length && c[3] !== 0) { layers.push(c); if (c[3] === undefined || c[3] === 1) break; } }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
  const bad = {};
  document.querySelectorAll("main *, header *, nav *, footer *").forEach(e => {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.offsetParent || e.closest("noscript,.spoken")) return;
    const style = getComputedStyle(e), a = light(over(rgb(style.color), behind(e))), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05), large = parseFloat(style.fontSize) >= 24;
    if (!(ratio >= (large ? 3 : 4.5))) bad[e.tagName + "." + e.className + " " + style.color + " on " + behind(e).map(Math.round)] = ratio.toFixed(2);
  });
  return Object.entries(bad).slice(0, 8).map(([k, v]) => "contrast " + v + " of " + k);
})()"""


def check(browser, options):
    browser.call("Emulation.setDeviceMetricsOverride", width=options.width, height=options.height, deviceScaleFactor=1,
                 mobile=options.width < 600)
    scheme = "dark" if options.dark else "light"
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.go(options.file)
    count = browser.look('document.querySelectorAll("canvas").length')
    expect(count >= options.charts, f"{count} charts, expected {options.charts} or more")
    for name in browser.look(BLANK):
        failures.append(f"a chart is blank: {name[:80]}")
    failures.extend(browser.look(CONTRAST))
    look_at_order(browser)
    has_map = look_at_map(browser)
    expect(has_map or not options.map, "there is no map")
    sections = browser.look('[...document.querySelectorAll("section")].map(s => s.id).join(" ")')
    expect(options.sections in (None, sections), f"the sections {sections}, expected {options.sections}")
    text = browser.look("document.body.innerText")
    for words in options.text:
        expect(words in text, f"the page does not say: {words}")
    for words in options.no_text:
        expect(words not in text, f"the page says: {words}")
    runs = browser.look("runs.length")
    expect(runs == options.runs, f"{runs} runs, expected {options.runs}")
    if options.runs > 1:
        boxes = browser.look('document.querySelectorAll("#legend input").length')
        expect(boxes == options.runs, f"the legend has {boxes} runs")
    browser.look("scrollTo({top: 0, behavior: 'instant'})")
    look_at_requests(browser, options.file)


def shots(browser, options):
    point = browser.look(POINT) if options.hover else None
    if options.scroll:
        browser.look(f"document.getElementById('{options.scroll}').scrollIntoView({{behavior: 'instant'}})")
    if point:
        point = browser.look(POINT.replace('canvas.scrollIntoView({block: "center", behavior: "instant"});', ""))
        for step in (3, 0):
            browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=point["x"] - step, y=point["y"])
    if options.shot:
        if options.whole:
            height = browser.look("document.documentElement.scrollHeight")
            browser.call("Emulation.setDeviceMetricsOverride", width=options.width, height=height, deviceScaleFactor=1, mobile=False)
        picture = browser.call("Page.captureScreenshot", format="png")
        with open(options.shot, "wb") as out:
            out.write(base64.b64decode(picture["data"]))
    if options.print:
        page = browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        with open(options.print, "wb") as out:
            out.write(base64.b64decode(page["data"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--charts", type=int, default=4)
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--sections")
    parser.add_argument("--text", action="append", default=[])
    parser.add_argument("--no-text", action="append", default=[])
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--scroll")
    parser.add_argument("--hover", action="store_true")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--shot")
    parser.add_argument("--print")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        try:
            browser.open(options.file)
            check(browser, options)
            shots(browser, options)
        finally:
            browser.close()
    for words in failures:
        print(f"{options.file}: {words}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
