//! Evaluation: test-time augmentation, dropout, features, summaries, intervals, folds.

use std::hint::black_box;

use burn::tensor::Tensor;
use vision::burn;
use vision::data::inspect::doctor::Split as Part;
use vision::data::{By, Folds, Targets};
use vision::learner::{
    AbstainConfig, CamConfig, EmbedConfig, Embeddings, FeatureSpace, Heatmap, Interval,
    McDropoutConfig, McNemar, OcclusionConfig, Predictions, TtaConfig, abstain_threshold,
    abstain_threshold_with, bootstrap, compare, cross_validate, fit_temperature, metric_named,
    reliability,
};
use vision::models::{Init, inspect};
use vision::prelude::*;

use crate::support::{Folder, data, learner, learner_of, small_image, tiny};
use crate::table::{ANY, Table};
use crate::values::{F32, F64, U64, USIZE, text_lists, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let path = folder.digits();
    let built = learner(&path);
    let tta = |config: TtaConfig| built.tta_with(DatasetType::Valid, &config);
    t.line("TtaConfig::with_beta", "beta", F64, |x| {
        tta(TtaConfig::new().with_beta(x))
    });
    t.line("TtaConfig::with_scale", "scale", F64, |x| {
        tta(TtaConfig::new().with_scale(x))
    });
    t.line("TtaConfig::with_scale", "scale", [1e-3, 1e3], |x| {
        tta(TtaConfig::new().with_scale(x))
    });
    t.line("TtaConfig::with_seed", ANY, U64, |n| {
        tta(TtaConfig::new().with_seed(n))
    });

    t.line("metric_named", "metric", texts(), |text| {
        metric_named(&text).map(|metric| metric.name())
    });

    let image = small_image();
    for function in ["Learner::predict_with_mc_dropout", "McDropoutConfig::new"] {
        t.line(function, "n_times", USIZE, |n| {
            built.predict_with_mc_dropout(&image, n)?;
            built.predict_with_mc_dropout_with(&image, &McDropoutConfig::new(n))
        });
    }
    t.line("McDropoutConfig::new", "n_times", [10_000], |n| {
        built.predict_with_mc_dropout(&image, n)
    });
    t.line("McDropoutConfig::with_seed", ANY, U64, |n| {
        let config = McDropoutConfig::new(2).with_seed(n);
        built.predict_with_mc_dropout_with(&image, &config)
    });
    let dropped = built.predict_with_mc_dropout(&image, 2).unwrap();
    t.line("McDropout::row", ANY, USIZE, |n| {
        black_box(dropped.row(n).len());
    });

    t.line("Learner::summary_for", "size", USIZE, |n| {
        built.summary_for([n, 8])?;
        built.summary_for([n, n])
    });
    let net = tiny(&mut Init::zeroed(&vision::data::Device::default()));
    t.line("profile", ANY, USIZE, |n| {
        for input in [[3, n, 8], [n, 8, n], [3, n, n]] {
            black_box(inspect::profile(&net, input).is_ok());
        }
    });
    t.line("Sequential::forward_to", ANY, texts(), |text| {
        let image = Tensor::zeros([1, 3, 8, 8], &vision::data::Device::default());
        net.forward_to(&text, image)
    });

    t.line("Sequential::forward_replacing", ANY, texts(), |text| {
        let image = Tensor::zeros([1, 3, 8, 8], &vision::data::Device::default());
        net.forward_replacing(&text, image, |maps| maps)
    });

    t.line("CamConfig::with_layer", "layer", texts(), |text| {
        built.grad_cam_with(&image, &CamConfig::new().with_layer(text))
    });
    t.line("CamConfig::with_class", "class", texts(), |text| {
        built.grad_cam_with(&image, &CamConfig::new().with_class(text))
    });
    let occlusion = |config: OcclusionConfig| built.occlusion_with(&image, &config);
    t.line("OcclusionConfig::with_class", "class", texts(), |text| {
        occlusion(OcclusionConfig::new().with_class(text))
    });
    t.line("OcclusionConfig::with_side", "side", USIZE, |n| {
        occlusion(OcclusionConfig::new().with_side(n))
    });
    t.line("OcclusionConfig::with_stride", "stride", USIZE, |n| {
        occlusion(OcclusionConfig::new().with_side(8).with_stride(n))
    });
    t.line("Heatmap::new", "height|width|values", USIZE, |n| {
        Heatmap::new(vec![1.0; 2], [n, 1])?;
        Heatmap::new(vec![1.0; 2], [2, n])
    });
    t.line("Heatmap::new", "values", F32, |x| {
        let map = Heatmap::new(vec![x, 1.0], [1, 2])?;
        assert!(
            map.normalized()
                .values()
                .iter()
                .all(|v| (0.0..=1.0).contains(v))
        );
        let larger = map.resized(3, 3)?;
        assert!(larger.values().iter().all(|v| v.is_finite()));
        Ok::<(), vision::learner::Error>(())
    });
    t.line("Heatmap::resized", "height|width", USIZE, |n| {
        let map = Heatmap::new(vec![0.0, 1.0], [1, 2])?;
        map.resized(n, 1)?;
        map.resized(1, n)?;
        map.resized(n, n)
    });

    t.line("EmbedConfig::with_layer", "layer", texts(), |text| {
        built.embed_with(DatasetType::Valid, &EmbedConfig::new().with_layer(text))
    });
    let features = built.embed(DatasetType::Valid).unwrap();
    t.line("Embeddings::row", ANY, USIZE, |n| {
        black_box(features.row(n).len());
    });
    t.paths("Embeddings::save", writable(folder.path()), |file| {
        features.save(file)
    });
    for extension in ["csv", "safetensors"] {
        t.paths("Embeddings::save", writable(folder.path()), |file| {
            features.save(file.with_extension(extension))
        });
    }

    let space = || FeatureSpace::new([&features]).unwrap();
    for function in ["Embeddings::from_rows", "FeatureSpace::new"] {
        t.line(function, "features", USIZE, |n| {
            let rows = Embeddings::from_rows(Part::Train, ["a", "b"], ["", "c"], vec![0.5; 4], n)?;
            FeatureSpace::new([&rows]).map(|space| space.len())
        });
        t.line(function, "features", F32, |x| {
            let rows = vec![x, 0.5, x, x, 0.0, x];
            let rows = Embeddings::from_rows(Part::Valid, ["a", "b", "c"], ["d"; 3], rows, 2)?;
            let space = FeatureSpace::new([&rows])?;
            black_box(space.near_duplicates()?.to_string());
            let outliers = space.outliers(2)?;
            assert!(
                outliers
                    .items
                    .iter()
                    .all(|item| (0.0..=1.0).contains(&item.score))
            );
            black_box((outliers.to_string(), outliers.to_csv()));
            space.similar(0, 2)
        });
        t.line(function, "features", text_lists(), |names| {
            let (rows, labels) = (vec![0.5; names.len()], names.clone());
            let rows = Embeddings::from_rows(Part::Test, names, labels, rows, 1)?;
            if rows.len() < 1000 {
                let space = FeatureSpace::new([&rows])?;
                black_box((
                    space.near_duplicates()?.to_csv(),
                    space.outliers(1)?.to_string(),
                ));
            }
            Ok::<(), vision::learner::Error>(())
        });
    }
    t.line("FeatureSpace::similar", "bad to:", USIZE, |n| {
        black_box(space().similar(0, n)?);
        space().similar(n, n)
    });
    t.line("FeatureSpace::similar_to", "features", F32, |x| {
        let dim = features.dim();
        black_box(space().similar_to(&vec![x; dim], 2)?);
        space().similar_to(&[x], 2)
    });
    t.line("FeatureSpace::position", ANY, texts(), |text| {
        black_box(space().position(&text));
    });
    t.line("FeatureSpace::outliers", "bad k:", USIZE, |n| {
        space().outliers(n)
    });
    t.line(
        "FeatureSpace::near_duplicates_above",
        "threshold",
        F64,
        |x| space().near_duplicates_above(x),
    );

    let predictions = |p: f32, classes: usize| Predictions {
        probabilities: vec![p, 1.0 - p, 0.6, 0.4],
        classes,
        targets: Targets::Category(vec![0, 1]),
        losses: vec![0.1; 2],
        indices: vec![0, 1],
    };
    t.line("bootstrap", "bad n:", USIZE, |n| {
        bootstrap(accuracy(), &predictions(0.9, 2), n, 0)
    });
    t.line("bootstrap", ANY, U64, |seed| {
        bootstrap(accuracy(), &predictions(0.9, 2), 10, seed)
    });
    t.line("bootstrap", "predictions", USIZE, |n| {
        bootstrap(accuracy(), &predictions(0.9, n), 10, 0)
    });
    t.line("bootstrap", ANY, F32, |p| {
        let odd = predictions(p, 2);
        black_box(compare(&odd, &predictions(0.9, 2))?.to_string());
        bootstrap(accuracy(), &odd, 10, 0)
    });
    t.line("McNemar::from_counts", ANY, U64, |n| {
        for test in [
            McNemar::from_counts(n, n),
            McNemar::from_counts(n, 3),
            McNemar::from_counts(0, n),
        ] {
            assert!((0.0..=1.0).contains(&test.p_value), "{test:?}");
        }
    });
    t.line("Interval::contains", ANY, F64, |x| {
        let interval = Interval { low: x, high: 1.0 };
        black_box((
            interval.contains(0.5),
            interval.contains(x),
            interval.to_string(),
        ));
    });

    t.line("Interval::wilson", ANY, U64, |n| {
        for interval in [
            Interval::wilson(0, n),
            Interval::wilson(n, n),
            Interval::wilson(1, n),
        ] {
            let Some(Interval { low, high }) = interval else {
                continue;
            };
            assert!(0.0 <= low && low <= high && high <= 1.0, "{low} to {high}");
        }
    });
    t.line("reliability", "bins", USIZE, |n| {
        reliability(&predictions(0.9, 2), n).map(|found| black_box(found.to_csv()))
    });
    t.line("reliability", "predictions", F32, |p| {
        let odd = predictions(p, 2);
        black_box(fit_temperature(&odd)?.apply(&odd)?);
        black_box(reliability(&odd, 15)?.to_string());
        abstain_threshold(&odd, 0.5)
    });
    t.line("reliability", "predictions", USIZE, |n| {
        let odd = predictions(0.9, n);
        black_box(fit_temperature(&odd)?);
        reliability(&odd, 15)
    });
    for function in ["abstain_threshold", "AbstainConfig::new"] {
        t.line(function, "error_rate", F64, |x| {
            black_box(abstain_threshold(&predictions(0.9, 2), x)?.to_string());
            let config = AbstainConfig::new(x).with_upper_bound(true);
            abstain_threshold_with(&predictions(0.9, 2), &config)
        });
    }

    let whole = data(&path);
    let run =
        |folds: &Folds| cross_validate(&whole, folds, |data, _| learner_of(data).build()).map(drop);
    for function in [
        "Folds::new",
        "Folds::stratified",
        "Folds::grouped",
        "cross_validate",
    ] {
        t.line(function, "fold", USIZE, |n| {
            run(&Folds::new(n))?;
            run(&Folds::stratified(n, By::Label))?;
            run(&Folds::grouped(n, By::Folder))
        });
    }
    t.line("Folds::with_seed", "fold|class", U64, |n| {
        run(&Folds::stratified(2, By::Label).with_seed(n))
    });
    t.line("ImageDataBunch::with_valid_draw", ANY, U64, |n| {
        whole
            .clone()
            .with_valid_draw(n)
            .one_batch(DatasetType::Valid)
    });
    t.line(
        "ImageDataBunch::with_valid_transforms",
        "scale|zoom",
        F64,
        |x| {
            let data = whole.clone().with_valid_transforms([Transform::zoom(x)])?;
            data.one_batch(DatasetType::Valid)
        },
    );
}
