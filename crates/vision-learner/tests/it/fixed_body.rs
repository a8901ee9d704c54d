//! A frozen body costs one forward pass: it is computed without a graph, with the same numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::tensor::Tensor;
use vision_learner::{Backbone, BnFreeze, Body, BodyBuilder, Callback, Context, Result};
use vision_models::layers::{BatchNorm, ConvConfig, Dropout, Layer, Sequential};

use crate::prelude::*;
use crate::support;

/// How often the body ran with a graph and without.
#[derive(Clone, Debug, Default)]
struct Counts(Arc<[AtomicUsize; 2]>);

impl Counts {
    fn take(&self) -> [usize; 2] {
        [0, 1].map(|i| self.0[i].swap(0, Ordering::Relaxed))
    }
}

#[derive(Module, Debug)]
struct Counted {
    layers: Sequential,
    #[module(skip)]
    counts: Counts,
}

impl Body for Counted {
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let graph = images.device().is_autodiff();
        self.counts.0[usize::from(!graph)].fetch_add(1, Ordering::Relaxed);
        self.layers.forward(images)
    }
}

struct Own {
    counts: Counts,
    batch_norm: bool,
    dropout: bool,
}

impl Backbone for Own {
    type Body = Counted;

    fn name(&self) -> String {
        "counted".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Counted, usize)> {
        let init = builder.init();
        let conv = ConvConfig::new(3, 8, 3).with_stride(2).init(init);
        let mut layers = vec![Layer::Conv2d(conv), Layer::Relu];
        if self.batch_norm {
            layers.insert(1, Layer::BatchNorm(BatchNorm::new(8, init)));
        }
        if self.dropout {
            layers.push(Layer::Dropout(Dropout::new(0.5, init.dropout())));
        }
        let layers = Sequential::numbered(layers);
        let counts = self.counts.clone();
        Ok((Counted { layers, counts }, 8))
    }
}

fn build(digits: &support::Digits, own: Own, bn_freeze: bool) -> Learner {
    let data = support::data(&digits.path, 4);
    let builder = create_cnn(data, own).pretrained(false).silent(true);
    builder.bn_freeze(bn_freeze).build().unwrap()
}

#[test]
fn a_body_in_which_nothing_trains_runs_without_a_graph() {
    let digits = support::digits(8, 2);
    let counts = Counts::default();
    let own = |batch_norm, dropout| Own {
        counts: counts.clone(),
        batch_norm,
        dropout,
    };
    // 4 training batches, and one of validation, which never has a graph.
    let (with, without) = ([4, 1], [0, 5]);
    for (own, bn_freeze, frozen) in [
        (own(false, false), false, without),
        (own(true, false), false, with), // fastai's default: statistics move, parameters train
        (own(true, false), true, without),
        (own(false, true), true, with), // its dropout draws
    ] {
        let mut learner = build(&digits, own, bn_freeze);
        learner.fit(1, 1e-3).unwrap();
        let with_trial = [with[0], with[1] + 1];
        assert_eq!(
            counts.take(),
            with_trial,
            "nothing is frozen, and the size is new"
        );
        learner.freeze().unwrap();
        learner.fit(1, 1e-3).unwrap();
        assert_eq!(counts.take(), frozen, "the body is frozen");
        learner.save("frozen").unwrap();
        learner.load("frozen").unwrap();
        learner.fit(1, 1e-3).unwrap();
        assert_eq!(counts.take(), frozen, "the body is frozen, after loading");
        learner.unfreeze();
        learner.fit(1, 1e-3).unwrap();
        assert_eq!(counts.take(), with, "nothing is frozen any more");
    }
}

#[test]
fn a_body_whose_features_are_kept_does_not_run_at_all() {
    let digits = support::digits(8, 2);
    let counts = Counts::default();
    let own = Own {
        counts: counts.clone(),
        batch_norm: true,
        dropout: false,
    };
    let mut learner = build(&digits, own, true);
    learner.freeze().unwrap();
    learner.cache_features().unwrap();
    // 16 training and 4 validation images in batches of 4, once; and the trial of a new size.
    assert_eq!(counts.take(), [0, 6]);
    learner.fit(2, 1e-3).unwrap();
    learner.validate().unwrap();
    learner.get_preds(DatasetType::Valid).unwrap();
    assert_eq!(counts.take(), [0, 0]);
    // Other batches than the features came in.
    learner.get_preds(DatasetType::Fix).unwrap();
    assert_eq!(counts.take(), [0, 4]);
}

