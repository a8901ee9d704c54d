//! Random damage to good files: whatever comes of it is read or refused, soon, without a panic.
//!
//! Each test runs for one second, or for `FUZZ_SECONDS`; `FUZZ_SEED` changes the damage. One line says how
//! much was done:
//!
//! ```text
//! FUZZ_SECONDS=600 cargo test -p vision-models --test hostile fuzz -- --nocapture
//! ```
//!
//! A finding is written to the temporary folder, and its path is in the message.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use vision_models::parity::uniform;
use zip::{CompressionMethod, ZipArchive};

use crate::support::{MEMORY, PATIENCE, archive, clock, control, fixture, peak_memory, read};

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

/// Damage that depends on a name and `FUZZ_SEED` alone.
struct Damage(Box<dyn Iterator<Item = f64>>);

impl Damage {
    fn new(name: &str) -> Self {
        Self(Box::new(uniform(name, setting("FUZZ_SEED", 0))))
    }

    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize {
        let unit = (self.0.next().unwrap() + 1.0) / 2.0;
        ((unit * n as f64) as usize).min(n - 1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A part of the bytes, mostly a short one.
    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let longest = if self.below(8) == 0 { len } else { 16 };
        let end = (start + self.below(longest + 1)).min(len);
        start..end
    }

    /// Does one to eight things to the bytes; `other` gives what is put in from elsewhere.
    fn apply(&mut self, bytes: &mut Vec<u8>, other: &[u8], words: &[&[u8]]) {
        const NUMBERS: [u64; 10] = [
            0,
            1,
            8,
            255,
            65535,
            1 << 20,
            1 << 31,
            u32::MAX as u64,
            1 << 63,
            u64::MAX,
        ];
        // Half of the time only one: what is damaged less gets further.
        let most = *self.pick(&[1, 8]);
        for _ in 0..=self.below(most) {
            let at = self.below(bytes.len() + 1);
            match self.below(8) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                2 => drop(bytes.drain(self.range(bytes.len()))),
                3 => {
                    let copy = bytes[self.range(bytes.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
                4 => {
                    let copy = other[self.range(other.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
                5 => {
                    let number = self.pick(&NUMBERS).to_le_bytes();
                    let number = &number[..*self.pick(&[1, 2, 4, 8])];
                    let end = (at + number.len()).min(bytes.len());
                    bytes[at..end].copy_from_slice(&number[..end - at]);
                }
                6 => {
                    let word = self.pick(words);
                    let end = if self.below(2) == 0 {
                        at
                    } else {
                        (at + word.len()).min(bytes.len())
                    };
                    bytes.splice(at..end, word.iter().copied());
                }
                _ if self.below(8) == 0 => bytes.truncate(at),
                _ => {}
            }
        }
    }
}

/// Damages files and reads them until the time is over. `make` gets the damage and one of the files, and
/// gives the files to write; the first of them is read.
fn fuzz(
    name: &str,
    seeds: &[Vec<u8>],
    mut make: impl FnMut(&mut Damage, &[u8]) -> Vec<(String, Vec<u8>)>,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut damage = Damage::new(name);
    let end = Instant::now() + Duration::from_secs(setting("FUZZ_SECONDS", 1));
    let (mut runs, mut accepted, mut slowest) = (0_u64, 0_u64, Duration::ZERO);
    let mut findings = Vec::new();
    while Instant::now() < end && findings.len() < 10 {
        let seed = damage.pick(seeds);
        let files = make(&mut damage, seed);
        for (file, bytes) in &files {
            fs::write(folder.path().join(file), bytes).unwrap();
        }
        let start = clock();
        let path = folder.path().join(&files[0].0);
        let result = catch_unwind(AssertUnwindSafe(|| read(&path)));
        let took = clock().saturating_sub(start);
        slowest = slowest.max(took);
        runs += 1;
        let finding = match result {
            Err(_) => Some("a panic".to_owned()),
            Ok(Ok(_)) => {
                accepted += 1;
                None
            }
            Ok(Err(error)) => {
                let text = error.to_string();
                let named = text.contains(&folder.path().display().to_string());
                let bad = text.contains("its reader failed") || text.contains(control);
                (!named || bad || text.len() > 2000).then(|| text.escape_debug().to_string())
            }
        };
        let finding = finding.or((took > PATIENCE).then(|| format!("took {took:?}")));
        if let Some(what) = finding {
            let kept = keep(name, runs, &files);
            findings.push(format!("{kept}: {what}"));
        }
    }
    let peak = peak_memory().unwrap_or(0);
    println!(
        "{name}: {runs} executions, {accepted} of them read, {} findings, slowest {slowest:?}, {} MiB at most",
        findings.len(),
        peak >> 20
    );
    assert!(findings.is_empty(), "{name}:\n{}", findings.join("\n"));
    assert!(peak < MEMORY, "{name}: {peak} bytes");
}

fn keep(name: &str, run: u64, files: &[(String, Vec<u8>)]) -> String {
    let folder = env::temp_dir().join(format!("vision-fuzz-{name}-{run}"));
    fs::create_dir_all(&folder).unwrap();
    for (file, bytes) in files {
        fs::write(folder.join(file), bytes).unwrap();
    }
    folder.display().to_string()
}

fn all(names: &[&str]) -> Vec<Vec<u8>> {
    names
        .iter()
        .map(|name| fs::read(fixture(name)).unwrap())
        .collect()
}

/// Damages one file as a whole.
fn fuzz_bytes(name: &str, seeds: &[Vec<u8>], words: &[&[u8]]) {
    let others = seeds.to_vec();
    fuzz(name, seeds, |damage, seed| {
        let mut bytes = seed.to_vec();
        let other = damage.pick(&others).clone();
        damage.apply(&mut bytes, &other, words);
        vec![("fuzzed".to_owned(), bytes)]
    });
}

/// Pieces of pickles: operations, names that readers know, numbers that do not fit.
const PICKLE: &[&[u8]] = &[
    b"(",
    b")",
    b"]",
    b"}",
    b"t",
    b"l",
    b"d",
    b"u",
    b"s",
    b"e",
    b"a",
    b"R",
    b"Q",
    b"b",
    b".",
    b"0",
    b"1",
    b"2",
    b"\x81",
    b"\x85",
    b"\x86",
    b"\x87",
    b"\x88",
    b"N",
    b"h\x00",
    b"q\x00",
    b"\x94",
    b"\x93",
    b"K\x01",
    b"M\xff\xff",
    b"J\xff\xff\xff\xff",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"X\xff\xff\xff\xff",
    b"U\xff",
    b"I-1\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch\nHalfStorage\n",
    b"ctorch\nDoubleStorage\n",
    b"ccollections\nOrderedDict\n",
    b"ccollections\ndefaultdict\n",
    b"cbuiltins\nset\n",
    b"ctorch._utils\n_rebuild_tensor_v3\n",
    b"ctorch._tensor\n_rebuild_from_type_v2\n",
    b"\x8f",
    b"\x90",
    b"\x91",
    b"\x92",
    b"X\x07\x00\x00\x00storage",
    b"X\x0a\x00\x00\x00state_dict",
    b"G\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\x05",
];

const ZIPS: &[&str] = &[
    "zip.pth",
    "protocol4.pth",
    "fastai.pth",
    "state_dict.pth",
    "shared.pth",
    "strided.pth",
    "f16.pth",
    "module_prefix.pth",
    "whole_model.pth",
    "forms/containers_2.pth",
    "forms/containers_5.pth",
    "forms/lightning_ema.ckpt",
    "forms/timm.pth.tar",
];

#[test]
fn damaged_zip_archives_are_read_or_refused() {
    fuzz_bytes(
        "zip",
        &all(ZIPS),
        &[
            b"PK\x01\x02",
            b"PK\x03\x04",
            b"PK\x05\x06",
            b"PK\x06\x06",
            b"PK\x06\x07",
            b"data.pkl",
            b"/",
            b"\x01\x00\x20\x00",
        ],
    );
}

#[test]
fn damaged_pickles_in_good_archives_are_read_or_refused() {
    let seeds: Vec<_> = all(ZIPS).into_iter().map(|bytes| entries(&bytes)).collect();
    let pickles: Vec<_> = seeds
        .iter()
        .map(|entries| pickle_of(entries).to_vec())
        .collect();
    let others = pickles.clone();
    fuzz("pickle", &pickles, |damage, seed| {
        let entries = seeds
            .iter()
            .find(|entries| pickle_of(entries) == seed)
            .unwrap();
        let mut pickle = seed.to_vec();
        let other = damage.pick(&others).clone();
        damage.apply(&mut pickle, &other, PICKLE);
        let entries: Vec<(&str, &[u8])> = entries
            .iter()
            .map(|(name, bytes)| {
                (
                    name.as_str(),
                    if name.ends_with("data.pkl") {
                        &pickle[..]
                    } else {
                        bytes
                    },
                )
            })
            .collect();
        vec![(
            "fuzzed".to_owned(),
            archive(CompressionMethod::Stored, &entries),
        )]
    });
}

/// The entries of an archive; the pickle is one of them.
fn entries(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.name().unwrap().to_string(), bytes)
        })
        .collect()
}

fn pickle_of(entries: &[(String, Vec<u8>)]) -> &[u8] {
    &entries
        .iter()
        .find(|(name, _)| name.ends_with("data.pkl"))
        .unwrap()
        .1
}

#[test]
fn damaged_files_of_the_older_formats_are_read_or_refused() {
    let names = [
        "legacy.pth",
        "state_dict_legacy.pth",
        "strided_legacy.pth",
        "tar.pth",
    ];
    fuzz_bytes("legacy", &all(&names), PICKLE);
}

#[test]
fn damaged_safetensors_are_read_or_refused() {
    let words: &[&[u8]] = &[
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b",",
        b":",
        b"0",
        b"-1",
        b"1e9",
        b"null",
        b"18446744073709551615",
        b"\"dtype\"",
        b"\"shape\"",
        b"\"data_offsets\"",
        b"\"F16\"",
        b"\"F64\"",
        b"\"BF16\"",
        b"\"I64\"",
        b"\"BOOL\"",
        b"\"__metadata__\"",
    ];
    let others = all(&["plain.safetensors", "types.safetensors"]);
    fuzz("safetensors", &others, |damage, seed| {
        let mut bytes = seed.to_vec();
        let other = damage.pick(&others).clone();
        if damage.below(4) == 0 {
            damage.apply(&mut bytes, &other, words);
        } else {
            // Only the header, with its length set right: what is damaged is the meaning.
            let len = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
            let values = bytes.split_off(8 + len);
            let mut header = bytes.split_off(8);
            damage.apply(&mut header, &other, words);
            bytes = [&(header.len() as u64).to_le_bytes()[..], &header, &values].concat();
        }
        vec![("fuzzed".to_owned(), bytes)]
    });
}

#[test]
fn damaged_indices_are_read_or_refused() {
    let words: &[&[u8]] = &[
        b"{",
        b"}",
        b"\"",
        b",",
        b":",
        b"null",
        b"\"weight_map\"",
        b"/",
        b"..",
        b"../",
        b"/etc/passwd",
        b"\\",
        b"\\u0000",
        b"a.safetensors",
        b"b.safetensors",
        b"fuzzed.safetensors.index.json",
    ];
    let index = br#"{"metadata": {"total_size": 128}, "weight_map": {
        "conv.weight": "a.safetensors", "fc.bias": "a.safetensors", "f16": "b.safetensors", "scalar": "b.safetensors"}}"#;
    let shards = all(&["plain.safetensors", "types.safetensors"]);
    fuzz("index", &[index.to_vec()], |damage, seed| {
        let (mut bytes, mut shards) = (seed.to_vec(), shards.clone());
        damage.apply(&mut bytes, index, words);
        if damage.below(4) == 0 {
            let which = damage.below(2);
            damage.apply(&mut shards[which], index, words);
        }
        let b = shards.pop().unwrap();
        let a = shards.pop().unwrap();
        let named = |name: &str, bytes| (name.to_owned(), bytes);
        vec![
            named("fuzzed.safetensors.index.json", bytes),
            named("a.safetensors", a),
            named("b.safetensors", b),
        ]
    });
}

/// The system refuses the name too, but its error would repeat all of it.
#[test]
fn an_index_with_an_endless_name_of_a_shard_gets_a_short_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors.index.json");
    let name = "\u{7f}".repeat(100_000);
    fs::write(&path, format!(r#"{{"weight_map":{{"w":"{name}"}}}}"#)).unwrap();
    let text = read(&path).unwrap_err().to_string();
    assert!(text.len() < 2000, "{}", text.len());
}

#[test]
fn the_damage_is_the_same_each_time() {
    let once = || {
        let mut bytes = fs::read(Path::new(&fixture("zip.pth"))).unwrap();
        let mut damage = Damage::new("x");
        for _ in 0..100 {
            damage.apply(&mut bytes, b"other", PICKLE);
        }
        bytes
    };
    assert!(once() == once());
}
