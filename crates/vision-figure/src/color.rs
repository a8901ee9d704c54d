//! Colors.

/// A colour: red, green, blue.
pub type Rgb = [u8; 3];

/// Black.
pub const BLACK: Rgb = [0; 3];
/// Grey.
pub const GREY: Rgb = [128; 3];
/// White.
pub const WHITE: Rgb = [255; 3];
