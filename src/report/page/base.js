/* Elements, numbers, charts: what every section is made of. Text becomes text nodes, never markup. */
const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs;
const several = runs.length > 1;
const labels = runs.map(r => runs.filter(o => o.label === r.label).length > 1 ? r.folder : r.label);
const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined) node.append(child);
  return node;
}

const isNumber = x => typeof x === "number" && isFinite(x);

function number(x, digits = 4) {
  if (!isNumber(x)) return "–";
  const size = Math.abs(x);
  if (x !== 0 && (size < 1e-3 || size >= 1e6)) return x.toExponential(2).replace("e", " e").replace("e+", "e");
  return String(Number(x.toPrecision(digits)));
}
const percent = x => isNumber(x) ? x.toFixed(2) + " %" : "–";

function duration(s) {
  if (!isNumber(s)) return "–";
  if (s < 60) return s.toFixed(s < 10 ? 1 : 0) + " s";
  const whole = Math.round(s);
  if (whole < 3600) return Math.floor(whole / 60) + " min " + String(whole % 60).padStart(2, "0") + " s";
  return Math.floor(whole / 3600) + " h " + String(Math.floor(whole % 3600 / 60)).padStart(2, "0") + " min";
}

const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const runColour = i => colour("run" + i % 8);
const runDash = i => dashes[Math.floor(i / 8) ? 1 + i % 3 : i % 4];

/* ---- sections ---- */

function section(id, title, says) {
  const node = el("section", {id, "aria-labelledby": id + "-title"}, el("h2", {id: id + "-title"}, title),
                  says ? el("p", {class: "says"}, says) : null);
  document.getElementById("main").append(node);
  document.getElementById("sections").append(el("a", {href: "#" + id}, title));
  return node;
}

/* A sentence in which `words like these` are commands. */
function sentence(text) {
  return String(text).split("`").map((part, i) => i % 2 ? el("code", {}, part) : part);
}
const absent = text => el("p", {class: "absent"}, sentence(text));
const folderOf = r => /[^\w.\/-]/.test(r.folder) ? "'" + r.folder.replaceAll("'", "'\\''") + "'" : r.folder;
const command = (verb, which) => "`invar " + verb + " " + (which.length === 1 ? folderOf(which[0]) : "RUN") + "`";
const capital = text => text.charAt(0).toUpperCase() + text.slice(1);
const missing = (which, text) => absent(named(which) ? named(which) + text : capital(text));
const named = which => several && which.length < runs.length ? labels.filter((_, i) => which.includes(runs[i])).join(", ") + ": " : "";

function table(caption, head, rows, kind) {
  const body = rows.map(row => el("tr", {}, row.map((cell, i) =>
    cell instanceof Node && /^T[DH]$/.test(cell.tagName) ? cell
      : i === 0 ? el("th", {scope: "row"}, cell) : el("td", {class: typeof cell === "string" && /^[^\d–−-]/.test(cell) ? "text" : null}, cell))));
  return el("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": caption},
            el("table", {class: kind}, el("caption", {class: kind ? null : "spoken"}, caption),
               el("thead", {}, el("tr", {}, head.map((h, i) => el("th", {scope: "col", class: rows.length && rows[0][i] instanceof Node && rows[0][i].className === "text" ? "text" : null}, h)))), el("tbody", {}, body)));
}

const behind = (title, node) => el("details", {}, el("summary", {}, title), node);

/* ---- charts ---- */

Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;
Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
Chart.defaults.plugins.legend.display = false;
const charts = [];

function paint(chart) {
  const options = chart.options;
  for (const axis of Object.values(options.scales)) {
    axis.grid.color = colour("grid");
    axis.ticks.color = axis.title.color = colour("soft");
    axis.border = {color: colour("line")};
  }
  Object.assign(options.plugins.tooltip, {backgroundColor: colour("raised"), titleColor: colour("ink"), bodyColor: colour("ink"),
    borderColor: colour("line"), borderWidth: 1, displayColors: several});
  chart.data.datasets.forEach(d => d.paint && d.paint(d));
  chart.update("none");
}
const paintAll = () => charts.forEach(c => c.chartless ? c.chartless() : paint(c));

function axis(title, more) {
  return Object.assign({type: "linear", grid: {}, ticks: {maxTicksLimit: 7, maxRotation: 0}, title: {display: Boolean(title), text: title || ""}}, more);
}

