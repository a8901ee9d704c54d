//! A resize and center crop.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::crop::{Part, Rect};
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::kind::{Kind, order, rules};
use crate::transforms::resizing::Resizing;
use crate::transforms::size::Size;

/// Resizes the shorter side to the size of the data plus `extra` pixels and cuts out the center, like
/// torchvision's `Resize` and `CenterCrop`. The counterpart for validation of
/// [`RandomResizedCrop`](crate::builtin::RandomResizedCrop). Needs a size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeCenterCrop {
    /// Extra pixels; 32 in fastai's `presize`.
    pub extra: u32,
}

impl Kind for ResizeCenterCrop {
    fn order(&self) -> i8 {
        order::PART
    }

    fn needs_size(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), &'static str> {
        let most = Size::MAX_SIDE as u32;
        rules([(self.extra <= most, "`extra` up to 16384")])
    }

    fn draw(&self, _: &mut Rng) -> Arc<dyn Step> {
        Arc::new(*self)
    }
}

impl Step for ResizeCenterCrop {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.resize_part(|source, target| self.part(source, target));
        Ok(())
    }

    fn words(&self, source: (usize, usize), resizing: &Resizing) -> String {
        let part = self.part(source, resizing.target(source));
        part.words()
    }
}

impl ResizeCenterCrop {
    /// The crop of an image of height and width `source`, resized to `target`.
    pub(crate) fn part(&self, source: (usize, usize), target: (usize, usize)) -> Part {
        let size = enlarged(source, target, self.extra as usize);
        let middle =
            |have: usize, want: usize| ((have - want) as f64 / 2.0).round_ties_even() as usize;
        Part {
            source: Rect::whole(source),
            size,
            window: Rect {
                top: middle(size.0, target.0),
                left: middle(size.1, target.1),
                ..Rect::whole(target)
            },
        }
    }
}

/// torchvision's `Resize`. For a square target, the shorter side becomes that of `target` plus `extra`
/// pixels, and the longer side keeps the aspect ratio, truncated to whole pixels. For a target that is not
/// square, the image is squished.
fn enlarged(
    (height, width): (usize, usize),
    target: (usize, usize),
    extra: usize,
) -> (usize, usize) {
    let (rows, cols) = (target.0 + extra, target.1 + extra);
    if rows != cols {
        (rows, cols)
    } else if width <= height {
        (rows * height / width, cols)
    } else {
        (rows, cols * width / height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_very_long_image_is_not_resized_as_a_whole() {
        let part = ResizeCenterCrop { extra: 32 }.part((2, 20_000), (224, 224));
        assert_eq!(part.size, (256, 2_560_000));
        assert_eq!((part.window.height, part.window.width), (224, 224));
        assert_eq!(part.window.left, (2_560_000 - 224) / 2);
    }
}
