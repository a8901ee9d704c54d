//! Padding.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::kind::{Kind, order, rules};
use crate::transforms::padding::PaddingMode;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::Size;

/// Pads all four sides. If the image is also moved, the padded image is rounded to 8 bits first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// Pixels on each side.
    pub pixels: u32,
    /// How the added pixels are filled.
    pub mode: PaddingMode,
}

impl Kind for Pad {
    fn order(&self) -> i8 {
        order::PAD
    }

    fn padding(&self) -> u32 {
        self.pixels
    }

    fn check(&self) -> Result<(), &'static str> {
        // Guard against typos that would take terabytes.
        let most = Size::MAX_SIDE as u32;
        rules([(self.pixels <= most, "`pixels` up to 16384")])
    }

    fn draw(&self, _: &mut Rng) -> Arc<dyn Step> {
        Arc::new(*self)
    }
}

impl Step for Pad {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.window(|window| window.pad(self.pixels as usize, self.mode));
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("{} pixels on each side, {:?}", self.pixels, self.mode)
    }
}
