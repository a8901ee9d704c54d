//! Checks of layers that work on the channels of each pixel or token.

use super::check::{Flow, MOST_CHANNELS, MOST_VALUES, number, takes, values, wrong};
use super::parameters::join;
use super::spec::{Mlp, PixelNorm, Pointwise};
use crate::Result;

pub(super) fn normalized_pixels(path: &str, norm: &PixelNorm, x: Flow) -> Result<Flow> {
    takes(path, norm.channels, x)?;
    if !(0.0..=1.0).contains(&norm.epsilon) {
        let reason = format!("has epsilon {:e}; expected 0 to 1", norm.epsilon);
        return Err(wrong(path, reason));
    }
    let channels = Some(norm.channels);
    Ok(Flow { channels, ..x })
}

fn mapped(path: &str, map: &Pointwise, x: Flow) -> Result<Flow> {
    takes(path, map.inputs, x)?;
    let channels = Some(map.outputs);
    values(path, Flow { channels, ..x })
}

pub(super) fn perceptron(path: &str, mlp: &Mlp, x: Flow) -> Result<Flow> {
    let x = mapped(&join(path, "fc1"), &mlp.fc1, x)?;
    mapped(&join(path, "fc2"), &mlp.fc2, x)
}

/// Checks an attention of all positions to all.
pub(super) fn attended(path: &str, heads: usize, maps: [&Pointwise; 2], x: Flow) -> Result<Flow> {
    let [qkv, proj] = maps;
    let y = mapped(&join(path, "qkv"), qkv, x)?;
    number(path, "a number of heads of", heads, 1, MOST_CHANNELS)?;
    if !qkv.outputs.is_multiple_of(3 * heads) {
        let reason = format!(
            "has {heads} heads and {} queries, keys and values together; expected a multiple of {}",
            qkv.outputs,
            3 * heads
        );
        return Err(wrong(path, reason));
    }
    if let Some([h, w]) = x.size {
        let tokens = h.saturating_mul(w);
        let pairs = tokens.saturating_mul(tokens).saturating_mul(heads);
        if pairs > MOST_VALUES {
            let reason = format!(
                "compares {tokens} tokens with each other in {heads} heads, more than {MOST_VALUES} values for an image"
            );
            return Err(wrong(path, reason));
        }
    }
    let channels = Some(qkv.outputs / 3);
    mapped(&join(path, "proj"), proj, Flow { channels, ..y })
}

/// Checks a stochastic depth.
pub(super) fn dropped(path: &str, p: Option<f64>) -> Result<()> {
    match p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
        None => Ok(()),
        Some(p) => {
            let reason =
                format!("has a stochastic depth of {p:e}; expected more than 0, at most 1");
            Err(wrong(path, reason))
        }
    }
}