/* A figure: heading, what it says, the canvas with its text, and the numbers as a table behind it. */
function figure({title, says, config, spoken, numbers, tall}) {
  const canvas = el("canvas", {role: "img", "aria-label": title + ". " + spoken});
  const node = el("figure", {}, el("figcaption", {}, el("h3", {}, title), el("p", {}, says || "")),
                  el("div", {class: "plot" + (tall ? " " + tall : "")}, canvas), numbers ? behind("As a table", numbers) : null);
  node.draw = () => {
    config.options.plugins = config.options.plugins || {};
    config.options.plugins.tooltip = config.options.plugins.tooltip || {};
    const chart = new Chart(canvas, config);
    chart.title = title;
    charts.push(chart);
    paint(chart);
    return chart;
  };
  return node;
}

function lineSet(run, points, more) {
  return Object.assign({label: labels[run], run, data: points, parsing: false, borderWidth: 1.75, pointHitRadius: 8,
    pointRadius: points.length < 3 ? 3 : 0, pointHoverRadius: 4, borderDash: runDash(run),
    paint: d => { d.borderColor = d.backgroundColor = runColour(run); }}, more);
}

const thin = (list, most) => list.length <= most ? list
  : Array.from({length: most}, (_, i) => list[Math.round(i * (list.length - 1) / (most - 1))]);

/* One curve a run. lines: [{run, points: [{x, y}]}] */
function curves({title, says, lines, x, y, log, tall}) {
  const spoken = lines.map(l => {
    const first = l.points[0], last = l.points[l.points.length - 1], ys = l.points.map(p => p.y);
    return (several ? labels[l.run] + ": " : "") + `from ${number(first.y)} at ${x} ${number(first.x)} to ${number(last.y)} at ${x} ${number(last.x)}, ` +
      `lowest ${number(Math.min(...ys))}, highest ${number(Math.max(...ys))}.`;
  }).join(" ");
  const all = lines.flatMap(l => l.points.map(p => p.y)), flat = Math.max(...all) - Math.min(...all) <= 1e-6 * Math.abs(Math.max(...all));
  const numbers = el("div", {}, lines.map(l => table(title + (several ? ", " + labels[l.run] : "") + ": some of the points",
    [x, several ? labels[l.run] : title], thin(l.points, 12).map(p => [number(p.x), number(p.y)]))));
  return figure({title, says, spoken, numbers, tall, config: {type: "line", data: {datasets: lines.map(l => lineSet(l.run, l.points))},
    options: {interaction: {mode: "nearest", axis: "x", intersect: false},
      scales: {x: axis(x, log === "both" ? {type: "logarithmic"} : {}), y: axis(y, log ? {type: "logarithmic"} : {ticks: {maxTicksLimit: 6}, beginAtZero: flat})},
      plugins: {tooltip: {callbacks: {title: items => items.length ? x + " " + number(items[0].parsed.x) : "",
        label: item => (several ? item.dataset.label + ": " : "") + number(item.parsed.y)}}}}}});
}

/* Bars beside each other: sets: [{run, values}] over names. */
function bars({title, says, names, sets, unit, most}) {
  const height = Math.max(9, names.length * (0.75 + 0.55 * sets.length) + 3);
  const spoken = sets.map(s => (several ? labels[s.run] + ": " : "") + names.map((n, i) => n + " " + number(s.values[i])).join(", ")).join(". ") + ".";
  const node = figure({title, says, spoken,
    numbers: table(title, [""].concat(sets.map(s => several ? labels[s.run] : unit)), names.map((n, i) => [n].concat(sets.map(s => number(s.values[i]))))),
    config: {type: "bar", data: {labels: names, datasets: sets.map(s => ({label: labels[s.run], run: s.run, data: s.values, borderRadius: 3,
        categoryPercentage: .8, barPercentage: .9, backgroundColor: () => runColour(s.run)}))},
      options: {indexAxis: "y", scales: {x: axis(unit, {beginAtZero: true, max: most}), y: axis("", {type: "category", ticks: {autoSkip: false}})},
        plugins: {tooltip: {callbacks: {label: item => (several ? item.dataset.label + ": " : "") + number(item.parsed.x) + " " + unit}}}}}});
  node.querySelector(".plot").style.height = height + "rem";
  return node;
}

/* Cells shaded by share (0 to 1); no shade between the two, on which neither dark nor light text can be read. */
function heatCell(text, share, warm) {
  const deep = share > .6, shade = deep ? .84 + .4 * (share - .6) : .03 + .78 * share;
  return el("td", {class: deep ? "deep" : null, style: `background: rgb(var(--${warm ? "warm" : "heat"}) / ${shade.toFixed(3)})`}, text);
}
