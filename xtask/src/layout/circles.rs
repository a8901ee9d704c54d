//! Circles of files that need each other, so that none can be understood, moved or tested without
//! the others.
//!
//! A file needs another if it names it by a path from `crate` or `super`, or through a re-export in
//! the crate's root. Tests do not count, and neither do a folder's own references to its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::Result;
use crate::layout::{entries, stem};

/// Largest allowed circle: two files may be two halves of one thing.
const MOST: usize = 2;

/// The path of a module or item, as names from the crate's root.
type Names = Vec<String>;

/// The circles of a package that are too large.
pub(super) fn faults(package: &Path) -> Result<Vec<String>> {
    let mut sources = BTreeMap::new();
    read(&package.join("src"), &[], &mut sources)?;
    let large = circles(&sources)?.into_iter().filter(|c| c.len() > MOST);
    let fault = |circle: Vec<Names>| {
        let files: Vec<String> = circle.iter().map(|names| names.join("::")).collect();
        format!(
            "{} files of {} need each other: {}",
            files.len(),
            stem(package),
            files.join(", ")
        )
    };
    Ok(large.map(fault).collect())
}

/// Reads the files of a folder, keyed by module path.
fn read(folder: &Path, module: &[String], sources: &mut BTreeMap<Names, String>) -> Result<()> {
    let (files, folders) = entries(folder)?;
    let child = |path: &Path| [module, &[stem(path)]].concat();
    for file in files {
        let is_owner = ["lib", "main", "mod"].contains(&stem(&file).as_str());
        let names = if is_owner {
            module.to_vec()
        } else {
            child(&file)
        };
        sources.insert(names, fs::read_to_string(&file)?);
    }
    for inner in folders {
        read(&inner, &child(&inner), sources)?;
    }
    Ok(())
}

/// Groups of files that reach each other.
fn circles(sources: &BTreeMap<Names, String>) -> Result<Vec<Vec<Names>>> {
    let mut needs: BTreeMap<&Names, BTreeSet<&Names>> = BTreeMap::new();
    let root = sources.get(&Names::new()).map_or("", String::as_str);
    let exports = exports(root)?;
    for (file, text) in sources {
        let mut paths = Vec::new();
        walk(tokens(text)?, file, &mut paths);
        let files = paths.iter().filter_map(|path| {
            let path = match path.first().and_then(|name| exports.get(name)) {
                Some(export) if !sources.contains_key(&path[..1]) => export,
                _ => path,
            };
            (1..=path.len())
                .rev()
                .find_map(|len| Some(sources.get_key_value(&path[..len])?.0))
        });
        needs.insert(file, files.filter(|other| *other != file).collect());
    }
    let reach: BTreeMap<&Names, BTreeSet<&Names>> = needs
        .keys()
        .map(|file| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![*file]);
            while let Some(file) = next.pop() {
                next.extend(needs[file].iter().filter(|other| seen.insert(**other)));
            }
            (*file, seen)
        })
        .collect();
    let mut circles: Vec<Vec<Names>> = Vec::new();
    for (file, others) in &reach {
        let members = others.iter().filter(|other| reach[**other].contains(file));
        let circle: Vec<Names> = members.map(|&other| other.clone()).collect();
        if !circle.is_empty() && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    Ok(circles)
}

fn tokens(text: &str) -> Result<Vec<TokenTree>> {
    let tokens: TokenStream = text.parse().map_err(|e| format!("{e}"))?;
    Ok(tokens.into_iter().collect())
}

/// The re-exports in the crate's root: name and path.
fn exports(root: &str) -> Result<BTreeMap<String, Names>> {
    let tokens = tokens(root)?;
    let mut paths = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if is_ident(Some(token), "use") {
            tree(&tokens[i + 1..], Names::new(), &mut paths);
        }
    }
    let named = paths.into_iter().filter_map(|path| {
        let name = path.last()?.clone();
        (path.len() > 1).then_some((name, path))
    });
    Ok(named.collect())
}

