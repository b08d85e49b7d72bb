/* The embedding map: points by class, a card with the sample under the pointer or the arrow keys. */
const card = document.getElementById("card");
const classColour = k => k < 0 ? colour("soft") : k < 12 ? colour("class" + k) : `hsl(${Math.round(k * 137.508 + 20) % 360} 58% ${document.documentElement.dataset.print || !matchMedia("(prefers-color-scheme: dark)").matches ? 42 : 66}%)`;
const shapes = ["circle", "triangle", "rect", "rectRot"];
const shapeOf = k => shapes[k < 0 ? 0 : Math.floor(k / 12) % 4];
const className = (map, k) => k < 0 ? "no label" : map.classes[k] === undefined ? String(k) : map.classes[k];

function tileOf(map) {
  if (!map.tile) return null;
  return isNumber(map.tile.like) ? Object.assign({}, map.tile, {uri: runs[map.tile.like].map.tile.uri}) : map.tile;
}

/* Picture of one point, magnified by whole numbers so that its pixels stay squares. */
function picture(map, i) {
  const tile = tileOf(map);
  if (!tile) return null;
  const scale = Math.max(1, Math.floor(112 / Math.max(tile.width, tile.height)));
  const node = el("div", {class: "picture"});
  Object.assign(node.style, {width: tile.width * scale + "px", height: tile.height * scale + "px",
    backgroundImage: `url(${tile.uri})`, backgroundSize: `${tile.width * tile.columns * scale}px ${tile.height * tile.lines * scale}px`,
    backgroundPosition: `-${i % tile.columns * tile.width * scale}px -${Math.floor(i / tile.columns) * tile.height * scale}px`});
  return node;
}

function showCard(map, i, x, y) {
  const row = map.values && map.values[i];
  card.replaceChildren(...[picture(map, i), el("p", {}, el("b", {}, className(map, map.label[i]))), el("p", {}, `${map.split} sample ${map.index[i]}`),
    row ? el("table", {}, el("tbody", {}, map.columns.map((name, k) => el("tr", {}, el("th", {}, name), el("td", {}, row[k]))))) : null].filter(Boolean));
  card.hidden = false;
  const left = Math.min(x + 16, scrollX + document.documentElement.clientWidth - card.offsetWidth - 8);
  const top = y + 16 + card.offsetHeight > scrollY + innerHeight ? y - card.offsetHeight - 16 : y + 16;
  card.style.left = Math.max(8 + scrollX, left) + "px";
  card.style.top = Math.max(8 + scrollY, top) + "px";
}
const hideCard = () => { card.hidden = true; };

/* Chart.js calls this wherever a tooltip would appear. */
function mapTooltip(map) {
  return ({chart, tooltip}) => {
    const point = tooltip.opacity && tooltip.dataPoints && tooltip.dataPoints[0];
    if (!point) return hideCard();
    const box = chart.canvas.getBoundingClientRect();
    showCard(map, point.raw.i, box.left + scrollX + tooltip.caretX, box.top + scrollY + tooltip.caretY);
  };
}

function mapSets(map, how) {
  const present = [...new Set(map.label)].sort((a, b) => a - b);
  return present.map(k => ({label: className(map, k), k, pointStyle: shapeOf(k), pointRadius: 3, pointHoverRadius: 7, pointHitRadius: 3,
    data: map.label.map((l, i) => ({l, i})).filter(p => p.l === k).map(({i}) => ({x: map[how].x[i], y: map[how].y[i], i})),
    paint: d => {
      const dim = map.only !== undefined && map.only !== k;
      const own = classColour(k);
      d.backgroundColor = dim ? colour("grid") : own;
      d.borderColor = dim ? colour("grid") : colour("raised");
      d.borderWidth = .5;
      d.order = dim ? 1 : 0;
    }}));
}

/* Arrow keys walk through the points: right and left through all, up and down within a class. */
function walk(chart, map, canvas) {
  const places = new Map();
  const find = () => chart.data.datasets.forEach((d, datasetIndex) => d.data.forEach((p, index) => places.set(p.i, {datasetIndex, index})));
  let at = -1;
  canvas.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1}[event.key];
    if (event.key === "Escape") { hideCard(); return; }
    if (!step) return;
    event.preventDefault();
    find();
    const count = map.label.length, start = at;
    do at = (at + step + count) % count;
    while (start >= 0 && /Up|Down/.test(event.key) && map.label[at] !== map.label[start] && at !== start);
    const place = [places.get(at)];
    chart.setActiveElements(place);
    chart.update("none");
    const meta = chart.getDatasetMeta(place[0].datasetIndex).data[place[0].index], box = canvas.getBoundingClientRect();
    showCard(map, at, box.left + scrollX + meta.x, box.top + scrollY + meta.y);
    const row = map.values && map.values[at];
    document.getElementById("spoken").textContent = `${className(map, map.label[at])}, ${map.split} sample ${map.index[at]}` +
      (row ? ": " + map.columns.map((n, k) => n + " " + row[k]).join(", ") : "");
  });
  canvas.addEventListener("blur", hideCard);
  canvas.addEventListener("mouseleave", hideCard);
}

