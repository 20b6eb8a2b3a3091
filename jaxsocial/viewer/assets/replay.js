"use strict";
// Plays recorded episodes. A side is one run among some partners. The sides of a comparison stand beside each other, and
// show the same step of the episodes of one index. A page has one comparison or several, of which it shows one. A state
// is what stands between two steps: an episode of T steps has the states 0 to T, and step t leads from state t to state
// t + 1. Text is only ever set as text, so names of runs and partners cannot become elements.

const comparisons = JSON.parse(document.getElementById("data").textContent);
let sides = []; // of the comparison that is shown
const byId = (id) => document.getElementById(id);
const HEADINGS = ["right", "down", "left", "up"];
const TRAIL = 12; // states that the line behind an agent goes back
const KEPT = 3; // states that an arrow stays after the learner's entry
const SPEEDS = [1, 2, 4, 6, 10, 20, 40];
const COLOURS = 6; // of lines in charts, see the style
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3], [1, 2], [12, 4]];

// What the page shows now; nothing at first.
const shown = { comparison: -1, index: -1, state: 0, playing: false, speed: 6 };

// ---------------------------------------------------------------------------------------------------------- the data

// An array of numbers with a shape, which holds integers that are multiples of a scale.
class Numbers {
  constructor(values, shape, scale) {
    Object.assign(this, { values, shape, scale });
    this.largest = values.reduce((a, b) => Math.max(a, b), 0) * scale;
  }
  // The number at some indices; at fewer indices than axes, the first of the rest.
  at(...indices) {
    return this.values[this.offset(indices)] * this.scale;
  }
  // The integers after some leading indices, as one list.
  part(...indices) {
    const size = this.shape.slice(indices.length).reduce((a, b) => a * b, 1);
    const start = this.offset(indices);
    return this.values.subarray(start, start + size);
  }
  offset(indices) {
    return this.shape.reduce((sum, length, axis) => sum * length + (indices[axis] ?? 0), 0);
  }
}

