//! Top losses: cases computed with fastai v1's interpretation.

use vision_base::OptionError;
use vision_data::Targets;
use vision_interp::{ClassificationInterpretation, Error, LossTitle, TopLossesConfig};
use vision_learner::Predictions;

use crate::support::{gray, interpretation, names, predictions, texts};

#[test]
fn top_losses_are_the_largest_in_descending_order() {
    let items: Vec<_> = (0..20).map(|i| (0, 0, (i * 7 % 20) as f32)).collect();
    let interp = interpretation(&["3", "7"], &items);
    let (losses, indices) = interp.top_losses(9);
    assert_eq!(
        losses,
        [19.0, 18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0, 11.0]
    );
    for (loss, index) in losses.iter().zip(&indices) {
        assert_eq!(items[*index].2, *loss);
    }
    assert_eq!(interp.lowest_losses(3).0, [0.0, 1.0, 2.0]);
}

#[test]
fn more_losses_than_items_are_all_of_them() {
    let interp = interpretation(&["3", "7"], &[(0, 0, 1.0), (0, 0, 2.0)]);
    assert_eq!(interp.top_losses(usize::MAX), (vec![2.0, 1.0], vec![1, 0]));
    assert_eq!(interp.top_losses(0), (vec![], vec![]));
}

#[test]
fn equal_losses_stay_in_the_order_of_the_items() {
    let items = [
        (0, 0, 1.0),
        (0, 0, 0.0),
        (0, 0, 1.0),
        (0, 0, -0.0),
        (0, 0, 1.0),
    ];
    let interp = interpretation(&["3", "7"], &items);
    assert_eq!(interp.top_losses(5).1, [0, 2, 4, 1, 3]);
    assert_eq!(interp.lowest_losses(5).1, [1, 3, 0, 2, 4]);
}

#[test]
fn nan_counts_as_the_largest_loss_as_in_torch_topk() {
    // torch.topk(tensor([1, nan, inf, -nan, 2]), 5): nan, nan, inf, 2, 1; with largest=False 1, 2, inf, nan, nan.
    let items = [1.0, f32::NAN, f32::INFINITY, -f32::NAN, 2.0].map(|loss| (0, 0, loss));
    let interp = interpretation(&["3", "7"], &items);
    assert_eq!(interp.top_losses(5).1, [1, 3, 2, 4, 0]);
    assert_eq!(interp.lowest_losses(5).1, [0, 4, 2, 1, 3]);
}

#[test]
fn indices_are_positions_in_the_data_set_not_in_the_predictions() {
    let mut shuffled = predictions(2, &[(0, 0, 0.5), (1, 1, 1.5)]);
    shuffled.indices = vec![17, 4];
    let classes = names(&["3", "7"]);
    let interp = ClassificationInterpretation::from_predictions(classes, shuffled, |item| {
        assert!([17, 4].contains(&item));
        gray(item)
    });
    let interp = interp.unwrap();
    assert_eq!(interp.top_losses(2).1, [4, 17]);
    interp.plot_top_losses(2).unwrap();
}

#[test]
fn a_title_is_prediction_actual_loss_and_probability_of_the_actual_class() {
    let title = |loss, probability| {
        let (predicted, actual) = ("7".to_owned(), "3".to_owned());
        LossTitle {
            predicted,
            actual,
            loss,
            probability,
        }
        .to_string()
    };
    assert_eq!(title(5.8249, 0.00296), "7/3 / 5.82 / 0.00");
    // Python's f"{loss:.2f}".
    assert_eq!(title(0.125, 0.375), "7/3 / 0.12 / 0.38");
    assert_eq!(title(f32::NAN, f32::INFINITY), "7/3 / nan / inf");

    // The actual class 3 has the rest of 0.6.
    let interp = interpretation(&["3", "7"], &[(0, 1, 0.9163), (1, 1, 0.5108)]);
    let svg = interp.plot_top_losses(2).unwrap().to_svg();
    let expected = [
        "Prediction/Actual/Loss/Probability",
        "7/3 / 0.92 / 0.40",
        "7/7 / 0.51 / 0.60",
    ];
    assert_eq!(texts(&svg, "text"), expected);
}

#[test]
fn the_grid_is_as_square_as_can_be() {
    let items: Vec<_> = (0..12).map(|i| (0, 0, i as f32)).collect();
    let interp = interpretation(&["3", "7"], &items);
    // fastai: columns = ceil(sqrt(k)), rows = ceil(k / columns).
    for (k, columns, rows) in [
        (1, 1, 1),
        (2, 2, 1),
        (3, 2, 2),
        (5, 3, 2),
        (9, 3, 3),
        (10, 4, 3),
    ] {
        let config = TopLossesConfig::new(k).with_title("");
        let figure = interp.plot_top_losses_with(&config).unwrap();
        let (width, height) = (figure.width() / 182.0, figure.height() / 200.0);
        assert_eq!(
            (width.round(), height.round()),
            (columns as f32, rows as f32),
            "{k}"
        );
    }
}

