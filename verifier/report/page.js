"use strict";
(() => {
  const filter = document.querySelector(".filter");
  if (filter) {
    const text = filter.querySelector("input[type=search]");
    const boxes = [...filter.querySelectorAll("input[type=checkbox]")];
    const plain = (words) => words.toLowerCase().replace(/\s+/g, " ");
    const entries = [...document.querySelectorAll("[data-outcome]")].map((shown) => ({
      shown,
      words: plain(`${shown.textContent} ${shown.closest(".kind").querySelector("h2").textContent}`),
      interactions: Number(shown.dataset.interactions),
    }));
    const links = [...document.querySelectorAll(".index li")];
    const kinds = [...document.querySelectorAll(".kind")]
      .filter((shown) => shown.querySelector("[data-outcome]"))
      .map((shown) => ({ shown, isOpenAtFirst: shown.open }));
    const total = entries.reduce((sum, entry) => sum + entry.interactions, 0);

    const apply = () => {
      const words = plain(text.value).trim();
      const outcomes = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      let left = 0;
      for (const entry of entries) {
        const fits = outcomes.has(entry.shown.dataset.outcome) && entry.words.includes(words);
        entry.shown.hidden = !fits;
        left += fits ? entry.interactions : 0;
      }
      for (const link of links) {
        link.hidden = document.getElementById(link.dataset.failure).closest("[data-outcome]").hidden;
      }
      for (const { shown, isOpenAtFirst } of kinds) {
        shown.hidden = !shown.querySelector("[data-outcome]:not([hidden])");
        if (isOpenAtFirst !== undefined) {
          shown.open = isOpenAtFirst || words !== "";
        }
      }
      filter.querySelector("[role=status]").textContent = left === total ? "" : `${left} of ${total} shown`;
    };
    filter.addEventListener("input", apply);
    filter.hidden = false;
    apply(); // a browser may have kept what was typed before the page was loaded again
  }

  const selectAll = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  const copy = async (element) => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return true;
    } catch { // there is no clipboard on plain HTTP, and it may be forbidden
      selectAll(element);
      return document.execCommand("copy");
    }
  };
  for (const button of document.querySelectorAll("button.copy")) {
    const command = document.getElementById(button.getAttribute("aria-controls"));
    button.hidden = false;
    button.addEventListener("click", async () => {
      const isCopied = await copy(command);
      button.nextElementSibling.textContent = isCopied ? "Copied." : "It is selected: copy it with the keyboard.";
    });
  }
})();
