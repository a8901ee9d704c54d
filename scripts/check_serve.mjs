// Opens the page of `vision serve` in Chromium and does what a person does: drops an image, pastes one, chooses one, and a file
// that is none. Checks the answer, the heat map, what is said of a broken file, that nothing is requested elsewhere, the width on a
// telephone, the keyboard, and axe-core (accessibility).
//
//   npm install puppeteer-core axe-core
//   vision serve MODEL &
//   node scripts/check_serve.mjs http://127.0.0.1:8080 image.jpg [--pictures FOLDER]
//
// With --pictures it also saves screenshots. CHROMIUM names the browser, by default /usr/bin/chromium. Ends with 1 if something is
// wrong.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const load = createRequire(path.join(process.cwd(), "package.json"));
const puppeteer = load("puppeteer-core");
const axe = fs.readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

const given = process.argv.slice(2);
const at = given.indexOf("--pictures");
const pictures = at < 0 ? null : given.splice(at, 2)[1];
const [url, image] = given;
const browser = await (puppeteer.default ?? puppeteer).launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
let wrong = 0;
const check = (good, said) => {
  if (!good) wrong += 1;
  console.log(good ? "ok   " : "WRONG", said);
};

const views = {
  light: { width: 1100, height: 900 },
  dark: { width: 1100, height: 900, dark: true },
  telephone: { width: 390, height: 844, isMobile: true, deviceScaleFactor: 2 },
};
const model = await (await fetch(`${url}/model`)).json();

const open = async (view, bypass = false) => {
  const page = await browser.newPage();
  page.problems = [];
  page.on("console", (message) => page.problems.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) page.problems.push(`request of ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    page.problems.push(`dialog: ${dialog.message()}`);
    dialog.accept();
  });
  await page.setBypassCSP(bypass);
  await page.setViewport(view);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: view.dark ? "dark" : "light" }]);
  await page.goto(url, { waitUntil: "networkidle0" });
  return page;
};

/** What a person does with a file: drops it, or pastes it. */
const give = (page, how, name, type, bytes) =>
  page.evaluate(
    (how, name, type, text) => {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type }));
      const event = how === "drop" ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }) : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
      document.getElementById("drop").dispatchEvent(event);
    },
    how,
    name,
    type,
    bytes.toString("base64"),
  );

/** Waits for an answer or a problem, and says what is seen. */
const seen = async (page) => {
  await page.waitForFunction(() => !document.getElementById("answer").hidden || !document.getElementById("problem").hidden, { timeout: 30000 });
  await new Promise((done) => setTimeout(done, 300));
  return page.evaluate(() => {
    const at = (id) => document.getElementById(id);
    const shown = (id) => !at(id).hidden && at(id).offsetHeight > 0;
    return {
      title: shown("answer") ? at("answer-title").textContent : null,
      focused: document.activeElement === at("answer-title"),
      rows: [...at("rows").rows].map((row) => [row.cells[0].textContent, row.cells[1].textContent, parseFloat(row.querySelector(".bar div").style.width) / 100]),
      map: shown("map") ? [at("heatmap").naturalWidth, at("heatmap").alt] : null,
      preview: shown("sent") ? at("preview").naturalWidth : null,
      problem: shown("problem") ? at("problem").textContent : null,
      wide: document.documentElement.scrollWidth - window.innerWidth,
    };
  });
};

const bytes = fs.readFileSync(image);
const expected = await (await fetch(`${url}/predict?top=10`, { method: "POST", body: bytes, headers: { "Content-Type": "application/octet-stream" } })).json();
const checkAnswer = (what, found) => {
  check(found.title !== null && found.title.includes(expected.class ?? ""), `${what}: the answer is ${JSON.stringify(found.title)}`);
  check(found.focused, `${what}: a screen reader is brought to the answer`);
  check(found.rows.length === (expected.top ?? expected.numbers).length, `${what}: ${found.rows.length} rows, the first ${JSON.stringify(found.rows[0])}`);
  check(JSON.stringify(found.rows.map((row) => row[0])) === JSON.stringify(expected.top.map((score) => score.class)), `${what}: names of classes as they are`);
  check(found.rows.every((row, i) => Math.abs(row[2] - expected.top[i].probability) < 1e-4), `${what}: bars have the probabilities`);
  check(!model.heatmap || (found.map !== null && found.map[0] > 0), `${what}: the heat map is seen: ${JSON.stringify(found.map)}`);
  check(found.preview > 0, `${what}: the image is seen`);
  check(found.problem === null, `${what}: no problem ${found.problem ?? ""}`);
};

for (const [kind, view] of Object.entries(views)) {
  const page = await open(view);
  const shot = async (name) => {
    if (pictures) await page.screenshot({ path: path.join(pictures, `serve-${kind}-${name}.png`), fullPage: true });
  };
  await shot("empty");
  await give(page, "drop", path.basename(image), "", bytes);
  const dropped = await seen(page);
  checkAnswer(`${kind}, dropped`, dropped);
  check(dropped.wide <= 0, `${kind}: as wide as the window`);
  await shot("answer");
  await give(page, "drop", "holiday <b>.jpg", "image/jpeg", Buffer.from("this is no image"));
  const broken = await seen(page);
  check(broken.problem !== null && broken.title === null && broken.problem.includes("holiday <b>.jpg is not an image"), `${kind}: a broken file: ${broken.problem}`);
  check(broken.wide <= 0, `${kind}: as wide as the window with a problem`);
  await shot("broken");
  await give(page, "drop", "scan.tif", "", Buffer.alloc(model.limits.body_bytes + 1));
  const huge = await seen(page);
  check(huge.problem !== null && huge.problem.includes(" MiB, more than the "), `${kind}: a huge file: ${huge.problem}`);
  await give(page, "paste", "image.png", "image/png", bytes);
  checkAnswer(`${kind}, pasted`, await seen(page));
  // A refused request is also told on the console of the browser.
  const problems = page.problems.filter((text) => !text.includes("422"));
  check(problems.length === 0, `${kind}: nothing is said or requested ${problems.join("; ")}`);
  await page.close();

  const tested = await open(view, true);
  await tested.evaluate(axe);
  for (const state of ["empty", "answer", "broken"]) {
    if (state === "answer") await give(tested, "drop", "a.png", "", bytes);
    if (state === "broken") await give(tested, "drop", "b.png", "", Buffer.from("text"));
    if (state !== "empty") await seen(tested);
    const found = await tested.evaluate(() => window.axe.run());
    const named = found.violations.map((one) => `${one.impact} ${one.id}: ${one.nodes[0].html.slice(0, 160)}`);
    check(named.length === 0, `${kind}, ${state}: axe-core passes ${found.passes.length} rules ${named.join("; ")}`);
  }
  await tested.close();
}

// The file is chosen with the keyboard: the field is reached by the tabulator.
const page = await open(views.light);
await page.keyboard.press("Tab");
await page.keyboard.press("Tab");
check(await page.evaluate(() => document.activeElement.id === "file"), "the tabulator reaches the field for the file");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "serve-"));
const copy = path.join(folder, path.basename(image));
fs.copyFileSync(image, copy);
await (await page.$("#file")).uploadFile(copy);
checkAnswer("chosen", await seen(page));
check(page.problems.length === 0, `no problem after all that ${page.problems.join("; ")}`);
await browser.close();
console.log(wrong === 0 ? "all is well" : `${wrong} checks failed`);
process.exit(wrong === 0 ? 0 : 1);
