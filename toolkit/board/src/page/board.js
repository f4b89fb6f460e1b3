// The page of `trainbook board`. Everything that comes from the store becomes a text node or a
// property, never markup.
"use strict";

const PERIOD = 2000; // milliseconds between two looks at what changed
const TYPING = 180; // milliseconds without a key before a query is asked
const ROWS = 100;
const POINTS = 1000;
const MOST_CHOSEN_AT_FIRST = 3;
const MOST_CHARTS_AT_FIRST = 4;

// Colours that people with any colour vision can tell apart (Okabe and Ito, 2008), the darkest
// lightened where the ground is dark.
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const DARK = ["#4ba3e3", "#ff8a4c", "#2cc79a", "#e29ac2", "#f0b732", "#8fd0f7"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const PREFERRED = ["loss", "train_loss", "val_loss", "val_accuracy", "train_accuracy", "learning_rate", "gradient_norm"];

const at = (id) => document.getElementById(id);
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** An element with properties, attributes (`aria-…`, `data-…`, `role`, `scope`) and children. */
function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (/^(aria-|data-|role$|scope$|class$|for$|colspan$)/.test(name)) element.setAttribute(name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element[name] = value;
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// ---------------------------------------------------------------- what is asked of the server

const known = new Map(); // address → { tag, data }

/** The document at an address; `changed` is false if it is the one that was there before. */
async function get(address) {
  const before = known.get(address);
  let response;
  try {
    const headers = before ? { "If-None-Match": before.tag } : {};
    response = await fetch(address, { headers, cache: "no-store", credentials: "same-origin" });
  } catch {
    throw { gone: true, message: "no answer; is trainbook board still running?" };
  }
  if (response.status === 304 && before) return { data: before.data, changed: false };
  const isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
  const data = isJson ? await response.json() : null;
  if (!response.ok) {
    // What the server says finishes this sentence, as everywhere in trainbook.
    if (data && data.error) throw { ...data.error, message: `failed to ${data.error.message}` };
    throw { message: (await response.text().catch(() => "")).trim() || response.statusText };
  }
  if (known.size > 400) known.clear();
  const tag = response.headers.get("ETag");
  if (tag) known.set(address, { tag, data });
  return { data, changed: true };
}

function say(error) {
  at("status").textContent = error ? error.message : "";
}

// ---------------------------------------------------------------- how values are shown

function number(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e6 ? value.toExponential(3) : value.toPrecision(5);
  return text.includes("e") ? text.replace(/\.?0+e/, "e") : text.replace(/\.?0+$/, "");
}

const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

function duration(seconds) {
  if (typeof seconds !== "number") return "";
  if (seconds < 1e-3) return "< 1 ms";
  if (seconds < 60) return `${number(Number(seconds.toPrecision(3)))} s`;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h} h ${m} min` : `${m} min ${s} s`;
}

function moment(text) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const two = (n) => String(n).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** A name as the query language takes it. */
const quoted = (name) => "`" + name.replaceAll("`", "``") + "`";

function partOf(metric) {
  if (/acc|f1|auc|score|r2|precision|recall/i.test(metric)) return "max";
  if (/loss|err|rmse|mae|mse|perplexity/i.test(metric)) return "min";
  return "last";
}

// ---------------------------------------------------------------- charts

let plotly = null;

/** plotly.js, fetched when the first curve is to be drawn: it is large, and the table need not wait. */
function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = el("script", { src: document.documentElement.dataset.plotly });
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => {
      plotly = null;
      reject({ message: "plotly.js could not be loaded from trainbook board" });
    });
    document.head.append(script);
  });
  return plotly;
}

const colour = (index) => (dark.matches ? DARK : LIGHT)[index % LIGHT.length];
const dash = (index) => DASHES[Math.floor(index / LIGHT.length) % DASHES.length];

/** plotly reads tags and entities in texts; these characters begin both. */
const inert = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The exponentially weighted mean so far, corrected for its start (Kingma and Ba, 2015, section 3). */
function runningMean(values) {
  const beta = 1 - 1 / Math.min(Math.max(values.length / 50, 2), 100);
  let [mean, weight] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    mean = beta * mean + (1 - beta) * value;
    weight = beta * weight + (1 - beta);
    return mean / weight;
  });
}

