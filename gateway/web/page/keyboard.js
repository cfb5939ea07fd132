/** The page's shortcuts; keys that mean something in a field are left to the field. */

/** @param {Record<string, (event: KeyboardEvent) => boolean|void>} shortcuts by name; false lets the browser have it */
export function listenToKeys(shortcuts) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog:modal")) return;
    const command = event.ctrlKey || event.metaKey;
    const typing = event.target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea");
    const name = (command ? "Ctrl+" : "") + event.key;
    const anywhere = ["Ctrl+Enter", "Ctrl+s", "Escape"].includes(name);
    const run = shortcuts[name];
    if (!run || (typing && !anywhere)) return;
    if (run(event) !== false) event.preventDefault();
  });
}
