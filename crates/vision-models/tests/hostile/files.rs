//! Files made to do harm, and files that came to harm: always a typed error that names the file, soon.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use vision_models::Error;
use vision_models::weights::WeightsFile;
use zip::CompressionMethod;

use crate::support::{MEMORY, PATIENCE, archive, clock, control, fixture, peak_memory, read};

/// The error of a file, which must come without long work, within the memory limit, and name the file.
fn refused(path: &Path) -> Error {
    let start = clock();
    let error = match read(path) {
        Ok(_) => panic!("{} was read", path.display()),
        Err(error) => error,
    };
    let took = clock() - start;
    assert!(took < PATIENCE, "{took:?}: {error}");
    let peak = peak_memory().unwrap_or(0);
    assert!(peak < MEMORY, "{peak} bytes: {error}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.len() < 1000, "{text}");
    // Nothing of the file may command the terminal.
    assert!(!text.contains(control), "{text:?}");
    assert!(!text.contains("its reader failed"), "a panic: {text}");
    error
}

fn refused_bytes(bytes: &[u8]) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evil.pth");
    fs::write(&path, bytes).unwrap();
    refused(&path)
}

/// Asserts that the bytes are refused as damaged, for a reason that contains `why`.
fn assert_bad(bytes: &[u8], why: &str) {
    match refused_bytes(bytes) {
        Error::BadWeights { reason, .. } => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

// ---- pickles

fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![b'X'];
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}

fn int(value: i64) -> Vec<u8> {
    let mut bytes = vec![0x8a, 8];
    bytes.extend(value.to_le_bytes());
    bytes
}

fn tuple(values: &[i64]) -> Vec<u8> {
    let values = values.iter().flat_map(|&v| int(v));
    [b'('].into_iter().chain(values).chain([b't']).collect()
}

/// `torch._utils._rebuild_tensor_v2(storage "0" of `numel` floats, offset, shape, stride, False, ())`.
fn tensor(numel: i64, offset: i64, shape: &[i64], stride: &[i64]) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        int(numel),
        b"tQ".to_vec(),
        int(offset),
        tuple(shape),
        tuple(stride),
        b"\x89)tR".to_vec(),
    ]
    .concat()
}

/// A pickle of `{"w": value}`.
fn dict(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02}", &text("w")[..], value, b"s."].concat()
}

/// A file as `torch.save` packs it, with one storage.
fn zip(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    archive(
        CompressionMethod::Stored,
        &[("a/data.pkl", pickle), ("a/data/0", storage)],
    )
}

/// A file of the older format with the given main pickle and list of storages.
fn legacy(pickle: &[u8], rest: &[u8]) -> Vec<u8> {
    let system = [&b"\x80\x02}"[..], &text("little_endian"), b"\x88s."].concat();
    [
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.",
        &b"\x80\x02M\xe9\x03."[..],
        &system,
        pickle,
        rest,
    ]
    .concat()
}

#[test]
fn the_builder_of_these_tests_makes_files_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.pth");
    let storage: Vec<u8> = [1f32, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let pickle = dict(&tensor(4, 1, &[3], &[1]));
    fs::write(&path, zip(&pickle, &storage)).unwrap();
    assert_eq!(read(&path).unwrap(), [[2.0, 3.0, 4.0]]);

    let keys = [b"\x80\x02]", &text("0")[..], b"a."].concat();
    let rest = [&keys[..], &4u64.to_le_bytes(), &storage].concat();
    fs::write(&path, legacy(&pickle, &rest)).unwrap();
    assert_eq!(read(&path).unwrap(), [[2.0, 3.0, 4.0]]);
}

#[test]
fn a_pickle_that_calls_os_system_is_refused_and_nothing_is_executed() {
    for name in [
        "hostile_zip.pth",
        "hostile_legacy.pth",
        "hostile_protocol4.pth",
        "hostile_root.pth",
    ] {
        let error = refused(&fixture(name));
        assert!(
            matches!(&error, Error::UnsafeWeights { call, .. } if call == "posix.system"),
            "{error}"
        );
    }
    assert!(!Path::new("attacked").exists());
}