/** Draws `lines` ({ name, index, steps, values }) of one metric into `plot`. */
async function draw(plot, metric, lines, { log, smooth }) {
  const Plotly = await loadPlotly();
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const axis = {
    gridcolor: of("--grid"), linecolor: of("--line"), zerolinecolor: of("--line"), automargin: true,
    exponentformat: "e", tickfont: { color: of("--quiet") },
  };
  const traces = lines.flatMap(({ name, index, steps, values }) => {
    const line = { color: colour(index), width: 1.8, dash: dash(index) };
    const trace = {
      type: "scatter", x: steps, y: values, name: inert(name), line, marker: { size: 5, color: line.color },
      mode: values.length <= 60 ? "lines+markers" : "lines",
      hovertemplate: "%{y:.5~g} at step %{x}<extra>%{fullData.name}</extra>",
    };
    if (!smooth || values.length < 10) return [trace];
    return [
      { ...trace, opacity: 0.3, mode: "lines", line: { ...line, width: 1 }, hoverinfo: "skip", hovertemplate: null },
      { ...trace, mode: "lines", y: runningMean(values) },
    ];
  });
  const layout = {
    margin: { l: 8, r: 8, t: 8, b: 8 }, showlegend: false, hovermode: "closest",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: of("--quiet"), activecolor: of("--text") }, uirevision: `${metric} ${log}`,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, DejaVu Sans, sans-serif", size: 12, color: of("--text") },
    hoverlabel: { bgcolor: of("--raised"), bordercolor: of("--line"), font: { color: of("--text") }, namelength: -1 },
    xaxis: { ...axis, title: { text: "step", standoff: 6, font: { color: of("--quiet") } } },
    yaxis: { ...axis, type: log ? "log" : "linear" },
  };
  const config = {
    displaylogo: false, responsive: true, displayModeBar: "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
  };
  await Plotly.react(plot, traces, layout, config);
}

/** Charts of metrics in a place, one figure each, kept as long as their metric is shown. */
class Charts {
  constructor(place) {
    this.place = place;
    this.figures = new Map();
  }

  /** Shows `curves` (metric → lines), in this order. */
  async show(curves, options) {
    for (const [metric, { figure, plot }] of this.figures) {
      if (curves.has(metric)) continue;
      if (window.Plotly) window.Plotly.purge(plot);
      figure.remove();
      this.figures.delete(metric);
    }
    let before = null;
    for (const metric of curves.keys()) {
      let shown = this.figures.get(metric);
      if (!shown) {
        const plot = el("div", { class: "plot" });
        shown = { plot, figure: el("figure", { class: "chart" }, el("figcaption", {}, metric), plot), signature: "" };
        this.figures.set(metric, shown);
      }
      const next = before ? before.nextSibling : this.place.firstChild;
      if (next !== shown.figure) this.place.insertBefore(shown.figure, next);
      before = shown.figure;
    }
    for (const [metric, lines] of curves) {
      const shown = this.figures.get(metric);
      const last = (line) => `${line.name} ${line.index} ${line.total} ${line.steps.at(-1)}`;
      const signature = JSON.stringify([lines.map(last), options, dark.matches]);
      if (!shown || shown.signature === signature) continue;
      const best = lines.map((line) => `${line.name}: ${number(line.values.at(-1))}`).join("; ");
      shown.plot.setAttribute("role", "img");
      shown.plot.setAttribute("aria-label", `${metric} by step. Last values: ${best}`);
      await draw(shown.plot, metric, lines, options);
      shown.signature = signature;
    }
  }
}

const final = new Set(); // addresses that were asked when the run was settled: nothing more comes

/** The points of these metrics of a run, by metric. */
async function points({ id, state }, metrics) {
  if (!metrics.length) return {};
  const names = metrics.map((name) => `name=${encodeURIComponent(name)}`).join("&");
  const address = `/api/run/${encodeURIComponent(id)}/metrics?points=${POINTS}&${names}`;
  if (final.has(address) && known.has(address)) return known.get(address).data.metrics;
  const { data } = await get(address);
  if (state !== "running") final.add(address);
  return data.metrics;
}

