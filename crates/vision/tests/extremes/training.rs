//! Optimizers, losses, schedules, metrics.

use std::hint::black_box;

use vision::data::{MultiLabels, TargetKind, Targets};
use vision::learner::schedule::{Annealing, OneCycle, Phase, at_step};
use vision::learner::{
    Adam, Average, AverageMetric, BinaryCrossEntropy, CrossEntropy, Focal, LearningRate, Metric,
    Predictions, Result, Scores, Sgd, TargetTensor, WeightDecay, accuracy_thresh, argmax,
    average_precision, calibration_error, f_score, fbeta, mae, mse, precision, r2_score, recall,
    rmse, roc_auc, top_k_accuracy,
};
use vision::prelude::*;

use crate::support::{Folder, Stop, data, learner_of};
use crate::table::{ANY, Table};
use crate::values::{F32, F64, ISIZE, USIZE, lists, texts};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let path = folder.digits();
    let builder = || learner_of(data(&path));
    let epoch = |mut learner: Learner| learner.fit(1, 1e-3);
    let annealing = |p| {
        [
            Annealing::No,
            Annealing::Linear,
            Annealing::Exponential,
            Annealing::Cosine,
            Annealing::Polynomial(p),
        ]
    };

    t.line("LearningRate::per_group", "learning rate", F64, |x| {
        for rate in [
            LearningRate::Same(x),
            LearningRate::UpTo(x),
            LearningRate::Between(x, 1.0),
            LearningRate::Between(1.0, x),
        ] {
            let rates = rate.per_group(3)?;
            assert!(
                rates.iter().all(|rate| rate.is_finite() && *rate > 0.0),
                "{rates:?}"
            );
        }
        Ok::<_, vision::learner::Error>(())
    });
    t.line(
        "LearningRate::per_group",
        "learning rate",
        lists(&F64),
        |list| LearningRate::from(list).per_group(3),
    );
    t.line("LearningRate::per_group", "groups", USIZE, |n| {
        LearningRate::Same(1.0).per_group(n)
    });
    t.line("WeightDecay::per_group", "weight decay", F64, |x| {
        WeightDecay::from(x).per_group(3)
    });
    t.line("WeightDecay::per_group", "groups", USIZE, |n| {
        WeightDecay::from(0.1).per_group(n)
    });
    t.line("slice", "learning rate", F64, |x| {
        slice(..x).per_group(2)?;
        slice(x..1.0).per_group(2)?;
        slice(0.0..x).per_group(2)
    });
    t.line("Annealing::at", ANY, F64, |x| {
        for curve in annealing(x).into_iter().chain(annealing(1.0)) {
            black_box((
                curve.at(x, 1.0, 0.5),
                curve.at(1.0, x, 0.5),
                curve.at(1.0, 2.0, x),
            ));
        }
    });
    let phase = |steps, annealing| Phase {
        steps,
        start: 1.0,
        end: 2.0,
        annealing,
    };
    t.line("at_step", ANY, USIZE, |n| {
        let phases = [
            phase(n as f64, Annealing::Linear),
            phase(n as f64, Annealing::Cosine),
            phase(1.0, Annealing::No),
        ];
        black_box([0, 1, n.saturating_sub(1), n, usize::MAX].map(|step| at_step(&phases, step)));
    });
    t.line("at_step", ANY, F64, |x| {
        let phases = [phase(x, Annealing::Cosine), phase(1.0, Annealing::Linear)];
        black_box([0, 1, usize::MAX].map(|step| at_step(&phases, step)));
    });
    t.line("OneCycle::lr_phases", ANY, USIZE, |n| {
        let phases = OneCycle::default().lr_phases(1.0, n);
        black_box([0, n / 3, n].map(|step| at_step(&phases, step)));
    });
    t.line("OneCycle::lr_phases", ANY, F64, |x| {
        let cycles = [
            OneCycle {
                pct_start: x,
                ..OneCycle::default()
            },
            OneCycle {
                div_factor: x,
                ..OneCycle::default()
            },
            OneCycle {
                final_div: Some(x),
                ..OneCycle::default()
            },
        ];
        for cycle in cycles {
            at_step(&cycle.lr_phases(x, 10), 3);
        }
    });
    t.line("OneCycle::mom_phases", ANY, USIZE, |n| {
        at_step(&OneCycle::default().mom_phases(n), n);
    });

    let fit = |config: FitConfig| builder().build()?.fit_with(config.with_callback(Stop));
    t.line("FitConfig::new", "epochs", USIZE, |n| {
        fit(FitConfig::new(n))
    });
    t.line("FitConfig::one_cycle", "epochs", USIZE, |n| {
        fit(FitConfig::one_cycle(n))
    });
    t.line("FitConfig::with_lr", "learning rate|lr", F64, |x| {
        fit(FitConfig::new(1).with_lr(x))
    });
    t.line(
        "FitConfig::with_lr",
        "learning rate|lr",
        lists(&F64),
        |list| fit(FitConfig::one_cycle(1).with_lr(list)),
    );
    t.line("FitConfig::with_wd", "weight decay", F64, |x| {
        fit(FitConfig::new(1).with_wd(x))
    });
    t.line("FitConfig::with_moms", "moms", F64, |x| {
        fit(FitConfig::one_cycle(1).with_moms(x, 0.5))?;
        fit(FitConfig::one_cycle(1).with_moms(0.5, x))
    });
    t.line("FitConfig::with_div_factor", "div_factor", F64, |x| {
        fit(FitConfig::one_cycle(1).with_div_factor(x))
    });
    t.line("FitConfig::with_pct_start", "pct_start", F64, |x| {
        fit(FitConfig::one_cycle(1).with_pct_start(x))
    });
    t.line("FitConfig::with_final_div", "final_div", F64, |x| {
        fit(FitConfig::one_cycle(1).with_final_div(x))
    });
    t.line(
        "FitConfig::with_start_epoch",
        "start_epoch|epochs",
        USIZE,
        |n| {
            fit(FitConfig::new(1).with_start_epoch(n))?;
            fit(FitConfig::new(usize::MAX).with_start_epoch(n))?;
            fit(FitConfig::one_cycle(3).with_start_epoch(n))
        },
    );
    let stopping = || builder().callback(Stop).build();
    t.line("Learner::fit", "epochs", USIZE, |n| {
        stopping()?.fit(n, 1e-3)
    });
    t.line("Learner::fit", "learning rate|lr", F64, |x| {
        stopping()?.fit(1, x)
    });
    t.line("Learner::fit_one_cycle", "epochs", USIZE, |n| {
        stopping()?.fit_one_cycle(n, 1e-3)
    });
    t.line("Learner::fit_one_cycle", "learning rate|lr", F64, |x| {
        stopping()?.fit_one_cycle(1, x)
    });
    t.line("Learner::freeze_to", "group", ISIZE, |n| {
        stopping()?.freeze_to(n)
    });
    use vision::learner::LrFindConfig;
    let find = |config: LrFindConfig| {
        let found = builder().callback(Stop).build()?.lr_find_with(config)?;
        drop((found.suggestion(), plot_lr_find(&found).map(drop)));
        Ok::<_, vision::learner::Error>(())
    };
    t.line("LrFindConfig::with_start_lr", "start_lr|end_lr", F64, |x| {
        find(LrFindConfig::new().with_start_lr(x))
    });
    t.line("LrFindConfig::with_end_lr", "end_lr", F64, |x| {
        find(LrFindConfig::new().with_end_lr(x))
    });
    t.line("LrFindConfig::with_num_it", "num_it", USIZE, |n| {
        find(LrFindConfig::new().with_num_it(n))
    });
    t.line("LrFindConfig::with_wd", "weight decay", F64, |x| {
        find(LrFindConfig::new().with_wd(x))
    });

    t.line("CrossEntropy::with_smoothing", "smoothing", F64, |x| {
        CrossEntropy::default().with_smoothing(x)
    });
    t.line("CrossEntropy::with_weights", "weight", F32, |x| {
        epoch(
            builder()
                .loss(CrossEntropy::default().with_weights([x, 1.0])?)
                .build()?,
        )
    });
    t.line(
        "CrossEntropy::with_weights",
        "weight",
        [0, 1, 3, 100_000],
        |n| {
            epoch(
                builder()
                    .loss(CrossEntropy::default().with_weights(vec![1.0; n])?)
                    .build()?,
            )
        },
    );
    t.line("BinaryCrossEntropy::with_pos_weights", "weight", F32, |x| {
        BinaryCrossEntropy::default().with_pos_weights([x, 1.0])
    });
    t.line(
        "BinaryCrossEntropy::with_smoothing",
        "smoothing",
        F64,
        |x| BinaryCrossEntropy::default().with_smoothing(x),
    );
    t.line("Focal::with_gamma", "gamma", F64, |x| {
        epoch(builder().loss(Focal::default().with_gamma(x)?).build()?)
    });
    t.line("Focal::with_weights", "weight", F32, |x| {
        let loss = Focal::default().with_weights([x, 1.0])?;
        epoch(builder().loss(loss).build()?)
    });
    // Fields of the optimizers are options too.
    t.line("LearnerBuilder::wd", "weight decay", F64, |x| {
        epoch(builder().wd(x).build()?)
    });
    t.line("LearnerBuilder::wd", "weight decay", lists(&F64), |list| {
        let [a, b] = list[..] else {
            return Ok(());
        };
        epoch(builder().wd([a, b]).build()?).map(drop)
    });
    t.line("LearnerBuilder::wd", "beta1", F64, |x| {
        epoch(
            builder()
                .optimizer(Adam {
                    beta1: x,
                    ..Adam::default()
                })
                .build()?,
        )
    });
    t.line("LearnerBuilder::wd", "beta2", F64, |x| {
        epoch(
            builder()
                .optimizer(Adam {
                    beta2: x,
                    ..Adam::default()
                })
                .build()?,
        )
    });
    t.line("LearnerBuilder::wd", "eps", F64, |x| {
        epoch(
            builder()
                .optimizer(Adam {
                    eps: x,
                    ..Adam::default()
                })
                .build()?,
        )
    });
    t.line("LearnerBuilder::wd", "momentum", F64, |x| {
        epoch(
            builder()
                .optimizer(Sgd {
                    momentum: x,
                    ..Sgd::default()
                })
                .build()?,
        )
    });
    metrics(t, &|metric| {
        epoch(builder().metrics([metric]).build()?).map(drop)
    });
}

