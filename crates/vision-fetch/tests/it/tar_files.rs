//! The places of files in tar archives, among them hostile ones.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use support::{Tar, noise, put, small_set};
use tar::EntryType;
use vision_fetch::Error;
use vision_fetch::archive::{Limits, TarFile, tar_files, tar_files_in};

use crate::support;

fn list(bytes: &[u8]) -> Result<Vec<TarFile>, Error> {
    let folder = tempfile::tempdir().unwrap();
    tar_files(&put(folder.path(), "a.tar", bytes), &Limits::new())
}

fn refusal(tar: Tar) -> String {
    match list(&tar.tar()) {
        Err(Error::UnsafeEntry { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_file_is_where_the_list_says() {
    let bytes = small_set().tar();
    let files = list(&bytes).unwrap();
    let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    assert_eq!(
        names,
        [
            "set/labels.csv",
            "set/train/3/1.png",
            "set/train/7/2.png",
            "set/valid/3/3.png",
            "set/valid/7/4.png"
        ]
    );
    let content = |file: &TarFile| &bytes[file.offset as usize..][..file.len as usize];
    assert_eq!(content(&files[0]), b"name,label\n");
    assert_eq!(content(&files[2]), noise(1500));
    assert_eq!(files[4].len, 0);
    // What is wanted is read, between others that are skipped.
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "a.tar", &bytes);
    let wanted = |name: &str, len| name.ends_with(".csv") || len == 10;
    let file = File::open(&path).unwrap();
    let with = tar_files_in(&file, &path, &Limits::new(), wanted).unwrap();
    let content: Vec<_> = with.iter().map(|file| file.content.as_deref()).collect();
    let third = noise(10);
    assert_eq!(
        content,
        [Some(&b"name,label\n"[..]), None, None, Some(&third), None]
    );
    assert_eq!(with[4].offset, files[4].offset);
    // Names that differ only by case, and long ones.
    let long = "d/".repeat(100) + "a.png";
    let tar = Tar::default().file("a", b"1").file("A", b"2");
    let tar = tar.entry("././@LongLink", EntryType::GNULongName, "", long.as_bytes());
    let files = list(&tar.file("short", b"3").tar());
    // The header of a long name is GNU's, which this writer does not make: it is refused or understood.
    if let Ok(files) = files {
        assert_eq!(files[2].name, long);
    }
}

#[test]
fn hostile_entries_are_refused() {
    let tar = Tar::default;
    for name in [
        "/etc/passwd",
        "../a",
        "a/../../b",
        "a\\b",
        "C:b",
        "a\nb",
        "",
    ] {
        refusal(tar().file(name, b"x"));
    }
    refusal(tar().file(b"\xff\xfe", b"x"));
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::new(b'Z'),
    ] {
        refusal(tar().link("a", kind, "b"));
    }
    let twice = tar().file("a", b"1").file("b", b"2").file("a", b"3");
    assert!(refusal(twice).contains("same name"));
    let pax = |records: &[&str]| tar().pax(EntryType::XHeader, records).file("a", b"12345");
    assert!(refusal(pax(&["GNU.sparse.major=1"])).contains("sparse"));
    assert!(refusal(pax(&["size=3"])).contains("size"));
    assert!(refusal(pax(&["path=b", "path=c"])).contains("twice"));
    let global = tar().pax(EntryType::XGlobalHeader, &["path=b"]);
    refusal(global.file("a", b"1"));
    let long = format!("path={}", "a".repeat(5000));
    assert!(matches!(
        list(&pax(&[&long]).tar()),
        Err(Error::ArchiveLimit {
            limit: "the length of a name",
            ..
        })
    ));
    let sparse = tar().entry("a", EntryType::GNUSparse, "", b"x");
    assert!(matches!(
        list(&sparse.tar()),
        Err(Error::UnsafeEntry { .. } | Error::DamagedArchive { .. })
    ));
}

#[test]
fn sizes_beyond_the_end_or_below_zero_are_refused() {
    // The end is at least a block, of which a file has taken the last byte.
    for size in [1025, 1 << 20, (1 << 33) - 1] {
        let tar = Tar::default().sized("a", EntryType::Regular, "", b"x", size);
        match list(&tar.tar()) {
            Err(Error::DamagedArchive { reason, .. }) => {
                assert!(reason.contains("cut off"), "{size}: {reason}");
            }
            other => panic!("{size}: {other:?}"),
        }
    }
    // Numbers in base 256: negative, and greater than any file.
    for size in [
        [0xff; 12],
        [
            0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        [
            0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        [
            0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x00,
        ],
        *b"-0000000001\0",
        *b"99999999999\0",
    ] {
        for kind in [
            EntryType::Regular,
            EntryType::GNULongName,
            EntryType::XHeader,
        ] {
            let mut bytes = Tar::default().entry("a", kind, "", b"x").tar();
            bytes[124..136].copy_from_slice(&size);
            bytes[148..156].fill(b' ');
            let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
            bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            let error = list(&bytes).unwrap_err();
            assert!(
                matches!(error, Error::DamagedArchive { .. }),
                "{size:?}: {error}"
            );
        }
    }
}

#[test]
fn a_name_or_header_of_gigabytes_is_stopped_before_it_fills_the_memory() {
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let size = 6 << 30;
        let head = Tar::default().sized("long", kind, "", b"", size).blocks();
        let mut file = File::create(&path).unwrap();
        file.write_all(&head).unwrap();
        // A hole on the disk, which reads as zeros.
        file.seek(SeekFrom::Start(512 + size)).unwrap();
        file.write_all(&Tar::default().file("a", b"x").tar())
            .unwrap();
        match tar_files(&path, &Limits::new()) {
            Err(Error::ArchiveLimit { limit, .. }) => assert_eq!(limit, "the size of headers"),
            // A program that knows no such header takes it for a file of another kind.
            Err(Error::UnsafeEntry { .. }) => {}
            other => panic!("{kind:?}: {other:?}"),
        }
    }
}

#[test]
fn limits_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "a.tar", &small_set().tar());
    for (limits, name) in [
        (Limits::new().with_max_entries(3), "the number of entries"),
        (Limits::new().with_max_entry(1499), "the size of one file"),
        (Limits::new().with_max_total(2220), "the size of all files"),
    ] {
        match tar_files(&path, &limits) {
            Err(Error::ArchiveLimit { limit, .. }) => assert_eq!(limit, name),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_archive_that_is_cut_anywhere_is_damaged() {
    let whole = small_set().tar();
    // One of the two empty blocks is enough.
    for len in (0..whole.len() - 512).step_by(7) {
        match list(&whole[..len]) {
            Err(Error::DamagedArchive { archive, .. }) => assert!(archive.ends_with("a.tar")),
            other => panic!("{len}: {other:?}"),
        }
    }
    assert_eq!(list(&whole[..whole.len() - 512]).unwrap().len(), 5);
}

#[test]
fn a_changed_byte_is_an_error_or_harmless_and_never_a_panic() {
    let tar = Tar::default()
        .pax(EntryType::XHeader, &["path=some/where.png", "mtime=1.5"])
        .file("a", b"12345")
        .file("b", b"x");
    let whole = tar.tar();
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "a.tar", &whole);
    let mut file = File::options().write(true).open(&path).unwrap();
    let mut write = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    for at in 0..whole.len() {
        for value in [0, b'7', 0xff] {
            write(at, value);
            if let Ok(files) = tar_files(&path, &Limits::new()) {
                for file in files {
                    assert!(file.offset + file.len <= whole.len() as u64);
                }
            }
        }
        write(at, whole[at]);
    }
}
