// Narrows a list while one types; Enter goes where one name is left. Without it the form asks the server.
(function () {
  "use strict";
  document.querySelectorAll("form[data-find]").forEach(function (form) {
    var field = form.querySelector("input");
    var list = document.getElementById(form.dataset.find);
    var none = document.getElementById(form.dataset.find + "-none");
    var lines = function () { return Array.prototype.slice.call(list.children); };
    var show = function (node, shown) { if (node.hidden === shown) node.hidden = !shown; };
    var narrow = function () {
      var wanted = field.value.trim().toLowerCase();
      lines().forEach(function (line) { show(line, line.textContent.toLowerCase().indexOf(wanted) >= 0); });
      show(none, lines().every(function (line) { return line.hidden; }));
    };
    field.addEventListener("input", narrow);
    form.addEventListener("submit", function (event) {
      var left = lines().filter(function (line) { return !line.hidden; });
      if (left.length !== 1) return;
      event.preventDefault();
      left[0].querySelector("a").click();
    });
    // A page that is brought up to date shows again what the server would.
    new MutationObserver(narrow).observe(list, { attributes: true, attributeFilter: ["hidden"], childList: true, subtree: true });
    narrow();
  });
})();
