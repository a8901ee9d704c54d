//! Images in shards on the network.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use vision_data::{
    BadImages, DatasetType, Error, ImageDataBunch, ImageError, ImageList, ImageProblem,
    ImageSource, ShardImages, Split,
};
use vision_fetch::Store;

use crate::support::{Server, quick, reply, reply_range};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/shards");

/// Serves the files of a folder.
fn serve(folder: &Path) -> Server {
    let folder = folder.to_owned();
    Server::start(
        move |_, request, stream| match fs::read(folder.join(&request.path)) {
            Ok(bytes) => reply_range(stream, request, "\"v1\"", &bytes),
            Err(_) => reply(stream, "404 Not Found", &[], b""),
        },
    )
}

/// A store for so many bytes of shards.
fn store(folder: &Path, max_bytes: u64) -> Store {
    let store = Store::open(folder, max_bytes).unwrap();
    store.with_options(quick().with_retries(1).with_progress(false))
}

fn fixtures(server: &Server, cache: &Path) -> Result<ShardImages, Error> {
    let shards = ShardImages::expand(&server.url("{00000..00001}.tar"))?;
    ShardImages::open_in(shards, store(cache, 1 << 30))
}

fn data(source: ShardImages, workers: usize) -> ImageDataBunch {
    let list = ImageList::from_source(".", source).unwrap();
    let split = list.split(Split::None).unwrap();
    let data = split.label_from_folder().unwrap().databunch();
    let data = data.batch_size(4).seed(3).num_workers(workers);
    data.bad_images(BadImages::Skip).build().unwrap()
}

#[test]
fn shards_at_urls_have_the_images_of_those_on_the_disk() {
    let local = ShardImages::open_folder(FIXTURES).unwrap();
    let server = serve(Path::new(FIXTURES));
    let cache = tempfile::tempdir().unwrap();
    let source = fixtures(&server, cache.path()).unwrap();
    assert_eq!((source.len(), source.shards()), (10, 2));
    for item in 0..10 {
        assert_eq!(source.name(item), local.name(item));
        assert_eq!(source.read(item).unwrap(), local.read(item).unwrap());
    }
    assert_eq!(server.requests().len(), 2);
    // What is in them is known from now on, and so are the shards: without a server all is the same.
    let url = server.url("{00000..00001}.tar");
    drop(server);
    let shards = ShardImages::expand(&url).unwrap();
    let again = ShardImages::open_in(shards, store(cache.path(), 1 << 30)).unwrap();
    assert_eq!(again.name(9), local.name(9));
    assert_eq!(again.read(9).unwrap(), local.read(9).unwrap());
}

#[test]
fn a_data_set_larger_than_the_disk_downloads_each_shard_once_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let (shards, each, buffer) = (24, 20, 30);
    for shard in 0..shards {
        let tar = fs::File::create(folder.path().join(format!("{shard:02}.tar"))).unwrap();
        let mut tar = tar::Builder::new(tar);
        for item in 0..each {
            let mut image = Vec::new();
            let gray = image::GrayImage::from_pixel(8, 8, image::Luma([shard as u8]));
            let file = &mut std::io::Cursor::new(&mut image);
            gray.write_to(file, image::ImageFormat::Png).unwrap();
            let mut header = tar::Header::new_ustar();
            header.set_size(image.len() as u64);
            let name = format!("{}/{item:03}.png", ["a", "b"][item % 2]);
            tar.append_data(&mut header, name, &image[..]).unwrap();
        }
        tar.into_inner().unwrap();
    }
    let bytes = fs::metadata(folder.path().join("00.tar")).unwrap().len();
    let server = serve(folder.path());
    let names = ShardImages::expand(&server.url("{00..23}.tar")).unwrap();
    for workers in [0, 2] {
        let cache = tempfile::tempdir().unwrap();
        let source = || ShardImages::open_in(&names, store(cache.path(), 9 * bytes)).unwrap();
        drop(source());
        let before = server.requests().len();
        let data = data(source().with_buffer(buffer), workers);
        let order = data.order(DatasetType::Train, 0).unwrap();
        let mut found = Vec::new();
        for batch in data.loader(DatasetType::Train, 0).unwrap() {
            found.extend(batch.unwrap().indices);
            let kept = fs::read_dir(cache.path()).unwrap().flatten();
            let kept = kept.filter(|e| e.file_name().to_string_lossy().ends_with(".tar"));
            // Those within the limit, and one on its way for each thread.
            assert!(kept.count() <= 9 + workers.max(1) + 4);
        }
        assert_eq!(found, order);
        let mut downloads: HashMap<String, usize> = HashMap::new();
        for request in &server.requests()[before..] {
            *downloads.entry(request.path.clone()).or_default() += 1;
        }
        assert!(downloads.len() >= shards - 9, "{}", downloads.len());
        assert!(downloads.values().all(|&n| n == 1), "{downloads:?}");
    }
}

