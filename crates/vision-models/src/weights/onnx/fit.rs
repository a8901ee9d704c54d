//! Which tensor of a graph goes to which parameter, when their names do not say.
//!
//! Exporters rename what they fold or merge (`onnx::Conv_193`). What stays is the graph: a layer is found
//! by its kind, its shape and the layers that feed it, in the order of the graph where that is not enough.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::file::WeightsFile;
use super::super::report::Mismatch;
use super::layers::{Kind, Layer, layers};
use crate::export::structure;
use crate::layers::Sequential;
use crate::{Result, state};

/// Where a parameter's values come from.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// A tensor as it is.
    Tensor(String),
    /// A matrix the other way round.
    Flipped(String),
    /// A tensor with a number added.
    Plus(String, f32),
    /// One number everywhere.
    Constant(f32),
}

/// A way to fill a model from a graph.
#[derive(Debug, Default)]
pub(crate) struct Fit {
    sources: BTreeMap<String, Source>,
    /// Parameters that the graph has in another shape.
    pub(crate) mismatched: Vec<Mismatch>,
    /// Batch norms that an exporter has folded into the layer before them.
    pub(crate) folded: Vec<String>,
}

impl Fit {
    /// Finds the model's layers in the file's graph. None if the file has no graph, or a layer in it has a
    /// bias that the model has no place for.
    pub(crate) fn find(model: &Sequential, file: &WeightsFile) -> Option<Self> {
        let graph = file.graph()?;
        let shapes: BTreeMap<String, Vec<usize>> = state::entries(model)
            .into_iter()
            .map(|e| (e.name, e.shape))
            .collect();
        let ours = layers(&structure(model)?, |name| shapes.contains_key(name))?;
        let theirs = layers(&graph.nodes, |name| file.contains(name))?;

        let mut fit = Self::default();
        let mut used = vec![false; theirs.len()];
        // For each of our layers: the one of theirs whose output is the same.
        let mut same: Vec<Option<usize>> = Vec::with_capacity(ours.len());
        let mut homeless = HashSet::new();
        for layer in &ours {
            let upstream: Option<BTreeSet<usize>> = layer
                .upstream
                .iter()
                .map(|&k| same.get(k).copied()?)
                .collect();
            let Some(upstream) = upstream else {
                same.push(None);
                continue;
            };
            // A norm after a pool is none that was folded into the convolution before it.
            let alike = |c: &Layer| {
                c.kind == layer.kind
                    && c.upstream == upstream
                    && (c.kind != Kind::Norm || c.direct == layer.direct)
            };
            let free = |i: &usize| !used[*i] && alike(&theirs[*i]);
            let candidates: Vec<usize> = (0..theirs.len()).filter(free).collect();
            let shape = shapes.get(&layer.weight.name)?;
            let fits = |i: &usize| shape_of(file, &theirs[*i]).as_ref() == Some(shape);
            let other = candidates.first().filter(|_| layer.kind != Kind::Norm);
            let found = candidates.iter().find(|i| fits(i)).or(other).copied();
            if let Some(i) = found {
                used[i] = true;
                fit.take(layer, &theirs[i], file, &shapes);
                if theirs[i].bias.is_some() && layer.bias.is_none() {
                    homeless.insert(i);
                }
                same.push(Some(i));
                continue;
            }
            // A norm that is not there was folded into the one layer that feeds it.
            let feeds = upstream.first().copied().filter(|_| upstream.len() == 1);
            let own = layer.upstream.first().and_then(|&k| ours.get(k));
            match (layer.kind, feeds, own) {
                (Kind::Norm, Some(i), Some(own)) if own.kind != Kind::Norm => {
                    let bias = theirs[i].bias.clone().filter(|_| homeless.remove(&i));
                    if bias.is_some() || own.bias.is_some() {
                        fit.fold(layer, bias);
                        same.push(Some(i));
                    } else {
                        same.push(None);
                    }
                }
                _ => same.push(None),
            }
        }
        homeless.is_empty().then_some(fit)
    }

