//! The page of a report.

use std::path::Path;

use vision::data::TargetKind;
use vision::interp::{
    ClassificationInterpretation, HtmlReport, MultiLabelInterpretation, ReportConfig,
};
use vision::learner::Learner;

use crate::failure::Result;
use crate::output::{note, warn};

/// The report on a learner; none without validation images, or for numbers.
pub(crate) fn report(learner: &Learner, config: &ReportConfig) -> Result<Option<HtmlReport>> {
    let data = learner.data();
    if data.valid_ds().is_empty() {
        note("no report: there are no validation images");
        return Ok(None);
    }
    Ok(match data.kind() {
        TargetKind::Category => Some(
            ClassificationInterpretation::from_learner(learner)?.report_with(learner, config)?,
        ),
        TargetKind::MultiCategory => {
            Some(MultiLabelInterpretation::from_learner(learner)?.report_with(learner, config)?)
        }
        TargetKind::Float => {
            note("no report: the labels are numbers");
            None
        }
    })
}

pub(crate) fn save_report(report: &HtmlReport, file: &Path) -> Result<()> {
    for problem in report.problems() {
        warn(problem);
    }
    report.save(file)?;
    Ok(())
}
