//! Checkpoints, exports and kept features.

use std::fs;
use std::path::PathBuf;

use vision::learner::{BnFreeze, ExportConfig, FitConfig, LoadConfig, OpenConfig};
use vision::models::export::{Names, OnnxConfig};
use vision::prelude::*;

use crate::support::{Folder, data, learner, learner_of, small_image};
use crate::table::{ANY, Table};
use crate::values::{F32, F64, USIZE, readable, texts, writable};

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
        "Learner::export_onnx_calibrated",
        writable(folder.path()),
        |path| built.export_onnx_calibrated(path, 1.5),
    );
    t.line("Learner::export_onnx_calibrated", "temperature", F64, |x| {
        built.export_onnx_calibrated(folder.path().join("c.onnx"), x)
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
    t.line("LearnerBuilder::bn_freeze", ANY, [0, 1, 2], |n: usize| {
        let all = [BnFreeze::Off, BnFreeze::Frozen, BnFreeze::Body];
        let mut learner = learner_of(data(&path)).bn_freeze(all[n]).build()?;
        learner.unfreeze();
        learner.fit(1, 1e-3)
    });
    t.paths(
        "Learner::cache_features_in",
        writable(folder.path()),
        |folder| {
            let mut learner = learner_of(data(&path)).bn_freeze(true).build()?;
            learner.freeze()?;
            learner.cache_features_in(folder)
        },
    );
    t.paths(
        "Learner::export_onnx_with_preprocessing",
        writable(folder.path()),
        |path| built.export_onnx_with_preprocessing(path),
    );
    deployed(t, &folder, &built);
    // Nothing that lay there is lost.
    assert_eq!(
        fs::read(folder.path().join("folder/inside")).unwrap(),
        b"text"
    );
}

/// Deployed models.
fn deployed(t: &mut Table, folder: &Folder, built: &Learner) {
    t.paths("Learner::export", writable(folder.path()), |path| {
        built.export(path)
    });
    t.paths("Learner::export_with", writable(folder.path()), |path| {
        built.export_with(path, ExportConfig::new())
    });
    let export = |config: ExportConfig| built.export_bytes(config).map(|_| ());
    t.paths(
        "ExportConfig::with_golden",
        readable(folder.path()),
        |path| export(ExportConfig::new().with_golden([path])),
    );
    t.line(
        "ExportConfig::with_golden",
        "golden",
        [0, 17, 10_000],
        |n| export(ExportConfig::new().with_golden(vec![folder.path().join("image.png"); n])),
    );
    t.line("ExportConfig::with_threshold", "threshold", F32, |x| {
        export(ExportConfig::new().with_threshold(x))
    });
    t.line("ExportConfig::with_temperature", "temperature", F64, |x| {
        export(ExportConfig::new().with_temperature(x))
    });
    let good = built.export_bytes(ExportConfig::new()).unwrap();
    let predictor = Predictor::from_bytes(&good).unwrap();
    t.paths("Predictor::open", readable(folder.path()), |path| {
        Predictor::open(path)
    });
    t.paths("Predictor::open_on", readable(folder.path()), |path| {
        Predictor::open_on(path, Default::default())
    });
    t.paths("Predictor::open_with", readable(folder.path()), |path| {
        Predictor::open_with(path, OpenConfig::new())
    });
    t.paths("Predictor::predict_file", readable(folder.path()), |path| {
        predictor.predict_file(path)
    });
    t.paths(
        "Predictor::predict_folder",
        readable(folder.path()),
        |path| predictor.predict_folder(path).map(|found| found.count()),
    );
    t.paths(
        "Predictor::predict_files",
        readable(folder.path()),
        |path| {
            let found = predictor.predict_files([path]).map(|(_, found)| found);
            found.collect::<vision::learner::Result<Vec<_>>>()
        },
    );
    let none = || predictor.predict_files(Vec::<PathBuf>::new());
    t.line("FilePredictions::with_images", "images", USIZE, |n| {
        none().with_images(n).map(|found| found.count())
    });
    t.line("FilePredictions::with_threshold", "threshold", F32, |x| {
        none().with_threshold(x).map(|found| found.count())
    });
    let bytes = || {
        let long = vec![0xff; 100_000];
        let cut = good[..good.len() - 1].to_vec();
        vec![
            Vec::new(),
            vec![0; 8],
            vec![0xff; 9],
            b"{}".to_vec(),
            long,
            cut,
            good.clone(),
        ]
    };
    let opened = "bytes in memory";
    t.line("Predictor::from_bytes", opened, bytes(), |bytes| {
        Predictor::from_bytes(&bytes)
    });
    t.line("Predictor::from_bytes_with", opened, bytes(), |bytes| {
        Predictor::from_bytes_with(&bytes, OpenConfig::new())
    });
    t.line("Predictor::predict_bytes", opened, bytes(), |bytes| {
        predictor.predict_bytes(&bytes)
    });
    t.line("Predictor::predict_batch", ANY, [0, 1, 300], |n| {
        predictor.predict_batch(&vec![small_image(); n])
    });
}
