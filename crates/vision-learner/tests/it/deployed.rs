//! A learner leaves as one file, which predicts its bits without a line of code about it.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Tensor;
use vision_base::OptionError;
use vision_data::{
    Image, ItemTransform, PaddingMode, ResizeMethod, Resizing, TargetKind, Transform, TransformRng,
    get_transforms,
};
use vision_learner::{
    BinaryCrossEntropy, CrossEntropy, Error, ExportConfig, LearnerBuilder, Loss, Model, OpenConfig,
    Output, Prediction, Predictor, Result, TargetTensor, Threshold,
};
use vision_models::layers::{Layer, Linear, Sequential};
use vision_models::weights::WeightsFile;
use vision_models::{Cut, Init, mode, state};

use crate::prelude::*;
use crate::support;

/// The bits of a prediction.
fn bits(prediction: &Prediction) -> (String, usize, Vec<u32>) {
    let bits = prediction.probabilities.iter().map(|p| p.to_bits());
    (prediction.class.clone(), prediction.index, bits.collect())
}

/// Images of several sizes: drawn digits, and larger ones.
fn images(learner: &Learner) -> Vec<Image> {
    let valid = learner.data().valid_ds();
    let mut images: Vec<Image> = (0..valid.len().min(3))
        .map(|i| valid.image(i).unwrap())
        .collect();
    if learner.data().size().is_some() {
        for (width, height) in [(90, 40), (33, 70)] {
            let pixels = (0..3 * width * height).map(|i: u32| (i * i / 7 % 251) as u8);
            images.push(Image::from_rgb8(width, height, pixels.collect()).unwrap());
        }
    }
    images
}

/// Asserts that the file of a learner predicts what the learner does, and returns the opened model.
#[track_caller]
fn same(what: &str, learner: &Learner, config: ExportConfig) -> Predictor {
    let bytes = learner.export_bytes(config).unwrap();
    let opened = Predictor::from_bytes(&bytes).unwrap();
    for image in images(learner) {
        let expected = bits(&learner.predict(&image).unwrap());
        assert_eq!(bits(&opened.predict(&image).unwrap()), expected, "{what}");
    }
    let test = opened.self_test();
    assert!(test.passed() && test.tolerance == 0.0, "{what}: {test}");
    assert_eq!(opened.classes(), learner.data().classes());
    opened
}

/// A learner whose running statistics are not those of a new one.
fn trained(mut learner: Learner) -> Learner {
    learner.fit(1, 1e-3).unwrap();
    learner
}

fn build<P>(builder: LearnerBuilder<P>) -> LearnerBuilder<P> {
    builder.silent(true).metrics([accuracy()])
}

#[test]
fn an_exported_model_predicts_the_bits_of_its_learner_for_each_kind_of_layer() {
    let digits = support::digits(8, 4);
    for arch in [
        Arch::ResNet18,
        Arch::DenseNet121,
        Arch::MobileNetV2,
        Arch::XResNet18,
        Arch::SqueezeNet1_1,
    ] {
        let data = ImageDataBunch::from_folder(&digits.path)
            .batch_size(8)
            .size(48)
            .normalize(Stats::IMAGENET)
            .build()
            .unwrap();
        let learner = trained(
            build(create_cnn(data, arch).pretrained(false))
                .build()
                .unwrap(),
        );
        let opened = same(&arch.to_string(), &learner, ExportConfig::new());
        assert_eq!(opened.arch(), arch.to_string());
    }
}