#[test]
fn other_ways_to_run_code_are_refused_by_name() {
    for (pickle, name) in [
        (&b"c__builtin__\neval\n"[..], "__builtin__.eval"),
        (b"csubprocess\nPopen\n", "subprocess.Popen"),
        (b"cos\r\nsystem\r\n", "os.system"),
        (b"crunpy\n_run_code\n", "runpy._run_code"),
        (b"\x8c\x08builtins\x94\x8c\x04exec\x94\x93", "builtins.exec"),
    ] {
        let call = [pickle, &text("touch attacked"), b"\x85R"].concat();
        let error = refused_bytes(&zip(&dict(&call), &[]));
        assert!(
            matches!(&error, Error::UnsafeWeights { call, .. } if call == name),
            "{error}"
        );
    }
    assert!(!Path::new("attacked").exists());
}

#[test]
fn a_call_of_something_unknown_yields_no_tensors() {
    let call = [b"\x80\x02cmine\nmake_tensors\n", &text("x")[..], b"\x85R."].concat();
    assert_bad(&zip(&call, &[]), "mine.make_tensors");
    // A tensor that is an argument of such a call is not what the call would have made.
    let call = [b"cmine\nwrap\n", &tensor(1, 0, &[1], &[1])[..], b"\x85R"].concat();
    assert_bad(&zip(&dict(&call), &[0; 4]), "mine.wrap");
}

#[test]
fn setting_items_of_something_that_has_none_is_refused() {
    // CVE-2026-24747: the target of SETITEM and SETITEMS is a tensor.
    let target = tensor(1, 0, &[1], &[1]);
    assert_bad(
        &zip(&dict(&[&target[..], b"K\x00K\x01s"].concat()), &[0; 4]),
        "sets items",
    );
    assert_bad(
        &zip(&dict(&[&target[..], b"(K\x00K\x01u"].concat()), &[0; 4]),
        "sets items",
    );
    assert_bad(&zip(&dict(b"](K\x00K\x01u"), &[]), "sets items");
}

#[test]
fn a_storage_shorter_than_its_pickle_declares_is_refused() {
    let pickle = dict(&tensor(100, 0, &[100], &[1]));
    assert_bad(&zip(&pickle, &[0; 396]), "100 elements");
    assert_bad(&zip(&pickle, &[]), "100 elements");
    assert_bad(
        &archive(CompressionMethod::Stored, &[("a/data.pkl", &pickle)]),
        "data/0",
    );
    let keys = [b"\x80\x02]", &text("0")[..], b"a."].concat();
    assert_bad(
        &legacy(
            &pickle,
            &[&keys[..], &100u64.to_le_bytes(), &[0; 396]].concat(),
        ),
        "end of the file",
    );
    assert_bad(
        &legacy(
            &pickle,
            &[&keys[..], &99u64.to_le_bytes(), &[0; 400]].concat(),
        ),
        "99 elements",
    );
}

#[test]
fn shapes_that_overflow_or_exceed_their_storage_are_refused() {
    let big = 1 << 40;
    for (shape, stride) in [
        (&[big, big][..], &[1, 1][..]),
        (&[2, 2], &[i64::MAX, i64::MAX]),
        (&[i64::MAX], &[1]),
        (&[-1], &[1]),
        (&[2], &[-1]),
        (&[2, 2], &[1]),
        (&[5], &[1]),
    ] {
        let error = refused_bytes(&zip(&dict(&tensor(4, 0, shape, stride)), &[0; 16]));
        assert!(matches!(error, Error::BadWeights { .. }), "{error}");
    }
    assert_bad(
        &zip(&dict(&tensor(4, i64::MAX, &[1], &[1])), &[0; 16]),
        "overflows",
    );
    assert_bad(
        &zip(&dict(&tensor(i64::MAX, 0, &[1], &[1])), &[0; 16]),
        "verflow",
    );
    assert_bad(
        &zip(&dict(&tensor(-4, 0, &[1], &[1])), &[0; 16]),
        "at least 0",
    );
}

