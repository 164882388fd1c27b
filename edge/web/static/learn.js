// Places to answer on a learned page: tapping one marks it in the list, drawing one adds it.
"use strict";
const page = document.getElementById("page");
const list = document.getElementById("places");
const blank = document.getElementById("new-place");
const svg = "http://www.w3.org/2000/svg";
let drawn = null;
let start = null;

function choose(number) {
  for (const one of document.querySelectorAll("[data-place]")) {
    const rect = one.querySelector("rect.place");
    (rect || one).classList.toggle("chosen", one.dataset.place === number);
  }
  const row = list.querySelector(`[data-place="${number}"]`);
  if (row) row.scrollIntoView({ block: "nearest" });
}

function at(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(page.getScreenCTM().inverse());
  const view = page.viewBox.baseVal;
  return { x: Math.min(Math.max(point.x, 0), view.width), y: Math.min(Math.max(point.y, 0), view.height) };
}

function box(end) {
  const x = Math.min(start.x, end.x), y = Math.min(start.y, end.y);
  return [x, y, Math.abs(end.x - start.x), Math.abs(end.y - start.y)].map((v) => Math.round(v * 10) / 10);
}

function shape(rect, [x, y, width, height]) {
  for (const [name, value] of Object.entries({ x, y, width, height })) rect.setAttribute(name, value);
}

function add(place) {
  const numbers = [...list.children].map((row) => Number(row.dataset.place));
  const number = String(Math.max(0, ...numbers) + 1);
  const items = [...list.querySelectorAll("[name^=item-]")].map((input) => Number(input.value) || 0);
  const item = String(Math.max(0, ...items) + 1);
  const row = blank.content.firstElementChild.cloneNode(true);
  row.dataset.place = number;
  for (const input of row.querySelectorAll("[data-name]")) input.name = `${input.dataset.name}-${number}`;
  row.querySelector("[data-name=field]").value = JSON.stringify({ item, blank: 1, kind: "number", box_mm: place });
  row.querySelector("[data-name=item]").value = item;
  list.append(row);
  drawn.parentNode.dataset.place = number;
  drawn.setAttribute("class", "place");
  choose(number);
  row.querySelector("[data-name=item]").focus();
}

page.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  const place = event.target.closest("[data-place]");
  if (place) { choose(place.dataset.place); return; }
  if (!blank) return;
  start = at(event);
  const group = document.createElementNS(svg, "g");
  drawn = document.createElementNS(svg, "rect");
  drawn.setAttribute("class", "drawn");
  group.append(drawn);
  page.append(group);
  page.setPointerCapture(event.pointerId);
});
page.addEventListener("pointermove", (event) => { if (start) shape(drawn, box(at(event))); });
page.addEventListener("pointerup", (event) => {
  if (!start) return;
  const place = box(at(event));
  start = null;
  if (place[2] < 3 || place[3] < 3) { drawn.parentNode.remove(); return; }
  shape(drawn, place);
  add(place);
});
page.addEventListener("pointercancel", () => { if (start) drawn.parentNode.remove(); start = null; });
list.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-place]");
  if (row) choose(row.dataset.place);
});
