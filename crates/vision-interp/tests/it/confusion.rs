//! Confusion matrix: cases computed with fastai v1's interpretation, and arithmetic.

use vision_interp::{ConfusionMatrix, Error};

use crate::support::{interpretation, names};

/// y = [0, 0, 1, 1, 2], p = [0, 1, 1, 1, 0].
const ITEMS: [(usize, usize, f32); 5] = [
    (0, 0, 0.1),
    (0, 1, 0.9),
    (1, 1, 0.2),
    (1, 1, 0.3),
    (2, 0, 1.5),
];

fn rows(matrix: &ConfusionMatrix) -> Vec<Vec<u64>> {
    matrix.rows().map(<[u64]>::to_vec).collect()
}

fn pairs(found: &[(String, String, usize)]) -> Vec<(&str, &str, usize)> {
    found
        .iter()
        .map(|(actual, predicted, n)| (actual.as_str(), predicted.as_str(), *n))
        .collect()
}

#[test]
fn rows_are_actual_classes_and_columns_predicted_ones() {
    let interp = interpretation(&["c0", "c1", "c2"], &ITEMS);
    let matrix = interp.confusion_matrix();
    assert_eq!(rows(matrix), [[1, 1, 0], [0, 2, 0], [1, 0, 0]]);
    assert_eq!((matrix.get(2, 0), matrix.get(0, 2)), (Some(1), Some(0)));
    assert_eq!((matrix.get(3, 0), matrix.get(0, 3)), (None, None));
    assert_eq!(
        (matrix.total(), matrix.correct(), matrix.accuracy()),
        (5, 3, 0.6)
    );
    assert_eq!(matrix.classes(), ["c0", "c1", "c2"]);
}

#[test]
fn most_confused_pairs_come_first_and_ties_in_the_order_of_the_matrix() {
    let interp = interpretation(&["c0", "c1", "c2"], &ITEMS);
    assert_eq!(
        pairs(&interp.most_confused(1)),
        [("c0", "c1", 1), ("c2", "c0", 1)]
    );
    let matrix = ConfusionMatrix::from_rows(["3", "7"], [[989, 21], [40, 988]]).unwrap();
    assert_eq!(
        pairs(&matrix.most_confused(1)),
        [("7", "3", 40), ("3", "7", 21)]
    );
    assert_eq!(
        pairs(&matrix.most_confused(21)),
        [("7", "3", 40), ("3", "7", 21)]
    );
    assert_eq!(pairs(&matrix.most_confused(22)), [("7", "3", 40)]);
    assert_eq!(pairs(&matrix.most_confused(41)), []);
}

#[test]
fn pairs_that_never_occurred_are_not_confused() {
    let matrix = ConfusionMatrix::from_rows(["a", "b"], [[5, 0], [0, 5]]).unwrap();
    assert_eq!(pairs(&matrix.most_confused(0)), []);
}

#[test]
fn classes_of_the_same_name_are_still_two_classes() {
    let matrix = ConfusionMatrix::from_rows(["a", "a"], [[5, 2], [0, 5]]).unwrap();
    assert_eq!(pairs(&matrix.most_confused(1)), [("a", "a", 2)]);
}

#[test]
fn normalized_rows_sum_to_one_and_empty_rows_are_nan() {
    let matrix = ConfusionMatrix::from_rows(["a", "b", "c"], [[1, 3, 0], [0, 0, 0], [0, 0, 7]]);
    let normalized = matrix.unwrap().normalized();
    assert_eq!(normalized[0], [0.25, 0.75, 0.0]);
    assert!(normalized[1].iter().all(|value| value.is_nan()));
    assert_eq!(normalized[2], [0.0, 0.0, 1.0]);
}

#[test]
fn scores_of_a_class_follow_from_its_row_and_column() {
    let matrix =
        ConfusionMatrix::from_rows(["a", "b", "c"], [[8, 2, 0], [1, 3, 0], [0, 0, 0]]).unwrap();
    let scores = matrix.per_class();
    // TP 8, FP 1, FN 2; TP 3, FP 2, FN 1.
    assert_eq!(
        (scores[0].precision, scores[0].recall),
        (8.0 / 9.0, 8.0 / 10.0)
    );
    assert_eq!((scores[0].f1, scores[0].support), (16.0 / 19.0, 10));
    assert_eq!(
        (scores[1].precision, scores[1].recall),
        (3.0 / 5.0, 3.0 / 4.0)
    );
    assert_eq!((scores[1].f1, scores[1].support), (6.0 / 9.0, 4));
    // Of a class that does not occur nothing is known: 0, as in scikit-learn, and the counts say why.
    let c = &scores[2];
    assert_eq!((c.precision, c.recall, c.f1), (0.0, 0.0, 0.0));
    assert_eq!((c.class.as_str(), c.support, c.predicted), ("c", 0, 0));
}

