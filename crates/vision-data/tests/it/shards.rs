//! Images in shards, as WebDataset writes them.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use vision_base::message::hex;
use vision_data::{
    DatasetType, Error, Image, ImageContent, ImageDataBunch, ImageList, ImageSource, ShardError,
    ShardImages, Share, Split,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/shards");

/// A small image file.
fn png() -> Vec<u8> {
    let source = ShardImages::open_folder(FIXTURES).unwrap();
    match source.read(1).unwrap() {
        ImageContent::Encoded(bytes) => bytes,
        ImageContent::Pixels(_) => panic!("not a file"),
    }
}

fn shard(path: &Path, files: &[(&str, &[u8])]) {
    let mut tar = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap();
}

fn error(files: &[(&str, &[u8])]) -> ShardError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.tar");
    shard(&path, files);
    match ShardImages::open([&path]).unwrap_err() {
        Error::Shard(error) => error,
        other => panic!("{other}"),
    }
}

/// `shards` shards of `each` images.
fn many(folder: &Path, shards: usize, each: usize) -> ShardImages {
    let bytes = png();
    for number in 0..shards {
        let names: Vec<[String; 2]> = (0..each)
            .map(|i| ["png", "cls"].map(|extension| format!("{i:03}.{extension}")))
            .collect();
        let classes: Vec<String> = (0..each).map(|i| format!("class {}", i % 2)).collect();
        let files: Vec<(&str, &[u8])> = names
            .iter()
            .zip(&classes)
            .flat_map(|([image, label], class)| {
                [
                    (image.as_str(), &bytes[..]),
                    (label.as_str(), class.as_bytes()),
                ]
            })
            .collect();
        shard(&folder.join(format!("{number:02}.tar")), &files);
    }
    ShardImages::open_folder(folder).unwrap()
}

fn data(source: ShardImages) -> ImageDataBunch {
    ImageList::from_source(".", source)
        .unwrap()
        .split(Split::None)
        .unwrap()
        .label_from_folder()
        .unwrap()
        .databunch()
        .batch_size(1)
        .seed(3)
        .build()
        .unwrap()
}

#[test]
fn the_images_and_labels_are_those_that_webdataset_finds() {
    let source = ShardImages::open_folder(FIXTURES).unwrap();
    let text = fs::read_to_string(Path::new(FIXTURES).join("expected.json")).unwrap();
    let expected: Vec<[String; 5]> = serde_json::from_str(&text).unwrap();
    assert_eq!((source.len(), source.shards()), (expected.len(), 2));
    for (item, [shard, key, class, extension, digits]) in expected.iter().enumerate() {
        let (folder, file) = key.split_once('/').unwrap();
        let name = format!("{shard}/{folder}/{class}/{file}.{extension}");
        assert_eq!(source.name(item), PathBuf::from(name));
        let ImageContent::Encoded(bytes) = source.read(item).unwrap() else {
            panic!("not a file");
        };
        assert_eq!(hex(&Sha256::digest(&bytes)), *digits);
    }
    let data = data(source);
    assert_eq!(data.classes(), ["0", "1", "2"]);
    let labels = data.train_ds().labels();
    for (item, [_, _, class, ..]) in expected.iter().enumerate() {
        let found = labels.get(item).unwrap();
        assert_eq!(found, vision_data::Target::Category(class.parse().unwrap()));
    }
    assert_eq!(data.loader(DatasetType::Train, 0).unwrap().count(), 10);
}

#[test]
fn an_epoch_goes_through_the_shards_in_random_order_within_the_buffer() {
    let folder = tempfile::tempdir().unwrap();
    let (shards, each, buffer) = (20, 30, 50);
    let small = || many(folder.path(), shards, each).with_buffer(buffer);
    let data = data(small());
    let order = |epoch| data.order(DatasetType::Train, epoch).unwrap();
    let first = order(0);
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..shards * each).collect::<Vec<_>>());
    assert_eq!(
        first,
        self::data(small()).order(DatasetType::Train, 0).unwrap()
    );
    assert_ne!(first, order(1));
    // Behind any place of the order, only a buffer of images and the shard that is being read have been begun.
    for place in 0..first.len() {
        let begun: std::collections::HashSet<usize> =
            first[..=place].iter().map(|item| item / each).collect();
        let read = (place + 1 + buffer).min(shards * each).div_ceil(each);
        assert!(begun.len() <= read, "{place}: {} shards", begun.len());
    }
    // Shards do not come in their order, nor images in that of a shard.
    let mut met: Vec<usize> = Vec::new();
    for shard in first.iter().map(|item| item / each) {
        if !met.contains(&shard) {
            met.push(shard);
        }
    }
    assert!(!met.is_sorted());
    let of_one: Vec<usize> = first
        .iter()
        .copied()
        .filter(|item| item / each == 4)
        .collect();
    assert!(!of_one.is_sorted());
    // Any image of the buffer is as likely as another: the first images come from all of the first 50.
    let firsts: std::collections::HashSet<usize> =
        (0..400).map(|epoch| order(epoch)[0] % each).collect();
    assert_eq!(firsts.len(), each);

    // With a buffer for all, the order is that of other data.
    let whole = many(folder.path(), shards, each).with_buffer(shards * each);
    let names = (0..shards * each).map(|item| (whole.name(item), png()));
    let memory = vision_data::MemoryImages::new(names);
    let plain = ImageList::from_source(".", memory).unwrap();
    let plain = plain
        .split(Split::None)
        .unwrap()
        .label_from_folder()
        .unwrap();
    let plain = plain.databunch().batch_size(1).seed(3).build().unwrap();
    assert_eq!(
        self::data(whole).order(DatasetType::Train, 0).unwrap(),
        plain.order(DatasetType::Train, 0).unwrap()
    );
}

