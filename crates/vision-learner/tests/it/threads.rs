//! Prediction from many threads.

use std::thread;

use rayon::prelude::*;
use vision_data::{DatasetType, Image};
use vision_learner::{Learner, Predictor, create_cnn};
use vision_models::Arch;

use crate::support;

const THREADS: usize = 8;

fn learner() -> (tempfile::TempDir, Learner, Vec<Image>) {
    let folder = tempfile::tempdir().unwrap();
    let path =
        vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 3, 8, 4).unwrap();
    let data = support::data(&path, 4);
    let images = (0..8).map(|i| data.valid_ds().image(i).unwrap()).collect();
    let mut learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    learner.fit_one_cycle(1, 1e-3).unwrap();
    (folder, learner, images)
}

fn shared<T: Send + Sync>() {}

#[test]
fn threads_share_a_predictor_and_a_learner_and_get_the_bits_of_one_thread() {
    shared::<Predictor>();
    shared::<Learner>();
    let (_folder, learner, images) = learner();
    let predictor = learner.predictor();
    let expected: Vec<_> = images.iter().map(|i| learner.predict(i).unwrap()).collect();
    let all = learner.get_preds(DatasetType::Valid).unwrap();
    thread::scope(|scope| {
        for first in 0..THREADS {
            let (own, learner, images, expected, all) =
                (predictor.clone(), &learner, &images, &expected, &all);
            scope.spawn(move || {
                for k in 0..images.len() {
                    let k = (first + k) % images.len();
                    assert_eq!(own.predict(&images[k]).unwrap(), expected[k], "image {k}");
                    assert_eq!(
                        learner.predict(&images[k]).unwrap(),
                        expected[k],
                        "image {k}"
                    );
                }
                assert_eq!(&learner.get_preds(DatasetType::Valid).unwrap(), all);
            });
        }
    });
}

#[test]
fn training_changes_the_learner_and_not_its_predictor() {
    let (_folder, mut learner, images) = learner();
    let predictor = learner.predictor();
    let before = learner.predict(&images[0]).unwrap();
    learner.fit_one_cycle(1, 1e-2).unwrap();
    assert_ne!(learner.predict(&images[0]).unwrap(), before);
    assert_eq!(predictor.predict(&images[0]).unwrap(), before);
    let data = learner.data().clone();
    drop(learner);
    drop(data);
    assert_eq!(predictor.predict(&images[0]).unwrap(), before);
}

#[test]
fn threads_of_a_pool_predict_too_while_others_do() {
    let (_folder, learner, images) = learner();
    let predictor = learner.predictor();
    let expected: Vec<_> = images.iter().map(|i| learner.predict(i).unwrap()).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                (0..8 * images.len()).into_par_iter().for_each(|k| {
                    let k = k % images.len();
                    assert_eq!(
                        predictor.predict(&images[k]).unwrap(),
                        expected[k],
                        "image {k}"
                    );
                });
            });
        }
        for k in 0..images.len() {
            assert_eq!(
                predictor.predict(&images[k]).unwrap(),
                expected[k],
                "image {k}"
            );
        }
    });
}

// Weights are packed by the first prediction, in parallel. A thread of the pool that waits for its part of that takes up
// another prediction, which needs the same weights.
#[test]
fn threads_of_a_pool_may_all_be_the_first_to_predict() {
    let (_folder, learner, images) = learner();
    let expected: Vec<_> = images.iter().map(|i| learner.predict(i).unwrap()).collect();
    for threads in [2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        for _ in 0..10 {
            let predictor = learner.predictor();
            let all = || images.par_iter().map(|i| predictor.predict(i).unwrap());
            assert_eq!(pool.install(|| all().collect::<Vec<_>>()), expected);
        }
    }
}
