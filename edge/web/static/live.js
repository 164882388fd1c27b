// Swaps in the pieces of the page that the box sends, and sounds what came out. No piece is made here.
// Written for the browsers of classroom panels too (ES2015; what is newer is asked for before it is used).
"use strict";

const body = document.body;
const offline = document.getElementById("offline");
const soundButton = document.getElementById("sound");
const NOTES = JSON.parse(body.getAttribute("data-notes")); // Hz, one after the other
const SILENCE_MS = 12000; // the box says something every five seconds
const seen = new Map();
let after = body.getAttribute("data-after");
let waiting = null; // a state that came while a finger was down or a list was open
let held = false;
let pressed = null; // the button that sends the form
let audio = null;
let soundWanted = remembered("sound") !== "off";

function remembered(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch (refused) { /* a private window keeps nothing */ }
  return null;
}

// --- sound -------------------------------------------------------------------------------------------------

function sound(tone) {
  if (!audio || !soundWanted || audio.state !== "running" || !NOTES[tone]) return;
  NOTES[tone].forEach(function (frequency, place) {
    const start = audio.currentTime + place * 0.13;
    const note = audio.createOscillator();
    const volume = audio.createGain();
    note.type = frequency < 300 ? "triangle" : "sine";
    note.frequency.value = frequency;
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.25, start + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.14);
    note.connect(volume);
    volume.connect(audio.destination);
    note.start(start);
    note.stop(start + 0.15);
  });
  body.setAttribute("data-last-sound", tone);
}

function showSound() {
  soundButton.setAttribute("aria-pressed", String(soundWanted && audio !== null));
}

// Browsers give a page its voice only after a touch.
function wake() {
  const Context = window.AudioContext || window.webkitAudioContext;
  if (!audio && Context) audio = new Context();
  if (audio && audio.state !== "running") audio.resume();
  showSound();
}
["pointerdown", "mousedown", "touchend", "keydown"].forEach(function (name) {
  addEventListener(name, function (event) { if (!soundButton.contains(event.target)) wake(); }, true);
});

soundButton.addEventListener("click", function () {
  soundWanted = audio === null || !soundWanted; // the first touch turns it on
  remembered("sound", soundWanted ? "on" : "off");
  wake();
  if (audio && soundWanted) audio.resume().then(function () { sound("graded"); });
});

// --- what the box sends ------------------------------------------------------------------------------------

function show(state) {
  waiting = state;
  if (!held) swap();
  if (!state.tone) return;
  sound(state.tone);
  body.classList.remove("blink");
  void body.offsetWidth; // starts the animation anew
  body.classList.add("blink");
}

function swap() {
  const state = waiting;
  if (!state) return;
  waiting = null;
  Object.keys(state.parts).forEach(function (name) {
    const place = document.getElementById(name);
    const html = state.parts[name];
    if (!place || seen.get(name) === html) return;
    const busy = place.contains(document.activeElement) ? document.activeElement : null;
    if (busy && busy.tagName === "SELECT") { waiting = state; return; } // an open list is not pulled away
    seen.set(name, html);
    const focused = busy && busy.getAttribute("data-focus");
    const digits = busy && busy.hasAttribute("data-digits") ? busy.value : null;
    const open = Array.prototype.map.call(place.querySelectorAll("details[open][data-focus]"), function (one) {
      return one.getAttribute("data-focus");
    });
    place.innerHTML = html;
    open.forEach(function (one) { const found = named(place, one); if (found) found.setAttribute("open", ""); });
    if (digits !== null) typeDigits(digits);
    else if (focused && named(place, focused)) named(place, focused).focus({ preventScroll: true });
  });
  const desk = document.querySelector(".desk");
  desk.classList[document.querySelector(".calling") ? "add" : "remove"]("calls");
}

function named(place, name) {
  return Array.prototype.filter.call(place.querySelectorAll("[data-focus]"), function (one) {
    return one.getAttribute("data-focus") === name;
  })[0];
}

// A button that is pressed must not be pulled away from under the finger.
function hold() {
  held = true;
  clearTimeout(hold.timer);
  hold.timer = setTimeout(letGo, 1500);
}
function letGo() {
  clearTimeout(hold.timer);
  hold.timer = setTimeout(function () { held = false; swap(); }, 30);
}
["pointerdown", "mousedown"].forEach(function (name) { addEventListener(name, hold, true); });
["pointerup", "mouseup", "pointercancel"].forEach(function (name) { addEventListener(name, letGo, true); });
addEventListener("focusout", function () { setTimeout(swap, 0); });

