// Small tools: elements, numbers, scales, tooltips. Text of the data only ever goes in as text.
const DATA = JSON.parse(document.getElementById("payload").textContent);
const $ = (id) => document.getElementById(id);

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

const MINUS = (text) => text.replace("-", "\u2212");
const three = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

const STYLES = {
  number: (v) => MINUS((Math.abs(v) >= 100 || Number.isInteger(v) ? whole : three).format(v)),
  count: (v) => MINUS(whole.format(v)),
  ratio: (v) => MINUS(v.toFixed(3)),
  percent: (v) => MINUS(`${(100 * v).toFixed(Math.abs(v) >= 1 ? 0 : 1)}%`),
  money: (v) => `${v < 0 ? "\u2212" : ""}${DATA.currency ? DATA.currency + "\u202f" : ""}${whole.format(Math.abs(v))}`,
};

function written(value, style = "number") {
  return value === null || value === undefined ? "\u2013" : STYLES[style](value);
}

// Short form for axes: 1.2K, 30%.
function brief(value, style) {
  if (style === "percent") return MINUS(`${+(100 * value).toPrecision(3)}%`);
  const text = MINUS(small.format(value));
  return style === "money" && DATA.currency ? `${DATA.currency}\u202f${text}` : text;
}

// About `many` round values that cover low to high.
function ticks(low, high, many = 5) {
  if (!(high > low)) return [low, low + 1];
  const raw = (high - low) / many;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}

const scale = (low, high, from, to) => (v) => from + ((v - low) / (high - low || 1)) * (to - from);

// A canvas that draws itself again whenever its width changes.
function canvas(id, draw) {
  const figure = $(`chart-${id}`);
  if (!figure) return null;
  const box = figure.querySelector(".canvas");
  const redraw = () => {
    const width = Math.max(240, box.clientWidth);
    box.replaceChildren();
    draw(box, width, figure);
  };
  let seen = box.clientWidth;
  redraw();
  new ResizeObserver(() => {
    if (box.clientWidth !== seen) {
      seen = box.clientWidth;
      requestAnimationFrame(redraw);
    }
  }).observe(box);
  return redraw;
}

function stage(box, width, height) {
  const root = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": box.dataset.label,
  });
  box.append(root);
  return root;
}

function text(root, x, y, words, attributes = {}) {
  root.append(svg("text", { x, y, ...attributes }, words));
}

// Tooltip beside a point of the canvas, kept inside it.
function tip(box) {
  const node = html("div", { class: "tip", role: "status" });
  node.hidden = true;
  box.append(node);
  return {
    hide: () => { node.hidden = true; },
    show: (x, y, title, lines) => {
      node.replaceChildren(html("b", {}, title), ...lines.map((line) => html("div", {}, line)));
      node.hidden = false;
      const room = box.clientWidth;
      const left = x + 14 + node.offsetWidth > room ? x - 14 - node.offsetWidth : x + 14;
      node.style.left = `${Math.max(0, Math.min(left, room - node.offsetWidth))}px`;
      node.style.top = `${Math.max(0, y)}px`;
    },
  };
}

function legend(figure, entries) {
  const list = figure.querySelector(".legend");
  list.replaceChildren(...entries.map(([name, mark]) => html("li", {}, swatch(mark), name)));
}

function swatch(mark) {
  const root = svg("svg", { viewBox: "0 0 27 13", "aria-hidden": "true" });
  if (mark.startsWith("bar")) root.append(svg("rect", { width: 27, height: 12, rx: 2, class: mark }));
  else if (mark === "c-band") root.append(svg("rect", { width: 27, height: 13, class: mark }));
  else root.append(svg("path", { d: "M1 6.5H26", class: `line ${mark}` }));
  if (mark === "c-kept") root.append(svg("circle", { cx: 13, cy: 6.5, r: 3.2, class: `dot ${mark}` }));
  return root;
}

// Hatching tells the simple rules apart where colour does not.
function hatch(root) {
  const pattern = svg("pattern", {
    id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
  }, svg("rect", { width: 3, height: 6, class: "bar b-baseline" }));
  root.append(svg("defs", {}, pattern));
}
