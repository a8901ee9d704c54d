//! A type-erased model, so that `Learner` needs no type parameter.

use burn::module::{ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::{Gradients, Tensor};
use vision_models::layers::Sequential;
use vision_models::mode::{self, Mode};
use vision_models::state::{self, Entry, NamedTensor, Start};

use crate::model::cnn::{InferenceBody, Model, TwoParts};
use crate::optim::GroupedOptimizer;

/// The interface between a learner and its model. Implemented once, for every [`Model`].
pub(crate) trait AnyModel: Send + Sync {
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
    /// Body and head, if the model has them.
    fn parts(&self) -> Option<&dyn TwoParts>;
    /// The body for inference, if training would give the same outputs: it has no trainable parameter
    /// and no randomness.
    fn fixed_body(&self) -> Option<&InferenceBody>;
    /// A copy for inference on the plain device. It shares weights but not running statistics.
    fn valid(&self) -> Box<dyn AnyModel>;
    /// A copy for training. It shares nothing that training changes in place.
    fn snapshot(&self) -> Box<dyn AnyModel>;
    fn entries(&self) -> Vec<Entry>;
    fn starts(&self) -> Vec<Start>;
    fn tensors(&self) -> Vec<NamedTensor>;
    fn modes(&self) -> Vec<Mode>;
    /// The model's layers, if known.
    fn as_layers(&self) -> Option<Sequential>;
    fn assign(&mut self, source: &mut state::Source<'_>);
    fn set_trainable(&mut self, ids: Vec<ParamId>, trainable: bool);
    fn set_training(&mut self, training: &mut dyn FnMut(&Mode) -> bool);
    /// The running statistics, to be restored if a step fails.
    fn buffers(&self) -> Vec<Tensor<1>>;
    fn restore_buffers(&mut self, buffers: Vec<Tensor<1>>);
    /// All parameters and buffers, each flat, in the order of [`entries`](Self::entries).
    fn flat(&self) -> Vec<Tensor<1>>;
    fn put_flat(&mut self, tensors: Vec<Tensor<1>>);
    /// Replaces the gradient of each parameter by what `f` returns for its position among the
    /// [`entries`](Self::entries) and its gradient, both flat.
    fn map_gradients(
        &self,
        grads: &mut Gradients,
        f: &mut dyn FnMut(usize, Tensor<1>) -> Tensor<1>,
    );
    /// Whether gradients are finite, judged by the parameters with at most [`SMALL`] values. A
    /// non-finite value spreads from where it arises to all layers below, which have such parameters.
    /// Reading the other gradients too would cost several percent of a step.
    fn has_finite_gradients(&self, grads: &Gradients) -> bool;
    fn step(&mut self, optimizer: &mut GroupedOptimizer, grads: &mut Gradients);
}

/// The largest size of a parameter whose gradient is checked before a step.
const SMALL: usize = 1 << 16;

struct GradientSum<'a> {
    grads: &'a Gradients,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for GradientSum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() || param.lazy_shape().num_elements() > SMALL {
            return;
        }
        if let Some(grad) = param.val().grad(self.grads) {
            // The difference of a value with itself is 0 if it is finite, and NaN otherwise.
            let sum = grad.clone().sub(grad).sum();
            self.sum = Some(match self.sum.take() {
                Some(before) => before.add(sum),
                None => sum,
            });
        }
    }
}

/// One pass over the gradients of a model.
struct MapGradients<'a> {
    grads: &'a mut Gradients,
    f: &'a mut dyn FnMut(usize, Tensor<1>) -> Tensor<1>,
    next: usize,
}

impl ModuleVisitor for MapGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let at = self.next;
        self.next += 1;
        if !param.is_require_grad() {
            return;
        }
        let value = param.val();
        if let Some(grad) = value.grad(self.grads) {
            let shape = grad.dims();
            let len: usize = shape.iter().product();
            let new = (self.f)(at, grad.reshape([len]));
            value.grad_replace(self.grads, new.reshape(shape));
        }
    }
}

/// Whether a parameter or layer of a two-part model belongs to the body.
pub(crate) fn in_body(name: &str) -> bool {
    name.starts_with("0.")
}

struct Slot<M> {
    /// Burn's modules are changed by value; this is `None` only during a change.
    model: Option<M>,
    /// See [`AnyModel::fixed_body`]. Rebuilt whenever the model is changed other than by training.
    fixed_body: Option<InferenceBody>,
}

impl<M: Model> Slot<M> {
    fn new(model: M) -> Self {
        Self {
            model: Some(model),
            fixed_body: None,
        }
    }

