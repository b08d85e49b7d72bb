/* The sections of the page, from the first to the last, and what happens to all of them together. */
const setting = (r, key) => r.settings[key];
const series = (r, name) => r.series.find(s => s.name === name);
const last = (r, name) => { const s = series(r, name); return s && s.value.length ? s.value[s.value.length - 1] : undefined; };
const top1 = (r, name) => r.probe && r.probe[name] ? r.probe[name].top1 : undefined;
const objective = r => [...new Set(Object.keys(r.settings).filter(k => k.startsWith("terms.")).map(k => k.split(".")[1]))]
  .map(t => { const w = setting(r, `terms.${t}.weight`); return w && w !== "1" ? `${w} × ${t}` : t; }).join(" + ");
const encoder = r => [setting(r, "encoder.kind"), setting(r, "encoder.widths"), setting(r, "encoder.width") && "width " + setting(r, "encoder.width")].filter(Boolean).join(" ");
const steps = r => { const s = series(r, "loss") || r.series[0]; return s && s.step.length ? s.step[s.step.length - 1] : undefined; };
const machineText = m => [m.processor, m.engine, m.instruction_set, m.precision, isNumber(m.threads) && `${m.threads} thread${m.threads === 1 ? "" : "s"}`].filter(Boolean).join(", ");
const machinesText = (list, joint) => [...new Set(list.filter(Boolean).map(machineText))].join(joint);
const measuredOn = r => machinesText([...Object.values(r.probe || {}), r.robustness, r.inspect].map(x => x && x.machine), "; ");
const repeat = r => `invar pretrain ${folderOf(Object.assign({}, r, {folder: r.folder + "/recipe.yaml"}))} --run NEW`;

/* ---- what it is ---- */

function tilesOf(r) {
  const tiles = [];
  const add = (value, words) => tiles.push(el("div", {class: "tile"}, el("b", {}, value), el("span", {}, words)));
  const linear = r.probe && r.probe.linear;
  if (linear && isNumber(linear.top1)) add(percent(linear.top1), "linear probe, top-1" + (linear.interval ? `; 95 % interval ${linear.interval[0].toFixed(1)} to ${linear.interval[1].toFixed(1)}` : ""));
  if (linear && isNumber(linear.r2)) add(linear.r2.toFixed(3), "linear probe, R²");
  if (isNumber(top1(r, "random"))) add(percent(top1(r, "random")), "the same encoder before training");
  if (isNumber(top1(r, "neighbours"))) add(percent(top1(r, "neighbours")), `nearest neighbours, k = ${r.probe.neighbours.k}`);
  if (r.robustness && isNumber(r.robustness.mean_error)) add(percent(r.robustness.mean_error), "mean error under corruption");
  if (isNumber(last(r, "representation_rank"))) add(number(last(r, "representation_rank"), 3), "effective rank of h at the end");
  if (isNumber(r.seconds)) add(duration(r.seconds), "of training");
  return el("div", {class: "tiles"}, tiles.slice(0, 4));
}

function factsOf(r) {
  const date = r.started ? new Date(r.started * 1000).toISOString().replace("T", " ").slice(0, 16) + " UTC" : null;
  const known = [
    ["Recipe", r.name], ["Data", r.source], ["What was in them", r.identity && el("code", {}, r.identity)], ["Encoder", encoder(r)], ["Objective", objective(r)],
    ["Optimiser", setting(r, "optimiser.kind") && `${setting(r, "optimiser.kind")}, learning rate ${setting(r, "optimiser.lr")}`],
    ["Length", [setting(r, "training.epochs") && setting(r, "training.epochs") + " epochs", setting(r, "training.batch") && "batch " + setting(r, "training.batch"), steps(r) && number(steps(r), 9) + " steps"].filter(Boolean).join(", ")],
    ["Seed", isNumber(r.seed) ? String(r.seed) : null], ["Training time", isNumber(r.seconds) ? duration(r.seconds) : null], ["Started", date],
    ["State", {finished: "finished", training: "in training", stopped: "not finished, and not in training now"}[r.state]],
    ["Trained on", r.machines && machinesText(r.machines, "; then ")], ["Measured on", measuredOn(r)],
    ["Folder", el("code", {}, r.folder)], ["Version", r.version], ["To repeat it", el("code", {}, repeat(r))]];
  return el("dl", {class: "facts"}, known.filter(([, v]) => v).map(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]));
}