const preferredFirst = (names) => {
  const rank = (name) => (PREFERRED.includes(name) ? PREFERRED.indexOf(name) : PREFERRED.length);
  return [...names].sort((a, b) => rank(a) - rank(b));
};

// ---------------------------------------------------------------- the table of runs

const list = {
  query: "", order: "", offset: 0, table: null, focus: 0,
  selected: new Map(), // id → { index, row }
  touched: false, // whether a person chose runs
  metrics: null, columns: null,
  charts: new Charts(at("charts")),
};

const FIXED = [
  { key: "state", label: "state", order: "state", cell: (run) => el("span", { class: `state-${run.state}`, title: run.reason || "" }, run.state) },
  { key: "started", label: "started", order: "started_at", cell: (run) => el("span", { class: "id" }, moment(run.started_at)) },
  { key: "took", label: "took", order: "seconds", number: true, cell: (run) => duration(run.seconds) },
  { key: "steps", label: "steps", order: "steps", number: true, cell: (run) => number(run.steps) },
  { key: "epochs", label: "epochs", order: "epochs", number: true, cell: (run) => number(run.epochs) },
  { key: "seed", label: "seed", order: "seed", number: true, cell: (run) => run.seed },
  { key: "model", label: "model", order: "model", cell: (run) => run.model },
  { key: "warnings", label: "warnings", order: "warnings", number: true, cell: (run) => (run.warnings ? number(run.warnings) : "") },
];

function column(key) {
  const fixed = FIXED.find((one) => one.key === key);
  if (fixed) return fixed;
  const kind = key.slice(0, 1);
  const name = key.slice(2);
  if (kind === "m") {
    const part = partOf(name);
    return {
      key, label: `${name} ${part}`, order: `metrics.${quoted(name)}.${part}`, number: true,
      cell: (run) => (Object.hasOwn(run.metrics, name) ? number(run.metrics[name][part]) : ""),
    };
  }
  const [field, of] = kind === "p" ? ["params", (run) => run.params] : ["tags", (run) => run.tags];
  return { key, label: name, order: `${field}.${quoted(name)}`, cell: (run) => (Object.hasOwn(of(run), name) ? of(run)[name] : "") };
}

/** What a person who chose nothing sees: how it went, and what was varied. */
function chooseAtFirst({ names, runs }) {
  const metrics = preferredFirst(names.metrics);
  const results = metrics.filter((name) => name.startsWith("val_")).slice(0, 2);
  if (!results.length) results.push(...metrics.slice(0, 2));
  const values = (name) => runs.filter((run) => Object.hasOwn(run.params, name)).map((run) => run.params[name]);
  const varied = names.params.filter((name) => new Set(values(name)).size > 1).slice(0, 3);
  list.columns = ["state", "started", "took", ...results.map((name) => `m ${name}`), ...varied.map((name) => `p ${name}`), "model"];
  list.metrics = metrics.filter((name) => PREFERRED.includes(name)).slice(0, MOST_CHARTS_AT_FIRST);
  if (!list.metrics.length) list.metrics = metrics.slice(0, 2);
}

function address() {
  const part = (name, value) => (value ? `&${name}=${encodeURIComponent(value)}` : "");
  return `/api/runs?limit=${ROWS}${part("query", list.query)}${part("order", list.order)}${part("offset", list.offset)}`;
}

let asked = 0;

async function refreshList() {
  const mine = ++asked;
  const mistake = at("mistake");
  let answer;
  try {
    answer = await get(address());
  } catch (error) {
    if (mine !== asked) return;
    const isQuery = error.place !== undefined;
    mistake.textContent = isQuery ? `failed to ${error.text}` : "";
    mistake.hidden = !isQuery;
    at("query").setAttribute("aria-invalid", String(isQuery));
    at("list").classList.toggle("stale", true);
    say(isQuery ? null : error);
    return;
  }
  if (mine !== asked) return;
  mistake.hidden = true;
  mistake.textContent = "";
  at("query").removeAttribute("aria-invalid");
  at("list").classList.remove("stale");
  say(null);
  if (answer.changed || list.table !== answer.data) {
    list.table = answer.data;
    if (list.offset && list.offset >= list.table.total) {
      list.offset = 0;
      return refreshList();
    }
    if (!list.columns && list.table.total) chooseAtFirst(list.table);
    if (!list.touched && !list.selected.size) list.table.runs.slice(0, MOST_CHOSEN_AT_FIRST).forEach(choose);
    showTable();
  }
  await showCurves();
}