/// Collects the paths from `crate` and `super` in the code of a module.
fn walk(tokens: Vec<TokenTree>, module: &[String], paths: &mut Vec<Names>) {
    let mut i = 0;
    while i < tokens.len() {
        let (here, after) = (&tokens[i], &tokens[i + 1..]);
        match here {
            TokenTree::Punct(p) if p.as_char() == '#' && is_test(after.first()) => {
                // Skip the item: to the end of its body, or of its line.
                let end = tokens[i + 2..].iter().position(|token| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    TokenTree::Punct(p) => p.as_char() == ';',
                    _ => false,
                });
                i = end.map_or(tokens.len(), |end| i + 2 + end);
            }
            TokenTree::Ident(ident) if ident == "mod" => {
                if let [TokenTree::Ident(name), TokenTree::Group(body), ..] = after {
                    let inner = [module, &[name.to_string()]].concat();
                    walk(body.stream().into_iter().collect(), &inner, paths);
                    i += 2;
                }
            }
            TokenTree::Ident(_) if !is_path(&tokens[..i]) => {
                let from = match module {
                    _ if is_ident(Some(here), "crate") => Some(&[][..]),
                    [parent @ .., _] if is_ident(Some(here), "super") => Some(parent),
                    _ => None,
                };
                if let (Some(from), Some(after)) = (from, separated(after)) {
                    tree(after, from.to_vec(), paths);
                }
            }
            TokenTree::Group(group) => {
                walk(group.stream().into_iter().collect(), module, paths);
            }
            _ => {}
        }
        i += 1;
    }
}

/// Collects the paths of a tree such as `a::{b, c::d}`, starting at `names`.
fn tree(tokens: &[TokenTree], mut names: Names, paths: &mut Vec<Names>) {
    match tokens.first() {
        Some(TokenTree::Ident(ident)) => {
            match ident.to_string().as_str() {
                "super" => drop(names.pop()),
                "self" | "crate" => {}
                name => names.push(name.to_owned()),
            }
            match separated(&tokens[1..]) {
                Some(after) => tree(after, names, paths),
                None => paths.push(names),
            }
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            let comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
            for branch in inner.split(comma) {
                tree(branch, names.clone(), paths);
            }
        }
        // A glob, or the arguments of a type.
        Some(TokenTree::Punct(_)) => paths.push(names),
        _ => {}
    }
}

/// The tokens after `::`, if they start with it.
fn separated(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [TokenTree::Punct(a), TokenTree::Punct(b), after @ ..]
            if (a.as_char(), b.as_char()) == (':', ':') =>
        {
            Some(after)
        }
        _ => None,
    }
}

/// Whether the tokens end in `::`, so that what follows belongs to a path that has begun.
fn is_path(before: &[TokenTree]) -> bool {
    before.len() >= 2 && separated(&before[before.len() - 2..]).is_some()
}

fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

/// Whether this is the `[cfg(test)]` of an attribute.
fn is_test(token: Option<&TokenTree>) -> bool {
    let text = token.map(TokenTree::to_string).unwrap_or_default();
    text.replace(' ', "") == "[cfg(test)]"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let names = |module: &str| match module {
            "" => Names::new(),
            module => module.split("::").map(str::to_owned).collect(),
        };
        let sources = files.iter().map(|(m, text)| (names(m), (*text).to_owned()));
        let circles = circles(&sources.collect()).unwrap();
        let line = |c: &Vec<Names>| c.iter().map(|n| n.join("::")).collect::<Vec<_>>().join(" ");
        circles.iter().map(line).collect()
    }

    #[test]
    fn files_that_lead_to_each_other_are_a_circle_and_others_are_not() {
        let files = [
            ("a", "use crate::{b::B, e};"),
            ("b", "fn f() -> super::c::C { todo!() }"),
            ("c", "use crate::a::{self, A};"),
            ("d", "use crate::a::A; // nobody uses d"),
            ("e", "pub struct E;"),
        ];
        assert_eq!(found(&files), ["a b c"]);
    }

    #[test]
    fn paths_are_followed_through_what_the_root_exports() {
        let root = ("", "mod error; pub use error::{Error, Result}; mod a;");
        let error = ("error", "pub struct Error(crate::a::A);");
        let a = ("a", "use crate::Result;");
        assert_eq!(found(&[root, error, a]), ["a error"]);
        assert!(found(&[root, error, ("a", "pub struct A;")]).is_empty());
    }

    #[test]
    fn tests_comments_and_inner_modules_make_no_circle() {
        let b = ("b", "use crate::a::A;");
        for harmless in [
            "#[cfg(test)] mod tests { use crate::b::B; }",
            "#[cfg(test)] use crate::b::B;",
            "/// As [`B`](crate::b::B).\nstruct A; // crate::b",
            "const S: &str = \"crate::b::B\";",
            "mod inner { use super::b; }",
        ] {
            assert!(found(&[("a", harmless), b]).is_empty(), "{harmless}");
        }
        let after = "#[cfg(test)] mod tests {} use super::b::B;";
        assert_eq!(found(&[("a", after), b]), ["a b"]);
    }

    #[test]
    fn a_folder_and_its_files_are_files_of_their_own() {
        let files = [
            ("a", "use crate::a::x::X;"),
            ("a::x", "use super::A;"),
            ("a::y", "use super::super::b::B;"),
            ("b", "use crate::a::y;"),
        ];
        assert_eq!(found(&files), ["a a::x", "a::y b"]);
    }
}