function swatch(i) {
  const ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg"), line = document.createElementNS(ns, "line");
  Object.entries({width: 26, height: 10, "aria-hidden": "true"}).forEach(([k, v]) => svg.setAttribute(k, v));
  Object.entries({x1: 1, x2: 25, y1: 5, y2: 5, "stroke-width": 2.5, "stroke-dasharray": runDash(i).join(" ")}).forEach(([k, v]) => line.setAttribute(k, v));
  line.style.stroke = `var(--run${i % 8})`;
  svg.append(line);
  return svg;
}

function comparison() {
  const best = (values, low) => { const known = values.filter(isNumber); return known.length > 1 ? (low ? Math.min : Math.max)(...known) : undefined; };
  const columns = [["Linear probe, top-1", r => top1(r, "linear"), percent], ["Neighbours, top-1", r => top1(r, "neighbours"), percent],
    ["Before training", r => top1(r, "random"), percent], ["Corruption, mean error", r => r.robustness ? r.robustness.mean_error : undefined, percent, true],
    ["mCE", r => r.robustness ? r.robustness.mCE : undefined, v => number(v, 4), true], ["Loss at the end", r => last(r, "loss"), number, null],
    ["Rank of z", r => last(r, "effective_rank"), v => number(v, 3), null], ["Rank of h", r => last(r, "representation_rank"), v => number(v, 3), null],
    ["Training time", r => r.seconds, duration, null]].filter(([, of]) => runs.some(r => isNumber(of(r))));
  const marks = columns.map(([title, of, , low]) => low === null || title === "Before training" ? undefined : best(runs.map(of), low));
  const rows = runs.map((r, i) => [el("th", {scope: "row"}, swatch(i), " ", labels[i]), el("td", {class: "text"}, r.name), el("td", {class: "text"}, r.source),
    setting(r, "training.epochs") || "–", isNumber(r.seed) ? String(r.seed) : "–"].concat(columns.map(([, of, show], c) =>
    el("td", {class: isNumber(of(r)) && of(r) === marks[c] ? "best" : null}, show(of(r))))));
  return table("The runs side by side; the best number of a column is bold where one is better", ["Run", "Recipe", "Data", "Epochs", "Seed"].concat(columns.map(c => c[0])), rows);
}

function settingsTable() {
  const keys = [...new Set(runs.flatMap(r => Object.keys(r.settings)))];
  if (!several) return el("details", {class: "block"}, el("summary", {}, "Every option of the recipe"), table("Every option of the recipe", ["Option", "Value"], keys.map(k => [el("code", {}, k), el("td", {class: "text"}, runs[0].settings[k])])));
  const differ = keys.filter(k => new Set(runs.map(r => r.settings[k])).size > 1 && k !== "name");
  return el("details", {class: "block", open: differ.length > 0 && differ.length <= 12},
    el("summary", {}, differ.length ? `Options in which the recipes differ (${differ.length})` : "The recipes do not differ in any option"),
    differ.length ? table("Options in which the recipes differ", ["Option"].concat(labels), differ.map(k => [el("code", {}, k)].concat(runs.map(r => el("td", {class: "text"}, r.settings[k] === undefined ? "–" : r.settings[k]))))) : null);
}

function whatSection() {
  const node = section("what", several ? "The runs" : "What it is");
  runs.forEach((r, i) => r.problems.forEach(p => node.append(el("p", {class: "problem"}, named([r]), sentence(p)))));
  if (several) node.append(comparison(), el("div", {}, runs.map((r, i) => el("details", {}, el("summary", {}, labels[i] + ": what it is"), factsOf(r)))));
  else node.append(tilesOf(runs[0]), factsOf(runs[0]));
  if (runs.some(r => Object.keys(r.settings).length)) node.append(settingsTable());
}

