// Ctrl+Enter, links that carry languages and text, and what only a browser can do. Text is only ever set as text.
() => {
  const find = (id) => document.getElementById(id);
  const field = (id) => find(id)?.querySelector("textarea, input");
  const code = (id) => (field(id)?.value ?? "").split(" · ").pop();
  const linked = new URLSearchParams(location.search).has("q");
  let answered = false;

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
    translateIfLinked() {
      if (!linked || answered) return;
      answered = true;
      find("go")?.click();
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && find("source")?.contains(event.target)) {
      event.preventDefault();
      find("go")?.click();
    }
    if (event.key === "Escape" && find("stop")) find("stop").click();
  });
}
