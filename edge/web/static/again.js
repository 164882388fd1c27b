// Copies and prints. Everything else works without a script.
"use strict";

document.querySelectorAll("[data-print]").forEach(function (button) {
  button.hidden = false;
  button.addEventListener("click", function () { window.print(); });
});

document.querySelectorAll("[data-copy]").forEach(function (button) {
  const area = document.getElementById(button.getAttribute("data-copy"));
  button.hidden = false;
  button.addEventListener("click", function () {
    area.focus();
    area.select();
    area.setSelectionRange(0, area.value.length);
    try {
      // The newer way asks for a secure page and a permission; this one works on plain http too.
      if (document.execCommand("copy")) button.nextElementSibling.textContent = button.getAttribute("data-done");
    } catch (refused) {
      area.focus();
    }
  });
});
