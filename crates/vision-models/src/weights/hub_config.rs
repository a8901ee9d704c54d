//! The configuration beside weights on Hugging Face's hub: `config.json`, as timm writes it.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vision_base::io_error;
use vision_base::message::{listed, named, quoted};
use vision_base::paths::open_file;

use crate::{Error, Result};

/// The longest file. Those for 22,000 classes with descriptions have about 3 MB.
const LONGEST: u64 = 32 << 20;
/// The longest side of an image, in pixels.
const MAX_SIDE: u64 = 1 << 14;

/// What the file `config.json` beside timm's weights says: the architecture, and the images that it was trained on.
///
/// ```
/// use vision_models::weights::HubConfig;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let file = folder.path().join("config.json");
/// # std::fs::write(&file, r#"{"architecture": "resnet18", "num_classes": 1000, "pretrained_cfg": {"crop_pct": 0.95,
/// #     "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "input_size": [3, 224, 224]}}"#).unwrap();
/// let config = HubConfig::read(&file)?;
/// assert_eq!(config.architecture.as_deref(), Some("resnet18"));
/// assert_eq!((config.size, config.crop_pct), (Some([224, 224]), Some(0.95)));
/// # Ok::<(), vision_models::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HubConfig {
    /// The architecture, by timm's name. `None` if it is no configuration of timm.
    pub architecture: Option<String>,
    /// What else the file says it is about: `architectures`, `model_type` and `pipeline_tag` of other libraries.
    pub others: Vec<String>,
    /// Number of classes of its classifier; 0 if it has none.
    pub classes: Option<usize>,
    /// Mean of each channel, for pixels in [0, 1].
    pub mean: Option<[f32; 3]>,
    /// Standard deviation of each channel.
    pub std: Option<[f32; 3]>,
    /// Height and width of the images, in pixels.
    pub size: Option<[usize; 2]>,
    /// The part of the shorter side that is kept, above 0 to 1: images are resized to `size / crop_pct` and cropped.
    pub crop_pct: Option<f64>,
    /// `center` (cropped), `squash` (the aspect ratio changes) or `border` (padded).
    pub crop_mode: Option<String>,
    /// `bilinear`, `bicubic` ..
    pub interpolation: Option<String>,
    /// Whether the network takes images of that size only.
    pub fixed_size: bool,
    /// Path of the first convolution.
    pub first_conv: Option<String>,
    /// Path of the classifier.
    pub classifier: Option<String>,
}

impl HubConfig {
    /// Reads a file. One of another library is read too, and then has no [`architecture`](Self::architecture).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::HubConfig`] if it is no JSON, or a field of timm's has another type or a
    /// value out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let mut text = String::new();
        open_file(path)?
            .take(LONGEST + 1)
            .read_to_string(&mut text)
            .map_err(io_error("read", path))?;
        if text.len() as u64 > LONGEST {
            return Err(bad(path, "the file", "at most 32 MiB", "more"));
        }
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| bad(path, "the file", "JSON", &error.to_string()))?;
        let Value::Object(whole) = value else {
            return Err(bad(path, "the file", "a JSON object", &kind(&value)));
        };
        let none = Map::new();
        // Older files have everything at the top.
        let cfg = match whole.get("pretrained_cfg") {
            None | Some(Value::Null) => &whole,
            Some(Value::Object(cfg)) => cfg,
            Some(other) => return Err(bad(path, "pretrained_cfg", "an object", &kind(other))),
        };
        let of = |map: &Map<String, Value>, field| Fields { path, map }.text(field);
        let architecture = of(&whole, "architecture")?;
        // Other libraries use some of the names for something else.
        let cfg = match architecture {
            Some(_) => cfg,
            None => &none,
        };
        let fields = Fields { path, map: cfg };
        let top = Fields { path, map: &whole };
        let classes = match &architecture {
            Some(_) => top.whole_number("num_classes")?,
            None => None,
        };
        Ok(Self {
            others: others(&whole),
            classes: match classes {
                None => fields.whole_number("num_classes")?,
                classes => classes,
            },
            mean: fields.three("mean", &|mean| mean.is_finite(), "finite numbers")?,
            std: fields.three(
                "std",
                &|std| std.is_finite() && std > 0.0,
                "numbers above 0",
            )?,
            size: fields.size()?,
            crop_pct: fields.part("crop_pct")?,
            crop_mode: fields.text("crop_mode")?,
            interpolation: fields.text("interpolation")?,
            fixed_size: cfg.get("fixed_input_size") == Some(&Value::Bool(true)),
            // Some networks have several.
            first_conv: fields.first_text("first_conv"),
            classifier: fields.first_text("classifier"),
            architecture,
        })
    }

    /// What the weights are, for a message: the architecture, or what another library calls them.
    pub fn holds(&self) -> String {
        match (&self.architecture, self.others.is_empty()) {
            (Some(architecture), _) => quoted(architecture),
            (None, false) => listed(self.others.iter()),
            (None, true) => "something that its config.json does not name".to_owned(),
        }
    }
}