// Returns the arrays of an episode by name; `packing.packed` wrote them. They are kept, so that going back is quick.
async function unpacked(episode) {
  if (episode.arrays) return episode.arrays;
  const bytes = Uint8Array.from(atob(episode.data), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const plain = new Uint8Array(await new Response(stream).arrayBuffer());
  const arrays = {};
  let start = 0;
  for (const [name, size, shape, scale] of episode.layout) {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = new Int16Array(count);
    for (let i = 0; i < count; i++) {
      // Low bytes come first, then high bytes; the last byte has the sign.
      values[i] = size === 1 ? (plain[start + i] << 24) >> 24 : plain[start + i] | (plain[start + count + i] << 8);
    }
    arrays[name] = new Numbers(values, shape, scale);
    start += count * size;
  }
  episode.picture = episode.frames && (await loadedSheet(episode.frames));
  episode.arrays = arrays;
  return arrays;
}

// Returns a sheet of pictures with its image, from which `drawFrom` takes one.
async function loadedSheet(sheet) {
  const image = new Image();
  image.src = sheet.url;
  await image.decode();
  return { ...sheet, image };
}

// Cuts a sheet into its pictures, one canvas each: enlarged from the sheet they would mix with their neighbours.
function cut(sheet) {
  const count = (sheet.columns * sheet.image.height) / sheet.height;
  return Array.from({ length: count }, (_, number) => {
    const canvas = document.createElement("canvas");
    canvas.width = sheet.width;
    canvas.height = sheet.height;
    drawFrom(canvas.getContext("2d"), sheet, number, 0, 0);
    return canvas;
  });
}

// Draws one picture of a sheet, pixel by pixel.
function drawFrom(pen, sheet, number, x, y) {
  const { image, width, height, columns } = sheet;
  const [row, column] = [Math.floor(number / columns), number % columns];
  pen.drawImage(image, column * width, row * height, width, height, x, y, width, height);
}

const letterOf = (agent) => (agent < 26 ? String.fromCharCode(65 + agent) : String(agent));
const signed = (number) => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(1);
const lastState = () => Math.max(...sides.map((side) => side.episodes[shown.index].steps));
// A shorter episode of another side stays at its end.
const stateOf = (episode) => Math.min(shown.state, episode.steps);

// The goal that an agent enters next, from 0; null if any will do.
function nextGoal(side, episode, state, agent) {
  const last = episode.arrays.last_goal.at(state, agent);
  return !side.world.ordered || last < 0 ? null : (last + 1) % episode.goals.length;
}

// ------------------------------------------------------------------------------------------------------ the elements

// Makes an element with properties, inside a parent.
function make(parent, tag, properties = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  parent.append(element);
  return element;
}

function panel(parent, title, className = "") {
  const section = make(parent, "section", { className: `panel ${className}` });
  make(section, "h3", { textContent: title });
  return section;
}

// Makes what a side shows, empty, and keeps the elements that are filled at each step.
function build(side) {
  const root = make(byId("sides"), "section", { className: "side", "aria-label": side.title });
  make(root, "h2", { textContent: side.title });
  make(root, "p", { className: "about", textContent: side.about });
  const body = make(root, "div", { className: "body" });
  side.worldCanvas = make(panel(body, "World"), "canvas", { className: "world", role: "img" });
  const rest = make(body, "div", { className: "rest" });
  buildAgents(side, panel(rest, "What each agent sees, looking up"));
  if (side.predicts) buildPredictions(side, rest);
  buildActions(side, rest);
  const charts = make(body, "div", { className: "charts" });
  buildCharts(side, charts);
  side.events = make(panel(charts, "Goals entered"), "ol", { className: "events", tabIndex: 0 });
}

function buildAgents(side, parent) {
  const cards = make(parent, "div", { className: "agents" });
  side.cards = side.agents.map((name, agent) => {
    const root = make(cards, "div", { className: "agent" });
    const heading = make(root, "h3");
    make(heading, "span", { className: "letter", textContent: letterOf(agent) });
    make(heading, "span", { className: "name", textContent: name, title: name });
    const canvas = make(root, "canvas", { className: "pixels", role: "img", "aria-label": `View of ${letterOf(agent)}` });
    const list = make(root, "dl");
    const fields = {};
    for (const field of ["next goal", "prestige", "return", "carries"]) {
      const term = make(list, "dt", { textContent: field });
      fields[field] = make(list, "dd");
      if (field === "carries") fields.carriesTerm = term;
    }
    return { root, canvas, fields };
  });
}

function ofLearner(side, text, learner) {
  return side.learners > 1 ? `${text} of ${letterOf(learner)}` : text;
}

function buildPredictions(side, parent) {
  const what = side.of_next ? "next view" : "view";
  side.predictions = Array.from({ length: side.learners }, (_, learner) => {
    const root = panel(parent, ofLearner(side, `Prediction of the ${what} (${side.target})`, learner));
    const row = make(root, "div", { className: "prediction" });
    const captions = ["predicted", side.of_next ? "what came" : "what was seen", "error of each cell"];
    const figures = captions.map((caption, number) => {
      const figure = make(row, "figure");
      const canvas = make(figure, "canvas", { className: number < 2 ? "pixels" : "error", role: "img" });
      canvas.setAttribute("aria-label", caption);
      return { canvas, caption: make(figure, "figcaption", { textContent: caption }) };
    });
    return figures;
  });
}

function buildActions(side, parent) {
  side.actionRows = Array.from({ length: side.learners }, (_, learner) => {
    const title = ofLearner(side, "Probability of each action", learner);
    const root = make(panel(parent, title), "div", { className: "actions" });
    return side.actions.map((name) => {
      const row = make(root, "div", { className: "action" });
      make(row, "span", { textContent: name });
      const bar = make(make(row, "div", { className: "bar", "aria-hidden": "true" }), "i");
      return { row, bar, text: make(row, "span") };
    });
  });
}

// ------------------------------------------------------------------------------------------------------------ charts

// The charts of a side: a title, and the array, column and name of each line. Columns are those after the first axis.
function chartsOf(side) {
  const agents = side.agents.map((name, agent) => [letterOf(agent), [agent]]);
  const learners = agents.slice(0, side.learners);
  const probabilities = side.actions.flatMap((action, number) =>
    learners.map(([letter, [learner]]) => [side.learners > 1 ? `${action} ${letter}` : action, [learner, number]]));
  const charts = [
    { title: "Return so far", array: "returns", lines: agents },
    { title: "Value", array: "value", lines: learners },
    { title: "Entropy of actions (nats)", array: "entropy", lines: learners, low: 0 },
    { title: "Probability of actions", array: "probability", lines: probabilities, low: 0, high: 1 },
    { title: "Prestige", array: "prestige", lines: agents, low: 0 },
  ];
  const loss = { title: `Loss of the prediction (${side.target})`, array: "loss", lines: learners, low: 0 };
  return side.target === "none" ? charts : [...charts, loss];
}

function buildCharts(side, parent) {
  side.charts = chartsOf(side).map((chart) => {
    const root = panel(parent, chart.title, "chart");
    const canvas = make(root, "canvas", { role: "img" });
    const legend = make(root, "ul", { className: "legend" });
    const values = chart.lines.map(([name], number) => {
      const item = make(legend, "li");
      item.append(legendLine(number));
      item.append(`${name} `);
      return make(item, "b");
    });
    canvas.addEventListener("pointerdown", (event) => {
      const box = canvas.getBoundingClientRect();
      show(Math.round(((event.clientX - box.left - PAD.left) / (box.width - PAD.left - PAD.right)) * lastState()));
    });
    return { ...chart, canvas, values };
  });
}

// Of more lines than colours, those of one colour have other dashes.
const lineColour = (number) => `--series-${number % COLOURS}`;
const lineDash = (number) => DASHES[(number + Math.floor(number / COLOURS)) % DASHES.length];

function legendLine(number) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const line = document.createElementNS(namespace, "line");
  for (const [name, value] of Object.entries({ x1: 0, x2: 30, y1: 5, y2: 5, "stroke-width": 2 })) {
    line.setAttribute(name, value);
  }
  line.style.stroke = `var(${lineColour(number)})`;
  line.style.strokeDasharray = lineDash(number).join(" ");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  return svg;
}

