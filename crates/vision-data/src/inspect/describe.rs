//! Dataset statistics: counts, sizes, colors, means.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use vision_base::message::printable;
use vision_base::progress::Progress;
use vision_base::workers;

use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::ImageDataset;
use crate::image::Image;
use crate::image::budget::Held;
use crate::image::decode::How;
use crate::image::header::Facts;
use crate::image::size::PixelSize;
use crate::image_source::ImageContent;
use crate::inspect::doctor::{Split, lossy};
use crate::inspect::verify::UnreadableImage;
use crate::labels::targets::Target;
use crate::loader::stats::Stats;

/// The maximum length of lists in a description.
const MOST: usize = 10;

/// Statistics of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Description {
    /// The folder of the data.
    #[serde(serialize_with = "lossy")]
    pub root: PathBuf,
    /// The names of the classes; empty if labels are numbers.
    pub classes: Vec<String>,
    /// Training, validation and, if there are any, test images.
    pub parts: Vec<PartDescription>,
}

/// Statistics of one part. Sizes are in pixels, after decoding and applying the EXIF orientation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartDescription {
    /// The part.
    pub split: Split,
    /// The number of items, readable or not.
    pub items: usize,
    /// The number of items with each class; empty if labels are numbers, or there are none.
    pub class_counts: Vec<usize>,
    /// The total length of all files, or of the pixels of images that are not encoded.
    pub bytes: u64,
    /// The number of images per format: `image/jpeg`.
    pub formats: BTreeMap<String, usize>,
    /// The number of images per color mode: `RGB, 8 bits`.
    pub modes: BTreeMap<String, usize>,
    /// The smallest and the largest width.
    pub widths: [u32; 2],
    /// The smallest and the largest height.
    pub heights: [u32; 2],
    /// The number of different sizes.
    pub different_sizes: usize,
    /// The ten most common sizes, each with its number of images.
    pub common_sizes: Vec<(PixelSize, usize)>,
    /// The mean of each channel over all pixels, in `[0, 1]`: images are weighted by their pixels.
    pub mean: [f64; 3],
    /// The (population) standard deviation of each channel over all pixels.
    pub std: [f64; 3],
    /// The number of images that cannot be decoded.
    pub unreadable: usize,
    /// The first ten images that cannot be decoded.
    pub unreadable_files: Vec<UnreadableImage>,
}

impl PartDescription {
    /// Statistics for normalization: the mean and the standard deviation of the pixels.
    pub fn stats(&self) -> Stats {
        Stats {
            mean: self.mean.map(|value| value as f32),
            std: self.std.map(|value| value as f32),
        }
    }
}

/// The statistics of one thread. Memory grows only with the number of different sizes.
#[derive(Default)]
struct Seen {
    bytes: u64,
    formats: BTreeMap<String, usize>,
    modes: BTreeMap<String, usize>,
    sizes: HashMap<(u32, u32), usize>,
    pixels: u128,
    /// Sums of the values 0 to 255. They are integers, so that the order of additions does not
    /// matter.
    sums: [u128; 3],
    squares: [u128; 3],
    unreadable: usize,
    /// Positions, with the reason for each failure.
    files: Vec<(usize, String)>,
}

impl ImageDataBunch {
    /// Reads all images and computes counts, sizes, colors, means and standard deviations.
    ///
    /// Uses all cores; memory does not grow with the number of images. Images that cannot be
    /// decoded are counted and named.
    ///
    /// ```
    /// # use vision_data::{ImageDataBunch};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let data = ImageDataBunch::from_folder(&path).batch_size(16).build()?;
    /// let description = data.describe();
    /// println!("{description}");
    /// assert_eq!(description.parts[0].class_counts, [20, 20]);
    /// assert_eq!(description.parts[0].widths, [28, 28]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn describe(&self) -> Description {
        self.describe_with(&Progress::silent())
    }

    /// Same as [`describe`](Self::describe), with a progress reporter. Progress restarts for each
    /// part.
    pub fn describe_with(&self, progress: &Progress) -> Description {
        let parts = [
            (Split::Train, Some(self.train_ds())),
            (Split::Valid, Some(self.valid_ds())),
            (Split::Test, self.test_ds()),
        ];
        let described = parts
            .into_iter()
            .filter_map(|(split, dataset)| Some((split, dataset?)))
            .map(|(split, dataset)| describe(split, dataset, progress));
        Description {
            root: self.path().to_owned(),
            classes: self.classes().to_vec(),
            parts: described.collect(),
        }
    }
}

