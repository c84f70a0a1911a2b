import { linkTo } from "../sections/links.ts";

/**
 * Keeps the dashboard up to date: fetches its sections as the server writes
 * them, and replaces those that differ. A section that holds the focus waits,
 * so that keyboard users keep their place. A hidden page fetches nothing.
 */
export const SCRIPT: string = `
"use strict";
(() => {
  const status = document.getElementById("live");
  const button = document.getElementById("pause");
  let paused = false;
  let timer = 0;

  function say(state, text) {
    if (status.textContent === text) return;
    status.dataset.state = state;
    status.textContent = text;
  }

  function localize(root) {
    for (const time of root.querySelectorAll("time")) {
      const date = new Date(time.dateTime);
      const isToday = date.toDateString() === new Date().toDateString();
      time.title = date.toLocaleString();
      time.textContent = time.dataset.form === "time" || isToday
        ? date.toLocaleTimeString()
        : date.toLocaleDateString();
    }
  }

  function replace(fresh) {
    localize(fresh);
    for (const section of fresh.querySelectorAll("[data-live]")) {
      const old = document.getElementById(section.id);
      if (!old || old.contains(document.activeElement)) continue;
      if (old.innerHTML !== section.innerHTML) {
        old.replaceChildren(...section.childNodes);
      }
    }
  }

  async function update() {
    try {
      // A page that was opened with a name and password in its address has them
      // in every link; \`fetch\` refuses those, and sends them anyway.
      const url = new URL("${linkTo("dashboard/sections")}", location.href);
      url.username = url.password = "";
      const response = await fetch(url, { cache: "no-store" });
      if (!response.ok) throw new Error(String(response.status));
      replace(new DOMParser().parseFromString(await response.text(), "text/html"));
      say("live", "Live");
    } catch {
      say("lost", "Connection lost, trying again");
    }
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(update, 2000);
  }

  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    say(paused ? "paused" : "live", paused ? "Paused" : "Live");
    plan();
  });
  document.addEventListener("visibilitychange", plan);
  button.hidden = false;
  localize(document);
  say("live", "Live");
  plan();
})();
`;
