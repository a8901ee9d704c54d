//! Where points of an image go: landmarks, or the corners of a box.

use crate::image::size::PixelSize;
use crate::pipeline::Pipeline;
use crate::pipeline::crop::Part;
use crate::pipeline::draw::{Draw, Step};
use crate::pipeline::moves::Moves;
use crate::pipeline::rand_augment::Operation;

/// A place in an image, in pixels: x to the right, y down, and (0, 0) is the centre of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

impl Point {
    /// At column `x` and row `y`.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// Whether it is on an image of this size, whose pixels reach half a pixel around their centres.
    pub fn is_within(&self, size: PixelSize) -> bool {
        self.is_on((size.height as usize, size.width as usize))
    }

    fn is_on(&self, (height, width): (usize, usize)) -> bool {
        let inside = |at: f64, side: usize| at >= -0.5 && at < side as f64 - 0.5;
        inside(self.x, width) && inside(self.y, height)
    }

    /// The nearest place next to an image of this size.
    fn beside(self, (height, width): (usize, usize)) -> Self {
        let (right, bottom) = (width as f64 - self.x, height as f64 - self.y);
        let Self { x, y } = self;
        let edges = [
            (x, Self { x: -1.0, y }),
            (right, Self { x: width as f64, y }),
            (y, Self { x, y: -1.0 }),
            (
                bottom,
                Self {
                    x,
                    y: height as f64,
                },
            ),
        ];
        let nearest = edges.into_iter().min_by(|(a, _), (b, _)| a.total_cmp(b));
        nearest.map_or(self, |(_, place)| place)
    }
}

impl Pipeline {
    /// Where points of an image of size `size` are after `draw`, which
    /// [`image`](Self::image) applies to the image itself.
    ///
    /// All of them come back, in order. One that is cropped away, or moved out, lies outside the result
    /// ([`Point::is_within`]): where it was, or next to the edge if padding has taken that place. That
    /// padding shows a part of an image twice makes no second point of it.
    /// A jitter moves pixels to and fro about their places, and points not at all.
    ///
    /// ```
    /// use vision_data::{Pipeline, PixelSize, Point, Resizing, Transform};
    ///
    /// let resizing = Resizing { size: Some(50.into()), ..Resizing::default() };
    /// let pipeline = Pipeline::new(&[Transform::flip_lr()], resizing)?;
    /// let draw = pipeline.draw(42, 0, 0);
    ///
    /// // Of 100 by 100 pixels the last column: mirrored it is the first.
    /// let size = PixelSize { width: 100, height: 100 };
    /// let moved = pipeline.points(&[Point::new(99.0, 0.0)], size, &draw);
    /// assert_eq!(moved, [Point::new(0.0, 0.0)]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn points(&self, points: &[Point], size: PixelSize, draw: &Draw) -> Vec<Point> {
        let mut points: Vec<Moved> = points.iter().map(|&at| Moved { at, seen: true }).collect();
        // There is no image without a pixel.
        let side = |side: u32| side.max(1) as usize;
        let mut source = (side(size.height), side(size.width));
        for part in draw.parts() {
            let part = part.part(source, self.resizing().target(source));
            for point in &mut points {
                point.seen &= point.at.is_on(source);
                point.at = part.moved(point.at);
            }
            source = (part.window.height, part.window.width);
        }
        let padding = self.resizing().padding_mode;
        let target = self.crop_target(source);
        let mut moves = Moves::new(self.resizing().resized(source), padding);
        for step in self.steps(draw) {
            moves.add(step, target);
            if matches!(step, Step::Pad { .. }) && draw.moves() {
                moves.move_points(&mut points, source);
                source = moves.size();
                moves = Moves::new(source, padding);
            }
        }
        moves.move_points(&mut points, source);
        let result = moves.size();
        for operation in draw.operations() {
            operation.move_points(&mut points, result);
        }
        let place = |Moved { at, seen }: Moved| match at.is_on(result) && !seen {
            true => at.beside(result),
            false => at,
        };
        points.into_iter().map(place).collect()
    }
}

/// A point on its way.
struct Moved {
    at: Point,
    /// Whether it was on the image all the way.
    seen: bool,
}

impl Part {
    /// Pillow resizes from edge to edge, not from centre to centre.
    fn moved(&self, Point { x, y }: Point) -> Point {
        let along = |at: f64, start: usize, have: usize, want: usize, cut: usize| {
            (at + 0.5 - start as f64) * want as f64 / have as f64 - 0.5 - cut as f64
        };
        let (source, size, window) = (self.source, self.size, self.window);
        Point {
            x: along(x, source.left, source.width, size.1, window.left),
            y: along(y, source.top, source.height, size.0, window.top),
        }
    }
}

impl Moves {
    /// From places in an image of height and width `source` to where they are seen.
    fn move_points(&self, points: &mut [Moved], source: (usize, usize)) {
        // From a place to a coordinate of the map, and back: by way of the pixels that are sampled,
        // which are fewer than those of the image where it is shrunk first.
        let coordinate = |at: f64, have: usize, sampled: usize| match sampled {
            1 => 0.0,
            _ => {
                let at = (at + 0.5) * sampled as f64 / have as f64 - 0.5;
                2.0 * at / (sampled - 1) as f64 - 1.0
            }
        };
        let place = |coordinate: f64, n: usize| (coordinate + 1.0) / 2.0 * (n - 1) as f64;
        let sampled = self.shrunk(source).unwrap_or(source);
        let back = self.map().inverse();
        for point in points {
            let x = coordinate(point.at.x, source.1, sampled.1);
            let y = coordinate(point.at.y, source.0, sampled.0);
            let (x, y) = back.apply(x, y);
            let (x, y) = (place(x, self.grid.1), place(y, self.grid.0));
            let (x, y, seen) = self.window.point(x, y);
            point.seen &= seen && point.at.is_on(source);
            point.at = Point { x, y };
        }
    }
}

impl Operation {
    /// Where points go in an image of this size.
    fn move_points(&self, points: &mut [Moved], size: (usize, usize)) {
        let Some([a, b, c, d, e, f]) = self.matrix(size.0, size.1) else {
            return;
        };
        // The matrix leads from a pixel of the result to the source, in coordinates from edge to edge.
        let determinant = a * e - b * d;
        for Moved { at, seen } in points {
            *seen &= at.is_on(size);
            let Point { x, y } = at;
            let (u, v) = (*x + 0.5 - c, *y + 0.5 - f);
            *x = (e * u - b * v) / determinant - 0.5;
            *y = (a * v - d * u) / determinant - 0.5;
        }
    }
}
