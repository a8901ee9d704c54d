//! The extreme values.

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const USIZE: [usize; 8] = [
    0,
    1,
    2,
    1 << 28,
    1 << 40,
    isize::MAX as usize,
    usize::MAX - 1,
    usize::MAX,
];

pub(crate) const U64: [u64; 8] = [
    0,
    1,
    2,
    1 << 28,
    1 << 40,
    i64::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

pub(crate) const U32: [u32; 7] = [0, 1, 2, 1 << 28, i32::MAX as u32, u32::MAX - 1, u32::MAX];

pub(crate) const ISIZE: [isize; 7] = [0, 1, -1, 1 << 40, -(1 << 40), isize::MIN, isize::MAX];

pub(crate) const F32: [f32; 14] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    1e-45,
    1e-30,
    1.0,
    -1.0,
    1e10,
    1e30,
    -1e30,
    f32::MAX,
    f32::MIN,
];

pub(crate) const F64: [f64; 15] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    5e-324,
    1e-45,
    1e-30,
    0.999_999_999_999,
    1.0,
    -1.0,
    1e30,
    -1e30,
    f64::MAX,
    f64::MIN,
];

pub(crate) const DURATIONS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_secs(u64::MAX),
    Duration::MAX,
];

/// Texts that are no names, or not the names that they look like.
pub(crate) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        ".",
        "..",
        "/",
        "//",
        "a/b",
        "../x",
        "\0",
        "a\0b",
        "-",
        "*",
        "\\",
        "\"",
        "'",
        "%s",
        "{}",
        "[",
        "(",
        "\u{1b}[31m\r\n\t",
        "e\u{301}",
        "\u{e9}",
        "\u{202e}abc",
        "\u{feff}",
        "\u{1f600}",
        "NaN",
        "con",
        "a:b",
        "<&>",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(100_000));
    texts.push("\u{4e2d}".repeat(5_000));
    texts
}

/// Lists of texts: none, one, equal ones, many, odd ones.
pub(crate) fn text_lists() -> Vec<Vec<String>> {
    let numbers = |n: usize| (0..n).map(|i| i.to_string()).collect();
    let mut lists = vec![
        Vec::new(),
        vec![String::new()],
        vec!["a".to_owned(), "a".to_owned()],
        vec!["e\u{301}".to_owned(), "\u{e9}".to_owned()],
        numbers(2),
        numbers(100_000),
    ];
    lists.push(texts());
    lists
}

/// Lists of numbers.
pub(crate) fn lists(values: &[f64]) -> Vec<Vec<f64>> {
    let mut lists = vec![Vec::new(), vec![0.5; 3], vec![0.1; 100_000]];
    lists.extend(values.iter().map(|value| vec![*value]));
    lists.extend(values.iter().map(|value| vec![*value, 0.5]));
    lists
}

/// Paths below `folder` that cannot be read as what they should be: missing, a folder, a device and others.
pub(crate) fn readable(folder: &Path) -> Vec<PathBuf> {
    let mut paths = named(folder);
    paths.extend(["/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem"].map(PathBuf::from));
    if cfg!(unix) {
        paths.push(folder.join("pipe"));
    }
    paths
}

/// Paths that stay inside of `folder` and of the current folder, for functions that write.
pub(crate) fn writable(folder: &Path) -> Vec<PathBuf> {
    let mut paths = named(folder);
    if cfg!(unix) {
        paths.push(folder.join("pipe"));
    }
    paths
}

fn named(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = [
        "missing",
        "missing/file",
        "folder",
        "file.txt",
        "file.txt/below",
        "loop",
        "image.png",
    ]
    .iter()
    .map(|name| folder.join(name))
    .collect();
    paths.extend(
        [
            "",
            ".",
            "..",
            "a\0b",
            "\u{1b}[31m\r\n",
            "e\u{301}/x",
            "\u{202e}",
        ]
        .map(PathBuf::from),
    );
    paths.push(folder.join("x".repeat(300)));
    paths.push(folder.join("x/".repeat(3000)));
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        paths.push(folder.join(std::ffi::OsStr::from_bytes(b"od\xffd")));
    }
    paths
}