#[test]
fn streams_read_disjoint_shards_and_an_epoch_goes_on_at_any_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (shards, each, streams, batch) = (16, 10, 4, 8);
    let build = |workers| {
        let source = many(folder.path(), shards, each);
        let list = ImageList::from_source(".", source.with_buffer(40).with_streams(streams));
        let split = list.unwrap().split(Split::None).unwrap();
        let data = split.label_from_folder().unwrap().databunch();
        let data = data.batch_size(batch).seed(3).num_workers(workers);
        data.build().unwrap()
    };
    let data = build(0);
    for epoch in 0..3 {
        let order = data.order(DatasetType::Train, epoch).unwrap();
        assert_eq!(order, build(2).order(DatasetType::Train, epoch).unwrap());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..shards * each).collect::<Vec<_>>());
        // Any number of ranks that divides the streams, in every epoch the same shards.
        for ranks in [1, 2, 4] {
            for (place, item) in order.iter().enumerate() {
                let rank = place % batch / (batch / ranks);
                // Shards of one size are dealt in turn.
                let stream = item / each % streams;
                assert_eq!(stream / (streams / ranks), rank);
            }
        }
        for first in [1, 7, 19] {
            let rest = data.loader_from(DatasetType::Train, epoch, first).unwrap();
            let rest: Vec<usize> = rest.flat_map(|batch| batch.unwrap().indices).collect();
            assert_eq!(rest, order[first * batch..]);
        }
    }
    assert_ne!(
        data.order(DatasetType::Train, 0).unwrap(),
        data.order(DatasetType::Train, 1).unwrap()
    );
}

#[test]
fn without_labels_the_folders_in_the_shards_remain() {
    let folder = tempfile::tempdir().unwrap();
    let image = png();
    let path = folder.path().join("a.tar");
    shard(
        &path,
        &[
            ("./cats/1.png", &image),
            ("dogs/1.png", &image),
            (".hidden/1.png", &image),
            ("readme.txt", b"not an image"),
        ],
    );
    let source = ShardImages::open([&path]).unwrap();
    let names: Vec<PathBuf> = (0..source.len()).map(|item| source.name(item)).collect();
    assert_eq!(
        names,
        ["a.tar/cats/1.png", "a.tar/dogs/1.png"].map(PathBuf::from)
    );
    assert_eq!(data(source).classes(), ["cats", "dogs"]);
}

