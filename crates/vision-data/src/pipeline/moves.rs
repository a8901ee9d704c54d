//! Moves of pixels, collected until the image is sampled once.

use crate::pipeline::sampling::grid::position;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::window::Window;
use crate::rng::Rng;

/// A grid over an image of the size to resize to, the moves of its points, and the visible
/// points.
#[derive(Debug)]
pub(crate) struct Moves {
    /// Height and width of the grid.
    pub(crate) grid: (usize, usize),
    /// Moves of coordinates between jitters: one more than the number of jitters.
    warps: Vec<Map>,
    jitters: Vec<(f64, Rng)>,
    /// Applied after the warps; scaled later for the aspect ratio of the grid.
    affine: Map,
    pub(crate) window: Window,
}

/// The source positions of the grid's points.
#[derive(Debug)]
pub(crate) enum Places {
    /// Given by a map of the plane.
    Map(Map),
    /// Listed one by one: the visible points, row by row. The map gives them without jitter.
    Points(Vec<(f64, f64)>, Map),
}

impl Moves {
    pub(crate) fn new(grid: (usize, usize)) -> Self {
        Self {
            grid,
            warps: vec![Map::IDENTITY],
            jitters: Vec::new(),
            affine: Map::IDENTITY,
            window: Window::whole(grid.0, grid.1),
        }
    }

    pub(crate) fn warp(&mut self, map: &Map) {
        let last = self.warps.last_mut().expect("there is one from the start");
        *last = map.after(last);
    }

    pub(crate) fn jitter(&mut self, magnitude: f64, rng: Rng) {
        self.jitters.push((magnitude, rng));
        self.warps.push(Map::IDENTITY);
    }

    pub(crate) fn affine(&mut self, map: &Map) {
        self.affine = self.affine.after(map);
    }

    /// Whether each point of the grid stays where it is.
    pub(crate) fn is_identity(&self) -> bool {
        self.jitters.is_empty() && self.map() == Map::IDENTITY
    }

    /// The source positions of the grid's points in `rows` and `cols`.
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
        let affine = self.scaled_affine();
        for (x, y) in &mut points {
            (*x, *y) = affine.apply(*x, *y);
        }
        Places::Points(points, map)
    }

    /// The affine map, scaled for the aspect ratio of the grid.
    fn scaled_affine(&self) -> Map {
        let (height, width) = self.grid;
        self.affine.for_aspect(height as f64, width as f64)
    }

    /// The map from the grid to the source, without jitters.
    fn map(&self) -> Map {
        let warps = self.warps.iter();
        let warp = warps.fold(Map::IDENTITY, |all, warp| warp.after(&all));
        self.scaled_affine().after(&warp)
    }

    /// Height and width of the visible part.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.window.height(), self.window.width())
    }
}
