/** A menu that opens below its button and is filled anew each time. */

/** @param {HTMLElement} button @param {HTMLElement} menu a popover @param {() => (Node|string)[]} fill */
export function menuOf(button, menu, fill) {
  button.popoverTargetElement = menu;
  const refill = () => menu.replaceChildren(...fill());
  menu.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    refill();
    const box = button.getBoundingClientRect();
    menu.style.top = `${box.bottom + 4}px`;
    menu.style.right = `${Math.max(8, document.documentElement.clientWidth - box.right)}px`;
  });
  return refill;
}
