// Horizontal bars, scatter and histogram.

// chart: {rows: [{label, values, mark}], style, names}; one bar a value.
function barChart(box, width, figure, chart) {
  const many = Math.max(1, ...chart.rows.map((r) => r.values.length));
  const stacked = width < 560;
  const longest = Math.max(...chart.rows.map((r) => r.label.length));
  const left = stacked ? 0 : Math.min(width * 0.36, 14 + longest * 7);
  const thick = many > 1 ? 13 : 16;
  const pitch = (stacked ? 20 : 0) + many * (thick + 2) + 10;
  const root = stage(box, width, chart.rows.length * pitch + 6);
  hatch(root);
  const values = chart.rows.flatMap((r) => r.values).filter((v) => v !== null);
  const low = Math.min(0, ...values);
  const room = 12 + 7 * Math.max(1, ...values.map((v) => written(v, chart.style).length));
  const x = scale(low, Math.max(0, ...values) || 1, left, width - room);
  chart.rows.forEach((row, k) => {
    const top = k * pitch + 4;
    const bars = top + (stacked ? 20 : 0);
    const fits = stacked ? width / 6.8 : left / 6.8;
    const label = row.label.length > fits ? `${row.label.slice(0, fits - 1)}\u2026` : row.label;
    const place = stacked ? { x: 0, y: top + 12 } : { x: left - 10, y: bars + (many * (thick + 2)) / 2 + 3 };
    root.append(svg("text", { ...place, "text-anchor": stacked ? "start" : "end", class: "strong" },
      label, svg("title", {}, row.label)));
    row.values.forEach((v, n) => bar(root, { v, row, n, top: bars + n * (thick + 2), thick, x, chart }));
  });
  root.append(svg("path", { d: `M${x(0)} 0V${chart.rows.length * pitch}`, class: "axis" }));
  if (chart.names) legend(figure, chart.names.map((name, n) => [name, chart.marks[n]]));
}

function bar(root, { v, row, n, top, thick, x, chart }) {
  const middle = top + thick / 2 + 4;
  if (v === null) { text(root, x(0) + 6, middle, "\u2013"); return; }
  const shape = { x: Math.min(x(0), x(v)), y: top, width: Math.max(1, Math.abs(x(v) - x(0))), height: thick, rx: 2 };
  const mark = chart.marks ? chart.marks[n] : `bar b-${row.mark || "plain"}`;
  root.append(svg("rect", mark === "bar b-baseline" ? { ...shape, fill: "url(#hatch)" } : { ...shape, class: mark }));
  text(root, Math.max(x(v), x(0)) + 6, middle, written(v, chart.style), { class: row.mark === "champion" ? "strong" : "" });
}

// Axis of the scatter: plain, or log1p where a few values dwarf the rest.
function spread(points, logarithmic) {
  const values = points.flat();
  const high = Math.max(...values, 1e-9);
  const low = Math.min(...values, 0);
  if (!logarithmic) {
    const marks = ticks(low, high, 4);
    return { marks, low: marks[0], high: marks[marks.length - 1], f: (v) => v };
  }
  const f = (v) => Math.log1p(Math.max(v, 0));
  const marks = [0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8].filter((v) => v <= high);
  return { marks, low: 0, high: f(high) * 1.02, f };
}

function scatterChart(box, width, figure, chart) {
  const height = Math.round(Math.min(400, Math.max(260, width * 0.8)));
  const root = stage(box, width, height);
  const axis = spread(chart.points, chart.log);
  const left = 16 + 6.6 * Math.max(...axis.marks.map((v) => brief(v).length));
  const x = scale(axis.low, axis.high, left, width - 12);
  const y = scale(axis.low, axis.high, height - 44, 10);
  axis.marks.forEach((v) => {
    const p = axis.f(v);
    root.append(svg("path", { d: `M${left} ${y(p)}H${width - 12}M${x(p)} ${height - 44}V10`, class: "grid" }));
    text(root, left - 7, y(p) + 4, brief(v), { "text-anchor": "end" });
    text(root, x(p), height - 27, brief(v), { "text-anchor": "middle" });
  });
  const places = chart.points.map(([actual, forecast]) => [x(axis.f(actual)), y(axis.f(forecast))]);
  root.append(...places.map(([px, py]) => svg("circle", { cx: px.toFixed(1), cy: py.toFixed(1), r: 2.6, class: "point" })));
  root.append(svg("path", { d: `M${x(axis.low)} ${y(axis.low)}L${x(axis.high)} ${y(axis.high)}`, class: "cross" }));
  text(root, (left + width) / 2, height - 7, `Actual${chart.log ? " (logarithmic)" : ""}`, { "text-anchor": "middle" });
  text(root, left + 6, 22, "Forecast", {});
  nearest(box, root, places, chart.points);
}

function nearest(box, root, places, points) {
  const bubble = tip(box);
  root.addEventListener("pointerleave", bubble.hide);
  root.addEventListener("pointermove", (event) => {
    const frame = root.getBoundingClientRect();
    const ratio = frame.width / root.viewBox.baseVal.width;
    const [px, py] = [(event.clientX - frame.left) / ratio, (event.clientY - frame.top) / ratio];
    let best = -1;
    let reach = 400;
    places.forEach(([x, y], k) => {
      const far = (x - px) ** 2 + (y - py) ** 2;
      if (far < reach) { reach = far; best = k; }
    });
    if (best < 0) { bubble.hide(); return; }
    const [actual, forecast] = points[best];
    bubble.show(px * ratio, py * ratio, `Forecast ${written(forecast)}`, [`Actual ${written(actual)}`]);
  });
}

function histogramChart(box, width, figure, chart) {
  const height = Math.round(Math.min(400, Math.max(260, width * 0.8)));
  const root = stage(box, width, height);
  const marks = ticks(0, Math.max(...chart.counts), 4);
  const left = 16 + 6.6 * Math.max(...marks.map((v) => brief(v).length));
  const edges = chart.edges;
  const x = scale(edges[0], edges[edges.length - 1], left, width - 12);
  const y = scale(0, marks[marks.length - 1], height - 44, 10);
  marks.forEach((v) => {
    root.append(svg("path", { d: `M${left} ${y(v)}H${width - 12}`, class: "grid" }));
    text(root, left - 7, y(v) + 4, brief(v), { "text-anchor": "end" });
  });
  chart.counts.forEach((n, k) => root.append(svg("rect", {
    x: x(edges[k]) + 0.5, y: y(n), width: Math.max(0.5, x(edges[k + 1]) - x(edges[k]) - 1), height: y(0) - y(n), class: "bar",
  }, svg("title", {}, `${written(edges[k])} to ${written(edges[k + 1])}: ${written(n, "count")}`))));
  ticks(edges[0], edges[edges.length - 1], 5).filter((v) => v >= edges[0] && v <= edges[edges.length - 1])
    .forEach((v) => text(root, x(v), height - 27, brief(v), { "text-anchor": "middle" }));
  root.append(svg("path", { d: `M${x(0)} 10V${y(0)}`, class: "cross" }));
  text(root, x(0) - 8, 20, "too little", { "text-anchor": "end" });
  text(root, x(0) + 8, 20, "too much");
  const beyond = chart.outside ? `; ${written(chart.outside, "count")} lie beyond` : "";
  text(root, (left + width) / 2, height - 7, `Forecast minus actual${beyond}`, { "text-anchor": "middle" });
}
