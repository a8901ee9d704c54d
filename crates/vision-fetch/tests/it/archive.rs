//! Extraction of archives, among them hostile ones.

use std::fs;
use std::path::Path;

use support::{Tar, gzip, noise, put, small_set, tree};
use tar::EntryType;
use vision_fetch::Error;
use vision_fetch::archive::{Limits, extract_tgz};

use crate::support;

/// Extracts the bytes as an archive into a new folder, beside a neighbor that must survive. After
/// an error only the archive and the neighbor may be left.
fn try_extract(bytes: &[u8], limits: &Limits) -> Result<Vec<String>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let archive = put(folder.path(), "a.tgz", bytes);
    put(folder.path(), "neighbor", b"precious");
    let result = extract_tgz(&archive, &folder.path().join("data/set"), limits);
    assert_eq!(
        fs::read(folder.path().join("neighbor")).unwrap(),
        b"precious"
    );
    if result.is_err() {
        assert_eq!(tree(folder.path()), ["a.tgz", "data", "neighbor"]);
    }
    result.map(|()| tree(&folder.path().join("data")))
}

fn refusal(tar: Tar) -> String {
    match try_extract(&tar.tgz(), &Limits::default()) {
        Err(Error::UnsafeEntry { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn limit(tar: Tar, limits: &Limits) -> (&'static str, u64, u64) {
    match try_extract(&tar.tgz(), limits) {
        Err(Error::ArchiveLimit {
            limit,
            allowed,
            found,
            ..
        }) => (limit, allowed, found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sound_archive_is_extracted_byte_for_byte_under_the_name_of_the_destination() {
    let folder = tempfile::tempdir().unwrap();
    let archive = put(folder.path(), "a.tgz", &small_set().tgz());
    let dest = folder.path().join("data/renamed");
    extract_tgz(&archive, &dest, &Limits::default()).unwrap();
    assert_eq!(
        tree(&dest),
        [
            "labels.csv",
            "train",
            "train/3",
            "train/3/1.png",
            "train/7",
            "train/7/2.png",
            "valid",
            "valid/3",
            "valid/3/3.png",
            "valid/7",
            "valid/7/4.png",
        ]
    );
    assert_eq!(fs::read(dest.join("train/7/2.png")).unwrap(), noise(1500));
    assert_eq!(fs::read(dest.join("valid/7/4.png")).unwrap(), b"");
    assert_eq!(tree(&folder.path().join("data"))[0], "renamed");
}

#[test]
fn several_things_at_the_top_are_gathered_in_the_destination() {
    let tar = Tar::default()
        .file("train/1.png", b"1")
        .file("README", b"2");
    assert_eq!(
        try_extract(&tar.tgz(), &Limits::default()).unwrap(),
        ["set", "set/README", "set/train", "set/train/1.png"]
    );
    let one_file = Tar::default().file("README", b"2");
    assert_eq!(
        try_extract(&one_file.tgz(), &Limits::default()).unwrap(),
        ["set", "set/README"]
    );
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    for (name, wanted) in [
        ("/tmp/evil", "absolute"),
        ("../evil", ".."),
        ("set/../../evil", ".."),
        ("set/..", ".."),
        ("C:\\evil", "backslash"),
        ("c:/evil", "drive letter"),
        ("..\\evil", "backslash"),
        ("set/e\nvil", "control"),
    ] {
        let reason = refusal(small_set().file(name, b"evil"));
        assert!(reason.contains(wanted), "{name:?}: {reason}");
        // The same as a folder, and from an extended header.
        refusal(small_set().folder(name));
        let path = format!("path={name}");
        let pax = Tar::default().pax(EntryType::XHeader, &[path.as_str()]);
        // A line break ends a record there, so the name would be cut short.
        if !name.contains('\n') {
            refusal(pax.file("harmless", b"evil"));
        }
    }
    assert!(!Path::new("/tmp/evil").exists());
}

#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    assert!(refusal(small_set().file(b"set/\xff.png", b"1")).contains("UTF-8"));
}

#[test]
fn links_devices_and_pipes_are_refused() {
    for (kind, wanted) in [
        (EntryType::Symlink, "symbolic link"),
        (EntryType::Link, "hard link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "pipe"),
        (EntryType::new(b'V'), "neither a file nor a folder"),
    ] {
        let reason = refusal(small_set().link("set/link", kind, "/etc/passwd"));
        assert!(reason.contains(wanted), "{reason}");
    }
}

#[test]
fn a_link_followed_by_a_file_below_it_writes_nowhere() {
    let tar = Tar::default()
        .link("set", EntryType::Symlink, "..")
        .file("set/neighbor", b"evil");
    refusal(tar);
}

#[test]
fn duplicates_are_refused_also_those_that_differ_by_case() {
    for (name, wanted) in [
        ("set/labels.csv", "earlier entry"),
        ("./set//labels.csv", "earlier entry"),
        ("set/LABELS.csv", "case"),
        ("set/Train/3/9.png", "case"),
        ("set/train", "file and a folder"),
        ("set/labels.csv/x", "file and a folder"),
    ] {
        let reason = refusal(small_set().file(name, b"again"));
        assert!(reason.contains(wanted), "{name}: {reason}");
    }
}

#[test]
fn a_folder_may_be_named_more_than_once() {
    let tar = small_set().folder("set/train/").folder("./set/train");
    assert!(try_extract(&tar.tgz(), &Limits::default()).is_ok());
}

#[test]
fn what_macos_adds_is_skipped() {
    let tar = Tar::default()
        .file("._set", b"x")
        .file("set/1.png", b"1")
        .file("set/._1.png", b"x")
        .file("__MACOSX/set/1.png", b"x");
    assert_eq!(
        try_extract(&tar.tgz(), &Limits::default()).unwrap(),
        ["set", "set/1.png"]
    );
}

#[test]
fn too_many_entries_are_refused_at_the_first_too_many() {
    let limits = Limits::new().with_max_entries(6);
    assert_eq!(limit(small_set(), &limits), ("the number of entries", 6, 7));
    assert!(try_extract(&small_set().tgz(), &Limits::new().with_max_entries(7)).is_ok());
}

#[test]
fn too_large_a_file_is_refused_before_it_is_written() {
    let limits = Limits::new().with_max_entry(1499);
    assert_eq!(
        limit(small_set(), &limits),
        ("the size of one file", 1499, 1500)
    );
    // Also if only the header claims it.
    let liar = Tar::default().sized("set/1", EntryType::Regular, "", b"", 1 << 40);
    assert_eq!(
        limit(liar, &Limits::default()),
        ("the size of one file", 4 << 30, 1 << 40)
    );
}

#[test]
fn too_much_in_all_is_refused() {
    // 11 + 700 + 1500 + 10 bytes.
    let limits = Limits::new().with_max_total(2220);
    assert_eq!(
        limit(small_set(), &limits),
        ("the size of all files", 2220, 2221)
    );
    assert!(try_extract(&small_set().tgz(), &Limits::new().with_max_total(2221)).is_ok());
}

#[test]
fn a_bomb_is_stopped_by_its_ratio() {
    let bomb = Tar::default().file("set/zeros", &vec![0; 48 << 20]);
    let (which, allowed, found) = limit(bomb, &Limits::default());
    assert_eq!((which, allowed), ("the compression ratio", 200));
    // The format's own limit is 1032.
    assert!(found > 200 && found <= 1032);
}

#[test]
fn a_bomb_in_a_header_is_stopped_before_it_fills_the_memory() {
    for kind in [
        EntryType::GNULongName,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let bomb = Tar::default().entry("long", kind, "", &vec![b'a'; 2 << 20]);
        let (which, ..) = limit(bomb.file("set/1", b"1"), &Limits::default());
        assert_eq!(which, "the size of headers");
    }
}

#[test]
fn headers_that_disagree_about_the_size_are_refused() {
    // An entry for a reader of the first header, file contents for a reader of the second.
    let hidden = Tar::default().file("set/hidden", b"evil").blocks();
    let tar = Tar::default()
        .pax(EntryType::XHeader, &["size=1024"])
        .sized("set/1", EntryType::Regular, "", &hidden, 0);
    assert!(refusal(tar).contains("disagree"));
    // The second header cannot be parsed.
    for size in [
        "size=-1",
        "size=0x10",
        "size=99999999999999999999999",
        "size=",
    ] {
        let tar = Tar::default()
            .pax(EntryType::XHeader, &[size])
            .file("set/1", b"1");
        assert!(refusal(tar).contains("disagree"), "{size}");
    }
    let twice = Tar::default()
        .pax(EntryType::XHeader, &["size=1", "size=2"])
        .file("set/1", b"1");
    assert!(refusal(twice).contains("twice"));
}

#[test]
fn extended_headers_are_understood_where_they_are_harmless() {
    let long = format!("set/{}/1.png", "long".repeat(40));
    let tar = Tar::default()
        .pax(EntryType::XGlobalHeader, &["comment=0123456789abcdef"])
        .pax(
            EntryType::XHeader,
            &[&format!("path={long}"), "size=3", "mtime=1.5"],
        )
        .file("set/short", b"123");
    let found = try_extract(&tar.tgz(), &Limits::default()).unwrap();
    assert_eq!(found.last().unwrap(), &long);
}

#[test]
fn an_extended_header_for_all_entries_may_not_rename_them() {
    let tar = Tar::default()
        .pax(EntryType::XGlobalHeader, &["path=elsewhere"])
        .file("set/1", b"1");
    assert!(refusal(tar).contains("all entries"));
}

#[test]
fn sparse_files_are_refused() {
    let tar = Tar::default()
        .pax(
            EntryType::XHeader,
            &["GNU.sparse.major=1", "GNU.sparse.minor=0"],
        )
        .file("set/1", b"1");
    assert!(refusal(tar).contains("sparse"));
}

#[test]
fn an_archive_cut_anywhere_is_damaged() {
    let whole = small_set().tgz();
    let mut cuts: Vec<usize> = (1..16).map(|n| whole.len() * n / 16).collect();
    // The checksum at the end counts too.
    cuts.extend([2, whole.len() - 8, whole.len() - 1]);
    for cut in cuts {
        match try_extract(&whole[..cut], &Limits::default()) {
            Err(Error::DamagedArchive { archive, .. }) => assert!(archive.ends_with("a.tgz")),
            other => panic!("cut at {cut} of {}: {other:?}", whole.len()),
        }
    }
}

#[test]
fn a_tar_cut_before_it_was_compressed_is_damaged() {
    let whole = small_set().tar();
    // The last 512 bytes are the second half of the end-of-archive mark, which no reader needs.
    for cut in (0..whole.len() - 512).step_by(256) {
        let result = try_extract(&gzip(&whole[..cut]), &Limits::default());
        assert!(
            matches!(result, Err(Error::DamagedArchive { .. })),
            "cut at {cut} of {}: {result:?}",
            whole.len()
        );
    }
}

#[test]
fn a_flipped_byte_is_an_error_and_never_a_panic() {
    let whole = small_set().tgz();
    for position in (0..whole.len()).step_by(71) {
        let mut broken = whole.clone();
        broken[position] ^= 0x55;
        // The gzip header holds a date, a system and similar fields that no checksum protects.
        if position >= 10 {
            assert!(
                try_extract(&broken, &Limits::default()).is_err(),
                "{position}"
            );
        } else {
            let _ = try_extract(&broken, &Limits::default());
        }
    }
}

#[test]
fn a_header_with_a_flipped_byte_and_a_checksum_to_match_never_panics() {
    let whole = small_set().tar();
    // The second header, of labels.csv: name, mode, size, type and so on. Its checksum is the sum
    // of all bytes, with the checksum field taken as spaces, in octal.
    let checksum = 148..156;
    for position in (0..400).step_by(9).filter(|at| !checksum.contains(at)) {
        let mut tar = whole.clone();
        let header = &mut tar[512..1024];
        header[position] ^= 0x55;
        header[checksum.clone()].fill(b' ');
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[checksum.clone()].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let _ = try_extract(&gzip(&tar), &Limits::default());
    }
}

#[test]
fn what_is_no_archive_at_all_is_told_apart() {
    for (bytes, found) in [
        (&b""[..], "an empty file"),
        (b"<html>not found</html>", "[3c, 68]"),
        (b"\x1f", "[1f]"),
    ] {
        match try_extract(bytes, &Limits::default()) {
            Err(Error::NotAnArchive { found: it, .. }) => assert!(it.contains(found), "{it}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        try_extract(&Tar::default().folder("set/").tgz(), &Limits::default()),
        Err(Error::EmptyArchive { .. })
    ));
}

#[test]
fn an_existing_destination_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let archive = put(folder.path(), "a.tgz", &small_set().tgz());
    let dest = folder.path().join("set");
    fs::create_dir(&dest).unwrap();
    put(&dest, "mine", b"1");
    assert!(matches!(
        extract_tgz(&archive, &dest, &Limits::default()),
        Err(Error::AlreadyExists { .. })
    ));
    assert_eq!(tree(&dest), ["mine"]);
}

#[test]
fn what_a_killed_process_left_behind_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let archive = put(folder.path(), "a.tgz", &small_set().tgz());
    let data = folder.path().join("data");
    fs::create_dir_all(data.join(".set.unpacking-x1Y2z3/new/set/train")).unwrap();
    fs::create_dir_all(data.join(".set.more.unpacking-x1Y2z3")).unwrap();
    extract_tgz(&archive, &data.join("set"), &Limits::default()).unwrap();
    let left: Vec<_> = tree(&data)
        .into_iter()
        .filter(|name| !name.contains('/'))
        .collect();
    // The other folder belongs to another data set.
    assert_eq!(left, [".set.more.unpacking-x1Y2z3", "set"]);
}

#[test]
fn an_archive_in_several_gzip_parts_is_one() {
    let tar = small_set().tar();
    let (first, second) = tar.split_at(1000);
    let mut parts = gzip(first);
    parts.extend(gzip(second));
    assert_eq!(
        try_extract(&parts, &Limits::default()).unwrap(),
        try_extract(&small_set().tgz(), &Limits::default()).unwrap()
    );
}