const PAD = { left: 34, right: 6, top: 6, bottom: 16 };

// Sizes a canvas for the screen's pixels; returns its pen, and its width and height in CSS pixels.
function sized(canvas, height = canvas.clientHeight) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return { pen, width, height };
}

function drawChart(chart, episode) {
  const { pen, width, height } = sized(chart.canvas);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name);
  const array = episode.arrays[chart.array];
  const count = array.shape[0];
  const lines = chart.lines.map(([, column]) => Array.from({ length: count }, (_, i) => array.at(i, ...column)));
  const all = lines.flat();
  const low = chart.low ?? Math.min(0, ...all);
  const high = chart.high ?? Math.max(low + 1e-3, ...all);
  const x = (i) => PAD.left + (i / lastState()) * (width - PAD.left - PAD.right);
  const y = (v) => height - PAD.bottom - ((v - low) / (high - low)) * (height - PAD.top - PAD.bottom);

  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colour("--faint");
  pen.strokeStyle = colour("--line");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const value of new Set([low, high, 0])) {
    if (value < low || value > high) continue;
    stroke(pen, [[PAD.left, y(value)], [width - PAD.right, y(value)]]);
    // Zero has no number where that of the lowest or highest value is close.
    const isClose = Math.min(Math.abs(y(value) - y(low)), Math.abs(y(value) - y(high))) < 12;
    if (value !== low && value !== high && isClose) continue;
    pen.fillText(value.toFixed(high - low < 20 ? 1 : 0), PAD.left - 4, y(value));
  }
  pen.textBaseline = "alphabetic";
  pen.fillText(String(lastState()), width - PAD.right, height - 3);
  pen.textAlign = "left";
  pen.fillText("0", PAD.left, height - 3);

  pen.lineWidth = 1.75;
  lines.forEach((line, number) => {
    pen.strokeStyle = colour(lineColour(number));
    pen.setLineDash(lineDash(number));
    stroke(pen, line.map((value, i) => [x(i), y(value)]));
  });
  pen.setLineDash([]);
  pen.lineWidth = 1;
  pen.strokeStyle = colour("--ink");
  const state = stateOf(episode);
  stroke(pen, [[x(state), PAD.top], [x(state), height - PAD.bottom]]);

  chart.values.forEach((element, number) => {
    element.textContent = state < count ? lines[number][state].toFixed(2) : "–";
  });
  const now = chart.lines.map(([name], number) => `${name} ${chart.values[number].textContent}`).join(", ");
  chart.canvas.setAttribute("aria-label", `${chart.title}, a line chart over the episode. At this step: ${now}`);
}