function choose(run) {
  const taken = new Set([...list.selected.values()].map(({ index }) => index));
  let index = 0;
  while (taken.has(index)) index += 1;
  list.selected.set(run.id, { index, row: run });
}

function toggle(run) {
  list.touched = true;
  if (!list.selected.delete(run.id)) choose(run);
  showTable();
  showCurves().catch(say);
}

function showTable() {
  const { table } = list;
  at("store").textContent = table.store.split(/[\\/]/).slice(-2).join("/");
  at("store").title = table.store;
  const { total, offset, runs, remarks, index_problem: problem, sorts_itself: itself } = table;
  at("count").textContent = `${counted(total, "run")}${itself ? ", sorted as the query says" : ""}`;
  const told = [...remarks];
  if (problem) told.push(`the index could not be used, so the journals were read: ${problem}`);
  at("remarks").replaceChildren(...told.map((text) => el("p", {}, text)));
  at("nothing").hidden = total > 0;
  at("nothing").textContent = list.query ? "No run fits." : "No runs yet. They appear here as soon as one is recorded.";
  at("place").textContent = total > runs.length ? `${offset + 1} to ${offset + runs.length} of ${total}` : "";
  at("newer").disabled = offset === 0;
  at("older").disabled = offset + runs.length >= total;
  at("compare").disabled = list.selected.size !== 2;
  at("compare").title = "Select two runs to see what differs";
  at("clear").disabled = !list.selected.size;

  const columns = (list.columns || []).map(column);
  const head = ({ label, order, number: isNumber }) => {
    const direction = list.order === order ? "ascending" : list.order === `${order} desc` ? "descending" : null;
    const arrow = direction ? (direction === "ascending" ? " ▲" : " ▼") : "";
    const sort = () => {
      list.order = direction === "descending" ? order : direction === "ascending" ? "" : `${order} desc`;
      list.offset = 0;
      refreshList().catch(say);
    };
    return el("th", { scope: "col", class: isNumber ? "number" : "", "aria-sort": direction },
      el("button", { type: "button", onclick: sort, "data-order": order }, label + arrow));
  };
  const focusedHead = document.activeElement?.dataset?.order;
  at("heads").replaceChildren(el("tr", {}, el("th", { scope: "col", class: "pick" }, "show"), head({ label: "run", order: "id" }), columns.map(head)));
  if (focusedHead) [...at("heads").querySelectorAll("button")].find((one) => one.dataset.order === focusedHead)?.focus();

  const body = at("rows");
  const hadFocus = body.contains(document.activeElement);
  list.focus = Math.min(list.focus, Math.max(runs.length - 1, 0));
  body.replaceChildren(...runs.map((run, place) => row(run, place, columns)));
  if (hadFocus) body.rows[list.focus]?.focus({ preventScroll: true });
  showChoices();
}

function row(run, place, columns) {
  const chosen = list.selected.get(run.id);
  if (chosen) chosen.row = run;
  const box = el("input", { type: "checkbox", checked: Boolean(chosen), tabIndex: -1, "aria-label": `show the curves of run ${run.name || run.id}` });
  box.addEventListener("change", () => toggle(run));
  const swatch = el("span", { class: "swatch" });
  if (chosen) swatch.style.backgroundColor = colour(chosen.index);
  const name = el("td", {}, el("a", { href: `#/run/${run.id}`, tabIndex: -1, class: "id" }, run.id));
  if (run.name) name.append(el("div", { class: "long", title: run.name }, run.name));
  if (run.damage) name.append(el("div", { class: "bad long", title: run.damage }, `damaged: ${run.damage}`));
  const element = el("tr", { tabIndex: place === list.focus ? 0 : -1, "aria-selected": String(Boolean(chosen)), "data-id": run.id },
    el("td", { class: "pick" }, box, swatch), name,
    columns.map((one) => {
      const cell = one.cell(run);
      const isLong = typeof cell === "string" && cell.length > 24;
      return el("td", { class: one.number ? "number" : isLong ? "long" : "short", title: isLong ? cell : null }, cell);
    }));
  element.addEventListener("focus", () => moveTo(place, false));
  return element;
}

