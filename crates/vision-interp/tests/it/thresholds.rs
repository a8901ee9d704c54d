//! The best threshold of each of several classes per item.

use vision_data::{MultiLabels, Targets};
use vision_interp::MultiLabelInterpretation;
use vision_learner::Predictions;

use crate::support::{gray, names};

/// Items with these probabilities and classes, the positions in the data set counted from 100.
fn interpretation(rows: &[([f32; 2], [bool; 2])]) -> MultiLabelInterpretation {
    let mut labels = MultiLabels::new(2);
    for (_, own) in rows {
        labels.push((0..2).filter(|class| own[*class])).unwrap();
    }
    let predictions = Predictions {
        probabilities: rows.iter().flat_map(|(p, _)| *p).collect(),
        classes: 2,
        targets: Targets::MultiCategory(labels),
        losses: vec![0.0; rows.len()],
        indices: (100..100 + rows.len()).collect(),
    };
    MultiLabelInterpretation::from_predictions(names(&["a", "b"]), predictions, gray).unwrap()
}

fn rows() -> Vec<([f32; 2], [bool; 2])> {
    // Multiples of 1/32, by a linear congruence: ties, and errors of both kinds. The classes lie lower and higher than 0.5.
    let mut state = 7_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 27) as f32 / 32.0
    };
    let mut row = |_| {
        let (p, q, noise) = (next(), next(), next());
        ([p / 2.0, q / 2.0 + 0.5], [p + noise > 0.9, q - noise > 0.1])
    };
    (0..60).map(&mut row).collect()
}

/// 2 TP / (2 TP + FP + FN), counted in another way than the library does.
fn f1(rows: &[([f32; 2], [bool; 2])], class: usize, threshold: f32) -> f64 {
    let count = |predicted: bool, actual: bool| {
        let is = |row: &&([f32; 2], [bool; 2])| {
            (row.0[class] > threshold) == predicted && row.1[class] == actual
        };
        rows.iter().filter(is).count() as f64
    };
    2.0 * count(true, true) / (2.0 * count(true, true) + count(true, false) + count(false, true))
}

#[test]
fn no_other_threshold_has_a_larger_f1_on_the_half_on_which_it_was_found() {
    let rows = rows();
    let interp = interpretation(&rows);
    for seed in [0, 1, u64::MAX] {
        let found = interp.best_thresholds(seed).unwrap();
        let of =
            |items: &[usize]| -> Vec<_> { items.iter().map(|item| rows[item - 100]).collect() };
        let (own, other) = (of(&found.found_on), of(&found.reported_on));
        assert_eq!((own.len(), other.len()), (30, 30));
        for (class, best) in found.classes.iter().enumerate() {
            let threshold = best.threshold.unwrap();
            // All multiples of 1/128: below, between and above the probabilities.
            let all = (0..128).map(|i| f1(&own, class, i as f32 / 128.0));
            assert_eq!(best.f1_found, Some(all.fold(0.0, f64::max)));
            assert_eq!(best.f1_found, Some(f1(&own, class, threshold)));
            assert_eq!(best.f1, Some(f1(&other, class, threshold)));
            assert_eq!(best.f1_before, Some(f1(&other, class, 0.5)));
            // "At least" is the same as "above".
            assert!(rows.iter().all(|row| row.0[class] != threshold));
        }
        let (before, after) = found.mean_f1().unwrap();
        assert!(after > before, "{found}");
    }
}

#[test]
fn a_seed_chooses_the_halves_and_each_item_is_in_one() {
    let interp = interpretation(&rows());
    let found = interp.best_thresholds(3).unwrap();
    assert_eq!(found, interp.best_thresholds(3).unwrap());
    assert_ne!(found.found_on, interp.best_thresholds(4).unwrap().found_on);
    let mut all = [found.found_on, found.reported_on].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(100..160));
}

#[test]
fn a_class_that_no_item_has_keeps_the_threshold_of_the_interpretation() {
    let rows = [
        ([0.9, 0.1], [true, false]),
        ([0.8, 0.2], [true, false]),
        ([0.7, 0.3], [true, false]),
        ([0.6, 0.4], [true, false]),
    ];
    let found = interpretation(&rows).with_threshold(0.45).unwrap();
    let found = found.best_thresholds(0).unwrap();
    assert_eq!(found.classes[1].threshold, None);
    // Neither there nor predicted.
    assert_eq!(found.classes[1].f1_before, None);
    assert_eq!(found.thresholds()[1], 0.45);
    let shown = found.to_string();
    assert!(
        shown.contains("found on 2 items, f1 on 2 others"),
        "{shown}"
    );
}

#[test]
fn too_few_items_and_what_is_no_probability_are_errors() {
    for rows in [vec![], vec![([0.5; 2], [true; 2])]] {
        let error = interpretation(&rows).best_thresholds(0).unwrap_err();
        assert!(error.to_string().contains("at least two items"), "{error}");
    }
    let rows = [([f32::NAN; 2], [true; 2]), ([0.5; 2], [true; 2])];
    let error = interpretation(&rows).best_thresholds(0).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
    // Neighbors among the numbers, and 0, from which on everything is predicted.
    let next = f32::from_bits(0.5_f32.to_bits() + 1);
    for p in [[0.5, next], [0.0, 1e-45], [0.0, 0.0], [1.0, 1.0]] {
        let rows = p.map(|p| ([p; 2], [true; 2]));
        for threshold in interpretation(&rows)
            .best_thresholds(0)
            .unwrap()
            .thresholds()
        {
            assert!((0.0..=1.0).contains(&threshold), "{threshold}");
        }
    }
}