#[test]
fn what_is_wrong_with_a_shard_is_named() {
    let image = png();
    assert_matches!(
        error(&[("1.png", &image), ("1.cls", b"a"), ("2.png", &image)]),
        ShardError::NoLabel { key, .. } if key == "2"
    );
    assert_matches!(
        error(&[("a/1.png", &image), ("a/1.jpg", &image)]),
        ShardError::TwoImages { key, .. } if key == "a/1"
    );
    for bad in [
        &b""[..],
        b" \n",
        b"a/b",
        b"..",
        b"\xff\xfe",
        b"a\0b",
        &[b'a'; 2000],
    ] {
        assert_matches!(
            error(&[("1.png", &image), ("1.cls", bad)]),
            ShardError::BadLabel { key, .. } if key == "1"
        );
    }
    // Names as another program may write them: the writer of this test refuses some.
    let named = |name: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.tar");
        shard(&path, &[("1.png", &image)]);
        let mut bytes = fs::read(&path).unwrap();
        bytes[..100].fill(0);
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        fs::write(&path, bytes).unwrap();
        ShardImages::open([&path]).map(|source| source.name(0))
    };
    assert!(named("a/1.png").unwrap().ends_with("a/1.png"));
    for name in [
        "/etc/1.png",
        "../1.png",
        "a/../1.png",
        "C:\\1.png",
        "a\\..\\1.png",
    ] {
        let error = named(name).unwrap_err();
        assert_matches!(error, Error::Fetch(vision_fetch::Error::UnsafeEntry { .. }));
    }
    assert_matches!(
        error(&[("1.png", &image), ("2.png", &image), ("1.cls", b"a"), ("2.cls", b"b")]),
        ShardError::NoImage { key, .. } if key == "1"
    );
    assert_matches!(
        error(&[("readme.txt", b"x")]),
        ShardError::NoImages { shards: 1 }
    );
    let none: [&Path; 0] = [];
    let empty = ShardImages::open(none).unwrap_err();
    assert_matches!(empty, Error::Shard(ShardError::NoImages { shards: 0 }));
    let missing = ShardImages::open(["/no/such.tar"]).unwrap_err();
    assert!(missing.to_string().contains("/no/such.tar"), "{missing}");

    let folder = tempfile::tempdir().unwrap();
    let none = ShardImages::open_folder(folder.path()).unwrap_err();
    assert_matches!(none, Error::Shard(ShardError::NoShards { .. }));
    let inside = ShardImages::open([folder.path()]).unwrap_err();
    assert!(inside.to_string().contains("no regular file"), "{inside}");
    let path = folder.path().join("text.tar");
    fs::write(&path, vec![b'x'; 4096]).unwrap();
    let error = ShardImages::open([&path]).unwrap_err();
    assert_matches!(
        error,
        Error::Fetch(vision_fetch::Error::DamagedArchive { .. })
    );
}

#[test]
fn a_shard_that_is_cut_off_anywhere_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.tar");
    let image = png();
    shard(
        &path,
        &[
            ("1.png", &image),
            ("1.cls", b"a"),
            ("2.png", &image),
            ("2.cls", b"b"),
        ],
    );
    let whole = fs::read(&path).unwrap();
    // The two empty blocks at the end; one is enough.
    for len in 0..whole.len() - 512 {
        fs::write(&path, &whole[..len]).unwrap();
        let error = ShardImages::open([&path]).unwrap_err();
        assert!(error.to_string().contains("0.tar"), "{len}: {error}");
        assert_matches!(
            error,
            Error::Fetch(vision_fetch::Error::DamagedArchive { .. })
        );
    }
    // Shorter only once it is open.
    fs::write(&path, &whole).unwrap();
    let source = ShardImages::open([&path]).unwrap();
    fs::write(&path, &whole[..600]).unwrap();
    assert!(source.read(1).unwrap_err().to_string().contains("shorter"));
}

/// 64 images in four shards, of which it notes those that were read and those that were expected.
#[derive(Default)]
struct Noted {
    read: Mutex<BTreeSet<usize>>,
    expected: Mutex<BTreeSet<usize>>,
}

impl ImageSource for Noted {
    fn len(&self) -> usize {
        64
    }

    fn name(&self, item: usize) -> PathBuf {
        format!("{}/{item}.png", item % 2).into()
    }

    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn StdError + Send + Sync>> {
        self.read.lock().unwrap().insert(item);
        Ok(Image::from_rgb8(2, 2, vec![0; 12])?.into())
    }

    fn shard(&self, item: usize) -> usize {
        item / 16
    }

    fn shuffle_buffer(&self) -> usize {
        16
    }

    fn streams(&self) -> usize {
        2
    }

    fn read_ahead(&self) -> usize {
        16
    }

    fn expect(&self, item: usize) {
        self.expected.lock().unwrap().insert(item);
    }
}

#[test]
fn a_rank_reads_and_expects_only_its_own_shards() {
    let of_rank = |rank| {
        let source = Arc::new(Noted::default());
        let data = ImageList::from_source("noted", Arc::clone(&source))
            .unwrap()
            .split(Split::None)
            .unwrap()
            .label_from_folder()
            .unwrap()
            .databunch()
            .batch_size(8)
            .build()
            .unwrap();
        source.read.lock().unwrap().clear();
        let share = Share::new(rank, 2).unwrap();
        let batches = data
            .loader_of_share(DatasetType::Train, 0, 0, share)
            .unwrap();
        assert_eq!(batches.map(Result::unwrap).count(), 8);
        let read = source.read.lock().unwrap().clone();
        let expected = source.expected.lock().unwrap().clone();
        // Those of the first two batches are read at once.
        assert_eq!((read.len(), expected.len()), (32, 24));
        assert!(expected.is_subset(&read));
        read
    };
    let [first, second] = [0, 1].map(of_rank);
    assert!(first.is_disjoint(&second));
    let shards: BTreeSet<usize> = first.iter().map(|item| item / 16).collect();
    assert_eq!(shards.len(), 2);
}
