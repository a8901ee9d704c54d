// Opens reports in Chromium and checks what only a browser can tell: no errors, no requests, nothing too wide, no serious
// finding of axe-core (accessibility), tables that sort and filter, decisions that are saved as the file that the library reads.
//
//   npm install puppeteer-core axe-core
//   node scripts/check_report.mjs report.html [more.html ..] [--pictures FOLDER]
//
// With --pictures it also saves screenshots (light, dark, telephone) and the printed page. CHROMIUM names the browser, by
// default /usr/bin/chromium. Ends with 1 if something is wrong.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const load = createRequire(path.join(process.cwd(), "package.json"));
const puppeteer = load("puppeteer-core");
const axe = fs.readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

const files = process.argv.slice(2);
const at = files.indexOf("--pictures");
const pictures = at < 0 ? null : files.splice(at, 2)[1];
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

const open = async (file, view, bypass = false) => {
  const page = await browser.newPage();
  page.problems = [];
  page.on("console", (message) => page.problems.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) page.problems.push(`request of ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    if (dialog.type() !== "beforeunload") page.problems.push(`dialog: ${dialog.message()}`);
    dialog.accept();
  });
  await page.setBypassCSP(bypass);
  await page.setViewport(view);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: view.dark ? "dark" : "light" }]);
  const begin = performance.now();
  await page.goto(`file://${path.resolve(file)}`, { waitUntil: "load" });
  page.took = performance.now() - begin;
  return page;
};

for (const file of files) {
  const name = path.basename(file, ".html");
  console.log(`${file}, ${fs.statSync(file).size} bytes`);
  for (const [kind, view] of Object.entries(views)) {
    const page = await open(file, view);
    check(page.took < 1000, `${kind}: opens in ${page.took.toFixed(0)} ms`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(wide <= 0, `${kind}: as wide as the window`);
    if (pictures) await page.screenshot({ path: path.join(pictures, `${name}-${kind}.png`), fullPage: true });
    check(page.problems.length === 0, `${kind}: nothing is said or requested ${page.problems.join("; ")}`);
    await page.close();
    const tested = await open(file, view, true);
    await tested.evaluate(axe);
    const found = await tested.evaluate(() => window.axe.run());
    const named = found.violations.map((one) => `${one.impact} ${one.id}: ${one.nodes[0].html.slice(0, 100)}`);
    check(named.length === 0, `${kind}: axe-core passes ${found.passes.length} rules ${named.join("; ")}`);
    await tested.close();
  }

  const page = await open(file, views.light);
  if (pictures) await page.pdf({ path: path.join(pictures, `${name}.pdf`), format: "A4" });
  const sorted = await page.evaluate(() => {
    let tables = 0;
    for (const table of document.querySelectorAll("table")) {
      [...table.tHead.rows[0].cells].forEach((head, column) => {
        for (const direction of ["ascending", "descending"]) {
          head.querySelector("button").click();
          if (head.getAttribute("aria-sort") !== direction) throw new Error(`${head.textContent}: not ${direction}`);
          const numbers = [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.sort).filter((x) => x !== undefined).map(Number);
          const sign = direction === "ascending" ? 1 : -1;
          if (numbers.some((x, i) => i > 0 && sign * (x - numbers[i - 1]) < 0)) throw new Error(`${head.textContent}: ${numbers}`);
        }
      });
      tables += 1;
    }
    return tables;
  });
  check(sorted > 0, `${sorted} tables sort by each column, both ways`);
  const filtered = await page.evaluate(() => {
    const input = document.querySelector(".filter input");
    if (!input) return null;
    const table = input.closest(".filter").nextElementSibling.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    input.value = rows[0].cells[0].textContent;
    input.dispatchEvent(new Event("input"));
    return [rows.filter((row) => !row.hidden).length, rows.length];
  });
  if (filtered) check(filtered[0] >= 1 && filtered[0] <= filtered[1], `the filter shows ${filtered[0]} of ${filtered[1]} rows`);
  const links = await page.evaluate(() => [...document.querySelectorAll("nav a")].filter((a) => !document.getElementById(decodeURIComponent(a.hash.slice(1)))).length);
  check(links === 0, "each link of the navigation has its section");

  const cards = await page.$$(".card[data-file]");
  if (cards.length > 0) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "report-"));
    const client = await browser.target().createCDPSession();
    await client.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
    const expected = new Map();
    // With the keyboard alone: the arrow keys choose, the tabulator goes on.
    for (const [number, card] of cards.slice(0, 3).entries()) {
      const radios = await card.$$("input[type=radio]");
      await radios[0].focus();
      for (let press = 0; press <= number % 3; press += 1) await page.keyboard.press("ArrowDown");
      const file = await card.evaluate((element) => element.dataset.file);
      const decision = ["keep", "relabel", "exclude"][number % 3];
      if (decision === "relabel") {
        await page.keyboard.press("Tab");
        const suggested = await card.evaluate((element) => element.dataset.suggested ?? "");
        for (const _ of suggested) await page.keyboard.press("Delete");
        await page.keyboard.type('an "other", class');
      }
      expected.set(file, [decision, decision === "relabel" ? 'an "other", class' : ""]);
    }
    const said = await page.$eval("#decided", (element) => element.textContent);
    check(said === `${expected.size} image${expected.size === 1 ? "" : "s"} decided, not yet saved.`, `the page says: ${said}`);
    await page.focus("#save");
    await page.keyboard.press("Enter");
    const saved = path.join(folder, "decisions.csv");
    for (let i = 0; i < 50 && !fs.existsSync(saved); i += 1) await new Promise((done) => setTimeout(done, 100));
    const field = (text) => (/[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = [...expected].map(([file, [decision, label]]) => [file, decision, label].map(field).join(","));
    const wanted = ["file,decision,label", ...rows, ""].join("\n");
    const text = fs.existsSync(saved) ? fs.readFileSync(saved, "utf8") : "nothing";
    check(text === wanted, `decisions.csv: ${JSON.stringify(text)}`);
    if (pictures) fs.writeFileSync(path.join(pictures, `${name}-decisions.csv`), text);
  }
  check(page.problems.length === 0, `no problem after all that ${page.problems.join("; ")}`);
  await page.close();
}
await browser.close();
console.log(wrong === 0 ? "all is well" : `${wrong} checks failed`);
process.exit(wrong === 0 ? 0 : 1);
