// Lines over time or horizon: band, crosshair, tooltip, arrow keys.
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIMES = DATA.curves.times.map((t) => ({
  year: +t.slice(0, 4), month: +t.slice(5, 7) - 1, day: +t.slice(8, 10), clock: t.slice(11),
  weekday: new Date(`${t.slice(0, 10)}T00:00:00Z`).getUTCDay(),
}));

function moment(i) {
  const t = TIMES[i];
  const date = `${t.day} ${MONTHS[t.month]} ${t.year}`;
  if (DATA.unit === "M") return `${MONTHS[t.month]} ${t.year}`;
  if (DATA.unit === "W") return `Week from ${date}`;
  return `${DAYS[t.weekday]} ${date}${t.clock ? ", " + t.clock : ""}`;
}

// The finest marks of the calendar that fit: periods, Mondays, months, quarters, years.
function calendar(from, to, room) {
  const turned = (i, part) => i === 0 || TIMES[i][part] !== TIMES[i - 1][part];
  const day = (i) => `${TIMES[i].day} ${MONTHS[TIMES[i].month]}`;
  const month = (i) => (TIMES[i].month ? MONTHS[TIMES[i].month] : `${TIMES[i].year}`);
  const hourly = DATA.unit === "h";
  const ladder = [
    [() => true, hourly ? (i) => TIMES[i].clock : DATA.unit === "M" ? month : day],
    [(i) => turned(i, "day"), day],
    [(i) => TIMES[i].weekday === 1 && turned(i, "day"), day],
    [(i) => turned(i, "month"), month],
    [(i) => turned(i, "month") && TIMES[i].month % 3 === 0, month],
    [(i) => turned(i, "year"), (i) => `${TIMES[i].year}`],
  ];
  const all = Array.from({ length: to - from + 1 }, (_, k) => from + k);
  for (const [holds, label] of ladder) {
    const found = all.filter((i) => i > 0 && holds(i));
    if (found.length && found.length <= room) return found.map((i) => [i, label(i)]);
  }
  const stride = Math.ceil(all.length / room);
  return all.filter((i) => (i - from) % stride === 0).map((i) => [i, day(i)]);
}

// A stored curve is [first index, values...].
const at = (curve, i) => (curve && i >= curve[0] ? curve[i - curve[0] + 1] ?? null : null);