function stroke(pen, points) {
  pen.beginPath();
  points.forEach(([x, y]) => pen.lineTo(x, y));
  pen.stroke();
}

// --------------------------------------------------------------------------------------------------------- the world

function drawWorld(side, episode) {
  const { height: rows, width: columns } = side.world;
  const { pen, width } = sized(side.worldCanvas, (side.worldCanvas.clientWidth * rows) / columns);
  const cell = width / columns;
  const state = stateOf(episode);
  const { grid, position, active } = episode.arrays;
  grid.part(state).forEach((thing, i) => {
    // Half a pixel more, so that no gap shows between cells.
    pen.drawImage(side.cutSprites[thing], (i % columns) * cell, Math.floor(i / columns) * cell, cell + 0.5, cell + 0.5);
  });
  const visible = side.agents.map((_, agent) => agent).filter((agent) => position.at(state, agent, 0) >= 0);
  visible.forEach((agent) => drawTrail(pen, episode, state, agent, cell));
  // Agents that share a cell stand beside each other, so that all are seen.
  const centres = new Map();
  for (const agent of visible) {
    const [row, column] = position.part(state, agent);
    const here = visible.filter((other) => position.part(state, other).join() === `${row},${column}`);
    const aside = here.length > 1 ? (here.indexOf(agent) / (here.length - 1) - 0.5) * 0.44 : 0;
    centres.set(agent, [(column + 0.5 + aside) * cell, (row + 0.5) * cell]);
  }
  visible.forEach((agent) => drawAgent(pen, side, episode, state, agent, centres.get(agent), cell));
  if (side.world.ordered) drawOrder(pen, episode, state, visible, cell);
  for (const lead of episode.leads) {
    const near = state > lead.led_at && state <= lead.entered_at + 1 + KEPT;
    if (near && centres.has(lead.follower) && centres.has(lead.leader)) {
      const lag = lead.entered_at - lead.led_at;
      drawArrow(pen, centres.get(lead.follower), centres.get(lead.leader), cell, `lag ${lag}`, state <= lead.entered_at);
    }
  }
  const seen = visible.map((agent) => agentInWords(side, episode, state, agent));
  const gone = visible.length < side.agents.length || visible.some((agent) => !active.at(state, agent));
  side.worldCanvas.setAttribute("aria-label",
    `World of ${rows} rows and ${columns} columns, step ${state} of ${episode.steps}. ${seen.join(" ")}` +
    (gone ? " Other agents take no part now." : ""));
}

function agentInWords(side, episode, state, agent) {
  const [row, column] = episode.arrays.position.part(state, agent);
  const next = nextGoal(side, episode, state, agent);
  return `${letterOf(agent)} (${side.agents[agent]}) at row ${row}, column ${column}, looks ` +
    `${HEADINGS[episode.arrays.heading.at(state, agent)]}, next goal ${next === null ? "any" : next + 1}.`;
}

