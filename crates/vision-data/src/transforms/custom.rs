//! Custom transforms.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vision_base::message::panic_message;

use crate::error::Result;
use crate::image::Image;
use crate::pipeline::canvas::Canvas;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::error::TransformError;
use crate::transforms::kind::{Kind, order};
use crate::transforms::resizing::Resizing;

/// The error type of custom transforms.
type BoxError = Box<dyn Error + Send + Sync>;

/// A custom transform of one image.
///
/// The fields of the type are its settings. They are saved with the data under its [`NAME`](Self::NAME), and
/// loaded by programs that have [registered](register_transform) the type.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use vision_data::{Image, ItemTransform, Transform, TransformRng};
///
/// /// Inverts all pixels above a random threshold.
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Solarize {
///     lowest: f64,
/// }
///
/// impl ItemTransform for Solarize {
///     const NAME: &'static str = "solarize";
///
///     fn apply(
///         &self,
///         image: Image,
///         rng: &mut TransformRng,
///     ) -> Result<Image, Box<dyn std::error::Error + Send + Sync>> {
///         let threshold = rng.between(self.lowest, 256.0);
///         let mut image = image.into_rgb_image();
///         for byte in image.iter_mut().filter(|byte| f64::from(**byte) >= threshold) {
///             *byte = 255 - *byte;
///         }
///         Ok(image.try_into()?)
///     }
/// }
///
/// let transform = Transform::custom(Solarize { lowest: 128.0 }).with_p(0.5);
/// assert_eq!(transform.name(), "solarize");
/// ```
pub trait ItemTransform: fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its unique name in saved data, in messages and in `summary`.
    const NAME: &'static str;

    /// Transforms an image.
    ///
    /// Draw all random numbers from `rng`, which depends only on (seed, epoch, index): batches are then the
    /// same for any number of worker threads. The result may have another size. A panic counts as an
    /// error.
    ///
    /// # Errors
    ///
    /// Any error. It ends the epoch with [`TransformError::Failed`], which names the transform and the file.
    fn apply(&self, image: Image, rng: &mut TransformRng) -> std::result::Result<Image, BoxError>;

    /// Its position in the order of application, which [`Transform`](crate::Transform) lists.
    ///
    /// Default: 100, after everything else, on images of their final size, which is fastest. Below 99, it
    /// receives the image before the crop; between two transforms that move pixels, it costs one more
    /// resampling. Below -10, it receives the original image, before it is resized.
    fn order(&self) -> i8 {
        order::FINISHED
    }

    /// Checks the settings, before any image is processed.
    ///
    /// # Errors
    ///
    /// Any error: `build` and `load` fail with [`TransformError::Settings`].
    fn check(&self) -> std::result::Result<(), BoxError> {
        Ok(())
    }
}

/// The random numbers of one transform for one item.
#[derive(Clone, Debug)]
pub struct TransformRng(Rng);

impl TransformRng {
    /// Uniform in `0.0..1.0`.
    pub fn uniform(&mut self) -> f64 {
        self.0.uniform()
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0.between(low, high)
    }

    /// Uniform in `0..n`; 0 for an empty range.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }
}

/// A custom transform with its name, settings and probability.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Custom {
    written: Written,
    state: State,
}

/// The serialized form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    settings: Value,
    p: f64,
}

#[derive(Clone, Debug)]
enum State {
    Ready(Arc<dyn Object>),
    NotRegistered,
    /// The settings cannot be serialized or deserialized.
    Unusable(String),
}

/// Object-safe form of [`ItemTransform`].
trait Object: fmt::Debug + Send + Sync {
    fn apply(&self, image: Image, rng: &mut TransformRng) -> std::result::Result<Image, BoxError>;
    fn order(&self) -> i8;
    fn check(&self) -> std::result::Result<(), BoxError>;
}

impl<T: ItemTransform> Object for T {
    fn apply(&self, image: Image, rng: &mut TransformRng) -> std::result::Result<Image, BoxError> {
        ItemTransform::apply(self, image, rng)
    }

    fn order(&self) -> i8 {
        ItemTransform::order(self)
    }

    fn check(&self) -> std::result::Result<(), BoxError> {
        ItemTransform::check(self)
    }
}

type Read = fn(&Value) -> std::result::Result<Arc<dyn Object>, serde_json::Error>;

