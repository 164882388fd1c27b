// Sends a form as a browser without scripts would, with the button that was pressed.
"use strict";

function sendPlainly(form, button) {
  if (button && button.name) {
    const value = document.createElement("input");
    value.type = "hidden";
    value.name = button.name;
    value.value = button.value;
    form.appendChild(value);
  }
  HTMLFormElement.prototype.submit.call(form);
}
