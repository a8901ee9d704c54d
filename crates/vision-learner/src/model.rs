//! A model whose type is forgotten, so that `Learner` needs no type parameter.

use burn::{
    module::{ParamGroup, ParamId},
    tensor::{Gradients, Tensor},
};
use vision_models::{
    layers::Sequential,
    state::{self, Entry, NamedTensor, Start},
};

use crate::{cnn::Model, optim::GroupedOptimizer};

/// What the learner asks of a model. One implementation, for every [`Model`].
pub(crate) trait AnyModel: Send {
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
    /// A copy for inference on the plain device. It shares weights but no running statistics.
    fn valid(&self) -> Box<dyn AnyModel>;
    /// A copy for training that shares nothing that training changes in place.
    fn snapshot(&self) -> Box<dyn AnyModel>;
    fn entries(&self) -> Vec<Entry>;
    fn starts(&self) -> Vec<Start>;
    fn tensors(&self) -> Vec<NamedTensor>;
    /// The layers that it is made of, if it knows.
    fn as_layers(&self) -> Option<Sequential>;
    fn assign(&mut self, source: &mut state::Source<'_>);
    fn set_trainable(&mut self, ids: Vec<ParamId>, trainable: bool);
    fn step(&mut self, optimizer: &mut GroupedOptimizer, grads: &mut Gradients);
}

/// Burn's modules are changed by value; the slot is empty only while that happens.
struct Slot<M>(Option<M>);

impl<M: Model> Slot<M> {
    #[allow(clippy::expect_used)] // `change` always puts a model back
    fn get(&self) -> &M {
        self.0.as_ref().expect("a slot holds a model between calls")
    }

    fn change(&mut self, f: impl FnOnce(M) -> M) {
        self.0 = self.0.take().map(f);
    }
}

/// Moves a model built on a plain device to training and forgets its type.
pub(crate) fn boxed<M: Model>(model: M) -> Box<dyn AnyModel> {
    Box::new(Slot(Some(model.train())))
}

impl<M: Model> AnyModel for Slot<M> {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.get().forward(images)
    }

    fn valid(&self) -> Box<dyn AnyModel> {
        Box::new(Slot(Some(self.get().valid())))
    }

    fn snapshot(&self) -> Box<dyn AnyModel> {
        boxed(self.get().valid())
    }

    fn entries(&self) -> Vec<Entry> {
        state::entries(self.get())
    }

    fn starts(&self) -> Vec<Start> {
        state::starts(self.get())
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        state::tensors(self.get())
    }

    fn as_layers(&self) -> Option<Sequential> {
        self.get().as_layers()
    }

    fn assign(&mut self, source: &mut state::Source<'_>) {
        self.change(|model| state::assign(model, source));
    }

    fn set_trainable(&mut self, ids: Vec<ParamId>, trainable: bool) {
        self.change(|model| model.set_require_grad_group(ParamGroup::from_ids(ids), trainable));
    }

    fn step(&mut self, optimizer: &mut GroupedOptimizer, grads: &mut Gradients) {
        self.change(|model| optimizer.step(model, grads));
    }
}