#[test]
fn long_names_are_shortened_but_numbers_are_not() {
    let long = "x".repeat(500);
    let interp = interpretation(&[&long, "7"], &[(0, 1, 5.82), (1, 0, 1.5)]);
    let figure = interp.plot_top_losses(2).unwrap();
    assert!(figure.width() < 700.0);
    let svg = figure.to_svg();
    // The full title is shown on mouse-over.
    let whole = format!("7/{long} / 5.82 / 0.40");
    assert!(texts(&svg, "title").contains(&whole));
    let shown = &texts(&svg, "text")[1];
    assert!(
        shown.starts_with("7/xxx") && shown.ends_with("xx… / 5.82 / 0.40"),
        "{shown}"
    );
}

#[test]
fn the_smallest_losses_can_be_drawn_too() {
    let interp = interpretation(&["3", "7"], &[(0, 0, 2.0), (0, 0, 0.25)]);
    let config = TopLossesConfig::new(1)
        .with_largest(false)
        .with_title("Best");
    let svg = interp.plot_top_losses_with(&config).unwrap().to_svg();
    assert_eq!(texts(&svg, "text"), ["Best", "3/3 / 0.25 / 0.60"]);
}

#[test]
fn nothing_to_draw_is_an_error() {
    let interp = interpretation(&["3", "7"], &[]);
    assert!(matches!(
        interp.plot_top_losses(9),
        Err(Error::Figure(vision_figure::Error::NothingToDraw { .. }))
    ));
    let interp = interpretation(&["3", "7"], &[(0, 0, 1.0)]);
    assert!(matches!(
        interp.plot_top_losses(0),
        Err(Error::Figure(vision_figure::Error::NothingToDraw { .. }))
    ));
    let config = TopLossesConfig::new(1).with_cell_size(f32::NAN);
    let error = interp.plot_top_losses_with(&config).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Figure(vision_figure::Error::Option(OptionError {
                option: "cell_size",
                ..
            }))
        ),
        "{error}"
    );
}

#[test]
fn more_images_than_a_file_can_hold_are_an_error() {
    let items: Vec<_> = (0..4000).map(|i| (0, 0, i as f32)).collect();
    let interp = interpretation(&["3", "7"], &items);
    let error = interp.plot_top_losses(4000).unwrap_err();
    assert!(
        matches!(error, Error::Figure(vision_figure::Error::TooLarge { .. })),
        "{error}"
    );
}

#[test]
fn an_image_that_cannot_be_had_is_named() {
    let predictions = predictions(1, &[(0, 0, 1.0)]);
    let images = |_| Err("the disk is on fire".into());
    let interp =
        ClassificationInterpretation::from_predictions(names(&["3"]), predictions, images).unwrap();
    let error = interp.plot_top_losses(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot get the image of item 0: the disk is on fire"
    );
}

#[test]
fn parts_that_do_not_fit_together_are_an_error() {
    let good = || predictions(2, &[(0, 1, 1.0), (1, 1, 2.0)]);
    let check = |predictions: Predictions, classes: &[&str]| {
        ClassificationInterpretation::from_predictions(names(classes), predictions, gray).map(drop)
    };
    assert!(check(good(), &["3", "7"]).is_ok());
    let error = check(good(), &["3"]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Lengths {
                field: "the list of classes",
                ..
            }
        ),
        "{error}"
    );
    let error = check(
        Predictions {
            losses: vec![1.0],
            ..good()
        },
        &["3", "7"],
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Lengths {
                field: "losses",
                expected: 2,
                found: 1
            }
        ),
        "{error}"
    );
    let error = check(
        Predictions {
            indices: vec![],
            ..good()
        },
        &["3", "7"],
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Lengths {
                field: "indices",
                ..
            }
        ),
        "{error}"
    );
    let error = check(
        Predictions {
            probabilities: vec![],
            ..good()
        },
        &["3", "7"],
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Lengths {
                field: "probabilities",
                ..
            }
        ),
        "{error}"
    );
    let error = check(
        Predictions {
            targets: Targets::Category(vec![0, 2]),
            ..good()
        },
        &["3", "7"],
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::UnknownClass {
                role: "actual",
                found: 2,
                ..
            }
        ),
        "{error}"
    );
}
