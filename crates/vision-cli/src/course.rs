//! The course of a training: data, learner, learning rate, fits, results.

use std::ops::RangeInclusive;
use std::path::Path;

use serde_json::{Value, json};
use vision::base::message::shown;
use vision::data::{ImageDataBunch, TargetKind};
use vision::interp::ReportConfig;
use vision::learner::callbacks::{CsvLogger, EarlyStopping, SaveModel};
use vision::learner::{
    BnFreeze, FineTune, FitConfig, Learner, Metric, create_cnn, metric_named, slice,
};

use crate::config;
use crate::data::{self, Images};
use crate::epochs::EpochsOnStderr;
use crate::failure::{Failure, Result, exit_code};
use crate::folds::{self, Crossed};
use crate::interrupt;
use crate::options::images::ImageOptions;
use crate::options::lr::Lr;
use crate::options::model::ModelOptions;
use crate::options::train::TrainOptions;
use crate::output::{Output, note};
use crate::page::{report, save_report};
use crate::run_folder::{HISTORY, RunFolder, STEPS};
use crate::together::Together;
use crate::weights::{self, ARCH};

const EPOCHS: usize = 4;
const FREEZE_EPOCHS: usize = 1;
const SEED: u64 = 42;
/// What alpha may be.
const MIXUP: RangeInclusive<f64> = 1e-3..=1e3;
/// If the learning rate finder suggests none: fastai 2's for fine tuning, and for everything.
const FINE_TUNE_LR: f64 = 2e-3;
const LR: f64 = 1e-3;
/// The ratio of the learning rates of the last and the first layer group, as in fine tuning.
const LR_MULT: f64 = 100.0;

/// Sets what is not set to its default, and DATA to its folder, so that the settings say what is done.
pub(crate) fn complete(options: &mut TrainOptions) -> Result<()> {
    let located = data::locate(options.data.as_deref(), &options.source)?;
    let root = std::path::absolute(&located.root).unwrap_or_else(|_| located.root.clone());
    let is_saved = located.is_saved();
    if options.course.folds.is_none() {
        options.source.valid_pct = located.random_part();
    }
    options.source.csv = located.source.csv;
    options.data = Some(root.to_string_lossy().into_owned());
    // The archive is unpacked.
    options.source.sha256 = None;
    options.source.seed.get_or_insert(SEED);
    let weights = weights::choose(&mut options.model)?;
    if !is_saved {
        options.images.size.get_or_insert(weights.side);
        options.images.augment.get_or_insert(true);
    }
    options.course.epochs.get_or_insert(EPOCHS);
    options.course.lr.get_or_insert(Lr::Auto);
    if has_weights(&options.model) {
        options.course.freeze_epochs.get_or_insert(FREEZE_EPOCHS);
    } else if options
        .course
        .freeze_epochs
        .is_some_and(|epochs| epochs > 0)
    {
        return Err(Failure::usage(
            "--freeze-epochs is for pretrained weights: a frozen body with random weights cannot learn",
        ));
    }
    if options.course.freeze_norms == Some(true) && !has_weights(&options.model) {
        return Err(Failure::usage(
            "--freeze-norms is for pretrained weights: random ones have no statistics to keep",
        ));
    }
    if let Some(folds) = options.course.folds.filter(|folds| *folds < 2) {
        return Err(Failure::usage(format!(
            "bad --folds: expected at least 2, found {folds}"
        )));
    }
    if let Some(alpha) = options.course.mixup.filter(|alpha| !MIXUP.contains(alpha)) {
        return Err(Failure::usage(format!(
            "bad --mixup: expected {} to {}, found {alpha}",
            MIXUP.start(),
            MIXUP.end()
        )));
    }
    if options.course.early_stop == Some(0) {
        return Err(Failure::usage(
            "bad --early-stop: expected at least 1 epoch, found 0",
        ));
    }
    Ok(())
}

fn has_weights(model: &ModelOptions) -> bool {
    model.pretrained.as_deref() != Some("no")
}

/// A learner for these options, without a run folder.
pub(crate) fn plain_learner(
    images: &Images<'_>,
    model: &ModelOptions,
    silent: bool,
) -> Result<Learner> {
    let learner = create_cnn(images.build()?, model.arch.unwrap_or(ARCH));
    let learner = learner
        .pretrained(weights::pretrained(model))
        .silent(silent);
    Ok(learner.build()?)
}

