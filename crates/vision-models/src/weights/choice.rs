//! Finding a model's weights in a file.
//!
//! A file is a list of named tensors. The names begin with whatever the writing program put around
//! the model: keys of dicts, attributes, wrappers (`state_dict.model._orig_mod.conv1.weight`). All
//! of that is one prefix. It is found by matching the model's names, in each known naming scheme,
//! with the ends of the file's names.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::contents::Stored;
use super::joined::{Joined, joined};
use super::names::Form;
use super::source::WeightsSource;
use crate::{Error, Result};

/// The names and shapes of a model, in its own naming scheme and those of other programs.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) names: Vec<String>,
    pub(super) shapes: Vec<Vec<usize>>,
    /// The first is the model's own.
    pub(super) forms: Vec<Form>,
}

impl Wanted {
    /// A model with these parameters and buffers. Also recognizes other names of torchvision's
    /// models: those of its hosted DenseNets, and timm's.
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Self {
        let (names, shapes): (Vec<String>, Vec<Vec<usize>>) = entries
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), shape.to_vec()))
            .unzip();
        let forms = Form::of_torchvision(&names);
        Self {
            names,
            shapes,
            forms,
        }
    }

    /// The model's names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Also recognizes names by the positions of the direct children, as in fastai and
    /// `nn.Sequential(*children)`: `4.0.conv1.weight` is `layer1.0.conv1.weight` if the child at
    /// position 4 is `layer1`.
    pub fn with_children(mut self, children: &[&str]) -> Self {
        self.forms.push(Form::by_position(&self.names, children));
        self
    }

    /// Also recognizes a classifier whose body is child `0` and uses timm's names, as in fastai 2
    /// (`0.model.conv1.weight`), if `children` are the body's children in torchvision.
    pub fn with_body(mut self, children: &[&str]) -> Self {
        self.forms.push(Form::fastai_of_timm(&self.names, children));
        self
    }
}

/// A set of weights in a file.
#[derive(Clone)]
struct Set {
    prefix: String,
    form: usize,
    /// How many of the model's names it has, and how many of those have the model's shape.
    names: usize,
    shapes: usize,
}

/// The tensors under the model's names, with notes on how they were found.
pub(super) struct Chosen {
    pub(super) tensors: BTreeMap<String, Stored>,
    pub(super) notes: Vec<String>,
}