fn describe(split: Split, dataset: &ImageDataset, progress: &Progress) -> PartDescription {
    let states = workers::fold(
        dataset.len(),
        workers::cores(),
        progress,
        Seen::default,
        |seen, item| seen.look_at(dataset, item),
    );
    let mut seen = Seen::default();
    states.into_iter().for_each(|state| seen.merge(state));
    seen.files.sort_unstable();
    let mut sizes: Vec<_> = seen
        .sizes
        .iter()
        .map(|(&size, &count)| (size, count))
        .collect();
    // The most common first; of equally common ones the smaller first.
    sizes.sort_unstable_by_key(|&((width, height), count)| {
        (std::cmp::Reverse(count), width, height)
    });
    let range = |side: fn(&(u32, u32)) -> u32| {
        let sides = || seen.sizes.keys().map(side);
        [sides().min().unwrap_or(0), sides().max().unwrap_or(0)]
    };
    let n = (seen.pixels as f64).max(1.0);
    let mean = seen.sums.map(|sum| sum as f64 / n / 255.0);
    let mut std = [0.0; 3];
    for ((std, square), mean) in std.iter_mut().zip(seen.squares).zip(mean) {
        *std = (square as f64 / n / (255.0 * 255.0) - mean * mean)
            .max(0.0)
            .sqrt();
    }
    PartDescription {
        split,
        items: dataset.len(),
        class_counts: class_counts(dataset),
        bytes: seen.bytes,
        widths: range(|size| size.0),
        heights: range(|size| size.1),
        different_sizes: sizes.len(),
        common_sizes: sizes
            .into_iter()
            .take(MOST)
            .map(|((width, height), count)| (PixelSize { width, height }, count))
            .collect(),
        formats: seen.formats,
        modes: seen.modes,
        mean,
        std,
        unreadable: seen.unreadable,
        unreadable_files: seen
            .files
            .into_iter()
            .take(MOST)
            .filter_map(|(item, reason)| {
                let path = dataset.path(item).ok()?.to_owned();
                Some(UnreadableImage { path, reason })
            })
            .collect(),
    }
}

fn class_counts(dataset: &ImageDataset) -> Vec<usize> {
    let labels = dataset.labels();
    let mut counts = vec![0; dataset.classes().len()];
    for item in 0..labels.len() {
        let classes = match labels.get(item) {
            Some(Target::Category(class)) => vec![class],
            Some(Target::MultiCategory(classes)) => classes,
            Some(Target::Float(_)) | None => return Vec::new(),
        };
        for class in classes {
            if let Some(count) = counts.get_mut(class) {
                *count += 1;
            }
        }
    }
    counts
}

impl Seen {
    fn look_at(&mut self, dataset: &ImageDataset, item: usize) {
        let limits = dataset.reading().limits();
        // As in training, but in full.
        let how = How {
            side: None,
            ..dataset.reading().how()
        };
        let image = dataset.content(item, limits).and_then(|content| {
            let Held {
                value: content,
                permit,
            } = content;
            let facts = match &content {
                ImageContent::Encoded(bytes) => {
                    self.bytes += bytes.len() as u64;
                    Facts::of(bytes)
                }
                ImageContent::Pixels(image) => {
                    self.bytes += image.pixels().len() as u64;
                    None
                }
            };
            let image = content.decode(limits, how)?;
            drop(permit);
            Ok((image.map(Image::into_rgb_image), facts))
        });
        let (image, facts) = match image {
            Ok(read) => read,
            Err(problem) => {
                self.unreadable += 1;
                self.files.push((item, problem.to_string()));
                // The first failures overall are among the first failures of each thread.
                if self.files.len() > 2 * MOST {
                    self.files.sort_unstable();
                    self.files.truncate(MOST);
                }
                return;
            }
        };
        if let Some(facts) = facts {
            let format = facts.format.to_mime_type().to_owned();
            *self.formats.entry(format).or_default() += 1;
            let mode = format!("{}, {} bits", facts.mode, facts.bits);
            *self.modes.entry(mode).or_default() += 1;
        }
        *self.sizes.entry(image.dimensions()).or_default() += 1;
        self.pixels += u128::from(image.width()) * u128::from(image.height());
        // An image has at most 2^32 pixels, and a square is at most 2^16.
        let (mut sums, mut squares) = ([0_u64; 3], [0_u64; 3]);
        for pixel in image.as_raw().chunks_exact(3) {
            for (channel, &value) in pixel.iter().enumerate() {
                sums[channel] += u64::from(value);
                squares[channel] += u64::from(value) * u64::from(value);
            }
        }
        self.add(sums.map(u128::from), squares.map(u128::from));
    }

