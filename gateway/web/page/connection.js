import { connect } from "../scanbus.js";
import { byId } from "./element.js";

const AGAIN_MS = 3000;
const TOKEN = "scanbus token";
const WORDS = { open: "Connected", reconnecting: "Reconnecting…", closed: "Closed" };

/** Come back to this session after a reload of this tab. @param {string} token */
export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);

/**
 * Connect, trying until it works, and say in one line how it stands.
 *
 * @param {(error: import("../scanbus.js").ScanbusError) => void} onfail
 * @returns {Promise<import("../scanbus.js").Scanner>}
 */
export async function connected(onfail) {
  for (;;) {
    try {
      const scanner = await connect({ token: sessionStorage.getItem(TOKEN) ?? "" });
      const show = (state) => {
        say(state, WORDS[state]);
        if (state === "open") keepToken(scanner.token);
      };
      scanner.on("connection", show);
      show("open");
      return scanner;
    } catch (error) {
      say("absent", error.code === "unavailable" ? "Not running" : "Not allowed");
      onfail(error);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

function say(state, words) {
  const line = byId("connection");
  line.dataset.state = state;
  line.textContent = words;
}
