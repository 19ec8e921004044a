// The few things a page needs of a framework.

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}

/** Sets text only when it differs: a text node that is replaced loses the reader's selection. */
export function text(element: Element, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}

export function put(id: string, value: string, trend?: string): void {
  const element = byId(id);
  text(element, value);
  if (trend !== undefined && element.dataset["trend"] !== trend) element.dataset["trend"] = trend;
}

export function make(tag: string, className = "", content = ""): HTMLElement {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content) element.textContent = content;
  return element;
}

/** Makes the children of a parent those of the items, in order, reusing elements by key. */
export function reconcile<T>(parent: HTMLElement, items: readonly T[], key: (item: T) => string, create: (item: T) => HTMLElement, update: (element: HTMLElement, item: T) => void): void {
  const old = new Map<string, HTMLElement>();
  for (const child of Array.from(parent.children) as HTMLElement[]) old.set(child.dataset["key"] ?? "", child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let element = old.get(name);
    if (element) old.delete(name);
    else {
      element = create(item);
      element.dataset["key"] = name;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const left of old.values()) left.remove();
}

export function row(...classes: string[]): HTMLElement {
  const element = make("tr");
  for (const className of classes) element.append(make("td", className));
  return element;
}

export function cells(element: HTMLElement, values: readonly string[]): void {
  values.forEach((value, index) => {
    const cell = element.children[index];
    if (cell) text(cell, value);
  });
}
