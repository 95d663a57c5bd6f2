// Puts a button before each block of commands; the page says everything without it.
(() => {
  const said = document.body.dataset;
  const byHand = (block) => {
    const range = document.createRange();
    range.selectNodeContents(block);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand("copy");
  };
  for (const block of document.querySelectorAll("pre.commands")) {
    const lines = Array.from(block.querySelectorAll("code"), (each) => each.textContent);
    if (lines.every((line) => line.startsWith("#"))) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.setAttribute("aria-live", "polite");
    button.textContent = said.copy;
    button.addEventListener("click", async () => {
      let done = true;
      try {
        await navigator.clipboard.writeText(lines.join("\n"));
      } catch {
        done = byHand(block);
      }
      button.textContent = done ? said.copied : said.copy;
      setTimeout(() => { button.textContent = said.copy; }, 2000);
    });
    const frame = document.createElement("div");
    frame.className = "copied";
    block.replaceWith(frame);
    frame.append(block, button);
  }
})();
