//! Confusion matrices, interpretation and their plots.

use std::hint::black_box;

use image::RgbImage;
use vision::data::{MultiLabels, Targets};
use vision::interp::{
    ClassificationInterpretation, ConfusionMatrix, ConfusionPlotConfig, LabelErrorConfig,
    LabelErrors, LabelFilter, LabelScore, LineChart, MultiLabelInterpretation, Overlay,
    TopLossesConfig,
};
use vision::learner::{Heatmap, Predictions};

use crate::support::{Folder, learner};
use crate::table::{ANY, Table};
use crate::values::{F32, F64, U64, USIZE, text_lists, texts};

fn matrix(count: u64) -> vision::interp::Result<ConfusionMatrix> {
    ConfusionMatrix::from_rows(["a", "b"], [[count, count], [count, 1]])
}

fn is_ratio(value: f64) -> bool {
    value.is_nan() || (0.0..=1.0).contains(&value)
}

fn predictions() -> Predictions {
    Predictions {
        probabilities: vec![0.9, 0.1, 0.6, 0.4],
        classes: 2,
        targets: Targets::Category(vec![0, 1]),
        losses: vec![0.1, 0.9],
        indices: vec![0, 1],
    }
}

fn interpret(predictions: Predictions) -> vision::interp::Result<ClassificationInterpretation> {
    let classes = vec!["a".to_owned(), "b".to_owned()];
    ClassificationInterpretation::from_predictions(classes, predictions, |_| {
        Ok(RgbImage::new(8, 8))
    })
}

fn chart() -> LineChart {
    LineChart::new().with_series("series", [(1.0, 2.0), (3.0, 4.0)])
}