/// Looks for a model's weights among a file's tensors. None if the file has none of the model's
/// names.
pub(super) fn choose(
    source: &WeightsSource,
    tensors: &BTreeMap<String, Stored>,
    wanted: &Wanted,
) -> Result<Option<Chosen>> {
    let joined = joined(tensors, &wanted.names);
    let tensors = &*joined.tensors;
    let mut sets = sets(tensors, wanted);
    let known = |sets: &[Set]| {
        let mut known: Vec<String> = sets.iter().map(|set| set.prefix.clone()).collect();
        known.dedup();
        known
    };
    let none = |option: &'static str, given: &str, found: Vec<String>| Error::NoSuchSet {
        path: source.path.clone(),
        option,
        given: given.to_owned(),
        found,
    };
    let moved = sets.iter().any(|set| set.prefix.starts_with(MOVED));
    let is_average = |prefix: &str| {
        is_averaged(prefix) || is_teacher(prefix) || moved && prefix.starts_with("state_dict.")
    };
    // What is not taken unless it is asked for.
    let is_aside = |prefix: &str| is_averaged(prefix) || prefix.starts_with(MOVED);
    // Some names may also match inside an optimizer or a part of the model.
    let most = sets.first().map_or(0, |set| set.names);
    let plausible = |set: &Set| 2 * set.names > most;
    if let Some(key) = &source.key {
        let all = known(&sets);
        let key = key.trim_end_matches('.');
        sets.retain(|set| has_key(&set.prefix, key));
        if sets.is_empty() {
            return Err(none("key", key, all));
        }
    }
    if let Some(prefix) = &source.prefix {
        let all = known(&sets);
        let prefix = prefix.trim_end_matches('.');
        // Compare the whole prefix first, then the prefix without its key.
        let is_it = |set: &Set| set.prefix.trim_end_matches('.') == prefix;
        let whole = sets.iter().any(is_it);
        sets.retain(|set| is_it(set) || !whole && is_behind_key(&set.prefix, prefix));
        if sets.is_empty() {
            return Err(none("prefix", prefix, all));
        }
    }
    if source.averaged {
        let all = known(&sets);
        sets.retain(|set| plausible(set) && is_average(&set.prefix));
        if sets.is_empty() {
            return Err(none("averaged", "", all));
        }
    }
    let Some(best) = sets.first().cloned() else {
        return Ok(None);
    };
    let equal = |set: &&Set| (set.names, set.shapes) == (best.names, best.shapes);
    let equals: Vec<&Set> = sets.iter().filter(equal).collect();
    let free = source.prefix.is_none() && !source.averaged;
    let is_plain = |set: &&&Set| !free || !is_aside(&set.prefix);
    // Prefer the model's own names without a prefix, or the plain set over an averaged one.
    let bare = equals.iter().find(|set| set.prefix.is_empty());
    let plain: Vec<&&Set> = equals.iter().filter(is_plain).collect();
    let (chosen, others): (&Set, &[&&Set]) = match (bare, &plain[..]) {
        (Some(bare), _) => (bare, &[]),
        (None, [first, others @ ..]) => (first, others),
        (None, []) => (&best, &[]),
    };
    let distinct = others.iter().filter(|set| set.prefix != chosen.prefix);
    let distinct: Vec<&&&Set> = distinct
        .filter(|set| !same(tensors, wanted, chosen, set))
        .collect();
    if !distinct.is_empty() && 2 * chosen.names > wanted.names.len() {
        let prefixes = [chosen]
            .into_iter()
            .chain(distinct.into_iter().map(|set| **set));
        return Err(Error::SeveralSets {
            path: source.path.clone(),
            prefixes: prefixes.map(|set| set.prefix.clone()).collect(),
        });
    }
    let aside = sets.iter().filter(|set| {
        free && is_aside(&set.prefix) && plausible(set) && set.prefix != chosen.prefix
    });
    let aside: Vec<&str> = aside.map(|set| set.prefix.as_str()).collect();
    Ok(Some(take(&joined, wanted, chosen, &aside)))
}

/// All prefixes of the model's names, the most complete and best fitting first.
fn sets(tensors: &BTreeMap<String, Stored>, wanted: &Wanted) -> Vec<Set> {
    let forms: Vec<HashMap<&str, usize>> = wanted
        .forms
        .iter()
        .map(|form| {
            let names = form.names.iter().enumerate();
            names.map(|(i, name)| (name.as_str(), i)).collect()
        })
        .collect();
    let mut found: HashMap<(&str, usize), (usize, usize)> = HashMap::new();
    for (name, tensor) in tensors.iter().filter(|(_, t)| t.dtype.is_float()) {
        let starts = name.match_indices('.').map(|(at, _)| at + 1);
        for start in std::iter::once(0).chain(starts) {
            let (prefix, rest) = name.split_at(start);
            for (form, names) in forms.iter().enumerate() {
                let Some(&i) = names.get(rest) else { continue };
                let count = found.entry((prefix, form)).or_default();
                count.0 += 1;
                count.1 += usize::from(wanted.forms[form].fits(&tensor.shape, &wanted.shapes[i]));
            }
        }
    }
    let found = found
        .into_iter()
        .filter(|((prefix, _), _)| !is_optimizer(prefix));
    let mut sets: Vec<Set> = found
        .map(|((prefix, form), (names, shapes))| Set {
            prefix: prefix.to_owned(),
            form,
            names,
            shapes,
        })
        .collect();
    sets.sort_by(|a, b| {
        let key = |set: &Set| (set.names, set.shapes);
        let order = (key(b), a.form, &a.prefix);
        order.cmp(&(key(a), b.form, &b.prefix))
    });
    // A naming scheme only counts if it finds more than the earlier ones.
    let mut seen = HashSet::new();
    sets.retain(|set| seen.insert(set.prefix.clone()));
    sets
}

