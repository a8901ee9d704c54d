//! The formats before PyTorch 1.6: consecutive pickles and values, bare or in a TAR archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::pickle::{Id, Node, Outside, Pickle, Storage};
use super::storages::{Place, Storages};
use super::view::{Element, View};
use crate::weights::contents::{bad, read_error};
use crate::{Error, Result};

/// The protocol version of every such file.
const PROTOCOL: i64 = 1001;

/// Layout: magic number, protocol, system, the object itself, the list of storages; then for each
/// storage the number of its elements, and the elements.
pub(super) fn legacy(
    pickle: &mut Pickle<'_>,
    path: &Path,
    mut file: BufReader<File>,
    len: u64,
) -> Result<(Id, Storages)> {
    pickle.read(&mut file)?;
    let protocol = pickle.read(&mut file)?;
    if !matches!(pickle.node(protocol), Node::Int(PROTOCOL)) {
        return Err(bad(path, format!("its protocol is not {PROTOCOL}")));
    }
    pickle.read(&mut file)?;
    let root = pickle.read(&mut file)?;
    let keys = pickle.read(&mut file)?;
    let keys: Option<Vec<String>> = pickle
        .list(keys)
        .iter()
        .map(|&id| pickle.name(id))
        .collect();
    let keys =
        keys.ok_or_else(|| bad(path, "its list of storages has something without a name"))?;

    let mut places = HashMap::new();
    for key in keys {
        let key: Arc<str> = key.into();
        let found = number(pickle, &mut file)?;
        let Some(storage) = pickle.storages.get(&key) else {
            return Err(bad(
                path,
                format!("its list of storages has the unknown {key:?}"),
            ));
        };
        let size = storage.element.as_ref().map_or(1, |e| e.size as u64);
        if storage.len != found {
            let reason = format!(
                "storage {key:?} has {found} elements, its pickle declares {}",
                storage.len
            );
            return Err(bad(path, reason));
        }
        let start = position(path, &mut file)?;
        let bytes = storage.len * size;
        if start.checked_add(bytes).is_none_or(|end| end > len) {
            return Err(bad(
                path,
                format!("storage {key:?} goes beyond the end of the file"),
            ));
        }
        file.seek(SeekFrom::Start(start + bytes))
            .map_err(|e| read_error(path, e))?;
        places.insert(
            key,
            Place::Bytes {
                start,
                len: bytes,
                crc: None,
            },
        );
    }
    Ok((root, storages(file, places)))
}

