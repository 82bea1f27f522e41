// Shows a message's attachments below its field: small pictures, names, and a button that removes each. Loaded by
// chat.js with the first file; without it the field's own list of names does.
(() => {
  "use strict";

  const $ = (id) => document.getElementById(id);
  const HEIGHT = 56;
  const isPicture = ({ type }) => /^image\/(png|jpeg|webp|gif)$/.test(type);
  const problemOf = (file) => {
    const most = isPicture(file) || file.type === "application/pdf" ? 10 : 1;
    return file.size > most * 1024 * 1024 ? `Over ${most} MiB: ${file.name}` : "";
  };

  // Drawn on a canvas, so that the page's policy need not allow pictures from elsewhere.
  const draw = async (file, canvas) => {
    try {
      const picture = await createImageBitmap(file, { resizeHeight: 2 * HEIGHT });
      canvas.width = Math.min(8 * HEIGHT, Math.round((picture.width * 2 * HEIGHT) / picture.height));
      canvas.height = 2 * HEIGHT;
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      picture.close();
    } catch {
      canvas.remove(); // what is wrong with it the server says
    }
  };

  const put = (files) => {
    const all = new DataTransfer();
    for (const file of files) all.items.add(file);
    $("files").files = all.files;
  };

  const remove = (file) => {
    put([...$("files").files].filter((each) => each !== file));
    $("problem")?.querySelector("[data-status='413'], [data-status='422']")?.remove();
    show();
    $("messageInput").focus({ preventScroll: true });
  };

  const row = (file) => {
    const item = document.createElement("li");
    const name = Object.assign(document.createElement("span"), { textContent: problemOf(file) || file.name });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Remove" });
    button.setAttribute("aria-label", `Remove ${file.name}`);
    button.addEventListener("click", () => remove(file));
    item.append(name, button);
    if (isPicture(file)) {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("aria-hidden", "true");
      item.prepend(canvas);
      draw(file, canvas);
    }
    return item;
  };

  const show = () => {
    const files = [...($("files")?.files ?? [])];
    if (!$("attached")) return;
    $("attached").hidden = !files.length;
    // Files can be sent alone: Send is ready, as with text.
    const field = $("messageInput");
    field.dataset.hint ??= field.placeholder;
    if (files.length) field.removeAttribute("placeholder"); else field.placeholder = field.dataset.hint;
    $("attached").replaceChildren(...files.map(row));
    $("announcer").textContent = files.map((file) => problemOf(file) || file.name).join(", ");
  };

  // A browser puts newly chosen files in the place of those that are there.
  let before = [];
  document.addEventListener("click", ({ target }) => { if (target.id === "files") before = [...target.files]; });
  document.addEventListener("change", ({ target }) => {
    if (target.id !== "files" || !before.length) return;
    put([...before, ...target.files]);
    before = [];
  }, true);

  document.addEventListener("files", show);
  show();
})();
