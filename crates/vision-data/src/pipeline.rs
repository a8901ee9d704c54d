//! From a decoded image to the pixels of a batch: resizing, transforms, cropping, in one pass.

use crate::geometry::Map;
use crate::image::Image;
use crate::lighting::Lighting;
use crate::padding::PaddingMode;
use crate::resize::{ResizeMethod, Size, crop_pad};
use crate::rng::Rng;
use crate::sample::{Grid, Source, sample};
use crate::transforms::{Bounds, Transform};

/// The pixels of one item in planes of red, green and blue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pixels {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) planes: Planes,
}

/// Bytes for as long as nothing but moving pixels was asked for: a quarter of the memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Planes {
    /// 0 to 255.
    Bytes(Vec<u8>),
    /// 0 to 1.
    Floats(Vec<f32>),
}

/// What is done to each item of a data set.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    size: Option<Size>,
    method: ResizeMethod,
    /// In the order in which they are applied.
    transforms: Vec<Transform>,
}

/// What was drawn for one item.
struct Draw {
    /// In coordinates of the grid.
    warp: Map,
    /// To be scaled for the aspect ratio of the grid.
    affine: Map,
    lighting: Option<Lighting>,
    flip: bool,
    /// Row and column of the crop as parts of what there is to spare.
    crop: (f64, f64),
}

impl Pipeline {
    pub(crate) fn new(
        size: Option<Size>,
        method: Option<ResizeMethod>,
        transforms: &[Transform],
    ) -> Self {
        let mut transforms = transforms.to_vec();
        transforms.sort_by_key(Transform::order);
        Self {
            size,
            method: method.unwrap_or(size.map_or(ResizeMethod::Crop, Size::default_method)),
            transforms,
        }
    }

    /// The pixels of `image`, with what `rng` draws.
    pub(crate) fn apply(&self, image: &Image, rng: &mut Rng) -> Pixels {
        let draw = self.draw(rng);
        let source = (image.height() as usize, image.width() as usize);
        let wanted = self.size.map(Size::height_width);
        let grid = wanted.map_or(source, |wanted| self.method.resized(source, wanted));
        let (height, width) = wanted.unwrap_or(grid);
        let places = |have, want, part| {
            let places = crop_pad(have, want, part, PaddingMode::Reflection);
            places.into_iter().flatten().collect::<Vec<_>>()
        };
        let rows = places(grid.0, height, draw.crop.0);
        let mut cols = places(grid.1, width, draw.crop.1);
        if draw.flip {
            // The whole grid is mirrored before anything is cut from it.
            for col in &mut cols {
                *col = grid.1 - 1 - *col;
            }
        }
        let affine = draw.affine.for_aspect(grid.0 as f64, grid.1 as f64);
        let map = affine.after(&draw.warp);
        let planes = if grid == source && map == Map::IDENTITY {
            let bytes = take(image, &rows, &cols);
            match draw.lighting {
                None => Planes::Bytes(bytes),
                Some(lighting) => {
                    let table = lighting.table();
                    Planes::Floats(bytes.iter().map(|&b| table[usize::from(b)]).collect())
                }
            }
        } else {
            let source = Source {
                pixels: image.pixels(),
                height: source.0,
                width: source.1,
            };
            let grid = Grid {
                height: grid.0,
                width: grid.1,
                rows: &rows,
                cols: &cols,
                map,
                padding: PaddingMode::Reflection,
            };
            let mut floats = sample(source, &grid);
            if let Some(lighting) = draw.lighting {
                lighting.apply(&mut floats);
            }
            Planes::Floats(floats)
        };
        Pixels {
            height,
            width,
            planes,
        }
    }

    fn draw(&self, rng: &mut Rng) -> Draw {
        let mut draw = Draw {
            warp: Map::IDENTITY,
            affine: Map::IDENTITY,
            lighting: None,
            flip: false,
            crop: (0.5, 0.5),
        };
        for transform in &self.transforms {
            draw.add(transform, rng);
        }
        draw
    }
}

impl Draw {
    fn add(&mut self, transform: &Transform, rng: &mut Rng) {
        let happens = |p: f64, rng: &mut Rng| rng.uniform() < p;
        let within = |bounds: &Bounds, rng: &mut Rng| rng.between(bounds[0], bounds[1]);
        match transform {
            Transform::CropPad { row, col } => self.crop = (within(row, rng), within(col, rng)),
            Transform::FlipLr { p } => self.flip ^= happens(*p, rng),
            Transform::Dihedral { p } if happens(*p, rng) => {
                self.affine = self.affine.after(&Map::dihedral(rng.below(8)));
            }
            Transform::SymmetricWarp { magnitude, p } if happens(*p, rng) => {
                let magnitudes = [0; 4].map(|_| within(magnitude, rng));
                self.warp = Map::symmetric_warp(magnitudes).after(&self.warp);
            }
            Transform::Rotate { degrees, p } if happens(*p, rng) => {
                self.affine = self.affine.after(&Map::rotate(within(degrees, rng)));
            }
            Transform::Zoom { scale, row, col, p } if happens(*p, rng) => {
                let scale = within(scale, rng);
                let zoom = Map::zoom(scale, within(row, rng), within(col, rng));
                self.affine = self.affine.after(&zoom);
            }
            Transform::Brightness { change, p } if happens(*p, rng) => {
                let change = within(change, rng);
                let lighting = self.lighting.get_or_insert_default();
                lighting.offset += (change / (1.0 - change)).ln();
            }
            Transform::Contrast { scale, p } if happens(*p, rng) => {
                let scale = within(&scale.map(f64::ln), rng).exp();
                let lighting = self.lighting.get_or_insert_default();
                lighting.factor *= scale;
                lighting.offset *= scale;
            }
            // It did not happen.
            _ => {}
        }
    }
}