#[test]
fn cut_bodies_and_other_heads_need_no_code_either() {
    let digits = support::digits(8, 4);
    let cnn = || create_cnn(support::data(&digits.path, 8), Arch::ResNet18).pretrained(false);
    let five = Cut::with(|model| model.truncated(6));
    let linear = Layer::Linear(Linear::new(512, 2, &mut Init::new(5, &Device::default())));
    let head = Sequential::numbered([
        Layer::AdaptiveAvgPool2d(vision_models::layers::AdaptiveAvgPool2d::new(1)),
        linear,
    ]);
    same(
        "cut",
        &trained(build(cnn().cut(-4)).build().unwrap()),
        ExportConfig::new(),
    );
    same(
        "head of ones own",
        &trained(build(cnn().custom_head(head)).build().unwrap()),
        ExportConfig::new(),
    );
    let settings = cnn()
        .lin_ftrs([64, 32])
        .ps([0.1, 0.0, 0.3])
        .concat_pool(false)
        .bn_final(true);
    let learner = trained(build(settings).build().unwrap());
    let opened = same("settings", &learner, ExportConfig::new());
    // The names of its parameters are those of fastai.
    let path = digits.path.join("model.safetensors");
    learner.export(&path).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    for tensor in learner.weights() {
        assert_eq!(
            file.read_f32(&tensor.name).unwrap(),
            tensor.values,
            "{}",
            tensor.name
        );
    }
    assert!(file.contains("0.4.0.conv1.weight"));
    assert_eq!(opened.card().unwrap().parameters, learner.num_params().1);
    let cut = create_cnn(support::data(&digits.path, 8), Arch::SqueezeNet1_1);
    if let Ok(learner) = build(cut.pretrained(false).cut(five)).build() {
        same("function", &trained(learner), ExportConfig::new());
    }
}

#[test]
fn all_preprocessing_goes_along() {
    let digits = support::digits(8, 4);
    for (resizing, reading) in [
        (
            Resizing {
                size: Some((40, 56).into()),
                resize_method: Some(ResizeMethod::Squish),
                ..Resizing::default()
            },
            ReadConfig::new().with_background([255, 0, 9]),
        ),
        (
            Resizing {
                size: Some(40.into()),
                resize_method: Some(ResizeMethod::Pad),
                mult: Some(32),
                padding_mode: PaddingMode::Border,
            },
            ReadConfig::new()
                .with_reduced_jpegs(true)
                .with_short_side(50),
        ),
    ] {
        let mut transforms = get_transforms();
        transforms.valid.push(Transform::pad(3, PaddingMode::Zeros));
        // Random: the draw is that of the seed.
        transforms
            .valid
            .push(Transform::rotate([-30.0, 30.0]).with_p(0.9));
        let data = ImageDataBunch::from_folder(&digits.path)
            .batch_size(8)
            .seed(77)
            .resizing(resizing)
            .reading(reading)
            .transforms(transforms)
            .normalize(Stats::CIFAR)
            .build()
            .unwrap();
        let expected = data.preprocessing();
        let learner = create_cnn(data, Arch::ResNet18).pretrained(false);
        let learner = build(learner).build().unwrap();
        let opened = same("preprocessing", &learner, ExportConfig::new());
        assert_eq!(opened.preprocessing(), &expected);
        // From files too, which are reduced when they are decoded.
        let file = digits.path.join("large.jpg");
        let image = image::RgbImage::from_fn(900, 700, |x, y| {
            image::Rgb([x as u8, y as u8, (x * y) as u8])
        });
        image.save(&file).unwrap();
        let expected = learner
            .predict(&learner.data().open(&file).unwrap())
            .unwrap();
        assert_eq!(bits(&opened.predict_file(&file).unwrap()), bits(&expected));
        let bytes = fs::read(&file).unwrap();
        assert_eq!(
            bits(&opened.predict_bytes(&bytes).unwrap()),
            bits(&expected)
        );
    }
}

/// Some digits with labels of another kind.
fn labeled<L: Into<vision_data::Label>>(
    digits: &support::Digits,
    label: impl Fn(usize) -> L,
) -> ImageDataBunch {
    let files = vision_data::files::image_files(digits.path.join("train")).unwrap();
    let labels: Vec<L> = (0..files.len()).map(label).collect();
    ImageDataBunch::from_lists(&digits.path, files, labels)
        .batch_size(4)
        .build()
        .unwrap()
}