/// Asks for the gradient of the images, as a saliency map would, and keeps whether there was one.
struct Saliency(Arc<AtomicUsize>, Option<Tensor<4>>);

impl Callback for Saliency {
    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train {
            let images = ctx.state.last_input.take().unwrap().require_grad();
            (ctx.state.last_input, self.1) = (Some(images.clone()), Some(images));
        }
        Ok(())
    }

    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let images = self.1.take().unwrap();
        let grads = ctx.state.grads.as_ref().unwrap();
        let found = images.grad(grads).is_some();
        self.0.fetch_add(usize::from(found), Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn images_that_ask_for_their_gradient_get_it_through_a_frozen_body() {
    let digits = support::digits(8, 2);
    let own = Own {
        counts: Counts::default(),
        batch_norm: true,
        dropout: false,
    };
    let mut learner = build(&digits, own, true);
    learner.freeze().unwrap();
    let found = Arc::new(AtomicUsize::new(0));
    let config = FitConfig::new(1).with_callback(Saliency(Arc::clone(&found), None));
    learner.fit_with(config).unwrap();
    assert_eq!(found.load(Ordering::Relaxed), 4);
}

#[test]
fn a_frozen_body_gives_the_numbers_that_it_gives_with_a_graph() {
    let digits = support::digits(16, 4);
    let run = |graph: bool| {
        let data = support::data(&digits.path, 8);
        let builder = create_cnn(data, Arch::ResNet18)
            .pretrained(false)
            .silent(true);
        let mut learner = builder.bn_freeze(true).build().unwrap();
        learner.fit(1, 1e-3).unwrap();
        learner.freeze().unwrap();
        let mut config = FitConfig::new(1).with_lr(1e-3);
        if graph {
            let count = Arc::new(AtomicUsize::new(0));
            config = config.with_callback(Saliency(count, None));
        }
        learner.fit_with(config).unwrap().raw_losses
    };
    support::close("losses", &run(false), &run(true), 1e-5, 0.0);
}

#[test]
fn the_batch_norms_of_a_body_stay_as_they_are_also_when_it_is_unfrozen() {
    let digits = support::digits(8, 2);
    // What a fit changes: of the body's other layers, of its batch norms, and of the head.
    let moved = |bn_freeze: BnFreeze| {
        let own = Own {
            counts: Counts::default(),
            batch_norm: true,
            dropout: false,
        };
        let data = support::data(&digits.path, 4);
        let builder = create_cnn(data, own).pretrained(false).silent(true);
        let mut learner = builder.bn_freeze(bn_freeze).build().unwrap();
        let mut found = Vec::new();
        for frozen in [false, true, false] {
            match frozen {
                true => learner.freeze().unwrap(),
                false if found.is_empty() => {} // as it was built
                false => learner.unfreeze(),
            }
            let before = learner.weights();
            learner.fit(1, 1e-2).unwrap();
            let pairs = before.into_iter().zip(learner.weights());
            let names = pairs.filter(|(old, new)| old.values != new.values);
            let names: Vec<String> = names.map(|(old, _)| old.name).collect();
            let any = |part: &str| names.iter().any(|name| name.starts_with(part));
            let norm = ["weight", "bias", "running_mean", "running_var"]
                .map(|part| any(&format!("0.layers.1.{part}")));
            found.push((any("0.layers.0."), norm, any("1.")));
        }
        found
    };
    let (stay, all) = ([false; 4], [true; 4]);
    assert_eq!(
        moved(BnFreeze::Off),
        [(true, all, true), (false, all, true), (true, all, true)]
    );
    assert_eq!(
        moved(BnFreeze::Frozen),
        [(true, all, true), (false, stay, true), (true, all, true)]
    );
    assert_eq!(
        moved(BnFreeze::Body),
        [(true, stay, true), (false, stay, true), (true, stay, true)]
    );
}
