// What HTML and htmx cannot do. Everything here is an extra: the page works without it.
(() => {
  "use strict";

  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  // The one live region: what a screen reader says besides the focus.
  const say = (text) => { $("announcer").textContent = text; };
  const answering = () => document.querySelector('article[data-status="waiting"], article[data-status="streaming"]');

  // The chat's own responses carry this header. Anything else, such as a host's or a proxy's sign-in page with status 200,
  // counts as a network error, so that nothing of it is swapped in. This covers the stream as well.
  const fetched = window.fetch.bind(window);
  window.fetch = async (...request) => {
    const response = await fetched(...request);
    if (response.headers.has("Webchat-Answer")) return response;
    response.body?.cancel();
    throw Object.assign(new Error(`not an answer of the chat: ${response.status}`), { foreign: response });
  };

  // The server writes times in this time zone.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `webchat-timezone=${zone}; path=/; max-age=31536000; samesite=lax`;

  // The view follows the answer only while it is at the end: it never scrolls against a person. If that is
  // switched off, the view stays where the answer begins.
  const NEAR = 48;
  const follows = root.dataset.follow !== "off";
  let following = follows;
  let followedTo = -1;
  const distance = () => root.scrollHeight - root.scrollTop - root.clientHeight;
  const toEnd = () => {
    root.scrollTop = root.scrollHeight;
    followedTo = root.scrollTop;
  };
  const showArrow = () => { const arrow = $("toEnd"); if (arrow) arrow.hidden = following || distance() < NEAR; };
  // Scrolling up to the page's beginning loads earlier messages; by hand it is a link.
  const bringEarlier = () => {
    const link = $("earlier");
    if (!link || link.dataset.asked || root.scrollTop > innerHeight / 2) return;
    link.dataset.asked = "yes";
    link.click();
  };
  addEventListener("scroll", () => {
    if (!following || root.scrollTop !== followedTo) {
      following = follows && distance() < NEAR;
      bringEarlier();
    }
    showArrow();
  }, { passive: true });
  const grown = new ResizeObserver(() => { if (!following) showArrow(); else if (distance() >= 1) toEnd(); });
  const watch = () => { const chat = $("chatArea"); if (chat) { grown.disconnect(); grown.observe(chat); } };

  // Grows a box with its text if CSS cannot: when typed, swapped in, or shown with its popover.
  const fit = (field) => {
    if (CSS.supports("field-sizing", "content") || !field.scrollHeight) return;
    const least = Number(field.dataset.rows ??= field.rows);
    field.rows = least;
    const { lineHeight, paddingBlockStart, paddingBlockEnd } = getComputedStyle(field);
    const lines = field.scrollHeight - parseFloat(paddingBlockStart) - parseFloat(paddingBlockEnd);
    field.rows = Math.max(least, Math.round(lines / parseFloat(lineHeight)));
  };
  const fitAll = (part) => part.querySelectorAll?.("textarea").forEach(fit);
  document.addEventListener("htmx:before:settle", (event) => event.detail.newContent.forEach(fitAll));
  document.addEventListener("toggle", (event) => fitAll(event.target), true);
  addEventListener("resize", () => fitAll(document));

  // Unsent text is kept per session, for a month at most, with the key of its form: sent again, it is the same
  // message. `sent` is the text that was last sent with that key.
  const DRAFT = "webchat-draft:";
  let sending = null;
  const MONTH = 2592e6;
  // Drafts of temporary chats go with the page.
  const unsaved = {};
  const draftName = () => DRAFT + ($("chatArea")?.dataset.temporary ?? $("chatArea")?.dataset.url ?? "");
  const keyOf = (field) => field?.form?.elements.key;
  const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  // Messages that were taken back: the server keeps them until the next one is sent. `back` are those whose text the draft has.
  const returned = () => [...document.querySelectorAll("#returned [name=back]")];
  const joined = (...texts) => texts.filter((text) => text.trim()).join("\n\n");
  const keepDraft = (text, name = draftName(), sent = sending?.text) => {
    const back = returned().map(({ value }) => value);
    try {
      delete unsaved[name];
      if (text || back.length) ($("chatArea").dataset.temporary ? unsaved : localStorage)[name] = JSON.stringify({ text, key: keyOf($("messageInput"))?.value, sent, back, at: Date.now() }); else delete localStorage[name];
    } catch { /* no storage for this site */ }
  };
  const draftOf = (name) => {
    try { return JSON.parse(unsaved[name] ?? localStorage[name]); } catch { return null; /* as above, or somebody else's entry */ }
  };
  try {
    for (const name in localStorage) {
      if (name.startsWith(DRAFT) && Date.now() - (draftOf(name)?.at || 0) > MONTH) delete localStorage[name];
    }
  } catch { /* as above */ }

  // A draft whose message is on the page has been sent; only what was typed after it stays. The form's own response may
  // be slower than the stream, or lost.
  const rest = (sent, now) => (now.startsWith(sent) ? now.slice(sent.length) : now);
  const isShown = (key) => Boolean(key && document.querySelector(`article[data-key="${CSS.escape(key)}"]`));
  const dropSent = () => {
    if (sending) return;
    const field = $("messageInput");
    const key = keyOf(field);
    const was = key?.value;
    if (isShown(was)) {
      key.value = newKey();
      $("problem").replaceChildren();
    }
    for (const name of new Set([draftName(), DRAFT])) {
      const draft = draftOf(name);
      if (!draft?.sent || !isShown(draft.key)) continue;
      const left = rest(draft.sent, draft.text);
      if (draft.key === was && field.value === draft.text) {
        field.value = left;
        fit(field);
      }
      keepDraft(left, name);
    }
  };
  const bringDraft = (field) => {
    const draft = draftOf(draftName());
    const key = keyOf(field);
    if (!draft || !key) return;
    if (draft.key) key.value = draft.key;
    // Somebody may have begun to type before this script ran.
    const typed = field.value === draft.text ? "" : rest(field.defaultValue, field.value);
    const news = returned().filter(({ value }) => !draft.back?.includes(value)).map(({ dataset }) => dataset.text);
    field.value = joined(...news, draft.text) + typed;
  };

  // Opening a session lands at its end, with the cursor in the field. On touch that would raise the keyboard.
  const touch = matchMedia("(pointer: coarse)");
  const focusField = () => { const field = $("messageInput"); if (field && !touch.matches) field.focus({ preventScroll: true }); };
  const ELSEWHERE = "input, textarea, select, [contenteditable], [popover]";
  // A response may come when the person is already in another field.
  const focusFieldAgain = () => { if (!document.activeElement?.closest(ELSEWHERE)) focusField(); };
  const opened = () => {
    watch();
    following = follows;
    if ($("messages")) toEnd();
    // What "/" shows changes with the current session; the address of this one leads back to it.
    const { url } = $("chatArea")?.dataset ?? {};
    if (url && url !== location.pathname) history.replaceState({ htmx: true }, "", url);
  };

  // Loaded when needed: the completion of commands, the list of chosen files.
  const load = (part) => {
    const src = part?.dataset.script;
    if (src && !document.querySelector(`script[src="${src}"]`)) document.head.append(Object.assign(document.createElement("script"), { src }));
  };

  document.addEventListener("input", (event) => {
    if (event.target.matches("textarea")) fit(event.target);
    if (event.target.id !== "messageInput") return;
    keepDraft(event.target.value);
    if (event.target.value.startsWith("/")) load($("commands"));
  });

  // Files are chosen, dropped or pasted, and listed below the field.
  const showFiles = () => {
    if ($("files")?.files.length) load($("attached"));
    document.dispatchEvent(new Event("files"));
  };
  const putFiles = (files) => {
    const all = new DataTransfer();
    for (const file of files) all.items.add(file);
    $("files").files = all.files;
    showFiles();
  };
  const addFiles = (more) => {
    putFiles([...$("files").files, ...more]);
    focusField();
  };
  document.addEventListener("change", (event) => { if (event.target.id === "files") showFiles(); });
  document.addEventListener("dragover", (event) => { if ($("files") && event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!$("files") || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    addFiles(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    const { files } = event.clipboardData ?? {};
    if (event.target.id !== "messageInput" || !files?.length) return;
    // Spreadsheets and word processors also copy a picture of their text: the text is meant.
    const isPicture = [...files].every((file) => file.type.startsWith("image/"));
    if (isPicture && event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    addFiles(files);
  });

  // Looked up each time: going back in the history replaces all of the page.
  const panel = () => $("sessionsPanel");
  const isPanelOpen = () => panel()?.matches(":popover-open");

  // What is typed replaces a title that is not half typed, and follows a message that is edited.
  document.addEventListener("focusin", ({ target }) => {
    if (!target.selectionEnd && target.matches(".rename input, .edit textarea")) target.setSelectionRange(target.rows ? 1e9 : 0, 1e9);
  });

  // On a Mac, Control and Command both work.
  const showSessions = () => {
    if (isPanelOpen()) { panel().hidePopover(); return; }
    panel().showPopover();
    $("sessionSearch").focus();
  };
  const showShortcuts = () => {
    if (/Mac|iPhone|iPad/.test(navigator.platform)) document.querySelectorAll("kbd.control").forEach((key) => { key.textContent = "⌘"; });
    $("shortcuts").showModal();
  };
  const SHORTCUTS = {
    "control k": showSessions,
    "/": showSessions,
    "control shift o": () => panel().querySelector("form").requestSubmit(),
    "control /": showShortcuts,
    "escape": () => $("stopForm").requestSubmit(),
    "shift escape": () => $("messageInput").focus(),
  };
  const isMeant = (shortcut, target) => {
    if ($("shortcuts")?.open) return false;
    if (shortcut === "/") return !target.closest("input, textarea, select, [contenteditable]");
    // Escape first closes popovers and dialogs.
    if (shortcut === "escape") return answering() && !document.querySelector(":popover-open") && !target.closest(EDITED);
    return shortcut in SHORTCUTS;
  };
  // A click beside the dialog closes it, even without `closedby`.
  document.addEventListener("click", (event) => {
    if (!event.target.matches("dialog")) return;
    const { left, right, top, bottom } = event.target.getBoundingClientRect();
    const isInside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
    if (!isInside) event.target.close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.repeat || !$("chatArea")) return;
    const control = event.ctrlKey || event.metaKey;
    // "/" needs Shift on many keyboards.
    const shift = event.shiftKey && event.key !== "/";
    const shortcut = [control && "control", shift && "shift", event.key.toLowerCase()].filter(Boolean).join(" ");
    if (!isMeant(shortcut, event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    SHORTCUTS[shortcut]();
  });

  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (field.matches("#messageInput, .edit textarea")) {
      // Enter sends; with Shift, while an input method composes, on a touch keyboard, or in an answer it breaks the line.
      // Control and Enter always send; those who chose it send in no other way.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      if (!event.ctrlKey && !event.metaKey && (touch.matches || root.dataset.send === "control" || field.closest("[data-role=assistant]"))) return;
      event.preventDefault();
      field.form.requestSubmit();
      return;
    }
    // The first keystroke goes into the field, unless the focus is in another.
    const plain = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (plain && !field.closest(ELSEWHERE)) $("messageInput")?.focus();
  });

  // Copy: code, a formula's source, or a message as it was written; without newlines at the end, which a shell would run.
  const says = (button, text) => {
    button.textContent = text;
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  const sourceOf = async (url) => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(response.statusText);
    return (await response.text()).trimEnd();
  };
  // Safari allows writing during the click only, so a message's source, which is fetched first, is passed as a promise.
  const copySource = async (source) => {
    const { clipboard } = navigator;
    try {
      await clipboard.write([new ClipboardItem({ "text/plain": source.then((text) => new Blob([text], { type: "text/plain" })) })]);
    } catch { // older browsers accept no promise, and allow writing for some seconds after the click
      await clipboard.writeText(await source);
    }
  };
  // Without https there may be no clipboard API.
  const copyShown = (text) => {
    const put = (event) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
    };
    addEventListener("copy", put);
    const isCopied = document.execCommand("copy");
    removeEventListener("copy", put);
    if (!isCopied) throw new Error("the browser does not let this page copy");
  };
  const copy = async (button) => {
    const code = button.closest("figure, .formula")?.querySelector("code, annotation");
    const said = [...button.closest("article").querySelectorAll(".said, .content:not(.parts)")];
    const text = code?.textContent.trimEnd() ?? said.map((part) => part.innerText.trim()).join("\n\n");
    if (!navigator.clipboard) copyShown(text);
    else if (code) await navigator.clipboard.writeText(text);
    else await copySource(sourceOf(button.dataset.source));
    says(button, "Copied");
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("figure .copy, .formula .copy, [data-source]")) copy(button).catch(() => says(button, "Not copied"));
    // Stop replaces Send: the second half of a double click must not stop. A third one is meant.
    if (button.matches(".stop") && event.detail === 2) event.preventDefault();
    if (button.id === "shortcutsButton") showShortcuts();
    if (button.matches(".notify")) Notification.requestPermission().then(() => { button.hidden = true; });
    if (button.id === "toEnd") { following = follows; toEnd(); focusField(); }
  });

  // htmx takes over a page's elements a moment after this script has run. What is done with one before waits for that: the
  // browser would load another page, or nothing would happen.
  const isPowered = (element) => !window.htmx || !element.matches("[hx-get], [hx-post]") || element.hasAttribute("data-htmx-powered") || element.closest("[hx-ignore]");
  const held = new Map();
  const hold = (element, act) => { if (isPowered(element)) act(); else held.set(element, act); };
  document.addEventListener("htmx:after:init", ({ target }) => {
    const act = held.get(target);
    held.delete(target);
    act?.();
    // It may have been unfolded by then.
    if (target.matches("details[open]")) target.dispatchEvent(new Event("toggle"));
  });
  document.addEventListener("change", ({ target }) => {
    const { form } = target;
    if (form?.id === "controlsForm" && !isPowered(form)) hold(form, () => target.dispatchEvent(new Event("change", { bubbles: true })));
  });

  // The sessions panel: filled when it opens, refreshed while it is open, closed by a choice.
  // Changes during a request are requested afterwards.
  let listing = false;
  let stale = false;
  const isManaging = () => document.querySelector("#sessionsPanel .manage-row, #rowMenu:popover-open");
  const refreshList = () => {
    if (!isPanelOpen()) return;
    if (listing || isManaging()) stale = true; else htmx.trigger("#sessionSearch", "search", { isRefresh: true });
  };
  // A fresh list would undo what a person has begun to change.
  document.addEventListener("htmx:before:swap", (event) => {
    if (event.detail.ctx.sourceEvent?.detail?.isRefresh && isManaging()) event.preventDefault();
  });
  document.addEventListener("htmx:before:request", (event) => { if (event.target.id === "sessionSearch") { listing = true; stale = false; } });
  document.addEventListener("htmx:finally:request", (event) => {
    if (event.target.id !== "sessionSearch") return;
    listing = false;
    if (stale) refreshList();
  });
  // All rows share one menu, which is emptied before it opens for another one. The browser gives the focus back only
  // from what lies directly on the page.
  let opener = null;
  document.addEventListener("beforetoggle", ({ target, newState }) => {
    if (target.id !== "rowMenu" || newState !== "open") return;
    target.replaceChildren();
    opener = document.activeElement;
  }, true);
  document.addEventListener("toggle", ({ target, newState }) => {
    if (target.id !== "rowMenu" || newState !== "closed") return;
    if (target.contains(document.activeElement)) opener.focus();
    if (stale) refreshList();
  }, true);
  // Escape leaves a title or a message as it was. If the text has changed, it only moves the focus to Cancel.
  // WebKit empties a search field with it, and leaves the panel open.
  const EDITED = ".rename, .edit";
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    const form = target.closest(EDITED);
    const isSearch = target.id === "sessionSearch";
    if (event.key !== "Escape" || event.isComposing || !(form || isSearch)) return;
    event.preventDefault();
    if (isSearch) { panel().hidePopover(); return; }
    const cancel = form.querySelector("a") ?? form.previousElementSibling;
    const { message } = form.elements;
    if (message?.value === message?.defaultValue || !cancel.href) cancel.click();
    cancel.focus();
  });
  const bringList = () => hold($("sessionSearch"), () => window.htmx?.trigger("#sessionSearch", "search"));
  document.addEventListener("beforetoggle", (event) => {
    if (event.target !== panel() || event.newState !== "open") return;
    // Before the first letter that is typed.
    $("sessionSearch").value = "";
    bringList();
  }, true);
  document.addEventListener("sessions", refreshList);
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    // In a field, Home and End move the cursor.
    if (!step || (event.target.matches("input") && !isFinite(step)) || !isPanelOpen() || !event.target.closest("#sessionsPanel, #sessionsButton, #rowMenu")) return;
    const menu = event.target.closest("[role=menu]");
    const rows = [...(menu ?? panel()).querySelectorAll(menu ? "[role=menuitem]" : "button:not(.manage, [role], [name]), a.row")];
    event.preventDefault();
    // From the search, Down leads into the list, past the button above it.
    const from = event.target.id === "sessionSearch" ? 0 : rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, from + step))]?.focus();
  });
  // Where a failed request of this form or list is reported.
  const ASKS = "form, #sessionSearch, .manage, [role=menuitem]";
  const problemOf = (source) => $(source.closest("#sessionsPanel, #rowMenu") ? "sessionsProblem" : "problem");
  document.addEventListener("htmx:before:request", (event) => {
    if (event.target.matches?.(ASKS)) problemOf(event.target)?.replaceChildren();
  });

  // The response in place of the chat's, if any. A redirect to another origin fails without one; then this page is
  // requested without following redirects.
  const answererOf = async (error) => {
    if (error?.foreign) return error.foreign;
    const response = await fetched(location.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
    return response?.headers.has("Webchat-Answer") ? null : response;
  };
  const isSignIn = ({ type, redirected, ok, status }) => type === "opaqueredirect" || redirected || ok || [401, 403].includes(status);
  const tell = (place, text, kind, ...more) => {
    const box = document.createElement("div");
    box.className = `problem ${kind}`;
    box.setAttribute("role", "alert");
    const words = document.createElement("p");
    words.textContent = text;
    box.append(words, ...more);
    place.replaceChildren(box);
    return box;
  };
  // People sign in in another tab, so text and files stay here.
  const tellSignedOut = (place, source) => {
    if (place.querySelector(".until-live")) return;
    const link = Object.assign(document.createElement("a"), { href: location.href, target: "_blank", className: "button small", textContent: "Sign in" });
    const then = source.matches?.("form") ? "Nothing you wrote is lost: sign in, then send it again." : "Sign in to continue.";
    tell(place, `You have been signed out. ${then}`, "until-live", link);
  };
  // Appends what is new of a growing answer to the node that grows; see webchat/render/growth.py.
  const parser = document.createElement("template");
  const append = (element, html) => {
    parser.innerHTML = html;
    const { firstChild: text } = parser.content;
    if (text?.nodeType === Node.TEXT_NODE && element.lastChild?.nodeType === Node.TEXT_NODE) {
      element.lastChild.appendData(text.data);
      text.remove();
    }
    element.append(parser.content);
  };
  const cutEnd = (element, elements, letters) => {
    for (let left = elements; left > 0;) {
      left -= element.lastChild.nodeType === Node.ELEMENT_NODE;
      element.lastChild.remove();
    }
    for (let left = letters; left > 0;) {
      const { lastChild: text } = element;
      const size = Math.min(left, text.length);
      text.deleteData(text.length - size, size);
      if (!text.length) text.remove();
      left -= size;
    }
  };
  const grow = (root, path, elements, letters, html, ...outer) => {
    let element = path.reduce(({ children }, past) => children[children.length - 1 - past], root);
    cutEnd(element, elements, letters);
    append(element, html);
    for (const more of outer) {
      while (element.nextSibling) element.nextSibling.remove();
      element = element.parentElement;
      append(element, more);
    }
  };
  document.addEventListener("more", ({ detail }) => {
    const [id, ...growth] = JSON.parse(detail.data);
    // The whole answer may be here already, with what a form brought.
    if (!$(id)?.closest("[aria-busy]")) return;
    const isAtEnd = following && root.scrollTop === followedTo;
    // A translator, say, has changed the page: a new stream begins with the whole answer.
    try { grow($(id), ...growth); } catch { again(); }
    if (isAtEnd) toEnd();
  });

  const dropLost = () => { for (const box of document.querySelectorAll(".until-live")) box.remove(); };
  document.addEventListener("htmx:sse:after:connection", dropLost);

  // A form that fails once another session is shown says nothing: its text is a draft of its own session. A response to what
  // was asked for outside the chat then leaves the chat, its badge and title, and the address alone. But the session that a
  // person has chosen last is shown, whatever the page shows by then.
  let choice = null;
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    const { sourceElement: source } = ctx;
    const isOutside = source !== document.body && source.isConnected && !source.closest("#chatArea");
    Object.assign(ctx, { began: draftName(), isOutside, isInPanel: panel()?.contains(source) });
    if (source.matches("[hx-sync^='#sessionsPanel']")) choice = ctx; else if (!isOutside && source.id !== "stream") choice = null;
  });
  const hasMoved = (ctx) => ctx.began !== draftName() && ctx !== choice;
  const isOfAnother = (ctx) => ctx?.sourceElement?.isConnected === false && !ctx.isOutside && hasMoved(ctx);
  // htmx drops a response for what has been replaced meanwhile.
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => { if (ctx === choice) ctx.target = $("chatArea"); });

  // A failed request is reported where its answer would be, at once; the reason may follow.
  document.addEventListener("htmx:error", async (event) => {
    const { target, detail } = event;
    if (target.id === "stream") return streamLost(event);
    const source = detail.ctx?.sourceElement ?? target;
    if (isOfAnother(detail.ctx)) return;
    keepChange(source);
    takeReturned();
    const isMessage = source.matches?.(".field");
    const place = source.closest && (detail.ctx?.isInPanel ? $("sessionsProblem") : problemOf(source));
    if (!place || (isMessage && isShown(source.elements.key.value))) return;
    if (source.id === "sessionSearch") $("sessionList").querySelector(".empty")?.remove();
    const fail = (why) => {
      const then = isMessage ? "Your text is still here; send it again." : "Try again in a moment.";
      return source.matches(ASKS) && tell(place, `${why} ${then}`, "");
    };
    const box = fail("The chat's server did not answer.");
    const answerer = await answererOf(detail.error);
    // It may have been asked again by now.
    if (!answerer || (box && !box.isConnected)) return;
    if (isSignIn(answerer)) {
      // Going back in the history requests a whole page, which the browser loads.
      if (source === document.body) location.reload(); else tellSignedOut(place, source);
    } else if (answerer.status < 500) {
      fail(`This was refused before it reached the chat (${answerer.status}).`);
    }
  });

  // A screen reader announces new notes, and once the end of an answer.
  let told = "";
  const finished = new Set();
  const announce = (quietly) => {
    for (const note of document.querySelectorAll("[data-say]")) {
      note.removeAttribute("data-say");
      say(note.textContent);
    }
    const last = [...document.querySelectorAll('article[data-role="assistant"]')].at(-1);
    const status = answering() ? "answering" : last?.dataset.status;
    const now = `${last?.id} ${status}`;
    if (last && now !== told && !quietly && !finished.has(last.id)) {
      const words = { answering: "Answering", complete: "Answer finished", stopped: "Answer stopped" };
      say(words[status] ?? last.querySelector(".problem p")?.textContent ?? "");
    }
    // What is swapped in late may show an answer as it was before its end.
    if (status === "complete") finished.add(last.id);
    if (last) told = now;  // between two swaps there may be no answer on the page
  };

  let waiting = 0;
  const announceWaiting = () => {
    const before = waiting;
    waiting = document.querySelectorAll(".queued").length;
    if (waiting > before) say("Queued: your message is sent when the answer ends");
  };

  // A question is announced once; out of sight, with a notification if allowed.
  const asked = new Set();
  const notify = ({ id, title }) => {
    if (asked.has(id) || window.Notification?.permission !== "granted") return;
    try {
      new Notification("Waiting for you", { body: title, tag: id }).onclick = () => focus();
    } catch { /* a browser that has notifications for service workers only */ }
  };
  const bringQuestions = () => {
    for (const form of document.querySelectorAll("form.question")) {
      const { id, title } = { id: form.dataset.asked, title: form.querySelector("legend").textContent };
      form.querySelector(".notify").hidden = window.Notification?.permission !== "default";
      if (asked.has(id)) continue;
      say(`Waiting for you: ${title}`);
      if (document.hidden) notify({ id, title });
      asked.add(id);
    }
  };
  // Out of sight a page has no stream: during an answer it asks from time to time whether there is a question.
  setInterval(async () => {
    const { url } = $("chatArea")?.dataset ?? {};
    if (!document.hidden || !url || !answering()) return;
    const response = await fetch(`${url}/waiting`).catch(() => null);
    if (!response?.ok) return;
    const { title, waiting } = await response.json();
    document.title = title;
    if (waiting) { notify(waiting); asked.add(waiting.id); }
  }, 5000);

  // A tool's card opens and folds with its state, until a person has opened or folded it.
  document.addEventListener("click", (event) => {
    const card = event.target.closest("summary")?.parentElement;
    if (card?.dataset.open) card.dataset.kept = "yes";
  });
  const foldCards = () => {
    for (const card of document.querySelectorAll("details[data-open]:not([data-kept])")) {
      if (!card.querySelector(".inside :focus")) card.open = card.dataset.open === "yes";
    }
  };

  // A lost stream is reported quietly; htmx retries, and the stream continues where it was.
  const lost = (is) => { const line = $("reconnecting"); if (line && line.hidden === is) { line.hidden = !is; say(is ? line.textContent : ""); if (!is) line.textContent = "Reconnecting …"; } };
  const streamLost = async ({ target, detail }) => {
    lost(true);
    // The chat's own sign-in has a status; other refusals do not concern signing in.
    const answerer = detail.status ? null : await answererOf(detail.error);
    const isOut = answerer ? isSignIn(answerer) : detail.status === 401;
    // The stream may be back by now.
    if (isOut && $("problem") && !$("reconnecting").hidden) tellSignedOut($("problem"), target);
  };
  document.addEventListener("htmx:sse:error", streamLost);

  // A connection can die without a word: after sleep, or in another network. The server is never silent for this long.
  const SILENCE = 40_000;
  let connection = null;
  let heard = Date.now();
  const again = () => {
    heard = Date.now();
    connection?.reader?.cancel();
    connection?.delayCanceller?.();
  };
  document.addEventListener("htmx:sse:after:connection", (event) => {
    connection = event.detail.connection;
    heard = Date.now();
    lost(false);
  });
  document.addEventListener("htmx:sse:after:message", () => { heard = Date.now(); });
  setInterval(() => {
    if (document.hidden || !connection || Date.now() - heard < SILENCE) return;
    lost(true);
    again();
  }, 5000);
  addEventListener("online", again);
  // Firefox cuts a page's streams when it is left, which would be reported as lost, also if it stays, as for a download. So
  // the stream is ended here first; if the page stays, it is back in half a second.
  addEventListener("beforeunload", again);
  addEventListener("pageshow", (event) => { if (event.persisted) again(); });

  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (isPowered(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    hold(form, () => form.requestSubmit(submitter));
  }, true);
  document.addEventListener("click", (event) => {
    const control = event.target.closest("a, button");
    if (!control || isPowered(control) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    hold(control, () => control.click());
  }, true);

  // A control may be swapped away between press and release; the browser then clicks nothing. Its replacement is clicked
  // instead, unless the pointer was dragged away.
  const CONTROL = "button, a[href]";
  const doing = (control) => [control.closest("[id]")?.id, control.href, control.form?.action, control.title, control.textContent].join("\n");
  let pressed = null;
  document.addEventListener("pointerdown", ({ target, button, clientX, clientY }) => {
    const control = button ? null : target.closest(CONTROL);
    pressed = control && { control, does: doing(control), clientX, clientY };
  }, true);
  document.addEventListener("pointerup", ({ clientX, clientY }) => {
    const before = pressed;
    pressed = null;
    if (!before || before.control.isConnected || Math.hypot(clientX - before.clientX, clientY - before.clientY) > 8) return;
    [...document.querySelectorAll(CONTROL)].find((control) => doing(control) === before.does)?.click();
  }, true);

  // What is typed and chosen while a message is on its way belongs to the next one. If that was sent as well, it
  // follows at once.
  let sendOn = false;
  document.addEventListener("htmx:before:request", (event) => {
    const field = event.target.matches?.("form.field") && $("messageInput");
    if (!field) return;
    sending = { field, ctx: event.detail.ctx, text: field.value, files: [...$("files").files] };
    keepDraft(field.value);
  });
  document.addEventListener("submit", (event) => {
    const isMessage = event.target.matches("form.field");
    versions = event.target.closest(".siblings");
    // Files can be sent alone, also those of a message that was taken back.
    if (isMessage && !$("messageInput").value.trim() && !event.target.elements.file?.files.length && !document.querySelector("#returned :checked")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      say("Write a message first.");
      focusField();
      return;
    }
    // Another swap may take its form away before the answer comes.
    if (event.target.matches(".edit")) changes.delete(event.target.closest("article")?.id);
    sendOn = Boolean(sending) && isMessage;
    // Without htmx the browser sends it.
    if (isMessage && !window.htmx) keepDraft($("messageInput").value, draftName(), $("messageInput").value);
  }, true);
  document.addEventListener("input", (event) => {
    sendOn = false;
    held.delete(event.target.form);
    if (sending) sending.isTouched = true;
  });
  // The message was sent: what was typed and chosen since stays in the composer, or goes into the one of a new session.
  let left = null;
  const takeLeft = () => {
    const field = $("messageInput");
    const { text, files, isTouched } = sending ?? { text: "", files: [] };
    const isSaidAgain = sendOn && isTouched && field.value === text;
    left = {
      text: isSaidAgain ? text : rest(text, field.value),
      files: [...$("files").files].filter((file) => !files.includes(file)),
      isSent: sendOn,
      name: draftName(),
    };
    sending = null;
  };
  const bringLeft = (field) => {
    const { text, files, isSent, name } = left;
    left = null;
    field.value = text;
    keyOf(field).value = newKey();
    if ($("files").files.length !== files.length) putFiles(files);
    if (name !== draftName()) keepDraft("", name);
    keepDraft(text);
    fit(field);
    // htmx drops requests until it has processed this response. Text typed until then is not sent.
    if (isSent && text.trim()) setTimeout(() => { if (sendOn) field.form.requestSubmit(); });
  };
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    const { sourceElement, response } = ctx;
    if (!sourceElement?.matches || !response) return;
    if (isOfAnother(ctx)) event.preventDefault();
    else if (ctx.isOutside && hasMoved(ctx)) {
      tasks.splice(0, Infinity, ...tasks.filter(({ target }) => !target?.matches("#chatArea, #badge")));
      delete ctx.hx.pushurl;
      ctx.title = null;
    } else if (response.status >= 400) keepChange(sourceElement);
    else if (sourceElement.matches("[hx-trigger^=every]")) dropLost();
    else if (sourceElement.matches(".edit a")) changes.delete(sourceElement.closest("article")?.id);
    else if (sourceElement.matches(".field[hx-target], .examples form, .inline[action$=sessions]")) takeLeft();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (!sending || sourceElement !== sending.field.form || response.status >= 400) return;
    takeLeft();
    bringLeft($("messageInput"));
  });
  document.addEventListener("htmx:finally:request", (event) => {
    if (event.detail.ctx !== sending?.ctx) return;
    sending = null;
    dropSent();
  });

  // A message that is taken back goes into the field, before what is there; so does a change that came too late.
  let taken = new Map();
  const changes = new Map();
  const keepChange = (form) => { if (form.matches?.("article .edit")) changes.set(form.closest("article").id, form.elements.message.value); };
  document.addEventListener("input", ({ target }) => {
    if (target.closest("article .edit")) changes.set(target.closest("article").id, target.value);
  });
  const takeReturned = () => {
    const field = $("messageInput");
    if (!field) return;
    const now = new Map(returned().map(({ value, dataset }) => [value, dataset.text]));
    const news = [...now].filter(([key]) => !taken.has(key)).map(([, text]) => text);
    for (const [id, text] of changes) {
      if ($(id)?.querySelector(".edit")) continue;
      changes.delete(id);
      news.push(text);
    }
    // Another tab has sent it.
    const isGone = taken.size > 0 && now.size === 0 && !sending && field.value === joined(...taken.values());
    taken = now;
    if (!news.length && !isGone) return;
    field.value = isGone ? "" : joined(...news, field.value);
    keepDraft(field.value);
    fit(field);
  };

  // A new composer is filled before anybody can type into it. Files that were chosen and not sent are kept for each
  // session as long as the page is there.
  let composer = null;
  let composed = "";
  const chosen = {};
  const filled = () => {
    const field = $("messageInput");
    if (!field || field === composer) return;
    chosen[composed] = left ? [] : composer?.form.elements.file.files;
    composer = field;
    if (composed !== draftName()) changes.clear();
    composed = draftName();
    // Without a script, the browser restores the text after a sign-in or an error.
    field.setAttribute("autocomplete", "off");
    if (left) bringLeft(field);
    else {
      bringDraft(field);
      if (chosen[composed]?.length) putFiles(chosen[composed]);
    }
    taken = new Map(returned().map(({ value, dataset }) => [value, dataset.text]));
    dropSent();
    fit(field);
  };
  document.addEventListener("htmx:before:settle", filled);

  // State saved before a swap for after it.
  const swaps = new WeakMap();
  // A message stays in its place when another version is chosen.
  let versions;
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => { if (versions?.contains(ctx.sourceElement)) versions = null; });
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = event.detail;
    const around = [];
    for (let at = document.activeElement?.closest("[id]"); at; at = at.parentElement?.closest("[id]")) around.push(at.id);
    const stays = event.target.id === "earlier" ? event.target.nextElementSibling : $(versions?.id);
    swaps.set(ctx, {
      around,
      isAsked: ctx.sourceElement?.matches?.("form:is(.field, .edit, .again-form), .examples form"),
      stays,
      top: stays?.getBoundingClientRect().top,
    });
  });

  // If the focus is swapped away, its replacement gets it, or the nearest element around that.
  const keepFocus = (around) => {
    if (!around.length || document.activeElement !== document.body || touch.matches) return;
    const stops = [...document.querySelectorAll("button, a[href], input, select, .card > summary")];
    const stop = around.map((id) => stops.find((each) => $(id)?.contains(each) && each.checkVisibility())).find(Boolean);
    if (stop) stop.focus({ preventScroll: true });
    else if (isPanelOpen()) $("sessionSearch").focus();
    else focusField();
  };

  let place = $("chatArea");
  document.addEventListener("htmx:after:swap", (event) => {
    const source = event.detail.ctx.sourceElement;
    const { around, isAsked, stays, top } = swaps.get(event.detail.ctx);
    const chat = $("chatArea");
    const isOther = chat !== place;
    if (isOther) {
      // Another session, or a new one, is on the page.
      place = chat;
      if (event.detail.ctx.isInPanel && isPanelOpen()) panel().hidePopover();
      opened();
      const title = $("titleForm");
      if (title?.dataset.url !== chat.dataset.url) title?.remove();
      if (stays) document.activeElement.blur();
      else if (!isPanelOpen()) focusFieldAgain();
      versions = null;
    } else {
      const isSent = source?.matches?.("form.field");
      if (isSent) following = follows;
      // In the frame that shows what has grown, and only from where we left it: the person may be scrolling.
      if (isSent || (following && root.scrollTop === followedTo && $("messages"))) toEnd();
      if (isSent || source?.matches?.("#stopForm")) focusFieldAgain();
    }
    takeReturned();
    dropSent();
    announceWaiting();
    // An answer in a session that is just opened is not new.
    announce(isOther && !isAsked);
    bringQuestions();
    foldCards();
    keepFocus(around);
    const stayed = $(stays?.id);
    if (!stayed) return;
    root.scrollTop += stayed.getBoundingClientRect().top - top;
    following = follows && distance() < NEAR;
  });

  if (!location.hash || location.hash === "#end") opened(); else watch();
  // It may have been opened before this script ran.
  if (isPanelOpen()) bringList();
  filled();
  // The browser does so by itself, but perhaps too late for a dialog that is opened before.
  if ($("messageInput")?.autofocus && document.activeElement === document.body && !location.hash) focusField();
  fitAll(document);
  announce(true);
  bringQuestions();
})();
