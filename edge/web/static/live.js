// Swaps in the pieces of the page that the box sends, and sounds what came out. No piece is made here.
"use strict";

const body = document.body;
const offline = document.getElementById("offline");
const soundButton = document.getElementById("sound");
const seen = new Map();
let after = body.dataset.after;
let events = null;
let audio = null;
let soundWanted = localStorage.getItem("sound") !== "off";

// Frequencies in Hz, one after the other; graded is one soft high note, all are over in 300 ms.
const NOTES = { graded: [1047], ask: [784, 1047], wrong: [196], duplicate: [262, 523] };

function sound(tone) {
  if (!audio || !soundWanted || audio.state !== "running") return;
  NOTES[tone].forEach((frequency, place) => {
    const start = audio.currentTime + place * 0.13;
    const note = audio.createOscillator();
    const volume = audio.createGain();
    note.type = tone === "wrong" ? "triangle" : "sine";
    note.frequency.value = frequency;
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.25, start + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.14);
    note.connect(volume).connect(audio.destination);
    note.start(start);
    note.stop(start + 0.15);
  });
  body.dataset.lastSound = tone;
}

function showSound() {
  soundButton.setAttribute("aria-pressed", String(soundWanted && audio !== null));
}

// Browsers give a page its voice only after a touch.
addEventListener("pointerdown", () => {
  if (!audio) audio = new AudioContext();
  audio.resume().then(showSound);
}, { capture: true });

soundButton.addEventListener("click", () => {
  soundWanted = soundButton.getAttribute("aria-pressed") !== "true";
  localStorage.setItem("sound", soundWanted ? "on" : "off");
  showSound();
  if (audio) audio.resume().then(() => sound("graded"));
});

function show(message) {
  const state = JSON.parse(message.data);
  after = message.lastEventId;
  for (const [name, html] of Object.entries(state.parts)) {
    const place = document.getElementById(name);
    if (!place || seen.get(name) === html) continue;
    seen.set(name, html);
    const busy = place.contains(document.activeElement) && document.activeElement;
    if (name === "side" && busy && busy.tagName === "SELECT") continue;
    const digits = name === "side" && busy && "digits" in busy.dataset ? busy.value : null;
    place.innerHTML = html;
    if (digits !== null) typeDigits(digits);
  }
  if (!state.tone) return;
  sound(state.tone);
  body.classList.remove("blink");
  void body.offsetWidth; // starts the animation anew
  body.classList.add("blink");
}

// A number that is called is answered without leaving the page: the sound and the half-typed number stay.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.closest(".calling")) return;
  event.preventDefault();
  const values = new URLSearchParams(new FormData(form, event.submitter));
  if (document.activeElement) document.activeElement.blur();
  fetch(form.action, { method: "POST", body: values, redirect: "manual" }).then((answer) => {
    if (answer.type !== "opaqueredirect") HTMLFormElement.prototype.submit.call(form); // shows what is wrong
  }).catch(() => { offline.hidden = false; });
});

function typeDigits(text) {
  const input = document.querySelector("input[data-digits]");
  if (!input) return;
  input.value = text;
  input.focus();
}

// → skips, ← undoes, digits and Enter go to a number.
addEventListener("keydown", (event) => {
  const at = document.activeElement;
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (at && ["INPUT", "SELECT", "TEXTAREA"].includes(at.tagName)) return;
  const button = document.querySelector(`.calling [data-key="${CSS.escape(event.key)}"]`);
  if (button) button.click();
  else if (/^[0-9]$/.test(event.key) && document.querySelector("input[data-digits]")) typeDigits(event.key);
  else return;
  event.preventDefault();
});

function connect() {
  if (events && events.readyState !== EventSource.CLOSED) return;
  events = new EventSource(`${body.dataset.events}&after=${encodeURIComponent(after)}`);
  events.addEventListener("state", show);
  events.addEventListener("open", () => { offline.hidden = true; });
  events.addEventListener("error", () => {
    offline.hidden = false;
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  });
}

addEventListener("visibilitychange", () => { if (!document.hidden) connect(); });
addEventListener("pageshow", connect);
addEventListener("pagehide", () => { if (events) events.close(); });
showSound();
connect();