function label(pen, text, x, y, size, fill, halo) {
  pen.font = `700 ${size}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = size / 4;
  pen.strokeStyle = halo;
  pen.strokeText(text, x, y);
  pen.fillStyle = fill;
  pen.fillText(text, x, y);
}

// Writes each goal's number; small and in the corner where an agent stands on it.
function drawOrder(pen, episode, state, visible, cell) {
  episode.goals.forEach(([row, column], number) => {
    const taken = visible.some((agent) => episode.arrays.position.part(state, agent).join() === `${row},${column}`);
    const [x, y, size] = taken ? [0.16, 0.2, 0.32] : [0.5, 0.54, 0.62];
    label(pen, String(number + 1), (column + x) * cell, (row + y) * cell, Math.max(9, size * cell), "#000", "#fff");
  });
}

function drawTrail(pen, episode, state, agent, cell) {
  const { position } = episode.arrays;
  for (let before = Math.max(0, state - TRAIL); before < state; before++) {
    const [from, to] = [position.part(before, agent), position.part(before + 1, agent)];
    // An agent that was put elsewhere left no trail.
    if (from[0] < 0 || Math.abs(from[0] - to[0]) + Math.abs(from[1] - to[1]) !== 1) continue;
    pen.strokeStyle = `rgba(255, 255, 255, ${0.08 + (0.5 * (TRAIL - state + before)) / TRAIL})`;
    pen.lineWidth = Math.max(1, cell * 0.05);
    pen.setLineDash(lineDash(agent));
    stroke(pen, [from, to].map(([row, column]) => [(column + 0.5) * cell, (row + 0.5) * cell]));
  }
  pen.setLineDash([]);
}

function drawAgent(pen, side, episode, state, agent, [x, y], cell) {
  const { heading, tint, active } = episode.arrays;
  const [row, column] = episode.arrays.position.part(state, agent);
  const isLearner = agent < side.learners;
  pen.save();
  pen.globalAlpha = active.at(state, agent) ? 1 : 0.5;
  pen.translate(x, y);
  pen.rotate((heading.at(state, agent) * Math.PI) / 2);
  // The corners of the triangle in the agents' own pictures.
  pen.beginPath();
  [[-0.38, -0.31], [0.37, 0], [-0.38, 0.31]].forEach(([a, b]) => pen.lineTo(a * cell, b * cell));
  pen.closePath();
  pen.fillStyle = `rgb(${tint.part(state, agent).join()})`;
  pen.fill();
  pen.lineJoin = "round";
  pen.strokeStyle = "#fff";
  pen.lineWidth = Math.max(1.5, cell * 0.045);
  pen.stroke();
  pen.restore();
  if (isLearner) {
    pen.strokeStyle = "#fff";
    pen.lineWidth = Math.max(1.5, cell * 0.04);
    pen.strokeRect(column * cell + 1, row * cell + 1, cell - 2, cell - 2);
    drawWindow(pen, side, heading.at(state, agent), row, column, cell);
  }
  const size = Math.max(9, cell * 0.25);
  label(pen, letterOf(agent), x, y, size, "#fff", "#000");
  const next = nextGoal(side, episode, state, agent);
  if (next !== null && cell >= 22) label(pen, `→${next + 1}`, x, y + cell * 0.36, Math.max(9, cell * 0.2), "#fff", "#000");
}

// The window of a learner's view: it looks along its heading, with `offset` rows behind it.
function drawWindow(pen, side, heading, row, column, cell) {
  if (!side.window) return;
  const { size, offset } = side.window;
  pen.save();
  pen.translate((column + 0.5) * cell, (row + 0.5) * cell);
  pen.rotate((heading * Math.PI) / 2);
  pen.setLineDash([cell * 0.15, cell * 0.12]);
  pen.strokeStyle = "rgba(255, 255, 255, 0.6)";
  pen.lineWidth = 1.5;
  pen.strokeRect((-offset - 0.5) * cell, (-Math.floor(size / 2) - 0.5) * cell, size * cell, size * cell);
  pen.restore();
}

function drawArrow(pen, [x0, y0], [x1, y1], cell, text, dashed) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  // Beside the arrow: below one that lies, to the right of one that stands.
  const aside = Math.abs(x1 - x0) > Math.abs(y1 - y0) ? [0, 0.27 * cell] : [0.42 * cell, 0];
  if (length > cell * 0.7) {
    const angle = Math.atan2(y1 - y0, x1 - x0);
    for (const [colour, width] of [["#000", cell * 0.13], ["#ffe9a8", cell * 0.06]]) {
      pen.save();
      pen.translate(x0, y0);
      pen.rotate(angle);
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.lineCap = "round";
      const [start, end] = [cell * 0.3, length - cell * 0.3];
      pen.setLineDash(dashed ? [cell * 0.16, cell * 0.16] : []);
      stroke(pen, [[start, 0], [end, 0]]);
      pen.setLineDash([]);
      stroke(pen, [[end - cell * 0.2, -cell * 0.14], [end, 0], [end - cell * 0.2, cell * 0.14]]);
      pen.restore();
    }
  }
  label(pen, text, (x0 + x1) / 2 + aside[0], (y0 + y1) / 2 + aside[1], Math.max(10, cell * 0.22), "#ffe9a8", "#000");
}

// --------------------------------------------------------------------------------------------- views and predictions

// Draws tiles into a canvas pixel by pixel; the page enlarges it.
function drawTiles(canvas, side, tiles, columns) {
  const { width } = side.tileSheet;
  canvas.width = columns * width;
  canvas.height = (tiles.length / columns) * width;
  const pen = canvas.getContext("2d");
  tiles.forEach((tile, i) => drawFrom(pen, side.tileSheet, tile, (i % columns) * width, Math.floor(i / columns) * width));
}

function drawAgents(side, episode) {
  const state = stateOf(episode);
  const { view, prestige, returns, carrying, active } = episode.arrays;
  side.cards.forEach(({ root, canvas, fields }, agent) => {
    drawTiles(canvas, side, view.part(state, agent), view.shape[3]);
    root.classList.toggle("absent", !active.at(state, agent));
    const next = nextGoal(side, episode, state, agent);
    const kind = carrying.at(state, agent);
    fields["next goal"].textContent = !active.at(state, agent) ? "absent" : next === null ? "any" : next + 1;
    fields.prestige.textContent = prestige.at(state, agent).toFixed(2);
    fields.return.textContent = signed(returns.at(state, agent));
    fields.carries.textContent = side.kinds[kind];
    fields.carries.hidden = fields.carriesTerm.hidden = kind === 0;
  });
}

function drawPredictions(side, episode) {
  const { picture, view, error, loss } = episode.arrays;
  const step = stateOf(episode);
  const over = step >= episode.steps;
  (side.predictions ?? []).forEach(([predicted, came, wrong], learner) => {
    const canvases = [predicted, came, wrong].map((figure) => figure.canvas);
    canvases.forEach((canvas) => (canvas.hidden = over));
    predicted.caption.textContent = over ? "no prediction: the episode is over" : "predicted";
    came.caption.hidden = wrong.caption.hidden = over;
    if (over) return;
    if (episode.picture) {
      predicted.canvas.width = episode.picture.width;
      predicted.canvas.height = episode.picture.height;
      drawFrom(predicted.canvas.getContext("2d"), episode.picture, step * side.learners + learner, 0, 0);
    } else {
      drawTiles(predicted.canvas, side, picture.part(step, learner), picture.shape[3]);
    }
    drawTiles(came.canvas, side, view.part(side.of_next ? step + 1 : step, learner), view.shape[3]);
    const largest = drawErrors(wrong.canvas, error, step, learner);
    const unit = side.predicts === "frames" ? "of full brightness" : "nats";
    wrong.caption.textContent =
      `error of each cell: up to ${largest.toFixed(2)} ${unit}; loss ${loss.at(step, learner).toFixed(3)}`;
  });
}

// Draws the error of each cell as brightness; returns the largest one. White is the largest of the episode.
function drawErrors(canvas, error, step, learner) {
  const [, , rows, columns] = error.shape;
  const { pen, width, height } = sized(canvas, (canvas.clientWidth * rows) / columns);
  const levels = error.part(step, learner);
  const cell = width / columns;
  const digits = error.largest < 1 ? 2 : 1;
  levels.forEach((level, i) => {
    const value = level * error.scale;
    const [x, y] = [(i % columns) * cell, (Math.floor(i / columns) * height) / rows];
    // The square root shows small errors beside large ones.
    const grey = Math.round(255 * Math.sqrt(value / (error.largest || 1)));
    pen.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    pen.fillRect(x, y, cell + 0.5, cell + 0.5);
    if (level > 0 && cell >= 24) {
      pen.font = `${Math.min(11, cell * 0.38)}px system-ui, sans-serif`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillStyle = grey > 127 ? "#000" : "#fff";
      pen.fillText(value.toFixed(digits), x + cell / 2, y + cell / 2);
    }
  });
  return Math.max(...levels) * error.scale;
}

function drawActions(side, episode) {
  const { probability, action } = episode.arrays;
  const step = stateOf(episode);
  const over = step >= episode.steps;
  side.actionRows.forEach((rows, learner) => rows.forEach(({ row, bar, text }, number) => {
    const share = over ? 0 : probability.at(step, learner, number);
    const chosen = !over && action.at(step, learner) === number;
    row.classList.toggle("chosen", chosen);
    bar.style.width = `${100 * share}%`;
    text.textContent = over ? "–" : `${Math.round(100 * share)} %${chosen ? " chosen" : ""}`;
  }));
}

// Lists all goals that were entered, as links to the state after the entry.
function listEvents(side, episode) {
  const { goal, right } = episode.arrays;
  side.events.replaceChildren();
  side.eventLinks = [];
  for (let step = 0; step < episode.steps; step++) {
    side.agents.forEach((_, agent) => {
      const entered = goal.at(step, agent);
      if (entered < 0) return;
      const lead = episode.leads.find((one) => one.follower === agent && one.entered_at === step);
      const led = lead ? `, led by ${letterOf(lead.leader)}, lag ${step - lead.led_at}` : "";
      const wrong = right.at(step, agent) ? "" : ": not its next (wrong)";
      const which = side.world.ordered ? `goal ${entered + 1}` : "a goal";
      const link = make(make(side.events, "li"), "a", { href: hashOf(shown.index, step + 1) });
      link.textContent = `${step + 1}: ${letterOf(agent)} enters ${which}${wrong}${led}`;
      side.eventLinks.push([step + 1, link]);
    });
  }
  if (side.eventLinks.length === 0) make(side.events, "li", { textContent: "none" });
}

// Marks the events of this step, and scrolls the list to the last one so far.
function markEvents(side, episode) {
  const now = stateOf(episode);
  side.events.scrollTop = 0;
  for (const [state, link] of side.eventLinks) {
    if (state === now) link.setAttribute("aria-current", "step");
    else link.removeAttribute("aria-current");
    if (state <= now) side.events.scrollTop = link.offsetTop - side.events.clientHeight / 2;
  }
}

// ---------------------------------------------------------------------------------------------------- the page's step

function draw() {
  for (const side of sides) {
    const episode = side.episodes[shown.index];
    drawWorld(side, episode);
    drawAgents(side, episode);
    drawPredictions(side, episode);
    drawActions(side, episode);
    side.charts.forEach((chart) => drawChart(chart, episode));
    markEvents(side, episode);
  }
  byId("step").value = shown.state;
  byId("step").setAttribute("aria-valuetext", `step ${shown.state} of ${lastState()}`);
  byId("clock").textContent = `step ${shown.state} of ${lastState()}`;
  const hash = hashOf(shown.index, shown.state);
  byId("link").href = byId("link").textContent = hash;
  // Browsers limit how often an address may change.
  if (!shown.playing && location.hash !== hash) history.replaceState(null, "", hash);
}

function show(state) {
  shown.state = Math.min(Math.max(state, 0), lastState());
  draw();
}

// Shows the sides of another comparison, still empty.
function showComparison(number) {
  const { about } = comparisons[number];
  sides = comparisons[number].sides;
  Object.assign(shown, { comparison: number, index: -1 });
  byId("sides").style.setProperty("--columns", sides.length);
  byId("sides").replaceChildren();
  sides.forEach(build);
  byId("about").textContent = about;
  byId("about").hidden = about === "";
  byId("comparison").selectedIndex = number;
  byId("episode").replaceChildren();
  sides[0].episodes.forEach((episode) => make(byId("episode"), "option", { textContent: episode.number }));
}

async function loadSheets(side) {
  side.cutSprites ??= cut(await loadedSheet(side.sprites));
  side.tileSheet ??= await loadedSheet(side.tiles);
}

// Shows another episode; `wanted` is the state to begin with. If several are asked for at once, the last one is shown.
let asked = 0;
async function openEpisode(index, wanted = 0, comparison = shown.comparison) {
  const own = ++asked;
  const next = comparisons[comparison].sides;
  index = Math.min(Math.max(index, 0), next[0].episodes.length - 1);
  await Promise.all(next.flatMap((side) => [loadSheets(side), unpacked(side.episodes[index])]));
  if (own !== asked) return;
  if (comparison !== shown.comparison) showComparison(comparison);
  // A list of the same episode stays, and with it the focus on one of its links.
  if (index !== shown.index) {
    shown.index = index;
    sides.forEach((side) => listEvents(side, side.episodes[index]));
    byId("episode").selectedIndex = index;
    byId("step").max = lastState();
  }
  show(wanted);
}

const hashOf = (index, state) => {
  const comparison = comparisons.length > 1 ? `c${shown.comparison + 1}` : "";
  return `#${comparison}e${sides[0].episodes[index].number}s${state}`;
};