function moveTo(place, focus = true) {
  const { rows } = at("rows");
  if (!rows.length) return;
  const to = Math.min(Math.max(place, 0), rows.length - 1);
  if (rows[list.focus]) rows[list.focus].tabIndex = -1;
  list.focus = to;
  rows[to].tabIndex = 0;
  if (focus) rows[to].focus();
}

let choicesShown = "";

function showChoices() {
  const { names } = list.table;
  const signature = () => JSON.stringify([names, list.metrics, list.columns]);
  if (signature() === choicesShown) return;
  choicesShown = signature();
  const box = (label, chosen, change) =>
    el("label", {}, el("input", { type: "checkbox", checked: chosen, onchange: (event) => change(event.target.checked) }), label);
  const group = (title, boxes) => (boxes.length ? el("fieldset", {}, el("legend", {}, title), boxes) : null);
  const change = (what, key, redraw) => (isOn) => {
    list[what] = isOn ? [...(list[what] || []), key] : (list[what] || []).filter((other) => other !== key);
    // The boxes show it already; made anew, they would lose the focus.
    choicesShown = signature();
    redraw();
  };
  const has = (what, key) => Boolean(list[what] && list[what].includes(key));
  const curves = () => showCurves().catch(say);
  at("metric-choices").replaceChildren(...[group("draw", preferredFirst(names.metrics).map((name) => box(name, has("metrics", name), change("metrics", name, curves))))].filter(Boolean));
  const columns = (keys) => keys.map(([key, label]) => box(label, has("columns", key), change("columns", key, showTable)));
  at("column-choices").replaceChildren(...[
    group("run", columns(FIXED.map(({ key, label }) => [key, label]))),
    group("metrics", columns(names.metrics.map((name) => [`m ${name}`, `${name} ${partOf(name)}`]))),
    group("parameters", columns(names.params.map((name) => [`p ${name}`, name]))),
    group("tags", columns(names.tags.map((name) => [`t ${name}`, name]))),
  ].filter(Boolean));
}

const options = () => ({ log: at("log-y").checked, smooth: at("smooth").checked });

let drawing = Promise.resolve();

/** One drawing after the other: a later one may not be overtaken by an earlier. */
function showCurves() {
  drawing = drawing.catch(() => null).then(drawCurves);
  return drawing;
}

async function drawCurves() {
  const metrics = list.metrics || [];
  const curves = new Map();
  const runs = [...list.selected];
  const answers = await Promise.allSettled(runs.map(([, { row: run }]) => points(run, metrics.filter((name) => Object.hasOwn(run.metrics, name)))));
  answers.forEach((answer, place) => {
    if (answer.status === "rejected") {
      // A run that was deleted has no curves any more.
      if (answer.reason.gone) throw answer.reason;
      list.selected.delete(runs[place][0]);
    }
  });
  for (const metric of metrics) {
    const lines = runs.flatMap(([id, { index, row: run }], place) => {
      const curve = answers[place].value && Object.hasOwn(answers[place].value, metric) ? answers[place].value[metric] : null;
      return curve ? [{ name: run.name ? `${run.name} (${id})` : id, index, ...curve }] : [];
    });
    if (lines.length) curves.set(metric, lines);
  }
  at("charts-none").hidden = curves.size > 0;
  await list.charts.show(curves, options());
}

// ---------------------------------------------------------------- one run, and two

const detail = { shown: "", build: null };

function table(caption, heads, rows, kinds = []) {
  if (!rows.length) return null;
  const kind = (place) => (kinds[place] === "n" ? "number" : "text");
  return [
    el("h3", {}, caption),
    el("div", { class: "scroll" }, el("table", { "aria-label": caption },
      el("thead", {}, el("tr", {}, heads.map((head, place) => el("th", { scope: "col", class: kind(place) }, head)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, place) => el("td", { class: kind(place) }, cell))))))),
  ];
}

function facts(caption, pairs) {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!rows.length) return null;
  return [
    el("h3", {}, caption),
    el("div", { class: "scroll narrow" }, el("table", { class: "facts", "aria-label": caption },
      el("tbody", {}, rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))))),
  ];
}

