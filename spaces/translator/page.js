// Ctrl+Enter, links that carry languages and text, and what only a browser can do. Text is only ever set as text.
() => {
  const find = (id) => document.getElementById(id);
  const field = (id) => find(id)?.querySelector("textarea, input");
  const code = (id) => (field(id)?.value ?? "").split(" · ").pop();
  const linked = new URLSearchParams(location.search).has("q");
  let answered = false;
  const NEWS_MS = 30_000, LOADING_MS = 2_000; // how often the page asks what is offered now

  const link = () => {
    const url = new URL(location.href);
    url.searchParams.set("src", code("source-language"));
    url.searchParams.set("tgt", code("target-language"));
    const text = field("source")?.value ?? "";
    text ? url.searchParams.set("q", text) : url.searchParams.delete("q");
    return url.href;
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const box = document.createElement("textarea"); // pages without https have no clipboard
      box.value = text;
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
  };

  window.cogsym = {
    async copyLink() {
      const href = link();
      history.replaceState(null, "", href);
      await copy(href);
      const button = find("link");
      const name = button.textContent;
      button.textContent = document.querySelector("[data-copied]")?.dataset.copied ?? "✓";
      setTimeout(() => (button.textContent = name), 1600);
    },
    async listsClosed() {
      // Gradio fails when the choices of a list change while it still fades away.
      for (let tries = 0; tries < 20 && document.querySelector("[role='option']"); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    },
    translateIfLinked(problem) {
      document.documentElement.dataset.ready = "true"; // everything that the server fills in is here
      if (!linked || answered) return;
      answered = true;
      if (problem) return; // translating would wipe it away, and into a language that nobody asked for
      find("go")?.click();
    },
  };

  // Typing in a language's field replaces its name, so that a search needs no deleting first.
  const selectName = (event) => {
    const field = event.target;
    if (!field.matches?.("#choice input")) return;
    setTimeout(() => document.activeElement === field && field.select(), 0); // selecting takes the focus back
  };
  // Gradio leaves a list open that is left with the Tab key; Escape closes it.
  const closeList = (event) => {
    if (!event.target.matches?.("#choice input")) return;
    setTimeout(() => event.target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true })), 0);
  };
  document.addEventListener("focusout", closeList);
  document.addEventListener("focusin", selectName);
  document.addEventListener("click", selectName);

  // A translation can be reached by keyboard and read aloud: read-only and named, where Gradio disables it.
  const makeReadable = () => {
    for (const text of document.querySelectorAll("#target-pane textarea")) {
      if (text.disabled) text.disabled = false;
      if (!text.readOnly) text.readOnly = true;
      const name = text.closest(".block")?.querySelector("[data-testid='block-info']")?.textContent.trim();
      if (name && text.getAttribute("aria-label") !== name) text.setAttribute("aria-label", name);
    }
  };
  // Each language in its own fonts, hyphenation and voice; the spell checker of the language is the browser's choice.
  const setLanguages = () => {
    const { sourceLang, targetLang } = document.querySelector(".facts[data-source-lang]")?.dataset ?? {};
    const written = {
      "#source textarea, #source-language input, .example": sourceLang,
      "#target-pane textarea, #target-language input, #suggestion textarea": targetLang,
      "html": document.querySelector("[data-interface]")?.dataset.interface,
    };
    for (const [places, lang] of Object.entries(written)) {
      for (const text of document.querySelectorAll(places)) {
        if (lang && text.lang !== lang) text.lang = lang;
      }
    }
  };

  // Where one stands in the queue, which Gradio writes as `queue: 2/3`, in the visitor's language.
  const showPlace = () => {
    const status = find("status");
    if (!status) return;
    const [, place, count] = status.querySelector(".progress-text")?.textContent.match(/queue: (\d+)\/(\d+)/) ?? [];
    const words = document.querySelector("[data-queue]")?.dataset.queue ?? "{place}/{count}";
    const shown = place ? words.replace("{place}", place).replace("{count}", count) : "";
    if (status.dataset.place !== shown) status.dataset.place = shown;
  };

  const tidy = () => {
    makeReadable();
    setLanguages();
    showPlace();
  };
  tidy();
  new MutationObserver(tidy).observe(document.body, {
    childList: true,
    characterData: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["disabled"],
  });

  // Languages come and go, and the model comes, while the page is open. A tab that nobody looks at does not ask, so that
  // a forgotten one keeps no machine awake; nor is a list changed under the hand of who chooses from it.
  let asked = performance.now();
  const askForNews = (after) => {
    const choosing = document.querySelector("#choice [aria-expanded='true'], [role='option']");
    if (document.hidden || choosing || !document.documentElement.dataset.ready) return;
    if (performance.now() - asked < after) return;
    asked = performance.now();
    find("news")?.click();
  };
  setInterval(() => askForNews(document.querySelector("[data-loading]") ? LOADING_MS : NEWS_MS), LOADING_MS);
  for (const name of ["focus", "visibilitychange"]) addEventListener(name, () => askForNews(LOADING_MS));

  document.addEventListener("click", async (event) => {
    const other = event.target.closest?.(".alternative");
    if (!other) return;
    await copy(other.textContent);
    other.classList.add("copied");
    setTimeout(() => other.classList.remove("copied"), 1600);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && find("source")?.contains(event.target)) {
      event.preventDefault();
      find("go")?.click();
    }
    if (event.key === "Escape" && event.isTrusted && find("stop")) find("stop").click();
  });
}
