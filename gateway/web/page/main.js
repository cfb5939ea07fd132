/** Puts the scan page together: what is pressed where does what. */

import { connected } from "./connection.js";
import { Damage } from "./damage.js";
import { DevicePicker } from "./devices.js";
import { Documents } from "./documents.js";
import { Edits } from "./edits.js";
import { byId, counted } from "./element.js";
import { listenToKeys } from "./keyboard.js";
import { dismiss, notify } from "./notices.js";
import { PageList } from "./pages.js";
import { Saving } from "./save.js";
import { Scanning } from "./scanning.js";
import { Settings } from "./settings.js";
import { Stays } from "./stays.js";
import { Tags } from "./tags.js";
import { Thumbnails } from "./thumbnails.js";
import { Viewer } from "./viewer.js";

const DESCRIBE_AGAIN_MS = 3000;

const pages = new PageList();
const edits = new Edits(pages);
const documents = new Documents(pages, edits);
const tags = new Tags(pages, edits, documents);
const stays = new Stays();
const picker = new DevicePicker();
const settings = new Settings();
const scanning = new Scanning(pages, startScan);
const saving = new Saving(pages, edits);
const viewer = new Viewer(pages, edits);
const thumbnails = new Thumbnails(pages, edits, new Damage(pages), () => viewer.open());
let scanner = null;
let failure = null;

function startScan() {
  if (scanning.running || byId("scan").disabled) return;
  const chosen = settings.read();
  if (chosen) scanning.start(picker.chosen.device_id, chosen);
}

async function describe() {
  const device = picker.chosen;
  settings.clear();
  render();
  if (!device) return;
  try {
    const capabilities = await scanner.capabilities(device.device_id);
    dismiss("device");
    if (picker.chosen?.device_id === device.device_id) settings.show(device.device_id, capabilities);
  } catch (error) {
    notify("device", { kind: "bad", text: error.message });
    setTimeout(() => picker.chosen === device && !settings.ready && describe(), DESCRIBE_AGAIN_MS);
  }
  render();
}

function render() {
  const { pages: shown, selected } = pages;
  const online = scanner?.state === "open";
  const some = online && selected.size > 0;
  const chosen = selected.size > 1 ? `${selected.size} of ` : "";
  byId("count").textContent = shown.length ? chosen + counted(shown.length, "page") : "No pages";
  for (const id of ["rotate-left", "rotate-right", "delete"]) byId(id).disabled = !some;
  byId("select-all").disabled = !shown.length;
  byId("move-earlier").disabled = !some || selected.has(pages.ids[0]);
  byId("move-later").disabled = !some || selected.has(pages.ids.at(-1));
  for (const id of ["documents-open", "tags-open"]) byId(id).disabled = !online;
  byId("save-open").disabled = !online || !shown.length;
  byId("scan").disabled = !online || !settings.ready;
  const buttons = [byId("scan"), byId("cancel")];
  const [shownButton, hiddenButton] = scanning.running ? buttons.reverse() : buttons;
  const focused = document.activeElement === hiddenButton;
  shownButton.hidden = false;
  hiddenButton.hidden = true;
  if (focused) shownButton.focus();
  byId("progress").hidden = !scanning.running;
  const doing = scanning.paused ? "Paused" : `Scanning page ${pages.coming?.number ?? 1}…`;
  document.title = `${scanning.running ? doing : "Scan"} – Scanbus`;
  renderEmpty(shown.length === 0 && !scanning.running);
}

function renderEmpty(empty) {
  byId("empty").hidden = !empty;
  if (!empty) return;
  const [title, text] = failure
    ? [failure.code === "unavailable" ? "Scanbus is not running" : "Scanbus cannot be reached", failure.message]
    : picker.none
      ? ["No scanner was found", byId("device-state").textContent]
      : ["No pages yet", "Load paper and press Scan. Pages appear here one by one, and stay on this computer."];
  byId("empty-title").textContent = title;
  byId("empty-text").textContent = text;
}

function wire() {
  const commands = {
    "select-all": () => pages.selectAll(),
    "move-earlier": () => edits.moveBy(-1),
    "move-later": () => edits.moveBy(1),
    "rotate-left": () => edits.rotate(-90),
    "rotate-right": () => edits.rotate(90),
    delete: () => edits.remove(),
    cancel: () => scanning.cancel(),
    "save-open": () => saving.open(),
    "keys-open": () => byId("keys").showModal(),
  };
  for (const [id, run] of Object.entries(commands)) byId(id).addEventListener("click", run);
  byId("settings").addEventListener("submit", (event) => {
    event.preventDefault();
    startScan();
  });
  listenToKeys({
    "Ctrl+Enter": startScan,
    "Ctrl+s": () => saving.open(),
    "Ctrl+a": () => pages.selectAll(),
    Escape: () => viewer.close() || (scanning.running ? scanning.cancel() : false),
    Delete: () => edits.remove(),
    "Ctrl+x": () => edits.cutSelected(),
    "Ctrl+v": () => edits.paste(),
    "[": () => edits.rotate(-90),
    "]": () => edits.rotate(90),
    PageUp: () => pages.step(-1),
    PageDown: () => pages.step(1),
    "+": () => viewer.zoomBy(1.25),
    "-": () => viewer.zoomBy(0.8),
    0: () => viewer.zoomTo(0),
    1: () => viewer.zoomTo(1),
    "?": () => byId("keys").showModal(),
  });
  for (const each of [pages, scanning]) each.addEventListener("change", render);
  pages.addEventListener("coming", render);
  picker.addEventListener("change", describe);
  picker.addEventListener("listed", render);
}

async function begin() {
  scanner = await connected((error) => {
    failure = error;
    render();
  });
  failure = null;
  for (const each of [pages, edits, documents, tags, stays, picker, scanning, saving]) each.attach(scanner);
  scanner.on("connection", (state) => {
    if (state === "open") catchUp();
    render();
  });
  await pages.show("");
  await catchUp();
}

async function catchUp() {
  picker.refresh();
  const say = (error) => error.data?.connection === "lost" || notify("scan", { kind: "bad", text: error.message });
  await pages.refresh();
  thumbnails.retry();
  await documents.refresh().catch(say);
  if (!pages.ids.length) await stays.offer().catch(say);
  await scanning.resume().catch(say);
}

wire();
render();
begin();
