//! Matching the tensors of a graph with parameters when the names do not match.
//!
//! Exporters rename what they fold or merge (`onnx::Conv_193`), but the graph stays: a layer is
//! identified by its kind, its shape and the layers that feed it, and if that is not enough, by the
//! order of the graph.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::file::WeightsFile;
use super::super::report::Mismatch;
use super::layers::{Kind, Layer, layers};
use crate::export::structure;
use crate::layers::Sequential;
use crate::{Result, state};

/// The source of a parameter's values.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// A tensor, unchanged.
    Tensor(String),
    /// A transposed matrix.
    Flipped(String),
    /// A tensor plus a number.
    Plus(String, f32),
    /// The same number everywhere.
    Constant(f32),
}

/// A plan for filling a model from a graph.
#[derive(Debug, Default)]
pub(crate) struct Fit {
    sources: BTreeMap<String, Source>,
    /// Parameters that the graph has in another shape.
    pub(crate) mismatched: Vec<Mismatch>,
    /// Batch norms that an exporter has folded into the layer before them.
    pub(crate) folded: Vec<String>,
}

impl Fit {
    /// Finds the model's layers in the file's graph. None if the file has no graph, or if a layer
    /// in it has a bias that the model lacks.
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
        // For each of the model's layers, the file's layer with the same output.
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
            // A norm after a pool cannot have been folded into the convolution before the pool.
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
            // A missing norm was folded into the single layer that feeds it.
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

    /// The number of parameters that the plan fills.
    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether the plan fills a parameter.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.sources.contains_key(name)
    }

    /// The tensors of the file that the plan reads.
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
    /// Same as [`WeightsFile::read_f32`].
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
            // For a different epsilon, keep the sum under the square root.
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

    /// A norm that only adds `bias`: (x − 0) / √((1 − ε) + ε) · 1 + bias.
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

/// The shape of a layer's weight in our convention.
fn shape_of(file: &WeightsFile, layer: &Layer) -> Option<Vec<usize>> {
    let mut shape = file.shape(&layer.weight.name)?.to_vec();
    if layer.weight.flipped {
        shape.reverse();
    }
    Some(shape)
}
