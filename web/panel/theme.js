// Whether the page around the panel is dark or light, by its colour and not by the system's wish; follows it as it changes.

/**
 * Say whether a colour, as the browser computes it, is dark.
 * @param {string} colour e.g. `rgb(32, 32, 36)`
 */
export function isDark(colour) {
  const [red, green, blue] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

/**
 * Keep an element's colour scheme that of the theme around it. Without a theme (a page of its own) the system's rules.
 * @param {HTMLElement} host
 * @returns {() => void} stops it
 */
export function followTheme(host) {
  const look = () => {
    const named = getComputedStyle(host).getPropertyValue("--comfy-menu-bg").trim();
    if (!named) {
      host.style.removeProperty("color-scheme");
      return;
    }
    host.style.backgroundColor = "var(--comfy-menu-bg)";
    host.style.colorScheme = isDark(getComputedStyle(host).backgroundColor) ? "dark" : "light";
  };
  const observer = new MutationObserver(look);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true, attributeFilter: ["class", "style"] });
  }
  look();
  requestAnimationFrame(look); // the host may be put onto the page only after this
  return () => observer.disconnect();
}
