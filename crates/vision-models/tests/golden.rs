//! The numbers that fastai v1 and torchvision give for each backbone, and where it is cut.
//!
//! Sources: fastai 1.0.61's `model_meta` and `flatten_model` run on torchvision's models.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::Tensor;
use vision_models::{
    Arch, Cut, Error, Init,
    layers::{AdaptiveConcatPool2d, Layer, Sequential},
    parity::{fill, filled},
    state::{self, values},
};

/// A row of fastai's table for two classes and the default head.
struct Row {
    arch: Arch,
    features: usize,
    /// Leaf modules of body and head.
    leaves: usize,
    /// Where the second and third layer group begin among them.
    split: [usize; 2],
    /// Parameters of the first two groups, which are the body.
    groups: [usize; 2],
    /// Parameters of the body's batch norms.
    batch_norm: usize,
}

const fn row(
    arch: Arch,
    features: usize,
    leaves: usize,
    split: [usize; 2],
    groups: [usize; 2],
    batch_norm: usize,
) -> Row {
    Row {
        arch,
        features,
        leaves,
        split,
        groups,
        batch_norm,
    }
}

#[rustfmt::skip]
const GOLDEN: [Row; 5] = [
    row(Arch::ResNet18, 512, 60, [26, 50], [683_072, 10_493_440], 9_600),
    row(Arch::ResNet34, 512, 100, [41, 90], [1_347_904, 19_936_768], 17_024),
    row(Arch::ResNet50, 2048, 134, [57, 124], [1_444_928, 22_063_104], 53_120),
    row(Arch::ResNet101, 2048, 253, [57, 243], [1_444_928, 41_055_232], 105_344),
    row(Arch::ResNet152, 2048, 372, [85, 362], [2_565_184, 55_578_624], 151_424),
];

/// Leaf modules of fastai's default head: two pools, flatten, and twice batch norm, dropout, linear with
/// one ReLU between.
const HEAD_LEAVES: usize = 10;

fn whole(arch: Arch) -> Sequential {
    arch.build(1000, &mut Init::zeroed(&vision_models::test_device()))
}

fn body(arch: Arch) -> Sequential {
    Cut::Default.apply(whole(arch), arch.info().cut).unwrap()
}

fn picture(side: usize) -> Tensor<4> {
    let shape = [4, 3, side, side];
    let data = burn::tensor::TensorData::new(fill("input", &shape, 0), shape);
    Tensor::from_data(data, &vision_models::test_device())
}

#[test]
fn the_table_has_every_architecture() {
    assert_eq!(GOLDEN.map(|row| row.arch), *Arch::ALL);
}

#[test]
fn features_and_leaf_modules_are_fastais() {
    for row in GOLDEN {
        let (arch, body) = (row.arch, body(row.arch));
        assert_eq!(arch.info().features, row.features, "{arch}");
        assert_eq!(body.out_channels(), Some(row.features), "{arch}");
        assert_eq!(body.leaves().len() + HEAD_LEAVES, row.leaves, "{arch}");
    }
}

#[test]
fn layer_groups_begin_at_fastais_leaves() {
    for row in GOLDEN {
        let (arch, leaves) = (row.arch, body(row.arch).leaves());
        let [second, head] = arch.info().split else {
            panic!("{arch}: three groups expected");
        };
        let child = second.strip_prefix("0.").unwrap();
        let first_leaf = leaves
            .iter()
            .position(|leaf| leaf.starts_with(&format!("{child}.")));
        assert_eq!(first_leaf, Some(row.split[0]), "{arch}");
        // The head comes right after the body.
        assert_eq!((*head, leaves.len()), ("1", row.split[1]), "{arch}");
    }
}

#[test]
fn parameters_of_the_body_are_fastais() {
    for row in GOLDEN {
        let arch = row.arch;
        let entries = state::entries(&body(arch));
        let params: Vec<_> = entries.iter().filter(|entry| !entry.buffer).collect();
        let child = arch.info().split[0].strip_prefix("0.").unwrap();
        let start = params
            .iter()
            .position(|e| e.name.starts_with(&format!("{child}.")))
            .unwrap();
        let sum = |params: &[&state::Entry]| params.iter().map(|e| e.len()).sum::<usize>();
        assert_eq!(
            [sum(&params[..start]), sum(&params[start..])],
            row.groups,
            "{arch}"
        );
        let batch_norm: Vec<_> = params.into_iter().filter(|e| e.is_batch_norm()).collect();
        assert_eq!(sum(&batch_norm), row.batch_norm, "{arch}");
    }
}