function path(values, x, y, from) {
  let pen = "M";
  let d = "";
  values.forEach((v, k) => {
    if (v === null) { pen = "M"; return; }
    d += `${pen}${x(from + k).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = "L";
  });
  return d;
}

// Connected runs of the band, as closed shapes.
function ribbon(low, high, x, y, from) {
  let d = "";
  let run = [];
  const close = () => {
    if (run.length) {
      const up = run.map((k) => `${x(from + k).toFixed(1)} ${y(high[k]).toFixed(1)}`);
      const down = run.map((k) => `${x(from + k).toFixed(1)} ${y(low[k]).toFixed(1)}`).reverse();
      d += `M${[...up, ...down].join("L")}Z`;
    }
    run = [];
  };
  low.forEach((v, k) => (v === null || high[k] === null ? close() : run.push(k)));
  close();
  return d;
}

function extent(plot) {
  const values = [...plot.lines.map((l) => l.values), ...plot.bands.flatMap((b) => [b.low, b.high])]
    .flat().filter((v) => v !== null);
  if (!values.length) return [0, 1];
  const low = Math.min(...values);
  const high = Math.max(...values);
  // Lines of errors may start above 0, so that they can be told apart; sales never do.
  const floor = plot.zoom && low > 0 && low > 0.5 * high ? low - 0.15 * (high - low) : Math.min(0, low);
  return [floor, high > floor ? high : floor + 1];
}

// plot: {from, to, lines: [{name, mark, values, dots}], bands: [{name, low, high}], rule, style,
//        ticks(room) -> [[i, label]], title(i)}; values are indexed from `from`.
function lineChart(box, width, figure, plot) {
  const height = Math.round(Math.max(210, Math.min(plot.tall ? 360 : 270, width * 0.5)));
  const root = stage(box, width, height);
  const marks = ticks(...extent(plot), 5);
  const labels = marks.map((v) => brief(v, plot.style));
  const left = 14 + 6.6 * Math.max(...labels.map((l) => l.length));
  const y = scale(marks[0], marks[marks.length - 1], height - 28, 12);
  const x = scale(plot.from, plot.to, left, width - 12);
  marks.forEach((v, k) => {
    root.append(svg("path", { d: `M${left} ${y(v)}H${width - 12}`, class: v === 0 ? "axis" : "grid" }));
    text(root, left - 7, y(v) + 4, labels[k], { "text-anchor": "end" });
  });
  dates(root, plot, x, { left, width, height });
  if (plot.rule !== undefined) rule(root, plot, x, height);
  plot.bands.forEach((b) => root.append(svg("path", { d: ribbon(b.low, b.high, x, y, plot.from), class: "c-band" })));
  plot.lines.forEach((l) => root.append(...drawn(l, x, y, plot.from)));
  const shown = plot.lines.filter((l) => l.values.some((v) => v !== null));
  legend(figure, [...shown.map((l) => [l.name, l.mark]), ...plot.bands.slice(0, 1).map((b) => [b.name, "c-band"])]);
  crosshair(box, root, plot, x, y, height);
}

function dates(root, plot, x, { left, width, height }) {
  for (const [i, label] of plot.ticks(Math.max(2, Math.floor((width - left) / 74)))) {
    const half = label.length * 3.3;
    root.append(svg("path", { d: `M${x(i)} ${height - 28}v4`, class: "axis" }));
    if (x(i) - half > left - 12 && x(i) + half < width + 2) text(root, x(i), height - 9, label, { "text-anchor": "middle" });
  }
}

function rule(root, plot, x, height) {
  const here = x(plot.rule.at);
  root.append(svg("path", { d: `M${here} 4V${height - 28}`, class: "cross" }));
  text(root, here - 5, 13, plot.rule.label, { "text-anchor": "end" });
}

// A line; with dots on it where it asks for them and there is room, or where one value stands alone.
function drawn(line, x, y, from) {
  const gap = x(from + 1) - x(from);
  const root = [svg("path", { d: path(line.values, x, y, from), class: `line ${line.mark}` })];
  const alone = line.values.filter((v) => v !== null).length === 1;
  if (!alone && !(line.dots && gap > 4)) return root;
  const r = Math.max(1.5, Math.min(3.2, 0.35 * gap)).toFixed(1);
  return root.concat(line.values.flatMap((v, k) => (v === null ? [] : [
    svg("circle", { cx: x(from + k).toFixed(1), cy: y(v).toFixed(1), r, class: `dot ${line.mark}` }),
  ])));
}

function crosshair(box, root, plot, x, y, height) {
  const bubble = tip(box);
  const line = svg("path", { class: "cross" });
  const dots = svg("g");
  root.append(line, dots);
  let here = null;
  const leave = () => {
    here = null;
    line.setAttribute("d", "");
    dots.replaceChildren();
    bubble.hide();
  };
  const show = (i) => {
    here = Math.max(plot.from, Math.min(plot.to, i));
    const k = here - plot.from;
    const said = plot.lines.filter((l) => l.values[k] !== null && l.values[k] !== undefined);
    line.setAttribute("d", `M${x(here)} 8V${height - 28}`);
    dots.replaceChildren(...said.map((l) => svg("circle", { cx: x(here), cy: y(l.values[k]), r: 4, class: `dot ${l.mark}` })));
    const words = said.map((l) => `${l.name}: ${written(l.values[k], plot.style)}`);
    plot.bands.filter((b) => b.low[k] !== null && b.low[k] !== undefined).forEach((b) =>
      words.push(`${b.name}: ${written(b.low[k], plot.style)} to ${written(b.high[k], plot.style)}`));
    const ratio = box.clientWidth / root.viewBox.baseVal.width;
    bubble.show(x(here) * ratio, 8, plot.title(here), words);
  };
  const point = (event) => {
    const place = root.getBoundingClientRect();
    const px = ((event.clientX - place.left) / place.width) * root.viewBox.baseVal.width;
    show(Math.round(plot.from + ((px - x(plot.from)) / (x(plot.to) - x(plot.from) || 1)) * (plot.to - plot.from)));
  };
  root.setAttribute("tabindex", "0");
  root.setAttribute("aria-label", `${box.dataset.label}. The arrow keys read the values.`);
  root.addEventListener("pointermove", point);
  root.addEventListener("pointerdown", point);
  root.addEventListener("pointerleave", leave);
  root.addEventListener("blur", leave);
  root.addEventListener("keydown", (event) => {
    const start = here ?? (plot.rule ? plot.rule.at : plot.from - 1);
    const next = { ArrowRight: start + 1, ArrowLeft: start - 1, Home: plot.from, End: plot.to }[event.key];
    if (event.key === "Escape") leave();
    if (next === undefined) return;
    event.preventDefault();
    show(next);
  });
}