/// Rows and columns of an image as planes.
fn take(image: &Image, rows: &[usize], cols: &[usize]) -> Vec<u8> {
    let line = 3 * image.width() as usize;
    let mut planes = Vec::with_capacity(3 * rows.len() * cols.len());
    for channel in 0..3 {
        for row in rows {
            let pixels = &image.pixels()[row * line..(row + 1) * line];
            planes.extend(cols.iter().map(|col| pixels[3 * col + channel]));
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::rng::Purpose;

    fn apply(image: &Image, transforms: &[Transform]) -> Vec<f32> {
        let mut rng = Rng::keyed(Purpose::Augment, 0, 0, 0);
        match Pipeline::new(None, None, transforms)
            .apply(image, &mut rng)
            .planes
        {
            Planes::Bytes(bytes) => bytes.iter().map(|&b| f32::from(b) / 255.0).collect(),
            Planes::Floats(floats) => floats,
        }
    }

    fn grey(value: u8) -> Image {
        Image::from_rgb8(1, 1, vec![value; 3]).unwrap()
    }

    /// A 5 by 5 image that is black but for one white pixel.
    fn dot(row: usize, col: usize) -> Image {
        let mut pixels = vec![0; 75];
        pixels[3 * (5 * row + col)..][..3].fill(255);
        Image::from_rgb8(5, 5, pixels).unwrap()
    }

    /// Where the white pixel is in the result, given that it is in one place.
    fn place(planes: &[f32]) -> Option<(usize, usize)> {
        let at = planes[..25].iter().position(|v| (v - 1.0).abs() < 1e-5)?;
        let rest: f32 = planes[..25].iter().sum::<f32>() - 1.0;
        (rest.abs() < 1e-5).then_some((at / 5, at % 5))
    }

    #[test]
    fn lighting_matches_the_values_of_the_reference() {
        // 0.25 with a change of 0.6 is 1/3; with a contrast of 1.25 it is 0.202093 (section 4.6).
        // 64/255 is not 0.25, so logits are moved by hand from there.
        let p = 64.0_f64 / 255.0;
        let odds = p / (1.0 - p);
        let change = [0.6, 0.6];
        let found = apply(&grey(64), &[Transform::Brightness { change, p: 1.0 }]);
        let expected = 1.5 * odds / (1.0 + 1.5 * odds);
        assert!((f64::from(found[0]) - expected).abs() < 1e-6);
    }

    #[test]
    fn rotations_and_flips_move_a_dot_where_fastais_tests_say() {
        let rotate = |angle: f64| Transform::Rotate {
            degrees: [angle, angle],
            p: 1.0,
        };
        assert_eq!(place(&apply(&dot(3, 3), &[rotate(90.0)])), Some((1, 3)));
        assert_eq!(place(&apply(&dot(3, 3), &[rotate(-90.0)])), Some((3, 1)));
        assert_eq!(
            place(&apply(&dot(3, 3), &[Transform::FlipLr { p: 1.0 }])),
            Some((3, 1))
        );
        assert_eq!(
            place(&apply(&dot(3, 3), &[Transform::FlipLr { p: 0.0 }])),
            Some((3, 3))
        );
    }

    #[test]
    fn a_zoom_of_two_moves_a_dot_where_fastais_test_says() {
        let middle = [0.5, 0.5];
        let zoom = Transform::Zoom {
            scale: [2.0, 2.0],
            row: middle,
            col: middle,
            p: 1.0,
        };
        // Bilinear sampling blurs, so only the brightest pixel is looked at.
        let planes = apply(&dot(3, 3), &[zoom]);
        assert!((planes[4 * 5 + 4] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn brightness_comes_before_contrast_whatever_the_order_of_the_draw() {
        let change = [0.6, 0.6];
        let scale = [1.25, 1.25];
        let both = [
            Transform::Brightness { change, p: 1.0 },
            Transform::Contrast { scale, p: 1.0 },
        ];
        let p = 64.0_f64 / 255.0;
        let logit = 1.25 * ((p / (1.0 - p)).ln() + 1.5_f64.ln());
        let expected = 1.0 / (1.0 + (-logit).exp());
        assert!((f64::from(apply(&grey(64), &both)[0]) - expected).abs() < 1e-6);
    }
}
