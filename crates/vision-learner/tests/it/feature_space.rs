//! Similar images, near duplicates and outliers: against scikit-learn and cleanlab, and against plain loops.

use std::collections::BTreeSet;

use serde::Deserialize;
use vision_base::OptionError;
use vision_data::DatasetType;
use vision_data::inspect::doctor::Split;
use vision_learner::{Embeddings, Error, FeatureSpace, NearDuplicates};

use crate::prelude::*;
use crate::support::{data, digits};

#[derive(Deserialize)]
struct Fixture {
    labels: Vec<u32>,
    features: Vec<Vec<f32>>,
    all: Vec<Expected>,
    first_class: OfClass,
}

#[derive(Deserialize)]
struct OfClass {
    items: Vec<usize>,
    #[serde(flatten)]
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    k: usize,
    scores: Vec<f64>,
    mean_distances: Vec<f64>,
    distances: Vec<Vec<f64>>,
    indices: Vec<Vec<usize>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/feature_space.json")).unwrap()
}

fn features(part: Split, labels: &[u32], rows: &[Vec<f32>]) -> Embeddings {
    let names = (0..rows.len()).map(|item| format!("{item}.jpg"));
    let labels = labels.iter().map(u32::to_string);
    Embeddings::from_rows(part, names, labels, rows.concat(), rows[0].len()).unwrap()
}

/// Numbers from -1 to 1, by a linear congruence.
fn noise(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn neighbors_are_those_of_scikit_learn() {
    let fixture = fixture();
    let features = features(Split::Train, &fixture.labels, &fixture.features);
    let space = FeatureSpace::new([&features]).unwrap();
    for expected in &fixture.all {
        for item in 0..space.len() {
            let found = space.similar(item, expected.k).unwrap();
            assert_eq!(found.len(), expected.k);
            for (neighbor, (distance, index)) in
                (found.iter()).zip(expected.distances[item].iter().zip(&expected.indices[item]))
            {
                assert!((1.0 - neighbor.similarity - distance).abs() < 1e-12);
                // Neighbors at one distance come in any order from scikit-learn.
                let ties = (expected.distances[item].iter())
                    .filter(|other| (*other - distance).abs() < 1e-9)
                    .count();
                let last = expected.distances[item].last().unwrap();
                if ties == 1 && (last - distance).abs() > 1e-9 {
                    assert_eq!(neighbor.position, *index, "item {item}");
                }
            }
        }
    }
}

#[test]
fn outliers_have_the_scores_of_cleanlab_among_all_images_and_within_a_class() {
    let fixture = fixture();
    let features = features(Split::Train, &fixture.labels, &fixture.features);
    let space = FeatureSpace::new([&features]).unwrap();
    for expected in &fixture.all {
        let found = space.outliers(expected.k).unwrap();
        assert!(found.items.is_sorted_by(|a, b| a.score <= b.score));
        for item in &found.items {
            let (distance, score) = (
                expected.mean_distances[item.position],
                expected.scores[item.position],
            );
            assert!(
                (item.distance - distance).abs() < 1e-12,
                "{item:?}: {distance}"
            );
            assert!((item.score - score).abs() < 1e-12, "{item:?}: {score}");
        }
    }
    // The one that was turned around.
    assert_eq!(space.outliers(10).unwrap().items[0].position, 11);
    let OfClass { items, expected } = &fixture.first_class;
    let found = space.outliers(expected.k).unwrap();
    for (place, position) in items.iter().enumerate() {
        let item = found.items.iter().find(|item| item.position == *position);
        let item = item.unwrap();
        let (distance, score) = (item.own_distance.unwrap(), item.own_score.unwrap());
        assert!((distance - expected.mean_distances[place]).abs() < 1e-12);
        assert!((score - expected.scores[place]).abs() < 1e-12, "{item:?}");
    }
}

/// Points of several blocks and tiles, with clusters so dense that 32 bits cannot tell them apart.
fn many() -> (usize, Vec<Vec<f32>>) {
    let (count, dim) = (1300, 33);
    let mut rows: Vec<Vec<f32>> = (0..count).map(|item| noise(item as u32 + 1, dim)).collect();
    for item in 0..40 {
        // Almost the direction of the first point.
        let change = noise(5000 + item, dim);
        let near = rows[0]
            .iter()
            .zip(change)
            .map(|(v, change)| v + 1e-6 * change);
        rows[1000 + 7 * item as usize] = near.collect();
    }
    rows[1299] = rows[3].clone();
    rows[640] = vec![0.0; dim];
    (dim, rows)
}

/// The cosine, by a plain loop in 64 bits.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms == 0.0 { 0.0 } else { dot(a, b) / norms }
}

