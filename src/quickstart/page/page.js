"use strict";

const PAGE_SIZE = 50;
const FACETS = ["log.level", "event.dataset", "stream", "http.response.status_code", "log.file.path", "tags"];
const FOLLOW_MILLIS = 1000;

const element = (id) => document.getElementById(id);
const state = { limit: PAGE_SIZE, from: null, to: null, open: new Set(), request: 0 };

function make(tag, attributes = {}, ...children) {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
}

function timeRange() {
  if (state.from !== null) return { from: state.from, to: state.to };
  const seconds = element("range").value;
  return seconds ? { from: Date.now() - seconds * 1000 } : {};
}

async function ask(path, parameters) {
  const response = await fetch(`${path}?${new URLSearchParams(parameters)}`);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

async function search() {
  const request = ++state.request;
  const query = element("query").value;
  const url = new URL(location.href);
  query ? url.searchParams.set("q", query) : url.searchParams.delete("q");
  history.replaceState(null, "", url);
  try {
    const answer = await ask("api/search", { q: query, limit: state.limit, terms: FACETS.join(","), ...timeRange() });
    if (request === state.request) show(answer);
    element("error").hidden = true;
  } catch (error) {
    element("error").textContent = error.message;
    element("error").hidden = false;
  }
}

function show(answer) {
  element("summary").textContent = `${answer.total.toLocaleString()} documents in ${answer.took_ms} ms`;
  element("hits").replaceChildren(...answer.hits.flatMap(rows));
  element("more").hidden = answer.hits.length >= answer.total;
  showHistogram(answer.histogram);
  element("fields").replaceChildren(...answer.terms.flatMap(facet));
}

function showHistogram({ interval_ms, buckets }) {
  const highest = Math.max(1, ...buckets.map((bucket) => bucket.count));
  const bars = buckets.map(({ at, count }) => {
    const label = `${new Date(at).toLocaleString()}: ${count.toLocaleString()}`;
    const bar = make("button", { type: "button", title: label, ariaLabel: label });
    bar.style.height = count ? `${Math.max(2, (count / highest) * 100)}%` : "0";
    bar.onclick = () => {
      Object.assign(state, { from: at, to: at + interval_ms - 1, limit: PAGE_SIZE });
      search();
    };
    return bar;
  });
  element("histogram").replaceChildren(...bars);
}

function facet({ field, values }) {
  if (values.length === 0) return [];
  const buttons = values.map(({ value, count }) => {
    const button = make("button", { type: "button", title: `only ${field}: ${value}` });
    button.append(make("span", { textContent: value }), make("span", { textContent: count.toLocaleString() }));
    button.onclick = () => narrow(field, value, false);
    return button;
  });
  return [make("h2", { textContent: field }), ...buttons];
}

function rows(hit) {
  const level = String(at(hit.document, "log.level") ?? "");
  const row = make("tr", { className: "hit", tabIndex: 0 });
  row.append(
    make("td", { textContent: hit.document["@timestamp"] ?? "" }),
    make("td", { textContent: level, className: level }),
    make("td", { textContent: hit.document.message ?? JSON.stringify(hit.document) }),
  );
  row.onclick = () => {
    state.open.has(hit.id) ? state.open.delete(hit.id) : state.open.add(hit.id);
    const replacement = rows(hit);
    if (row.nextSibling?.classList.contains("details")) row.nextSibling.remove();
    row.replaceWith(...replacement);
    replacement[0].focus();
  };
  row.onkeydown = (event) => event.key === "Enter" && row.click();
  if (!state.open.has(hit.id)) return [row];
  row.classList.add("open");
  const cell = make("td", { colSpan: 3 }, details(hit));
  return [row, make("tr", { className: "details" }, cell)];
}

function details(hit) {
  const list = make("dl");
  list.append(make("dt", { textContent: "_id" }), make("dd", { textContent: hit.id }));
  for (const [field, value] of flatten(hit.document)) {
    const only = make("button", { type: "button", textContent: "+", title: `only ${field}: ${value}` });
    const without = make("button", { type: "button", textContent: "−", title: `without ${field}: ${value}` });
    only.onclick = () => narrow(field, value, false);
    without.onclick = () => narrow(field, value, true);
    list.append(make("dt", { textContent: field }), make("dd", {}, only, without, make("span", { textContent: value })));
  }
  return list;
}

function* flatten(value, prefix = "") {
  for (const [key, inner] of Object.entries(value)) {
    const name = prefix + key;
    if (inner !== null && typeof inner === "object" && !Array.isArray(inner)) yield* flatten(inner, `${name}.`);
    else if (Array.isArray(inner) && inner.every((item) => typeof item !== "object")) for (const item of inner) yield [name, String(item)];
    else yield [name, typeof inner === "object" ? JSON.stringify(inner) : String(inner)];
  }
}

function at(value, path) {
  return path.split(".").reduce((inner, key) => inner?.[key], value);
}

function narrow(field, value, exclude) {
  const quoted = `"${value.replace(/["\\]/g, "\\$&")}"`;
  const clause = `${exclude ? "NOT " : ""}${field}:${quoted}`;
  const query = element("query").value.trim();
  element("query").value = query ? `${/ OR /.test(query) ? `(${query})` : query} AND ${clause}` : clause;
  state.limit = PAGE_SIZE;
  search();
}

async function showProgress() {
  try {
    const { lines_per_second, read, indexed, behind, failed } = await ask("api/progress", {});
    const number = (value) => value.toLocaleString();
    element("progress").textContent =
      `${number(Math.round(lines_per_second))} lines/s · read ${number(read)} · indexed ${number(indexed)} · behind ${number(behind)} · failed ${number(failed)}`;
  } catch {
    element("progress").textContent = "quickstart has stopped";
  }
}

function tick() {
  showProgress();
  if (element("follow").checked && !document.hidden) search();
}

element("query").value = new URL(location.href).searchParams.get("q") ?? "";
element("search").onsubmit = (event) => {
  event.preventDefault();
  Object.assign(state, { from: null, to: null, limit: PAGE_SIZE });
  search();
};
element("range").onchange = () => element("search").requestSubmit();
element("follow").onchange = search;
element("more").onclick = () => {
  state.limit += PAGE_SIZE;
  search();
};
setInterval(tick, FOLLOW_MILLIS);
search();
showProgress();
