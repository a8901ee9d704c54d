//! Colors.

/// A color: red, green, blue.
pub type Rgb = [u8; 3];

/// Black.
pub const BLACK: Rgb = [0; 3];
/// Gray.
pub const GRAY: Rgb = [128; 3];
/// White.
pub const WHITE: Rgb = [255; 3];
