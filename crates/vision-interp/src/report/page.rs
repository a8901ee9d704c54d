//! The page of a report.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use vision_figure::base64;

use crate::report::block::Section;

const PAGE: &str = include_str!("../../templates/report.html");
const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

/// What the template is filled with.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) note: &'a str,
    pub(super) summary: Vec<String>,
    pub(super) sections: Vec<Section>,
    /// The classes that a label may be changed to; none if a person has nothing to decide.
    pub(super) classes: &'a [String],
}

/// The page around its content.
#[derive(Serialize)]
struct Whole<'a> {
    page: &'a Page<'a>,
    style: &'static str,
    script: &'static str,
    /// The only script that a browser runs in the page, whatever names of files and classes contain.
    script_hash: String,
}

impl Page<'_> {
    /// The page as HTML, with all text escaped.
    ///
    /// # Panics
    ///
    /// Never: the template is part of the program, and tests fill all of it.
    #[expect(
        clippy::expect_used,
        reason = "a template that cannot be filled is an error of this crate"
    )]
    pub(super) fn to_html(&self) -> String {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        templates.set_syntax(syntax.expect("the usual delimiters differ"));
        let whole = Whole {
            page: self,
            style: STYLE,
            script: SCRIPT,
            script_hash: base64(&Sha256::digest(SCRIPT)),
        };
        let template = templates.template_from_str(PAGE);
        let filled = template.and_then(|template| template.render(Serde(whole)));
        filled.expect("the template has all that it names")
    }
}