/// The tensors under a prefix, under the model's names.
fn take(joined: &Joined<'_>, wanted: &Wanted, set: &Set, aside: &[&str]) -> Chosen {
    let tensors = &*joined.tensors;
    let form = &wanted.forms[set.form];
    let mut chosen = BTreeMap::new();
    let mut taken = HashSet::new();
    for ((ours, shape), theirs) in wanted.names.iter().zip(&wanted.shapes).zip(&form.names) {
        let name = format!("{}{theirs}", set.prefix);
        if let Some(tensor) = tensors.get(&name) {
            let mut tensor = tensor.clone();
            if form.fits(&tensor.shape, shape) {
                tensor.shape.clone_from(shape);
            }
            chosen.insert(ours.clone(), tensor);
            taken.extend(joined.parts.get(&name).into_iter().flatten().cloned());
            taken.insert(name);
        }
    }
    // What was made of others is not in the file.
    taken.extend(joined.parts.keys().cloned());
    let mut outside = 0;
    for (name, tensor) in tensors.iter().filter(|(name, _)| !taken.contains(*name)) {
        match name.strip_prefix(&set.prefix) {
            Some(rest) if !is_optimizer(name) => {
                chosen
                    .entry(rest.to_owned())
                    .or_insert_with(|| tensor.clone());
            }
            _ => outside += 1,
        }
    }
    let mut notes = Vec::new();
    if !set.prefix.is_empty() {
        notes.push(format!("found under the prefix {:?}", set.prefix));
    }
    notes.extend(form.note.map(str::to_owned));
    for prefix in aside {
        let (kind, call) = match prefix.starts_with(MOVED) {
            true => ("the plain", "key(\"current_model_state\")"),
            false => ("an averaged", "averaged()"),
        };
        notes.push(format!(
            "{kind} set of the same weights is under the prefix {prefix:?}: WeightsSource::new(path).{call} takes it"
        ));
    }
    if outside > 0 {
        notes.push(format!(
            "{outside} other tensors of the file are outside it"
        ));
    }
    Chosen {
        tensors: chosen,
        notes,
    }
}

/// Whether two sets are the same tensors under different names.
fn same(tensors: &BTreeMap<String, Stored>, wanted: &Wanted, one: &Set, other: &Set) -> bool {
    let get = |set: &Set, i: usize| {
        let name = format!("{}{}", set.prefix, wanted.forms[set.form].names[i]);
        tensors.get(&name).map(|tensor| tensor.place.clone())
    };
    (0..wanted.names.len()).all(|i| match (get(one, i), get(other, i)) {
        (None, None) => true,
        (Some(Some(a)), Some(Some(b))) => a == b,
        _ => false,
    })
}

/// Whether a prefix begins with a key or a path of keys.
fn has_key(prefix: &str, key: &str) -> bool {
    key.is_empty()
        || prefix
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// Whether a prefix is a key followed by the given one.
fn is_behind_key(prefix: &str, given: &str) -> bool {
    let key = prefix.trim_end_matches('.').strip_suffix(given);
    key.is_some_and(|key| key.ends_with('.'))
}

/// Optimizer state is not a set of weights, but Adam's moments have the names of the parameters.
fn is_optimizer(prefix: &str) -> bool {
    prefix.split('.').any(|part| part.starts_with("optim"))
}

/// Lightning's `WeightAveraging` saves the averaged weights as `state_dict`, which is what its
/// `load_from_checkpoint` reads, and the plain ones under this key.
const MOVED: &str = "current_model_state.";

/// Whether a prefix has one of these words, between dots and underscores.
fn has_word(prefix: &str, words: &[&str]) -> bool {
    prefix.split(['.', '_']).any(|word| words.contains(&word))
}

/// Whether a prefix indicates weights averaged over training.
fn is_averaged(prefix: &str) -> bool {
    // The last two are of MoCo and BYOL, in which the average follows with a momentum.
    const WORDS: [&str; 7] = [
        "ema", "swa", "averaged", "average", "avg", "momentum", "target",
    ];
    has_word(prefix, &WORDS) || prefix.split('.').any(|part| part == "encoder_k")
}

/// Also an average, but in DINO the one that users want, so neither is chosen silently.
fn is_teacher(prefix: &str) -> bool {
    has_word(prefix, &["teacher"])
}
