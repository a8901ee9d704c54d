//! What is saved comes back exactly, what does not fit is explained, and nothing saved is ever lost.

use std::fs;

use vision_base::IoError;
use vision_learner::{Context, Error, Result};
use vision_models::weights::{self, WeightsSource};

use crate::prelude::*;
use crate::support;

#[test]
fn a_run_that_was_saved_and_loaded_goes_on_bit_for_bit() {
    let digits = support::digits(20, 4);
    let new = || support::learner(support::data(&digits.path, 8));
    let mut through = new();
    through.fit_one_cycle(1, 1e-3).unwrap();
    through.save("half").unwrap();
    let rest = through.fit(1, 1e-4).unwrap();

    let mut resumed = new();
    resumed.load("half").unwrap();
    let again = resumed.fit(1, 1e-4).unwrap();
    assert_eq!(again.raw_losses, rest.raw_losses);
    assert_eq!(resumed.weights(), through.weights());
}

/// Ends the run in the middle of an epoch.
struct Interrupt {
    at: usize,
}

impl Callback for Interrupt {
    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        match ctx.state.train && ctx.state.iteration == self.at {
            true => Err(Error::Callback {
                name: "interrupt".to_owned(),
                source: "on purpose".into(),
            }),
            false => Ok(()),
        }
    }
}

#[test]
fn an_interrupted_run_goes_on_from_its_last_epoch_bit_for_bit() {
    let digits = support::digits(12, 6);
    let learner = || {
        create_cnn(support::data(&digits.path, 8), Arch::SqueezeNet1_1)
            .pretrained(false)
            .metrics([accuracy()])
            .silent(true)
            .build()
            .unwrap()
    };
    let config = |name: &str| FitConfig::one_cycle(4).with_lr(1e-3).with_checkpoint(name);
    let mut whole = learner();
    whole.fit_with(config("whole")).unwrap();
    assert_eq!(whole.epochs_trained(), 4);

    // Three batches an epoch: in the middle of the third.
    let mut cut = learner();
    let error = cut.fit_with(config("cut").with_callback(Interrupt { at: 7 }));
    assert!(matches!(error, Err(Error::Callback { .. })), "{error:?}");
    drop(cut);

    let mut again = learner();
    again.load("cut").unwrap();
    assert_eq!(
        (again.epochs_trained(), again.recorder().epochs.len()),
        (2, 2)
    );
    let done = again.epochs_trained() as usize;
    again
        .fit_with(config("cut").with_start_epoch(done))
        .unwrap();
    assert_eq!(again.weights(), whole.weights());
    assert_eq!(again.recorder().lrs, whole.recorder().lrs);
    assert_eq!(again.recorder().raw_losses, whole.recorder().raw_losses);
    let metrics = |learner: &Learner| -> Vec<Vec<f64>> {
        learner
            .recorder()
            .epochs
            .iter()
            .map(|row| row.metrics.clone())
            .collect()
    };
    assert_eq!(metrics(&again), metrics(&whole));

    // The last epoch is saved too, whole, and with the optimizer.
    for name in ["whole", "cut"] {
        let mut last = learner();
        last.load(name).unwrap();
        assert_eq!(last.weights(), whole.weights(), "{name}");
        assert_eq!(
            (last.epochs_trained(), last.recorder().epochs.len()),
            (4, 4)
        );
        last.fit(1, 1e-4).unwrap();
        let mut more = learner();
        more.load("whole").unwrap();
        more.fit(1, 1e-4).unwrap();
        assert_eq!(last.weights(), more.weights(), "{name}");
    }
    // A name that cannot be is refused before training.
    let before = again.weights();
    assert!(again.fit_with(config("..")).is_err());
    assert_eq!(again.weights(), before);
}

#[test]
fn loading_restores_weights_and_statistics_over_later_training() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    learner.fit(1, 1e-3).unwrap();
    let saved = learner.weights();
    learner.save("a").unwrap();
    learner.fit(1, 1e-3).unwrap();
    assert_ne!(learner.weights(), saved);
    learner.load("a").unwrap();
    assert_eq!(learner.weights(), saved);
    let validated = learner.validate().unwrap();
    learner.fit(1, 1e-3).unwrap();
    learner.load("a").unwrap();
    assert_eq!(learner.validate().unwrap(), validated);
}

#[test]
fn the_manifest_lies_beside_the_file_in_readable_json() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let path = learner.save("x").unwrap();
    assert_eq!(path, digits.path.join("models/x.safetensors"));
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
    assert_eq!(json["arch"], "resnet18");
    assert_eq!(json["classes"], serde_json::json!(["3", "7"]));
}