/* ---- curves ---- */

const seriesNames = {
  loss: ["Loss", "weighted sum of the terms"], "classifier/top1": ["Online classifier", "top-1 % of the batch's views"],
  "classifier/loss": ["Loss of the online classifier", ""], lr: ["Learning rate", ""], embedding_std: ["Deviation of z", "falling towards 0 is collapse"],
  effective_rank: ["Effective rank of z", "RankMe: directions in use"], representation_rank: ["Effective rank of h", "RankMe: directions in use"],
  entropy: ["Entropy of z", "LogDet, nats; sees a change of scale"], representation_entropy: ["Entropy of h", "LogDet, nats"],
  alignment: ["Alignment", "squared distance of two views of a sample, 0 to 4"], gradient_norm: ["Gradient norm", "before clipping"],
  perturbation_rms: ["Size of the perturbation", "root mean square"], generator_gradient_norm: ["Gradient norm of the generator", ""],
  samples_per_s: ["Speed", "samples a second"]};
const seriesOrder = Object.keys(seriesNames);
function seriesTitle(name) {
  if (seriesNames[name]) return seriesNames[name];
  const part = name.split("/");
  return part[0] === "loss" ? [part.slice(1).join(": "), "part of the loss, unweighted"] : [name, ""];
}

function curvesSection() {
  const node = section("curves", "Curves", "What was logged during training, by step.");
  const rank = n => n === "loss" ? -2 : n.startsWith("loss/") ? -1 : seriesOrder.includes(n) ? seriesOrder.indexOf(n) : 99;
  const names = [...new Set(runs.flatMap(r => r.series.map(s => s.name)))].filter(n => n !== "epoch").sort((a, b) => rank(a) - rank(b));
  const figures = names.map(name => {
    const lines = runs.map((r, run) => ({run, s: series(r, name)})).filter(l => l.s && l.s.value.length)
      .map(l => ({run: l.run, points: l.s.step.map((x, i) => ({x, y: l.s.value[i]})).filter(p => name !== "samples_per_s" || p.y > 0)})).filter(l => l.points.length);
    const [title, says] = seriesTitle(name);
    return lines.length ? curves({title, says, lines, x: "step", y: ""}) : null;
  }).filter(Boolean);
  const without = runs.filter(r => !r.series.some(s => s.value.length));
  if (without.length) node.append(missing(without, "nothing was logged yet: `invar pretrain` writes metrics.jsonl as it goes."));
  node.append(el("div", {class: "grid"}, figures));
  node.start = () => figures.forEach(f => f.draw());
  return node;
}

/* ---- views ---- */

function viewsTable(r, v) {
  const name = row => row.label < 0 ? "" : v.classes[row.label] === undefined ? String(row.label) : v.classes[row.label];
  if (v.kind === "table")
    return el("div", {class: "grid"}, v.rows.map(row => table(`Training sample ${row.index}${name(row) ? ", " + name(row) : ""}` + (v.all_places > v.places.length ? `: the first ${v.places.length} of ${v.all_places} numbers` : ""),
      ["Number"].concat(v.columns), v.places.map((p, k) => [p].concat(row.cells.map((c, j) => el("td", {class: j > 0 && c[k] !== row.cells[0][k] ? "best" : null}, number(c[k], 3))))), "rows")));
  return el("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": "Views of samples"}, el("table", {class: "views" + (v.width > 48 ? " large" : "")},
    el("thead", {}, el("tr", {}, el("td", {}), v.rows.map(row => el("th", {scope: "col"}, name(row) || `sample ${row.index}`)))),
    el("tbody", {}, v.columns.map((column, j) => el("tr", {}, el("th", {scope: "row"}, column),
      v.rows.map(row => el("td", {}, el("img", {src: row.cells[j], alt: `training sample ${row.index}${name(row) ? ", " + name(row) : ""}: ${column}`}))))))));
}

