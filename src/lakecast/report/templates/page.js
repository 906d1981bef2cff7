// The page: each chart in its place, the choice of series, the theme, the contents.
const CURVES = DATA.curves;
const LAST = CURVES.last;
const BAND = `${DATA.level}% interval`;

function slice(curve, from, to) {
  return Array.from({ length: to - from + 1 }, (_, k) => at(curve, from + k));
}

// History, backtest, forecast and kept-back sales of one series (or all) between two positions.
function timePlot(series, from, to) {
  const part = (curve) => slice(curve, from, to);
  const band = (name) => ({ name: BAND, low: part(series[`${name}lo`]), high: part(series[`${name}hi`]) });
  return {
    from, to, style: "number", title: moment,
    ticks: (room) => calendar(from, to, room),
    rule: LAST >= from && LAST < to ? { at: LAST, label: "last known" } : undefined,
    bands: ["f", "b"].filter((name) => series[`${name}lo`]).map(band),
    lines: [
      { name: "Sold", mark: "c-history", values: part(series.h) },
      { name: "Backtest", mark: "c-backtest", values: part(series.b) },
      { name: "Forecast", mark: "c-forecast", values: part(series.f) },
      { name: "Sold (kept back)", mark: "c-kept", values: part(series.a), dots: true },
    ],
  };
}

function begin(whole) {
  return whole ? 0 : Math.max(0, LAST - Math.max(3 * DATA.horizon, 4 * DATA.season) + 1);
}

function theme() {
  const button = $("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const name = () => { button.textContent = now() === "dark" ? "Light" : "Dark"; };
  try {
    const kept = localStorage.getItem("theme");
    if (kept) document.documentElement.dataset.theme = kept;
  } catch { /* no store: the system's theme */ }
  button.hidden = false;
  name();
  dark.addEventListener("change", name);
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = now() === "dark" ? "light" : "dark";
    name();
    try { localStorage.setItem("theme", now()); } catch { /* it holds for this visit */ }
  });
}