// --- forms that are answered without leaving the page: the sound and the half-typed number stay ---------------

addEventListener("click", function (event) {
  let at = event.target;
  while (at && at.tagName !== "BUTTON") at = at.parentNode;
  pressed = at || null;
}, true);

addEventListener("submit", function (event) {
  const form = event.target;
  if (!form.hasAttribute("data-quiet") || !window.fetch) return;
  event.preventDefault();
  const button = pressed && form.contains(pressed) ? pressed : null;
  const values = [];
  Array.prototype.forEach.call(form.elements, function (one) {
    if (one.name && !one.disabled && (one.tagName !== "BUTTON" || one === button)) {
      values.push(encodeURIComponent(one.name) + "=" + encodeURIComponent(one.value));
    }
  });
  if (document.activeElement && document.activeElement.hasAttribute("data-digits")) document.activeElement.blur();
  fetch(form.action, {
    method: "POST",
    body: values.join("&"),
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    credentials: "same-origin",
    redirect: "manual",
  }).then(function (answer) {
    if (answer.type !== "opaqueredirect") sendPlainly(form, button); // shows what is wrong
    else if (!events) poll();
  }).catch(function () { offline.hidden = false; });
});

function typeDigits(text) {
  const input = document.querySelector("input[data-digits]");
  if (!input) return;
  input.value = text;
  input.focus();
}

// → skips, ← undoes, digits and Enter go to a number.
addEventListener("keydown", function (event) {
  const at = document.activeElement;
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (at && ["INPUT", "SELECT", "TEXTAREA"].indexOf(at.tagName) >= 0) return;
  const buttons = document.querySelectorAll(".calling [data-key]");
  const button = Array.prototype.filter.call(buttons, function (one) {
    return one.getAttribute("data-key") === event.key;
  })[0];
  if (button) button.click();
  else if (/^[0-9]$/.test(event.key) && document.querySelector("input[data-digits]")) typeDigits(event.key);
  else return;
  event.preventDefault();
});

// --- the line to the box -----------------------------------------------------------------------------------

let events = null;
let heardAt = Date.now();
let polling = null;

function heard() {
  heardAt = Date.now();
  offline.hidden = true;
}

function connect() {
  if (!window.EventSource) { poll(); return; }
  if (events && events.readyState !== EventSource.CLOSED) return;
  events = new EventSource(body.getAttribute("data-events") + "&after=" + encodeURIComponent(after));
  events.addEventListener("state", function (message) {
    heard();
    after = message.lastEventId;
    show(JSON.parse(message.data));
  });
  events.addEventListener("beat", heard);
  events.addEventListener("signin", function () { location.reload(); }); // this session has ended
  events.addEventListener("open", heard);
  events.addEventListener("error", function () {
    offline.hidden = false;
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  });
}

// A line that has died without a word (wireless gone, the box without power) is opened anew.
setInterval(function () {
  if (!events || document.hidden || Date.now() - heardAt < SILENCE_MS) return;
  offline.hidden = false;
  heardAt = Date.now();
  events.close();
  connect();
}, 2000);

// Browsers without server-sent events ask again and again; those that cannot even ask load the page anew.
function poll() {
  clearTimeout(polling);
  if (!window.fetch) { polling = setTimeout(function () { location.reload(); }, 5000); return; }
  fetch(body.getAttribute("data-state") + "&after=" + encodeURIComponent(after), { credentials: "same-origin" })
    .then(function (answer) {
      if (answer.status === 204) { heard(); return null; }
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.json().then(function (state) {
        heard();
        after = state.id;
        show(state);
      });
    })
    .catch(function () { offline.hidden = false; })
    .then(function () {
      clearTimeout(polling);
      polling = setTimeout(poll, 1000);
    });
}

document.addEventListener("visibilitychange", function () {
  if (!document.hidden) { heardAt = Date.now(); connect(); }
});
addEventListener("pageshow", function () { heardAt = Date.now(); connect(); });
addEventListener("pagehide", function () { if (events) events.close(); });
showSound();
connect();
