"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const percent = (value) => `${(100 * value).toFixed(value > 0.9995 && value < 1 ? 2 : 1)} %`;
  const size = (bytes) => (bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.ceil((10 * bytes) / (1 << 20)) / 10} MiB`);

  let model = null;
  const fact = (name, value) => at("about").append(make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })));
  const asked = fetch("model")
    .then((answer) => answer.json())
    .then((card) => {
      model = card;
      const numbers = card.kind === "float";
      at("model").textContent = numbers
        ? `The model (${card.arch}) tells numbers of an image.`
        : `The model (${card.arch}) knows ${card.classes.length} classes: ${card.classes.slice(0, 8).join(", ")}${card.classes.length > 8 ? " and others" : ""}.`;
      fact("Architecture", card.arch);
      if (!numbers) fact("Classes", card.classes.join(", "));
      for (const metric of card.metrics ?? []) {
        fact(`${metric.name} in validation`, metric.value === null ? "not a number" : metric.value.toFixed(4));
      }
      if (card.data) fact("Trained on", `${card.data.train} images, validated on ${card.data.valid}`);
      fact("Takes", `files up to ${size(card.limits.body_bytes)} and ${(card.limits.pixels / 1e6).toFixed(0)} million pixels`);
      if (card.hash) fact("SHA-256 of the file", card.hash);
    })
    .catch(() => {
      at("model").textContent = "The service does not answer.";
    });

  const problem = (text) => {
    at("problem").textContent = text;
    at("problem").hidden = text === "";
  };

  const show = (file, answer) => {
    const numbers = answer.numbers !== undefined;
    const own = new Set(answer.classes ?? [answer.class]);
    at("answer-title").textContent = numbers
      ? answer.numbers.join(", ")
      : answer.classes === undefined
        ? `${answer.class}, ${percent(answer.top[0].probability)}`
        : answer.classes.join(", ") || "None of the classes";
    at("what").textContent = numbers ? "Number" : "Class";
    at("value").textContent = numbers ? "Value" : "Probability";
    at("caption").textContent = numbers ? "The numbers" : "The most probable classes";
    const rows = numbers
      ? answer.numbers.map((value, place) => [`${place + 1}`, value.toString(), null, false])
      : answer.top.map((score) => [score.class, percent(score.probability), score.probability, own.has(score.class)]);
    at("rows").replaceChildren(
      ...rows.map(([name, text, value, isOwn]) => {
        // For the eye: the number beside it says the same.
        const bar = make("div", { className: "bar", ariaHidden: "true", hidden: value === null }, make("div"));
        bar.firstChild.style.width = `${100 * value}%`;
        return make(
          "tr",
          { className: isOwn ? "own" : "" },
          make("th", { scope: "row", textContent: name }),
          make("td", { className: "number", textContent: text }),
          make("td", { className: "bars" }, bar),
        );
      }),
    );
    const map = answer.heatmap;
    at("map").hidden = map === undefined || map.image === undefined;
    if (!at("map").hidden) {
      at("heatmap").src = map.image;
      at("heatmap").alt = `The image as the model sees it, with a heat map of what speaks for ${map.class}`;
      at("map-text").textContent = `What speaks for ${map.class}: bright places do, dark ones do not. It is the image as the model sees it.`;
    }
    at("answer").hidden = false;
    at("answer-title").focus();
  };

  // The image itself, unless it is of a kind that browsers do not show.
  let url = null;
  const preview = (file) => {
    if (url !== null) URL.revokeObjectURL(url);
    url = URL.createObjectURL(file);
    at("sent").hidden = true;
    at("preview").onload = () => {
      at("sent").hidden = false;
    };
    at("preview").src = url;
    at("name").textContent = file.name || "the pasted image";
  };

  let number = 0;
  const send = async (file) => {
    number += 1;
    const mine = number;
    const name = file.name || "the pasted image";
    problem("");
    at("answer").hidden = true;
    at("status").textContent = `${name} is being classified.`;
    await asked;
    const most = model?.limits.body_bytes ?? Infinity;
    let text = "";
    if (file.size > most) {
      text = `${name} has ${size(file.size)}, more than the ${size(most)} that this service takes. Choose a smaller copy of it.`;
    } else {
      try {
        const map = model?.heatmap === false ? "" : "&heatmap=true";
        const reply = await fetch(`predict?top=10${map}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
        const answer = await reply.json();
        if (mine !== number) return;
        if (reply.ok) {
          preview(file);
          show(file, answer);
        } else if (answer.error.code === "bad_image") {
          const why = answer.error.message.replace(/^cannot use the image: /, "");
          text = `${name} is not an image that can be read: ${why}. Choose another file, or save the image again with the program that made it.`;
        } else if (reply.status === 503 || reply.status === 429) {
          text = `The service has too much to do. Try again in a few seconds.`;
        } else {
          text = `${name} was not classified: ${answer.error.message}. What to do: ${answer.error.do}.`;
        }
      } catch {
        text = "The service does not answer. Try again later, or tell whoever runs it.";
      }
    }
    if (mine !== number) return;
    at("status").textContent = text === "" ? `${name} is classified.` : "";
    problem(text);
  };

  at("file").addEventListener("change", () => {
    if (at("file").files.length > 0) send(at("file").files[0]);
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
  addEventListener("dragleave", () => at("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
    const files = event.dataTransfer.files;
    if (files.length > 0) send(files[0]);
    else problem("What was dropped is not a file. Save the image, and drop its file here.");
  });
  addEventListener("paste", (event) => {
    const files = event.clipboardData.files;
    if (files.length > 0) send(files[0]);
  });
})();
