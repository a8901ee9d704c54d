//! The report as a self-contained HTML page.

use std::fmt::Write as _;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, imageops};
use vision_base::atomic;
use vision_base::message::printable;
use vision_figure::{base64, escape};

use crate::error::Result;
use crate::image::Image;
use crate::image::limits::Limits;
use crate::inspect::doctor::balance::TellApart;
use crate::inspect::doctor::finding::{Finding, FoundFile};
use crate::inspect::doctor::report::{ClassCount, Report};

/// The longer side of a thumbnail.
const THUMBNAIL: u32 = 96;
/// Browsers cannot show a page that is too large; the JSON has everything.
const MOST_FINDINGS: usize = 100;
const MOST_FILES: usize = 12;
const MOST_THUMBNAILS: usize = 1000;
const MOST_CLASSES: usize = 100;

const STYLE: &str = "\
body{font:14px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em;border-top:1px solid #ddd;padding-top:1em}
table{border-collapse:collapse}td,th{padding:.2em .8em .2em 0;text-align:left}
td.n,th.n{text-align:right}
.error{color:#a4001d}.warning{color:#8a5300}.note{color:#3c5a78}
.finding{margin:.8em 0}.files{display:flex;flex-wrap:wrap;gap:.6em}
figure{margin:0;width:9em}figcaption{font-size:.8em;overflow-wrap:anywhere}
img,.none{max-width:96px;max-height:96px;border:1px solid #ccc;image-rendering:auto}
.none{display:inline-block;width:94px;height:62px;padding-top:32px;text-align:center;color:#888}
.out{outline:2px solid #a4001d}.bar{background:#3c5a78;height:.8em;display:inline-block}
.advice{color:#444}";

impl Report {
    /// The report as one HTML page without scripts or external resources: thumbnails are embedded.
    /// The files are read again for the thumbnails; images that are not files have none.
    pub fn to_html(&self) -> String {
        page(self)
    }

    /// Writes the report as HTML, atomically.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the file cannot be written.
    pub fn save_html(&self, file: impl AsRef<Path>) -> Result<()> {
        Ok(atomic::write(file.as_ref(), self.to_html().as_bytes())?)
    }
}

fn page(report: &Report) -> String {
    let mut html = String::new();
    write(&mut html, report).expect("a string can be written to");
    html
}

fn write(html: &mut String, report: &Report) -> std::fmt::Result {
    let root = text(&report.root);
    write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         img-src data:; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Data doctor: {root}</title>\n<style>{STYLE}</style></head><body>\n\
         <h1>Data doctor: {root}</h1>\n<p>{}. Nothing was changed; outlined files are on the \
         quarantine list ({}).</p>\n",
        report.verdict(),
        report.quarantine().len()
    )?;
    if !report.findings.is_empty() {
        writeln!(
            html,
            "<table><tr><th>severity</th><th>finding</th><th class=\"n\">count</th></tr>"
        )?;
        for ((severity, kind), findings) in report.kinds() {
            writeln!(
                html,
                "<tr class=\"{severity}\"><td>{severity}</td><td>{}</td>\
                 <td class=\"n\">{}</td></tr>",
                kind.title(),
                findings.len()
            )?;
        }
        writeln!(html, "</table>")?;
    }
    let mut thumbnails = 0;
    for ((severity, kind), findings) in report.kinds() {
        writeln!(
            html,
            "<h2><span class=\"{severity}\">{severity}</span>: {} ({})</h2>\n\
             <p class=\"advice\">{}</p>",
            kind.title(),
            findings.len(),
            kind.advice()
        )?;
        for finding in findings.iter().take(MOST_FINDINGS) {
            write_finding(html, report, finding, &mut thumbnails)?;
        }
        more(html, findings.len(), MOST_FINDINGS)?;
    }
    write_classes(html, &report.classes)?;
    writeln!(html, "</body></html>")
}

fn write_finding(
    html: &mut String,
    report: &Report,
    finding: &Finding,
    thumbnails: &mut usize,
) -> std::fmt::Result {
    writeln!(
        html,
        "<div class=\"finding\"><div>{}</div><div class=\"files\">",
        escape(&printable(&finding.message))
    )?;
    for file in finding.files.iter().take(MOST_FILES) {
        *thumbnails += 1;
        // Huge images are slow to shrink, but there are few of them.
        let picture = match report.are_files && *thumbnails <= MOST_THUMBNAILS {
            true => thumbnail(&file.path, &report.limits),
            false => None,
        };
        let out = if file.quarantine { " out" } else { "" };
        let picture = match picture {
            Some(data) => format!("<img class=\"thumb{out}\" alt=\"\" src=\"{data}\">"),
            None => format!("<span class=\"none{out}\">no image</span>"),
        };
        writeln!(
            html,
            "<figure>{picture}<figcaption>{}{}</figcaption></figure>",
            text(report.inside(&file.path)),
            details(file)
        )?;
    }
    writeln!(html, "</div>")?;
    more(html, finding.files.len(), MOST_FILES)?;
    writeln!(html, "</div>")
}

fn details(file: &FoundFile) -> String {
    let split = file.split.map(|split| split.to_string());
    let label = file.label.as_deref().map(|label| escape(&printable(label)));
    let alike = file.likeness.map(|likeness| format!("{likeness:.4}"));
    let parts: Vec<String> = [split, label, alike].into_iter().flatten().collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("<br><b>{}</b>", parts.join(" · ")),
    }
}

fn more(html: &mut String, all: usize, most: usize) -> std::fmt::Result {
    match all.checked_sub(most) {
        Some(rest) if rest > 0 => writeln!(html, "<p>and {rest} more, all in the JSON</p>"),
        _ => Ok(()),
    }
}

fn write_classes(html: &mut String, classes: &[ClassCount]) -> std::fmt::Result {
    if classes.is_empty() {
        return Ok(());
    }
    let all = |class: &ClassCount| class.train + class.unsplit;
    let told = TellApart::new(classes);
    let most = classes.iter().map(all).max().unwrap_or(0).max(1);
    writeln!(
        html,
        "<h2>Classes ({})</h2>\n<table><tr><th>class</th><th class=\"n\">training</th>\
         <th class=\"n\">validation</th><th></th></tr>",
        classes.len()
    )?;
    for class in classes.iter().take(MOST_CLASSES) {
        writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td><span class=\"bar\" style=\"width:{:.1}em\"></span></td></tr>",
            escape(&printable(&told.name(&class.name))),
            all(class),
            class.valid,
            20.0 * all(class) as f64 / most as f64
        )?;
    }
    writeln!(html, "</table>")?;
    more(html, classes.len(), MOST_CLASSES)
}

/// A path, escaped for the page.
fn text(path: &Path) -> String {
    escape(&printable(&path.to_string_lossy()))
}

/// A small JPEG of the image as a data URI; none if it cannot be decoded.
fn thumbnail(path: &Path, limits: &Limits) -> Option<String> {
    let image = Image::open_within(path, limits).ok()?.into_rgb_image();
    let (width, height) = image.dimensions();
    let longer = width.max(height).max(1);
    let side = |n: u32| (u64::from(n) * u64::from(THUMBNAIL) / u64::from(longer)).max(1) as u32;
    let small = match longer > THUMBNAIL {
        true => imageops::thumbnail(&image, side(width), side(height)),
        false => image,
    };
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85)
        .encode(
            &small,
            small.width(),
            small.height(),
            ExtendedColorType::Rgb8,
        )
        .ok()?;
    Some(format!("data:image/jpeg;base64,{}", base64(&bytes)))
}