/** A value of JSON in one line. */
function flat(value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(flat).join(", ");
  if (typeof value === "object") {
    const held = Object.entries(value).filter(([, inner]) => inner !== null);
    return held.map(([name, inner]) => `${name} ${flat(inner)}`).join(", ");
  }
  return typeof value === "number" ? number(value) : String(value);
}

const runLink = (id) => el("a", { href: `#/run/${id}`, class: "id" }, id);

function object(run, { id, what, text }) {
  const source = `/api/run/${run}/object/${id}`;
  const place = el("div");
  const show = async () => {
    const response = await fetch(source, { credentials: "same-origin" });
    const told = response.ok ? await response.text() : (await response.json()).error.message;
    place.replaceChildren(el("pre", { tabIndex: 0 }, told.length > 200000 ? `${told.slice(0, 200000)}\n… save it to see the rest` : told));
  };
  const button = text ? el("button", { type: "button", onclick: () => show().catch(() => say({ message: "no answer; is trainbook board still running?" })) }, "Show") : null;
  return [what, [el("a", { href: source, download: `${id.slice(0, 12)}` }, "save"), " ", button, el("span", { class: "quiet" }, ` ${id.slice(0, 12)}…`), place]];
}

function buildRun(page) {
  const { run, model, parent, plan, data, environment, recipe, events, event_count: count, objects, stopped_writer: stopped } = page;
  const state = el("p", { class: "lead" }, el("strong", { class: `state-${run.state}` }, run.state), run.reason ? `: ${run.reason}` : "",
    ` · ${counted(run.epochs, "epoch")}, ${counted(run.steps, "step")} · seed ${run.seed}${run.seconds === null ? "" : ` · ${duration(run.seconds)}`} · started ${moment(run.started_at)}`);
  const metrics = Object.entries(run.metrics);
  const open = detail.build?.querySelector("#recipe")?.open;
  const happened = events.map(({ at: time, event }) => {
    const [[kind, fields]] = Object.entries(event);
    return [moment(time), kind, fields.text ?? flat(fields)];
  }).reverse();
  const environmentRows = Object.entries(environment || {}).filter(([name]) => !["git_diff", "notebook_file", "notebook_cell"].includes(name));
  return el("div", {},
    el("h2", {}, run.name ? `${run.name} ` : "", el("span", { class: "id" }, run.id)),
    state,
    run.damage ? el("p", { class: "lead bad" }, `damaged: ${run.damage}`) : null,
    stopped ? el("p", { class: "lead warn" }, `process ${stopped}, which records this run, is stopped; kill -CONT ${stopped} continues it`) : null,
    parent ? el("p", { class: "lead" }, parent.resumed ? "resumes " : "went on with ", runLink(parent.run), ` behind step ${parent.step}`) : null,
    el("div", { class: "charts", id: "detail-charts" }),
    table("Metrics", ["metric", "last", "min", "at step", "max", "at step", "mean", "points", "NaN"],
      preferredFirst(metrics.map(([name]) => name)).map((name) => {
        const whole = run.metrics[name];
        return [name, number(whole.last), number(whole.min), number(whole.argmin), number(whole.max), number(whole.argmax), number(whole.mean), number(whole.count), whole.nan_count ? number(whole.nan_count) : ""];
      }), ["", "n", "n", "n", "n", "n", "n", "n", "n"]),
    facts("Parameters", Object.entries(run.params)),
    facts("Tags", Object.entries(run.tags)),
    facts("Network", [["model", model]]),
    facts("Data", [["source", data?.source], ["rows", data?.rows ? number(data.rows) : ""], ["hash", data?.hash]]),
    table("Plan of callbacks", ["callback", "phase", "reads", "writes"], (plan || []).map((one) => [one.name, one.phase, flat(one.reads), flat(one.writes)])),
    table(count > events.length ? `Events (the newest ${events.length} of ${count})` : "Events", ["time", "event", ""], happened),
    facts("Files in the store", objects.map((one) => object(run.id, one))),
    facts("Environment", environmentRows.map(([name, value]) => [name.replaceAll("_", " "), name === "memory" && value ? `${number(value / 2 ** 30)} GiB` : flat(value)])),
    recipe ? [el("h3", {}, "Recipe"), el("details", { id: "recipe", open: Boolean(open) }, el("summary", {}, "Everything that decides the run, as JSON"), el("pre", { tabIndex: 0 }, recipe))] : null,
  );
}

