//! Checkpoints, exports and kept features.

use std::fs;

use vision::learner::{FitConfig, LoadConfig};
use vision::models::export::{Names, OnnxConfig};

use crate::support::{Folder, data, learner, learner_of};
use crate::table::{ANY, Table};
use crate::values::{F32, USIZE, readable, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let path = folder.digits();
    let built = learner(&path);
    t.paths("Learner::save", writable(folder.path()), |path| {
        built.save(path)
    });
    t.line("Learner::save", "name|create|write", texts(), |text| {
        built.save(text)
    });
    t.line(
        "FitConfig::with_checkpoint",
        "name|create|write",
        texts(),
        |text| learner(&path).fit_with(FitConfig::new(1).with_checkpoint(text)),
    );
    t.paths("Learner::load", readable(folder.path()), |file| {
        learner(&path).load(file)
    });
    t.line("Learner::load", ANY, texts(), |text| {
        learner(&path).load(text.as_str())
    });
    t.paths("Learner::load_with", readable(folder.path()), |file| {
        learner(&path).load_with(file, LoadConfig::new())
    });
    t.paths("Learner::load_partial", readable(folder.path()), |file| {
        learner(&path).load_partial(file)
    });
    t.paths("Learner::export_onnx", writable(folder.path()), |path| {
        built.export_onnx(path)
    });
    t.paths(
        "Learner::export_onnx_with",
        writable(folder.path()),
        |path| built.export_onnx_with(path, &OnnxConfig::default()),
    );
    let onnx = |config: OnnxConfig| built.export_onnx_with(folder.path().join("a.onnx"), &config);
    t.line("OnnxConfig::with_size", "size", USIZE, |n| {
        onnx(OnnxConfig::default().with_size(n, 8))?;
        onnx(OnnxConfig::default().with_size(8, n))
    });
    t.line(
        "OnnxConfig::with_normalization",
        "normaliz|std|mean",
        F32,
        |x| {
            onnx(OnnxConfig::default().with_normalization([x; 3], [0.5; 3]))?;
            onnx(OnnxConfig::default().with_normalization([0.5; 3], [x; 3]))
        },
    );
    t.line("OnnxConfig::with_output", "output", texts(), |text| {
        onnx(OnnxConfig::default().with_output(text))
    });
    t.line("OnnxConfig::with_metadata", ANY, texts(), |text| {
        onnx(OnnxConfig::default().with_metadata(text.clone(), text))
    });
    t.paths(
        "Learner::export_safetensors",
        writable(folder.path()),
        |path| built.export_safetensors(path, Names::FastAi),
    );
    t.paths(
        "Learner::cache_features_in",
        writable(folder.path()),
        |folder| {
            let mut learner = learner_of(data(&path)).bn_freeze(true).build()?;
            learner.freeze()?;
            learner.cache_features_in(folder)
        },
    );
    // Nothing that lay there is lost.
    assert_eq!(
        fs::read(folder.path().join("folder/inside")).unwrap(),
        b"text"
    );
}
