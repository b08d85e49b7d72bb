#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documentation as pages: README, docs, the notebook, and the library's functions from its headers.

usage: scripts/site.py FOLDER

Needs pandoc. Pages are static, link to each other by relative paths, and are the same bytes from the same sources.
"""
import html
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PARTS = [("Start", ["README.md", "docs/overview.md", "docs/glossary.md", "docs/results.md", "docs/speed.md"]),
         ("Use", ["docs/data.md", "docs/views.md", "docs/terms.md", "docs/training.md", "docs/evaluation.md", "docs/report.md",
                  "docs/files.md", "docs/export.md", "docs/comparisons.md"]),
         ("Programs", ["docs/python.md", "docs/notebook.ipynb", "docs/library.md"]),
         ("Formulas", ["docs/objectives.md", "docs/objectives_more.md"]),
         ("Inside", ["docs/architecture.md", "docs/adding.md", "docs/plans.md", "CONTRIBUTING.md", "bench/README.md",
                     "tests/golden/README.md", "CHANGELOG.md"])]
NAMES = {"README.md": "index.html", "bench/README.md": "bench.html", "tests/golden/README.md": "golden.html"}
STYLE = """body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#222;display:flex}
nav{width:13em;padding:1em;background:#f4f4f2;min-height:100vh;box-sizing:border-box;font-size:14px;flex:none}
nav h2{font-size:13px;margin:1em 0 .2em;color:#777}nav a{display:block;color:#234;text-decoration:none}
nav a.here{font-weight:bold}main{max-width:56em;padding:1em 2em;min-width:0;flex:1}
pre{background:#f4f4f2;padding:.7em;overflow-x:auto;font-size:13.5px}code{font-size:.92em}a{color:#06c}
table{border-collapse:collapse;display:block;overflow-x:auto}td,th{padding:.15em .7em;border-bottom:1px solid #ddd}
img{max-width:100%}.api p{margin:.3em 0}.api section{margin:1.6em 0}
@media(max-width:50em){body{display:block}nav{width:auto;min-height:0}}
"""


def page_name(path):
    return NAMES.get(path, pathlib.PurePath(path).stem + ".html")


def others():
    """Documents that no part names, as new ones."""
    named = {path for _, paths in PARTS for path in paths}
    return [path for path in sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")) if path not in named]


def pages():
    return [*PARTS, ("More", others())] if others() else PARTS


def title_of(path, body):
    found = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.S)
    return re.sub(r"<[^>]*>", "", found.group(1)).strip() if found else pathlib.PurePath(path).stem


def convert(path):
    kind = "ipynb" if path.endswith(".ipynb") else "gfm"
    done = subprocess.run(["pandoc", "-f", kind, "-t", "html5", "--no-highlight", "--wrap=none", str(ROOT / path)], check=True,
                          capture_output=True, text=True)
    return done.stdout


class Site:
    def __init__(self, out):
        self.out, self.titles, self.copied = out, {}, set()
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        self.documents = {path: page_name(path) for _, paths in pages() for path in paths}

    def link(self, source, target):
        """What a link of a document becomes: a page, a file that comes along, or the address as it is."""
        address, _, anchor = target.partition("#")
        if not address or re.match(r"[a-z]+:", address):
            return target
        path = os.path.normpath(os.path.join(os.path.dirname(source), address))
        tail = f"#{anchor}" if anchor else ""
        if path in self.documents:
            return self.documents[path] + tail
        if re.fullmatch(r"include/invar/.*\.h", path):
            return header_page(path.removeprefix("include/invar/")) + tail
        if (ROOT / path).is_file():
            self.copied.add(path)
            return path + tail
        return None

    def relink(self, source, body):
        def change(found):
            target = self.link(source, html.unescape(found.group(2)))
            return f'{found.group(1)}"{html.escape(target)}"' if target else "data-was=" + f'"{found.group(2)}"'

        return re.sub(r'\b(href=|src=)"([^"]*)"', change, body)

    def navigation(self, here):
        out = []
        for part, paths in pages():
            out.append(f"<h2>{part}</h2>")
            for path in paths:
                out.append(self.entry(self.documents[path], self.titles[path], here))
        out.append("<h2>Library</h2>" + self.entry("api.html", "Functions and structs", here))
        return "\n".join(out)

    @staticmethod
    def entry(name, title, here):
        mark = ' class="here"' if name == here else ""
        return f'<a href="{name}"{mark}>{title}</a>'

    def write(self, name, title, body):
        text = (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
                f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="style.css">'
                f"</head>\n<body><nav>{self.navigation(name)}</nav>\n<main>\n{body}</main></body></html>\n")
        (self.out / name).write_text(text, encoding="utf-8")

    def make(self):
        bodies = {path: convert(path) for path in self.documents}
        self.titles = {path: title_of(path, body) for path, body in bodies.items()}
        for path, body in bodies.items():
            self.write(self.documents[path], self.titles[path], self.relink(path, body))
        self.headers()
        for path in sorted(self.copied):
            (self.out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, self.out / path)
        (self.out / "style.css").write_text(STYLE)

    def headers(self):
        headers = {str(p.relative_to(ROOT / "include/invar")): chunks(p.read_text(encoding="utf-8"))
                   for p in sorted((ROOT / "include/invar").rglob("*.h"))}
        places = {}
        for header, parts in headers.items():
            for comment, code in parts:
                for name in declared(code):
                    places.setdefault(name, f"{header_page(header)}#{name}")
        for header, parts in headers.items():
            body = "".join(section(comment, code, places, header) for comment, code in parts)
            self.write(header_page(header), f"invar/{header}", f'<div class="api"><h1>invar/{header}</h1>\n{body}</div>')
        rows = "".join(f'<li><a href="{where}"><code>{name}</code></a></li>\n' for name, where in sorted(places.items()))
        files = "".join(f'<li><a href="{header_page(h)}">invar/{h}</a></li>\n' for h in headers)
        self.write("api.html", "Functions and structs",
                   f"<h1>Functions and structs</h1>\n<p>From the headers; <a href=\"library.html\">libinvar in another program</a> "
                   f"explains.</p>\n<h2>Headers</h2>\n<ul>\n{files}</ul>\n<h2>Names</h2>\n<ul>\n{rows}</ul>\n")


def header_page(header):
    return "h-" + header.removesuffix(".h").replace("/", "-") + ".html"


def chunks(text):
    """[(comment, code)]: what stands between blank lines of the first level, or from one /** to the next."""
    lines = text.splitlines()
    parts, comment, code, depth, inside = [], [], [], 0, False
    for line in lines[1:]:
        begins = line.startswith("/**") and depth == 0 and not inside
        if (begins or (not line.strip() and depth == 0 and not inside)) and (code or (begins and comment)):
            parts.append((comment, code))
            comment, code = [], []
        if begins or inside:
            comment.append(line)
            inside = "*/" not in line
        elif line.strip():
            code.append(line)
            bare = re.sub(r"/\*.*?\*/", "", line)
            depth += bare.count("{") - bare.count("}") if 'extern "C"' not in line and not (line == "}" and depth == 0) else 0
    parts.append((comment, code))
    plain = re.compile(r"#(ifndef|define INVAR_[A-Z_]*_H$|ifdef|endif|include|if |else)|extern \"C\"|^}$")
    cleaned = [(comment, [line for line in code if not plain.match(line)]) for comment, code in parts]
    return [(comment, code) for comment, code in cleaned if code or comment]


def declared(code):
    text = re.sub(r"/\*.*?\*/", "", "\n".join(code), flags=re.S)
    flat, depth = [], 0
    for c in text:
        depth -= c == "}"
        flat.append(c if depth == 0 else "")
        depth += c == "{"
    text = "".join(flat)
    names = re.findall(r"^(?:struct|enum) (invar_\w+)\s*(?=\{|;)", text, re.M)
    names += re.findall(r"^#define (INVAR_\w+)", text, re.M)
    for declaration in re.split(r";|\}", text):
        if "typedef" in declaration:
            continue
        found = re.search(r"\b(invar_\w+)\s*\(", declaration) or \
            re.search(r"extern\b[^;]*?\b(invar_\w+)(?:\[[^\]]*\])*\s*$", declaration.strip(), re.S)
        if found:
            names.append(found.group(1))
    return dict.fromkeys(names)


def section(comment, code, places, header):
    text = re.sub(r"^\s*/?\*+/?|\*/\s*$", "", "\n".join(comment), flags=re.M)
    paragraphs = "".join(f"<p>{html.escape(' '.join(p.split()))}</p>" for p in re.split(r"\n\s*\n", text) if p.strip())
    own = [name for name in declared(code) if places.get(name, "").startswith(header_page(header) + "#")]
    anchors = "".join(f'<a id="{name}"></a>' for name in own)
    listing = re.sub(r"\b(invar_\w+|INVAR_\w+)\b", lambda found: f'<a href="{places[found.group(1)]}">{found.group(1)}</a>'
                     if found.group(1) in places else found.group(1), html.escape("\n".join(code)))
    return f"<section>{anchors}" + (f"<pre><code>{listing}</code></pre>" if code else "") + f"{paragraphs}</section>\n"


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.split("\n\n")[1])
    if not shutil.which("pandoc"):
        sys.exit("site: pandoc is missing: apt-get install pandoc")
    Site(pathlib.Path(sys.argv[1]).resolve()).make()


if __name__ == "__main__":
    main()