pub(crate) fn table(t: &mut Table) {
    let names = |n: usize| text_lists().into_iter().filter(move |list| list.len() <= n);
    t.line("ConfusionMatrix::new", "classes", names(1000), |classes| {
        let matrix = ConfusionMatrix::new(classes);
        black_box((matrix.per_class(), matrix.normalized(), matrix.to_string()));
        assert!(is_ratio(matrix.accuracy()));
        matrix.plot(&ConfusionPlotConfig::new())
    });
    t.line("ConfusionMatrix::from_rows", "count", U64, |count| {
        let matrix = matrix(count)?;
        black_box((matrix.correct(), matrix.to_string()));
        assert!(
            is_ratio(matrix.accuracy()),
            "accuracy {}",
            matrix.accuracy()
        );
        assert!(
            matrix.normalized().concat().into_iter().all(is_ratio),
            "{:?}",
            matrix.normalized()
        );
        for scores in matrix.per_class() {
            assert!(
                [scores.precision, scores.recall, scores.f1]
                    .into_iter()
                    .all(is_ratio),
                "{scores:?}"
            );
        }
        matrix.plot(&ConfusionPlotConfig::new().with_normalized(true))?;
        matrix.plot(&ConfusionPlotConfig::new())
    });
    t.line("ConfusionMatrix::add", "class", USIZE, |n| {
        let mut matrix = matrix(1)?;
        matrix.add(0, n).and_then(|()| matrix.add(n, 0))
    });
    t.line("ConfusionMatrix::add", "count", [1, u64::MAX], |count| {
        let mut matrix = ConfusionMatrix::from_rows(["a"], [[count]])?;
        matrix.add(0, 0)
    });
    t.line("ConfusionMatrix::get", ANY, USIZE, |n| {
        let matrix = matrix(1).unwrap();
        black_box((matrix.get(n, n), matrix.get(0, n), matrix.get(n, 0)));
    });
    t.line("ConfusionMatrix::most_confused", ANY, USIZE, |n| {
        matrix(u64::from(u32::MAX)).unwrap().most_confused(n);
    });
    t.line(
        "ClassificationInterpretation::from_predictions",
        "classes|probabilities|losses|indices",
        USIZE,
        |n| {
            interpret(Predictions {
                classes: n,
                ..predictions()
            })?;
            interpret(Predictions {
                targets: Targets::Empty(n.min(1 << 20)),
                ..predictions()
            })
        },
    );
    t.line(
        "ClassificationInterpretation::from_predictions",
        "class",
        [0, 1, 2, u32::MAX],
        |class| {
            interpret(Predictions {
                targets: Targets::Category(vec![0, class]),
                ..predictions()
            })
        },
    );
    t.line(
        "ClassificationInterpretation::from_predictions",
        ANY,
        F32,
        |x| {
            let values = Predictions {
                probabilities: vec![x; 4],
                losses: vec![x; 2],
                ..predictions()
            };
            let interp = interpret(values)?;
            interp.top_losses(2);
            interp.plot_top_losses(2)
        },
    );
    t.line(
        "ClassificationInterpretation::from_predictions",
        ANY,
        USIZE,
        |n| {
            interpret(Predictions {
                indices: vec![n, n],
                ..predictions()
            })?
            .plot_top_losses(2)
        },
    );
    let find = |predictions: &Predictions, classes: &[String]| {
        for filter in [LabelFilter::Both, LabelFilter::ConfidentLearning] {
            for score in [
                LabelScore::NormalizedMargin,
                LabelScore::ConfidenceWeightedEntropy,
            ] {
                let config = LabelErrorConfig::new()
                    .with_filter(filter)
                    .with_score(score);
                let found = LabelErrors::from_predictions(classes, predictions, &config)?;
                assert!(found.scores.iter().all(|score| is_ratio(*score)));
                black_box((found.to_string(), found.to_csv()));
            }
        }
        Ok::<(), vision::interp::Error>(())
    };
    let ab = ["a".to_owned(), "b".to_owned()];
    t.line("LabelErrors::from_predictions", "predictions", F32, |x| {
        let odd = Predictions {
            probabilities: vec![x, 0.5, 0.5, x],
            ..predictions()
        };
        find(&odd, &ab)
    });
    t.line(
        "LabelErrors::from_predictions",
        "classes|probabilities|class|indices",
        USIZE,
        |n| {
            let class = u32::try_from(n).unwrap_or(u32::MAX);
            let targets = Targets::Category(vec![0, class]);
            let odd = |classes, targets| Predictions {
                classes,
                targets,
                ..predictions()
            };
            let unlabeled = odd(2, Targets::Empty(n.min(1 << 20)));
            assert!(find(&unlabeled, &ab).is_err());
            find(&odd(n, predictions().targets), &ab)?;
            find(&odd(2, targets), &ab)
        },
    );
    t.line(
        "LabelErrors::from_predictions",
        "classes",
        text_lists(),
        |classes| find(&predictions(), &classes),
    );
    t.line("LabelErrors::from_predictions", ANY, texts(), |text| {
        let swapped = Predictions {
            targets: Targets::Category(vec![1, 0]),
            ..predictions()
        };
        find(&swapped, &[text, "b".to_owned()])
    });
    let interp = || interpret(predictions()).unwrap();
    t.line(
        "ClassificationInterpretation::top_losses",
        ANY,
        USIZE,
        |k| {
            interp().top_losses(k);
        },
    );
    t.line(
        "ClassificationInterpretation::lowest_losses",
        ANY,
        USIZE,
        |k| {
            interp().lowest_losses(k);
        },
    );
    t.line(
        "ClassificationInterpretation::most_confused",
        ANY,
        USIZE,
        |k| {
            interp().most_confused(k);
        },
    );
    t.line(
        "ClassificationInterpretation::plot_top_losses",
        "images",
        USIZE,
        |k| interp().plot_top_losses(k),
    );
    t.line("TopLossesConfig::new", "images", USIZE, |k| {
        interp().plot_top_losses_with(&TopLossesConfig::new(k))
    });
    t.line("TopLossesConfig::with_title", ANY, texts(), |text| {
        interp().plot_top_losses_with(&TopLossesConfig::new(2).with_title(text))
    });
    t.line(
        "TopLossesConfig::with_cell_size",
        "cell_size|figure",
        F32,
        |x| interp().plot_top_losses_with(&TopLossesConfig::new(2).with_cell_size(x)),
    );
    let folder = Folder::new();
    let learner = learner(&folder.digits());
    let explained = ClassificationInterpretation::from_learner(&learner).unwrap();
    let heatmaps =
        |config: TopLossesConfig| explained.plot_top_losses_with_heatmaps(&config, &learner);
    t.line("TopLossesConfig::with_alpha", "alpha", F32, |x| {
        let map = Heatmap::new(vec![0.0, 1.0], [1, 2])?;
        map.overlay(&RgbImage::new(3, 3), x)?;
        heatmaps(TopLossesConfig::new(1).with_alpha(x))
    });
    t.line("TopLossesConfig::with_heatmap_thresh", ANY, USIZE, |n| {
        heatmaps(TopLossesConfig::new(1).with_heatmap_thresh(n))
    });
    t.line(
        "TopLossesConfig::with_cell_size",
        "cell_size|figure",
        F32,
        |x| heatmaps(TopLossesConfig::new(1).with_cell_size(x)),
    );
    for function in [
        "ClassificationInterpretation::roc_curve",
        "ClassificationInterpretation::precision_recall_curve",
        "ClassificationInterpretation::plot_roc",
        "ClassificationInterpretation::plot_precision_recall",
    ] {
        t.line(function, "class", USIZE, |n| {
            let interp = interp();
            black_box(interp.roc_curve(n)?.to_csv());
            black_box(interp.precision_recall_curve(n)?.to_csv());
            interp.plot_roc([n])?;
            interp.plot_precision_recall([n])
        });
        t.line(function, "classes", USIZE, |n| {
            interp().plot_roc((0..n).map(|_| 0))?;
            interp().plot_precision_recall((0..n).map(|_| 0))
        });
        t.line(function, "predictions", F32, |x| {
            let odd = interpret(Predictions {
                probabilities: vec![x, 0.5, 0.5, x],
                ..predictions()
            })?;
            odd.plot_roc([0, 1])?;
            odd.plot_precision_recall([0, 1])
        });
    }
    t.line(
        "ClassificationInterpretation::most_confused_examples",
        ANY,
        USIZE,
        |n| {
            black_box((
                interp().most_confused_examples(n, n),
                interp().most_confused_examples(1, n),
            ));
        },
    );
    let plot = |config: ConfusionPlotConfig| matrix(7).unwrap().plot(&config);
    t.line("ConfusionPlotConfig::with_title", ANY, texts(), |text| {
        plot(ConfusionPlotConfig::new().with_title(text))
    });
    t.line(
        "ConfusionPlotConfig::with_precision",
        "precision",
        USIZE,
        |n| {
            plot(
                ConfusionPlotConfig::new()
                    .with_normalized(true)
                    .with_precision(n),
            )
        },
    );
    t.line(
        "ConfusionPlotConfig::with_cell_size",
        "cell_size|figure",
        F32,
        |x| plot(ConfusionPlotConfig::new().with_cell_size(x)),
    );
    t.line(
        "ConfusionPlotConfig::with_confused_only",
        "confused_only",
        USIZE,
        |n| {
            plot(ConfusionPlotConfig::new().with_order_by_confusion(true))?;
            plot(ConfusionPlotConfig::new().with_confused_only(n))
        },
    );
    t.line("LineChart::with_guide", "draw|points", F64, |x| {
        chart().with_guide([(x, 1.0), (2.0, x)]).plot()
    });
    t.line("LineChart::with_title", ANY, texts(), |text| {
        chart().with_title(text).plot()
    });
    t.line("LineChart::with_x_label", ANY, texts(), |text| {
        chart().with_x_label(text).plot()
    });
    t.line("LineChart::with_y_label", ANY, texts(), |text| {
        chart().with_y_label(text).plot()
    });
    t.line("LineChart::with_size", "width|height|figure", F32, |x| {
        chart().with_size(x, 300.0).plot()?;
        chart().with_size(300.0, x).plot()
    });
    t.line("LineChart::with_series", ANY, texts(), |text| {
        chart().with_series(text, [(0.0, 0.0)]).plot()
    });
    t.line("LineChart::with_series", "draw|points", F64, |x| {
        LineChart::new()
            .with_series("a", [(x, 1.0), (2.0, x)])
            .plot()?;
        LineChart::new().with_series("a", [(x, x)]).plot()?;
        LineChart::new()
            .with_series("a", [(f64::MIN, x), (f64::MAX, x)])
            .plot()
    });
    t.line("LineChart::with_series", "draw", [0, 1, 100_000], |n| {
        LineChart::new()
            .with_series("a", (0..n).map(|i| (f64::from(i), 1.0)))
            .plot()
    });
    t.line("LineChart::with_marker", ANY, F64, |x| {
        chart().with_marker("m", x, 1.0).plot()?;
        chart().with_marker("m", 1.0, x).plot()
    });
    t.line("LineChart::with_marker", ANY, texts(), |text| {
        chart().with_marker(text, 1.0, 3.0).plot()
    });
    several(t);
}

