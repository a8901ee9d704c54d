//! Comparing a checkpoint's manifest with a learner.

use std::path::Path;

use vision_base::message::listed;
use vision_data::{Preprocessing, Stats};

use crate::Result;
use crate::checkpoint::LoadConfig;
use crate::checkpoint::manifest::{FORMAT, Format, MOST_STEPS, Manifest, misfit};
use crate::learner::Learner;

impl Learner {
    /// Reads a manifest and compares it with this learner. Returns notes for the report.
    pub(super) fn check_manifest(
        &self,
        path: &Path,
        json: &str,
        config: LoadConfig,
    ) -> Result<(Manifest, Vec<String>)> {
        let damaged = |error: serde_json::Error| {
            let hint = "the file is damaged, or was written by something else";
            misfit(
                path,
                "manifest",
                format!("format {FORMAT}"),
                error.to_string(),
                hint,
            )
        };
        let Format { format } = serde_json::from_str(json).map_err(damaged)?;
        if !(1..=FORMAT).contains(&format) {
            let hint = "it was written by a newer version of vision: load it with that version";
            let expected = format!("1 to {FORMAT}");
            return Err(misfit(path, "format", expected, format.to_string(), hint));
        }
        let manifest: Manifest = serde_json::from_str(json).map_err(damaged)?;
        if manifest.arch != self.arch() {
            let hint = "create the learner with the checkpoint's architecture";
            return Err(misfit(
                path,
                "architecture",
                self.arch(),
                manifest.arch,
                hint,
            ));
        }
        let (ours, theirs) = (self.data().classes(), &manifest.classes);
        if ours != theirs {
            let list =
                |classes: &[String]| format!("{} ({})", classes.len(), listed(classes.iter()));
            let hint = "build the data with the checkpoint's classes in their order, or load only the body with \
                        `load_partial` and train a new head";
            return Err(misfit(path, "classes", list(ours), list(theirs), hint));
        }
        let counters = manifest.optimizer.iter().flat_map(|o| o.steps.values());
        let most = counters.chain([&manifest.epochs_trained]).max();
        if let Some(&most) = most.filter(|most| **most > MOST_STEPS) {
            let hint = "the file is damaged, or was written by something else";
            let expected = format!("at most {MOST_STEPS} steps or epochs");
            return Err(misfit(
                path,
                "epochs_trained",
                expected,
                most.to_string(),
                hint,
            ));
        }
        let mut notes = Vec::new();
        match &manifest.preprocessing {
            Some(theirs) => self.compare_preprocessing(path, theirs, config, &mut notes)?,
            None if format > 1 => {
                let hint = "the file is damaged, or was written by something else";
                return Err(misfit(
                    path,
                    "preprocessing",
                    "a description",
                    "nothing",
                    hint,
                ));
            }
            None => {
                let ours = self.data().stats();
                if ours != manifest.normalize && !config.other_preprocessing {
                    let text = |stats: Option<Stats>| format!("{stats:?}");
                    return Err(misfit(
                        path,
                        "normalize",
                        text(ours),
                        text(manifest.normalize),
                        OTHER_PREPROCESSING,
                    ));
                }
                notes.push(
                    "an older version of vision wrote it: it has no hash, and does not say which size and \
                     transforms it was trained with, so these were not compared"
                        .to_owned(),
                );
            }
        }
        if manifest.seed != self.settings.seed {
            notes.push(format!(
                "it was trained with the seed {}, this learner has {}: further training takes this learner's",
                manifest.seed, self.settings.seed
            ));
        }
        if let Some(theirs) = &manifest.frozen {
            let now = self.layer_groups();
            let ours = now.iter().flatten().filter(|e| !e.trainable && !e.buffer);
            let ours = ours.count();
            if ours != theirs.len() {
                notes.push(format!(
                    "{} of its parameters were frozen, {ours} of this learner's are: further training takes \
                     this learner's (freeze, unfreeze, freeze_to)",
                    theirs.len()
                ));
            }
        }
        Ok((manifest, notes))
    }

    fn compare_preprocessing(
        &self,
        path: &Path,
        theirs: &Preprocessing,
        config: LoadConfig,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        for (field, ours, theirs) in self.data().preprocessing().differences(theirs) {
            if !config.other_preprocessing {
                return Err(misfit(path, field, ours, theirs, OTHER_PREPROCESSING));
            }
            notes.push(format!(
                "{field} is {ours} here and was {theirs} in training, which `with_other_preprocessing` allows"
            ));
        }
        Ok(())
    }
}

const OTHER_PREPROCESSING: &str = "predictions would differ from those in training: give the data the \
                                   checkpoint's value, or, if the difference is intended, use `load_with(name, \
                                   LoadConfig::new().with_other_preprocessing(true))`";