function viewsSection() {
  const node = section("views", "Views", "Training samples as the network sees them: plain, and changed in ways that should not matter.");
  const seen = new Set();
  runs.forEach((r, i) => {
    const v = r.views;
    if (v.absent) return node.append(absent(named([r]) + v.absent));
    const key = JSON.stringify(v);
    if (seen.has(key)) return;
    const alike = runs.map((o, j) => JSON.stringify(o.views) === key ? labels[j] : null).filter(Boolean);
    seen.add(key);
    const notes = [
      v.kind === "audio" ? "Log-mel spectrograms: time to the right, low bands at the bottom." : v.kind === "table" ? "Numbers standardised as the encoder takes them; bold: changed by the view." : null,
      v.largest_change ? `“Added to it” is what the adversary adds: ${v.kind === "table" ? "" : "gray is nothing, black and white are "}at most ${number(v.largest_change, 3)} in units of the standardised input.` : null,
      v.note ? "Perturbed views are not shown: " + v.note : null].filter(Boolean).map(t => el("p", {class: "note"}, sentence(t)));
    node.append(several && alike.length < runs.length ? el("details", {class: "block", open: i === 0}, el("summary", {}, alike.join(", ")), viewsTable(r, v), notes) : [viewsTable(r, v), notes].flat(Infinity).reduce((box, n) => (box.append(n), box), el("div")));
  });
}

/* ---- probe ---- */

const probeNames = {linear: "Linear probe", neighbours: "Nearest neighbours", random: "Linear probe, before training", input: "Linear probe on the plain views",
  supervised: "Trained with labels", neighbours_random: "Neighbours, before training", neighbours_input: "Neighbours of the plain views", finetune: "Fine-tuning"};

function confusion(r, result) {
  const names = result.classes || result.confusion.map((_, k) => String(k));
  const total = result.confusion.map(row => row.reduce((a, b) => a + b, 0));
  const mistakes = result.confusion.flatMap((row, i) => row.map((n, j) => ({i, j, n}))).filter(m => m.i !== m.j && m.n > 0).sort((a, b) => b.n - a.n);
  const list = table("The most frequent mistakes", ["True class", "Taken for", "Samples", "Of the class"],
    mistakes.slice(0, 12).map(m => [names[m.i], el("td", {class: "text"}, names[m.j]), String(m.n), percent(100 * m.n / total[m.i])]));
  if (names.length > 20) return list;
  const head = ["True \\ taken for"].concat(names);
  const rows = result.confusion.map((row, i) => [names[i]].concat(row.map((n, j) => heatCell(String(n), total[i] ? n / total[i] : 0, i !== j))));
  return el("div", {}, table("Samples by true class (rows) and the class that the probe takes them for; shaded by share of the row", head, rows, "heat"), behind("The most frequent mistakes", list));
}