/// The learner of a run, before its fits. With `reads_steps` its weights come from the steps of the run.
fn learner(
    options: &mut TrainOptions,
    run: &RunFolder,
    silent: bool,
    reads_steps: bool,
) -> Result<Learner> {
    let located = data::locate(options.data.as_deref(), &options.source)?;
    let stats = weights::images(&options.model)?.stats;
    let images = |options| Images {
        located: &located,
        options,
        mixup: None,
        stats,
    };
    let mixup = options.course.mixup;
    let data = match options.course.folds {
        None => Images {
            mixup,
            ..images(&options.images)
        }
        .build()?,
        Some(folds) => {
            let data = images(&options.images).build_unsplit()?;
            folds::check(folds, &data)?;
            let fits = || folds::batch_size(folds, &data);
            let options = ImageOptions {
                batch_size: Some(options.images.batch_size.unwrap_or_else(fits)),
                ..options.images.clone()
            };
            Images {
                mixup,
                ..images(&options)
            }
            .build_unsplit()?
        }
    };
    folds::check_batch_size(options.course.folds, &data)?;
    options.images.batch_size = Some(data.batch_size());
    if options.course.metric.is_empty() {
        let usual = match data.kind() {
            TargetKind::Category => "accuracy",
            TargetKind::MultiCategory => "accuracy_thresh",
            TargetKind::Float => "rmse",
        };
        options.course.metric.push(usual.to_owned());
    }
    if options.course.early_stop.is_some() && data.valid_ds().is_empty() {
        return Err(Failure::usage("--early-stop needs validation images"));
    }
    Ok(with_data(options, data, run.path(), silent, reads_steps)?)
}

/// A learner of these options for some data, whose steps are in a folder.
pub(crate) fn with_data(
    options: &TrainOptions,
    data: ImageDataBunch,
    path: &Path,
    silent: bool,
    reads_steps: bool,
) -> vision::learner::Result<Learner> {
    let names = options.course.metric.iter();
    let metrics: vision::learner::Result<Vec<Box<dyn Metric>>> =
        names.map(|name| metric_named(name)).collect();
    let metrics = metrics?;
    // With folds the model of the run has no validation images, so that those that score it choose no epoch either.
    let chooses = !data.valid_ds().is_empty() && options.course.folds.is_none();
    let best = metrics.first().map(|metric| metric.name());
    let weights = match reads_steps {
        true => false.into(),
        false => weights::pretrained(&options.model),
    };
    let freeze_norms = options.course.freeze_norms == Some(true);
    let mut builder = create_cnn(data, options.model.arch.unwrap_or(ARCH))
        .pretrained(weights)
        .metrics(metrics)
        .bn_freeze(if freeze_norms {
            BnFreeze::Body
        } else {
            BnFreeze::Off
        })
        .precision(options.course.precision.map(Into::into).unwrap_or_default())
        .path(path)
        .silent(silent)
        .callback(CsvLogger::new(HISTORY).append(true))
        .callback(EpochsOnStderr {
            on: silent && !reads_steps,
        });
    if let Some(best) = best.filter(|_| chooses) {
        // Accuracies on few images are often equal.
        let best = SaveModel::best(best)
            .with_tie_break("valid_loss")
            .with_start(true);
        builder = builder.callback(best.with_name("best"));
    }
    if let Some(epochs) = options.course.early_stop {
        let patience = epochs.saturating_sub(1);
        builder = builder.callback(EarlyStopping::new("valid_loss").with_patience(patience));
    }
    builder.build()
}

/// Trains a run from its beginning or from where it stopped, and writes its results.
pub(crate) fn train(
    options: &mut TrainOptions,
    run: &RunFolder,
    together: Together,
    output: &Output,
) -> Result<()> {
    let is_main = together.is_main();
    let silent = output.is_json() || !is_main;
    let mut learner = learner(options, run, silent, false)?;
    if let Some(processes) = together.processes {
        learner.data_parallel(processes);
    }
    note(format_args!("{}", learner.data()));
    // Only now is an earlier training removed.
    run.begin()?;
    if options.course.lr == Some(Lr::Auto) {
        // Kept before the search, too, so that an interrupted one can be resumed.
        config::write(&run.settings(), options)?;
        let found = learner.lr_find()?.suggestion();
        let usual = if has_weights(&options.model) {
            FINE_TUNE_LR
        } else {
            LR
        };
        let rate = found.map_or(usual, |found| found.valley);
        note(match found {
            Some(_) => format!("learning rate {rate:.2e}, the valley of the learning rate finder"),
            None => {
                format!("learning rate {rate:.2e}, since there are too few batches to find one")
            }
        });
        options.course.lr = Some(Lr::Rate(rate));
    }
    config::write(&run.settings(), options)?;
    let goes_on = |failure: Failure| match failure.code() {
        exit_code::INTERRUPTED => Failure::interrupted(format!(
            "{}; go on with `vision resume {}`",
            failure.message(),
            shown(run.path())
        )),
        _ => failure,
    };
    let crossed = match options.course.folds {
        None => None,
        Some(folds) => Some(
            Crossed::of(learner.data(), options, run, folds, silent)
                .map_err(goes_on)
                .inspect(|crossed| output.text(crossed))?,
        ),
    };
    if crossed.is_some() {
        note("the model, on all images");
    }
    fit(&mut learner, options).map_err(|error| goes_on(error.into()))?;
    if !is_main {
        return Ok(());
    }
    finish(&mut learner, options, crossed.as_ref(), run, output)
}

