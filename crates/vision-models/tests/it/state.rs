//! Parameters by name: the list is torchvision's, values go in and out unchanged, and copies are copies.

use std::collections::BTreeMap;

use burn::module::{Module, ParamGroup};
use burn::tensor::Tensor;
use serde::Deserialize;
use vision_models::layers::{BatchNorm, Layer, Linear, Sequential};
use vision_models::parity::filled;
use vision_models::state::{self, NamedTensor};
use vision_models::{Arch, Init};

fn small(seed: u64) -> Sequential {
    let init = &mut Init::new(seed, &vision_models::test_device());
    let mut net = Sequential::new();
    net.push("fc", Layer::Linear(Linear::new(4, 3, init)));
    net.push("bn", Layer::BatchNorm(BatchNorm::new(3, init)));
    net
}

fn value<'a>(tensors: &'a [NamedTensor], name: &str) -> &'a [f32] {
    &tensors.iter().find(|t| t.name == name).unwrap().values
}

fn batch() -> Tensor<4> {
    let device = vision_models::test_device().autodiff();
    Tensor::<2>::from_data([[1.0, 2.0, 3.0, 4.0], [0.5, -1.0, 2.5, 0.0]], &device)
        .reshape([2, 4, 1, 1])
}

#[test]
fn names_order_and_shapes_are_those_of_torchvisions_state_dict() {
    #[derive(Deserialize)]
    struct Fixture {
        state: BTreeMap<String, Vec<(String, Vec<usize>)>>,
    }
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/layers.json")).unwrap();
    assert_eq!(fixture.state.len(), 7);
    for (arch, expected) in fixture.state {
        let arch: Arch = arch.parse().unwrap();
        let model = arch.build(1000, &mut Init::zeroed(&vision_models::test_device()));
        let entries = state::entries(&model).into_iter();
        let found: Vec<_> = entries.map(|entry| (entry.name, entry.shape)).collect();
        assert_eq!(found, expected, "{arch}");
    }
}

#[test]
fn an_entry_tells_buffers_batch_norms_and_what_trains() {
    let model = small(0).train();
    let weight = state::entries(&model)[0].id;
    let model = model.set_require_grad_group(ParamGroup::from_ids(vec![weight]), false);
    let entries = state::entries(&model);
    let found: Vec<_> = entries
        .iter()
        .map(|e| {
            (
                e.name.as_str(),
                e.len(),
                e.buffer,
                e.trainable,
                e.is_batch_norm(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("fc.weight", 12, false, false, false),
            ("fc.bias", 3, false, true, false),
            ("bn.weight", 3, false, true, true),
            ("bn.bias", 3, false, true, true),
            ("bn.running_mean", 3, true, false, true),
            ("bn.running_var", 3, true, false, true),
        ]
    );
}

#[test]
fn what_is_read_can_be_assigned_to_another_model_bit_for_bit() {
    let source = state::tensors(&filled(small(0), 5));
    let mut rest = source.iter();
    let copy = state::assign(small(1), &mut |name, shape| {
        let next = rest.next().unwrap();
        assert_eq!((name, shape), (next.name.as_str(), next.shape.as_slice()));
        Some(next.values.clone())
    });
    assert_eq!(state::tensors(&copy), source);
}

#[test]
fn assigning_changes_what_it_is_given_and_nothing_else() {
    let model = small(0).train();
    let weight = state::entries(&model)[0].id;
    let model = model.set_require_grad_group(ParamGroup::from_ids(vec![weight]), false);
    let (entries, before) = (state::entries(&model), state::tensors(&model));
    let model = state::assign(model, &mut |name, _| match name {
        "fc.bias" => Some(vec![1.0, 2.0, 3.0]),
        "bn.running_var" => Some(vec![4.0, 5.0, 6.0]),
        "bn.weight" => Some(vec![1.0]), // a wrong length
        _ => None,
    });
    assert_eq!(
        state::entries(&model),
        entries,
        "identities or gradient settings changed"
    );
    let after = state::tensors(&model);
    assert_eq!(value(&after, "fc.bias"), [1.0, 2.0, 3.0]);
    assert_eq!(value(&after, "bn.running_var"), [4.0, 5.0, 6.0]);
    for name in ["fc.weight", "bn.weight", "bn.bias", "bn.running_mean"] {
        assert_eq!(value(&after, name), value(&before, name), "{name}");
    }
}

#[test]
fn statistics_read_after_a_batch_hold_that_batch() {
    let model = filled(small(0), 1).train();
    let before = state::tensors(&model);
    model.forward(batch());
    let after = state::tensors(&model);
    assert_ne!(
        value(&after, "bn.running_mean"),
        value(&before, "bn.running_mean")
    );
    assert_eq!(state::tensors(&model.valid()), after);
}

#[test]
fn statistics_assigned_after_a_batch_stay() {
    let model = filled(small(0), 1).train();
    model.forward(batch());
    let model = state::assign(model, &mut |name, _| {
        name.ends_with("running_mean").then(|| vec![7.0, 8.0, 9.0])
    });
    let kept = state::tensors(&model.valid());
    assert_eq!(value(&kept, "bn.running_mean"), [7.0, 8.0, 9.0]);
}

#[test]
fn valid_is_a_snapshot_that_training_does_not_move() {
    let model = filled(small(0), 1).train();
    let snapshot = model.valid();
    let before = state::tensors(&snapshot);
    model.forward(batch());
    assert_eq!(state::tensors(&snapshot), before);
    assert_ne!(state::tensors(&model), before);

    // And the other way: what is assigned to a snapshot does not reach the model.
    let trained = state::tensors(&model);
    state::assign(model.valid(), &mut |_, shape| {
        Some(vec![0.0; shape.iter().product()])
    });
    assert_eq!(state::tensors(&model), trained);
}

/// Burn's behavior, on which the advice in `state::assign` rests: if this fails, the advice can go.
#[test]
fn a_clone_shares_running_statistics_with_its_original() {
    let model = filled(small(0), 1).train();
    let clone = model.clone();
    model.forward(batch());
    let (model, clone) = (state::tensors(&model), state::tensors(&clone));
    assert_eq!(
        value(&model, "bn.running_mean"),
        value(&clone, "bn.running_mean")
    );
}
