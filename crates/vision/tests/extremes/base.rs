//! Messages, paths and atomic files.

use std::hint::black_box;
use std::path::Path;

use vision::base::message::{joined, listed, named, printable, quoted, shown};
use vision::base::paths::{open_file, parent_of, sibling, sync_folder};
use vision::base::{atomic, message};

use crate::support::Folder;
use crate::table::Table;
use crate::values::{readable, text_lists, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let safe = |text: String| assert!(text.chars().all(message::is_printable), "{text:?}");
    t.line("shown", "", texts(), |text| safe(shown(text)));
    t.line("quoted", "", texts(), |text| safe(quoted(&text)));
    t.line("named", "", texts(), |text| safe(named(&text)));
    t.line("printable", "", texts(), |text| safe(printable(&text)));
    t.line("listed", "", text_lists(), |names| {
        safe(listed(names.iter()))
    });
    t.line("joined", "", text_lists(), |names| {
        joined(names.into_iter());
    });
    t.line("sibling", "", texts(), |text| {
        sibling(Path::new(&text), &text);
    });
    t.line("parent_of", "", texts(), |text| {
        black_box(parent_of(Path::new(&text)));
    });
    t.paths("open_file", readable(folder.path()), open_file);
    t.paths("sync_folder", readable(folder.path()), sync_folder);
    t.paths("write", writable(folder.path()), |path| {
        atomic::write(path, b"x")
    });
    t.paths("write_with", writable(folder.path()), |path| {
        atomic::write_with(path, |_| Ok(()))
    });
    assert_eq!(
        std::fs::read(folder.path().join("folder/inside")).unwrap(),
        b"text"
    );
}
