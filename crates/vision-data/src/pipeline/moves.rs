//! All that moves pixels, gathered until the image is sampled once.

use crate::pipeline::draw::Step;
use crate::pipeline::sampling::grid::position;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::window::Window;
use crate::rng::Rng;
use crate::transforms::padding::PaddingMode;
use crate::transforms::size::Size;

/// A grid over an image of the size to resize to, how its points are moved, and which of them are
/// seen.
#[derive(Debug)]
pub(crate) struct Moves {
    /// Height and width of the grid.
    pub(crate) grid: (usize, usize),
    /// Moves of coordinates between jitters: one more than there are of them.
    warps: Vec<Map>,
    jitters: Vec<(f64, Rng)>,
    /// After the warps; to be scaled for the aspect ratio of the grid.
    affine: Map,
    pub(crate) window: Window,
    padding: PaddingMode,
}

/// Takes up a step that moves whole pixels; the others change nothing.
pub(crate) fn add_to_window(
    window: &mut Window,
    step: &Step,
    target: Option<(usize, usize)>,
    padding: PaddingMode,
) {
    match step {
        Step::FlipLr => window.flip_lr(),
        Step::Dihedral(k) => window.dihedral(*k),
        Step::Pad { pixels, mode } => window.pad(*pixels as usize, *mode),
        Step::Crop { size, row, col } => {
            window.crop_pad(Size::height_width(*size), *row, *col, padding);
        }
        Step::CropPad { row, col } => {
            if let Some(target) = target {
                window.crop_pad(target, *row, *col, padding);
            }
        }
        Step::Part(_)
        | Step::Warp(_)
        | Step::ZoomSquish(_)
        | Step::Jitter { .. }
        | Step::Affine(_)
        | Step::Lighting { .. }
        | Step::Noise { .. }
        | Step::Cutout(_)
        | Step::Operations(_) => {}
    }
}

/// Where the points of the grid come from.
#[derive(Debug)]
pub(crate) enum Places {
    /// By a map of the plane.
    Map(Map),
    /// One by one: those that are seen, row by row. The map is what they are without jitter.
    Points(Vec<(f64, f64)>, Map),
}

impl Moves {
    pub(crate) fn new(grid: (usize, usize), padding: PaddingMode) -> Self {
        Self {
            grid,
            warps: vec![Map::IDENTITY],
            jitters: Vec::new(),
            affine: Map::IDENTITY,
            window: Window::whole(grid.0, grid.1),
            padding,
        }
    }

    /// Takes up a step; steps that do not move pixels change nothing. `target` is what to crop to, if
    /// anything is cropped.
    pub(crate) fn add(&mut self, step: &Step, target: Option<(usize, usize)>) {
        match step {
            Step::Warp(map) => self.warp(map),
            Step::ZoomSquish(draw) => {
                let (height, width) = self.grid;
                self.warp(&draw.map(height, width));
            }
            Step::Jitter { magnitude, rng } => {
                self.jitters.push((*magnitude, rng.clone()));
                self.warps.push(Map::IDENTITY);
            }
            Step::Affine(map) => self.affine = self.affine.after(map),
            step => add_to_window(&mut self.window, step, target, self.padding),
        }
    }

    fn warp(&mut self, map: &Map) {
        if let Some(last) = self.warps.last_mut() {
            *last = map.after(last);
        }
    }

    /// The places, in the source, of the grid's points in `rows` and `cols`.
    pub(crate) fn places(&self, rows: &[usize], cols: &[usize]) -> Places {
        let (height, width) = self.grid;
        let map = self.map();
        if self.jitters.is_empty() {
            return Places::Map(map);
        }
        let mut points: Vec<(f64, f64)> = rows
            .iter()
            .flat_map(|&row| {
                cols.iter()
                    .map(move |&col| (position(col, width), position(row, height)))
            })
            .collect();
        let jitters = self.jitters.iter().map(Some).chain([None]);
        for (warp, jitter) in self.warps.iter().zip(jitters) {
            for (x, y) in &mut points {
                (*x, *y) = warp.apply(*x, *y);
            }
            if let Some((magnitude, rng)) = jitter {
                let mut rng = rng.clone();
                for (x, y) in &mut points {
                    *x += rng.between(-magnitude, *magnitude);
                    *y += rng.between(-magnitude, *magnitude);
                }
            }
        }
        let affine = self.affine();
        for (x, y) in &mut points {
            (*x, *y) = affine.apply(*x, *y);
        }
        Places::Points(points, map)
    }

    fn affine(&self) -> Map {
        let (height, width) = self.grid;
        self.affine.for_aspect(height as f64, width as f64)
    }

    /// From the grid to the source, without jitters.
    fn map(&self) -> Map {
        let warps = self.warps.iter();
        let warp = warps.fold(Map::IDENTITY, |all, warp| warp.after(&all));
        self.affine().after(&warp)
    }

    /// Height and width of what is seen.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.window.height(), self.window.width())
    }
}
