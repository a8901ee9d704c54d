//! Finding a place for a label in a chart where it hides no line.

use std::collections::HashSet;

use vision_figure::Area;

/// Places in a chart that labels must keep clear of: lines, and other labels.
pub(super) struct Taken {
    /// The part of the chart in which labels may be.
    room: Area,
    /// Distance of the points that stand for a line, and of the places that are tried.
    step: f32,
    /// Points along lines, in steps.
    points: HashSet<(i32, i32)>,
    areas: Vec<Area>,
}

impl Taken {
    pub(super) fn in_room(room: Area) -> Self {
        Self {
            room,
            // A chart of any size has at most 200 x 200 places.
            step: (room.width.max(room.height) / 200.0).max(3.0),
            points: HashSet::new(),
            areas: Vec::new(),
        }
    }

    /// Adds a line through all points.
    pub(super) fn line(&mut self, points: &[(f32, f32)]) {
        let step = self.step;
        let point = |x: f32, y: f32| ((x / step).round() as i32, (y / step).round() as i32);
        self.points
            .extend(points.first().map(|(x, y)| point(*x, *y)));
        for pair in points.windows(2) {
            let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
            let steps = ((to_x - x).hypot(to_y - y) / step).ceil().max(1.0);
            self.points.extend((1..=steps as usize).map(|at| {
                let part = at as f32 / steps;
                point(x + (to_x - x) * part, y + (to_y - y) * part)
            }));
        }
    }

    /// Adds a label.
    pub(super) fn area(&mut self, area: Area) {
        self.areas.push(area);
    }

    fn is_free(&self, area: Area) -> bool {
        // Half a step because points are rounded, and half because lines go on between them.
        let gap = self.step + 2.0;
        let (left, top) = (area.x - gap, area.y - gap);
        let (right, bottom) = (area.x + area.width + gap, area.y + area.height + gap);
        let inside = |&(x, y): &(i32, i32)| {
            let (x, y) = (x as f32 * self.step, y as f32 * self.step);
            x > left && x < right && y > top && y < bottom
        };
        let meets = |other: &Area| {
            other.x < right
                && other.x + other.width > left
                && other.y < bottom
                && other.y + other.height > top
        };
        !self.points.iter().any(inside) && !self.areas.iter().any(meets)
    }

    /// The free place for something of this size that is nearest to a point.
    pub(super) fn near(&self, (x, y): (f32, f32), width: f32, height: f32) -> Option<Area> {
        let Self { room, step, .. } = *self;
        let steps = |length: f32| 0..(length / step + 1.0).max(0.0) as usize;
        let rows = steps(room.height - height).flat_map(|down| {
            steps(room.width - width).map(move |along| (along as f32 * step, down as f32 * step))
        });
        let distance = |area: &Area| {
            let (right, below) = (area.x + area.width / 2.0 - x, area.y + height / 2.0 - y);
            right.hypot(below)
        };
        let mut places: Vec<Area> = rows
            .map(|(along, down)| Area {
                x: room.x + along,
                y: room.y + down,
                width,
                height,
            })
            .collect();
        places.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        places.into_iter().find(|area| self.is_free(*area))
    }
}
