// Answers without leaving the page: keys, dragging out, the next group at once, and what other tabs have answered.
// Nothing is decided here: every answer is the form that works without a script too.
"use strict";

(function () {
  let pressed = null;
  let sending = false;
  let newestMark = null;

  function root() { return document.getElementById("review"); }
  function group() { return document.querySelector("form.group"); }
  function all(selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); }
  function crops() { return all(".one"); }
  function current() { return document.querySelector(".one.current") || crops()[0] || null; }
  function box(crop) { return crop.querySelector("input[type=checkbox]"); }
  function field(crop) { return crop.querySelector("input[name^='text:'], input[name^='points:'][inputmode]"); }

  function makeCurrent(crop, focus) {
    crops().forEach(function (one) {
      one.classList.toggle("current", one === crop);
      one.tabIndex = one === crop ? 0 : -1;
    });
    if (crop && focus) crop.focus();
  }

  function show() {
    all("[data-count]").forEach(function (place) {
      place.textContent = crops().filter(function (one) { return box(one).checked && !typedIn(one); }).length;
    });
    crops().forEach(function (one) { one.classList.toggle("typed", typedIn(one)); });
  }

  function typedIn(crop) {
    const input = crop.querySelector("input[name^='text:']");
    return input !== null && input.value.trim() !== "";
  }

  function begin(focus) {
    all(".keys").forEach(function (keys) { keys.hidden = false; });
    const first = crops()[0];
    if (first) makeCurrent(first, focus);
    show();
  }

  // --- answers -------------------------------------------------------------------------------------------

  document.addEventListener("click", function (event) {
    const button = event.target.closest("button");
    pressed = button;
    const crop = event.target.closest(".one");
    if (crop) makeCurrent(crop, false);
    if (button && button.hasAttribute("data-type")) typeKey(button.getAttribute("data-type"));
  }, true);

  function valuesOf(form, button) {
    const values = [];
    function add(name, value) { values.push(encodeURIComponent(name) + "=" + encodeURIComponent(value)); }
    Array.prototype.forEach.call(form.elements, function (one) {
      if (!one.name || one.disabled || one.tagName === "BUTTON") return;
      if ((one.type === "checkbox" || one.type === "radio") && !one.checked) return;
      add(one.name, one.value);
    });
    if (button && button.name) add(button.name, button.value);
    return values.join("&");
  }

  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (!root().contains(form) || !window.fetch || !window.DOMParser) return;
    event.preventDefault();
    if (sending) return;
    const button = pressed && form.contains(pressed) ? pressed : null;
    pressed = null;
    sending = true;
    form.classList.add("sending");
    fetch(form.action, {
      method: "POST",
      body: valuesOf(form, button),
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      credentials: "same-origin",
    }).then(function (answer) {
      return answer.text().then(function (text) {
        sending = false;
        if (!answer.ok || !swap(text)) sendPlainly(form, button); // shows what is wrong
        else begin(true);
        catchUp();
      });
    }).catch(function () {
      sending = false;
      form.classList.remove("sending");
    });
  });

  function swap(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("review");
    if (!fresh) return false;
    const here = root();
    here.parentNode.replaceChild(document.adoptNode(fresh), here);
    return true;
  }

  // --- what is answered elsewhere, and what comes in -----------------------------------------------------

  function catchUp() {
    if (sending || newestMark === null || newestMark === root().dataset.mark) return;
    const form = group();
    const address = root().dataset.address + "?group=" + (form ? form.dataset.group : "") + (root().dataset.did ? "&did=" + root().dataset.did : "");
    fetch(address, { credentials: "same-origin" }).then(function (answer) {
      return answer.text().then(function (text) {
        if (sending || !answer.ok) return;
        const kept = unsent();
        if (swap(text)) {
          begin(false);
          restore(kept);
        }
      });
    }).catch(function () { /* the next event tries again */ });
  }

  function unsent() {
    const at = document.activeElement;
    const crop = at && at.closest ? at.closest(".one") : null;
    return {
      out: crops().filter(function (one) { return !box(one).checked; }).map(function (one) { return one.dataset.ident; }),
      typed: all(".one input[name*=':'], .one select").filter(function (one) {
        return one.type === "radio" ? one.checked : one.value !== "";
      }).map(function (one) { return [one.name, one.value]; }),
      current: current() ? current().dataset.ident : null,
      focused: crop ? (at.name || "") : null,
    };
  }

  function restore(kept) {
    crops().forEach(function (one) {
      if (kept.out.indexOf(one.dataset.ident) >= 0) box(one).checked = false;
      if (one.dataset.ident === kept.current) makeCurrent(one, kept.focused === "");
    });
    const form = group();
    kept.typed.forEach(function (pair) {
      if (!form) return;
      all("input, select", form).forEach(function (one) {
        if (one.name !== pair[0]) return;
        if (one.type === "radio") one.checked = one.value === pair[1];
        else one.value = pair[1];
        if (kept.focused === one.name && one.type !== "radio") one.focus();
      });
    });
    show();
  }

  function listen() {
    if (!window.EventSource) return;
    const events = new EventSource(root().dataset.address + "/events?mark=" + encodeURIComponent(root().dataset.mark));
    events.addEventListener("waiting", function (message) {
      newestMark = message.data;
      catchUp();
    });
    addEventListener("pagehide", function () { events.close(); });
  }

  // --- keys ----------------------------------------------------------------------------------------------

  function typeKey(key) {
    const crop = current();
    const input = crop ? field(crop) : null;
    if (!input) return;
    input.value = key === "⌫" ? input.value.slice(0, -1) : input.value + key;
    show();
  }

  function beside(crop, key) {
    const ones = crops();
    const here = ones.indexOf(crop);
    if (key === "ArrowLeft") return ones[here - 1];
    if (key === "ArrowRight") return ones[here + 1];
    const down = key === "ArrowDown";
    const row = ones.filter(function (one) { return down ? one.offsetTop > crop.offsetTop : one.offsetTop < crop.offsetTop; });
    row.sort(function (a, b) {
      return Math.abs(a.offsetTop - crop.offsetTop) - Math.abs(b.offsetTop - crop.offsetTop)
        || Math.abs(a.offsetLeft - crop.offsetLeft) - Math.abs(b.offsetLeft - crop.offsetLeft);
    });
    return row[0];
  }

  function press(button) {
    if (!button) return false;
    button.click();
    return true;
  }

  function givePoints(crop, key) {
    const radios = all("input[type=radio]", crop);
    const given = radios.filter(function (one) { return one.checked; })[0];
    const wanted = key === "." ? String(Number(given ? given.value : 0) + 0.5) : key;
    const radio = radios.filter(function (one) { return one.value === wanted; })[0];
    if (radio) radio.checked = true;
    return Boolean(radio);
  }

  function says(crop, key) {
    const wanted = { v: "√", V: "√", x: "×", X: "×" }[key];
    return all("[data-says]", crop).filter(function (one) {
      return one.dataset.says.length === 1 && (one.dataset.says === key || one.dataset.says === key.toUpperCase() || one.dataset.says === wanted);
    })[0];
  }

  function atCrop(key) {
    const crop = current();
    const form = group();
    if (!form || !crop) return false;
    if (key.indexOf("Arrow") === 0) {
      const next = beside(crop, key);
      if (next) makeCurrent(next, true);
      return Boolean(next);
    }
    if (key === " ") {
      box(crop).checked = !box(crop).checked;
      show();
      return true;
    }
    if (key === "Enter") return press(form.querySelector(".answer .main"));
    if (key.length !== 1) return false;
    if (form.dataset.question === "points") {
      if (/[0-9.]/.test(key) && givePoints(crop, key)) return true;
    } else if (press(says(crop, key))) {
      return true;
    }
    if (/^[yn]$/i.test(key) && press(form.querySelector(".answer [data-key='" + key.toLowerCase() + "']"))) return true;
    if (/^[yn]$/i.test(key) && press(crop.querySelector("[data-judge='" + key.toLowerCase() + "']"))) return true;
    if (/^y$/i.test(key) && form.dataset.question === "reading") return press(form.querySelector(".answer .main"));
    const input = field(crop);
    if (!input || !/[0-9./%<>=+\-√×A-Z]/.test(key)) return false;
    input.focus();
    input.value += key;
    show();
    return true;
  }

  document.addEventListener("keydown", function (event) {
    const at = document.activeElement;
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const typing = at && (at.tagName === "SELECT" || (at.tagName === "INPUT" && at.type !== "checkbox" && at.type !== "radio"));
    if (typing) {
      const crop = at.closest(".one");
      if (!crop || (event.key !== "Enter" && event.key !== "Escape")) return;
      event.preventDefault();
      if (event.key === "Escape") at.value = "";
      show();
      afterTyping(crop);
      return;
    }
    if (at && (at.tagName === "BUTTON" || at.tagName === "A" || at.tagName === "SUMMARY") && (event.key === "Enter" || event.key === " ")) return;
    if (event.repeat && event.key.indexOf("Arrow") !== 0) return;
    const done = /^u$/i.test(event.key) ? press(document.querySelector("#review [data-key='u']")) : atCrop(event.key);
    if (done) event.preventDefault();
  });

  // Where every answer has to be typed, the next one that is not; else back to where Enter confirms.
  function afterTyping(crop) {
    const form = group();
    const open = crops().filter(function (one) { return field(one) && !typedIn(one); });
    if (form.dataset.question === "unread" && open.length && typedIn(crop)) {
      makeCurrent(open[0], false);
      field(open[0]).focus();
    } else {
      makeCurrent(crop, true);
    }
  }

  document.addEventListener("input", show);
  document.addEventListener("change", show);
  document.addEventListener("focusin", function (event) {
    const crop = event.target.closest ? event.target.closest(".one") : null;
    if (crop) makeCurrent(crop, false);
  });

  // --- dragging out --------------------------------------------------------------------------------------

  let dragged = null;
  let at = null;

  document.addEventListener("dragstart", function (event) {
    dragged = event.target.closest ? event.target.closest(".one") : null;
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.ident);
    const out = document.querySelector(".out");
    // Not at once: a page that changes under a drag that begins ends it.
    setTimeout(function () { if (dragged && out) out.hidden = false; }, 0);
  });
  document.addEventListener("dragover", function (event) {
    if (!dragged) return;
    at = [event.clientX, event.clientY];
    event.preventDefault();
  });
  document.addEventListener("drop", function (event) { if (dragged) event.preventDefault(); });
  document.addEventListener("dragend", function () {
    const place = dragged && dragged.getBoundingClientRect();
    if (dragged && at && (at[0] < place.left || at[0] > place.right || at[1] < place.top || at[1] > place.bottom)) {
      box(dragged).checked = false;
      makeCurrent(dragged, true);
      show();
    }
    const out = document.querySelector(".out");
    if (out) out.hidden = true;
    dragged = at = null;
  });

  begin(true);
  listen();
}());