    /// How many parameters it can fill.
    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether it fills a parameter.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.sources.contains_key(name)
    }

    /// The file's tensors that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &str> {
        self.sources.values().filter_map(|source| match source {
            Source::Tensor(name) | Source::Flipped(name) | Source::Plus(name, _) => {
                Some(name.as_str())
            }
            Source::Constant(_) => None,
        })
    }

    /// The values of a parameter, if the graph has them.
    ///
    /// # Errors
    ///
    /// As [`WeightsFile::read_f32`].
    pub(crate) fn read(
        &self,
        name: &str,
        shape: &[usize],
        file: &WeightsFile,
    ) -> Result<Option<Vec<f32>>> {
        let Some(source) = self.sources.get(name) else {
            return Ok(None);
        };
        let values = match source {
            Source::Tensor(name) => file.read_f32(name)?,
            Source::Plus(name, more) => file.read_f32(name)?.iter().map(|v| v + more).collect(),
            Source::Constant(value) => vec![*value; shape.iter().product()],
            Source::Flipped(name) => {
                let values = file.read_f32(name)?;
                let rows = shape[0];
                let at = |row: usize| values.iter().skip(row).step_by(rows);
                (0..rows).flat_map(at).copied().collect()
            }
        };
        Ok(Some(values))
    }

    fn take(
        &mut self,
        ours: &Layer,
        theirs: &Layer,
        file: &WeightsFile,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) {
        let weight = theirs.weight.name.clone();
        let weight = if theirs.weight.flipped {
            Source::Flipped(weight)
        } else {
            Source::Tensor(weight)
        };
        let bias = theirs.bias.clone().map(Source::Tensor);
        let mut pairs = vec![(&ours.weight.name, weight)];
        if let Some(name) = &ours.bias {
            pairs.push((name, bias.unwrap_or(Source::Constant(0.0))));
        }
        if let (Some([mean, var]), Some([their_mean, their_var])) =
            (&ours.statistics, &theirs.statistics)
        {
            pairs.push((mean, Source::Tensor(their_mean.clone())));
            // Another epsilon: what is added under the square root stays the same.
            let more = theirs.epsilon - ours.epsilon;
            pairs.push((
                var,
                match more {
                    0.0 => Source::Tensor(their_var.clone()),
                    _ => Source::Plus(their_var.clone(), more),
                },
            ));
        }
        for (name, source) in pairs {
            let expected = shapes[name].clone();
            let found = match &source {
                Source::Tensor(n) | Source::Plus(n, _) => file.shape(n).map(<[usize]>::to_vec),
                Source::Flipped(_) => shape_of(file, theirs),
                Source::Constant(_) => Some(expected.clone()),
            };
            match found {
                Some(found) if found == expected => {
                    self.sources.insert(name.clone(), source);
                }
                Some(found) => self.mismatched.push(Mismatch {
                    name: name.clone(),
                    expected,
                    found,
                }),
                None => {}
            }
        }
    }

    /// A norm that adds `bias` and does nothing else: (x − 0) / √((1 − ε) + ε) · 1 + bias.
    fn fold(&mut self, norm: &Layer, bias: Option<String>) {
        let bias = bias.map_or(Source::Constant(0.0), Source::Tensor);
        self.sources
            .insert(norm.weight.name.clone(), Source::Constant(1.0));
        if let Some(name) = &norm.bias {
            self.sources.insert(name.clone(), bias);
        }
        if let Some([mean, var]) = &norm.statistics {
            self.sources.insert(mean.clone(), Source::Constant(0.0));
            self.sources
                .insert(var.clone(), Source::Constant(1.0 - norm.epsilon));
        }
        let module = norm
            .weight
            .name
            .rsplit_once('.')
            .map_or("", |(module, _)| module);
        self.folded.push(module.to_owned());
    }
}

/// The shape of a layer's weight as our layers have it.
fn shape_of(file: &WeightsFile, layer: &Layer) -> Option<Vec<usize>> {
    let mut shape = file.shape(&layer.weight.name)?.to_vec();
    if layer.weight.flipped {
        shape.reverse();
    }
    Some(shape)
}