function probeSection() {
  const node = section("probe", "What a probe reads", "How well labels can be told from the frozen representation.");
  const without = runs.filter(r => !r.probe || !Object.values(r.probe).some(p => p && (isNumber(p.top1) || isNumber(p.r2))));
  if (without.length) node.append(missing(without, "no probe was fitted yet: " + command("probe", without) + " does."));
  const found = runs.map((r, run) => ({r, run})).filter(({r}) => !without.includes(r));
  if (!found.length) return node;
  const results = found.flatMap(({r}) => Object.values(r.probe).filter(p => p && isNumber(p.top1)));
  const measures = [["balanced_accuracy", "Balanced"], ["macro_f1", "Macro F1"], ["auroc", "AUROC"], ["ece", "ECE"]].filter(([key]) => results.some(p => isNumber(p[key])));
  const rows = found.flatMap(({r, run}) => Object.entries(r.probe).filter(([, p]) => p && isNumber(p.top1)).map(([key, p]) =>
    [(several ? labels[run] + ": " : "") + (probeNames[key] || key), percent(p.top1), p.interval ? p.interval.map(x => x.toFixed(2)).join(" – ") : "–", isNumber(p.top5) ? percent(p.top5) : "–",
      ...measures.map(([key]) => isNumber(p[key]) ? p[key].toFixed(4) : "–"),
      isNumber(p.train_count) ? String(p.train_count) : "–", isNumber(p.test_count) ? String(p.test_count) : "–",
      el("td", {class: "text"}, [p.data, p.label && "label " + p.label, p.hold_out && "held out " + p.hold_out, p.protocol && p.protocol.preset && "preset " + p.protocol.preset, p.converged === false && "not converged"].filter(Boolean).join(", "))]));
  const numbers = found.flatMap(({r, run}) => Object.entries(r.probe).filter(([, p]) => p && isNumber(p.r2)).map(([key, p]) =>
    [(several ? labels[run] + ": " : "") + (probeNames[key] || key), p.r2.toFixed(4), isNumber(p.mae) ? number(p.mae, 4) : "–", isNumber(p.spearman) ? p.spearman.toFixed(4) : "–", isNumber(p.alpha) ? String(p.alpha) : "–",
      isNumber(p.train_count) ? String(p.train_count) : "–", isNumber(p.test_count) ? String(p.test_count) : "–", el("td", {class: "text"}, [p.data, p.hold_out && "held out " + p.hold_out].filter(Boolean).join(", "))]));
  if (numbers.length) node.append(table("Numbers read from it on the test split", ["Regression", "R²", "MAE", "Spearman", "alpha", "Fitted on", "Tested on", "Data"], numbers));
  if (!rows.length) return node;
  node.append(table("Accuracy of the classifiers on the test split", ["Classifier", "Top-1", "95 % interval", "Top-5", ...measures.map(([, title]) => title), "Fitted on", "Tested on", "Data"], rows));
  const figures = [];
  const main = r => r.probe.linear && r.probe.linear.per_class ? r.probe.linear : Object.values(r.probe).find(p => p && p.per_class);
  const by_class = found.filter(({r}) => main(r));
  if (by_class.length) {
    const names = main(by_class[0].r).classes || main(by_class[0].r).per_class.map((_, k) => String(k));
    const sets = by_class.filter(({r}) => String(main(r).classes || "") === String(main(by_class[0].r).classes || "") && main(r).per_class.length === names.length).map(({r, run}) => ({run, values: main(r).per_class}));
    figures.push(bars({title: "Accuracy by class", says: "linear probe, percent of the test samples of the class", names, sets, unit: "%", most: 100}));
  }
  const matrices = by_class.filter(({r}) => main(r).confusion).map(({r, run}) => ({run, box: confusion(r, main(r))}));
  node.append(el("h3", {style: "margin: 1.6rem 0 .6rem"}, "Confusion"),
    several ? el("div", {}, matrices.map((m, k) => el("details", {class: "block", open: k === 0}, el("summary", {}, labels[m.run]), m.box))) : matrices.map(m => m.box)[0] || "",
    el("div", {style: "margin-top: 1.2rem"}, figures));
  node.start = () => figures.forEach(f => f.draw());
  return node;
}

/* ---- robustness ---- */