/// What other libraries say that the weights are.
fn others(whole: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(Value::Array(names)) = whole.get("architectures") {
        let names = names.iter().filter_map(Value::as_str);
        found.extend(names.map(str::to_owned));
    }
    for field in ["model_type", "pipeline_tag"] {
        if let Some(name) = whole.get(field).and_then(Value::as_str) {
            found.push(format!("{field} {name}"));
        }
    }
    found
}

struct Fields<'a> {
    path: &'a Path,
    map: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn get(&self, field: &str) -> Option<&Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    fn text(&self, field: &'static str) -> Result<Option<String>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(bad(self.path, field, "a text", &kind(other))),
        }
    }

    /// A text, or the first of a list.
    fn first_text(&self, field: &str) -> Option<String> {
        let value = self.get(field)?;
        let first = value.as_array().and_then(|list| list.first());
        first.unwrap_or(value).as_str().map(str::to_owned)
    }

    fn whole_number(&self, field: &'static str) -> Result<Option<usize>> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let number = value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok());
        let wrong = || bad(self.path, field, "a whole number", &kind(value));
        number.map(Some).ok_or_else(wrong)
    }

    fn part(&self, field: &'static str) -> Result<Option<f64>> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let part = value.as_f64().filter(|part| *part > 0.0 && *part <= 1.0);
        let wrong = || {
            bad(
                self.path,
                field,
                "a number above 0, at most 1",
                &kind(value),
            )
        };
        part.map(Some).ok_or_else(wrong)
    }

    fn three(
        &self,
        field: &'static str,
        is_good: &dyn Fn(f32) -> bool,
        expected: &str,
    ) -> Result<Option<[f32; 3]>> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let numbers: Vec<f32> = list
            .iter()
            .filter_map(|number| number.as_f64().map(|number| number as f32))
            .filter(|number| is_good(*number))
            .collect();
        match (<[f32; 3]>::try_from(numbers), list.len()) {
            (Ok(numbers), 3) => Ok(Some(numbers)),
            _ => Err(bad(
                self.path,
                field,
                &format!("three {expected}"),
                &kind(value),
            )),
        }
    }

    /// Height and width of `[channels, height, width]`.
    fn size(&self) -> Result<Option<[usize; 2]>> {
        let field = "input_size";
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let sides: Vec<u64> = list.iter().filter_map(Value::as_u64).collect();
        match (sides[..].as_ref(), list.len()) {
            ([3, height, width], 3)
                if (1..=MAX_SIDE).contains(height) && (1..=MAX_SIDE).contains(width) =>
            {
                Ok(Some([*height as usize, *width as usize]))
            }
            _ => Err(bad(
                self.path,
                field,
                "[3, HEIGHT, WIDTH] with sides of 1 to 16384 pixels",
                &kind(value),
            )),
        }
    }
}

/// A value of a file, for a message.
fn kind(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        value => named(&value.to_string()),
    }
}

fn bad(path: &Path, field: &'static str, expected: &str, found: &str) -> Error {
    Error::HubConfig {
        path: PathBuf::from(path),
        field,
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}
