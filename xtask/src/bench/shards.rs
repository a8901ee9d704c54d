//! What a data set of many shards takes before an image is read, and per image: seconds, processor time and memory.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use vision::data::{DatasetType, ImageList, ImageSource, ReadConfig, ShardImages};
use vision::fetch::{Store, is_http};
use vision::system::peak_memory_bytes;

use super::measurement::{memory, processor_seconds};
use crate::Result;

/// Images that are read in an epoch's order, and prepared as batches.
const READ: usize = 20_000;

/// Opens shards, and prints a line for each stage: those of a folder, or those at the URLs of a pattern, of which so many
/// bytes are kept on the disk.
pub(super) fn run(shards: &Path, kept: u64, size: usize, workers: usize) -> Result<()> {
    let pattern = shards.to_string_lossy();
    let cache = tempfile::tempdir()?;
    let open = || -> Result<ShardImages> {
        if !is_http(&pattern) {
            return Ok(ShardImages::open_folder(shards)?);
        }
        let store = Store::open(cache.path(), kept)?;
        Ok(ShardImages::open_in(ShardImages::expand(&pattern)?, store)?)
    };
    let mut stage = Stage::begin();
    let source = open()?;
    let (items, count) = (source.len(), source.shards());
    stage.end("open", items);
    println!("{}", json!({"items": items, "shards": count}));

    let data = ImageList::from_source("shards", source)?
        .split_by_rand_pct(0.01, 42)?
        .label_from_folder()?
        .databunch()
        .batch_size(64)
        .size(size)
        .num_workers(workers)
        .reading(ReadConfig::new().with_memory(0))
        .build()?;
    stage.end("data: names, split, labels", items);

    let order = data.order(DatasetType::Train, 0)?;
    stage.end("order of an epoch", order.len());

    let source = open()?;
    stage.end("open again", items);
    let mut bytes = 0;
    for item in order.iter().take(READ) {
        if let Ok(vision::data::ImageContent::Encoded(image)) = source.read(*item) {
            bytes += image.len();
        }
    }
    stage.end("read in this order", READ.min(order.len()));
    println!(
        "{}",
        json!({"bytes_an_image": bytes / READ.min(order.len()).max(1)})
    );
    drop((source, order));

    let mut images = 0;
    stage = Stage::begin();
    let mut loader = data.loader(DatasetType::Train, 1)?;
    while images < READ {
        let Some(batch) = loader.next() else { break };
        images += batch?.len();
    }
    stage.end("batches of 64", images);
    println!(
        "{}",
        json!({"peak_bytes": peak_memory_bytes(), "workers": workers})
    );
    Ok(())
}

/// From one stage to the next.
struct Stage {
    begin: Instant,
    processor: f64,
}

impl Stage {
    fn begin() -> Self {
        Self {
            begin: Instant::now(),
            processor: processor_seconds().unwrap_or(f64::NAN),
        }
    }

    /// Prints what the stage took, and begins the next.
    fn end(&mut self, name: &str, items: usize) {
        let now = Self::begin();
        let processor = now.processor - self.processor;
        println!(
            "{}",
            json!({
                "stage": name, "items": items,
                "seconds": (now.begin - self.begin).as_secs_f64(), "processor_s": processor,
                "processor_us_an_item": 1e6 * processor / items as f64,
                "resident_bytes": memory("VmRSS:"), "peak_bytes": memory("VmHWM:"),
            })
        );
        *self = Self::begin();
    }
}