/// The registered types, by name.
static REGISTERED: RwLock<BTreeMap<&'static str, (TypeId, Read)>> = RwLock::new(BTreeMap::new());

/// Registers a custom transform under its name, so that saved data that contains it can be loaded.
/// Registering a type twice is allowed.
///
/// # Errors
///
/// [`TransformError::Name`] if the name is empty or another type has it.
pub fn register_transform<T: ItemTransform>() -> Result<()> {
    let bad = |reason| {
        let name = T::NAME;
        Err(TransformError::Name { name, reason }.into())
    };
    if T::NAME.is_empty() {
        return bad("it is empty");
    }
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    let read: Read = |settings| Ok(Arc::new(T::deserialize(settings)?));
    let (known, _) = registered
        .entry(T::NAME)
        .or_insert((TypeId::of::<T>(), read));
    match *known == TypeId::of::<T>() {
        true => Ok(()),
        false => bad("another type is registered under this name"),
    }
}

impl Custom {
    pub(crate) fn new<T: ItemTransform>(transform: T) -> Self {
        let (settings, state) = match serde_json::to_value(&transform) {
            Ok(settings) => (settings, State::Ready(Arc::new(transform))),
            Err(error) => (Value::Null, State::Unusable(error.to_string())),
        };
        Self {
            written: Written {
                name: T::NAME.to_owned(),
                settings,
                p: 1.0,
            },
            state,
        }
    }

    /// The name of the transform.
    pub fn name(&self) -> &str {
        &self.written.name
    }

    /// The settings, as they are saved.
    pub fn settings(&self) -> &Value {
        &self.written.settings
    }

    /// Checks that the name is registered and the settings are usable.
    pub(crate) fn usable(&self) -> std::result::Result<(), TransformError> {
        let name = self.written.name.clone();
        let reason = match &self.state {
            State::Ready(transform) => match transform.check() {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
            State::Unusable(reason) => reason.clone(),
            State::NotRegistered => {
                let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
                let registered = registered.keys().map(|&name| name.to_owned()).collect();
                return Err(TransformError::NotRegistered { name, registered });
            }
        };
        Err(TransformError::Settings { name, reason })
    }
}

impl From<Written> for Custom {
    fn from(written: Written) -> Self {
        let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
        let state = match registered.get(written.name.as_str()) {
            None => State::NotRegistered,
            Some((_, read)) => match read(&written.settings) {
                Ok(transform) => State::Ready(transform),
                Err(error) => State::Unusable(error.to_string()),
            },
        };
        Self { written, state }
    }
}

impl From<Custom> for Written {
    fn from(custom: Custom) -> Self {
        custom.written
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written { name, settings, p } = &self.written;
        write!(f, "{name} {{ settings: {settings}, p: {p:?} }}")
    }
}

impl Kind for Custom {
    fn order(&self) -> i8 {
        match &self.state {
            State::Ready(transform) => transform.order(),
            State::NotRegistered | State::Unusable(_) => order::FINISHED,
        }
    }

    fn p(&self) -> f64 {
        self.written.p
    }

    fn set_p(&mut self, p: f64) {
        self.written.p = p;
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        Ok(())
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        let State::Ready(transform) = &self.state else {
            unreachable!("`Pipeline::new` has checked that it is usable");
        };
        Arc::new(Chosen {
            name: self.written.name.clone(),
            transform: Arc::clone(transform),
            rng: rng.split(),
        })
    }
}

/// A drawn custom transform.
#[derive(Debug)]
struct Chosen {
    name: String,
    transform: Arc<dyn Object>,
    rng: Rng,
}

impl Step for Chosen {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> std::result::Result<(), Failed> {
        let mut rng = TransformRng(self.rng.clone());
        let change = |image| {
            let change = AssertUnwindSafe(|| self.transform.apply(image, &mut rng));
            catch_unwind(change).unwrap_or_else(|panic| {
                Err(format!("it panicked: {}", panic_message(&*panic)).into())
            })
        };
        let changed = match self.transform.order() < order::PAD {
            true => canvas.edit_source(change),
            false => canvas.edit(change),
        };
        changed.map_err(|source| Failed {
            transform: self.name.clone(),
            source,
        })
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        String::new()
    }
}