#[test]
fn a_view_that_repeats_four_bytes_into_a_gigabyte_is_refused() {
    assert_bad(
        &zip(&dict(&tensor(1, 0, &[1 << 28], &[0])), &[0; 4]),
        "claims 1073741824 bytes",
    );
}

#[test]
fn a_memo_bomb_is_refused() {
    // Each list holds the one before twice: 2^40 items from 300 bytes.
    let mut bomb = b"(]q\x00".to_vec();
    for level in 1..40 {
        bomb.extend([b'(', b'h', level - 1, b'h', level - 1, b'l', b'q', level]);
    }
    bomb.push(b't');
    let start = clock();
    assert_bad(&zip(&dict(&bomb), &[]), "memo bomb");
    // Visits are counted against the number of values in the file, not only against a fixed limit.
    let took = clock().saturating_sub(start);
    assert!(took < Duration::from_millis(50), "{took:?}");
    // One long text, again and again: it is held once.
    let long = text(&"x".repeat(1 << 20));
    let bomb = [b"(", &long[..], b"q\x00", &b"h\x00".repeat(5000), b"l"].concat();
    assert_bad(&zip(&dict(&bomb), &[]), "no floating-point tensor");
    // One long list, the argument of many calls.
    let list = [&b"("[..], &b"K\x00".repeat(50_000), b"lq\x00"].concat();
    let call = b"cbuiltins\nset\nh\x00\x85R";
    let bomb = [b"(", &list[..], &call.repeat(50_000), b"l"].concat();
    assert_bad(&zip(&dict(&bomb), &[]), "1000000 operations");
}

#[test]
fn deep_nesting_is_refused() {
    let nested = [&[b']'][..], &[0x85; 100_000]].concat();
    assert_bad(&zip(&dict(&nested), &[]), "no floating-point tensor");
    assert_bad(
        &legacy(&dict(&nested), b"\x80\x02]."),
        "no floating-point tensor",
    );
}

#[test]
fn millions_of_operations_are_refused_before_they_take_memory() {
    let bomb = [&[b'('][..], &[b']'; 1_000_000], b"1N"].concat();
    assert_bad(&zip(&dict(&bomb), &[]), "1000000 operations");
    assert_bad(&legacy(&dict(&bomb), b"\x80\x02]."), "1000000 operations");
}