/// No score is NaN, whatever is never predicted or does not occur.
#[test]
fn no_score_is_nan() {
    for rows in [
        [[0, 0], [0, 0]],
        [[0, 3], [0, 0]],
        [[0, 0], [3, 0]],
        [[5, 0], [0, 0]],
    ] {
        let report = ConfusionMatrix::from_rows(["a", "b"], rows)
            .unwrap()
            .classification_report();
        let averages = [report.micro_avg, report.macro_avg, report.weighted_avg];
        let averages = averages.map(|a| [a.precision, a.recall, a.f1]);
        let classes = report.classes.iter().map(|c| [c.precision, c.recall, c.f1]);
        assert!(
            classes.chain(averages).flatten().all(f64::is_finite),
            "{report:?}"
        );
    }
}

#[test]
fn counts_beyond_what_a_float_holds_are_an_error() {
    for rows in [[[u64::MAX, u64::MAX], [0, 0]], [[1 << 53, 0], [0, 1]]] {
        let error = ConfusionMatrix::from_rows(["a", "b"], rows).unwrap_err();
        assert!(
            matches!(&error, Error::Option(found) if found.option == "counts"),
            "{error:?}"
        );
    }
    assert!(ConfusionMatrix::from_rows(["a", "b"], [[1 << 53, 0], [0, 0]]).is_ok());
}

#[test]
fn long_names_of_a_table_still_differ() {
    let classes = [
        "Papilio machaon male",
        "Papilio machaon female",
        "Papilio machaon larva",
    ];
    let table = ConfusionMatrix::new(classes).to_string();
    let mut rows: Vec<&str> = table.lines().skip(1).map(|line| &line[..20]).collect();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), 3, "{table}");
}

#[test]
fn a_class_that_does_not_exist_is_an_error_and_counts_nothing() {
    let mut matrix = ConfusionMatrix::new(["a", "b"]);
    let error = matrix.add(0, 2).unwrap_err();
    assert!(matches!(
        error,
        Error::UnknownClass {
            role: "predicted",
            found: 2,
            classes: 2
        }
    ));
    assert!(matches!(
        matrix.add(9, 0),
        Err(Error::UnknownClass { role: "actual", .. })
    ));
    assert_eq!(matrix.total(), 0);
}

#[test]
fn rows_of_another_length_are_an_error() {
    let wide: Vec<Vec<u64>> = vec![vec![1, 2], vec![1, 2, 3]];
    assert!(matches!(
        ConfusionMatrix::from_rows(["a", "b"], wide),
        Err(Error::Lengths { .. })
    ));
    let few = ConfusionMatrix::from_rows(["a", "b"], [[1, 2]]);
    assert!(matches!(
        few,
        Err(Error::Lengths {
            expected: 2,
            found: 1,
            ..
        })
    ));
}

#[test]
fn a_matrix_without_classes_or_items_is_empty_not_a_panic() {
    let nothing = ConfusionMatrix::new(names(&[]));
    assert_eq!(
        (nothing.total(), nothing.rows().len(), nothing.get(0, 0)),
        (0, 0, None)
    );
    assert!(nothing.accuracy().is_nan());
    assert!(nothing.per_class().is_empty() && nothing.most_confused(1).is_empty());
    let interp = interpretation(&["a"], &[]);
    assert_eq!(interp.confusion_matrix().total(), 0);
    assert!(interp.accuracy().is_nan());
}

#[test]
fn a_small_matrix_is_displayed_as_a_table_and_a_large_one_in_short() {
    let matrix = ConfusionMatrix::from_rows(["3", "7"], [[989, 21], [40, 988]]).unwrap();
    let lines = [
        "actual \\ predicted    3    7",
        "3                   989   21",
    ];
    let table = matrix.to_string();
    assert_eq!(table.lines().take(2).collect::<Vec<_>>(), lines);
    assert_eq!(table.lines().count(), 3);
    let mut many = ConfusionMatrix::new((0..1000).map(|class| class.to_string()));
    many.add(1, 1).unwrap();
    many.add(1, 2).unwrap();
    assert_eq!(
        many.to_string(),
        "1000 x 1000 confusion matrix of 2 items, accuracy 0.5000"
    );
}

