//! Export of a whole model to ONNX.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::image::{ImageInput, UINT8};
use super::lower::{Lowering, Refusal, Value};
use super::proto::{Dim, FLOAT, Message, Node, value_info, value_info_of};
use crate::layers::{Layer, Sequential, nearest_multiple};
use crate::state::{self, NamedTensor};
use crate::{Error, Result};

/// Version of the file format. 8 is as old as opset 17, and every later runtime reads it.
const IR_VERSION: i64 = 8;
/// Version of the operators. All operators used here are unchanged in later versions.
const OPSET: i64 = 17;
/// Protobuf's limit on the size of a message.
const MAX_BYTES: u64 = i32::MAX as u64;

const INPUT: &str = "input";
/// The name of the input if it is one decoded image.
const IMAGE: &str = "image";

/// Settings of an ONNX export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxConfig {
    /// Height and width of the images. Default: any.
    pub size: Option<[usize; 2]>,
    /// Mean and standard deviation of each channel, for a graph that normalizes pixels in [0, 1]
    /// itself. Default: none, the caller normalizes.
    pub normalization: Option<([f32; 3], [f32; 3])>,
    /// Name of the output. Default: `output`.
    pub output: Option<String>,
    /// Preprocessing and activation in the graph, which then takes one decoded image. Default: none, the input
    /// is a batch.
    pub image_input: Option<ImageInput>,
    /// Texts stored in the file (`metadata_props`), such as the names of the classes.
    pub metadata: BTreeMap<String, String>,
}

impl OnnxConfig {
    /// Fixes height and width of the images. The batch size stays dynamic.
    pub fn with_size(mut self, height: usize, width: usize) -> Self {
        self.size = Some([height, width]);
        self
    }

    /// Adds two nodes at the start, which subtract `mean` and divide by `std`, channel by channel.
    pub fn with_normalization(mut self, mean: [f32; 3], std: [f32; 3]) -> Self {
        self.normalization = Some((mean, std));
        self
    }

    /// Sets the name of the output.
    pub fn with_output(mut self, name: impl Into<String>) -> Self {
        self.output = Some(name.into());
        self
    }

    /// Puts preprocessing and activation into the graph. Its input is then `image`, one decoded image `[height, width,
    /// 3]` of bytes, red first, of any size, and its output is `[1, outputs]`. `size` and `normalization` of this
    /// configuration are those of `input`.
    pub fn with_image_input(mut self, input: ImageInput) -> Self {
        self.image_input = Some(input);
        self
    }

    /// Adds a text to the metadata.
    pub fn with_metadata(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), text.into());
        self
    }
}

/// Writes layers as an ONNX model (opset 17) for inference.
///
/// The input is `input`, `[batch, channels, height, width]` with a dynamic batch size. The output
/// is `[batch, features]` after a flattening or linear layer, otherwise
/// `[batch, channels, height', width']`. Initializers have the names of the parameters. Dropout is
/// omitted, because it does nothing at inference.
///
/// # Errors
///
/// [`Error::Export`] if a layer cannot be exported or the model would exceed protobuf's 2 GiB, and
/// [`Error::Io`] if the file cannot be written.
pub fn export_onnx(model: &Sequential, path: impl AsRef<Path>, config: &OnnxConfig) -> Result<()> {
    let path = path.as_ref();
    let error = |Refusal { layer, reason }| Error::Export {
        path: path.to_owned(),
        layer,
        reason,
    };
    let file = File::build(model, config).map_err(error)?;
    Ok(vision_base::atomic::write_with(path, |out| {
        file.write(out)
    })?)
}

/// The nodes of a model, which show how its layers are connected.
pub(crate) fn structure(model: &Sequential) -> Option<Vec<Node>> {
    let mut lowering = Lowering {
        structure_only: true,
        ..Lowering::default()
    };
    let input = Value {
        name: INPUT.into(),
        channels: None,
        size: None,
        flat: false,
        tokens: false,
    };
    lowering.sequential("", model, input).ok()?;
    Some(lowering.nodes)
}

/// A file under construction. Large values are not copied into messages.
struct File {
    before: Message,
    graph: Message,
    initializers: Vec<(Message, NamedTensor)>,
    after: Message,
}