#[test]
fn texts_that_are_longer_than_the_file_are_refused() {
    assert_bad(&zip(b"\x80\x02X\xff\xff\xff\xff", &[]), "67108864 bytes");
    assert_bad(
        &zip(b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff", &[]),
        "67108864 bytes",
    );
    assert_bad(
        &zip(b"\x80\x02X\xff\xff\x00\x00xx", &[]),
        "middle of a pickle",
    );
    assert_bad(&legacy(&[b'I'; 100_000], &[]), "no end");
}

#[test]
fn bytes_that_are_no_pickle_are_refused() {
    assert_bad(&zip(b"", &[]), "middle of a pickle");
    assert_bad(&zip(b"\x80\x02\xff.", &[]), "0xff");
    assert_bad(&zip(b"\x80\x02.", &[]), "underflow");
    assert_bad(&zip(b"\x80\x02h\x07.", &[]), "memo 7");
    assert_bad(&zip(b"\x80\x02K\x01.", &[]), "no floating-point tensor");
    assert_bad(&zip(&dict(b"N"), &[]), "no floating-point tensor");
    let error = refused_bytes(b"\x80\x02cposix\nsystem\nX\x01\x00\x00\x00x\x85R.");
    assert!(
        matches!(&error, Error::NotWeights { reason, .. } if reason.contains("bare pickle")),
        "{error}"
    );
}

// ---- archives

#[test]
fn a_compressed_archive_is_read_within_limits() {
    let bomb = dict(&[&[b'('][..], &[b']'; 50_000_000], b"1N"].concat());
    let bytes = archive(CompressionMethod::Deflated, &[("a/data.pkl", &bomb)]);
    assert!(bytes.len() < 100_000);
    assert_bad(&bytes, "1000000 operations");
    let values = vec![0; 100 << 20];
    let pickle = dict(&tensor(25 << 20, 0, &[25 << 20], &[1]));
    let entries = [("a/data.pkl", &pickle[..]), ("a/data/0", &values)];
    assert_bad(&archive(CompressionMethod::Deflated, &entries), "unpacked");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed.pth");
    let storage: Vec<u8> = [1f32, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let pickle = dict(&tensor(4, 1, &[3], &[1]));
    let entries = [("a/data.pkl", &pickle[..]), ("a/data/0", &storage)];
    fs::write(&path, archive(CompressionMethod::Deflated, &entries)).unwrap();
    assert_eq!(read(&path).unwrap(), [[2.0, 3.0, 4.0]]);
}

#[test]
fn values_in_the_other_order_of_bytes_are_turned_around() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.pth");
    let storage: Vec<u8> = [1f32, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let pickle = dict(&tensor(4, 1, &[3], &[1]));
    let entries = [
        ("a/data.pkl", &pickle[..]),
        ("a/byteorder", b"big"),
        ("a/data/0", &storage),
    ];
    fs::write(&path, archive(CompressionMethod::Stored, &entries)).unwrap();
    assert_eq!(read(&path).unwrap(), [[2.0, 3.0, 4.0]]);
}

#[test]
fn entries_of_an_archive_that_share_bytes_are_refused() {
    let values = [0; 4000];
    let mut bytes = archive(
        CompressionMethod::Stored,
        &[
            ("a/data.pkl", &dict(&tensor(1000, 0, &[1000], &[1]))),
            ("a/data/0", &values),
            ("a/data/1", &values),
        ],
    );
    // The offset of the local header, in the last header of the central directory: the one before it.
    let first = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let headers: Vec<usize> = (first..bytes.len() - 4)
        .filter(|&at| &bytes[at..at + 4] == b"PK\x01\x02")
        .collect();
    let offset = bytes[headers[1] + 42..headers[1] + 46].to_vec();
    bytes[headers[2] + 42..headers[2] + 46].copy_from_slice(&offset);
    assert_bad(&bytes, "overlap");
}

#[test]
fn an_archive_of_a_hundred_thousand_entries_is_refused() {
    let names: Vec<String> = (0..100_001).map(|i| i.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
    assert_bad(
        &archive(CompressionMethod::Stored, &entries),
        "100001 entries",
    );
}

#[test]
fn an_archive_that_is_no_checkpoint_is_refused() {
    assert_bad(&archive(CompressionMethod::Stored, &[]), "data.pkl");
    assert_bad(
        &archive(CompressionMethod::Stored, &[("readme.txt", b"hello")]),
        "data.pkl",
    );
    let order = [
        ("a/data.pkl", &b"\x80\x02}."[..]),
        ("a/byteorder", b"middle"),
    ];
    assert_bad(&archive(CompressionMethod::Stored, &order), "byte order");
}

#[test]
fn an_entry_that_claims_more_than_the_file_is_refused() {
    let mut bytes = zip(&dict(&tensor(1, 0, &[1], &[1])), &[0; 4]);
    // Compressed and uncompressed size, in the last header of the central directory.
    let header = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    bytes[header + 20..header + 28]
        .copy_from_slice(&[0xf0, 0xff, 0xff, 0x7f, 0xf0, 0xff, 0xff, 0x7f]);
    assert!(matches!(refused_bytes(&bytes), Error::BadWeights { .. }));
}

#[test]
fn a_changed_value_is_found_by_its_checksum() {
    let mut bytes = fs::read(fixture("zip.pth")).unwrap();
    let file = WeightsFile::open(fixture("zip.pth")).unwrap();
    let value = file.read_f32("fc.bias").unwrap()[0].to_le_bytes();
    let at = bytes.windows(4).position(|w| w == value).unwrap();
    bytes[at] ^= 1;
    assert_bad(&bytes, "fc.bias");
}

#[test]
fn a_sparse_entry_of_a_tar_file_is_refused() {
    let mut header = tar::Header::new_gnu();
    header.set_path("sys_info").unwrap();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::GNUSparse);
    // The size that the entry has when its holes are filled: 7 TiB, in octal.
    header.as_mut_bytes()[483..494].copy_from_slice(b"77777777777");
    header.set_cksum();
    let bytes = [&header.as_bytes()[..], &[0; 1024]].concat();
    assert!(matches!(refused_bytes(&bytes), Error::BadWeights { .. }));
}

#[test]
fn a_file_cut_off_at_any_sixteenth_is_refused() {
    for name in [
        "zip.pth",
        "legacy.pth",
        "state_dict.pth",
        "state_dict_legacy.pth",
        "plain.safetensors",
        "types.safetensors",
    ] {
        let bytes = fs::read(fixture(name)).unwrap();
        for part in 0..16 {
            let error = refused_bytes(&bytes[..bytes.len() * part / 16]);
            assert!(
                matches!(error, Error::BadWeights { .. } | Error::NotWeights { .. }),
                "{name} {part}: {error:?}"
            );
        }
    }
}

#[test]
fn a_tar_file_cut_off_at_any_sixteenth_is_refused_or_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pth");
    let bytes = fs::read(fixture("tar.pth")).unwrap();
    let whole = read(&fixture("tar.pth")).unwrap();
    let end = bytes.iter().rposition(|&b| b != 0).unwrap();
    for part in 0..16 {
        let len = bytes.len() * part / 16;
        fs::write(&path, &bytes[..len]).unwrap();
        match read(&path) {
            // The format ends in empty blocks.
            Ok(values) => assert!(len > end && values == whole, "{part}"),
            Err(error) => assert!(
                matches!(error, Error::BadWeights { .. } | Error::NotWeights { .. }),
                "{error:?}"
            ),
        }
    }
}

#[test]
fn no_single_wrong_byte_makes_a_reader_panic_or_hang() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "shared.pth",
        "legacy.pth",
        "strided_legacy.pth",
        "types.safetensors",
    ] {
        let bytes = fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let mut put = |at: usize, byte: u8| {
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[byte]).unwrap();
        };
        for (at, &byte) in bytes.iter().enumerate() {
            put(at, !byte);
            let start = clock();
            if let Err(error) = read(&path) {
                let text = error.to_string();
                assert!(
                    text.contains(name) && !text.contains("its reader failed"),
                    "{at}: {text}"
                );
            }
            assert!(clock() - start < PATIENCE, "{name} {at}");
            put(at, byte);
        }
    }
}