    #[allow(clippy::expect_used)] // `change` always puts a model back
    fn get(&self) -> &M {
        self.model
            .as_ref()
            .expect("a slot holds a model between calls")
    }

    fn change(&mut self, f: impl FnOnce(M) -> M) {
        self.model = self.model.take().map(f);
    }

    fn update_fixed_body(&mut self) {
        let model = self.get();
        let trains = || {
            state::entries(model)
                .iter()
                .any(|e| e.trainable && in_body(&e.name))
        };
        // Dropout is random; a batch norm uses batch statistics and updates its running statistics.
        let varies = || {
            mode::modes(model)
                .iter()
                .any(|m| m.training && in_body(&m.name))
        };
        let parts = model.parts().filter(|_| !trains() && !varies());
        self.fixed_body = parts.map(TwoParts::body);
    }
}

/// Moves a model built on a plain device to the autodiff device and erases its type.
pub(crate) fn boxed<M: Model>(model: M) -> Box<dyn AnyModel> {
    let mut slot = Slot::new(model.train());
    slot.update_fixed_body();
    Box::new(slot)
}

/// Erases the type of a model on a plain device, for inference.
pub(crate) fn plain<M: Model>(model: M) -> Box<dyn AnyModel> {
    Box::new(Slot::new(model))
}

impl<M: Model> AnyModel for Slot<M> {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let model = self.get();
        match (&self.fixed_body, model.parts()) {
            // Nothing in it needs gradients: without a graph, its activations are freed at once. An
            // input that requires gradients does need the graph.
            (Some(body), Some(parts))
                if images.device().is_autodiff() && !images.is_require_grad() =>
            {
                let features = body(images.inner());
                parts.head(Tensor::from_inner(features))
            }
            _ => model.forward(images),
        }
    }

    fn parts(&self) -> Option<&dyn TwoParts> {
        self.get().parts()
    }

    fn fixed_body(&self) -> Option<&InferenceBody> {
        self.fixed_body.as_ref()
    }

    fn valid(&self) -> Box<dyn AnyModel> {
        Box::new(Slot::new(self.get().valid()))
    }

    fn snapshot(&self) -> Box<dyn AnyModel> {
        boxed(self.get().valid())
    }

    fn entries(&self) -> Vec<Entry> {
        let mut entries = state::entries(self.get());
        let own = self.get().batch_norms();
        for entry in &mut entries {
            entry.batch_norm |= own.contains(&entry.owner.as_str());
        }
        entries
    }

    fn starts(&self) -> Vec<Start> {
        state::starts(self.get())
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        state::tensors(self.get())
    }

    fn modes(&self) -> Vec<Mode> {
        mode::modes(self.get())
    }

    fn as_layers(&self) -> Option<Sequential> {
        self.get().as_layers()
    }

    fn assign(&mut self, source: &mut state::Source<'_>) {
        self.change(|model| state::assign(model, source));
        self.update_fixed_body();
    }

    fn set_trainable(&mut self, ids: Vec<ParamId>, trainable: bool) {
        self.change(|model| model.set_require_grad_group(ParamGroup::from_ids(ids), trainable));
        self.update_fixed_body();
    }

    fn set_training(&mut self, training: &mut dyn FnMut(&Mode) -> bool) {
        self.change(|model| mode::set_training(model, training));
        self.update_fixed_body();
    }

    fn buffers(&self) -> Vec<Tensor<1>> {
        state::buffers(self.get())
    }

    fn restore_buffers(&mut self, buffers: Vec<Tensor<1>>) {
        self.change(|model| state::restore_buffers(model, buffers));
    }

    fn flat(&self) -> Vec<Tensor<1>> {
        state::flat(self.get())
    }

    fn put_flat(&mut self, tensors: Vec<Tensor<1>>) {
        self.change(|model| state::put_flat(model, tensors));
        self.update_fixed_body();
    }

    fn map_gradients(
        &self,
        grads: &mut Gradients,
        f: &mut dyn FnMut(usize, Tensor<1>) -> Tensor<1>,
    ) {
        let mut visitor = MapGradients { grads, f, next: 0 };
        self.get().visit(&mut visitor);
    }

    fn has_finite_gradients(&self, grads: &Gradients) -> bool {
        let mut visitor = GradientSum { grads, sum: None };
        self.get().visit(&mut visitor);
        visitor
            .sum
            .is_none_or(|sum| state::values(sum).iter().all(|sum| sum.is_finite()))
    }

    fn step(&mut self, optimizer: &mut GroupedOptimizer, grads: &mut Gradients) {
        self.change(|model| optimizer.step(model, grads));
    }
}
