// Completes saved prompts and an agent's commands after "/" at the beginning of the message. Loaded by
// chat.js with the first "/" where there are any; without it they are a list below the field.
(() => {
  "use strict";

  const $ = (id) => document.getElementById(id);
  const MOST = 50;
  let offered = [];
  let active = 0;

  const known = () => [...document.querySelectorAll("#commands dl > div")].map((row) => ({
    name: row.querySelector("dt").textContent,
    description: row.querySelector("dd").textContent,
  }));
  // Names that begin with the text come first, then those that contain it. A complete name needs no completion.
  const matching = (typed) => {
    const found = known().filter(({ name }) => name.toLowerCase().includes(typed.slice(1)));
    const begins = ({ name }) => name.toLowerCase().startsWith(typed);
    const sorted = [...found.filter(begins), ...found.filter((command) => !begins(command))].slice(0, MOST);
    return sorted.length === 1 && sorted[0].name.toLowerCase() === typed ? [] : sorted;
  };

  const listOf = (field) => {
    if ($("commandList")) return $("commandList");
    const list = Object.assign(document.createElement("ul"), { id: "commandList", className: "completion", hidden: true });
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Commands");
    // A press must not take the focus out of the field.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) choose(offered[[...list.children].indexOf(option)]);
    });
    field.closest(".composer").prepend(list);
    field.setAttribute("aria-controls", list.id);
    field.setAttribute("aria-autocomplete", "list");
    return list;
  };
  const close = () => {
    offered = [];
    if ($("commandList")) $("commandList").hidden = true;
    $("messageInput")?.removeAttribute("aria-activedescendant");
  };
  const mark = (index) => {
    active = index;
    [...$("commandList").children].forEach((option, at) => {
      option.setAttribute("aria-selected", at === index);
      if (at === index) option.scrollIntoView({ block: "nearest" });
    });
    $("messageInput").setAttribute("aria-activedescendant", `command-${index}`);
  };
  const optionOf = ({ name, description }, index) => {
    const option = Object.assign(document.createElement("li"), { id: `command-${index}` });
    option.setAttribute("role", "option");
    const [shown, about] = [document.createElement("b"), document.createElement("span")];
    [shown.textContent, about.textContent] = [name, description];
    option.append(shown, " ", about);
    return option;
  };
  const offer = () => {
    const field = $("messageInput");
    const typed = field.value.toLowerCase();
    const found = /^\/\S*$/.test(typed) ? matching(typed) : [];
    if (!found.length) { close(); return; }
    const list = listOf(field);
    if (list.hidden) $("announcer").textContent = `${found.length} command${found.length === 1 ? "" : "s"}`;
    offered = found;
    list.replaceChildren(...found.map(optionOf));
    list.hidden = false;
    mark(0);
  };
  const choose = ({ name }) => {
    const field = $("messageInput");
    field.value = `${name} `;
    close();
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("input", (event) => { if (event.target.id === "messageInput") offer(); });
  document.addEventListener("focusout", (event) => { if (event.target.id === "messageInput") close(); });
  // Before the page's own keys: Enter would send, and Escape stop an answer.
  const step = (by) => mark((active + by + offered.length) % offered.length);
  const KEYS = { ArrowDown: () => step(1), ArrowUp: () => step(-1), Enter: () => choose(offered[active]), Tab: () => choose(offered[active]), Escape: close };
  document.addEventListener("keydown", (event) => {
    const isOpen = offered.length && $("commandList") && !$("commandList").hidden && event.target.id === "messageInput";
    if (!isOpen || event.isComposing || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    KEYS[event.key]();
  }, true);
  offer();
})();
