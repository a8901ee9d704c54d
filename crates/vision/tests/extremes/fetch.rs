//! Downloads, archives and datasets. The network is off: a folder is the mirror.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use vision::data::datasets::{
    Dataset, ImagesConfig, UntarConfig, download_images, synthetic, untar_data, untar_data_with,
    urls_in_file,
};
use vision::data::device;
use vision::fetch::archive::{
    Contents, Existing, Limits, extract, extract_tgz, tar_files, tar_files_in,
};
use vision::fetch::hub::{Hub, cached_repositories};
use vision::fetch::{Download, Options, Store, file_name, is_http, sha256_of};

use crate::support::Folder;
use crate::table::{ANY, Table};
use crate::values::{DURATIONS, U32, U64, USIZE, readable, text_lists, texts, writable};

const URL: &str = "http://127.0.0.1:9/a-0123abcd.tgz";

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(name);
    let readable = || readable(folder.path());
    let writable = || writable(folder.path());
    let tgz = archive(&folder);
    fs::create_dir(at("mirror")).unwrap();
    fs::copy(&tgz, at("mirror/a-0123abcd.tgz")).unwrap();
    let mirror = at("mirror").to_str().unwrap().to_owned();
    let options = || {
        Options::new()
            .with_mirror(mirror.clone())
            .with_progress(false)
    };
    let target = at("fetched/a.tgz");
    let fetch = |options: Options| {
        let _ = fs::remove_dir_all(at("fetched"));
        Download::new(URL, &target).with_options(options).fetch()
    };
    fetch(options()).unwrap();

    t.line("is_http", ANY, texts(), |text| {
        black_box(is_http(&text));
    });
    t.line("file_name", "URL|url", texts(), |text| {
        file_name(&text).map(drop)
    });
    t.line("file_name", "URL|url", texts(), |text| {
        file_name(&format!("http://h/{text}")).map(drop)
    });
    t.line("Download::new", "URL|url", texts(), |text| {
        Download::new(text, &target).with_options(options()).fetch()
    });
    t.paths("Download::new", writable(), |path| {
        Download::new(URL, path).with_options(options()).fetch()
    });
    t.line("Download::named_by_hash", "URL|url", texts(), |text| {
        Download::named_by_hash(text, folder.path())
    });
    t.line("Download::named_by_hash", "URL|url", texts(), |text| {
        Download::named_by_hash(format!("http://h/a-{text}.pth"), folder.path())
    });
    // Nobody listens there, and nobody asks: downloads are forbidden.
    let hub = |name: &str| {
        let hub = Hub::new(name).with_endpoint("http://127.0.0.1:9");
        hub.with_cache(at("hub"))
    };
    let config = |hub: Hub| hub.file_with("config.json", &options());
    t.line(
        "Hub::new",
        "repository|revision|in the cache",
        texts(),
        |text| config(hub(&text)),
    );
    t.line(
        "Hub::with_revision",
        "revision|in the cache",
        texts(),
        |text| config(hub("a/b").with_revision(text)),
    );
    for start in ["", "http://", "http://127.0.0.1:9/"] {
        t.line(
            "Hub::with_endpoint",
            "URL|HF_ENDPOINT|in the cache",
            texts(),
            |text| config(hub("a/b").with_endpoint(format!("{start}{text}"))),
        );
    }
    t.paths("Hub::with_cache", writable(), |path| {
        config(hub("a/b").with_cache(path))
    });
    t.line("Hub::file", "file|in the cache", texts(), |text| {
        hub("a/b").file(&text)
    });
    t.line("Hub::file_with", "file|in the cache", texts(), |text| {
        hub("a/b").file_with(&text, &options())
    });
    t.paths("cached_repositories", readable(), |path| {
        cached_repositories(Some(path))
    });
    t.line("Download::with_sha256", "SHA-256|hash", texts(), |text| {
        Download::new(URL, &target)
            .with_options(options())
            .with_sha256(text)
            .fetch()
    });
    t.line("Download::with_size", "bytes", U64, |n| {
        Download::new(URL, at("sized"))
            .with_options(options())
            .with_size(n)
            .fetch()
    });
    t.paths("Download::install", readable(), |path| {
        let _ = fs::remove_file(at("installed"));
        Download::new(URL, at("installed"))
            .with_options(options())
            .install(path)
    });
    t.line(
        "Options::with_mirror",
        "mirror|Mirror|URL",
        texts(),
        |text| fetch(options().with_mirror(text)),
    );
    t.line("Options::with_max_size", "bytes", U64, |n| {
        fetch(options().with_max_size(n))
    });
    t.line("Options::with_retries", ANY, U32, |n| {
        fetch(options().with_retries(n))
    });
    t.line("Options::with_backoff", ANY, DURATIONS, |pause| {
        fetch(options().with_backoff(pause))
    });
    t.line("Options::with_connect_timeout", ANY, DURATIONS, |time| {
        fetch(options().with_connect_timeout(time))
    });
    t.line("Options::with_idle_timeout", ANY, DURATIONS, |time| {
        fetch(options().with_idle_timeout(time))
    });
    t.line("Options::with_min_speed", ANY, U64, |n| {
        fetch(options().with_min_speed(n))
    });
    t.line("Options::with_total_timeout", ANY, DURATIONS, |time| {
        fetch(options().with_total_timeout(time))
    });
    t.line("Options::with_lock_timeout", ANY, DURATIONS, |time| {
        fetch(options().with_lock_timeout(time))
    });
    t.paths("sha256_of", readable(), sha256_of);
    let in_store = |max_bytes: u64, url: &str| {
        let store = Store::open(at("store"), max_bytes)?.with_options(options());
        store.get(url, None).map(drop)
    };
    t.paths("Store::open", writable(), |path| Store::open(path, 0));
    t.line("Store::open", ANY, U64, |n| in_store(n, URL));
    t.line("Store::get", "URL|url|mirror|lock", texts(), |text| {
        in_store(0, &text)
    });
    t.line("Store::get", "URL|url|mirror|lock", texts(), |text| {
        in_store(0, &format!("http://h/{text}.tar"))
    });
    t.line("Store::has", ANY, texts(), |text| {
        Store::open(at("store"), 0).map(|store| black_box(store.has(&text)) == text.is_empty())
    });
    t.paths("tar_files", readable(), |path| {
        tar_files(path, &Limits::new())
    });
    t.paths("tar_files_in", readable(), |path| {
        tar_files_in(
            &fs::File::open(&tgz).unwrap(),
            path,
            &Limits::new(),
            |_, _| true,
        )
    });

    let unpacked = || {
        let _ = fs::remove_dir_all(at("unpacked"));
        at("unpacked")
    };
    t.paths("extract_tgz", readable(), |path| {
        extract_tgz(path, &unpacked(), &Limits::new())
    });
    t.paths("extract_tgz", writable(), |path| {
        extract_tgz(&tgz, path, &Limits::new())
    });
    t.line("extract", ANY, DURATIONS, |time| {
        extract(&tgz, &unpacked(), &Limits::new(), Existing::Keep, time)
    });
    let within =
        |limits: Limits| extract(&tgz, &unpacked(), &limits, Existing::Keep, Duration::ZERO);
    t.line("Limits::with_max_entries", "entries", U64, |n| {
        within(Limits::new().with_max_entries(n))
    });
    t.line("Limits::with_max_total", "size", U64, |n| {
        within(Limits::new().with_max_total(n))
    });
    t.line("Limits::with_max_entry", "size", U64, |n| {
        within(Limits::new().with_max_entry(n))
    });
    t.line("Limits::with_max_ratio", "times|ratio", U64, |n| {
        within(Limits::new().with_max_ratio(n))
    });
    t.paths("Contents::open", readable(), |path| {
        Contents::open(path, &Limits::new(), |_| true)
    });
    t.line("Contents::read", "entry|item|entries", USIZE, |n| {
        Contents::open(&tgz, &Limits::new(), |_| true)
            .and_then(|contents| contents.read(n).map(drop))
    });

    let config = || {
        UntarConfig::new()
            .with_dest(at("data"))
            .with_archive_dir(at("archives"))
            .with_download(options())
    };
    let known = || Dataset::new(URL);
    t.line("Dataset::new", "URL|url", texts(), |text| {
        Dataset::new(text).name().map(drop)
    });
    t.line("Dataset::new", "URL|url|mirror|lock", texts(), |text| {
        untar_data_with(Dataset::new(format!("http://h/{text}.tgz")), &config())
    });
    t.line("Dataset::with_size", "bytes", U64, |n| {
        untar_data_with(known().with_size(n), &config().with_force(true))
    });
    t.line("Dataset::with_sha256", "SHA-256|hash", texts(), |text| {
        untar_data_with(known().with_sha256(text), &config().with_force(true))
    });
    t.paths("UntarConfig::with_dest", writable(), |path| {
        untar_data_with(known(), &config().with_dest(path))
    });
    t.paths("UntarConfig::with_archive_dir", writable(), |path| {
        untar_data_with(known(), &config().with_archive_dir(path).with_force(true))
    });
    t.line(
        "UntarConfig::with_mirror",
        "mirror|Mirror|URL",
        texts(),
        |text| {
            untar_data_with(
                known(),
                &config()
                    .with_archive_dir(at("more"))
                    .with_mirror(text)
                    .with_force(true),
            )
        },
    );
    t.paths("untar_data", readable(), |path| untar_data(path));
    t.line("untar_data", ANY, texts(), |text| untar_data(text.as_str()));
    t.paths("untar_data_with", readable(), |path| {
        untar_data_with(path, &config())
    });
    t.paths("urls_in_file", readable(), |path| urls_in_file(path));
    let images =
        |config: ImagesConfig| download_images([URL], at("images"), &config.with_resume(true));
    let quick = || ImagesConfig::new().with_options(options());
    t.line("ImagesConfig::with_max_images", "max_images", USIZE, |n| {
        images(quick().with_max_images(n))
    });
    t.line("ImagesConfig::with_workers", "workers", USIZE, |n| {
        images(quick().with_workers(n))
    });
    t.line("download_images", ANY, text_lists(), |urls| {
        let urls: Vec<String> = urls.into_iter().take(100).collect();
        download_images(urls, at("many"), &quick().with_resume(true))
    });
    t.paths("download_images", writable(), |path| {
        download_images([URL], path, &quick())
    });
    t.line("digits", "per_class", USIZE, |n| {
        synthetic::digits(&at("drawn-a"), 0, n.max(2), usize::MAX)?;
        synthetic::digits(&at("drawn-b"), 0, n, 0)
    });
    t.line("digits", ANY, U64, |n| {
        synthetic::digits(&at(&format!("seed-{n}")), n, 1, 1)
    });
    t.paths("digits", writable(), |path| {
        synthetic::digits(path, 0, 1, 1)
    });
    t.line("parse", "device", texts(), |text| device::parse(&text));
}

/// A small archive.
fn archive(folder: &Folder) -> PathBuf {
    let path = folder.path().join("small.tgz");
    let gz = flate2::write::GzEncoder::new(
        fs::File::create(&path).unwrap(),
        flate2::Compression::fast(),
    );
    let mut tar = tar::Builder::new(gz);
    tar.append_path_with_name(folder.path().join("image.png"), "small/a/image.png")
        .unwrap();
    tar.append_path_with_name(folder.path().join("file.txt"), "small/file.txt")
        .unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    path
}
