"use strict";
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
const everything = document.getElementById("unfold");
if (everything) {
  everything.hidden = false;
  everything.addEventListener("click", () => unfold(everything));
}
window.addEventListener("hashchange", openTarget);
openTarget();

async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  const copied = (await viaClipboard(source.textContent)) || viaSelection(source);
  say(button, copied ? "Copied" : "Selected: press Ctrl+C");
}

async function viaClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function viaSelection(source) {
  getSelection().selectAllChildren(source);
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  }
}

function say(button, text) {
  button.textContent = text;
  clearTimeout(button.timer);
  button.timer = setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function unfold(button) {
  const open = button.textContent === "Unfold all";
  for (const each of document.querySelectorAll("#failures details")) each.open = open;
  button.textContent = open ? "Fold all" : "Unfold all";
}

function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
}