/// Entries: `storages` has a count; for each storage a pickle of key, device and type, the number
/// of elements and the elements; then a pickle of the storages that are parts of others. `tensors`
/// has a count; for each tensor a pickle of key, storage and type, its rank, sizes, strides and
/// offset. `pickle` is the object.
pub(super) fn tar(
    pickle: &mut Pickle<'_>,
    path: &Path,
    file: BufReader<File>,
    len: u64,
) -> Result<(Id, Storages)> {
    let mut archive = tar::Archive::new(file);
    let mut entries = HashMap::new();
    for entry in archive
        .entries_with_seek()
        .map_err(|e| read_error(path, e))?
    {
        let entry = entry.map_err(|e| read_error(path, e))?;
        let name = entry.path().map_err(|e| read_error(path, e))?;
        let name = name.to_string_lossy().trim_start_matches("./").to_owned();
        let (start, size) = (entry.raw_file_position(), entry.size());
        // A sparse entry has a size but not all of its bytes.
        if start.checked_add(size).is_none_or(|end| end > len) {
            return Err(bad(path, format!("entry {name:?} is larger than the file")));
        }
        entries.insert(name, (start, size));
    }
    let mut file = archive.into_inner();
    let enter = |file: &mut BufReader<File>, name: &str| {
        let found = entries.get(name).copied();
        let (start, size) = found.ok_or_else(|| bad(path, format!("it has no entry {name:?}")))?;
        file.seek(SeekFrom::Start(start))
            .map_err(|e| read_error(path, e))?;
        Ok::<u64, Error>(start + size)
    };

    let end = enter(&mut file, "storages")?;
    let mut places = HashMap::new();
    let mut known: HashMap<String, Storage> = HashMap::new();
    for _ in 0..count(pickle, &mut file)? {
        let [key, _, class] = fields(pickle, &mut file)?;
        let element = pickle
            .class(class)
            .and_then(|c| Element::of_storage(c.rsplit('.').next()?));
        let element = element.ok_or_else(|| bad(path, "it has a storage of an unknown type"))?;
        let key = name(pickle, key)?;
        let elements = number(pickle, &mut file)?;
        let start = position(path, &mut file)?;
        let bytes = elements.saturating_mul(element.size as u64);
        if start.checked_add(bytes).is_none_or(|to| to > end) {
            return Err(bad(path, format!("storage {key:?} ends too early")));
        }
        file.seek(SeekFrom::Start(start + bytes))
            .map_err(|e| read_error(path, e))?;
        let storage = Storage {
            key: key.as_str().into(),
            element: Some(element),
            len: elements,
            start: 0,
        };
        places.insert(
            storage.key.clone(),
            Place::Bytes {
                start,
                len: bytes,
                crc: None,
            },
        );
        known.insert(key, storage);
    }
    let parts = pickle.read(&mut file)?;
    for part in pickle.list(parts).to_vec() {
        let &[key, whole, start, elements] = pickle.list(part) else {
            return Err(bad(path, "it has a part of a storage without a length"));
        };
        let (key, whole) = (name(pickle, key)?, name(pickle, whole)?);
        let start = pickle.number(start, "the start of a part of a storage")?;
        let elements = pickle.number(elements, "the length of a part of a storage")?;
        let whole = known
            .get(&whole)
            .filter(|w| start.checked_add(elements).is_some_and(|end| end <= w.len));
        let mut part = whole
            .ok_or_else(|| bad(path, "a part of a storage has no whole"))?
            .clone();
        part.start += start;
        part.len = elements;
        known.insert(key, part);
    }

    enter(&mut file, "tensors")?;
    let mut tensors = HashMap::new();
    for _ in 0..count(pickle, &mut file)? {
        let [key, storage, _] = fields(pickle, &mut file)?;
        let (key, storage) = (name(pickle, key)?, name(pickle, storage)?);
        let rank = number(pickle, &mut file)? & 0xffff_ffff;
        if rank > 64 {
            return Err(bad(path, format!("tensor {key:?} has {rank} dimensions")));
        }
        let mut numbers = Vec::new();
        for _ in 0..2 * rank + 1 {
            let number = usize::try_from(number(pickle, &mut file)?);
            numbers.push(number.unwrap_or(usize::MAX));
        }
        let offset = numbers.pop().unwrap_or(0) as u64;
        let stride = numbers.split_off(rank as usize);
        let storage = known.get(&storage);
        let storage = storage.ok_or_else(|| bad(path, format!("tensor {key:?} has no storage")))?;
        let view = View::new(storage, None, offset, numbers, stride);
        tensors.insert(key, view.map_err(|reason| bad(path, reason))?);
    }

    enter(&mut file, "pickle")?;
    pickle.outside = Outside::Tensors(tensors);
    let root = pickle.read(&mut file)?;
    Ok((root, storages(file, places)))
}

fn storages(file: BufReader<File>, places: HashMap<Arc<str>, Place>) -> Storages {
    Storages {
        file: Mutex::new(file.into_inner()),
        places,
        archive: None,
        big_endian: false,
    }
}

fn position(path: &Path, file: &mut BufReader<File>) -> Result<u64> {
    file.stream_position().map_err(|e| read_error(path, e))
}

fn number(pickle: &Pickle<'_>, file: &mut impl Read) -> Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).map_err(|e| pickle.io(e))?;
    Ok(u64::from_le_bytes(bytes))
}

fn count(pickle: &mut Pickle<'_>, file: &mut impl BufRead) -> Result<u64> {
    let count = pickle.read(file)?;
    pickle.number(count, "a count")
}

/// The elements of a 3-tuple.
fn fields(pickle: &mut Pickle<'_>, file: &mut impl BufRead) -> Result<[Id; 3]> {
    let tuple = pickle.read(file)?;
    let fields = pickle.list(tuple).try_into();
    fields.map_err(|_| pickle.bad("an entry of a table has not three fields"))
}

fn name(pickle: &Pickle<'_>, id: Id) -> Result<String> {
    pickle
        .name(id)
        .ok_or_else(|| pickle.bad("an entry of a table has no name"))
}