async function refreshRun(id) {
  const { data, changed } = await get(`/api/run/${encodeURIComponent(id)}`);
  const key = `run ${id}`;
  if (route().key !== key) return;
  if (changed || detail.shown !== key) {
    const built = buildRun(data);
    const charts = at("detail-charts");
    if (detail.shown === key && charts) built.querySelector("#detail-charts").replaceWith(charts);
    replaceDetail(key, built);
  }
  const metrics = preferredFirst(Object.keys(data.run.metrics)).slice(0, 24);
  const curves = await points(data.run, metrics);
  if (route().key !== key) return;
  await detail.charts.show(new Map(metrics.filter((name) => Object.hasOwn(curves, name)).map((name) => [name, [{ name: data.run.name || data.run.id, index: 0, ...curves[name] }]])), options());
}

function buildDiff(diff) {
  const row = ({ path, a, b }) => [path, a ?? "–", b ?? "–"];
  const causes = ["settings", "data", "code", "machine"];
  const group = (name) => table(name[0].toUpperCase() + name.slice(1), ["field", "a", "b"], diff.differences.filter((one) => one.group === name).map(row));
  const legend = el("ul", { class: "legend" }, [diff.a, diff.b].map((id, index) => {
    const swatch = el("span", { class: "swatch" });
    swatch.style.backgroundColor = colour(index);
    return el("li", {}, swatch, `${"ab"[index]}: `, runLink(id));
  }));
  return el("div", {},
    el("h2", {}, "Two runs"), legend,
    el("p", { class: "lead" }, el("strong", {}, diff.sentence)),
    diff.not_known.length ? el("p", { class: "lead warn" }, `not known of either: ${diff.not_known.join(", ")}`) : null,
    causes.map(group),
    el("h3", {}, "Curves"),
    el("div", { class: "charts", id: "detail-charts" }),
    ["results", "circumstances"].map(group),
    table("Where the metrics part", ["metric", "step", "a", "b"], diff.divergences.map(({ metric, step, a, b }) => [metric, number(step), a === null ? "–" : String(a), b === null ? "–" : String(b)]), ["", "n", "n", "n"]),
    diff.not_compared.length ? el("p", { class: "quiet" }, `Not compared, because they measure time: ${diff.not_compared.join(", ")}`) : null,
  );
}

async function refreshDiff(a, b) {
  const key = `diff ${a} ${b}`;
  const [{ data, changed }, ...runs] = await Promise.all([`/api/diff/${encodeURIComponent(a)}/${encodeURIComponent(b)}`, `/api/run/${encodeURIComponent(a)}`, `/api/run/${encodeURIComponent(b)}`].map(get));
  if (route().key !== key) return;
  if (changed || detail.shown !== key) {
    const built = buildDiff(data);
    const charts = at("detail-charts");
    if (detail.shown === key && charts) built.querySelector("#detail-charts").replaceWith(charts);
    replaceDetail(key, built);
  }
  const names = runs.map((run) => Object.keys(run.data.run.metrics));
  const metrics = preferredFirst(new Set(names.flat())).slice(0, 12);
  const answers = await Promise.all(runs.map((run, place) => points(run.data.run, metrics.filter((name) => names[place].includes(name)))));
  if (route().key !== key) return;
  const lines = (metric) => answers.flatMap((curves, index) => (Object.hasOwn(curves, metric) ? [{ name: `${"ab"[index]}: ${runs[index].data.run.id}`, index, ...curves[metric] }] : []));
  await detail.charts.show(new Map(metrics.map((metric) => [metric, lines(metric)])), options());
}

/** Shows `built`, with the focus and the place in the page as they were if it is the same view. */
function replaceDetail(key, built) {
  const same = detail.shown === key;
  const scroll = window.scrollY;
  at("detail-body").replaceChildren(built);
  if (!same) detail.charts = new Charts(at("detail-charts"));
  detail.shown = key;
  detail.build = built;
  window.scrollTo(0, same ? scroll : 0);
  if (!same) at("detail").focus({ preventScroll: true });
}