#[test]
fn a_checkpoint_of_other_classes_or_another_architecture_is_explained_and_changes_nothing() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let file = learner.save("two").unwrap();
    let single = |classes: &[&str], arch: Arch| {
        let classes = classes.iter().map(|&c| c.to_owned()).collect::<Vec<_>>();
        let data = ImageDataBunch::single_from_classes(&digits.path, classes)
            .build()
            .unwrap();
        create_cnn(data, arch)
            .pretrained(false)
            .silent(true)
            .build()
            .unwrap()
    };
    for (mut other, here) in [
        (single(&["3", "7", "8"], Arch::ResNet18), "3 (3, 7, 8)"),
        (single(&["7", "3"], Arch::ResNet18), "7, 3"),
        // Names of classes that a terminal would take for commands.
        (
            single(&["\u{1b}[2J", "7"], Arch::ResNet18),
            "(\\u{1b}[2J, 7)",
        ),
        (single(&["3", "7"], Arch::ResNet34), "resnet34"),
    ] {
        let before = other.weights();
        let error = other.load(&file).unwrap_err();
        // What this learner has is in the message too, as a terminal may show it.
        assert_matches!(error, Error::Checkpoint { path, .. } if *path == file);
        assert!(
            error.to_string().contains(here),
            "{error} should say {here}"
        );
        assert_eq!(other.weights(), before);
    }
}

#[test]
fn a_truncated_checkpoint_is_an_error_at_every_length_and_changes_nothing() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let bytes = fs::read(learner.save("whole").unwrap()).unwrap();
    let before = learner.weights();
    for sixteenth in 0..16 {
        let cut = digits.path.join("cut.safetensors");
        fs::write(&cut, &bytes[..bytes.len() * sixteenth / 16]).unwrap();
        assert_matches!(
            learner.load(&cut).unwrap_err(),
            Error::Models(
                vision_models::Error::NotWeights { path, .. } | vision_models::Error::BadWeights { path, .. }
            ) if *path == cut
        );
    }
    let error = learner.load("nothing").unwrap_err().to_string();
    assert!(error.contains("nothing.safetensors"), "{error}");
    assert_eq!(learner.weights(), before);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_an_error_and_the_old_checkpoint_stays() {
    let digits = support::digits(8, 4);
    let data = support::data(&digits.path, 8);
    // A file where the folder should be fails for every user, root included.
    let blocked = digits.path.join("blocked");
    fs::write(&blocked, "x").unwrap();
    let builder = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true);
    let learner = builder.model_dir(&blocked).build().unwrap();
    assert_matches!(
        learner.save("x").unwrap_err(),
        Error::Io(IoError { path, hint, .. })
            if path.starts_with(&blocked) && hint.contains("model_dir")
    );
    assert_eq!(fs::read_to_string(&blocked).unwrap(), "x");
}

#[test]
fn a_name_with_a_dot_keeps_it() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let path = learner.save("lr0.1").unwrap();
    assert!(
        path.ends_with("models/lr0.1.safetensors"),
        "{}",
        path.display()
    );
    learner.load("lr0.1").unwrap();
}

#[test]
fn a_checkpoint_of_other_classes_gives_its_body_and_the_report_says_what_is_new() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let file = learner.save("two").unwrap();
    let saved = learner.weights();

    let single = |classes: &[&str]| {
        let classes = classes.iter().map(|&c| c.to_owned()).collect::<Vec<_>>();
        ImageDataBunch::single_from_classes(&digits.path, classes)
            .build()
            .unwrap()
    };
    let mut other = create_cnn(single(&["3", "7", "8"]), Arch::ResNet18)
        .pretrained(false)
        .seed(1)
        .silent(true)
        .build()
        .unwrap();
    let report = other.load_partial(&file).unwrap();
    assert_eq!(
        report.replaced,
        [
            "1.8.weight: expected [3, 512], found [2, 512]",
            "1.8.bias: expected [3], found [2]"
        ]
    );
    assert!(report.unused.is_empty(), "{report}");
    assert_eq!(other.weights_report(), Some(&report));
    let before: Vec<_> = saved
        .iter()
        .filter(|t| !t.name.starts_with("1.8."))
        .collect();
    let weights = other.weights();
    let after: Vec<_> = weights
        .iter()
        .filter(|t| !t.name.starts_with("1.8."))
        .collect();
    assert_eq!(after, before);

    // Another architecture's body does not fit, and nothing changes.
    let mut larger = create_cnn(single(&["3", "7"]), Arch::ResNet34)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let before = larger.weights();
    assert_matches!(
        larger.load_partial(&file).unwrap_err(),
        Error::Models(vision_models::Error::WeightsMisfit { path, .. }) if *path == file
    );
    assert_eq!(larger.weights(), before);
}

