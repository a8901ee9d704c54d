//! Image files, reading and inspection.

use std::fs;
use std::hint::black_box;

use vision::data::files::{IndexConfig, image_files, index, is_image_file};
use vision::data::inspect::doctor::Doctor;
use vision::data::inspect::{VerifyConfig, verify_images};
use vision::data::{
    ArchiveImages, DatasetType, Image, ImageList, Limits, ReadConfig, Result, ShardImages, Split,
};
use vision::fetch::Store;

use crate::support::{Folder, builder, data, one_batch};
use crate::table::{ANY, Table};
use crate::values::{F64, U32, U64, USIZE, readable, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let path = folder.digits();
    let readable = || readable(folder.path());
    let png = fs::read(folder.path().join("image.png")).unwrap();
    let limits = |n: u64| {
        [
            Limits {
                max_pixels: n,
                ..Limits::default()
            },
            Limits {
                max_bytes: n,
                ..Limits::default()
            },
        ]
    };
    t.paths("image_files", readable(), |path| image_files(path));
    t.paths("index", readable(), |path| index(path, &IndexConfig::new()));
    t.paths("is_image_file", readable(), |path| {
        black_box(is_image_file(path))
    });
    t.paths("Image::open", readable(), |path| Image::open(path));
    t.paths("Image::open_within", readable(), |path| {
        Image::open_within(path, &Limits::default())
    });
    t.line("Image::open_within", "pixels|bytes", U64, |n| {
        let file = folder.path().join("image.png");
        limits(n)
            .into_iter()
            .try_for_each(|limits| Image::open_within(&file, &limits).map(drop))
    });
    t.line("Image::decode", "memory", texts(), |text| {
        Image::decode(text.as_bytes())
    });
    t.line("Image::decode_within", "pixels|bytes", U64, |n| {
        limits(n)
            .into_iter()
            .try_for_each(|limits| Image::decode_within(&png, &limits).map(drop))
    });
    t.line("Image::from_rgb8", "pixel|bytes|memory", U32, |n| {
        Image::from_rgb8(n, 1, vec![0; 3])?;
        Image::from_rgb8(n, n, vec![0; 3])
    });
    t.line(
        "Image::from_rgb8",
        "pixel|bytes|memory",
        [0, 1, 2, 4, 1 << 20],
        |n| Image::from_rgb8(1, 1, vec![0; n]),
    );
    let reading = |config: ReadConfig| -> Result<()> {
        one_batch(&builder(&path).size(8).reading(config).build()?)
    };
    t.line("ReadConfig::with_memory", ANY, USIZE, |n| {
        reading(ReadConfig::new().with_memory(n))
    });
    t.line("ReadConfig::with_background", ANY, [0, 255], |n| {
        reading(ReadConfig::new().with_background([n; 3]))
    });
    t.line("ReadConfig::with_short_side", "short_side", U32, |n| {
        reading(ReadConfig::new().with_short_side(n))
    });
    t.paths(
        "ReadConfig::with_disk_cache",
        writable(folder.path()),
        |path| reading(ReadConfig::new().with_disk_cache(path)),
    );
    t.paths("ArchiveImages::open", readable(), |path| {
        ArchiveImages::open(path)
    });
    t.paths("ArchiveImages::open_within", readable(), |path| {
        ArchiveImages::open_within(path, &vision::fetch::archive::Limits::new())
    });
    t.paths("ShardImages::open", readable(), |path| {
        ShardImages::open([path])
    });
    t.paths("ShardImages::open_folder", readable(), |path| {
        ShardImages::open_folder(path)
    });
    t.paths("ShardImages::open_in", readable(), |path| {
        ShardImages::open_in([path], Store::open(folder.path().join("store"), 0)?)
    });
    t.line("ShardImages::expand", "pattern", texts(), |text| {
        ShardImages::expand(&text)
    });
    t.line("ShardImages::expand", "pattern", texts(), |text| {
        ShardImages::expand(&format!("a{{{text}}}"))
    });
    let image = folder.path().join("image.png");
    let shard = folder.path().join("0.tar");
    let mut tar = tar::Builder::new(fs::File::create(&shard).unwrap());
    for name in ["a/1.png", "b/1.png", "b/2.png"] {
        tar.append_path_with_name(&image, name).unwrap();
    }
    tar.into_inner().unwrap();
    t.line("ShardImages::with_buffer", ANY, USIZE, |n| {
        let source = ShardImages::open([&shard])?.with_buffer(n);
        let list = ImageList::from_source(".", source)?;
        let data = list.split(Split::None)?.label_from_folder()?.databunch();
        data.batch_size(1).build()?.order(DatasetType::Train, 0)
    });
    t.line("ShardImages::with_streams", ANY, USIZE, |n| {
        let source = ShardImages::open([&shard])?.with_streams(n);
        let list = ImageList::from_source(".", source)?;
        let data = list.split(Split::None)?.label_from_folder()?.databunch();
        data.batch_size(1).build()?.order(DatasetType::Train, 0)
    });
    let doctor = |doctor: Doctor| {
        doctor
            .examine(&data(&path))
            .map(|report| (report.to_html(), report.to_json()))
    };
    t.line("Doctor::with_huge_pixels", "huge_pixels", U64, |n| {
        doctor(Doctor::new().with_huge_pixels(n))
    });
    t.line("Doctor::with_imbalance", "imbalance", F64, |x| {
        doctor(Doctor::new().with_imbalance(x))
    });
    t.line("Doctor::with_folds", "folds", USIZE, |n| {
        doctor(Doctor::new().with_folds(n))
    });
    t.paths("Doctor::examine_folder", readable(), |path| {
        Doctor::new().examine_folder(path)
    });
    t.paths("Report::save_html", writable(folder.path()), |file| {
        data(&path).doctor().save_html(file)
    });
    t.paths("Report::save_json", writable(folder.path()), |file| {
        data(&path).doctor().save_json(file)
    });
    t.paths("Report::save_quarantine", writable(folder.path()), |file| {
        data(&path).doctor().save_quarantine(file).map(drop)
    });
    t.line(
        "ImageDataBunch::show_batch",
        "rows|images|figure",
        USIZE,
        |n| data(&path).show_batch(n),
    );
    t.line(
        "ImageDataBunch::show_batch_with",
        "rows|images|figure",
        USIZE,
        |n| data(&path).show_batch_with(n, DatasetType::Valid),
    );
    t.line("ImageDataBunch::summary", "index|item|image", USIZE, |n| {
        data(&path)
            .summary(DatasetType::Train, n)
            .and_then(|summary| summary.plot().map(drop))
    });
    let verify = |config: VerifyConfig| verify_images(path.join("train/3"), &config);
    t.line("VerifyConfig::with_max_size", "max_size", U32, |n| {
        verify(
            VerifyConfig::new()
                .with_dest(folder.path().join("small"))
                .with_resume(true)
                .with_max_size(n),
        )
    });
    t.line("VerifyConfig::with_quality", "quality", 0..=u8::MAX, |n| {
        verify(
            VerifyConfig::new()
                .with_dest(folder.path().join("good"))
                .with_resume(true)
                .with_quality(n),
        )
    });
    t.paths("VerifyConfig::with_dest", writable(folder.path()), |dest| {
        verify(VerifyConfig::new().with_dest(dest))
    });
    t.paths("verify_images", readable(), |path| {
        verify_images(path, &VerifyConfig::new())
    });
}
