// Crops are fetched when an item is opened: a class has hundreds, and the box cuts each from its sheet.
// Written for browsers of 2018 as well.
"use strict";

function fetchCrops(item) {
  item.querySelectorAll("img[data-src]").forEach(function (picture) {
    picture.src = picture.getAttribute("data-src");
    picture.removeAttribute("data-src");
  });
}

// `toggle` and `error` do not bubble; they are caught on the way down.
document.addEventListener("toggle", function (event) {
  if (event.target.classList && event.target.classList.contains("item") && event.target.open) fetchCrops(event.target);
}, true);

document.addEventListener("error", function (event) {
  // Its picture is gone from the box: the pupil's name stands in its place.
  if (event.target.tagName === "IMG") event.target.removeAttribute("src");
}, true);

document.querySelectorAll("details.item[open]").forEach(fetchCrops);

function openItem(hash) {
  const item = /^#item-/.test(hash) ? document.getElementById(hash.slice(1)) : null;
  if (item) item.open = true;
}

document.addEventListener("click", function (event) {
  const link = event.target.closest('a[href^="#item-"]');
  if (link) openItem(link.hash);
});
openItem(location.hash);

function copied(area) {
  area.focus();
  area.select();
  area.setSelectionRange(0, area.value.length); // iPhones select nothing with select()
  try {
    // The newer way asks for a secure page and a permission; this one works on plain http too.
    return document.execCommand("copy");
  } catch (refused) {
    return false;
  }
}

document.querySelectorAll("[data-copy]").forEach(function (button) {
  const area = document.getElementById(button.getAttribute("data-copy"));
  const said = document.querySelector('[data-said="' + area.id + '"]');
  button.hidden = false;
  button.addEventListener("click", function () {
    const done = copied(area);
    if (done) button.focus();
    said.textContent = button.getAttribute(done ? "data-done" : "data-fallback");
  });
});

document.querySelectorAll("[data-print]").forEach(function (button) {
  button.hidden = false;
  button.addEventListener("click", function () { window.print(); });
});