// ---- safetensors

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn a_safetensors_header_that_lies_is_refused() {
    let w = |shape: &str, from: u64, to: u64| {
        format!(r#""{from}":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    for (what, header, data) in [
        (
            "overlap",
            format!("{{{},{}}}", w("[2]", 0, 8), w("[2]", 4, 12)),
            12,
        ),
        (
            "gap",
            format!("{{{},{}}}", w("[2]", 0, 8), w("[1]", 12, 16)),
            16,
        ),
        ("not from the start", format!("{{{}}}", w("[1]", 4, 8)), 8),
        ("past the end", format!("{{{}}}", w("[2]", 0, 8)), 4),
        ("bytes left over", format!("{{{}}}", w("[1]", 0, 4)), 8),
        ("end before start", format!("{{{}}}", w("[1]", 8, 4)), 8),
        (
            "another size than the shape",
            format!("{{{}}}", w("[3]", 0, 8)),
            8,
        ),
        (
            "a shape that overflows",
            format!("{{{}}}", w("[4294967296,4294967296,4]", 0, 8)),
            8,
        ),
        (
            "bytes that overflow",
            format!("{{{}}}", w("[9223372036854775807]", 0, 8)),
            8,
        ),
        (
            "offsets that overflow",
            format!("{{{}}}", w("[1]", 0, u64::MAX)),
            8,
        ),
        ("a negative size", format!("{{{}}}", w("[-1]", 0, 4)), 4),
        (
            "an unknown type",
            r#"{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#.into(),
            4,
        ),
        ("an unknown field", r#"{"w":[1,2,3]}"#.into(), 4),
        ("no JSON", "{nonsense".into(), 4),
        ("nothing at all", "{}".into(), 0),
        (
            "integers only",
            r#"{"w":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#.into(),
            8,
        ),
        ("depth", format!("{{\"w\":{}", "[".repeat(100_000)), 0),
        (
            "the same name twice",
            format!("{{{},{}}}", w("[1]", 0, 4), w("[2]", 0, 8)),
            12,
        ),
    ] {
        let error = refused_bytes(&safetensors(&header, data));
        assert!(
            matches!(error, Error::BadWeights { .. }),
            "{what}: {error:?}"
        );
    }
    assert!(matches!(
        refused_bytes(b"\x04\0\0\0\0\0\0\0{\xff\xfe}"),
        Error::BadWeights { .. }
    ));
}

#[test]
fn a_safetensors_header_of_impossible_length_is_refused() {
    for len in [u64::MAX, 1 << 63, 1 << 39, 100_000_000, 1000, 3] {
        let bytes = [&len.to_le_bytes()[..], b"{}"].concat();
        let error = refused_bytes(&bytes);
        assert!(
            matches!(error, Error::BadWeights { .. } | Error::NotWeights { .. }),
            "{error:?}"
        );
    }
    let long = format!("{{{}}}", " ".repeat(5 << 20));
    assert_bad(&safetensors(&long, 0), "over the limit");
}

// ---- several files with an index

/// The error of an index in a folder that has the shards `a.safetensors`, `b.pth` and `sub/a.safetensors`.
fn refused_index(json: &str) -> Error {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for (to, from) in [
        ("a.safetensors", "plain.safetensors"),
        ("sub/a.safetensors", "plain.safetensors"),
        ("b.pth", "zip.pth"),
    ] {
        fs::copy(fixture(from), folder.path().join(to)).unwrap();
    }
    let path = folder.path().join("model.safetensors.index.json");
    fs::write(&path, json).unwrap();
    refused(&path)
}

#[test]
fn an_index_that_points_outside_its_folder_is_refused_though_the_file_is_there() {
    let absolute = fixture("plain.safetensors").display().to_string();
    for shard in [
        absolute.as_str(),
        "../a.safetensors",
        "sub/a.safetensors",
        "sub/../a.safetensors",
        "./a.safetensors",
        "/etc/passwd",
        "..",
        ".",
        "",
        "sub\\a.safetensors",
        "c:a.safetensors",
        "a.safetensors\0",
    ] {
        let json = serde_json::json!({ "weight_map": { "fc.bias": shard } });
        let error = refused_index(&json.to_string());
        assert!(
            matches!(&error, Error::Shard { shard: named, reason, .. } if shard.starts_with(named.as_str()) && reason.contains("own folder")),
            "{shard:?}: {error:?}"
        );
    }
}

#[test]
fn an_index_that_lies_about_its_shards_is_refused_and_the_shard_is_named() {
    for (shard, tensor, why) in [
        ("c.safetensors", "fc.bias", "does not exist"),
        ("b.pth", "fc.bias", "not a safetensors file"),
        ("sub", "fc.bias", "it is a folder"),
        ("a.safetensors", "fc.other", "\"fc.other\""),
    ] {
        let json = serde_json::json!({ "weight_map": { tensor: shard } });
        let error = refused_index(&json.to_string());
        assert!(
            matches!(&error, Error::Shard { shard: named, reason, .. } if named == shard && reason.contains(why)),
            "{error:?}"
        );
    }
}

#[test]
fn an_index_that_is_damaged_empty_or_too_large_is_refused() {
    for (json, why) in [
        (
            r#"{"weight_map": {"fc.bias": "a.safe"#.to_owned(),
            "not an index",
        ),
        (
            r#"{"weight_map": ["a.safetensors"]}"#.to_owned(),
            "not an index",
        ),
        (
            r#"{"weight_map": {"fc.bias": 1}}"#.to_owned(),
            "not an index",
        ),
        (r#"{"architectures": ["ResNet"]}"#.to_owned(), "weight_map"),
        ("{".repeat(1000), "not an index"),
        (
            r#"{"weight_map": {}}"#.to_owned(),
            "no floating-point tensor",
        ),
        (
            format!("{{\"weight_map\": {{}}}}{}", " ".repeat(4 << 20)),
            "over the limit",
        ),
    ] {
        let error = refused_index(&json);
        assert!(
            matches!(&error, Error::NotWeights { reason, .. } | Error::BadWeights { reason, .. } if reason.contains(why)),
            "{error:?}"
        );
    }
    let shards: serde_json::Map<_, _> = (0..257)
        .map(|i| (format!("w{i}"), format!("{i}.safetensors").into()))
        .collect();
    let error = refused_index(&serde_json::json!({ "weight_map": shards }).to_string());
    assert!(
        matches!(&error, Error::BadWeights { reason, .. } if reason.contains("257 shards")),
        "{error:?}"
    );
}

#[test]
fn an_index_or_a_shard_cut_off_at_any_sixteenth_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    let shard = folder.path().join("a.safetensors");
    let json = br#"{"metadata": {"total_size": 4}, "weight_map": {"fc.bias": "a.safetensors"}}"#;
    let values = fs::read(fixture("plain.safetensors")).unwrap();
    for part in 0..16 {
        fs::write(&shard, &values).unwrap();
        fs::write(&index, &json[..json.len() * part / 16]).unwrap();
        let error = refused(&index);
        assert!(
            matches!(error, Error::NotWeights { .. }),
            "{part}: {error:?}"
        );

        fs::write(&index, json).unwrap();
        fs::write(&shard, &values[..values.len() * part / 16]).unwrap();
        let text = match read(&index) {
            Ok(_) => panic!("{part} was read"),
            Err(error) => error.to_string(),
        };
        assert!(text.contains("a.safetensors"), "{part}: {text}");
    }
}

// ---- what is no file of weights at all

#[test]
fn other_kinds_of_files_are_called_what_they_are() {
    for (bytes, what) in [
        (&b""[..], "empty"),
        (b"fc.weight 1 2 3\n", "text"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "git lfs pull",
        ),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image"),
        (b"\x01\x02\xff\xfe\0\0\0\0", "format is unknown"),
    ] {
        let error = refused_bytes(bytes);
        assert!(
            matches!(&error, Error::NotWeights { reason, .. } if reason.contains(what)),
            "{error}"
        );
    }
}

#[test]
fn a_folder_or_a_path_that_does_not_exist_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = refused(folder.path());
    assert!(
        matches!(&error, Error::NotWeights { reason, .. } if reason.contains("folder")),
        "{error}"
    );
    assert!(matches!(
        refused(&folder.path().join("none.pth")),
        Error::Io { .. }
    ));
}

#[cfg(unix)]
#[test]
fn a_device_or_a_pipe_without_a_writer_does_not_block() {
    assert!(matches!(
        refused(Path::new("/dev/zero")),
        Error::NotWeights { .. }
    ));
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.pth");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    assert!(matches!(refused(&pipe), Error::NotWeights { .. }));
}

#[test]
fn a_file_over_the_limit_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.pth");
    let file = fs::File::create(&path).unwrap();
    file.set_len((8 << 30) + 1).unwrap();
    assert!(matches!(refused(&path), Error::WeightsTooLarge { limit, .. } if limit == 8 << 30));
}
