//! Callbacks, schedules and resumable fits.

use std::hint::black_box;
use std::time::Duration;

use vision::data::{DatasetType, Device, Share};
use vision::interp::TensorBoard;
use vision::learner::callbacks::{
    AccumulateGradients, CsvLogger, EarlyStopping, Ema, GradientClip, MemoryAlarm,
    ProgressiveResizing, ReduceLrOnPlateau, SaveModel, Swa,
};
use vision::learner::schedule::{
    Annealing, Cosine, FitPhase, FlatCos, Length, OneCycle, Phases, Schedule, Span,
};
use vision::learner::{
    Better, Callback, CallbackState, Context, FineTune, Gpus, Hyper, Recorder, Result, Resumable,
    Sockets, layer_decay,
};
use vision::prelude::*;

use crate::support::{Folder, Stop, data, learner_of};
use crate::table::{ANY, Table};
use crate::values::{DURATIONS, F64, USIZE, texts};

/// Calls a method of the context at the beginning of a fit.
struct At<F>(F);

impl<F: FnMut(&mut Context<'_>) -> Result<()> + Send + Sync> Callback for At<F> {
    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        (self.0)(ctx)
    }
}

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let path = folder.digits();
    let builder = || learner_of(data(&path)).metrics([accuracy()]);
    let fit = |config: FitConfig| -> Result<Recorder> {
        builder().build()?.fit_with(config.with_callback(Stop))
    };
    let one = || FitConfig::new(1);
    // In a folder of its own: another fit in the same one is refused.
    let alone = |config: FitConfig| -> Result<Recorder> {
        let own = Folder::new();
        let learner = builder().path(own.path());
        learner.build()?.fit_with(config.with_callback(Stop))
    };
    // The tests do not write into the root of the system.
    let inside = || {
        texts()
            .into_iter()
            .filter(|text| !text.starts_with('/'))
            .collect::<Vec<_>>()
    };

    t.line("layer_decay", "learning rate|layer_decay", F64, |x| {
        layer_decay(x, 0.5).per_group(3)?;
        layer_decay(1.0, x).per_group(3)
    });
    let span = Span {
        steps: 10,
        batches: 5,
    };
    let hyper = Hyper {
        lr: 1.0,
        mom: 0.9,
        wd: 0.0,
    };
    let phases = |schedule: &dyn Schedule| schedule.phases(&[hyper], span);
    t.line("FitPhase::with_mom", "mom|length", F64, |x| {
        let phase = FitPhase::new(Length::Share(x)).with_mom(x, 0.5, Annealing::Linear);
        phases(&Phases::new([phase]))?;
        for length in [Length::Epochs(x), Length::Share(x)] {
            phases(&Phases::new([FitPhase::new(length)]))?;
        }
        phases(&Phases::new([FitPhase::new(Length::Steps(1)).with_mom(
            0.5,
            x,
            Annealing::Polynomial(x),
        )]))
    });
    t.line("FitPhase::with_lr", "learning rate", F64, |x| {
        let phase = FitPhase::new(Length::Share(0.5));
        phases(&Phases::new([phase.clone().with_lr(
            x,
            1.0,
            Annealing::Exponential,
        )]))?;
        phases(&Phases::new([phase.with_lr(
            1.0,
            x,
            Annealing::Exponential,
        )]))
    });
    t.line("FitPhase::with_wd", "weight decay", F64, |x| {
        phases(&Phases::new([FitPhase::new(Length::Share(0.5)).with_wd(
            x,
            x,
            Annealing::Cosine,
        )]))
    });
    t.line("Phases::new", ANY, [0, 1, 100_000], |n| {
        phases(&Phases::new(vec![
            FitPhase::new(Length::Steps(usize::MAX));
            n
        ]))
    });
    t.line("FitConfig::cosine", "epochs|steps", USIZE, |n| {
        fit(FitConfig::cosine(n))
    });
    t.line("FitConfig::flat_cos", "epochs|steps", USIZE, |n| {
        fit(FitConfig::flat_cos(n))
    });
    // Fields of schedules are options too.
    t.line("FitConfig::cosine", "cycle|warmup|end", F64, |x| {
        for cosine in [
            Cosine {
                warmup_epochs: x,
                ..Cosine::default()
            },
            Cosine {
                warmup_start: x,
                ..Cosine::default()
            },
            Cosine {
                cycle_mult: x,
                cycles: 3,
                ..Cosine::default()
            },
            Cosine {
                cycle_decay: x,
                cycles: 3,
                ..Cosine::default()
            },
            Cosine {
                end: x,
                ..Cosine::default()
            },
        ] {
            phases(&cosine)?;
        }
        Ok::<_, vision::learner::Error>(())
    });
    t.line("FitConfig::cosine", "cycles", USIZE, |n| {
        phases(&Cosine {
            cycles: n,
            ..Cosine::default()
        })
    });
    t.line("FitConfig::flat_cos", "pct_start|final_div", F64, |x| {
        phases(&FlatCos {
            pct_start: x,
            ..FlatCos::default()
        })?;
        phases(&FlatCos {
            final_div: x,
            ..FlatCos::default()
        })?;
        phases(&OneCycle {
            final_div: Some(x),
            ..OneCycle::fastai2()
        })
        .map(drop)
    });

    let tune = |config: FineTune| builder().callback(Stop).build()?.fine_tune_with(&config);
    t.line("FineTune::new", "epochs", USIZE, |n| tune(FineTune::new(n)));
    t.line("FineTune::with_freeze_epochs", "epochs", USIZE, |n| {
        tune(FineTune::new(1).with_freeze_epochs(n))
    });
    t.line("FineTune::with_base_lr", "learning rate|lr", F64, |x| {
        tune(FineTune::new(1).with_base_lr(x))
    });
    t.line(
        "FineTune::with_lr_mult",
        "lr_mult|learning rate",
        F64,
        |x| tune(FineTune::new(1).with_lr_mult(x)),
    );
    t.line("FineTune::with_pct_start", "pct_start", F64, |x| {
        tune(FineTune::new(1).with_pct_start(x))
    });
    t.line("FineTune::with_div_factor", "div_factor", F64, |x| {
        tune(FineTune::new(1).with_div_factor(x))
    });
    t.line("FineTune::with_wd", "weight decay", F64, |x| {
        tune(FineTune::new(1).with_wd(x))
    });
    t.line(
        "FineTune::resumable",
        "resumable|create|lock|run|write",
        inside(),
        |text| tune(FineTune::new(1).resumable(text)),
    );
    t.line("Learner::fine_tune", "epochs", USIZE, |n| {
        builder().callback(Stop).build()?.fine_tune(n)
    });

    t.line("EarlyStopping::new", "metric", texts(), |text| {
        fit(one().with_callback(EarlyStopping::new(text)))
    });
    t.line("EarlyStopping::with_patience", ANY, USIZE, |n| {
        fit(FitConfig::new(3).with_callback(EarlyStopping::new("accuracy").with_patience(n)))
    });
    t.line("EarlyStopping::with_min_delta", "min_delta", F64, |x| {
        fit(one().with_callback(EarlyStopping::new("accuracy").with_min_delta(x)))
    });
    t.line("ReduceLrOnPlateau::new", "metric", texts(), |text| {
        fit(one().with_callback(ReduceLrOnPlateau::new(text)))
    });
    let plateau = || ReduceLrOnPlateau::new("accuracy");
    t.line("ReduceLrOnPlateau::with_patience", ANY, USIZE, |n| {
        fit(one().with_callback(plateau().with_patience(n)))
    });
    t.line("ReduceLrOnPlateau::with_factor", "factor", F64, |x| {
        fit(one().with_callback(plateau().with_factor(x)))
    });
    t.line("ReduceLrOnPlateau::with_min_delta", "min_delta", F64, |x| {
        fit(one().with_callback(plateau().with_min_delta(x)))
    });
    t.line("ReduceLrOnPlateau::with_min_lr", "min_lr", F64, |x| {
        fit(one().with_callback(plateau().with_min_lr(x)))
    });
    t.line("SaveModel::best", "metric", texts(), |text| {
        fit(one().with_callback(SaveModel::best(text)))
    });
    t.line("SaveModel::with_tie_break", "metric", texts(), |text| {
        fit(one().with_callback(SaveModel::best("train_loss").with_tie_break(text)))
    });
    t.line("SaveModel::every", "every", USIZE, |n| {
        fit(one().with_callback(SaveModel::every(n)))
    });
    t.line(
        "SaveModel::with_name",
        "name|create|write",
        texts(),
        |text| fit(one().with_callback(SaveModel::every(1).with_name(text))),
    );
    t.line("SaveModel::keep_last", "keep_last", USIZE, |n| {
        fit(one().with_callback(SaveModel::every(1).keep_last(n)))
    });
    t.line("SaveModel::with_min_delta", "min_delta", F64, |x| {
        fit(one().with_callback(SaveModel::best("accuracy").with_min_delta(x)))
    });
    t.line("GradientClip::norm", "max", F64, |x| {
        fit(one().with_callback(GradientClip::norm(x)))
    });
    t.line("GradientClip::value", "max", F64, |x| {
        fit(one().with_callback(GradientClip::value(x)))
    });
    t.line("AccumulateGradients::new", "batches", USIZE, |n| {
        fit(one().with_callback(AccumulateGradients::new(n)))
    });
    t.line("Ema::new", "decay", F64, |x| {
        fit(one().with_callback(Ema::new(x)))
    });
    t.line("Ema::with_name", "name|create|write", texts(), |text| {
        fit(one().with_callback(Ema::new(0.9).with_name(text)))
    });
    t.line("Swa::from_epoch", "from_epoch", USIZE, |n| {
        fit(one().with_callback(Swa::from_epoch(n)))
    });
    t.line("Swa::with_name", "name|create|write", texts(), |text| {
        fit(one().with_callback(Swa::from_epoch(0).with_name(text)))
    });
    let sized = |sizes: ProgressiveResizing| {
        let data = data(&path).with_size(20)?;
        learner_of(data)
            .build()?
            .fit_with(one().with_callback(sizes).with_callback(Stop))
    };
    t.line("ProgressiveResizing::new", "size", USIZE, |n| {
        sized(ProgressiveResizing::new([(0, n)]))
    });
    t.line("ProgressiveResizing::new", "size|epoch", USIZE, |n| {
        sized(ProgressiveResizing::new([(n, 16), (1, 20)]))
    });
    t.line("ProgressiveResizing::until", ANY, USIZE, |n| {
        sized(ProgressiveResizing::new([(0, 16)]).until(n))
    });
    let bytes = [0, 1, 1 << 20, u64::MAX];
    t.line("MemoryAlarm::with_limit", "limit", bytes, |n| {
        fit(one().with_callback(MemoryAlarm::new().with_limit(n)))
    });
    t.line("MemoryAlarm::with_growth", ANY, bytes, |n| {
        fit(one().with_callback(MemoryAlarm::new().with_growth(n)))
    });
    t.line(
        "CsvLogger::new",
        "CsvLogger|open|create|write|continue",
        inside(),
        |text| fit(one().with_callback(CsvLogger::new(text))),
    );
    t.line(
        "TensorBoard::new",
        "create|write|continue",
        inside(),
        |text| fit(one().with_callback(TensorBoard::new(text))),
    );
    t.line("TensorBoard::with_images", "images", USIZE, |n| {
        fit(one().with_callback(TensorBoard::new("logs").with_images(n)))
    });

    t.line(
        "FitConfig::resumable",
        "resumable|create|lock|run|write",
        inside(),
        |text| alone(one().resumable(text)),
    );
    t.line(
        "Resumable::new",
        "resumable|create|lock|run|write",
        inside(),
        |text| alone(one().resumable(Resumable::new(text))),
    );
    t.line("Resumable::every_steps", "every_steps", USIZE, |n| {
        fit(one().resumable(Resumable::new(format!("run-{n}")).every_steps(n)))
    });
    t.line("Resumable::every", ANY, DURATIONS, |time| {
        let name = format!("run-{}-{}", time.as_secs(), time.subsec_nanos());
        fit(one().resumable(Resumable::new(name).every(time)))
    });
    t.line("ImageDataBunch::loader_from", ANY, USIZE, |n| {
        data(&path)
            .loader_from(DatasetType::Train, n as u64, n)?
            .take(1)
            .try_for_each(|batch| batch.map(drop))
    });
    t.line("ImageDataBunch::loader_of_share", ANY, USIZE, |n| {
        let share = Share::new(1, 2)?;
        data(&path)
            .loader_of_share(DatasetType::Train, n as u64, n, share)?
            .take(1)
            .try_for_each(|part| part.map(drop))
    });
    t.line("Share::new", "rank", USIZE, |n| {
        Share::new(0, n)?;
        Share::new(n, 2)
    });
    t.line("Share::of", ANY, USIZE, |n| {
        black_box(Share::new(2, 3)?.of(n / 2..n));
        Share::new(0, 1)
    });
    t.line("Gpus::local", "rank|meet", [0, 1, 2, 1025], |n| {
        Gpus::local(&vec![Device::flex(); n])
    });
    t.line("Sockets::local", "rank|meet", USIZE, Sockets::local);
    t.line("Sockets::meet", "rank|meet", USIZE, |n| {
        Sockets::meet(n, 2, "127.0.0.1:0", Duration::ZERO)?;
        Sockets::meet(0, n, "127.0.0.1:0", Duration::ZERO)
    });
    t.line(
        "Sockets::meet",
        "meet",
        ["", ":", "\0", "127.0.0.1:70000"],
        |text| Sockets::meet(0, 1, text, Duration::from_millis(10)),
    );
    t.line("Sockets::with_limit", "limit", DURATIONS, |time| {
        Sockets::meet(0, 1, "127.0.0.1:0", time)?;
        let ends = Sockets::local(2)?.into_iter();
        ends.map(|end| end.with_limit(time))
            .collect::<Result<Vec<_>>>()
    });

    t.line("Better::is_better", ANY, F64, |x| {
        for y in F64 {
            black_box(Better::Higher.is_better(x, y, x));
            black_box(Better::Lower.is_better(y, x, y));
        }
    });
    t.line("CallbackState::of", ANY, texts(), |text| {
        CallbackState::of(&text, &text)?.read::<String>(&text)
    });
    t.line("CallbackState::read", ANY, texts(), |text| {
        CallbackState::of("x", &1)?.read::<u8>(&text)
    });
    t.line("Context::save", "name|create|write", texts(), |text| {
        fit(one().with_callback(At(move |ctx: &mut Context<'_>| ctx.save(&text).map(drop))))
    });
    t.line("Context::check_name", "name", texts(), |text| {
        fit(one().with_callback(At(move |ctx: &mut Context<'_>| ctx.check_name(&text))))
    });
    t.line("Context::better", "metric", texts(), |text| {
        fit(one().with_callback(At(move |ctx: &mut Context<'_>| ctx.better(&text).map(drop))))
    });
    t.line("Context::value", ANY, texts(), |text| {
        fit(one().with_callback(At(move |ctx: &mut Context<'_>| {
            black_box(ctx.value(&text));
            Ok(())
        })))
    });
}