#[test]
fn several_classes_per_item_go_along_with_thresholds_and_temperature() {
    let digits = support::digits(12, 1);
    let data = labeled(&digits, |i| {
        [vec!["a"], vec!["a", "b"], vec!["b", "c"]][i % 3].clone()
    });
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let learner = trained(learner);
    let opened = same("plain", &learner, ExportConfig::new());
    assert_eq!(
        (opened.kind(), opened.threshold()),
        (TargetKind::MultiCategory, Threshold::All(0.5))
    );

    let image = learner.data().valid_ds().image(0).unwrap();
    let plain = learner.predict(&image).unwrap();
    // The classes whose probability reaches their own threshold.
    let thresholds = [0.0, 1.0, plain.probabilities[2]];
    let bytes = learner
        .export_bytes(ExportConfig::new().with_threshold(thresholds))
        .unwrap();
    let opened = Predictor::from_bytes(&bytes).unwrap();
    assert_eq!(opened.predict(&image).unwrap().class, "a;c");
    assert_eq!(opened.threshold(), Threshold::Each(thresholds.to_vec()));

    // σ(logit / 2), from the probability of the logit.
    let bytes = learner
        .export_bytes(ExportConfig::new().with_temperature(2.0))
        .unwrap();
    let opened = Predictor::from_bytes(&bytes).unwrap();
    assert_eq!(opened.temperature(), Some(2.0));
    for (cool, p) in opened
        .predict(&image)
        .unwrap()
        .probabilities
        .iter()
        .zip(&plain.probabilities)
    {
        let logit = (f64::from(*p) / (1.0 - f64::from(*p))).ln();
        let expected = 1.0 / (1.0 + (-logit / 2.0).exp());
        assert!(
            (f64::from(*cool) - expected).abs() < 1e-5,
            "{cool} is not {expected}"
        );
    }
    for (config, option) in [
        (ExportConfig::new().with_threshold(1.5), "threshold"),
        (ExportConfig::new().with_threshold([0.5; 2]), "threshold"),
        (ExportConfig::new().with_temperature(0.0), "temperature"),
        (
            ExportConfig::new().with_temperature(f64::NAN),
            "temperature",
        ),
        (
            ExportConfig::new().with_golden(Vec::<PathBuf>::new()),
            "golden",
        ),
    ] {
        let error = learner.export_bytes(config).unwrap_err();
        assert!(
            matches!(&error, Error::Option(OptionError { option: found, .. }) if *found == option),
            "{error}"
        );
    }
}

#[test]
fn numbers_go_along() {
    let digits = support::digits(12, 1);
    let data = labeled(&digits, |i| vec![i as f32, 1.0]);
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let opened = same("numbers", &trained(learner), ExportConfig::new());
    assert_eq!(
        (opened.kind(), opened.classes().len()),
        (TargetKind::Float, 0)
    );
    assert_eq!(opened.card().unwrap().outputs, 2);
}

#[test]
fn sixteen_bit_weights_predict_what_the_rounded_model_does() {
    let digits = support::digits(8, 4);
    let learner = trained(support::learner(support::data(&digits.path, 8)));
    let (full, half) = (
        digits.path.join("full.safetensors"),
        digits.path.join("half.safetensors"),
    );
    learner.export(&full).unwrap();
    let card = learner
        .export_with(&half, ExportConfig::new().with_half(true))
        .unwrap();
    assert!(card.half);
    let size = |path: &Path| fs::metadata(path).unwrap().len() as f64;
    assert!(
        (0.49..0.53).contains(&(size(&half) / size(&full))),
        "{}",
        size(&half) / size(&full)
    );

    // The learner with weights that PyTorch's `.half()` would round.
    let mut weights = learner.weights();
    for tensor in weights.iter_mut().filter(|tensor| tensor.shape.len() >= 2) {
        for value in &mut tensor.values {
            *value = half::f16::from_f32(*value).to_f32();
        }
    }
    let rounded = digits.path.join("rounded.safetensors");
    vision_models::weights::write_safetensors(&rounded, &weights, &Default::default()).unwrap();
    let mut other = support::learner(support::data(&digits.path, 8));
    other.load(&rounded).unwrap();
    let opened = Predictor::open(&half).unwrap();
    for image in images(&learner) {
        let expected = bits(&other.predict(&image).unwrap());
        assert_eq!(bits(&opened.predict(&image).unwrap()), expected);
        assert_ne!(bits(&learner.predict(&image).unwrap()), expected);
    }
    assert!(opened.self_test().passed());
}