fn metrics(t: &mut Table, epoch: &dyn Fn(AverageMetric) -> Result<()>) {
    t.line("argmax", ANY, F32, |x| {
        black_box((argmax(&[x]), argmax(&[x, 1.0, x]), argmax(&[])));
    });
    t.line("AverageMetric::new", ANY, texts(), |text| {
        epoch(AverageMetric::new(text, |_| f64::NAN))
    });
    let values = |metric: &mut dyn Metric, x: f32| {
        let mut several = MultiLabels::new(2);
        several.push([1]).unwrap();
        let numbers = |values: Vec<f32>| Targets::Float { columns: 2, values };
        metric.reset();
        metric.value();
        for targets in [
            Targets::Category(vec![0]),
            Targets::Category(Vec::new()),
            Targets::MultiCategory(several),
            numbers(vec![x, 1.0]),
            numbers(Vec::new()),
            Targets::Empty(3),
        ] {
            for classes in [0, 1, 2, usize::MAX] {
                metric.update(&Scores {
                    logits: &[x, x],
                    classes,
                    targets: &targets,
                });
                metric.update(&Scores {
                    logits: &[],
                    classes,
                    targets: &targets,
                });
            }
        }
        metric.value();
    };
    t.line("top_k_accuracy", ANY, USIZE, |k| {
        values(&mut top_k_accuracy(k), 1.0);
    });
    t.line("calibration_error", "", USIZE, |bins| {
        values(&mut calibration_error(bins), 1.0);
    });
    t.line("f_score", ANY, F64, |beta| {
        values(&mut f_score(beta, Average::Macro), 1.0);
    });
    t.line("RankingMetric::score", ANY, F64, |x| {
        for items in [
            vec![],
            vec![(x, true)],
            vec![(x, true), (1.0, false), (x, false)],
        ] {
            for metric in [roc_auc(Average::Macro), average_precision(Average::Macro)] {
                let score = metric.score(items.clone());
                assert!(
                    score.is_none_or(|score| (0.0..=1.0).contains(&score)),
                    "{score:?}"
                );
            }
        }
    });
    t.line("f_score", ANY, USIZE, |class| {
        let average = Average::Class(class);
        values(&mut precision(average), 1.0);
        values(&mut recall(average), 1.0);
        values(&mut f_score(1.0, average), 1.0);
        values(&mut roc_auc(average), 1.0);
        values(&mut average_precision(average), 1.0);
    });
    t.line("accuracy_thresh", ANY, F32, |x| {
        values(&mut accuracy_thresh(x), x)
    });
    t.line("fbeta", ANY, F32, |x| {
        values(&mut fbeta(x, 2.0), x);
        values(&mut fbeta(0.5, f64::from(x)), x);
    });
    t.line("argmax", ANY, F32, |x| {
        values(&mut accuracy(), x);
        values(&mut error_rate(), x);
        for mut metric in [mse(), rmse(), mae(), r2_score()] {
            values(&mut metric, x);
        }
    });
    let predictions = |classes| Predictions {
        probabilities: vec![0.5; 4],
        classes,
        targets: Targets::Category(vec![0, 1]),
        losses: vec![0.0; 2],
        indices: vec![0, 1],
    };
    t.line("Predictions::row", ANY, USIZE, |n| {
        black_box((
            predictions(2).row(n).len(),
            predictions(n).row(1).len(),
            predictions(n).row(n).len(),
        ));
    });
    t.line("Predictions::predicted", ANY, USIZE, |n| {
        black_box((predictions(2).predicted(n), predictions(n).predicted(n)));
    });
    t.line(
        "TargetTensor::new",
        "kind|label|class",
        [0, 1, 2, 1000],
        |n| {
            for kind in [
                TargetKind::Category,
                TargetKind::MultiCategory,
                TargetKind::Float,
            ] {
                TargetTensor::new(
                    &Targets::Empty(n),
                    kind,
                    n,
                    &vision::data::Device::default(),
                )?;
            }
            TargetTensor::new(
                &Targets::Category(vec![1]),
                TargetKind::Float,
                n,
                &vision::data::Device::default(),
            )
        },
    );
}
