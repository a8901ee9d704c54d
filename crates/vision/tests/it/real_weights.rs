//! Weights that learned ImageNet give timm's classes and probabilities for photographs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use vision::learner::load_classifier;
use vision::prelude::*;

#[test]
#[ignore = "needs files from a package index: set VISION_REAL_WEIGHTS (scripts/make_imagenet_photos.py)"]
fn photographs_have_the_classes_and_probabilities_that_timm_computes() {
    let folder = PathBuf::from(std::env::var_os("VISION_REAL_WEIGHTS").unwrap());
    let expected = fs::read(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Vec<(usize, f64)>> = serde_json::from_slice(&expected).unwrap();
    assert_eq!(expected.len(), 2);
    let classes: Vec<String> = (0..1000).map(|class| class.to_string()).collect();
    let half = Stats {
        mean: [0.5; 3],
        std: [0.5; 3],
    };
    let data = ImageDataBunch::single_from_classes(&folder, classes)
        .size(224)
        .normalize(half)
        .build()
        .unwrap();
    let learner = load_classifier(data, Arch::TfEfficientNetLite0, folder.join("weights.pth"))
        .build()
        .unwrap();
    for (file, most) in expected {
        let prediction = learner
            .predict(&Image::open(folder.join(&file)).unwrap())
            .unwrap();
        assert_eq!(
            prediction.class.to_string(),
            most[0].0.to_string(),
            "{file}"
        );
        for (class, probability) in most {
            let found = f64::from(prediction.probabilities[class]);
            println!("{file} {class}: {found} instead of {probability}");
            assert!(
                (found - probability).abs() < 1e-3,
                "{file} {class}: {found} {probability}"
            );
        }
    }
}