function robustnessSection() {
  const node = section("robustness", "Robustness", "Errors of the linear probe, fitted on clean data, when the test images are corrupted.");
  const found = runs.map((r, run) => ({r, run, b: r.robustness})).filter(({b}) => b && b.corruptions && Object.keys(b.corruptions).length);
  const without = runs.filter(r => !found.some(f => f.r === r));
  if (without.length) node.append(missing(without, (without.every(r => /^(csv|audio):/.test(r.source)) ? "common corruptions are of images, and these data are none." : "no corruptions were measured yet: " + command("robustness", without) + " does.")));
  if (!found.length) return node;
  const severities = b => b.protocol && b.protocol.severities || Object.values(b.corruptions)[0].error.map((_, k) => k + 1);
  const shown = [["clean", b => b.clean && b.clean.error], ["mean error, 15", b => b.mean_error], ["mean error, 19", b => b.mean_error_19], ["mCE, 15", b => b.mCE], ["mrCE, 15", b => b.mrCE], ["mCE, 19", b => b.mCE_19], ["mrCE, 19", b => b.mrCE_19]]
    .filter(([, of]) => found.some(({b}) => isNumber(of(b))));
  node.append(table("Errors in percent", ["Run"].concat(shown.map(s => s[0]), "Reference"), found.map(({run, b}) => [labels[run]].concat(shown.map(([, of]) => isNumber(of(b)) ? of(b).toFixed(2) : "–"), el("td", {class: "text"}, b.reference && b.reference.name || "none")))));
  const lines = found.map(({run, b}) => { const all = Object.values(b.corruptions), s = severities(b);
    const points = s.map((x, k) => ({x, y: all.reduce((sum, c) => sum + c.error[k], 0) / all.length}));
    return {run, points: (b.clean && isNumber(b.clean.error) ? [{x: 0, y: b.clean.error}] : []).concat(points)}; });
  const names = Object.keys(found[0].b.corruptions);
  const mean = c => c ? c.error.reduce((a, x) => a + x, 0) / c.error.length : null;
  const figures = [curves({title: "Error by severity", says: "mean over the corruptions, percent; 0 is clean", lines, x: "severity", y: "error, %", tall: "tall"}),
    bars({title: "Error by corruption", says: "mean over the severities, percent", names: names.map(n => n.replaceAll("_", " ")), sets: found.map(({run, b}) => ({run, values: names.map(n => mean(b.corruptions[n]))})), unit: "%"})];
  node.append(el("div", {class: "grid two", style: "margin-top: 1rem"}, figures));
  found.forEach(({run, b}, k) => { const s = severities(b);
    const sheet = table("Error in percent by corruption and severity", ["Corruption"].concat(s.map(String), isNumber(Object.values(b.corruptions)[0].CE) ? "CE" : []),
      Object.entries(b.corruptions).map(([n, c]) => [n.replaceAll("_", " ") + (c.extra ? " (extra)" : "")].concat(c.error.map(e => heatCell(e.toFixed(1), Math.min(1, e / 100), true)), isNumber(c.CE) ? el("td", {}, c.CE.toFixed(1)) : [])), "heat");
    node.append(el("details", {class: "block", open: k === 0, style: "margin-top: 1rem"}, el("summary", {}, (several ? labels[run] + ": every" : "Every") + " corruption and severity"), sheet)); });
  node.start = () => figures.forEach(f => f.draw());
  return node;
}

/* ---- what invar inspect found ---- */

function spectrumSection() {
  const node = section("spectrum", "Spectra and information", "How many directions two views of a sample share, and how variance is spread over directions.");
  const without = runs.filter(r => !r.inspect);
  if (without.length) node.append(missing(without, "nothing was measured yet: " + command("inspect", without) + " does."));
  const found = runs.map((r, run) => ({r, run})).filter(({r}) => r.inspect);
  found.forEach(({r, run}) => (Array.isArray(r.inspect.warnings) ? r.inspect.warnings : []).forEach(w => node.append(el("p", {class: "problem"}, named([r]), typeof w === "string" ? w : w.says || JSON.stringify(w)))));
  const of = (s, k) => ({run}) => { const v = runs[run].inspect[s] && runs[run].inspect[s][k]; return v && v.values; };
  const spectrum = (title, says, pick, y, log) => {
    const lines = found.map(f => ({run: f.run, values: pick(f)})).filter(l => l.values && l.values.length)
      .map(l => ({run: l.run, points: l.values.map((v, k) => ({x: k + 1, y: v})).filter(p => isNumber(p.y) && (!log || p.y > 0))})).filter(l => l.points.length);
    return lines.length ? curves({title, says, lines, x: "direction", y, log}) : null;
  };
  const figures = [
    spectrum("Canonical correlations of h", "of two views, descending", of("correlation", "h_correlations"), "correlation"),
    spectrum("Canonical correlations of z", "of two views, descending", of("correlation", "z_correlations"), "correlation"),
    spectrum("Variance of h by direction", "eigenvalues of the covariance, both axes logarithmic", of("h", "eigenvalues"), "", "both"),
    spectrum("Variance of z by direction", "eigenvalues of the covariance, both axes logarithmic", of("z", "eigenvalues"), "", "both")].filter(Boolean);
  node.append(el("div", {class: "grid two"}, figures));
  const titles = {h: "Representation h", z: "Embedding z", correlation: "Correlations of two views", fisher: "Classes", noise: "Noise at the input", bound: "Bound of generalisation", view: "What is known of a view"};
  const groups = Object.keys(titles).map(s => {
    const keys = [...new Set(found.flatMap(({r}) => Object.entries(r.inspect[s] || {}).filter(([, v]) => v && isNumber(v.value)).map(([k]) => k)))];
    const cell = (r, k) => r.inspect[s] && r.inspect[s][k] || {};
    const says = k => found.map(({r}) => cell(r, k)).find(c => c.says) || {};
    return keys.length ? [el("h3", {style: "margin: .8rem 0 .3rem"}, titles[s]), table(titles[s], ["Number"].concat(found.map(({run}) => several ? labels[run] : "Value"), "Unit", "What it says"),
      keys.map(k => [k.replaceAll("_", " ")].concat(found.map(({r}) => number(cell(r, k).value)), el("td", {class: "text"}, says(k).unit || ""), el("td", {class: "text"}, says(k).says || ""))))] : null;
  }).filter(Boolean);
  if (groups.length) node.append(el("details", {class: "block", style: "margin-top: 1rem"}, el("summary", {}, "Every number of invar inspect"), groups));
  node.start = () => figures.forEach(f => f.draw());
  return node;
}