function contents() {
  const links = new Map([...document.querySelectorAll(".toc a")].map((a) => [a.hash.slice(1), a]));
  const mark = () => {
    const seen = [...links.keys()].filter((id) => $(id).getBoundingClientRect().top < innerHeight * 0.35);
    const here = seen.at(-1) ?? links.keys().next().value;
    links.forEach((a, id) => (id === here ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current")));
    const bar = links.get(here).closest("ol");
    bar.scrollLeft = links.get(here).offsetLeft - bar.clientWidth / 3;
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
}

// A chart with a select above it.
function chosen(id, names, draw) {
  const figure = $(`chart-${id}`);
  if (!figure) return;
  const select = figure.querySelector("select");
  select.append(...names.map((name, k) => html("option", { value: k }, name)));
  figure.querySelector(".choose").hidden = names.length < 2;
  const redraw = canvas(id, (box, width) => draw(box, width, figure, +select.value));
  select.addEventListener("change", redraw);
}

function horizonPlot(metric) {
  const axis = DATA.horizons.x;
  let other = 0;
  const mark = (line) => (line.mark === "champion" ? "c-champion" : line.mark === "baseline" && !other ? "c-baseline" : `c-other${Math.min(2, ++other)}`);
  const stride = (room) => Math.max(1, Math.ceil(axis.length / room));
  return {
    from: 0, to: axis.length - 1, style: metric.style, bands: [], zoom: true,
    title: (i) => `Horizon ${axis[i]}`,
    ticks: (room) => axis.map((h, i) => [i, `${h}`]).filter((_, i) => i % stride(room) === 0),
    lines: metric.lines.map((line) => ({ name: line.name, mark: mark(line), values: line.values })),
  };
}

function charts() {
  canvas("total", (box, width, figure) => lineChart(box, width, figure, timePlot(CURVES.total, begin(width > 560), CURVES.times.length - 1)));
  const board = DATA.leaderboard;
  if (board) canvas("leaderboard", (box, width, figure) => barChart(box, width, figure, board));
  const far = DATA.horizons;
  if (far) chosen("horizons", far.metrics.map((m) => m.name), (box, width, figure, k) => lineChart(box, width, figure, horizonPlot(far.metrics[k])));
  const parts = DATA.segments;
  const marks = ["bar b-champion", "bar b-second"];
  if (parts) {
    chosen("segments", parts.groups.map((g) => g.name), (box, width, figure, k) =>
      barChart(box, width, figure, { rows: parts.groups[k].rows, style: parts.style, names: parts.names, marks }));
  }
  if (DATA.money) {
    const names = ["Too much", "Too little"];
    canvas("money", (box, width, figure) => barChart(box, width, figure, { rows: DATA.money.rows, style: "money", names, marks }));
  }
  if (DATA.importances) canvas("importances", (box, width, figure) => barChart(box, width, figure, { rows: DATA.importances.rows, style: "percent" }));
  if (DATA.residuals) {
    canvas("scatter", (box, width, figure) => scatterChart(box, width, figure, DATA.residuals));
    canvas("histogram", (box, width, figure) => histogramChart(box, width, figure, DATA.residuals));
  }
}

// The explorer of series.
function explorer() {
  if (!$("pick")) return;
  const state = { order: [...CURVES.series], at: 0, whole: false };
  const draw = canvas("series", (box, width, figure) => {
    const plot = timePlot(state.order[state.at], begin(state.whole), CURVES.times.length - 1);
    lineChart(box, width, figure, { ...plot, tall: true });
  });
  const show = (index) => {
    state.at = (index + state.order.length) % state.order.length;
    describe(state.order[state.at], state);
    draw();
  };
  const range = (wide) => {
    state.whole = wide;
    $("whole").setAttribute("aria-pressed", wide);
    $("recent").setAttribute("aria-pressed", !wide);
    draw();
  };
  $("pick").hidden = false;
  $("previous").addEventListener("click", () => show(state.at - 1));
  $("following").addEventListener("click", () => show(state.at + 1));
  $("whole").addEventListener("click", () => range(true));
  $("recent").addEventListener("click", () => range(false));
  $("order").addEventListener("change", () => { reorder(state, $("order").value); show(0); });
  search(state, show);
  show(0);
}

function reorder(state, by) {
  const value = (s) => (s[by] === null || s[by] === undefined ? -Infinity : s[by]);
  state.order.sort(by === "name" ? (a, b) => (a.name < b.name ? -1 : 1) : (a, b) => value(b) - value(a));
}

function describe(series, state) {
  $("series-name").textContent = series.name;
  const words = [`${state.at + 1} of ${state.order.length}`];
  if (series.volume !== null) words.push(`sold ${written(series.volume)} in the backtest`);
  if (series.wape !== null) words.push(`missed ${written(series.wape, "percent")}`);
  if (series.bias !== null) words.push(`bias ${series.bias > 0 ? "+" : ""}${written(series.bias, "percent")}`);
  if (series.next !== null) words.push(`forecast ${written(series.next)} for what comes`);
  if (series.answer) words.push(`answered by: ${series.answer}`);
  $("series-facts").textContent = words.join(" \u00b7 ");
  const details = $("series-table");
  const build = () => { if (details.open) details.querySelector(".scroll").replaceChildren(forecastTable(series)); };
  details.ontoggle = build;
  build();
}

function forecastTable(series) {
  const heads = ["Period", "Forecast"];
  if (series.flo) heads.push("From", "To");
  if (series.a) heads.push("Kept back");
  const cell = (value) => html("td", { class: "n" }, written(value));
  const rows = slice(series.f, 0, CURVES.times.length - 1).flatMap((v, i) => {
    if (v === null) return [];
    const row = html("tr", {}, html("th", { scope: "row" }, moment(i)), cell(v));
    if (series.flo) row.append(cell(at(series.flo, i)), cell(at(series.fhi, i)));
    if (series.a) row.append(cell(at(series.a, i)));
    return [row];
  });
  return html("table", {},
    html("caption", {}, `Forecast of ${series.name}`),
    html("thead", {}, html("tr", {}, ...heads.map((h, k) => html("th", { scope: "col", class: k ? "n" : "" }, h)))),
    html("tbody", {}, ...rows));
}

const plain = (name) => name.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase();
const MOST_FOUND = 60;

// Type to filter (every word must occur; accents and case do not matter), arrows and Enter.
function search(state, show) {
  const input = $("find");
  const list = $("found");
  let found = [];
  let active = -1;
  const open = (yes) => {
    list.hidden = !yes;
    input.setAttribute("aria-expanded", yes);
    if (!yes) input.removeAttribute("aria-activedescendant");
  };
  const activate = (index) => {
    active = index;
    [...list.children].forEach((li, k) => li.setAttribute("aria-selected", k === index));
    if (!list.children[index]) return;
    input.setAttribute("aria-activedescendant", `found-${index}`);
    list.children[index].scrollIntoView({ block: "nearest" });
  };
  const take = (index) => {
    if (!found[index]) return;
    show(state.order.indexOf(found[index]));
    input.value = "";
    open(false);
  };
  const filter = () => {
    const asked = plain(input.value).split(/\s+/).filter(Boolean);
    const all = state.order.filter((s) => asked.every((word) => plain(s.name).includes(word)));
    found = all.slice(0, MOST_FOUND);
    list.replaceChildren(...found.map((s, k) => {
      const item = html("li", { role: "option", id: `found-${k}`, "aria-selected": "false" }, s.name);
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(k); });
      return item;
    }));
    if (all.length > found.length) list.append(html("li", { class: "none" }, `and ${all.length - found.length} more: type on`));
    if (!found.length) list.append(html("li", { class: "none" }, CURVES.series.length < CURVES.known ? "Not among the series drawn here" : "No such series"));
    open(true);
    activate(found.length && asked.length ? 0 : -1);
  };
  input.addEventListener("input", filter);
  input.addEventListener("focus", filter);
  input.addEventListener("click", filter);
  input.addEventListener("blur", () => open(false));
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) { event.preventDefault(); open(true); activate((active + step + found.length) % found.length); }
    if (event.key === "Enter") { event.preventDefault(); take(Math.max(active, 0)); }
    if (event.key === "Escape") open(false);
  });
}

theme();
contents();
charts();
explorer();
// Closed details would be missing on paper.
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((d) => { d.open = true; d.dataset.printed = "yes"; }));
addEventListener("afterprint", () => document.querySelectorAll("details[data-printed]").forEach((d) => { d.open = false; delete d.dataset.printed; }));
