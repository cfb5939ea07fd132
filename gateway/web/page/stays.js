import { connect } from "../scanbus.js";
import { ask } from "./ask.js";
import { keepToken } from "./connection.js";
import { byId, counted, element } from "./element.js";
import { notify } from "./notices.js";

/** Sessions that were left with pages in them: a person can go on with one, or erase it. */
export class Stays {
  #scanner = null;
  #list = byId("stays");

  attach(scanner) {
    this.#scanner = scanner;
  }

  /** Offer what was left, where this session has nothing itself. */
  async offer() {
    const stays = await this.#scanner.stays();
    const left = stays.filter(({ session_id, pages, connected }) => {
      return session_id !== this.#scanner.sessionId && pages > 0 && !connected;
    });
    this.#list.replaceChildren(...left.map((stay) => this.#row(stay)));
    this.#list.querySelector("button")?.classList.add("primary");
    this.#list.hidden = !left.length;
  }

  #row(stay) {
    const text = `${counted(stay.pages, "page")} from ${when(stay.begun_at)}${stay.running ? ", scanning" : ""}.`;
    const go = element("button", { type: "button", "aria-label": `Continue with ${text}` }, "Continue");
    const erase = element("button", { type: "button", "aria-label": `Erase ${text}` }, "Erase");
    go.addEventListener("click", () => this.#do(() => this.#continue(stay)));
    erase.addEventListener("click", () => this.#do(() => this.#erase(stay, text)));
    return element("li", {}, element("p", {}, element("strong", {}, text), " Continue?"), go, erase);
  }

  async #do(run) {
    try {
      await run();
    } catch (error) {
      notify("stays", { kind: "bad", text: error.message });
      await this.offer();
    }
  }

  async #continue({ session_id: sessionId }) {
    const { token } = await connect({ sessionId });
    const { documents } = await this.#scanner.documents();
    await this.#scanner.close({ erase: documents.every(({ pages }) => !pages) });
    keepToken(token);
    location.reload();
  }

  async #erase({ session_id: sessionId }, text) {
    const question = { title: "Erase these pages?", text: `${text} They cannot be brought back.`, action: "Erase" };
    if ((await ask(question)) === null) return;
    await (await connect({ sessionId })).close({ erase: true });
    await this.offer();
  }
}

/** "10:32", or with the day where that is not today. @param {number} at seconds since 1970 */
function when(at) {
  const date = new Date(at * 1000);
  const day = date.toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
  return date.toLocaleString(undefined, { ...day, hour: "2-digit", minute: "2-digit" });
}
