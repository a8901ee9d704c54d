//! Images that are not files: everything after the source is as with files.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use vision_data::datasets::synthetic;
use vision_data::files::image_files;
use vision_data::inspect::doctor::FindingKind;
use vision_data::{
    ArchiveImages, BadImages, Batch, By, DataError, DatasetType, Error, Image, ImageContent,
    ImageDataBunch, ImageError, ImageList, ImageProblem, ImageSource, Limits, MemoryImages,
    ReadConfig, Split, Stats, get_transforms,
};
use vision_fetch::archive;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// 20 training and 8 validation images of drawn digits.
fn digits() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits");
    synthetic::digits(&path, 5, 10, 4).unwrap();
    (folder, path)
}

/// The images of a folder, by their names in it.
fn named(root: &Path) -> Vec<(PathBuf, PathBuf)> {
    let files = image_files(root).unwrap().into_iter();
    let name = |file: &Path| file.strip_prefix(root).unwrap().to_owned();
    files.map(|file| (name(&file), file)).collect()
}

fn tgz(root: &Path, to: &Path) {
    let mut tar = tar::Builder::new(GzEncoder::new(
        File::create(to).unwrap(),
        Compression::fast(),
    ));
    // Not in the order of their names.
    for (name, file) in named(root).into_iter().rev() {
        tar.append_path_with_name(file, name).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
}

fn zip(to: &Path, files: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(File::create(to).unwrap());
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// With random transforms, resized, in batches of 4, mixed over three threads.
fn built(list: ImageList) -> ImageDataBunch {
    list.split_by_folder("train", "valid")
        .unwrap()
        .label_from_folder()
        .unwrap()
        .transform(get_transforms())
        .size(24)
        .batch_size(4)
        .num_workers(3)
        .seed(7)
        .normalize(Stats::MNIST)
        .build()
        .unwrap()
}

fn batches(data: &ImageDataBunch, which: DatasetType) -> Vec<Batch> {
    let loader = data.loader(which, 2).unwrap();
    loader.collect::<Result<_, _>>().unwrap()
}

/// The batches of two data bunches are the same to the last bit.
fn assert_same(a: &ImageDataBunch, b: &ImageDataBunch) {
    assert_eq!(a.classes(), b.classes());
    for which in [DatasetType::Train, DatasetType::Valid] {
        let batches = batches(a, which);
        assert!(!batches.is_empty());
        assert_eq!(batches, self::batches(b, which));
    }
}

#[test]
fn images_in_memory_and_in_archives_give_the_batches_that_their_files_give() {
    let (folder, root) = digits();
    let files = built(ImageList::from_folder(&root).unwrap());

    let read = named(&root).into_iter();
    let bytes = read
        .clone()
        .map(|(name, file)| (name, fs::read(file).unwrap()));
    let encoded = MemoryImages::new(bytes.clone());
    assert_same(
        &files,
        &built(ImageList::from_source(&root, encoded).unwrap()),
    );

    let pixels = MemoryImages::new(read.map(|(name, file)| (name, Image::open(file).unwrap())));
    assert_same(
        &files,
        &built(ImageList::from_source(&root, pixels).unwrap()),
    );

    let archive = folder.path().join("digits.tgz");
    tgz(&root, &archive);
    let source = ArchiveImages::open(&archive).unwrap();
    let data = built(ImageList::from_source(folder.path(), source).unwrap());
    assert_same(&files, &data);
    assert_eq!(data.train_ds().path(0).unwrap(), named(&root)[0].0);

    let archive = folder.path().join("digits.zip");
    let bytes: Vec<(String, Vec<u8>)> = bytes
        .map(|(name, bytes)| (name.to_str().unwrap().to_owned(), bytes))
        .collect();
    let mut entries: Vec<(&str, &[u8])> = bytes
        .iter()
        .rev()
        .map(|(name, bytes)| (name.as_str(), &**bytes))
        .collect();
    entries.push(("labels.csv", b"no image"));
    entries.push((".hidden/1.png", b"hidden"));
    zip(&archive, &entries);
    let source = ArchiveImages::open(&archive).unwrap();
    assert_same(
        &files,
        &built(ImageList::from_source(folder.path(), source).unwrap()),
    );
}

#[test]
fn splits_and_filters_by_name_choose_what_they_choose_of_files() {
    let (_folder, root) = digits();
    let source = || {
        let images = named(&root).into_iter();
        MemoryImages::new(images.map(|(name, file)| (name, fs::read(file).unwrap())))
    };
    let names = |split: vision_data::SplitList, root: &Path| -> Vec<PathBuf> {
        let valid = split.valid_items();
        valid
            .map(|path| path.strip_prefix(root).unwrap().to_owned())
            .collect()
    };
    for split in [
        Split::Random {
            valid_pct: 0.3,
            seed: 3,
        },
        Split::Numpy {
            valid_pct: 0.3,
            seed: 3,
        },
        Split::Stratified {
            valid_pct: 0.3,
            seed: 3,
            by: By::Folder,
        },
        Split::GroupedFold {
            fold: 1,
            folds: 2,
            seed: 3,
            by: By::Pattern("^.*/([^/]+)/".into()),
        },
        Split::Files(vec!["train/3/0.png".into(), "valid/7/1.png".into()]),
    ] {
        let files = ImageList::from_folder(&root).unwrap();
        let files = files.filter_by_folder(&[], &["none"]).split(split.clone());
        let images = ImageList::from_source(&root, source()).unwrap();
        let images = images.filter_by_folder(&[], &["none"]).split(split.clone());
        match (files, images) {
            (Ok(files), Ok(images)) => {
                assert_eq!(
                    names(files, &root),
                    names(images, Path::new("")),
                    "{split:?}"
                );
            }
            // The digits may have other names.
            (Err(Error::Split(_)), Err(Error::Split(_))) => {}
            (files, images) => panic!("{split:?}: {files:?} and {images:?}"),
        }
    }
    // What is filtered out is not read.
    let valid = ImageList::from_source(&root, source()).unwrap();
    let valid = valid.filter_by_folder(&["valid"], &[]);
    assert_eq!(valid.len(), 8);
    let data = valid.split_none().unwrap().label_from_folder().unwrap();
    let data = data.databunch().batch_size(2).build().unwrap();
    let expected = Image::open(root.join(data.train_ds().path(5).unwrap())).unwrap();
    assert_eq!(data.train_ds().image(5).unwrap(), expected);
}

#[test]
fn an_image_that_cannot_be_used_is_named_or_skipped() {
    let gray = |value| ImageContent::from(Image::from_rgb8(4, 4, vec![value; 48]).unwrap());
    let images = |bad: ImageContent| {
        let mut images = vec![("b/bad".to_owned(), bad)];
        images.extend((0..4).map(|i| (format!("a/{i}"), gray(i))));
        images.extend((0..4).map(|i| (format!("b/{i}"), gray(9 + i))));
        MemoryImages::new(images)
    };
    let built = |bad, bad_images, limits| {
        let list = ImageList::from_source("models", images(bad)).unwrap();
        let lists = list.split_none().unwrap().label_from_folder().unwrap();
        let reading = ReadConfig::new().with_limits(limits);
        let data = lists
            .databunch()
            .reading(reading)
            .bad_images(bad_images)
            .batch_size(3);
        data.build().unwrap()
    };
    let junk = || ImageContent::Encoded(b"no image".to_vec());
    let data = built(junk(), BadImages::Fail, Limits::default());
    match data
        .loader(DatasetType::Fix, 0)
        .unwrap()
        .find_map(Result::err)
    {
        Some(Error::Image(ImageError::Decode { path, problem })) => {
            assert_eq!(path, Path::new("b/bad"));
            assert!(matches!(problem, ImageProblem::UnknownFormat { .. }));
        }
        other => panic!("{other:?}"),
    }
    let data = built(junk(), BadImages::Skip, Limits::default());
    let mut loader = data.loader(DatasetType::Fix, 0).unwrap();
    assert_eq!(
        loader
            .by_ref()
            .map(|batch| batch.unwrap().indices.len())
            .sum::<usize>(),
        8
    );
    assert_eq!(loader.skipped()[0].path, Path::new("b/bad"));
    // The limits on bytes are those of files.
    let limits = Limits {
        max_bytes: 7,
        ..Limits::default()
    };
    match built(junk(), BadImages::Fail, limits).train_ds().image(0) {
        Err(Error::Image(ImageError::Decode { problem, .. })) => {
            assert_eq!(problem, ImageProblem::TooManyBytes { limit: 7 });
        }
        other => panic!("{other:?}"),
    }
}

/// Counts how often it is read, and cannot read every image.
struct Counting(AtomicUsize);

impl ImageSource for Counting {
    fn len(&self) -> usize {
        6
    }

    fn name(&self, item: usize) -> PathBuf {
        format!("{}/{item}", ["even", "odd"][item % 2]).into()
    }

    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn StdError + Send + Sync>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match item {
            5 => Err("the network is down".into()),
            _ => Ok(Image::from_rgb8(40, 20, vec![item as u8; 40 * 20 * 3])?.into()),
        }
    }
}

#[test]
fn images_are_kept_in_memory_and_made_smaller_as_those_of_files() {
    let source = Arc::new(Counting(AtomicUsize::new(0)));
    let list = ImageList::from_source("models", Arc::clone(&source)).unwrap();
    let list = list.filter_by_func(|name| name != Path::new("odd/5"));
    let lists = list.split_none().unwrap().label_from_folder().unwrap();
    let reading = ReadConfig::new().with_short_side(10);
    let data = lists
        .databunch()
        .reading(reading)
        .batch_size(2)
        .num_workers(0)
        .build()
        .unwrap();
    for epoch in 0..3 {
        assert_eq!(data.loader(DatasetType::Train, epoch).unwrap().count(), 2);
    }
    assert!(source.0.load(Ordering::Relaxed) <= 5);
    // 20 of 40 x 20 becomes 10, and 40 becomes 20.
    let image = data.train_ds().image(3).unwrap();
    assert_eq!(
        (image.width(), image.height(), image.pixels()[0]),
        (20, 10, 3)
    );
}

#[test]
fn what_the_source_says_is_in_the_error() {
    let list = ImageList::from_source("models", Counting(AtomicUsize::new(0))).unwrap();
    let lists = list.split_none().unwrap().label_from_folder().unwrap();
    let data = lists.databunch().batch_size(2).build().unwrap();
    match data.train_ds().image(5) {
        Err(Error::Image(ImageError::Decode { path, problem })) => {
            assert_eq!(path, Path::new("odd/5"));
            assert_eq!(
                problem,
                ImageProblem::Unreadable("the network is down".to_owned())
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_source_without_images_or_with_a_name_twice_is_refused() {
    let none = MemoryImages::default();
    let image = || Image::from_rgb8(1, 1, vec![0; 3]).unwrap();
    let twice = MemoryImages::new([("a", image()), ("b", image()), ("a", image())]);
    for (source, found) in [(none, "none"), (twice, "images 0 and 2 are both a")] {
        match ImageList::from_source("models", source) {
            Err(Error::Option(error)) => {
                assert_eq!((error.option, &*error.found), ("source of images", found));
            }
            other => panic!("{other:?}"),
        }
    }
    let image = || Image::from_rgb8(1, 1, vec![0; 3]).unwrap();
    let list = MemoryImages::new([("train/a/1", image()), ("train/b/1", image())]);
    let list = ImageList::from_source("models", list).unwrap();
    assert!(matches!(
        list.split_by_folder("train", "valid"),
        Err(Error::Option(_))
    ));
}

#[test]
fn data_of_a_source_is_not_saved() {
    let (folder, root) = digits();
    let archive = folder.path().join("digits.tgz");
    tgz(&root, &archive);
    let source = ArchiveImages::open(&archive).unwrap();
    let data = built(ImageList::from_source(folder.path(), source).unwrap());
    assert!(matches!(
        data.save("data.json"),
        Err(Error::Data(DataError::NotFiles { .. }))
    ));
    assert!(!folder.path().join("data.json").exists());
}

#[test]
fn test_images_may_come_from_files_or_from_another_source() {
    let (folder, root) = digits();
    let archive = folder.path().join("digits.tgz");
    tgz(&root, &archive);
    let source = || ImageList::from_source(&root, ArchiveImages::open(&archive).unwrap()).unwrap();
    let files = ImageList::from_folder(root.join("valid")).unwrap();
    for test in [files, source().filter_by_folder(&["valid"], &[])] {
        let lists = source().split_by_folder("train", "valid").unwrap();
        let lists = lists.label_from_folder().unwrap().add_test(test);
        let data = lists.databunch().batch_size(4).build().unwrap();
        let test = data.test_ds().unwrap();
        assert_eq!(test.len(), 8);
        assert_eq!(test.image(3).unwrap(), data.valid_ds().image(3).unwrap());
    }
}

#[test]
fn the_doctor_the_description_and_the_summary_look_at_images_of_a_source() {
    let gray = |value| ImageContent::from(Image::from_rgb8(4, 4, vec![value; 48]).unwrap());
    let images = [
        ("train/a/1", gray(1)),
        ("train/a/2", gray(2)),
        ("train/b/1", gray(50)),
        ("train/b/2", ImageContent::Encoded(Vec::new())),
        ("valid/a/1", gray(1)),
        ("valid/b/1", gray(60)),
    ];
    let list = ImageList::from_source("models", MemoryImages::new(images)).unwrap();
    let lists = list
        .split_by_folder("train", "valid")
        .unwrap()
        .label_from_folder()
        .unwrap();
    let data = lists.databunch().batch_size(2).build().unwrap();
    let report = data.doctor();
    let copies: Vec<_> = report.of_kind(FindingKind::DuplicateAcrossSplits).collect();
    assert_eq!(copies.len(), 1);
    let paths: Vec<&Path> = copies[0]
        .files
        .iter()
        .map(|file| file.path.as_path())
        .collect();
    assert_eq!(paths, [Path::new("train/a/1"), Path::new("valid/a/1")]);
    let empty: Vec<_> = report
        .findings
        .iter()
        .filter(|f| f.files.iter().any(|f| f.path.ends_with("b/2")))
        .collect();
    assert_eq!(empty.len(), 1);

    let description = data.describe();
    let train = &description.parts[0];
    assert_eq!((train.items, train.unreadable, train.bytes), (4, 1, 3 * 48));
    assert_eq!((train.widths, train.heights), ([4, 4], [4, 4]));

    let summary = data.summary(DatasetType::Valid, 1).unwrap();
    assert_eq!(summary.path, Path::new("valid/b/1"));
    assert!(summary.steps[0].text.contains("pixels of its source"));
    assert_eq!(summary.steps[0].image.get_pixel(0, 0).0, [60; 3]);
}

#[test]
fn archives_that_are_not_what_they_should_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.zip");
    let open = || match ArchiveImages::open(&path) {
        Err(Error::Fetch(error)) => error,
        other => panic!("{other:?}"),
    };
    fs::write(&path, "<html>not found</html>").unwrap();
    assert!(matches!(open(), vision_fetch::Error::NotAnArchive { .. }));
    fs::write(&path, "PK and no more").unwrap();
    assert!(matches!(open(), vision_fetch::Error::DamagedArchive { .. }));
    fs::write(&path, [0x1f, 0x8b, 8, 0]).unwrap();
    assert!(matches!(open(), vision_fetch::Error::DamagedArchive { .. }));
    for name in ["../a.png", "/a.png", "a\\b.png"] {
        zip(&path, &[(name, b"1")]);
        match open() {
            vision_fetch::Error::UnsafeEntry { entry, .. } => assert_eq!(entry, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    zip(&path, &[("a.png", b"1"), ("A.png", b"2")]);
    assert!(matches!(open(), vision_fetch::Error::UnsafeEntry { .. }));
    zip(&path, &[]);
    assert!(matches!(open(), vision_fetch::Error::EmptyArchive { .. }));

    zip(&path, &[("a.png", &[0; 100]), ("b.png", &[0; 100])]);
    for (limits, which) in [
        (
            archive::Limits::new().with_max_entries(1),
            "the number of entries",
        ),
        (
            archive::Limits::new().with_max_entry(99),
            "the size of one file",
        ),
        (
            archive::Limits::new().with_max_total(199),
            "the size of all files",
        ),
    ] {
        match ArchiveImages::open_within(&path, &limits) {
            Err(Error::Fetch(vision_fetch::Error::ArchiveLimit { limit, .. })) => {
                assert_eq!(limit, which);
            }
            other => panic!("{other:?}"),
        }
    }
    // 64 MiB of zeros in some 64 kB.
    zip(&path, &[("bomb.png", &vec![0; 64 << 20])]);
    assert!(matches!(
        open(),
        vision_fetch::Error::ArchiveLimit {
            limit: "the compression ratio",
            ..
        }
    ));
    // One byte of what is stored differs: the checksum says so when the image is read.
    zip(&path, &[("a.png", b"0123456789abcdef0123456789abcdef")]);
    let mut bytes = fs::read(&path).unwrap();
    let at = 30 + "a.png".len() + 4;
    bytes[at] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let source = ArchiveImages::open(&path).unwrap();
    assert!(source.read(0).is_err());
}
