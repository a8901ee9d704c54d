//! Models that answer in a moment, one of which does as the color of an image says.

use std::io::Cursor;
use std::path::Path;
use std::sync::{Condvar, Mutex};

use burn::module::Module;
use burn::nn;
use burn::tensor::Tensor;
use image::{ImageFormat, Rgb, RgbImage};
use vision_data::datasets::synthetic;
use vision_data::{ImageDataBunch, Stats, TargetKind};
use vision_learner::{
    Backbone, BodyBuilder, ExportConfig, Learner, Model, Predictor, Result, create_cnn,
};
use vision_models::Init;
use vision_models::layers::{ConvConfig, Layer, Sequential};
use vision_models::state::values;
use vision_serve::{ServeConfig, Server};

/// Names that a page must not take for HTML.
pub(crate) const CLASSES: [&str; 3] = ["<b>three</b>", "se\"ven", "\u{1f40d}"];

/// A convolution.
struct Tiny;

impl Backbone for Tiny {
    type Body = Sequential;

    fn name(&self) -> String {
        "tiny".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let net = builder.load_layers(|init: &mut Init| {
            let conv = ConvConfig::new(3, 4, 3).with_stride(2).init(init);
            Sequential::numbered([Layer::Conv2d(conv), Layer::Relu])
        })?;
        let body = builder.cut(net, 2)?;
        Ok((body, 4))
    }
}

fn of(kind: TargetKind, size: Option<usize>) -> Predictor {
    let mut data = ImageDataBunch::single_from_classes(".", CLASSES)
        .kind(kind)
        .normalize(Stats::IMAGENET);
    if let Some(size) = size {
        data = data.size(size);
    }
    let learner = create_cnn(data.build().unwrap(), Tiny)
        .pretrained(false)
        .silent(true)
        .lin_ftrs([4]);
    let learner = learner.build().unwrap();
    Predictor::from_bytes(&learner.export_bytes(ExportConfig::new()).unwrap()).unwrap()
}

/// One class per image, as from a file.
pub(crate) fn predictor() -> Predictor {
    of(TargetKind::Category, Some(32))
}

/// Takes images at their own size.
pub(crate) fn unresized() -> Predictor {
    of(TargetKind::Category, None)
}

pub(crate) fn several_classes() -> Predictor {
    of(TargetKind::MultiCategory, Some(32))
}

/// Labels that are numbers.
pub(crate) fn numbers() -> Predictor {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 4, 2).unwrap();
    let files = vision_data::files::image_files(path.join("train")).unwrap();
    let labels: Vec<Vec<f32>> = (0..files.len()).map(|i| vec![i as f32, 1.0]).collect();
    let data = ImageDataBunch::from_lists(&path, files, labels).batch_size(2);
    let learner = create_cnn(data.build().unwrap(), Tiny)
        .pretrained(false)
        .silent(true)
        .lin_ftrs([4]);
    learner.build().unwrap().predictor()
}

/// What images that are all green wait for.
pub(crate) static GATE: Gate = Gate {
    state: Mutex::new((0, 0)),
    changed: Condvar::new(),
};

/// Nextest runs each test in a process of its own; `cargo test` does not, so that tests with a gate take turns.
pub(crate) static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Gate {
    /// How many wait or have waited, and how many may pass in all.
    state: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        let place = state.0;
        self.changed.notify_all();
        drop(
            self.changed
                .wait_while(state, |state| state.1 < place)
                .unwrap(),
        );
    }

    /// Lets so many pass in all.
    pub(crate) fn open(&self, to: usize) {
        self.state.lock().unwrap().1 = to;
        self.changed.notify_all();
    }

    /// Waits until so many have come.
    pub(crate) fn wait(&self, come: usize) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| state.0 < come)
                .unwrap(),
        );
    }

    pub(crate) fn come(&self) -> usize {
        self.state.lock().unwrap().0
    }

    /// Nobody has come, and nobody may pass.
    pub(crate) fn close(&self) {
        *self.state.lock().unwrap() = (0, 0);
    }
}

/// Panics at a white image, and waits at a green one.
#[derive(Module, Debug)]
struct Moody {
    fc: nn::Linear,
}

impl Model for Moody {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let [n, c, ..] = images.dims();
        let means = images.mean_dim(3).mean_dim(2).reshape([n, c]);
        for color in values(means.clone()).chunks(3) {
            let [red, green, blue] = color else {
                unreachable!()
            };
            assert!(*red < 0.9 || *blue < 0.9, "a white image");
            if *green > 0.9 && *red < 0.1 {
                GATE.pass();
            }
        }
        self.fc.forward(means)
    }
}

pub(crate) fn moody() -> Predictor {
    let data = ImageDataBunch::single_from_classes(".", CLASSES).size(8);
    let model = Moody {
        fc: nn::LinearConfig::new(3, 3).init(&Default::default()),
    };
    let learner = Learner::builder(data.build().unwrap(), model).silent(true);
    learner.build().unwrap().predictor()
}

pub(crate) fn white() -> Vec<u8> {
    png(8, 8, |_, _| [255; 3])
}

pub(crate) fn green() -> Vec<u8> {
    png(8, 8, |_, _| [0, 255, 0])
}

/// A picture that no other number gives.
pub(crate) fn photo(number: u32) -> Vec<u8> {
    png(40 + number % 3, 30, |x, y| {
        let value = |k: u32| ((x * k + y * (k + 3) + number * 31) % 200) as u8;
        [value(5), value(3), value(7)]
    })
}

pub(crate) fn png(width: u32, height: u32, color: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| Rgb(color(x, y)));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A small file that unpacks to a large image.
pub(crate) fn bomb() -> Vec<u8> {
    let bombs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vision-data/tests/fixtures/bombs");
    std::fs::read(bombs.join("png.png")).unwrap()
}

pub(crate) fn config() -> ServeConfig {
    ServeConfig::new().with_listen("127.0.0.1:0".parse().unwrap())
}

pub(crate) fn serve(predictor: Predictor, config: &ServeConfig) -> Server {
    Server::start(predictor, config).unwrap()
}