#[test]
fn names_of_classes_cannot_write_to_the_terminal_nor_break_the_table() {
    let classes = ["a\u{1b}[2J", "b\nc", "d"];
    let matrix = ConfusionMatrix::new(classes);
    let table = matrix.to_string();
    assert!(
        !table.contains(|c: char| c.is_control() && c != '\n'),
        "{table:?}"
    );
    assert_eq!(table.lines().count(), 1 + classes.len());
}

/// Three groups of classes, of which only those of one group are confused; the classes of the groups alternate.
fn groups(classes: usize) -> ConfusionMatrix {
    let row = |actual: usize| -> Vec<u64> {
        let count = |predicted: usize| match (actual == predicted, (actual + predicted) % 3) {
            (true, _) => 80,
            _ if actual % 3 == predicted % 3 => 2 + ((actual * predicted) % 5) as u64,
            _ => 0,
        };
        (0..classes).map(count).collect()
    };
    let names = (0..classes).map(|class| format!("class {class}"));
    ConfusionMatrix::from_rows(names, (0..classes).map(row)).unwrap()
}

#[test]
fn classes_that_are_confused_are_neighbors_in_the_order() {
    for classes in [3, 12, 60] {
        let order = groups(classes).order_by_confusion();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..classes));
        let changes = order.windows(2).filter(|pair| pair[0] % 3 != pair[1] % 3);
        assert_eq!(changes.count(), 2, "{order:?}");
    }
    // The nearest two are in the middle of a chain a-b-c, whatever their place in the matrix.
    let rows = [[90, 0, 5, 5], [0, 100, 0, 0], [9, 0, 91, 0], [6, 0, 0, 94]];
    let order = ConfusionMatrix::from_rows(["a", "x", "b", "c"], rows).unwrap();
    let order = order.order_by_confusion();
    let place = |class| order.iter().position(|own| *own == class).unwrap();
    assert_eq!(place(0).abs_diff(place(2)), 1, "{order:?}");
    assert_eq!(place(0).abs_diff(place(3)), 1, "{order:?}");
    let none: [&str; 0] = [];
    assert!(ConfusionMatrix::new(none).order_by_confusion().is_empty());
    assert_eq!(
        ConfusionMatrix::new(["a", "b"]).order_by_confusion().len(),
        2
    );
}

#[test]
fn examples_of_a_confused_pair_are_its_items_with_the_largest_losses() {
    let items = [
        (0, 1, 1.0),
        (0, 1, 3.0),
        (0, 0, 9.0),
        (0, 1, 2.0),
        (1, 2, 5.0),
        (2, 0, 4.0),
        (2, 0, 4.5),
    ];
    let interp = interpretation(&["cat", "dog", "fish"], &items);
    let pairs = interp.most_confused_examples(2, 2);
    let short: Vec<_> = pairs
        .iter()
        .map(|pair| {
            let items: Vec<usize> = pair.examples.iter().map(|example| example.item).collect();
            (
                pair.actual.as_str(),
                pair.predicted.as_str(),
                pair.count,
                items,
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            ("cat", "dog", 3, vec![1, 3]),
            ("fish", "cat", 2, vec![6, 5])
        ]
    );
    assert_eq!(
        pairs[1].to_string(),
        "\"fish\" was predicted as \"cat\" 2 times: item 6, item 5"
    );
    let named = interp.with_names(|item| format!("{item}.jpg"));
    let pair = &named.most_confused_examples(9, 1)[2];
    assert_eq!(
        pair.to_string(),
        "\"dog\" was predicted as \"fish\" 1 time: 4.jpg"
    );
    assert_eq!(
        named.most_confused_examples(usize::MAX, usize::MAX).len(),
        3
    );
    assert!(named.most_confused_examples(0, 1).is_empty());
}

#[test]
fn a_matrix_is_a_table_for_other_programs() {
    let matrix = ConfusionMatrix::from_rows(["a, b", "=1"], [[3, 1], [0, 2]]).unwrap();
    assert_eq!(
        matrix.to_csv(),
        "actual,\"a, b\",\"'=1\"\n\"a, b\",3,1\n\"'=1\",0,2\n"
    );
    let json = serde_json::to_value(&matrix).unwrap();
    assert_eq!(json["counts"], serde_json::json!([3, 1, 0, 2]));
}
