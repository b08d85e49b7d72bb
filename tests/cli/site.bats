#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The documentation as pages: all of it, with links that lead somewhere.
load common

setup() {
    command -v pandoc >/dev/null || skip "pandoc is missing: apt-get install pandoc"
    cd "$BATS_TEST_TMPDIR" || return
}

@test "every document is a page, every public name stands in one, and all links lead somewhere" {
    python3 "$root/scripts/site.py" site
    for document in "$root"/docs/*.md; do
        [ -s "site/$(basename "${document%.md}").html" ]
    done
    [ -s site/notebook.html ] && [ -s site/index.html ]
    "$root/scripts/exports" >names
    [ "$(wc -l <names)" -gt 100 ]
    sed -n 's/.*<a href="h-[^"]*#\([a-z][a-z0-9_]*\)"><code>.*/\1/p' site/api.html | sort -u >shown
    LC_ALL=C comm -23 <(LC_ALL=C sort names) <(LC_ALL=C sort shown) >missing
    cat missing
    [ ! -s missing ]
    python3 - <<'END'
import html, pathlib, re, sys
site = pathlib.Path("site")
texts = {page.name: page.read_text() for page in site.glob("*.html")}
anchors = {name: set(re.findall(r'\bid="([^"]*)"', text)) for name, text in texts.items()}
wrong = []
for name, text in texts.items():
    wrong += [f"{name}: {target}: no such file" for target in re.findall(r'data-was="([^"]*)"', text) if "." in target.split("/")[-1]]
    for target in map(html.unescape, re.findall(r'\b(?:href|src)="([^"]*)"', text)):
        if re.match(r"[a-z]+:", target):
            continue
        address, _, anchor = target.partition("#")
        if address and not (site / address).is_file():
            wrong.append(f"{name}: {target}")
        elif anchor and anchor not in anchors.get(address or name, ()):
            wrong.append(f"{name}: {target}: no such place")
print("\n".join(wrong))
sys.exit(bool(wrong) or len(texts) < 40)
END
}