function mapFigure(run) {
  const map = runs[run].map;
  const title = several ? labels[run] : `${map.label.length} of ${map.all} ${map.split} samples of ${map.source}`;
  const says = several ? `${map.label.length} of ${map.all} ${map.split} samples of ${map.source}, ${map.dimensions} numbers each` : `${map.dimensions} numbers each, in two dimensions`;
  const node = figure({title, says, tall: "map",
    spoken: `${says}. Arrow keys walk through the samples.`,
    config: {type: "scatter", data: {datasets: []}, options: {parsing: false, interaction: {mode: "nearest", intersect: true},
      scales: {x: axis("", {ticks: {display: false}, grid: {}}), y: axis("", {ticks: {display: false}, grid: {}})},
      plugins: {tooltip: {enabled: false, external: mapTooltip(map)}}}}});
  const canvas = node.querySelector("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  const note = el("p", {class: "note"});
  node.append(note);
  const draw = node.draw;
  node.draw = () => { node.chart = draw(); walk(node.chart, map, canvas); };
  node.use = how => {
    const real = map[how].absent ? "pca" : how;
    node.chart.data.datasets = mapSets(map, real);
    const name = real === "pca" ? ["first", "second"].map((w, k) => `${w} principal component, ${(100 * map.pca.share[k]).toFixed(1)} % of the variance`) : ["", ""];
    ["x", "y"].forEach((a, k) => Object.assign(node.chart.options.scales[a].title, {display: Boolean(name[k]), text: name[k]}));
    note.textContent = map[how].absent ? map[how].absent + "." : how === "tsne" ? `t-SNE, perplexity ${number(map.tsne.perplexity)}, ` +
      `${map.tsne.iterations} iterations, seed ${map.tsne.seed}, KL divergence ${number(map.tsne.divergence, 3)} nats: neighbours mean something, sizes and distances of groups little.` : "";
    paint(node.chart);
  };
  return node;
}

function mapSection() {
  const node = section("map", "Embedding map", "Where the encoder puts samples that it was not trained on, coloured by labels that it never saw. Hover, tap, or use the arrow keys to see a sample.");
  const with_map = runs.map((_, i) => i).filter(i => runs[i].map.pca);
  runs.forEach((r, i) => { if (!r.map.pca) node.append(absent(named([r]) + r.map.absent)); });
  if (!with_map.length) return;
  const figures = with_map.map(mapFigure);
  const grid = el("div", {class: figures.length > 1 ? "grid two" : ""}, figures);
  const choose = (how, words) => el("label", {}, el("input", {type: "radio", name: "projection", value: how, checked: how === "tsne",
    onchange: () => figures.forEach(f => f.use(how))}), " ", words);
  node.append(el("fieldset", {class: "choice"}, el("legend", {}, "Projection"), choose("tsne", "t-SNE"), choose("pca", "principal components")), grid);
  const first = runs[with_map[0]].map;
  const all = [...new Set(with_map.flatMap(i => runs[i].map.label))].sort((a, b) => a - b);
  const same = with_map.every(i => String(runs[i].map.classes) === String(first.classes));
  if (same && all.length > 1 && all.length <= 60) {
    const buttons = all.map(k => {
      const swatch = el("span", {class: "swatch", "aria-hidden": "true"});
      charts.push({chartless: () => { swatch.style.background = classColour(k); }});
      return el("button", {type: "button", "aria-pressed": "false", onclick: event => {
        const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
        buttons.forEach(b => b.setAttribute("aria-pressed", String(on && b === event.currentTarget)));
        with_map.forEach(i => { runs[i].map.only = on ? k : undefined; });
        figures.forEach(f => paint(f.chart));
      }}, swatch, className(first, k));
    });
    node.append(el("ul", {class: "classes", "aria-label": "Classes: press one to show it alone"}, buttons.map(b => el("li", {}, b))));
  }
  node.start = () => figures.forEach(f => { f.draw(); f.use("tsne"); });
  return node;
}
