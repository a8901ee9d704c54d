//! The summary of a model.

use burn::module::Module;
use burn::nn;
use burn::tensor::Tensor;
use vision_data::{DataError, ImageDataBunch, ImageError};
use vision_learner::{Error, Head, Model};
use vision_models::Arch;

use crate::prelude::*;
use crate::support::{self, digits};

#[test]
fn a_summary_lists_body_and_head_under_their_names_and_its_sums_are_those_of_the_rows() {
    let data = ImageDataBunch::single_from_classes("none", ["a", "b"])
        .size(64)
        .build()
        .unwrap();
    let mut learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    learner.freeze().unwrap();
    let found = learner.summary().unwrap();
    assert_eq!(
        (found.arch.as_str(), found.size),
        ("resnet18", Some([64, 64]))
    );
    let row = |name: &str| {
        found
            .layers
            .iter()
            .find(|layer| layer.name == name)
            .unwrap()
    };
    // 64 x 3 x 7 x 7 weights at each of 32 x 32 places; frozen.
    let conv = row("0.0");
    assert_eq!(
        (conv.kind.as_str(), conv.output.as_deref()),
        ("Conv2d", Some(&[64, 32, 32][..]))
    );
    assert_eq!((conv.parameters, conv.trainable), (9408, 0));
    assert_eq!(conv.multiply_adds, Some(9408 * 1024));
    assert_eq!(conv.activation_bytes, Some(64 * 1024 * 4));
    // Batch norms train in a frozen body.
    assert_eq!((row("0.1").parameters, row("0.1").trainable), (128, 128));
    let linear = row("1.4");
    assert_eq!(
        (linear.output.as_deref(), linear.parameters),
        (Some(&[512][..]), 1024 * 512 + 512)
    );
    assert_eq!(
        (linear.trainable, linear.multiply_adds),
        (1024 * 512 + 512, Some(1024 * 512))
    );
    assert_eq!(row("1.0").output.as_deref(), Some(&[1024, 1, 1][..]));
    assert_eq!(row("1.8").output.as_deref(), Some(&[2][..]));

    let sum =
        |of: fn(&vision_learner::LayerSummary) -> usize| found.layers.iter().map(of).sum::<usize>();
    assert_eq!(sum(|layer| layer.parameters), found.parameters);
    assert_eq!(sum(|layer| layer.trainable), found.trainable);
    assert_eq!((found.trainable, found.parameters), learner.num_params());
    let bytes: u64 = found
        .layers
        .iter()
        .filter_map(|layer| layer.activation_bytes)
        .sum();
    assert_eq!(found.activation_bytes, Some(bytes));
    assert_eq!(found.note, None);
}

#[test]
fn a_summary_prints_as_an_aligned_table_and_serializes() {
    let data = ImageDataBunch::single_from_classes("none", ["a", "b"])
        .size(64)
        .build()
        .unwrap();
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let found = learner.summary().unwrap();
    let text = found.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "resnet18, one image of 64x64 pixels (height x width)"
    );
    assert_eq!(lines.len(), found.layers.len() + 3);
    // The columns of numbers end at the same place.
    let width = lines[1].chars().count();
    assert!(lines[1].starts_with("layer") && lines[1].ends_with("activations (bytes)"));
    assert!(
        lines[2..].iter().all(|line| line.chars().count() == width),
        "{text}"
    );
    assert!(lines[2].contains("64x32x32"), "{text}");
    assert!(
        lines.last().unwrap().starts_with("total") && text.contains("11,705,410"),
        "{text}"
    );
    // 11,176,512 of the body, and 2048 + 524,800 + 1024 + 1026 of the head.
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["layers"][0]["output"], serde_json::json!([64, 32, 32]));
    assert_eq!(json["parameters"], found.parameters);
}

#[test]
fn without_a_size_the_images_decide_and_different_sizes_are_an_error() {
    let digits = digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    assert_eq!(learner.summary().unwrap().size, Some([28, 28]));
    assert_eq!(learner.summary_for([40, 50]).unwrap().size, Some([40, 50]));
    let odd = digits.path.join("valid/3/odd.png");
    image::RgbImage::new(20, 30).save(odd).unwrap();
    let learner = support::learner(support::data(&digits.path, 4));
    let error = learner.summary().unwrap_err();
    assert_matches!(
        error,
        Error::Data(vision_data::Error::Image(ImageError::SizesDiffer { .. }))
    );
    assert!(learner.summary_for([28, 28]).is_ok());
    let data = ImageDataBunch::single_from_classes("none", ["a", "b"])
        .build()
        .unwrap();
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let error = learner.summary().unwrap_err();
    assert_matches!(error, Error::Option(error) if error.option == "size");
    assert!(error.to_string().contains("summary_for"), "{error}");
    let missing = learner.get_preds(DatasetType::Valid).unwrap_err();
    assert_matches!(
        missing,
        Error::Data(vision_data::Error::Data(DataError::Empty { .. }))
    );
}

#[test]
fn a_size_that_the_model_does_not_take_is_an_error() {
    let data = ImageDataBunch::single_from_classes("none", ["a", "b"])
        .size(64)
        .build()
        .unwrap();
    let learner = create_cnn(data, Arch::Vgg11Bn)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    assert_matches!(
        learner.summary_for([31, 64]).unwrap_err(),
        Error::ImageTooSmall { expected: 32, .. }
    );
    for size in [[0, 64], [64, 16385], [usize::MAX, 64]] {
        let error = learner.summary_for(size).unwrap_err();
        assert_matches!(error, Error::Option(error) if error.option == "size");
    }
}

/// A module of one's own: its layers are not known.
#[derive(Module, Debug)]
struct Own {
    fc: nn::Linear,
}

impl Model for Own {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc
            .forward(images.mean_dim(3).mean_dim(2).flatten(1, 3))
    }
}

impl Head for Own {
    fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        self.fc
            .forward(features.mean_dim(3).mean_dim(2).flatten(1, 3))
    }
}

#[test]
fn of_a_module_of_ones_own_the_parameters_are_listed_with_a_note() {
    let data = ImageDataBunch::single_from_classes("none", ["a", "b"])
        .size(64)
        .build()
        .unwrap();
    let fc = nn::LinearConfig::new(3, 2).init(data.device());
    let learner = Learner::builder(data, Own { fc })
        .silent(true)
        .build()
        .unwrap();
    let found = learner.summary().unwrap();
    let [row] = &found.layers[..] else {
        panic!("{found}");
    };
    assert_eq!(
        (row.name.as_str(), row.parameters, row.trainable),
        ("fc", 8, 8)
    );
    assert_eq!(
        (row.output.clone(), row.multiply_adds, found.multiply_adds),
        (None, None, None)
    );
    assert!(found.note.as_ref().unwrap().contains("as_layers"));
    assert!(found.to_string().contains('?'));
}
