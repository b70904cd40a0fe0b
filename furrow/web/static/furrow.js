"use strict";
// What pages do beyond links and forms: parts that are swapped, words that are completed, lines that are brushed.
(() => {
  const live = location.protocol.startsWith("http");
  const state = () => location.pathname + location.search;
  let shown = state();

  // A link of this page to another state of it, and its forms, replace the page's part only.
  async function swap(url, push) {
    const answer = await fetch(url, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.querySelector("main");
    if (!part) { location.href = url; return; }
    document.querySelector("main").replaceWith(part);
    const foot = page.querySelector("footer");
    if (foot) document.querySelector("footer").replaceWith(foot);
    document.title = page.title;
    if (push) history.pushState({}, "", url);
    shown = state();
    start();
  }
  const plain = (event) => event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (live) {
    document.addEventListener("click", (event) => {
      const link = event.target.closest && event.target.closest("main a[href]");
      if (!link || !plain(event)) return;
      const to = new URL(link.href);
      if (to.origin !== location.origin || to.pathname !== location.pathname) return;
      event.preventDefault();
      swap(to.href, true).catch(() => { location.href = to.href; });
    });
    document.addEventListener("submit", (event) => {
      const to = new URL(event.target.action);
      const asked = new URLSearchParams();
      for (const [name, value] of new FormData(event.target)) if (value) asked.append(name, value);
      to.search = asked.toString();
      event.preventDefault();
      if (to.pathname !== location.pathname) { location.href = to.href; return; }
      swap(to.href, true).catch(() => { location.href = to.href; });
    });
    addEventListener("popstate", () => {
      if (state() === shown) return; // a step to another place of this very page
      swap(location.href, false).catch(() => location.reload());
    });
  }

  // The last word of a filter, a sort or a list of columns is completed with the names of columns.
  let names = null; // the promise of them: whoever asks while they are fetched waits for the same
  function columns() {
    names ??= (async () => {
      const here = new URLSearchParams(location.search), asked = new URLSearchParams();
      for (const name of ["rev", "all", "since"]) if (here.get(name)) asked.set(name, here.get(name));
      try {
        const answer = await fetch("columns.json?" + asked);
        return (await answer.json()).tables.columns.rows.map((row) => row[0]);
      } catch { return []; }
    })();
    return names;
  }
  function completing(input) {
    const list = document.createElement("datalist");
    list.id = "names-" + input.name;
    input.after(list);
    input.setAttribute("list", list.id);
    input.addEventListener("focus", columns, { once: true });
    input.addEventListener("input", async () => {
      const word = /[\w.\-]*$/.exec(input.value)[0];
      const before = input.value.slice(0, input.value.length - word.length);
      const fits = word ? (await columns()).filter((name) => name.startsWith(word) && name !== word).slice(0, 12) : [];
      if (input.value !== before + word) return; // more was typed meanwhile
      list.replaceChildren(...fits.map((name) => { const one = document.createElement("option"); one.value = before + name; return one; }));
    });
  }

  // Parallel coordinates: a line a run on a canvas; dragging along an axis chooses, a click on it lets go.
  async function values(place) {
    if (live) {
      try {
        const answer = await fetch(place.dataset.parallel + ".json" + location.search);
        const found = await answer.json();
        return { axes: found.axes, columns: found.axes.map((name) => found.values[name]) };
      } catch { /* the table is there */ }
    }
    const table = document.getElementById("table-parallel");
    if (!table) return null;
    const axes = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
    const columns = axes.map((_, at) => [...table.tBodies[0].rows].map((row) => {
      const value = Number(row.cells[at + 1].textContent.replaceAll(",", ""));
      return Number.isFinite(value) ? value : null;
    }));
    return { axes, columns };
  }
  async function parallel(place) {
    const data = await values(place);
    if (!data || data.axes.length < 2) return;
    const canvas = document.createElement("canvas"), told = document.createElement("p");
    canvas.width = Math.max(640, data.axes.length * 130); canvas.height = 320;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Parallel coordinates of " + data.axes.join(", ") + "; the table below holds the values");
    told.className = "dim"; told.setAttribute("aria-live", "polite");
    place.replaceChildren(canvas, told);
    const rows = data.columns[0].length, top = 34, bottom = 300, left = 50;
    const step = (canvas.width - 2 * left) / (data.axes.length - 1);
    const ranges = data.columns.map((some) => {
      const known = some.filter((one) => one !== null);
      const low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
      return low < high ? [low, high] : [low - 1, low + 1];
    });
    const y = (at, value) => bottom - (value - ranges[at][0]) / (ranges[at][1] - ranges[at][0]) * (bottom - top);
    const chosen = data.axes.map(() => null), style = getComputedStyle(document.documentElement), pen = canvas.getContext("2d");
    const colour = (name) => style.getPropertyValue(name).trim();
    function draw() {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      let count = 0;
      const faint = new Path2D(), strong = new Path2D();
      for (let row = 0; row < rows; row++) {
        let inside = true;
        for (let at = 0; at < chosen.length; at++) {
          const value = data.columns[at][row], part = chosen[at];
          if (part && (value === null || value < part[0] || value > part[1])) { inside = false; break; }
        }
        if (inside) count++;
        const path = inside ? strong : faint;
        let pending = true;
        for (let at = 0; at < data.axes.length; at++) {
          const value = data.columns[at][row];
          if (value === null) { pending = true; continue; }
          if (pending) path.moveTo(left + at * step, y(at, value)); else path.lineTo(left + at * step, y(at, value));
          pending = false;
        }
      }
      pen.lineWidth = 1;
      pen.globalAlpha = 0.12; pen.strokeStyle = colour("--dim"); pen.stroke(faint);
      pen.globalAlpha = Math.max(0.06, Math.min(0.7, 60 / Math.max(1, count))); pen.strokeStyle = colour("--hue"); pen.stroke(strong);
      pen.globalAlpha = 1; pen.font = "12px system-ui,sans-serif"; pen.textAlign = "center";
      data.axes.forEach((name, at) => {
        const x = left + at * step;
        pen.strokeStyle = pen.fillStyle = colour("--ink");
        pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, bottom); pen.stroke();
        pen.fillText(name.length > 20 ? "…" + name.slice(-19) : name, x, 14);
        pen.fillStyle = colour("--dim");
        pen.fillText(ranges[at][1].toPrecision(3), x, 29); pen.fillText(ranges[at][0].toPrecision(3), x, 316);
        if (chosen[at]) {
          pen.globalAlpha = 0.35; pen.fillStyle = colour("--hue");
          pen.fillRect(x - 8, y(at, chosen[at][1]), 16, Math.max(2, y(at, chosen[at][0]) - y(at, chosen[at][1]))); pen.globalAlpha = 1;
        }
      });
      told.textContent = count + " of " + rows + " runs" + (chosen.some(Boolean) ? " are chosen; click an axis to let go." : ".");
    }
    let from = null;
    const where = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
    };
    const value = (at, height) => ranges[at][0] + (bottom - Math.min(bottom, Math.max(top, height))) / (bottom - top) * (ranges[at][1] - ranges[at][0]);
    canvas.addEventListener("pointerdown", (event) => {
      const [x, height] = where(event), at = Math.round((x - left) / step);
      if (at < 0 || at >= chosen.length) return;
      from = [at, height]; canvas.setPointerCapture(event.pointerId);
    });
    let waiting = false;
    const drawn = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } };
    canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      const ends = [value(from[0], from[1]), value(from[0], where(event)[1])].sort((a, b) => a - b);
      chosen[from[0]] = ends; drawn();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!from) return;
      if (Math.abs(where(event)[1] - from[1]) < 3) chosen[from[0]] = null;
      from = null; drawn();
    });
    draw();
  }

  // What happens in the repository while the page is looked at: told by the server, or asked for now and then.
  let source = null, marks = null, polling = 0;
  const again = () => Number(document.querySelector("main").dataset.again || 0);
  function changed() {
    if (document.getElementById("changed")) return;
    const note = document.createElement("p"), link = document.createElement("a");
    note.id = "changed"; note.className = "note dim"; note.setAttribute("role", "status");
    link.href = location.href; link.textContent = "Look again";
    note.append("The repository has changed since. ", link);
    document.querySelector("main").prepend(note);
  }
  function grown() { if (again()) swap(location.href, false).catch(() => {}); }
  async function poll() {
    try {
      const now = await (await fetch("state.json")).json();
      if (marks && marks.repository !== now.repository) changed();
      if (marks && marks.curves !== now.curves) grown();
      marks = now;
    } catch { /* the next time */ }
  }
  function listen() {
    const seen = document.visibilityState === "visible";
    if (!seen && source) { source.close(); source = null; }
    clearInterval(polling);
    if (!seen || source) return;
    source = new EventSource("events");
    source.addEventListener("ready", () => clearInterval(polling));
    source.addEventListener("repository", changed);
    source.addEventListener("curves", grown);
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) { source = null; clearInterval(polling); poll(); polling = setInterval(poll, 10000); }
    });
  }
  if (live) {
    document.addEventListener("visibilitychange", listen);
    addEventListener("pagehide", () => { if (source) { source.close(); source = null; } });
    listen();
  }

  function start() {
    const later = document.querySelector("main").dataset.later;
    if (live && again()) { // seldom, where the server tells: that a run has ended changes no file
      const here = location.href;
      setTimeout(() => { if (location.href === here) swap(here, false).catch(() => {}); }, again() * (source ? 8000 : 1000));
    }
    if (live && later) swap(new URL(later, location.href).href, false).catch(() => {});
    document.querySelectorAll("[data-parallel]").forEach((place) => { parallel(place); });
    if (live) document.querySelectorAll('main input[name="where"],main input[name="sort"],main input[name="columns"]').forEach(completing);
  }
  start();
})();
