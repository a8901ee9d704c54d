//! The entries of a `.tgz`, one after the other.

use std::io::Read;
use std::path::Path;

use crate::archive::limits::{Limits, limit};
use crate::archive::meter::{Meter, open};
use crate::archive::names::{self, Kind, Names};
use crate::error::{Error, Result};

/// A file or folder of an archive.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) contents: &'a mut dyn Read,
    pub(crate) meter: &'a Meter,
}

/// Hands each file and folder of an archive to `each`, within limits and if its name is harmless.
pub(crate) fn walk(
    archive: &Path,
    limits: &Limits,
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<Names> {
    let (reader, meter) = open(archive, limits)?;
    let mut tar = tar::Archive::new(reader);
    let mut names = Names::default();
    let mut total = 0_u64;
    let mut files = 0_u64;
    let mut count = 0_u64;

    let mut entries = tar.entries().map_err(|error| meter.error(&error))?;
    loop {
        meter.expect_headers();
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|error| meter.error(&error))?;
        count += 1;
        limit(archive, "the number of entries", limits.max_entries, count)?;

        let (name, kind) = names::inspect(&mut entry).map_err(|refusal| match refusal {
            names::Refusal::Unsafe { entry, reason } => Error::UnsafeEntry {
                archive: archive.to_owned(),
                entry,
                reason,
            },
            names::Refusal::Unreadable(error) => meter.error(&error),
        })?;
        let Some(name) = name else { continue };
        names
            .claim(&name, kind)
            .map_err(|reason| Error::UnsafeEntry {
                archive: archive.to_owned(),
                entry: name.clone(),
                reason,
            })?;
        let size = entry.size();
        if kind == Kind::File {
            limit(archive, "the size of one file", limits.max_entry, size)?;
            total = total.saturating_add(size);
            limit(archive, "the size of all files", limits.max_total, total)?;
            files += 1;
            meter.expect_contents();
        }
        each(Entry {
            name: &name,
            kind,
            size,
            contents: &mut entry,
            meter: &meter,
        })?;
    }
    meter.expect_headers();
    meter.finish(&mut tar.into_inner())?;
    if files == 0 {
        return Err(Error::EmptyArchive {
            archive: archive.to_owned(),
        });
    }
    Ok(names)
}