#[test]
fn a_link_that_fails_ends_an_epoch_also_where_bad_images_are_skipped() {
    let server = serve(Path::new(FIXTURES));
    let cache = tempfile::tempdir().unwrap();
    let shards = ShardImages::expand(&server.url("{00000..00001}.tar")).unwrap();
    let source = ShardImages::open_in(&shards, store(cache.path(), 0)).unwrap();
    drop(server);
    let data = data(source, 0);
    let mut batches = data.loader(DatasetType::Train, 0).unwrap();
    match batches.find_map(Result::err) {
        Some(Error::Image(ImageError::Decode {
            path,
            problem: ImageProblem::Unavailable(reason),
        })) => {
            assert!(path.starts_with("00000.tar") || path.starts_with("00001.tar"));
            assert!(reason.contains("http://127.0.0.1"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shard_that_changes_or_is_missing_or_is_no_shard_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["00000.tar", "00001.tar"] {
        fs::copy(Path::new(FIXTURES).join(name), folder.path().join(name)).unwrap();
    }
    let server = serve(folder.path());
    let cache = tempfile::tempdir().unwrap();
    let shards = ShardImages::expand(&server.url("{00000..00001}.tar")).unwrap();
    let source = ShardImages::open_in(&shards, store(cache.path(), 0)).unwrap();
    let first = folder.path().join("00000.tar");
    let mut bytes = fs::read(&first).unwrap();
    bytes[600] ^= 1;
    fs::write(&first, &bytes).unwrap();
    source.read(9).unwrap();
    let error = source.read(0).unwrap_err().to_string();
    assert!(
        error.contains("00000.tar") && error.contains("SHA-256") && error.contains(".json"),
        "{error}"
    );

    let cache = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let shard = server.url(name);
        ShardImages::open_in([shard], store(cache.path(), 0)).unwrap_err()
    };
    assert_matches!(
        open("00009.tar"),
        Error::Fetch(vision_fetch::Error::HttpStatus { status: 404, .. })
    );
    fs::write(folder.path().join("page.tar"), vec![b'x'; 5000]).unwrap();
    assert_matches!(
        open("page.tar"),
        Error::Fetch(vision_fetch::Error::DamagedArchive { archive, .. })
            if archive.to_string_lossy().starts_with("http://")
    );
    fs::write(folder.path().join("cut.tar"), &bytes[..bytes.len() / 2]).unwrap();
    let error = open("cut.tar").to_string();
    assert!(error.contains("cut off"), "{error}");
}

#[test]
fn what_was_found_in_a_shard_is_found_again_if_its_file_is_damaged() {
    let server = serve(Path::new(FIXTURES));
    let cache = tempfile::tempdir().unwrap();
    let expected = fixtures(&server, cache.path()).unwrap().name(7);
    let files: Vec<_> = fs::read_dir(cache.path().join("index"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2);
    let text = fs::read_to_string(&files[0]).unwrap();
    for (from, to) in [
        ("{", ""),
        ("\"format\":1", "\"format\":2"),
        ("\"offset\":", "\"offset\":9999"),
        ("\"name_end\":", "\"name_end\":9"),
        ("\"class\":", "\"class\":9"),
        ("http://", "http://other"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text);
        fs::write(&files[0], damaged).unwrap();
        assert_eq!(fixtures(&server, cache.path()).unwrap().name(7), expected);
        assert_eq!(fs::read_to_string(&files[0]).unwrap(), text);
    }
}
