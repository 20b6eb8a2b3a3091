"use strict";
// Sorts the table, and draws the settings as dots and lines that are linked with its rows. Without it the page still has
// the ranking and all pictures. Text is only ever set as text, so names and values cannot become elements.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const [WIDTH, HEIGHT] = [560, 340];
const PAD = { left: 56, right: 12, top: 12, bottom: 34 };
const held = { setting: null };

// ------------------------------------------------------------------------------------------------------------ drawing

function draw(parent, tag, attributes = {}, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

// Returns a function from numbers to pixels, which keeps far values at the edge.
function scale([low, high], from, to, logarithmic = false) {
  const at = logarithmic ? Math.log : (value) => value;
  const [first, last] = [at(low), at(high)];
  return (value) => from + (Math.min(Math.max((at(value) - first) / (last - first || 1), 0), 1) || 0) * (to - from);
}

// Returns about five round numbers between two; on a logarithmic axis powers of ten, or those and their 2s and 5s.
function ticks([low, high], logarithmic) {
  if (logarithmic) {
    const powers = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) powers.push(10 ** power);
    const within = (values) => values.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    return within(powers).length > 1 ? within(powers) : within(powers.flatMap((p) => [p, 2 * p, 5 * p]));
  }
  const rough = (high - low || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

const short = (value) => {
  const size = Math.abs(value);
  const rounded = +value.toPrecision(6);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? rounded.toExponential().replace("e+", "e") : String(rounded);
};

function axes(svg, x, y, xTicks, title) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.replaceChildren();
  const [left, bottom] = [PAD.left, HEIGHT - PAD.bottom];
  for (const value of ticks(data.limits)) {
    draw(svg, "line", { class: "frame", x1: left, x2: WIDTH - PAD.right, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, short(value));
  }
  for (const [value, name] of xTicks) {
    draw(svg, "line", { class: "frame", x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4 });
    draw(svg, "text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, name);
  }
  svg.setAttribute("aria-label", title);
}

// Makes the group of a setting, which is marked together with its row.
function groupOf(svg, setting) {
  const group = draw(svg, "g", { "data-setting": setting });
  draw(group, "title", {}, `setting ${setting}`);
  return group;
}

function drawDots() {
  const number = byId("field").selectedIndex;
  const field = data.fields[number];
  const known = data.settings.filter((one) => one.mean !== null && one.positions[number] !== null);
  const positions = known.map((one) => one.positions[number]);
  const [low, high] = [Math.min(...positions), Math.max(...positions)];
  const ofNumbers = low < high ? [low, high] : [low - 1, low + 1];
  const range = field.categories.length ? [-0.5, field.categories.length - 0.5] : ofNumbers;
  const x = scale(range, PAD.left + 10, WIDTH - PAD.right - 10, field.logarithmic);
  const y = scale(data.limits, HEIGHT - PAD.bottom, PAD.top);
  const marks = field.categories.length
    ? field.categories.map((name, i) => [i, name])
    : ticks(range, field.logarithmic).map((value) => [value, short(value)]);
  const svg = byId("dots");
  axes(svg, x, y, marks, `${data.measure} of each setting, across ${field.label}`);
  byId("dots-caption").textContent = `${data.measure}, across ${field.label}`;
  for (const one of known) {
    const group = groupOf(svg, one.setting);
    const [cx, cy] = [x(one.positions[number]), y(one.mean)];
    if (one.low !== null) draw(group, "line", { class: "bar", x1: cx, x2: cx, y1: y(one.low), y2: y(one.high) });
    draw(group, "circle", { class: "dot", cx, cy, r: 4 });
    draw(group, "circle", { class: "target", cx, cy, r: 9 });
  }
  mark();
}

function drawLines() {
  const x = scale([0, Math.max(...data.steps)], PAD.left, WIDTH - PAD.right);
  const y = scale(data.limits, HEIGHT - PAD.bottom, PAD.top);
  const svg = byId("lines");
  const marks = ticks([0, Math.max(...data.steps)]).map((value) => [value, short(value)]);
  axes(svg, x, y, marks, `${data.measure} of each setting over learner steps`);
  for (const { setting, curve } of data.settings) {
    const points = curve.map((value, i) => [data.steps[i], value]).filter(([, value]) => value !== null);
    if (points.length === 0) continue;
    const path = points.map(([step, value], i) => `${i ? "L" : "M"}${x(step).toFixed(1)},${y(value).toFixed(1)}`).join("");
    const group = groupOf(svg, setting);
    // A line of one point has no length: the dot shows it.
    if (points.length === 1) draw(group, "circle", { class: "dot", cx: x(points[0][0]), cy: y(points[0][1]), r: 3 });
    draw(group, "path", { class: "curve", d: path });
    draw(group, "path", { class: "target", d: path });
  }
  mark();
}

// ------------------------------------------------------------------------------------------- a setting in all of them

const settingOf = (element) => element.closest?.("[data-setting]")?.dataset.setting ?? null;

// Marks the setting that is pointed at, and the one that is held.
function mark(near = null) {
  document.querySelectorAll("[data-setting]").forEach((element) => {
    element.classList.toggle("near", element.dataset.setting === near);
    element.classList.toggle("held", element.dataset.setting === held.setting);
  });
  document.querySelectorAll("td button").forEach((button) => {
    button.setAttribute("aria-pressed", settingOf(button) === held.setting);
  });
  const shown = near ?? held.setting;
  byId("chosen").textContent = shown === null ? "" : inWords(data.settings.find((one) => String(one.setting) === shown));
}

function inWords({ setting, rank, mean, low, high, values }) {
  const digits = (value) => short(+value.toPrecision(4));
  const interval = low === null ? "" : ` [${digits(low)}, ${digits(high)}]`;
  const fields = data.fields.map((field, i) => `${field.label} ${values[i]}`).join(", ");
  const result = mean === null ? "not known" : `${digits(mean)}${interval}`;
  return `Setting ${setting}, rank ${rank}: ${fields ? `${fields}; ` : ""}${data.measure} ${result}`;
}

function connect() {
  document.addEventListener("pointerover", (event) => mark(settingOf(event.target)));
  document.addEventListener("click", (event) => {
    const setting = settingOf(event.target);
    const inTable = event.target.closest("tr") !== null;
    if (setting === null || (inTable && event.target.tagName !== "BUTTON")) return;
    held.setting = held.setting === setting ? null : setting;
    mark();
  });
  byId("field").addEventListener("change", drawDots);
}

// ---------------------------------------------------------------------------------------------------------- the table

// A number where the cell has one; numbers that are not known come last in both orders.
function compared(one, other, column, sign) {
  const [a, b] = [one, other].map((row) => row.cells[column]);
  const [x, y] = [a, b].map((cell) => (cell.dataset.value === undefined ? NaN : Number(cell.dataset.value)));
  if (Number.isNaN(x) && Number.isNaN(y)) return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return sign * (x - y);
}

function makeSortable() {
  const table = document.querySelector("table");
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => compared(one, other, column, ascending ? 1 : -1));
      table.tBodies[0].append(...rows);
    });
  });
  headings[0].setAttribute("aria-sort", "ascending");
  for (const row of table.tBodies[0].rows) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = row.cells[1].textContent;
    button.title = "Hold this setting in the plots";
    row.cells[1].replaceChildren(button);
  }
}

function begin() {
  makeSortable();
  data.fields.forEach(({ label }) => byId("field").append(new Option(label)));
  byId("axis").hidden = byId("dots").parentElement.hidden = data.fields.length === 0;
  const any = data.settings.some((one) => one.mean !== null);
  byId("explore").hidden = !any;
  if (any) {
    if (data.fields.length > 0) drawDots();
    drawLines();
    connect();
  }
  document.documentElement.dataset.ready = "yes";
}

begin();