/// The learner of a run that has ended, with its weights and its history.
pub(crate) fn finished(run: &RunFolder) -> Result<Learner> {
    if !run.is_finished() {
        return Err(Failure::failed(format!(
            "the training in {} has not ended: go on with `vision resume {0}`",
            shown(run.path())
        )));
    }
    let mut options = run.options()?;
    let mut learner = learner(&mut options, run, true, true)?;
    if run.has_steps() {
        follow(&mut learner, &options)?;
    } else {
        // Somebody made room: the history is gone, the weights are not.
        learner.load(run.model())?;
    }
    Ok(learner)
}

/// Trains a learner, or goes on where it stopped.
pub(crate) fn fit(learner: &mut Learner, options: &TrainOptions) -> vision::learner::Result<()> {
    let freezes = options.course.freeze_epochs.unwrap_or(FREEZE_EPOCHS) > 0;
    if options.course.freeze_norms == Some(true) && freezes {
        learner.freeze()?;
        match learner.cache_features() {
            // Images that differ between epochs have no features to keep.
            Ok(_) | Err(vision::learner::Error::CannotCache(_)) => {}
            Err(error) => return Err(error),
        }
    }
    follow(learner, options)
}

/// The fits themselves. Those that have ended are read from the steps of the run.
fn follow(learner: &mut Learner, options: &TrainOptions) -> vision::learner::Result<()> {
    let epochs = options.course.epochs.unwrap_or(EPOCHS);
    let freeze_epochs = options.course.freeze_epochs.unwrap_or(FREEZE_EPOCHS);
    let rate = match options.course.lr {
        Some(Lr::Rate(rate)) => rate,
        Some(Lr::Auto) | None => LR,
    };
    interrupt::during_fit(|| match (has_weights(&options.model), freeze_epochs) {
        (false, _) => {
            learner.unfreeze();
            learner.fit_with(FitConfig::one_cycle(epochs).with_lr(rate).resumable(STEPS))
        }
        (true, 0) => {
            learner.unfreeze();
            let rates = slice(rate / 2.0 / LR_MULT..rate / 2.0);
            learner.fit_with(FitConfig::one_cycle(epochs).with_lr(rates).resumable(STEPS))
        }
        (true, freeze_epochs) => learner.fine_tune_with(
            &FineTune::new(epochs)
                .with_freeze_epochs(freeze_epochs)
                .with_base_lr(rate)
                .resumable(STEPS),
        ),
    })?;
    Ok(())
}

fn finish(
    learner: &mut Learner,
    options: &TrainOptions,
    crossed: Option<&Crossed>,
    run: &RunFolder,
    output: &Output,
) -> Result<()> {
    let validates = !learner.data().valid_ds().is_empty();
    let scores = if validates {
        learner.validate()?
    } else {
        Vec::new()
    };
    let report = match crossed {
        Some(crossed) => crossed.report(learner)?,
        None => report(learner, &ReportConfig::new())?,
    };
    if let Some(report) = &report {
        save_report(report, &run.report())?;
    }
    // The last file: it says that the training has ended.
    learner.export(run.model())?;
    run.clear_folds();
    let values = scores
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)));
    let values: serde_json::Map<String, Value> = values.collect();
    output.value(&json!({
        "run": run.path(),
        "model": run.model(),
        "report": report.as_ref().map(|_| run.report()),
        "classes": learner.data().classes(),
        "epochs": learner.epochs_trained(),
        "lr": options.course.lr,
        "scores": values,
        "cross_validation": crossed.map(Crossed::json),
    }))?;
    let scores: Vec<String> = scores
        .iter()
        .map(|(name, value)| format!("{name} {value:.4}"))
        .collect();
    if validates {
        output.text(format_args!("best weights: {}", scores.join(", ")));
    }
    output.text(format_args!("model: {}", shown(run.model())));
    if report.is_some() {
        output.text(format_args!("report: {}", shown(run.report())));
    }
    Ok(())
}
