/** Tells a person why a scan waits, what to put back, and which pages were kept last. */

import { announce, notify } from "./notices.js";

const WIDTH_PX = 160;
const GOOD = 2;
const LAST = "Kept last:";
const FULL = "Scanning waits: there is no room to keep more pages. Free some disk space; it goes on by itself.";

/**
 * @param {import("../scanbus.js").Job} job that is paused
 * @param {import("./pages.js").PageList} pages
 * @param {{proceed: () => void, finish: () => void}} answers
 */
export function tellPause(job, pages, { proceed, finish }) {
  const { code, text } = job.paused;
  const full = code === "storage_full";
  const actions = [["Finish here", finish]];
  if (!full) actions.unshift(["Continue", proceed]);
  const pictures = full ? [] : lastGood(job, pages);
  const words = full ? FULL : text;
  notify("pause", { kind: "warn", text: words, more: pictures.length ? LAST : "", actions, pictures, lasting: true });
  announce(`Paused. ${words}`);
}

/** The last pages of the scan that are kept: picture, and what is below it. */
function lastGood(job, pages) {
  const own = pages.pages.filter(({ job_id }) => job_id === job.job_id).sort((a, b) => a.number - b.number);
  return own.slice(-GOOD).map((page) => [pages.imageUrl(page, { widthPx: WIDTH_PX }), `Page ${page.number}`]);
}