#[test]
fn the_search_in_tiles_finds_what_a_loop_over_all_pairs_in_64_bits_finds() {
    let (_, rows) = many();
    let labels = vec![0; rows.len()];
    let features = features(Split::Train, &labels, &rows);
    let space = FeatureSpace::new([&features]).unwrap();
    let k = 5;
    let found = space.outliers(k).unwrap();
    for item in &found.items {
        let mut cosines: Vec<f64> = (0..rows.len())
            .filter(|other| *other != item.position)
            .map(|other| cosine(&rows[item.position], &rows[other]))
            .collect();
        cosines.sort_by(|a, b| b.total_cmp(a));
        let mean = cosines[..k].iter().map(|cosine| 1.0 - cosine).sum::<f64>() / k as f64;
        assert!((item.distance - mean).abs() < 1e-14, "{item:?}: {mean}");
        assert_eq!(item.own_distance, Some(item.distance));
    }
    assert_eq!(space.outliers(k).unwrap(), found);
}

fn members(found: &NearDuplicates) -> BTreeSet<Vec<usize>> {
    let members = |group: &vision_learner::DuplicateGroup| {
        group.items.iter().map(|item| item.position).collect()
    };
    found.groups.iter().map(members).collect()
}

#[test]
fn groups_are_the_connected_images_of_a_loop_over_all_pairs() {
    let (_, rows) = many();
    let features = features(Split::Train, &vec![0; rows.len()], &rows);
    let space = FeatureSpace::new([&features]).unwrap();
    // Also a limit that is exactly a similarity, which belongs to the group.
    let exact = space.similar(1000, 20).unwrap()[19].similarity;
    for threshold in [0.45, 0.9, exact, 1.0] {
        let mut sets: Vec<usize> = (0..rows.len()).collect();
        for a in 0..rows.len() {
            for b in 0..a {
                let equal = rows[a] == rows[b];
                if equal || cosine(&rows[a], &rows[b]) >= threshold - 1e-15 {
                    let (from, to) = (sets[a], sets[b]);
                    if from != to {
                        sets.iter_mut()
                            .filter(|set| **set == from)
                            .for_each(|set| *set = to);
                    }
                }
            }
        }
        let mut groups = std::collections::BTreeMap::<usize, Vec<usize>>::new();
        for (item, set) in sets.into_iter().enumerate() {
            groups.entry(set).or_default().push(item);
        }
        let groups = groups.into_values().filter(|group| group.len() > 1);
        let expected: BTreeSet<Vec<usize>> = groups.collect();
        let found = space.near_duplicates_above(threshold).unwrap();
        assert_eq!(members(&found), expected, "{threshold}");
        assert!(!expected.is_empty());
        for item in found.groups.iter().flat_map(|group| &group.items) {
            let similarity = cosine(&rows[item.position], &rows[item.nearest]);
            assert!((item.similarity - similarity).abs() < 1e-14);
            assert!(item.similarity >= threshold);
        }
    }
}

#[test]
fn a_group_of_two_parts_is_a_leak_and_different_labels_are_told() {
    let train = features(
        Split::Train,
        &[0, 1, 1],
        &[
            vec![1.0, 0.0, 0.0],
            vec![0.0, 1.0, 0.0],
            vec![0.0, 0.0, 1.0],
        ],
    );
    let valid = features(
        Split::Valid,
        &[0, 0],
        &[vec![1.0, 0.01, 0.0], vec![0.0, 0.02, 1.0]],
    );
    let space = FeatureSpace::new([&train, &valid]).unwrap();
    let found = space.near_duplicates().unwrap();
    assert_eq!(members(&found), BTreeSet::from([vec![0, 3], vec![2, 4]]));
    assert_eq!(found.leaks().count(), 2);
    // The most similar pair comes first.
    let differ: Vec<bool> = found
        .groups
        .iter()
        .map(|group| group.labels_differ)
        .collect();
    assert_eq!(differ, [false, true]);
    let parts: Vec<Split> = found.groups[0]
        .items
        .iter()
        .map(|item| item.item.part)
        .collect();
    assert_eq!(parts, [Split::Train, Split::Valid]);
    assert_eq!(space.items()[4].item, 1);
    let shown = found.to_string();
    assert!(shown.contains("2 of them in more than one part"), "{shown}");
    assert!(shown.contains("leak, labels differ\n"), "{shown}");
    let csv = found.to_csv();
    assert!(
        csv.contains("\n0,valid,0.jpg,0,0.999950,true,false\n"),
        "{csv}"
    );
    let own = FeatureSpace::new([&train]).unwrap();
    assert_eq!(own.near_duplicates().unwrap().groups, []);
}

