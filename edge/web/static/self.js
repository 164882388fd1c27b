// Asks for the newest state for ever, and lets nothing of the sheet before stay: not on the page, not behind "back".
"use strict";

const place = document.getElementById("self");
const lost = document.getElementById("self-lost");
let after = document.body.getAttribute("data-after");
let waiting = place.innerHTML;
let clearing = null;
let shown = place.innerHTML;

function show(html, leftMs) {
  if (html !== shown) place.innerHTML = html;
  shown = html;
  clearTimeout(clearing);
  // Should the box not answer, the sheet still goes.
  if (leftMs > 0) clearing = setTimeout(clear, leftMs + 500);
  else waiting = html;
}

function clear() {
  place.innerHTML = shown = waiting;
}

function ask() {
  fetch(document.body.getAttribute("data-address") + "&after=" + encodeURIComponent(after), { cache: "no-store", credentials: "same-origin" })
    .then(function (answer) {
      if (!answer.ok || answer.redirected) throw new Error("closed");
      return answer.json();
    })
    .then(function (state) {
      lost.hidden = true;
      if (state.closed) return location.reload();
      after = state.after;
      show(state.html, state.left_ms);
      return ask();
    })
    .catch(function () {
      lost.hidden = false;
      setTimeout(ask, 2000);
    });
}

// A page that the browser kept whole shows nothing of what it showed then.
addEventListener("pagehide", function () { place.textContent = ""; });
addEventListener("pageshow", function (event) { if (event.persisted) location.reload(); });

const left = Number(document.body.getAttribute("data-left"));
if (left > 0) {
  waiting = "";
  clearing = setTimeout(clear, left + 500);
}
if (document.body.hasAttribute("data-closed")) setTimeout(function () { location.reload(); }, 5000);
else ask();