#[test]
fn an_export_of_an_opened_model_says_what_its_file_said_of_the_training() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    learner.fit(1, 1e-3).unwrap();
    let paths = ["first.safetensors", "second.safetensors"].map(|name| digits.path.join(name));
    let calibrated = ExportConfig::new().with_temperature(1.5);
    let first = learner.export_with(&paths[0], calibrated).unwrap();
    assert!(!first.metrics.is_empty() && first.data.train == 16);
    // Without data and history of its own.
    let data = ImageDataBunch::single_from_classes(&digits.path, first.classes.clone());
    let mut other = support::learner(data.build().unwrap());
    other.load(&paths[0]).unwrap();
    let config = ExportConfig::new().with_card(&first).with_half(true);
    let second = other.export_with(&paths[1], config).unwrap();
    assert_eq!(
        (
            &second.metrics,
            &second.data,
            second.epochs_trained,
            second.temperature
        ),
        (&first.metrics, &first.data, 1, Some(1.5))
    );
    assert!(second.half && Predictor::open(&paths[1]).unwrap().self_test().passed());
}

#[test]
fn one_image_a_batch_a_folder_and_bytes_give_the_same_bits() {
    let digits = support::digits(8, 6);
    let learner = trained(support::learner(support::data(&digits.path, 8)));
    let opened = same("batch", &learner, ExportConfig::new());
    let valid = learner.data().valid_ds();
    let images: Vec<Image> = (0..valid.len()).map(|i| valid.image(i).unwrap()).collect();
    let one_by_one: Vec<_> = images
        .iter()
        .map(|image| bits(&opened.predict(image).unwrap()))
        .collect();
    let batch = opened.predict_batch(&images).unwrap();
    assert_eq!(batch.iter().map(bits).collect::<Vec<_>>(), one_by_one);
    assert!(opened.predict_batch(&[]).unwrap().is_empty());

    let folder = digits.path.join("valid");
    fs::write(folder.join("3/bad.png"), b"no image").unwrap();
    fs::write(folder.join("3/empty.jpg"), b"").unwrap();
    fs::write(folder.join("notes.txt"), b"text").unwrap();
    let found = opened.predict_folder(&folder).unwrap();
    assert_eq!(found.len(), images.len() + 2);
    let all: Vec<(PathBuf, Result<Prediction>)> = found.collect();
    let mut sorted = all.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    sorted.sort();
    assert!(all.iter().map(|(path, _)| path).eq(&sorted));
    let mut good = Vec::new();
    for (path, result) in &all {
        let name = path.file_name().unwrap().to_str().unwrap();
        match result {
            Ok(prediction) => good.push(bits(prediction)),
            Err(error) => {
                assert!(["bad.png", "empty.jpg"].contains(&name), "{error}");
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }
    assert_eq!(good, one_by_one);
    assert!(opened.predict_folder(folder.join("missing")).is_err());
}

#[test]
fn the_card_says_what_is_in_the_file() {
    let digits = support::digits(8, 4);
    let learner = trained(support::learner(support::data(&digits.path, 8)));
    let path = digits.path.join("model.safetensors");
    let written = learner.export(&path).unwrap();
    let opened = Predictor::open(&path).unwrap();
    let card = opened.card().unwrap();
    assert_eq!(card, &written);
    assert_eq!(card.classes, ["3", "7"]);
    assert_eq!(card.data, learner.data().fingerprint());
    assert_eq!((card.data.train, card.data.valid), (16, 8));
    assert_eq!((card.epochs_trained, card.golden, card.format), (1, 3, 1));
    let row = learner.recorder().epochs.last().unwrap();
    let metrics: Vec<_> = card
        .metrics
        .iter()
        .map(|m| (m.name.as_str(), m.value))
        .collect();
    assert_eq!(
        metrics,
        [
            ("valid_loss", row.valid_loss),
            ("accuracy", Some(row.metrics[0]))
        ]
    );
    let text = card.to_string();
    for part in [
        "resnet18",
        "classes: 2 (3, 7)",
        "softmax",
        "accuracy: ",
        card.hash.as_str(),
    ] {
        assert!(text.contains(part), "{text}");
    }
    let json = serde_json::to_value(card).unwrap();
    assert_eq!(json["classes"], serde_json::json!(["3", "7"]));
    assert_eq!(
        json["preprocessing"],
        serde_json::json!(learner.data().preprocessing())
    );
    // It is a weights file too.
    let mut other = support::learner(support::data(&digits.path, 8));
    other.load(&path).unwrap();
    assert_eq!(other.weights(), learner.weights());
    assert!(learner.predictor().card().is_none());
    let test = learner.predictor().self_test();
    assert!(
        !test.passed() && test.to_string().contains("no self test"),
        "{test}"
    );
}

#[test]
fn golden_inputs_of_a_user_are_the_only_images_in_the_file() {
    let digits = support::digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let file = learner.data().valid_ds().path(1).unwrap().to_owned();
    let own = learner
        .export_bytes(ExportConfig::new().with_golden([&file]))
        .unwrap();
    let drawn = learner.export_bytes(ExportConfig::new()).unwrap();
    let image = fs::read(&file).unwrap();
    let holds = |bytes: &[u8]| bytes.windows(image.len()).any(|part| part == image);
    assert!(holds(&own) && !holds(&drawn));
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(
        !String::from_utf8_lossy(&own).contains(name),
        "its name is not in the file"
    );
    let opened = Predictor::from_bytes(&own).unwrap();
    assert_eq!(opened.self_test().inputs.len(), 1);
    assert!(opened.self_test().passed());

    let text = digits.path.join("text.png");
    fs::write(&text, "text").unwrap();
    for bad in [text, digits.path.join("missing.png"), digits.path.clone()] {
        let error = learner
            .export_bytes(ExportConfig::new().with_golden([&bad]))
            .unwrap_err();
        let name = bad.file_name().unwrap().to_str().unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn two_exports_of_one_learner_have_the_same_bytes() {
    let digits = support::digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let export = || learner.export_bytes(ExportConfig::new()).unwrap();
    assert_eq!(export(), export());
}

mod own {
    use burn::module::Module;
    use burn::nn;
    use burn::tensor::Tensor;
    use vision_learner::{Head, Model};

    #[derive(Module, Debug)]
    pub(super) struct MeanHead {
        pub(super) fc: nn::Linear,
    }

    impl MeanHead {
        pub(super) fn new(features: usize, classes: usize) -> Self {
            Self {
                fc: nn::LinearConfig::new(features, classes).init(&Default::default()),
            }
        }
    }

    impl Head for MeanHead {
        fn forward(&self, features: Tensor<4>) -> Tensor<2> {
            let [n, c, ..] = features.dims();
            self.fc
                .forward(features.mean_dim(3).mean_dim(2).reshape([n, c]))
        }
    }

    /// The mean color of the image, and a linear layer.
    #[derive(Module, Debug)]
    pub(super) struct MeanColor {
        pub(super) head: MeanHead,
    }

    impl Model for MeanColor {
        fn forward(&self, images: Tensor<4>) -> Tensor<2> {
            self.head.forward(images)
        }
    }
}

#[test]
fn a_model_of_ones_own_is_opened_with_its_code_and_without_it_the_error_says_so() {
    let digits = support::digits(8, 4);
    let model = || own::MeanColor {
        head: own::MeanHead::new(3, 2),
    };
    let data = support::data(&digits.path, 8);
    let learner = trained(
        Learner::builder(data, model())
            .silent(true)
            .build()
            .unwrap(),
    );
    let path = digits.path.join("own.safetensors");
    for half in [false, true] {
        let card = learner
            .export_with(&path, ExportConfig::new().with_half(half))
            .unwrap();
        assert!(!card.has_layers && card.arch == "MeanColor");
        let error = Predictor::open(&path).unwrap_err();
        assert!(
            matches!(&error, Error::Bundle { field, .. } if field == "layers"),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("Predictor::open_with(path, model)"),
            "{error}"
        );
        let given = model();
        let before = state::tensors(&given);
        let opened = Predictor::open_with(&path, given.clone()).unwrap();
        assert_eq!(
            state::tensors(&given),
            before,
            "the caller's copy does not change"
        );
        for image in images(&learner).iter().filter(|_| !half) {
            let expected = bits(&learner.predict(image).unwrap());
            assert_eq!(bits(&opened.predict(image).unwrap()), expected);
        }
        assert!(opened.self_test().passed(), "{}", opened.self_test());
        // Another model than the one that was exported.
        let error = Predictor::open_with(
            &path,
            own::MeanColor {
                head: own::MeanHead::new(3, 4),
            },
        );
        assert!(matches!(error, Err(Error::Bundle { field, .. }) if field == "head.fc.weight"));
    }
    let head = create_cnn(support::data(&digits.path, 8), Arch::ResNet18).pretrained(false);
    let learner = build(head.custom_head(own::MeanHead::new(512, 2)))
        .build()
        .unwrap();
    let bytes = learner.export_bytes(ExportConfig::new()).unwrap();
    assert!(Predictor::from_bytes(&bytes).is_err());
}

/// A loss with an activation that no name says.
#[derive(Debug)]
struct Squared {
    output: Output,
}

impl Loss for Squared {
    fn output(&self) -> Output {
        self.output.clone()
    }

    fn per_item(&self, outputs: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>> {
        CrossEntropy::default().per_item(outputs, targets)
    }

    fn activation(&self, outputs: Tensor<2>) -> Tensor<2> {
        let squares = outputs.clone() * outputs;
        squares.clone() / squares.sum_dim(1)
    }
}

#[test]
fn an_activation_of_ones_own_is_opened_with_its_loss_and_one_that_is_named_wrongly_is_not_exported()
{
    let digits = support::digits(8, 4);
    let learner = |output: Output| {
        let cnn = create_cnn(support::data(&digits.path, 8), Arch::ResNet18).pretrained(false);
        cnn.loss(Squared { output }).silent(true).build().unwrap()
    };
    // As a loss of before `output` existed: it says softmax by default.
    let error = learner(Output::Softmax)
        .export_bytes(ExportConfig::new())
        .unwrap_err();
    assert!(
        matches!(&error, Error::Bundle { field, .. } if field == "activation"),
        "{error}"
    );
    assert!(error.to_string().contains("Loss::output"), "{error}");

    let own = || Output::Own("squares".into());
    let learner = learner(own());
    let bytes = learner.export_bytes(ExportConfig::new()).unwrap();
    let error = Predictor::from_bytes(&bytes).unwrap_err();
    assert!(error.to_string().contains("with_loss"), "{error}");
    let config = OpenConfig::new().with_loss(CrossEntropy::default());
    assert!(
        Predictor::from_bytes_with(&bytes, config).is_err(),
        "another loss"
    );
    let config = OpenConfig::new().with_loss(Squared { output: own() });
    let opened = Predictor::from_bytes_with(&bytes, config).unwrap();
    for image in images(&learner) {
        assert_eq!(
            bits(&opened.predict(&image).unwrap()),
            bits(&learner.predict(&image).unwrap())
        );
    }
    // A loss of the library names its activation.
    assert_eq!(BinaryCrossEntropy::default().output(), Output::Sigmoid);
}

/// Inverts an image.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Inverted;

impl ItemTransform for Inverted {
    const NAME: &'static str = "inverted in deployed.rs";

    fn apply(
        &self,
        image: Image,
        _: &mut TransformRng,
    ) -> std::result::Result<Image, Box<dyn std::error::Error + Send + Sync>> {
        let mut image = image.into_rgb_image();
        image.iter_mut().for_each(|byte| *byte = 255 - *byte);
        Ok(image.try_into()?)
    }
}

#[test]
fn a_transform_of_ones_own_is_asked_for_by_name_and_applied_once_it_is_registered() {
    let digits = support::digits(8, 4);
    let transforms = vision_data::Transforms {
        valid: vec![Transform::custom(Inverted)],
        ..Default::default()
    };
    let data = ImageDataBunch::from_folder(&digits.path)
        .batch_size(8)
        .size(32);
    let learner = support::learner(data.transforms(transforms).build().unwrap());
    let bytes = learner.export_bytes(ExportConfig::new()).unwrap();
    let error = Predictor::from_bytes(&bytes).unwrap_err().to_string();
    assert!(
        error.contains(Inverted::NAME) && error.contains("register"),
        "{error}"
    );
    vision_data::register_transform::<Inverted>().unwrap();
    same("own transform", &learner, ExportConfig::new());
}

/// A model that gives layers of another network as its own.
#[derive(Module, Debug)]
struct Liar {
    real: own::MeanColor,
}

impl Model for Liar {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.real.forward(images)
    }

    fn as_layers(&self) -> Option<Sequential> {
        let linear = Linear::new(3, 2, &mut Init::new(9, &Device::default()));
        let pool = vision_models::layers::AdaptiveAvgPool2d::new(1);
        Some(Sequential::numbered([
            Layer::AdaptiveAvgPool2d(pool),
            Layer::Linear(linear),
        ]))
    }
}

#[test]
fn layers_that_do_not_compute_what_the_model_does_are_not_exported() {
    let digits = support::digits(8, 4);
    let real = own::MeanColor {
        head: own::MeanHead::new(3, 2),
    };
    let learner = Learner::builder(support::data(&digits.path, 8), Liar { real });
    let error = learner
        .silent(true)
        .build()
        .unwrap()
        .export_bytes(ExportConfig::new())
        .unwrap_err();
    assert!(
        matches!(&error, Error::Bundle { field, .. } if field == "layers"),
        "{error}"
    );
    assert!(error.to_string().contains("as_layers"), "{error}");
}

#[test]
fn what_the_model_was_in_training_does_not_matter_after_it_is_opened() {
    let digits = support::digits(8, 4);
    let data = support::data(&digits.path, 8);
    let cnn = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .bn_freeze(true);
    let mut learner = build(cnn).build().unwrap();
    learner.freeze().unwrap();
    same("frozen", &trained(learner), ExportConfig::new());
    let net = Arch::ResNet18.build(2, &mut Init::new(1, &Device::default()));
    let net = mode::set_training(net, &mut |_| false);
    let learner = Learner::builder(support::data(&digits.path, 8), net);
    same(
        "whole",
        &trained(learner.silent(true).build().unwrap()),
        ExportConfig::new(),
    );
}

#[test]
fn an_export_replaces_an_earlier_one_and_no_other_file() {
    let digits = support::digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let path = digits.path.join("model.safetensors");
    learner.export(&path).unwrap();
    let first = fs::read(&path).unwrap();
    learner
        .export_with(&path, ExportConfig::new().with_half(true))
        .unwrap();
    assert_ne!(fs::read(&path).unwrap(), first);
    let checkpoint = learner.save("state").unwrap();
    let text = digits.path.join("notes.safetensors");
    fs::write(&text, "notes").unwrap();
    for other in [checkpoint, text] {
        let before = fs::read(&other).unwrap();
        let error = learner.export(&other).unwrap_err();
        assert!(
            matches!(&error, Error::Option(OptionError { option: "path", .. })),
            "{error}"
        );
        assert_eq!(fs::read(&other).unwrap(), before);
    }
}

#[test]
fn a_save_to_memory_gives_the_model_of_a_save_to_a_file() {
    let digits = support::digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let path = digits.path.join("model.safetensors");
    learner.export(&path).unwrap();
    let bytes = learner.export_bytes(ExportConfig::new()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // Save, load, save: nothing is lost.
    let saved = learner.save("one").unwrap();
    let mut other = support::learner(support::data(&digits.path, 4));
    other.load(&saved).unwrap();
    assert_eq!(other.num_params(), learner.num_params());
    assert_eq!(other.data().train_ds().len(), 8);
    assert_eq!(other.export_bytes(ExportConfig::new()).unwrap(), bytes);
}

#[test]
fn an_exported_model_is_opened_from_a_file_or_memory_without_any_item() {
    let digits = support::digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let path = digits.path.join("elsewhere.safetensors");
    learner.export(&path).unwrap();
    let image = learner.data().valid_ds().image(0).unwrap();
    let expected = bits(&learner.predict(&image).unwrap());
    drop(learner);
    let bytes = fs::read(&path).unwrap();
    let moved = tempfile::tempdir().unwrap();
    let there = moved.path().join("x");
    fs::rename(&path, &there).unwrap();
    // The data is gone.
    fs::remove_dir_all(&digits.path).unwrap();
    for opened in [
        Predictor::open(&there).unwrap(),
        Predictor::from_bytes(&bytes).unwrap(),
    ] {
        assert_eq!(bits(&opened.predict(&image).unwrap()), expected);
    }
}

#[test]
fn predictions_after_opening_equal_those_before_with_size_statistics_and_class_names() {
    let digits = support::digits(8, 4);
    let data = ImageDataBunch::from_folder(&digits.path)
        .batch_size(8)
        .size(40)
        .normalize(Stats::MNIST)
        .build()
        .unwrap();
    let learner = trained(support::learner(data));
    let opened = same("size and statistics", &learner, ExportConfig::new());
    assert_eq!(opened.preprocessing().normalize, Some(Stats::MNIST));
    assert_eq!(opened.preprocessing().size, Some(40.into()));
    assert_eq!(opened.classes(), ["3", "7"]);
}

#[test]
fn an_opened_model_outlives_its_learner_and_its_file() {
    let digits = support::digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let path = digits.path.join("model.safetensors");
    learner.export(&path).unwrap();
    let opened = Predictor::open(&path).unwrap();
    let image = learner.data().valid_ds().image(0).unwrap();
    let expected = bits(&opened.predict(&image).unwrap());
    drop(learner);
    fs::write(&path, "overwritten").unwrap();
    let copy = opened.clone();
    drop(opened);
    assert_eq!(bits(&copy.predict(&image).unwrap()), expected);
}

#[test]
fn probabilities_sum_to_1_and_agree_with_index_class_and_row() {
    let digits = support::digits(8, 4);
    let learner = trained(support::learner(support::data(&digits.path, 8)));
    let opened = same("probabilities", &learner, ExportConfig::new());
    let rows = learner.get_preds(DatasetType::Valid).unwrap();
    for item in 0..rows.len() {
        let image = learner.data().valid_ds().image(item).unwrap();
        let found = opened.predict(&image).unwrap();
        let sum: f32 = found.probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        let most = found.probabilities.iter().copied().fold(0.0, f32::max);
        assert_eq!(found.probabilities[found.index], most);
        assert_eq!(found.class, opened.classes()[found.index]);
        support::close("row", &found.probabilities, rows.row(item), 0.0, 1e-6);
    }
}