impl File {
    fn build(model: &Sequential, config: &OnnxConfig) -> std::result::Result<Self, Refusal> {
        let refuse = |layer: &str, reason: &str| Refusal {
            layer: layer.to_owned(),
            reason: reason.to_owned(),
        };
        let channels = in_channels(model).ok_or_else(|| {
            refuse("", "the model has no convolution at the start, so the number of image channels is unknown")
        })?;
        let mut lowering = Lowering::default();
        let mut tensors = state::tensors(model);
        let image = config.image_input.as_ref();
        let mut x = Value {
            name: INPUT.into(),
            channels: Some(channels),
            size: image.map_or(config.size, ImageInput::size),
            flat: false,
            tokens: false,
        };
        if let Some(image) = image {
            x.name = image.prepare(&mut lowering, IMAGE)?;
        }
        if let Some((mean, std)) = image.map_or(config.normalization, |image| image.normalization) {
            if channels != 3 {
                return Err(refuse(
                    "normalize",
                    "has three channels, but the model has another number",
                ));
            }
            for (op, part, values) in [("Sub", "mean", mean), ("Div", "std", std)] {
                let name = format!("normalize.{part}");
                x.name = lowering.node(op, &name, &[&x.name, &name], [])?;
                tensors.push(NamedTensor {
                    name,
                    shape: vec![1, 3, 1, 1],
                    values: values.to_vec(),
                });
            }
        }
        if let (Some(patch), Some([height, width])) = (model.patch(), x.size) {
            let near = [height, width].map(|side| nearest_multiple(side, patch));
            if near != [height, width] {
                let reason = format!(
                    "the model cuts images into patches of {patch}x{patch} pixels, which {height}x{width} (height x width) \
                     is no multiple of: choose a size such as {}x{} (OnnxConfig::with_size)",
                    near[0], near[1]
                );
                return Err(refuse("", &reason));
            }
        }
        let y = lowering.sequential("", model, x)?;
        let mut y = lowering.maps("output_maps", y)?;
        for (tensor, replaced) in std::mem::take(&mut lowering.computed) {
            tensors.retain(|known| known.name != replaced);
            tensors.push(tensor);
        }
        if let Some(image) = image {
            if !y.flat {
                return Err(refuse(
                    "",
                    "the network ends in a map instead of outputs: let it end in a flattening or linear layer",
                ));
            }
            y.name = image.finish(&mut lowering, &y.name)?;
        }
        let output = config.output.as_deref().unwrap_or("output");
        // The output has its own name, whatever the last layer is called.
        let rename = Node {
            op: "Identity".into(),
            name: "output_name".into(),
            inputs: vec![y.name.clone()],
            outputs: vec![output.to_owned()],
            attributes: Vec::new(),
        };
        let [h, w] = match config.size {
            Some([h, w]) => [Dim::Fixed(h), Dim::Fixed(w)],
            None => [Dim::Named("height"), Dim::Named("width")],
        };
        let features = y.channels.map_or(Dim::Named("features"), Dim::Fixed);
        let batch = match image {
            Some(_) => Dim::Fixed(1),
            None => Dim::Named("batch"),
        };
        let mut result = vec![batch, features];
        if !y.flat {
            let [h, w] = match y.size {
                Some([h, w]) => [Dim::Fixed(h), Dim::Fixed(w)],
                None => [Dim::Named("features_height"), Dim::Named("features_width")],
            };
            result.extend([h, w]);
        }
        lowering.nodes.push(rename);
        let input = match image {
            Some(_) => {
                let dims = [Dim::Named("height"), Dim::Named("width"), Dim::Fixed(3)];
                value_info_of(UINT8, IMAGE, &dims)
            }
            None => value_info(INPUT, &[batch, Dim::Fixed(channels), h, w]),
        };
        let graph = Message::default()
            .each(&lowering.nodes, |m, node| m.message(1, &node.message()))
            .text(2, "vision")
            .message(11, &input)
            .message(12, &value_info(output, &result));
        let initializers = tensors.into_iter().map(|tensor| {
            let head = Message::default()
                .each(&tensor.shape, |m, &dim| m.int(1, dim as i64))
                .int(2, FLOAT)
                .text(8, &tensor.name)
                .announce(9, tensor.values.len() as u64 * 4);
            (head, tensor)
        });
        let opset = Message::default().text(1, "").int(2, OPSET);
        let metadata: Vec<_> = config.metadata.iter().collect();
        let file = Self {
            before: Message::default()
                .int(1, IR_VERSION)
                .text(2, "vision")
                .text(3, env!("CARGO_PKG_VERSION")),
            graph,
            initializers: initializers.collect(),
            after: Message::default()
                .message(8, &opset)
                .each(&metadata, |m, (key, text)| {
                    m.message(14, &Message::default().text(1, key).text(2, text))
                }),
        };
        if file.graph_len() > MAX_BYTES {
            return Err(refuse(
                "",
                "the model has more than 2 GiB of parameters, which an ONNX file cannot hold",
            ));
        }
        Ok(file)
    }

    fn graph_len(&self) -> u64 {
        let initializers = self.initializers.iter().map(|(head, tensor)| {
            let len = initializer_len(head, tensor);
            Message::default().announce(5, len).bytes().len() as u64 + len
        });
        self.graph.bytes().len() as u64 + initializers.sum::<u64>()
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.before.bytes())?;
        out.write_all(Message::default().announce(7, self.graph_len()).bytes())?;
        out.write_all(self.graph.bytes())?;
        for (head, tensor) in &self.initializers {
            let len = initializer_len(head, tensor);
            out.write_all(Message::default().announce(5, len).bytes())?;
            out.write_all(head.bytes())?;
            for value in &tensor.values {
                out.write_all(&value.to_le_bytes())?;
            }
        }
        out.write_all(self.after.bytes())
    }
}

fn initializer_len(head: &Message, tensor: &NamedTensor) -> u64 {
    head.bytes().len() as u64 + tensor.values.len() as u64 * 4
}

/// The number of channels of the images, from the first convolution.
fn in_channels(model: &Sequential) -> Option<usize> {
    model.layers().find_map(|layer| match layer {
        Layer::Conv2d(conv) => Some(conv.weight.lazy_shape()[1] * conv.groups),
        Layer::Sequential(layers) => in_channels(layers),
        _ => None,
    })
}