#[test]
fn a_label_that_no_other_image_has_gives_no_score_of_its_own() {
    let rows = [vec![1.0, 0.0], vec![0.5, 0.5], vec![0.0, 1.0]];
    let features = features(Split::Train, &[0, 0, 1], &rows);
    let space = FeatureSpace::new([&features]).unwrap();
    // All others if there are fewer than k.
    let found = space.outliers(100).unwrap();
    let own = |position: usize| {
        let item = found.items.iter().find(|item| item.position == position);
        item.unwrap().own_distance
    };
    assert_eq!(own(2), None);
    let half = 1.0 - 0.5_f64.sqrt();
    assert!((own(0).unwrap() - half).abs() < 1e-15);
    assert!(found.to_csv().lines().any(|line| line.ends_with(",,")));
    assert!(found.to_string().contains("none"));
    assert_eq!(space.similar(0, 100).unwrap().len(), 2);
}

#[test]
fn images_without_difference_are_usual() {
    let rows = vec![vec![0.5, 0.25]; 12];
    let features = features(Split::Train, &[0; 12], &rows);
    let space = FeatureSpace::new([&features]).unwrap();
    for item in space.outliers(10).unwrap().items {
        assert_eq!(
            (item.distance, item.score, item.own_score),
            (0.0, 1.0, Some(1.0))
        );
    }
    assert_eq!(space.near_duplicates().unwrap().groups[0].items.len(), 12);
    let one = self::features(Split::Train, &[0], &[vec![1.0, 2.0]]);
    let space = FeatureSpace::new([&one]).unwrap();
    assert_eq!(space.outliers(10).unwrap().items[0].score, 1.0);
    assert_eq!(space.similar(0, 3).unwrap(), []);
}

fn refused<T: std::fmt::Debug>(result: vision_learner::Result<T>) -> OptionError {
    match result {
        Err(Error::Option(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_compared_is_an_error_that_names_it() {
    let good = || features(Split::Train, &[0, 1], &[vec![1.0, 0.0], vec![0.0, 1.0]]);
    for value in [f32::NAN, f32::INFINITY] {
        let mut bad = good();
        bad.rows[3] = value;
        let error = refused(FeatureSpace::new([&bad]));
        assert_eq!(error.found, format!("{value} for 1.jpg"));
    }
    let mut short = good();
    short.rows.pop();
    assert_eq!(refused(FeatureSpace::new([&short])).option, "features");
    let first = good();
    assert!(
        refused(FeatureSpace::new([&first, &first]))
            .found
            .contains("train")
    );
    let other = features(Split::Valid, &[0], &[vec![1.0; 3]]);
    assert!(
        refused(FeatureSpace::new([&first, &other]))
            .found
            .contains("2 of the layer")
    );
    refused(FeatureSpace::new([]));
    let names: [&str; 0] = [];
    let none = Embeddings::from_rows(Split::Test, names, names, Vec::new(), 4).unwrap();
    refused(FeatureSpace::new([&none]));
    let space = FeatureSpace::new([&first]).unwrap();
    assert_eq!(refused(space.similar(2, 1)).option, "to");
    assert_eq!(refused(space.similar_to(&[1.0], 1)).option, "features");
    assert_eq!(
        refused(space.similar_to(&[1.0, f32::NAN], 1)).option,
        "features"
    );
    assert_eq!(refused(space.outliers(0)).option, "k");
    for threshold in [-0.1, 1.1, f64::NAN] {
        assert_eq!(
            refused(space.near_duplicates_above(threshold)).option,
            "threshold"
        );
    }
    assert_eq!(
        space.similar_to(&[0.1, 1.0], 1).unwrap()[0].item.name,
        "1.jpg"
    );
    assert_eq!(
        (space.position("1.jpg"), space.position("2.jpg")),
        (Some(1), None)
    );
}

#[test]
fn the_same_image_in_training_and_validation_is_found_by_the_features_of_a_learner() {
    let digits = digits(6, 3);
    let copied = digits.path.join("valid/7/copy.png");
    std::fs::copy(digits.path.join("train/3/00002.png"), copied).unwrap();
    let learner = create_cnn(data(&digits.path, 4), Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let train = learner.embed(DatasetType::Fix).unwrap();
    let valid = learner.embed(DatasetType::Valid).unwrap();
    assert_eq!((train.part, valid.part), (Split::Train, Split::Valid));
    let space = FeatureSpace::new([&train, &valid]).unwrap();
    assert_eq!(space.len(), 12 + 7);
    let at = space.position("valid/7/copy.png").unwrap();
    let nearest = &space.similar(at, 1).unwrap()[0];
    assert_eq!(nearest.item.name, "train/3/00002.png");
    let found = space.near_duplicates_above(1.0 - 1e-9).unwrap();
    let group = found.leaks().next().unwrap();
    assert!(group.labels_differ);
    assert_eq!(group.items.len(), 2, "{found}");
}
