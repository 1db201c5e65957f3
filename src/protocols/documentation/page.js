// SPDX-License-Identifier: Apache-2.0
// Comfort for /docs: copy buttons, a filter for long lists, and opening what a link points at.
"use strict";

const FILTER_FROM = 8;

async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // Plain HTTP beyond this machine has no clipboard interface.
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("copying was refused");
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.closest("figure").querySelector("code");
    try {
      await copyText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

const filter = document.getElementById("filter");
const entries = [...document.querySelectorAll("aside li")];
filter.hidden = entries.length < FILTER_FROM;
filter.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  for (const entry of entries) {
    const shown = entry.textContent.toLowerCase().includes(wanted);
    entry.hidden = !shown;
    document.querySelector(entry.querySelector("a").getAttribute("href")).hidden = !shown;
  }
});