    fn add(&mut self, sums: [u128; 3], squares: [u128; 3]) {
        for channel in 0..3 {
            self.sums[channel] += sums[channel];
            self.squares[channel] += squares[channel];
        }
    }

    fn merge(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.pixels += other.pixels;
        self.unreadable += other.unreadable;
        self.add(other.sums, other.squares);
        self.files.extend(other.files);
        for (of, more) in [
            (&mut self.formats, other.formats),
            (&mut self.modes, other.modes),
        ] {
            for (key, count) in more {
                *of.entry(key).or_default() += count;
            }
        }
        for (size, count) in other.sizes {
            *self.sizes.entry(size).or_default() += count;
        }
    }
}

impl Description {
    /// The description as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self)
            .expect("numbers, strings and lists of them can be written")
    }
}

/// Tables: one line per part, and one per class.
impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<6} {:>8} {:>10} {:>9}  {:<11} {:<11} {:<20} {:<20}",
            "part", "items", "unreadable", "MB", "width", "height", "mean", "std"
        )?;
        let three = |v: [f64; 3]| format!("{:.3} {:.3} {:.3}", v[0], v[1], v[2]);
        let range = |[least, most]: [u32; 2]| match least == most {
            true => least.to_string(),
            false => format!("{least}-{most}"),
        };
        for part in &self.parts {
            // Without any image there is no mean.
            let seen = |text: String| match part.items > part.unreadable {
                true => text,
                false => "-".to_owned(),
            };
            writeln!(
                f,
                "{:<6} {:>8} {:>10} {:>9.1}  {:<11} {:<11} {:<20} {:<20}",
                part.split,
                part.items,
                part.unreadable,
                part.bytes as f64 / 1e6,
                seen(range(part.widths)),
                seen(range(part.heights)),
                seen(three(part.mean)),
                seen(three(part.std))
            )?;
        }
        let counted = |counts: &mut dyn Iterator<Item = (String, usize)>| {
            let parts: Vec<String> = counts.map(|(name, n)| format!("{name} ({n})")).collect();
            parts.join(", ")
        };
        for part in &self.parts {
            let of = |map: &BTreeMap<String, usize>| counted(&mut map.clone().into_iter());
            let sizes = part.common_sizes.iter().take(5);
            let sizes = counted(&mut sizes.map(|(size, n)| (size.to_string(), *n)));
            writeln!(
                f,
                "\n{}: {}; {}",
                part.split,
                of(&part.formats),
                of(&part.modes)
            )?;
            write!(f, "  sizes: {sizes}")?;
            match part.different_sizes.saturating_sub(5) {
                0 => writeln!(f)?,
                more => writeln!(f, " and {more} more")?,
            }
            for file in &part.unreadable_files {
                let path = printable(&file.path.to_string_lossy());
                writeln!(f, "  unreadable: {path}: {}", printable(&file.reason))?;
            }
        }
        if self.classes.is_empty() {
            return Ok(());
        }
        write!(f, "\n{:<24}", "class")?;
        for part in &self.parts {
            write!(f, " {:>8}", part.split)?;
        }
        writeln!(f)?;
        for (class, name) in self.classes.iter().enumerate() {
            write!(f, "{:<24}", printable(name))?;
            for part in &self.parts {
                match part.class_counts.get(class) {
                    Some(count) => write!(f, " {count:>8}")?,
                    None => write!(f, " {:>8}", "-")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