#[test]
fn concat_pooling_counts_as_two_leaf_modules() {
    let head = Sequential::numbered([
        Layer::AdaptiveConcatPool2d(AdaptiveConcatPool2d),
        Layer::Flatten,
    ]);
    assert_eq!(head.leaves(), ["0.ap", "0.mp", "1"]);
}

#[test]
fn a_body_shrinks_a_picture_by_thirty_two_and_has_its_features() {
    for row in GOLDEN {
        let found = body(row.arch).forward(picture(64)).dims();
        assert_eq!(found, [4, row.features, 2, 2], "{}", row.arch);
    }
}

#[test]
fn a_body_cut_at_minus_two_gives_the_activations_of_the_first_eight_children() {
    let whole = filled(whole(Arch::ResNet18), 0);
    let body = Cut::At(-2).apply(whole.clone(), -1).unwrap();
    assert_eq!(
        body.names().collect::<Vec<_>>(),
        ["0", "1", "2", "3", "4", "5", "6", "7"]
    );
    let (mut x, mut y) = (picture(32), picture(32));
    for (a, b) in whole.layers().zip(body.layers()) {
        (x, y) = (a.forward(x), b.forward(y));
        assert_eq!(x.dims(), y.dims());
        assert_eq!(values(x.clone()), values(y.clone()));
    }
    assert_eq!(values(y), values(body.forward(picture(32))));
}

#[test]
fn a_cut_by_the_identity_gives_the_whole_model_unchanged() {
    let whole = filled(whole(Arch::ResNet18), 0);
    let same = Cut::with(|model| model).apply(whole.clone(), -2).unwrap();
    assert!(same.names().eq(whole.names()));
    assert_eq!(state::entries(&same), state::entries(&whole));
    assert_eq!(state::tensors(&same), state::tensors(&whole));
}

#[test]
fn a_cut_keeps_weights_and_renames_children_to_their_positions() {
    let whole = filled(whole(Arch::ResNet18), 0);
    let before = state::tensors(&whole);
    let body = Cut::Default.apply(whole, -2).unwrap();
    let after = state::tensors(&body);
    assert_eq!(after[0].name, "0.weight");
    assert_eq!(after[5].name, "4.0.conv1.weight");
    assert!(before.iter().zip(&after).all(|(a, b)| a.values == b.values));
}

#[test]
fn an_automatic_cut_is_before_the_last_child_with_a_pool() {
    // fastai's rule finds avgpool, so it agrees with the registry's -2.
    let body = Cut::Auto.apply(whole(Arch::ResNet18), -1).unwrap();
    assert_eq!(body.len(), 8);
    let no_pool = Sequential::numbered([Layer::Relu, Layer::Flatten]);
    assert!(matches!(
        Cut::Auto.apply(no_pool, -1),
        Err(Error::Cut { children: 2, .. })
    ));
}

#[test]
fn a_cut_that_leaves_nothing_or_more_than_there_is_is_an_error_that_says_so() {
    for index in [0, -10, -11, 11, isize::MIN, isize::MAX] {
        match Cut::At(index).apply(whole(Arch::ResNet18), -2) {
            Err(Error::Cut {
                index: found,
                children,
            }) => assert_eq!((found, children), (index, 10)),
            other => panic!("{index}: {:?}", other.map(|body| body.len())),
        }
    }
    for (index, left) in [(1, 1), (10, 10), (-1, 9), (-9, 1)] {
        assert_eq!(
            Cut::At(index)
                .apply(whole(Arch::ResNet18), -2)
                .unwrap()
                .len(),
            left
        );
    }
}

#[test]
fn an_unknown_architecture_is_an_error_that_lists_the_known_ones() {
    let error = "resnet19".parse::<Arch>().unwrap_err();
    let message = error.to_string();
    for arch in Arch::ALL {
        assert!(message.contains(arch.name()), "{message}");
    }
}

#[test]
fn every_weights_file_carries_the_beginning_of_its_hash_in_its_name() {
    for arch in Arch::ALL {
        let weights = &arch.info().weights;
        let prefix = weights.sha256_prefix();
        assert!(
            prefix.len() == 8 && prefix.chars().all(|c| c.is_ascii_hexdigit()),
            "{prefix}"
        );
        assert_eq!(weights.file_name(), format!("{arch}-{prefix}.pth"));
    }
}
