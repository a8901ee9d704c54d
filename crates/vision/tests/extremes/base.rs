//! Messages, paths and atomic files.

use std::hint::black_box;
use std::path::Path;

use vision::base::message::{hex, joined, listed, named, printable, quoted, shown, spelled};
use vision::base::paths::{continue_file, open_file, parent_of, sibling, sync_folder};
use vision::base::{atomic, csv, message, shorten};

use crate::support::Folder;
use crate::table::Table;
use crate::values::{F32, U64, readable, text_lists, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let safe = |text: String| assert!(text.chars().all(message::is_printable), "{text:?}");
    t.line("shown", "", texts(), |text| safe(shown(text)));
    t.line("hex", "", [0, 1, 100_000], |n| {
        black_box(hex(&vec![255; n]));
    });
    t.line("quoted", "", texts(), |text| safe(quoted(&text)));
    t.line("named", "", texts(), |text| safe(named(&text)));
    t.line("spelled", "", texts(), |text| {
        let ascii = |c: char| c.is_ascii() || c == '…';
        assert!(spelled(&text).chars().all(ascii), "{text:?}");
    });
    t.line("field", "", texts(), |text| {
        let field = csv::field(&text);
        assert!(!field.starts_with(['=', '+', '@']), "{field:?}");
    });
    t.line("middle", "", texts(), |text| {
        for room in F32 {
            let one = |_| 1.0;
            black_box((
                shorten::end(&text, room, one),
                shorten::start(&text, room, one),
                shorten::middle(&text, room, one),
                shorten::apart([(&*text, room), ("b", room)], one),
            ));
        }
    });
    for function in ["end", "start", "middle", "apart"] {
        t.line(function, "", F32, |advance| {
            let advance = |_| advance;
            black_box((
                shorten::end("text", 3.0, advance),
                shorten::start("text", 3.0, advance),
                shorten::middle("text", 3.0, advance),
                shorten::apart([("text", 3.0), ("test", 3.0)], advance),
            ));
        });
    }
    t.line("temporary", "", texts(), |text| {
        atomic::temporary(folder.path(), &text).map(drop).is_ok()
    });
    t.paths("clear_stale", readable(folder.path()), |path| {
        atomic::clear_stale(path, ".nothing-");
    });
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
    t.paths("continue_file", writable(folder.path()), |path| {
        continue_file(path, 0)
    });
    t.line("continue_file", "continue", U64, |n| {
        continue_file(&folder.path().join("file.txt"), n)
    });
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
