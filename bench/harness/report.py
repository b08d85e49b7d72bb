# SPDX-License-Identifier: Apache-2.0
"""Tables of results: one of a kind of processor, kept as JSON from which the text is made."""
import json
import pathlib
import statistics

RESULTS = pathlib.Path(__file__).resolve().parent.parent / "results"


def spread(values, digits):
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def best_peer(result):
    peers = [p for p in result["programs"] if p["name"] != "invar"]
    return max(peers, key=lambda p: statistics.median(p["rates"]), default=None)


def summarise(result):
    """Ratios to the best peer: of medians, and the spread of those round by round."""
    ours, best = result["programs"][0], best_peer(result)
    for program in result["programs"]:
        program["median"] = statistics.median(program["rates"])
    if best:
        by_round = [a / b for a, b in zip(ours["rates"], best["rates"])]
        result["best_peer"] = best["name"]
        result["ratio"] = ours["median"] / best["median"]
        result["ratio_spread"] = [min(by_round), max(by_round)]
        result["memory_ratio"] = ours["step_resident_bytes"] / best["step_resident_bytes"]


def text_of(result):
    unit = "images/s" if result["part"] == "embed" else "samples/s"
    beside = ", one other busy process beside" if result["beside"] else ""
    digits = 0 if result["programs"][0]["median"] >= 1000 else 1 if result["programs"][0]["median"] >= 100 else 2
    lines = [f"{result['case']}, {result['precision']}{beside}: {result['what']}",
             f"  {result['rounds']} rounds in turn; commit {result['commit']}; {', '.join(result['versions'])}",
             f"  {'':24} {unit:>10}   {'lowest to highest':22} {'step MiB':>9} {'peak MiB':>9}"]
    for p in result["programs"]:
        lines.append(f"  {p['name']:24} {p['median']:10.{digits}f}   {spread(p['rates'], digits):22} "
                     f"{p['step_resident_bytes'] / 2**20:9.0f} {p['peak_resident_bytes'] / 2**20:9.0f}")
    for missing in result["missing"]:
        lines.append(f"  missing: {missing}")
    if "ratio" in result:
        low, high = result["ratio_spread"]
        memory = "" if result["part"] == "embed" else f"; memory of the step {result['memory_ratio']:.2f}"
        lines.append(f"  invar / {result['best_peer']}: {result['ratio']:.2f} ({low:.2f} to {high:.2f}){memory}")
    if "fraction_of_peak" in result:
        lines.append(f"  invar: {100 * result['fraction_of_peak']:.0f} % of a matrix product's "
                     f"{result['matrix_peak_flops'] / 1e9:.0f} GFLOP/s, "
                     f"{100 * result['fraction_of_winograd_bound']:.0f} % of its bound by Winograd's F(4x4, 3x3)")
        where = sorted(result["seconds_by_work"].items(), key=lambda item: -item[1])
        parts = [f"{name} {100 * s / result['step_s']:.0f}" for name, s in where if s > 0.01 * result["step_s"]]
        lines.append(f"  percent of its step: {', '.join(parts)}")
    return "\n".join(lines)


def key(result):
    return "/".join([result["case"], result["precision"]] + (["beside"] if result["beside"] else []))


def keep(machine, results):
    """Into the table of this kind of processor; cases that were not measured stay as they are. Returns its path."""
    kind = machine["instruction_set"].lower().replace("_", "-")
    path = RESULTS / f"{kind}.json"
    table = json.loads(path.read_text()) if path.exists() else {"results": {}}
    table["machine"] = machine
    for result in results:
        table["results"][key(result)] = result
    path.write_text(json.dumps(table, indent=1) + "\n")
    head = f"{machine['processor']}, {machine['instruction_set']}, {machine['threads']} threads\n{machine['device']}"
    text = path.with_suffix(".txt")
    text.write_text("\n\n".join([head] + [text_of(r) for r in table["results"].values()]) + "\n")
    return text