/// Two items of two classes, of which they may have several.
fn labels() -> MultiLabels {
    let mut labels = MultiLabels::new(2);
    labels.push([0, 1]).unwrap();
    labels.push([]).unwrap();
    labels
}

fn interpret_several(predictions: Predictions) -> vision::interp::Result<MultiLabelInterpretation> {
    let classes = vec!["a".to_owned(), "b".to_owned()];
    MultiLabelInterpretation::from_predictions(classes, predictions, |_| Ok(RgbImage::new(8, 8)))
}

fn several(t: &mut Table) {
    let predictions = || Predictions {
        targets: Targets::MultiCategory(labels()),
        ..predictions()
    };
    let interp = || interpret_several(predictions()).unwrap();
    t.line(
        "MultiLabelInterpretation::from_predictions",
        "classes|probabilities|losses|indices|labels",
        USIZE,
        |n| {
            interpret_several(Predictions {
                classes: n,
                ..predictions()
            })?;
            interpret_several(Predictions {
                targets: Targets::Empty(n.min(1 << 20)),
                ..predictions()
            })
        },
    );
    t.line(
        "MultiLabelInterpretation::from_predictions",
        ANY,
        F32,
        |x| {
            let values = Predictions {
                probabilities: vec![x; 4],
                losses: vec![x; 2],
                ..predictions()
            };
            let interp = interpret_several(values)?;
            for scores in interp.classification_report().classes {
                assert!(
                    [scores.precision, scores.recall, scores.f1]
                        .into_iter()
                        .all(is_ratio)
                );
            }
            black_box((interp.average_precision(), interp.roc_auc()));
            interp.plot_top_losses(2)
        },
    );
    for function in [
        "MultiLabelInterpretation::roc_curve",
        "MultiLabelInterpretation::precision_recall_curve",
        "MultiLabelInterpretation::plot_roc",
        "MultiLabelInterpretation::plot_precision_recall",
    ] {
        t.line(function, "class", USIZE, |n| {
            let interp = interp();
            black_box(interp.roc_curve(n)?.to_csv());
            black_box(interp.precision_recall_curve(n)?.to_csv());
            interp.plot_roc([n])?;
            interp.plot_precision_recall([n])
        });
    }
    t.line("MultiLabelInterpretation::best_thresholds", ANY, U64, |n| {
        interp()
            .best_thresholds(n)
            .map(|found| black_box(found.to_string()))
    });
    t.line(
        "MultiLabelInterpretation::best_thresholds",
        "predictions",
        F32,
        |x| {
            let odd = interpret_several(Predictions {
                probabilities: vec![x; 4],
                ..predictions()
            })?;
            odd.best_thresholds(0)
        },
    );
    t.line(
        "MultiLabelInterpretation::with_threshold",
        "threshold",
        F32,
        |x| interp().with_threshold(x),
    );
    t.line(
        "MultiLabelInterpretation::with_names",
        ANY,
        texts(),
        |text| {
            interp()
                .with_names(move |_| text.clone())
                .plot_top_losses(2)
        },
    );
    t.line(
        "ClassificationInterpretation::with_names",
        ANY,
        texts(),
        |text| {
            let interp = interpret(self::predictions())?;
            interp.with_names(move |_| text.clone()).plot_top_losses(2)
        },
    );
    for function in [
        "MultiLabelInterpretation::top_losses",
        "MultiLabelInterpretation::lowest_losses",
        "MultiLabelInterpretation::multi_top_losses",
        "MultiLabelInterpretation::plot_top_losses",
        "MultiLabelInterpretation::plot_multi_top_losses",
    ] {
        t.line(function, "images", USIZE, |k| {
            let interp = interp();
            black_box((
                interp.top_losses(k),
                interp.lowest_losses(k),
                interp.multi_top_losses(k),
            ));
            interp.plot_top_losses(k)?;
            interp.plot_multi_top_losses(k)
        });
    }
}
