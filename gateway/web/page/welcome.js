/** Fills the welcome page: how the service does, which scanners there are, and code to copy. */

import { connected } from "./connection.js";
import { byId, element } from "./element.js";

const REFRESH_MS = 5000;
let scanner = null;

function row(name, state, kind = "") {
  return element("li", {}, element("span", {}, name), element("span", { className: `quiet ${kind}` }, state));
}

function showDevices({ devices, searching = [], faults = {} }) {
  const rows = devices.map(({ name, vendor = "", model = "" }) => row(name, `${vendor} ${model}`.trim()));
  for (const [driver, fault] of Object.entries(faults)) rows.push(row(driver, fault, "bad"));
  if (searching.length) rows.push(row("Searching…", searching.join(", ")));
  if (!rows.length) rows.push(row("None found. Switch a scanner on and connect it.", ""));
  byId("scanners").replaceChildren(...rows);
}

function showServices({ services }) {
  byId("services").replaceChildren(
    ...services.map(({ service, workers = 0, busy = 0, queued = 0, failed = "" }) => {
      if (failed) return row(service, failed, "bad");
      const waiting = queued ? `, ${queued} waiting` : "";
      return row(service, workers ? (busy ? `working${waiting}` : "ready") : "starts when needed");
    }),
  );
}

async function showHealth() {
  const { status, version, reasons = [] } = await (await fetch("/healthz", { cache: "no-store" })).json();
  byId("version").textContent = version ? `version ${version}` : "";
  byId("health").textContent = status === "ok" ? "Everything works." : reasons.join(" ");
  byId("health").classList.toggle("bad", status !== "ok");
}

async function refresh() {
  if (scanner?.state !== "open" || document.hidden) return;
  try {
    // First, so that it does not count our own questions as work.
    showServices(await scanner.call({ type: "bus.get_status" }));
    showDevices(await scanner.call({ type: "device.list_devices" }));
    await showHealth();
  } catch (error) {
    byId("health").textContent = error.message;
    byId("health").classList.add("bad");
  }
}

async function copy() {
  await navigator.clipboard.writeText(byId("code").textContent);
  byId("copy").textContent = "Copied";
}

byId("code").textContent = byId("code").textContent.replace("ORIGIN", location.origin);
byId("copy").addEventListener("click", copy);
scanner = await connected((error) => {
  byId("health").textContent = error.message;
  byId("health").classList.add("bad");
});
for (const name of ["devices", "services", "connection"]) scanner.on(name, refresh);
setInterval(refresh, REFRESH_MS);
await refresh();
