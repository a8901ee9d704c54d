//! Two classifiers on the same images.

use vision_interp::{ClassificationInterpretation, Error};

use crate::support::{gray, interpretation, names, predictions, texts};

#[test]
fn images_that_changed_sides_are_listed_with_what_both_say() {
    // (actual, predicted, loss)
    let a = interpretation(
        &["cat", "dog"],
        &[(0, 0, 0.5), (1, 0, 0.9), (0, 0, 0.5), (1, 1, 0.5)],
    );
    let b = interpretation(
        &["cat", "dog"],
        &[(0, 1, 0.9), (1, 1, 0.5), (0, 0, 0.5), (1, 1, 0.5)],
    );
    let b = b.with_names(|item| format!("={item}.png"));
    let a = a.with_names(|item| format!("={item}.png"));
    let found = a.compare(&b).unwrap();
    assert_eq!(
        (found.comparison.accuracy_a, found.comparison.accuracy_b),
        (0.75, 0.75)
    );
    assert_eq!((found.only_a.len(), found.only_b.len()), (1, 1));
    let lost = &found.only_a[0];
    assert_eq!((lost.item, lost.actual.as_str()), (0, "cat"));
    assert_eq!(
        (lost.predicted_a.as_str(), lost.predicted_b.as_str()),
        ("cat", "dog")
    );
    assert_eq!((lost.probability_a, lost.probability_b), (0.6, 0.4));
    assert_eq!(found.only_b[0].item, 1);
    let said = found.to_string();
    assert!(said.starts_with("Both runs are equally accurate"), "{said}");
    assert!(
        said.ends_with("within noise. Only A is right for 1 image, only B for 1 image."),
        "{said}"
    );
    assert_eq!(
        found.to_csv(),
        "image,actual,predicted_a,predicted_b,probability_a,probability_b\n\
         \"'=0.png\",cat,cat,dog,0.6,0.4\n\"'=1.png\",dog,cat,dog,0.4,0.6\n"
    );
    let shown = texts(&a.plot_changed(&b, 9).unwrap().to_svg(), "text").join(" ");
    assert!(
        shown.contains("cat → dog/cat") && shown.contains("dog/dog"),
        "{shown}"
    );
    let none = a.plot_changed(&a.clone(), 9);
    assert!(matches!(none, Err(Error::Figure(_))), "nothing changed");
}

#[test]
fn classifiers_of_other_images_or_classes_are_not_compared() {
    let a = interpretation(&["cat", "dog"], &[(0, 0, 0.5), (1, 0, 0.9)]);
    let other = interpretation(&["cat", "cow"], &[(0, 0, 0.5), (1, 0, 0.9)]);
    let error = a.compare(&other).unwrap_err().to_string();
    assert!(error.contains("bad B") && error.contains("cow"), "{error}");
    let fewer = interpretation(&["cat", "dog"], &[(0, 0, 0.5)]);
    assert!(matches!(a.compare(&fewer), Err(Error::Learner(_))));
    let moved = predictions(2, &[(1, 0, 0.5), (0, 0, 0.9)]);
    let moved = ClassificationInterpretation::from_predictions(names(&["cat", "dog"]), moved, gray);
    assert!(matches!(a.compare(&moved.unwrap()), Err(Error::Learner(_))));
    let empty = interpretation(&["cat", "dog"], &[]);
    assert!(matches!(
        empty.compare(&empty.clone()),
        Err(Error::Learner(_))
    ));
}
