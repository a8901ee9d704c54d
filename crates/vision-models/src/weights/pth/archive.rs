//! The zip archives of `torch.save`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Mutex;

use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::pickle::{Id, Pickle};
use super::storages::{Place, Storages};
use crate::Result;
use crate::weights::contents::{bad, not_weights, read_error};

const MAX_ENTRIES: usize = 100_000;
/// The maximum unpacked size of all compressed entries together: this, or eight times the file if
/// that is larger. Weights hardly compress, so a much higher ratio indicates a zip bomb.
const MAX_UNPACKED: u64 = 64 << 20;

/// Reads the pickle of an archive, and locates its storages.
pub(super) fn open(
    pickle: &mut Pickle<'_>,
    path: &Path,
    file: BufReader<File>,
    len: u64,
) -> Result<(Id, Storages)> {
    let damaged = |error: ZipError| match error {
        ZipError::Io(error) => read_error(path, error),
        other => bad(
            path,
            format!("its zip archive is damaged or cut off: {other}"),
        ),
    };
    let copy = file
        .get_ref()
        .try_clone()
        .map_err(|e| read_error(path, e))?;
    // PyTorch's archives begin at the start of the file. If the reader searches for the start, it
    // takes the second header of the directory for the first if the name before it has a certain
    // length.
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let mut archive = ZipArchive::with_config(config, file).map_err(damaged)?;
    if archive.len() > MAX_ENTRIES {
        return Err(bad(
            path,
            format!("its archive has {} entries", archive.len()),
        ));
    }
    // Overlapping entries are how a small archive becomes a large one.
    if archive.has_overlapping_entries().map_err(damaged)? {
        return Err(bad(path, "entries of its archive overlap"));
    }
    let mut entries: HashMap<String, (usize, Place)> = HashMap::new();
    let mut unpacked = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.into_owned();
        let size = entry.size();
        let place = if entry.compression() == CompressionMethod::Stored {
            let start = entry.data_start().unwrap_or(u64::MAX);
            if entry.compressed_size() != size
                || start.checked_add(size).is_none_or(|end| end > len)
            {
                let reason = format!("entry {name:?} of its archive is larger than the file");
                return Err(bad(path, reason));
            }
            // torch.save can be configured to write no checksums.
            let crc = Some(entry.crc32()).filter(|&crc| crc != 0);
            Place::Bytes {
                start,
                len: size,
                crc,
            }
        } else {
            unpacked = unpacked.saturating_add(size);
            Place::Packed { index, len: size }
        };
        entries.insert(name, (index, place));
    }
    if unpacked > MAX_UNPACKED.max(len.saturating_mul(8)) {
        let reason = format!("its entries are compressed and would be {unpacked} bytes unpacked");
        return Err(bad(path, reason));
    }
    let names = || entries.keys().map(String::as_str);
    let roots = names().filter_map(|name| name.strip_suffix("data.pkl"));
    let roots = roots.filter(|root| root.is_empty() || root.ends_with('/'));
    let root = roots
        .min_by_key(|root| (root.len(), *root))
        .map(str::to_owned);
    if let Some(what) = describe(names(), root.as_deref()) {
        return Err(not_weights(path, what));
    }
    let Some(root) = root else {
        return Err(bad(
            path,
            "its zip archive has no data.pkl, so torch.save did not write it",
        ));
    };
    let big_endian = match entries.get(&format!("{root}byteorder")) {
        None => false,
        Some((index, _)) => {
            let mut text = String::new();
            let entry = archive.by_index(*index).map_err(damaged)?;
            let read = entry.take(16).read_to_string(&mut text);
            read.map_err(|e| read_error(path, e))?;
            match text.trim() {
                "little" => false,
                "big" => true,
                other => {
                    let reason = format!("its byte order is {other:?}, expected little or big");
                    return Err(bad(path, reason));
                }
            }
        }
    };
    let index = entries
        .get(&format!("{root}data.pkl"))
        .map_or(0, |(index, _)| *index);
    let crc = archive.by_index_raw(index).map_err(damaged)?.crc32();
    let options = ZipReadOptions::new().ignore_crc32(crc == 0);
    let entry = archive
        .by_index_with_options(index, options)
        .map_err(damaged)?;
    let value = pickle.read(&mut BufReader::new(entry))?;

    let folder = format!("{root}data/");
    let places = entries.into_iter().filter_map(|(name, (_, place))| {
        let key = name.strip_prefix(&folder)?;
        Some((key.into(), place))
    });
    let storages = Storages {
        file: Mutex::new(copy),
        places: places.collect(),
        archive: (unpacked > 0).then(|| Mutex::new(archive)),
        big_endian,
    };
    Ok((value, storages))
}

/// What the archive seems to be, if `torch.save` did not write it.
fn describe<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    root: Option<&str>,
) -> Option<&'static str> {
    let folder = root.unwrap_or_default();
    let inside = |what: &str| {
        let beside = |name: &str| {
            name.strip_prefix(folder)
                .is_some_and(|n| n.starts_with(what))
        };
        names.clone().any(beside)
    };
    let anywhere = |end: &str| names.clone().any(|name| name.ends_with(end));
    if root.is_some() && (inside("code/") || inside("constants.pkl")) {
        return Some(
            "it is a TorchScript archive (torch.jit.save); save its weights in Python: \
             torch.save(torch.jit.load(path).state_dict(), \"weights.pth\")",
        );
    }
    if anywhere("archive_format") || anywhere("serialized_exported_program.json") {
        return Some(
            "it is a program of torch.export (.pt2); save its weights in Python: \
             torch.save(torch.export.load(path).state_dict, \"weights.pth\")",
        );
    }
    if root.is_some() {
        return None;
    }
    if anywhere("model.weights.h5") {
        Some("it is a Keras model, whose weights have other names and layouts")
    } else if anywhere(".npy") {
        Some("it is a NumPy archive (.npz), not the weights of a PyTorch model")
    } else if anywhere("MAR-INF/MANIFEST.json") {
        Some("it is a TorchServe archive (.mar); take the .pth file out of it with unzip")
    } else {
        None
    }
}
