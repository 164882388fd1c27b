// Keeps a page fresh without flicker: on every event the page is fetched again and only what differs is changed.
// What the reader has opened stays open, and what has the focus keeps it.
"use strict";

const main = document.querySelector("main");
const source = document.body.dataset.live;
const state = document.querySelector("[data-state]");
let busy = false;
let again = false;

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "";
}

function morphAttributes(from, to) {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(from.tagName === "DETAILS" && name === "open")) from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    // What the page opens at first the reader may have closed.
    if (from.getAttribute(name) !== value && !(from.tagName === "DETAILS" && name === "open")) from.setAttribute(name, value);
  }
}

function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || keyOf(from) !== keyOf(to)) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  morphAttributes(from, to);
  const keyed = new Map([...from.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const known = keyed.get(keyOf(wanted));
    if (known && known !== place) from.insertBefore(known, place);
    const here = known || place;
    if (!here) {
      from.appendChild(wanted);
      continue;
    }
    if (!known && keyOf(here)) {
      from.insertBefore(wanted, here);
      continue;
    }
    const next = here.nextSibling;
    morph(here, wanted);
    place = next;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

async function newest() {
  try {
    const answer = await fetch(location.href, { headers: { "X-Requested-By": "live" } });
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  } catch (error) {
    return null; // The connection is away; the event stream reconnects by itself and asks again.
  }
}

async function refresh() {
  again = true;
  if (busy) return;
  busy = true;
  try {
    while (again) {
      again = false;
      const page = await newest();
      if (page) morph(main, page.querySelector("main"));
      else say("waiting");
    }
  } finally {
    busy = false;
  }
}

function say(which) {
  if (state) state.dataset.state = which;
}

if (source) {
  const events = new EventSource(source);
  events.addEventListener("open", () => {
    say("live");
    refresh();
  });
  events.addEventListener("changed", refresh);
  events.addEventListener("error", () => say("waiting"));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#item-"]');
  const item = link && document.getElementById(link.hash.slice(1));
  if (item) item.open = true;
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-print]");
  if (!button) return;
  if (button.dataset.print !== undefined) {
    window.print();
    return;
  }
  const text = document.querySelector(button.dataset.copy).textContent;
  const said = document.querySelector("[data-said]");
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = button.dataset.done;
  } catch (error) {
    const box = document.querySelector(button.dataset.copy);
    box.hidden = false;
    getSelection().selectAllChildren(box);
    said.textContent = button.dataset.fallback;
  }
});
