// The second pass: a tap on a mark turns it, and says so with an undo. Without a script the list does the same.
"use strict";

(function () {
  let sending = false;
  let leaving = null;

  function spotOf(event) { return event.target.closest ? event.target.closest("[data-tap]") : null; }

  function send(address, values) {
    const body = Object.keys(values).map(function (name) {
      return encodeURIComponent(name) + "=" + encodeURIComponent(values[name]);
    }).join("&");
    return fetch(address, {
      method: "POST",
      body: body,
      headers: { "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json" },
      credentials: "same-origin",
    });
  }

  function turn(spot) {
    if (sending || !window.fetch) return;
    sending = true;
    spot.classList.add("turning");
    send(spot.getAttribute("data-tap"), { place: spot.dataset.place, revision: spot.dataset.revision, do: "toggle" })
      .then(function (answer) { return answer.ok ? answer.json() : Promise.reject(new Error(answer.status)); })
      .then(function (told) { say(told); return renew(); })
      .catch(function () { spot.classList.remove("turning"); })
      .then(function () { sending = false; });
  }

  // On the page of one sheet; the live page is sent its pieces by the box.
  function renew() {
    const desk = document.querySelector(".desk[data-sheet]");
    if (!desk) return null;
    const at = document.activeElement ? document.activeElement.getAttribute("data-focus") : null;
    return fetch(location.pathname + location.search, { credentials: "same-origin" }).then(function (answer) {
      return answer.text();
    }).then(function (text) {
      const fresh = new DOMParser().parseFromString(text, "text/html").querySelector(".desk[data-sheet]");
      if (!fresh) return;
      desk.parentNode.replaceChild(document.adoptNode(fresh), desk);
      const focus = at ? document.querySelector("[data-focus='" + at + "']") : null;
      if (focus) focus.focus();
    });
  }

  function say(told) {
    const old = document.querySelector(".toast");
    if (old) old.parentNode.removeChild(old);
    const toast = document.createElement("div");
    toast.className = "toast";
    toast.setAttribute("role", "status");
    toast.appendChild(document.createTextNode(told.line + " "));
    if (told.deed !== null) {
      const undo = document.createElement("button");
      undo.type = "button";
      undo.textContent = "↶ " + told.undo;
      undo.addEventListener("click", function () {
        send("/deeds/" + told.deed + "/undo", { to: "/audit" }).then(function () {
          if (toast.parentNode) toast.parentNode.removeChild(toast);
          return renew();
        });
      });
      toast.appendChild(undo);
    }
    document.body.appendChild(toast);
    clearTimeout(leaving);
    leaving = setTimeout(function () { if (toast.parentNode) toast.parentNode.removeChild(toast); }, 12000);
  }

  document.addEventListener("click", function (event) {
    const spot = spotOf(event);
    if (spot) turn(spot);
  });
  document.addEventListener("keydown", function (event) {
    const spot = spotOf(event);
    if (!spot || event.repeat || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    turn(spot);
  });
  document.addEventListener("visibilitychange", function () { if (!document.hidden) renew(); });
}());
