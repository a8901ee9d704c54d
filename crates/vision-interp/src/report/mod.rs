//! A report: one page on a trained classifier, for people who do not run programs.

mod block;
mod calibration;
mod comparison;
mod config;
mod confusion;
mod data;
mod labels;
mod mistakes;
mod page;
mod picture;
mod scores;
mod settings;
mod similar;
mod subject;
mod summary;
mod training;

use std::fmt;
use std::path::Path;

use vision_base::atomic;
use vision_base::message::{named, shown};
use vision_data::inspect::doctor::Doctor;
use vision_learner::Learner;

use crate::items::{Items, check_classes};
use crate::report::block::{Block, Section};
use crate::report::page::Page;
use crate::report::subject::{Kind, Subject};
use crate::{ClassificationInterpretation, MultiLabelInterpretation, Result};

pub use config::ReportConfig;

/// The sections of a report, in their order. To add one, write a file and name it here.
const SECTIONS: [fn(&Subject<'_>) -> Option<Section>; 10] = [
    scores::section,
    confusion::section,
    comparison::section,
    mistakes::section,
    labels::section,
    similar::section,
    calibration::section,
    training::section,
    data::section,
    settings::section,
];

/// A report as one HTML page: [`ClassificationInterpretation::report`].
///
/// The page needs no network and no other file, and a browser runs no script in it but its own.
#[derive(Clone, PartialEq, Eq)]
pub struct HtmlReport {
    html: String,
    problems: Vec<String>,
}

impl HtmlReport {
    fn new(
        items: &Items,
        interp: Kind<'_>,
        learner: &Learner,
        config: &ReportConfig,
    ) -> Result<Self> {
        config.check()?;
        check_classes(&items.classes, "learner", learner.data().classes())?;
        let data = config.data.as_ref().unwrap_or(learner.data());
        let doctor = config.doctor.then(|| Doctor::new().examine(data));
        let (doctor, failed) = match doctor.transpose() {
            Ok(report) => (report, None),
            Err(error) => (None, Some(error)),
        };
        let subject = Subject {
            interp,
            learner,
            config,
            doctor,
            label_errors: match interp {
                Kind::OneClass(interp) => Some(interp.label_errors()),
                Kind::Several(_) => None,
            },
        };
        let mut sections: Vec<Section> = SECTIONS
            .iter()
            .filter_map(|section| section(&subject))
            .collect();
        if let Some(error) = failed {
            let block = Block::problem("What the doctor says", error);
            let data = sections.iter_mut().find(|section| section.id == "data");
            data.into_iter()
                .for_each(|section| section.blocks.insert(0, block.clone()));
        }
        let blocks = sections.iter().flat_map(|section| &section.blocks);
        let problems = blocks.filter_map(|block| match block {
            Block::Problem { text } => Some(text.clone()),
            _ => None,
        });
        let problems = problems.collect();
        let title = config.title.clone().unwrap_or_else(|| {
            let folder = data.path().file_name();
            match folder {
                Some(folder) => format!("{} on {}", named(learner.arch()), shown(folder)),
                None => named(learner.arch()),
            }
        });
        let page = Page {
            title: &title,
            note: &config.note,
            summary: summary::sentences(&subject),
            sections,
            classes: match interp {
                Kind::OneClass(interp) => interp.classes(),
                Kind::Several(_) => &[],
            },
        };
        Ok(Self {
            html: page.to_html(),
            problems,
        })
    }

    /// The page.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// What the page could not show, and why: it says the same in their places. Empty if it shows everything.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Writes the page to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(atomic::write(path.as_ref(), self.html.as_bytes())?)
    }
}

impl fmt::Debug for HtmlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HtmlReport")
            .field("bytes", &self.html.len())
            .field("problems", &self.problems)
            .finish()
    }
}

impl ClassificationInterpretation {
    /// A report on the model: one HTML page with a summary in words, scores of each class, confused classes, the largest
    /// losses with heat maps, labels that are probably wrong, how sure the model is, the course of its training, the data with what the
    /// [doctor](vision_data::inspect::doctor::Doctor) says of it, settings and versions.
    ///
    /// `learner` is the one that this was made from, as it was. The doctor reads each image of its data;
    /// [`ReportConfig::with_doctor`] leaves that out.
    ///
    /// ```no_run
    /// # fn interpret(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
    /// use vision_interp::ClassificationInterpretation;
    ///
    /// let interp = ClassificationInterpretation::from_learner(learner)?;
    /// interp.report(learner)?.save("report.html")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for a learner with other classes. What else fails, such as an image that can
    /// no longer be read, is named in its place on the page, and in [`HtmlReport::problems`].
    pub fn report(&self, learner: &Learner) -> Result<HtmlReport> {
        self.report_with(learner, &ReportConfig::new())
    }

    /// [`report`](Self::report) with settings.
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report), and [`Error::Option`](crate::Error::Option) for an invalid setting.
    pub fn report_with(&self, learner: &Learner, config: &ReportConfig) -> Result<HtmlReport> {
        HtmlReport::new(&self.items, Kind::OneClass(self), learner, config)
    }
}

impl MultiLabelInterpretation {
    /// A report on the model, as [`ClassificationInterpretation::report`].
    ///
    /// # Errors
    ///
    /// As [`ClassificationInterpretation::report`].
    pub fn report(&self, learner: &Learner) -> Result<HtmlReport> {
        self.report_with(learner, &ReportConfig::new())
    }

    /// [`report`](Self::report) with settings.
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report), and [`Error::Option`](crate::Error::Option) for an invalid setting.
    pub fn report_with(&self, learner: &Learner, config: &ReportConfig) -> Result<HtmlReport> {
        HtmlReport::new(&self.items, Kind::Several(self), learner, config)
    }
}
