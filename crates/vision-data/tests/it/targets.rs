//! Labels of three kinds, as rows and on a device.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use vision_data::{Error, LabelError, MultiLabels, Target, TargetKind, Targets, device};

fn multi(items: &[&[usize]]) -> Targets {
    let mut labels = MultiLabels::new(4);
    for item in items {
        labels.push(item.iter().copied()).unwrap();
    }
    Targets::MultiCategory(labels)
}

#[test]
fn several_classes_an_item_become_ones_and_zeros() {
    let targets = multi(&[&[3, 0], &[], &[2, 2, 1]]);
    assert_eq!((targets.len(), targets.columns()), (3, 4));
    assert_eq!(
        targets.rows(),
        [1., 0., 0., 1., 0., 0., 0., 0., 0., 1., 1., 0.]
    );
    assert_eq!(targets.get(2), Some(Target::MultiCategory(vec![1, 2])));
    assert_eq!(targets.get(3), None);
    let device = device::default_device().unwrap();
    assert_eq!(targets.to_float(&device).dims(), [3, 4]);
}

#[test]
fn a_selection_keeps_each_label_with_its_item() {
    let chosen = multi(&[&[3, 0], &[], &[2, 1]]).select(&[2, 0, 2, 9]);
    assert_eq!(chosen, multi(&[&[1, 2], &[0, 3], &[1, 2]]));

    let numbers = Targets::Float {
        columns: 2,
        values: vec![1., 2., 3., 4., 5., 6.],
    };
    let chosen = numbers.select(&[2, 0]);
    assert_eq!(chosen.rows(), [5., 6., 1., 2.]);
    assert_eq!(chosen.get(1), Some(Target::Float(vec![1., 2.])));

    assert_eq!(
        Targets::Category(vec![7, 8, 9]).select(&[1]),
        Targets::Category(vec![8])
    );
    assert_eq!(Targets::Empty(3).select(&[0, 2, 5]), Targets::Empty(2));
}

#[test]
fn a_kind_is_not_taken_for_another() {
    let device = device::default_device().unwrap();
    for (targets, kind) in [
        (multi(&[&[1]]), TargetKind::MultiCategory),
        (
            Targets::Float {
                columns: 1,
                values: vec![0.5],
            },
            TargetKind::Float,
        ),
    ] {
        assert_eq!(targets.kind(), Some(kind));
        let error = targets.to_int(&device).unwrap_err();
        assert!(
            matches!(error, Error::Label(LabelError::WrongKind { found, .. }) if found == kind),
            "{error}"
        );
    }
    assert_eq!(Targets::Empty(2).categories().unwrap(), [0, 0]);
    assert_eq!(Targets::Empty(2).kind(), None);
}

#[test]
fn a_class_that_the_set_does_not_have_is_refused() {
    let mut labels = MultiLabels::new(2);
    let error = labels.push([0, 2]).unwrap_err();
    assert!(error.to_string().contains("2 of 2"), "{error}");
    // Nothing of it is left behind.
    labels.push([1]).unwrap();
    assert_eq!(labels.one_hot(), [0.0, 1.0]);
}