// ---------------------------------------------------------------- where we are

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  if (parts[0] === "run" && parts[1]) return { key: `run ${parts[1]}`, refresh: () => refreshRun(parts[1]) };
  if (parts[0] === "diff" && parts[2]) return { key: `diff ${parts[1]} ${parts[2]}`, refresh: () => refreshDiff(parts[1], parts[2]) };
  return { key: "list", query: new URLSearchParams(query).get("q") ?? "", refresh: refreshList };
}

async function refresh() {
  const now = route();
  const isList = now.key === "list";
  at("list").hidden = !isList;
  at("detail").hidden = isList;
  if (!isList && detail.shown !== now.key) at("detail-body").replaceChildren(el("p", { class: "quiet" }, "…"));
  document.title = isList ? "trainbook board" : `${now.key} – trainbook`;
  try {
    await now.refresh();
    if (!isList) say(null);
  } catch (error) {
    if (!error.message) throw error;
    const instead = !isList && detail.shown !== now.key && route().key === now.key;
    if (instead) at("detail-body").replaceChildren(el("p", { class: "bad", role: "alert" }, error.message));
    say(instead ? null : error);
  }
}

async function keepFresh() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
    if (!document.hidden) await refresh();
  }
}

function close() {
  if (route().key === "list") return;
  location.hash = list.query ? `#/?q=${encodeURIComponent(list.query)}` : "#/";
}

function ask(query) {
  list.query = query;
  list.offset = 0;
  history.replaceState(null, "", query ? `#/?q=${encodeURIComponent(query)}` : "#/");
  refreshList().catch(say);
}

function begin() {
  // The cookie has the token now; the address need not show it, nor the history keep it.
  const url = new URL(location.href);
  if (url.searchParams.has("token")) {
    url.searchParams.delete("token");
    history.replaceState(null, "", url);
  }
  const box = at("query");
  list.query = route().query ?? "";
  box.value = list.query;
  let timer = 0;
  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => ask(box.value.trim()), TYPING);
  });
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    ask(box.value.trim());
  });
  for (const id of ["log-y", "smooth"]) at(id).addEventListener("change", () => showCurves().catch(say));
  at("clear").addEventListener("click", () => {
    list.touched = true;
    list.selected.clear();
    showTable();
    showCurves().catch(say);
  });
  at("compare").addEventListener("click", () => {
    // The older run first, as what came before a change.
    const [a, b] = [...list.selected.keys()].sort();
    location.hash = `#/diff/${a}/${b}`;
  });
  const turn = (by) => () => {
    list.offset = Math.max(list.offset + by, 0);
    list.focus = 0;
    refreshList().catch(say);
  };
  at("newer").addEventListener("click", turn(-ROWS));
  at("older").addEventListener("click", turn(ROWS));
  at("back").addEventListener("click", (event) => {
    event.preventDefault();
    close();
  });
  at("rows").addEventListener("keydown", (event) => {
    const moves = { ArrowDown: list.focus + 1, ArrowUp: list.focus - 1, Home: 0, End: Infinity, PageDown: list.focus + 20, PageUp: list.focus - 20 };
    const run = list.table.runs[list.focus];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (Object.hasOwn(moves, event.key)) moveTo(moves[event.key]);
    else if (event.key === " ") toggle(run);
    else if (event.key === "Enter") location.hash = `#/run/${run.id}`;
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      close();
      at("list").hidden = false;
      box.focus();
      box.select();
    } else if (event.key === "Escape") {
      const open = [...document.querySelectorAll(".menu[open]")];
      if (open.length) {
        for (const menu of open) menu.open = false;
        open[0].querySelector("summary").focus();
      } else if (route().key !== "list") close();
      else if (typing) moveTo(list.focus);
    } else if (event.key === "ArrowDown" && event.target === box) {
      event.preventDefault();
      moveTo(list.focus);
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  window.addEventListener("hashchange", () => {
    const { key, query } = route();
    if (key === "list") {
      if (query !== list.query) {
        box.value = query;
        list.query = query;
        list.offset = 0;
      }
      refresh().then(() => {
        if (document.activeElement === document.body) moveTo(list.focus);
      });
    } else refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
  dark.addEventListener("change", () => {
    if (list.table) showTable();
    refresh();
  });
  refresh().then(keepFresh);
}

begin();