/* ---- all together ---- */

function legend() {
  if (!several) return;
  document.getElementById("legend").append(el("div", {class: "wide"}, el("fieldset", {class: "legend"}, el("legend", {}, "Show"), runs.map((r, i) =>
    el("label", {}, el("input", {type: "checkbox", checked: true, onchange: event => charts.filter(c => !c.chartless).forEach(c => {
      c.data.datasets.forEach((d, k) => { if (d.run === i) c.setDatasetVisibility(k, event.target.checked); });
      c.update("none"); })}), swatch(i), labels[i])))));
}

function keepPlace() {
  let kept = {};
  const names = () => [...document.querySelectorAll("details")];
  try { kept = JSON.parse(sessionStorage.getItem("invar") || "{}"); } catch (e) { kept = {}; }
  names().forEach((d, i) => { if (kept.open && i in kept.open) d.open = kept.open[i]; });
  if (isNumber(kept.y)) scrollTo({top: kept.y, behavior: "instant"});
  return () => { try { sessionStorage.setItem("invar", JSON.stringify({y: scrollY, open: names().map(d => d.open)})); } catch (e) { /* no storage: the place is lost */ } };
}

function reloadLater() {
  const state = document.getElementById("state");
  if (!data.reload) return;
  const pause = el("input", {type: "checkbox"});
  state.append(el("p", {class: "going"}, `Training goes on. This page is of ${data.written} and loads itself anew every ${data.reload} s. `, el("label", {}, pause, " pause")));
  const keep = keepPlace();
  setInterval(() => { if (!pause.checked) { keep(); location.reload(); } }, data.reload * 1000);
}

function start() {
  const title = several ? `${runs.length} runs side by side` : labels[0];
  document.getElementById("title").textContent = title;
  document.getElementById("lead").textContent = several ? labels.join(", ")
    : [runs[0].name, runs[0].source && "on " + runs[0].source, {training: "in training", stopped: "not finished"}[runs[0].state]].filter(Boolean).join(", ");
  legend();
  whatSection();
  const drawn = [curvesSection(), viewsSection(), mapSection(), probeSection(), robustnessSection(), spectrumSection()];
  document.getElementById("foot").textContent = `Written ${data.written} by invar ${data.version}. Everything on this page is inside this file; it loads nothing. Charts by Chart.js (MIT License).`;
  drawn.forEach(s => s && s.start && s.start());
  paintAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintAll);
  addEventListener("beforeprint", () => { document.documentElement.dataset.print = "yes"; charts.forEach(c => c.chartless || c.resize()); paintAll(); });
  addEventListener("afterprint", () => { delete document.documentElement.dataset.print; charts.forEach(c => c.chartless || c.resize()); paintAll(); });
  reloadLater();
}
start();
