// Making elements. Text from outside becomes text nodes and attributes, never markup.

/** An element with properties and children; null children are left out, `class`, `aria-…`, `role` and `for` are attributes. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key === "class" || key === "role" || key === "for" || key.includes("-")) made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** One of the drawings at the top of index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A link that leaves the page, or null where the address is none that a browser should follow. */
export function outside(address, ...children) {
  if (!/^https?:\/\//i.test(address ?? "") || !URL.canParse(address)) return null;
  return el("a", { class: "outside", href: address, target: "_blank", rel: "noopener noreferrer" }, ...children, icon("out"));
}