#[test]
fn a_checkpoint_is_weights_for_another_backbone_of_its_architecture() {
    let digits = support::digits(8, 4);
    let data = || support::data(&digits.path, 8);
    let mut learner = support::learner(data());
    learner.fit(1, 1e-3).unwrap(); // so that the file has the optimizer's moments too
    let file = learner.save("body").unwrap();
    let again = create_cnn(data(), Arch::ResNet18)
        .pretrained(file)
        .seed(1)
        .silent(true)
        .build()
        .unwrap();
    let body = |learner: &Learner| -> Vec<_> {
        let weights = learner.weights().into_iter();
        weights.filter(|t| t.name.starts_with("0.")).collect()
    };
    assert_eq!(body(&again), body(&learner));
    let report = again.weights_report().unwrap().to_string();
    for part in [
        "100 loaded",
        "found under the prefix \"0.\"",
        "as fastai names them",
        "fc.weight, fc.bias",
        "other tensors of the file are outside it",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[test]
fn a_head_of_fastai_2_has_no_biases_and_loads_with_zeros() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let saved = learner.weights();
    // fastai 2.8.12, list(create_head(512, 2).state_dict()): 4.weight and 8.weight have no bias beside them.
    let biases = ["1.4.bias", "1.8.bias"];
    let file = digits.path.join("fastai2.safetensors");
    let theirs: Vec<_> = saved
        .iter()
        .filter(|t| !biases.contains(&t.name.as_str()))
        .cloned()
        .collect();
    weights::write_safetensors(&file, &theirs, &Default::default()).unwrap();
    learner.fit(1, 1e-2).unwrap();
    let report = learner.load(&file).unwrap().to_string();
    assert!(report.contains("2 biases set to 0"), "{report}");
    for (now, before) in learner.weights().iter().zip(&saved) {
        if biases.contains(&now.name.as_str()) {
            assert!(now.values.iter().all(|&v| v == 0.0), "{}", now.name);
        } else {
            assert_eq!(now, before);
        }
    }
    // One bias of two is no such head.
    let one: Vec<_> = saved
        .iter()
        .filter(|t| t.name != "1.4.bias")
        .cloned()
        .collect();
    weights::write_safetensors(&file, &one, &Default::default()).unwrap();
    assert_matches!(
        learner.load(&file).unwrap_err(),
        Error::Checkpoint { field, .. } if field == "1.4.bias"
    );
}

#[test]
fn a_file_that_exists_as_named_is_read_and_a_missing_one_lists_what_there_is() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let saved = learner.save("stage-1").unwrap();
    let plain = digits.path.join("models/best.ckpt");
    weights::write_safetensors(&plain, &learner.weights(), &Default::default()).unwrap();
    for name in ["stage-1", "stage-1.safetensors", "best.ckpt"] {
        learner.load(name).unwrap();
    }
    learner.load(&plain).unwrap();
    learner.load_partial(&plain).unwrap();
    let error = learner.load("nothing").unwrap_err().to_string();
    for part in ["nothing.safetensors", "best.ckpt, stage-1.safetensors"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(saved.ends_with("stage-1.safetensors"));
}

/// What a training program of fastai 2 saves around a body of timm, whose ResNets have torchvision's names.
#[test]
fn a_learner_of_fastai_2_with_a_body_of_timm_loads() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let saved = learner.weights();
    let children: Vec<String> = {
        let whole = Arch::ResNet18.build(2, &mut vision_models::Init::zeroed(&Device::default()));
        whole.names().map(str::to_owned).collect()
    };
    let mut theirs = saved.clone();
    for tensor in &mut theirs {
        let name = match tensor
            .name
            .strip_prefix("0.")
            .and_then(|rest| rest.split_once('.'))
        {
            Some((child, rest)) => {
                let child = &children[child.parse::<usize>().unwrap()];
                format!("model.0.model.{child}.{rest}")
            }
            None => format!("model.{}", tensor.name),
        };
        tensor.name = name;
    }
    let file = digits.path.join("timm.safetensors");
    weights::write_safetensors(&file, &theirs, &Default::default()).unwrap();
    learner.fit(1, 1e-2).unwrap();
    let report = learner.load(&file).unwrap().to_string();
    assert!(report.contains("around a body of timm"), "{report}");
    assert_eq!(learner.weights(), saved);
    // An average beside it, which only an option takes.
    let mut both = theirs.clone();
    both.extend(theirs.iter().cloned().map(|mut tensor| {
        tensor.name = format!("ema.{}", tensor.name);
        tensor.values.fill(0.5);
        tensor
    }));
    weights::write_safetensors(&file, &both, &Default::default()).unwrap();
    let report = learner.load(&file).unwrap().to_string();
    assert!(report.contains("an averaged set"), "{report}");
    assert_eq!(learner.weights(), saved);
    learner.load(WeightsSource::new(&file).averaged()).unwrap();
    let halves = learner.weights();
    assert!(halves.iter().flat_map(|t| &t.values).all(|&v| v == 0.5));
    learner
        .load(WeightsSource::new(&file).prefix("model"))
        .unwrap();
    assert_eq!(learner.weights(), saved);
    // Its body alone.
    let again = create_cnn(support::data(&digits.path, 8), Arch::ResNet18)
        .pretrained(file)
        .silent(true)
        .build()
        .unwrap();
    let body = |weights: Vec<_>| -> Vec<vision_models::state::NamedTensor> {
        weights
            .into_iter()
            .filter(|t: &vision_models::state::NamedTensor| t.name.starts_with("0."))
            .collect()
    };
    assert_eq!(body(again.weights()), body(saved));
}