// Shows what the address names: #e3s41 is step 41 of episode 3, and #c2e3s41 that of the second comparison. Another
// address shows the beginning.
async function followHash() {
  const found = location.hash.match(/^#(?:c(\d+))?e(\d+)(?:s(\d+))?$/);
  const comparison = Number(found?.[1] ?? 1) - 1;
  const episodes = comparisons[comparison]?.sides[0].episodes ?? [];
  const index = found ? episodes.findIndex((episode) => episode.number === Number(found[2])) : -1;
  pause();
  if (index < 0) await openEpisode(0, 0, 0);
  else await openEpisode(index, Number(found[3] ?? 0), comparison);
}

function play() {
  if (shown.state >= lastState()) show(0);
  shown.playing = true;
  byId("play").textContent = "Pause";
  let last = performance.now();
  const frame = (now) => {
    if (!shown.playing) return;
    const steps = Math.floor(((now - last) * shown.speed) / 1000);
    if (steps > 0) {
      last += (steps * 1000) / shown.speed;
      show(shown.state + steps);
    }
    if (shown.state >= lastState()) pause();
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function pause() {
  if (!shown.playing) return;
  shown.playing = false;
  byId("play").textContent = "Play";
  draw();
}

// ------------------------------------------------------------------------------------------------------- the controls

const toggle = () => (shown.playing ? pause() : play());
const stepBy = (steps) => { pause(); show(shown.state + steps); };
const fasterBy = (places) => {
  const place = Math.min(Math.max(SPEEDS.indexOf(shown.speed) + places, 0), SPEEDS.length - 1);
  shown.speed = SPEEDS[place];
  byId("speed").selectedIndex = place;
};
const fullScreen = () =>
  document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();

const KEYS = {
  " ": toggle,
  ArrowLeft: (event) => stepBy(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => stepBy(event.shiftKey ? 10 : 1),
  Home: () => stepBy(-Infinity),
  End: () => stepBy(Infinity),
  PageUp: () => openEpisode(shown.index - 1),
  PageDown: () => openEpisode(shown.index + 1),
  "+": () => fasterBy(1),
  "-": () => fasterBy(-1),
  f: fullScreen,
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  // A menu has its own keys, and space presses the button or follows the link that has the focus.
  const { tagName } = document.activeElement;
  if (tagName === "SELECT" || (event.key === " " && ["BUTTON", "SUMMARY", "A"].includes(tagName))) return;
  // Otherwise the slider would go a step too, and the page would scroll.
  event.preventDefault();
  KEYS[event.key](event);
}

function fillMenus() {
  comparisons.forEach(({ title }) => make(byId("comparison"), "option", { textContent: title }));
  byId("comparison").parentElement.hidden = comparisons.length < 2;
  SPEEDS.forEach((speed) => make(byId("speed"), "option", { textContent: `${speed}/s` }));
  fasterBy(0);
}

function connect() {
  byId("comparison").addEventListener("change", (event) => { pause(); openEpisode(0, 0, event.target.selectedIndex); });
  byId("episode").addEventListener("change", (event) => { pause(); openEpisode(event.target.selectedIndex); });
  byId("speed").addEventListener("change", (event) => { shown.speed = SPEEDS[event.target.selectedIndex]; });
  byId("step").addEventListener("input", (event) => { pause(); show(Number(event.target.value)); });
  byId("play").addEventListener("click", toggle);
  byId("back").addEventListener("click", () => stepBy(-1));
  byId("forward").addEventListener("click", () => stepBy(1));
  byId("fullscreen").addEventListener("click", fullScreen);
  byId("fullscreen").hidden = !document.fullscreenEnabled;
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", followHash);
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

async function begin() {
  fillMenus();
  await followHash();
  connect();
  document.documentElement.dataset.ready = Math.round(performance.now());
}

begin();
